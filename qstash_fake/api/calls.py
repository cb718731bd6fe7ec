"""The calls that were made to the API: what was asked, and what it was answered. Shows no token and no query."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from datetime import datetime

from qstash_fake.broker.broker import Broker
from qstash_fake.broker.views import Message, view_of
from qstash_fake.protocol.attributes import NamesWhatIsMeant
from qstash_fake.protocol.moments import to_datetime

MAX_CALLS = 10_000  # bounds memory; the oldest are forgotten
MAX_PATH, MAX_ERROR = 200, 500  # characters of a sentence on a call

_QUERY = re.compile(r"\?[^\s'\"]+")  # in the words of a refusal, which may repeat a URL


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ApiCall(NamesWhatIsMeant):
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


# What is kept of a call, as a tuple to keep a publish cheap: time in unix milliseconds, method, target, status, error,
# and how many messages there ever were before it and after it.
_Noted = tuple[int, str, str, int, str | None, int, int]


class Calls:
    """The newest `MAX_CALLS` calls, oldest first."""

    def __init__(self) -> None:
        self._noted: deque[_Noted] = deque(maxlen=MAX_CALLS)

    def note(self, broker: Broker, asked: tuple[str, str], status: int, error: str | None, before: int) -> None:
        """Note that what was *asked*, method and target, has been answered just now.

        *before* is how many messages *broker* had ever accepted before the call; the call made those after them.
        """
        self._noted.append((broker.now_ms, *asked, status, error, before, broker.accepted))

    def of(self, broker: Broker) -> list[ApiCall]:
        """Return the calls as a test sees them; messages that *broker* has forgotten are left out."""
        with broker.lock:
            noted = tuple(self._noted)
            messages = {message.sequence: message for message in broker.messages.values()}
        return [
            ApiCall(
                at=to_datetime(time_ms),
                method=method,
                path=_path(target),
                status=status,
                error=None if error is None else _without_queries(error),
                messages=tuple(view_of(Message, messages[n]) for n in range(before + 1, after + 1) if n in messages),
            )
            for time_ms, method, target, status, error, before, after in noted
        ]


def in_words(method: str, target: str, status: int, error: str) -> str:
    """Return a sentence on a call that failed, short enough for a line; it shows no query."""
    path = _path(target)
    call = f"{method} {path if len(path) <= MAX_PATH else f'{path[:MAX_PATH]}…'}"
    if status == 0:
        return f"the connection of {call} broke before an answer came"
    return f"{call} was refused with {status}: {_without_queries(error)[:MAX_ERROR]}"


def _path(target: str) -> str:
    return target.partition("?")[0]


def _without_queries(error: str) -> str:
    return _QUERY.sub("?…", error)
