"""The journal: what happened, in order. Log entries are about messages; notes are about everything else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import httpx

from qstash_fake.broker.message import Attempt, Message
from qstash_fake.protocol.http import encode
from qstash_fake.protocol.moments import to_datetime

MAX_ENTRIES = 200_000  # bounds memory over a year of ticks; the oldest are forgotten


class Step(StrEnum):
    """A step in the life of a message, in the API's words: its states, and two that are no state."""

    CREATED = "CREATED"
    ACTIVE = "ACTIVE"
    RETRY = "RETRY"
    ERROR = "ERROR"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"
    CANCEL_REQUESTED = "CANCEL_REQUESTED"
    CANCELED = "CANCELED"


@dataclass(slots=True, eq=False, repr=False)
class LogEntry:
    """One step in the life of a message."""

    time_ms: int
    state: Step
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
        if self.state is not Step.ERROR or self.attempt is None:
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
        return httpx.Headers(encode(self.message.redaction.redact_headers(self.message.stored_headers)))

    def __repr__(self) -> str:
        return f"<LogEntry {self.at:%Y-%m-%dT%H:%M:%S.%f} {self.state} {self.message_id[:12]}… {self.url}>"


@dataclass(slots=True, eq=False)
class Note:
    """Something that is no step of a message: ticks that were skipped, one that made no message."""

    time_ms: int
    text: str
    skipped_ticks: int = 0


class Journal:
    """Entries and notes, oldest first. Each has a number, from 0 on; at least the newest `MAX_ENTRIES` are kept."""

    def __init__(self) -> None:
        self._kept: list[LogEntry | Note] = []
        self._forgotten = 0
        self._slack = max(1, MAX_ENTRIES // 10)  # forgotten at once: the front of a list costs all of it
        self._limit = MAX_ENTRIES + self._slack

    @property
    def total(self) -> int:
        """How many were ever written: the number of the next one."""
        return self._forgotten + len(self._kept)

    @property
    def forgotten(self) -> int:
        """How many of the oldest are no longer kept: the number of the first that is."""
        return self._forgotten

    def log(
        self,
        time_ms: int,
        state: Step,
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

    def entries(self) -> list[LogEntry]:
        """Return the log entries, oldest first."""
        return [entry for entry in self._kept if isinstance(entry, LogEntry)]

    def since(self, number: int) -> list[LogEntry | Note]:
        """Return what has a *number* of this or more and is still kept, oldest first."""
        return self._kept[max(0, number - self._forgotten) :]

    def newest(self, before: int | None = None) -> Iterator[tuple[int, LogEntry | Note]]:
        """Yield numbers and entries, newest first, from just below the number *before*; costs what is taken."""
        end = self.total if before is None else min(before, self.total)
        for at in range(end - self._forgotten - 1, -1, -1):
            yield at + self._forgotten, self._kept[at]

    def oldest(self, after: int = -1) -> Iterator[tuple[int, LogEntry | Note]]:
        """Yield numbers and entries, oldest first, from just above the number *after*; costs what is taken."""
        for at in range(max(0, after + 1 - self._forgotten), len(self._kept)):
            yield at + self._forgotten, self._kept[at]

    def follow(self) -> Follower:
        """Return a reader of what is written from now on."""
        return Follower(self, self.total)

    def _append(self, entry: LogEntry | Note) -> None:
        kept = self._kept
        kept.append(entry)
        if len(kept) >= self._limit:
            del kept[: self._slack]
            self._forgotten += self._slack


class Follower:
    """A reader of a journal that remembers how far it has read."""

    def __init__(self, journal: Journal, number: int) -> None:
        self._journal = journal
        self.number = number
        """The number of the next entry to be read."""

    def take(self) -> list[LogEntry | Note]:
        """Return what was written since the last call and is still kept, oldest first."""
        new = self._journal.since(self.number)
        self.number = self._journal.total
        return new
