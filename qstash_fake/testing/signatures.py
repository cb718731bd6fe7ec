"""Which URL a delivery was signed for, if that may be the reason why its handler has refused it."""

from __future__ import annotations

from collections.abc import Iterable

from qstash_fake.broker.message import Attempt, Message
from qstash_fake.delivery.routes import Route


def signed_for(message: Message, attempt: Attempt, routes: Iterable[Route]) -> str | None:
    """Return the URL that an *attempt* of *message* was signed for if a handler has answered it with 401, else None.

    An application behind a proxy, or a test client with another base URL, sees another URL than QStash has called. A
    Receiver that is given that URL refuses the signature. An answer of a route comes from no handler.
    """
    if attempt.status != 401 or any(route._has_answered(attempt) for route in routes):
        return None
    return message.url
