"""What a delivery was signed for and with, if that may be the reason why its handler has refused it."""

from __future__ import annotations

from collections.abc import Iterable

from qstash_fake.broker.message import Attempt, Message
from qstash_fake.delivery.routes import Route

UNKNOWN_KEY = "with a key that is neither of the two in the environment"
NEW_KEYS = (
    "set QSTASH_CURRENT_SIGNING_KEY to qstash_fake.signing_keys.current and QSTASH_NEXT_SIGNING_KEY to "
    "qstash_fake.signing_keys.next"
)


def signed_for(message: Message, attempt: Attempt, routes: Iterable[Route]) -> str | None:
    """Return the URL that an *attempt* of *message* was signed for if a handler has answered it with 401, else None.

    A check may build its URL from settings, and a server behind a proxy sees its own address: a Receiver that is given
    another URL than QStash has called refuses the signature. An application that has not been told of a rotation
    refuses the key; the text then ends with that. An answer of a route comes from no handler.
    """
    if attempt.status != 401 or any(route._has_answered(attempt) for route in routes):
        return None
    return f"{message.url}, {UNKNOWN_KEY}" if attempt.unknown_key else message.url


def advice(attempt: Attempt) -> str:
    """Return what to do about an *attempt* that `signed_for` has found."""
    return NEW_KEYS if attempt.unknown_key else "the handler has to verify it with this URL"
