"""Publish, enqueue, batch: the operations that make messages."""

from __future__ import annotations

import json
from typing import Any

from qstash_fake.api import wire
from qstash_fake.api.call import Call, Reply, header_pairs, json_reply, valid_name
from qstash_fake.api.operations import schedules
from qstash_fake.broker.workflow.runs import RunHasEnded
from qstash_fake.errors import Refused
from qstash_fake.protocol.publish import PublishRequest, into_queue, parse_publish
from qstash_fake.protocol.restrictions import Kind
from qstash_fake.protocol.workflow import names_a_run


def publish(call: Call) -> Reply:
    request = parse_publish(call.path["rest"], call.headers, call.body, caller_ip=call.caller_ip)
    if request.options.cron is not None:
        return schedules.created(call, request)
    return _published(call, request)


def enqueue(call: Call) -> Reply:
    request = parse_publish(call.path["rest"], call.headers, call.body, caller_ip=call.caller_ip)
    return _published(call, into_queue(request, valid_name(call.path["queue"])))


def batch(call: Call) -> Reply:
    """Accept every item or none; the first refusal is that of the batch.

    An item that cannot be read is refused before one that exceeds a quota (assumed).
    """
    items = call.json()
    if not isinstance(items, list):
        raise Refused(400, "invalid JSON body: expected an array of messages")
    try:
        publications = call.broker.publish_all([_batch_item(call, item) for item in items])
    except Refused as refused:
        if refused.status == 400 and any(map(_names_a_run, items)):
            call.broker.workflows.note_refused_step(refused)
        if isinstance(refused, RunHasEnded):  # this refusal alone is told in an array. Seen in real answers
            return json_reply([{"error": f"failed to publish to url: {refused.error}"}], refused.status)
        raise
    return json_reply([wire.publication(publication) for publication in publications])


def _names_a_run(item: Any) -> bool:
    headers = item.get("headers") if isinstance(item, dict) else None
    return isinstance(headers, dict) and names_a_run(headers)


def _published(call: Call, request: PublishRequest) -> Reply:
    result = call.broker.publish(request)
    return json_reply(wire.publication(result), 202 if result.deduplicated else 201)


def _batch_item(call: Call, item: Any) -> PublishRequest:
    if not isinstance(item, dict):
        raise Refused(400, f"expected an object, got {json.dumps(item)[:80]}")
    given: dict[str, Any] = {"destination": "", "headers": {}, "body": "", "queue": ""}
    given |= {name: value for name, value in item.items() if value is not None}
    destination, headers, body, queue = given["destination"], given["headers"], given["body"], given["queue"]
    if not isinstance(destination, str) or not isinstance(body, str) or not isinstance(queue, str):
        raise Refused(400, "destination, body and queue of a batch item are texts")
    if not isinstance(headers, dict):
        raise Refused(400, "headers of a batch item are an object")
    request = parse_publish(
        destination, header_pairs(headers), body.encode(), caller_ip=call.caller_ip, kind=Kind.BATCH_ITEM
    )
    return into_queue(request, valid_name(queue)) if queue else request
