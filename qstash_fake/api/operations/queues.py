"""Queues: made, paused, resumed, deleted."""

from __future__ import annotations

from qstash_fake.api import wire
from qstash_fake.api.call import EMPTY, Call, Reply, json_reply, valid_name
from qstash_fake.errors import Refused


def upsert_queue(call: Call) -> Reply:
    given = call.json_object()
    name, parallelism, paused = given.get("queueName"), given.get("parallelism"), given.get("paused")
    if not isinstance(name, str):
        raise Refused(400, "queueName is missing")
    if parallelism is not None and (type(parallelism) is not int or not 1 <= parallelism <= 1 << 31):
        raise Refused(400, f"invalid parallelism {parallelism!r}: it is an integer greater than 0")
    if paused is not None and not isinstance(paused, bool):
        raise Refused(400, f"invalid paused {paused!r}: it is true or false")
    call.broker.upsert_queue(valid_name(name), parallelism=parallelism, paused=paused)
    return EMPTY


def list_queues(call: Call) -> Reply:
    return json_reply([wire.queue(queue) for queue in call.broker.queues.values()])


def get_queue(call: Call) -> Reply:
    name = valid_name(call.path["name"])
    if (queue := call.broker.queues.get(name)) is None:
        raise Refused(404, f"queue {name} not found")
    return json_reply(wire.queue(queue))


def delete_queue(call: Call) -> Reply:
    call.broker.delete_queue(valid_name(call.path["name"]))
    return EMPTY


def pause_queue(call: Call) -> Reply:
    call.broker.upsert_queue(valid_name(call.path["name"]), paused=True)  # assumed: makes one that is not there yet
    return EMPTY


def resume_queue(call: Call) -> Reply:
    call.broker.upsert_queue(valid_name(call.path["name"]), paused=False)
    return EMPTY
