"""Messages: look-up and cancelling, one by one and by filter."""

from __future__ import annotations

from qstash_fake.api import wire
from qstash_fake.api.call import Call, Reply, json_reply
from qstash_fake.api.listing import parse_filters, read_given
from qstash_fake.broker import filters
from qstash_fake.errors import Refused
from qstash_fake.protocol.options import parse_bool

_IDS = frozenset({"messageid", "messageids"})


def get_message(call: Call) -> Reply:
    return json_reply(wire.message(call.broker.find_message(call.path["id"])))


def cancel_message(call: Call) -> Reply:
    message = call.broker.find_message(call.path["id"])
    if not call.broker.cancel([message]):
        raise Refused(404, f"message {message.message_id} not found")
    return json_reply({"cancelled": 1}, 202)


def cancel_messages(call: Call) -> Reply:
    """Cancel all that the filters select; `count`, which the TypeScript SDK always sends, is ignored by QStash, too.

    A cancel by ids alone is done at once. Any other is a bulk action, and the answer to an `async` call has its id.
    """
    given = read_given(call, ignored=frozenset({"count", "async"}))
    wanted = parse_filters(given, filters.MESSAGES, besides=frozenset())
    meant = (message for message in call.broker.messages.values() if message.pending and wanted.message(message))
    wants_id = _wants_action_id(call)
    if given and all(name.lower() in _IDS for name in given):
        return json_reply({"cancelled": call.broker.cancel(meant)})
    action = call.broker.cancel_in_bulk(meant, given)
    return json_reply({"cancelled": action.total, **({"actionId": action.action_id} if wants_id else {})})


def _wants_action_id(call: Call) -> bool:
    """Tell what `async` says: the reference has it in the query, the guide in the body."""
    given = call.json_object().get("async", call.query.get("async", ["false"])[0])
    try:
        return given if isinstance(given, bool) else parse_bool(str(given))
    except ValueError as error:
        raise Refused(400, f"invalid async: {error}") from None
