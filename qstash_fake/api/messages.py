"""Operations on messages: publish, enqueue, batch, schedule creation, look-up, cancel, dead letters, logs."""

from __future__ import annotations

import json
from typing import Any

from qstash_fake.api import wire
from qstash_fake.api.call import Call, Reply, header_pairs, json_reply, valid_name
from qstash_fake.api.listing import MAX_COUNT, PAGING, parse_filters, parse_page, turn_page
from qstash_fake.broker import filters
from qstash_fake.broker.dead_letters import DeadLetter
from qstash_fake.broker.journal import LogEntry
from qstash_fake.errors import Refused
from qstash_fake.protocol.http import wire as wire_value
from qstash_fake.protocol.options import NO_OPTIONS, Options, parse_options
from qstash_fake.protocol.publish import PublishRequest, into_queue, parse_publish

MAX_CANCEL = 500  # openapi.yaml, count of a bulk cancel
MAX_DEAD_LETTERS = 100  # openapi.yaml, count of the DLQ's bulk operations


def publish(call: Call) -> Reply:
    request = parse_publish(call.path["rest"], call.headers, call.body, caller_ip=call.caller_ip)
    if request.options.cron is not None:
        return _schedule(call, request)
    return _publish(call, request)


def enqueue(call: Call) -> Reply:
    request = parse_publish(call.path["rest"], call.headers, call.body, caller_ip=call.caller_ip)
    return _publish(call, into_queue(request, valid_name(call.path["queue"])))


def create_schedule(call: Call) -> Reply:
    request = parse_publish(call.path["rest"], call.headers, call.body, caller_ip=call.caller_ip)
    if request.options.cron is None:
        raise Refused(400, "Invalid cron expression empty spec string")  # QStash's own words
    return _schedule(call, request)


def batch(call: Call) -> Reply:
    """Accept every item or none; the errors of a refused batch come in item order, `{}` for an item without one."""
    items = call.json()
    if not isinstance(items, list):
        raise Refused(400, "invalid JSON body: expected an array of messages")
    requests: list[PublishRequest] = []
    errors: list[dict[str, str]] = []
    for item in items:
        try:
            request = _batch_item(call, item)
            call.broker.check(request)
        except Refused as refused:
            if refused.status not in (400, 404, 412):
                raise
            errors.append({"error": f"failed to publish to url: {refused.error}"})
        else:
            requests.append(request)
            errors.append({})
    if any(errors):
        return json_reply(errors, 400)
    return json_reply([wire.publication(result) for result in call.broker.publish_all(requests)])


def get_message(call: Call) -> Reply:
    return json_reply(wire.message(call.broker.find_message(call.path["id"])))


def cancel_message(call: Call) -> Reply:
    message = call.broker.find_message(call.path["id"])
    if not call.broker.cancel([message]):
        raise Refused(404, f"message {message.message_id} not found")
    return json_reply({"cancelled": 1}, 202)


def cancel_messages(call: Call) -> Reply:
    wanted = parse_filters(call, filters.MESSAGES, paging=frozenset({"count"}))
    page = parse_page(call, latest_first=False, most=MAX_CANCEL, default=1 << 62)
    broker = call.broker
    candidates = [m for m in broker.messages.values() if m.pending and not m.cancel_requested and wanted.message(m)]
    return json_reply({"cancelled": broker.cancel(candidates[: page.count])})


def list_dead_letters(call: Call) -> Reply:
    dead, cursor = _dead_letters(call, most=MAX_COUNT)
    return json_reply({"messages": [wire.dead_letter(one) for one in dead], **({"cursor": cursor} if cursor else {})})


def get_dead_letter(call: Call) -> Reply:
    return json_reply(wire.dead_letter(call.broker.find_dead_letter(call.path["id"])))


def delete_dead_letter(call: Call) -> Reply:
    call.broker.delete_dead_letter(call.path["id"])
    return Reply()


def delete_dead_letters(call: Call) -> Reply:
    dead, cursor = _dead_letters(call, most=MAX_DEAD_LETTERS)
    for one in dead:
        call.broker.delete_dead_letter(one.dlq_id)
    return json_reply({"deleted": len(dead), **({"cursor": cursor} if cursor else {})})


def retry_dead_letter(call: Call) -> Reply:
    message = call.broker.redrive(call.path["id"], _overrides(call))
    return json_reply({"messageId": message.message_id}, 201)


def retry_dead_letters(call: Call) -> Reply:
    overrides = _overrides(call)
    options = frozenset(name.lower() for name in call.query if _is_option(name))
    dead, cursor = _dead_letters(call, most=MAX_DEAD_LETTERS, besides=options)
    messages = call.broker.redrive_all([one.dlq_id for one in dead], overrides)
    responses = [{"messageId": message.message_id} for message in messages]
    # This endpoint alone ends with an empty cursor. Seen in real answers.
    return json_reply({"responses": responses, "cursor": cursor or ""}, 201)


def list_logs(call: Call) -> Reply:
    """Serve /v2/events, which every SDK reads, and /v2/logs, which is documented; the latter names its list twice."""
    wanted = parse_filters(call, filters.LOGS)
    page = parse_page(call, latest_first=True)
    journal = call.broker.journal
    numbered = [
        (number, entry)
        for number, entry in enumerate(journal, journal.forgotten)
        if isinstance(entry, LogEntry) and entry.time_ms >= call.broker.retained_from_ms and wanted.log(entry)
    ]
    shown, cursor = turn_page(numbered, page, lambda pair: pair[0], lambda pair: pair[1].time_ms)
    events = [wire.log(entry) for _, entry in shown]
    named = {"logs": events} if call.path["kind"].lower() == "logs" else {}
    return json_reply({**({"cursor": cursor} if cursor else {}), **named, "events": events})


def _publish(call: Call, request: PublishRequest) -> Reply:
    result = call.broker.publish(request)
    return json_reply(wire.publication(result), 202 if result.deduplicated else 201)


def _schedule(call: Call, request: PublishRequest) -> Reply:
    return json_reply({"scheduleId": call.broker.schedule(request).schedule_id}, 201)


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
    request = parse_publish(destination, header_pairs(headers), body.encode(), caller_ip=call.caller_ip)
    if request.options.cron is not None:
        raise Refused(400, "Upstash-Cron can not be used in a batch")
    return into_queue(request, valid_name(queue)) if queue else request


def _overrides(call: Call) -> Options:
    """Return what the headers of a retry override; each may be a query parameter, as with a publish."""
    in_query = [(name, wire_value(value)) for name, values in call.query.items() for value in values]
    given = [(name, value) for name, value in (*call.headers, *in_query) if _is_option(name)]
    options = parse_options(given) if given else NO_OPTIONS
    if options.cron is not None or options.schedule_id is not None:
        raise Refused(400, "Upstash-Cron and Upstash-Schedule-Id can not be used with a retry")
    return options


def _is_option(name: str) -> bool:
    return name.lower().startswith("upstash-")


def _dead_letters(
    call: Call, *, most: int, besides: frozenset[str] = frozenset()
) -> tuple[list[DeadLetter], str | None]:
    wanted = parse_filters(call, filters.DEAD_LETTERS, PAGING | besides)
    page = parse_page(call, latest_first=False, most=most)
    known = [dead for dead in call.broker.dead_letters.values() if wanted.dead_letter(dead)]
    return turn_page(known, page, lambda dead: int(dead.dlq_id.rpartition("-")[2]), lambda dead: dead.created_ms)
