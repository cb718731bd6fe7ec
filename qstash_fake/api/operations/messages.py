"""Messages: look-up and cancelling, one by one and by filter."""

from __future__ import annotations

from qstash_fake.api import wire
from qstash_fake.api.call import Call, Reply, json_reply
from qstash_fake.api.listing import parse_filters, parse_page
from qstash_fake.broker import filters
from qstash_fake.errors import Refused

MAX_CANCEL = 500  # openapi.yaml, count of a bulk cancel


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
