"""Messages: look-up and cancelling, one by one and by filter."""

from __future__ import annotations

from qstash_fake.api import wire
from qstash_fake.api.call import Call, Reply, json_reply
from qstash_fake.api.listing import parse_filters, read_given
from qstash_fake.broker import filters
from qstash_fake.errors import Refused


def get_message(call: Call) -> Reply:
    return json_reply(wire.message(call.broker.find_message(call.path["id"])))


def cancel_message(call: Call) -> Reply:
    message = call.broker.find_message(call.path["id"])
    if not call.broker.cancel([message]):
        raise Refused(404, f"message {message.message_id} not found")
    return json_reply({"cancelled": 1}, 202)


def cancel_messages(call: Call) -> Reply:
    """Cancel all that the filters mean; `count`, which the TypeScript SDK always sends, is ignored by QStash, too."""
    wanted = parse_filters(read_given(call, ignored=frozenset({"count"})), filters.MESSAGES, besides=frozenset())
    meant = (message for message in call.broker.messages.values() if message.pending and wanted.message(message))
    return json_reply({"cancelled": call.broker.cancel(meant)})
