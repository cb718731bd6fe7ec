"""Schedules: created, paused, resumed, deleted."""

from __future__ import annotations

from qstash_fake.api import wire
from qstash_fake.api.call import EMPTY, Call, Reply, json_reply
from qstash_fake.errors import Refused
from qstash_fake.protocol.publish import PublishRequest, parse_publish


def create_schedule(call: Call) -> Reply:
    request = parse_publish(call.path["rest"], call.headers, call.body, caller_ip=call.caller_ip)
    if request.options.cron is None:
        raise Refused(400, "Invalid cron expression empty spec string")  # QStash's own words
    return created(call, request)


def created(call: Call, request: PublishRequest) -> Reply:
    """Create the schedule that *request*, which has a cron, asks for."""
    return json_reply({"scheduleId": call.broker.schedule(request).schedule_id}, 201)


def list_schedules(call: Call) -> Reply:
    return json_reply([wire.schedule(schedule) for schedule in call.broker.schedules.by_id.values()])


def get_schedule(call: Call) -> Reply:
    return json_reply(wire.schedule(call.broker.schedules.find(call.path["id"])))


def delete_schedule(call: Call) -> Reply:
    call.broker.schedules.delete(call.path["id"])
    return EMPTY


def pause_schedule(call: Call) -> Reply:
    call.broker.schedules.pause(call.path["id"])
    return EMPTY


def resume_schedule(call: Call) -> Reply:
    call.broker.schedules.resume(call.path["id"], call.broker.now_ms)
    return EMPTY
