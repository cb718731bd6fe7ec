"""The journal: what happened, in order. Log entries are about messages; notes are about everything else."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import httpx

from qstash_fake.broker.message import Attempt, Message, to_datetime
from qstash_fake.protocol.http import raw

MAX_ENTRIES = 200_000  # bounds memory over a year of ticks; the oldest are forgotten


@dataclass(slots=True, eq=False, repr=False)
class LogEntry:
    """One step in the life of a message. *state* is CREATED, ACTIVE, RETRY, ERROR, DELIVERED, FAILED,
    CANCEL_REQUESTED or CANCELED."""

    time_ms: int
    state: str
    message: Message
    attempt: Attempt | None = None
    next_delivery_ms: int | None = None

    @property
    def at(self) -> datetime:
        """When it happened, aware UTC."""
        return to_datetime(self.time_ms)

    @property
    def message_id(self) -> str:
        return self.message.message_id

    @property
    def url(self) -> str:
        return self.message.url

    @property
    def error(self) -> str | None:
        """What went wrong, in an ERROR entry."""
        if self.state != "ERROR" or self.attempt is None:
            return None
        return self.attempt.error or f"destination answered {self.attempt.status}"

    @property
    def status(self) -> int | None:
        """The HTTP status that the entry reports, None where it reports none."""
        return self.attempt.status if self.attempt else None

    @property
    def next_delivery_at(self) -> datetime | None:
        """When the next attempt is due, in a RETRY entry or the CREATED entry of a delayed message."""
        return None if self.next_delivery_ms is None else to_datetime(self.next_delivery_ms)

    @property
    def body(self) -> bytes:
        """The message's body, redacted as the message asks."""
        return self.message.redaction.redact_body(self.message.body)

    @property
    def headers(self) -> httpx.Headers:
        """The message's headers, redacted as the message asks."""
        return httpx.Headers(raw(self.message.redaction.redact_headers(self.message.stored_headers)))

    def __repr__(self) -> str:
        return f"<LogEntry {self.at:%Y-%m-%dT%H:%M:%S.%f} {self.state} {self.message_id[:12]}… {self.url}>"


@dataclass(slots=True, eq=False)
class Note:
    """Something that is no step of a message: ticks that were skipped, one that made no message."""

    time_ms: int
    text: str
    skipped_ticks: int = 0


class Journal:
    """Entries and notes, oldest first; the newest `MAX_ENTRIES` are kept."""

    def __init__(self) -> None:
        self.total = 0
        """How many were ever written; a mark for `since`."""
        self._kept: deque[LogEntry | Note] = deque(maxlen=MAX_ENTRIES)

    def log(
        self,
        time_ms: int,
        state: str,
        message: Message,
        attempt: Attempt | None = None,
        next_delivery_ms: int | None = None,
    ) -> None:
        """Write down a step of *message*; *next_delivery_ms* is when it is due, where that lies ahead."""
        self._append(LogEntry(time_ms, state, message, attempt, next_delivery_ms))

    def note(self, time_ms: int, text: str, *, skipped_ticks: int = 0) -> None:
        """Write down what is no step of a message, in words for people."""
        self._append(Note(time_ms, text, skipped_ticks))

    def __iter__(self) -> Iterator[LogEntry | Note]:
        return iter(self._kept)

    @property
    def forgotten(self) -> int:
        """How many of the oldest are no longer kept."""
        return self.total - len(self._kept)

    def entries(self) -> list[LogEntry]:
        """Return the log entries, oldest first."""
        return [entry for entry in self._kept if isinstance(entry, LogEntry)]

    def since(self, mark: int) -> list[LogEntry | Note]:
        """Return what was written after `total` stood at *mark* and is still kept."""
        newest_first = itertools.islice(reversed(self._kept), self.total - mark)  # costs what it returns, no more
        return list(newest_first)[::-1]

    def _append(self, entry: LogEntry | Note) -> None:
        self._kept.append(entry)
        self.total += 1
