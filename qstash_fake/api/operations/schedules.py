"""Schedules: created, paused, resumed, deleted."""

from __future__ import annotations

from qstash_fake.api import wire
from qstash_fake.api.call import EMPTY, Call, Reply, json_reply
from qstash_fake.protocol.publish import PublishRequest, parse_publish
from qstash_fake.protocol.restrictions import Kind


def create_schedule(call: Call) -> Reply:
    rest, kind = call.path["rest"], Kind.SCHEDULE
    return created(call, parse_publish(rest, call.headers, call.body, caller_ip=call.caller_ip, kind=kind))


def created(call: Call, request: PublishRequest) -> Reply:
    """Create the schedule that *request*, which has a cron, asks for."""
    return json_reply({"scheduleId": call.broker.schedule(request).schedule_id}, 201)


def list_schedules(call: Call) -> Reply:
    return json_reply([wire.schedule(schedule) for schedule in call.broker.schedules.by_id.values()])


def get_schedule(call: Call) -> Reply:
    return json_reply(wire.schedule(call.broker.schedules.find(call.path["id"])))


def delete_schedule(call: Call) -> Reply:
    call.broker.delete_schedule(call.path["id"])
    return EMPTY


def pause_schedule(call: Call) -> Reply:
    call.broker.pause_schedule(call.path["id"])
    return EMPTY


def resume_schedule(call: Call) -> Reply:
    call.broker.resume_schedule(call.path["id"])
    return EMPTY
