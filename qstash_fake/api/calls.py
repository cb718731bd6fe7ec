"""The calls that were made to the API: what was asked, and what it was answered. Shows no token and no query."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import NamedTuple

from qstash_fake.broker.broker import Broker
from qstash_fake.broker.message import Message
from qstash_fake.protocol.moments import to_datetime

MAX_CALLS = 10_000  # bounds memory; the oldest are forgotten

_QUERY = re.compile(r"\?[^\s'\"]+")  # in the words of a refusal, which may repeat a URL


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ApiCall:
    """A call to the API. *path* is the raw path, a destination in it included, without the query."""

    at: datetime
    """When it was answered, aware UTC."""
    method: str
    path: str
    status: int
    """The HTTP status of the answer; 0 if the connection was dropped."""
    error: str | None
    """Why it was refused."""
    messages: tuple[Message, ...]
    """The messages that it made: none if it was refused or repeats an earlier publish."""

    def __repr__(self) -> str:
        error = f" {self.error}" if self.error else ""
        return f"<ApiCall {self.at:%Y-%m-%dT%H:%M:%S.%f} {self.method} {self.path} {self.status}{error}>"


class _Noted(NamedTuple):
    """What is kept of a call: making an ApiCall of each costs a publish more than reading a few of them later."""

    time_ms: int
    method: str
    target: str
    status: int
    error: str | None
    messages: Sequence[Message]


class Calls:
    """The newest `MAX_CALLS` calls, oldest first."""

    def __init__(self) -> None:
        self._noted: deque[_Noted] = deque(maxlen=MAX_CALLS)

    def note(
        self, broker: Broker, method: str, target: str, status: int, *, error: str | None = None, made: int = 0
    ) -> None:
        """Note that a call was answered just now; the newest *made* messages are its own."""
        messages = tuple(islice(reversed(broker.messages.values()), made))[::-1] if made else ()
        self._noted.append(_Noted(broker.now_ms, method, target, status, error, messages))

    def all(self) -> list[ApiCall]:
        """Return the calls as a test sees them."""
        return [
            ApiCall(
                at=to_datetime(noted.time_ms),
                method=noted.method,
                path=noted.target.partition("?")[0],
                status=noted.status,
                error=None if noted.error is None else _QUERY.sub("?…", noted.error),
                messages=tuple(noted.messages),
            )
            for noted in tuple(self._noted)
        ]
