"""The journal: what happened, in order. Log entries are about messages; notes are about everything else.

**Columns, no objects.** A message has three entries, and tens of thousands of them are kept. Python's garbage collector
looks at every object that is kept, again and again while their number grows. As objects, the entries would be half of
them. Hence each part of an entry stands in its own list, and an entry is made when somebody reads it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

import httpx

from qstash_fake.broker.message import Attempt, Message, State
from qstash_fake.protocol.http import encode
from qstash_fake.protocol.moments import to_datetime

MAX_ENTRIES = 80_000  # bounds memory over a year of ticks; the oldest are forgotten


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


STEPS = {state: Step(state) for state in State}
"""The step into each state."""


class LogEntry(NamedTuple):
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
    """Something that is no step of a message: ticks that were skipped, a call that was refused."""

    time_ms: int
    text: str
    skipped_ticks: int = 0
    in_vain: bool = False
    """Whether it is a call that was to change something, and made no message."""


Columns = tuple[list[Step | Note], list[Message | None], list[Attempt | None]]
"""Steps and notes, the messages of the steps, and their attempts; all of one length."""


class Journal:
    """Entries and notes, oldest first. Each has a number, from 0 on; at least the newest `MAX_ENTRIES` are kept."""

    def __init__(self) -> None:
        self.start_ms: int | None = None
        """Where a clock with `start=` stood when the journal was begun; None where real time counted."""
        self._first_ms: int | None = None
        self._steps: list[Step | Note] = []
        self._times: list[int] = []
        self._messages: list[Message | None] = []
        self._attempts: list[Attempt | None] = []
        self._next_deliveries: list[int | None] = []
        self._columns: tuple[list[Any], ...] = (
            self._times,
            self._steps,
            self._messages,
            self._attempts,
            self._next_deliveries,
        )
        self._forgotten = 0
        # Forgotten at once: to take one from the front of a list costs as much as to take many. Yet they are few. Then
        # their messages go while as many new ones come, and Python's collector, which counts both, has nothing to do.
        self._slack = max(1, MAX_ENTRIES // 100)
        self._limit = MAX_ENTRIES + self._slack

    @property
    def total(self) -> int:
        """How many were ever written: the number of the next one."""
        return self._forgotten + len(self._steps)

    @property
    def forgotten(self) -> int:
        """How many of the oldest are no longer kept: the number of the first that is."""
        return self._forgotten

    @property
    def zero_ms(self) -> int:
        """What times in texts for people count from: *start_ms*, else the first entry ever; 0 before there is one.

        A reader adds up what the test has advanced by; real time from the set-up to the first publish is noise.
        """
        zero_ms = self._first_ms if self.start_ms is None else self.start_ms
        return next(iter(self._times), 0) if zero_ms is None else zero_ms

    def log(
        self,
        time_ms: int,
        state: Step,
        message: Message,
        attempt: Attempt | None = None,
        next_delivery_ms: int | None = None,
    ) -> None:
        """Write down a step of *message*; *next_delivery_ms* is when it is due, where that lies ahead."""
        self._steps.append(state)
        self._times.append(time_ms)
        self._messages.append(message)
        self._attempts.append(attempt)
        self._next_deliveries.append(next_delivery_ms)
        if len(self._steps) >= self._limit:
            self._forget()

    def note(self, time_ms: int, text: str, *, skipped_ticks: int = 0, in_vain: bool = False) -> None:
        """Write down what is no step of a message, in words for people."""
        self._steps.append(Note(time_ms, text, skipped_ticks, in_vain))
        self._times.append(time_ms)
        for column in self._columns[2:]:
            column.append(None)
        if len(self._steps) >= self._limit:
            self._forget()

    def __iter__(self) -> Iterator[LogEntry | Note]:
        return map(_made, *self._columns)

    def entries(self) -> list[LogEntry]:
        """Return the log entries, oldest first."""
        return [entry for entry in self if isinstance(entry, LogEntry)]

    def since(self, number: int) -> list[LogEntry | Note]:
        """Return what has a *number* of this or more and is still kept, oldest first."""
        first = max(0, number - self._forgotten)
        return list(map(_made, *(column[first:] for column in self._columns)))

    def columns_since(self, number: int) -> Columns:
        """Return what `since` returns without making entries: copies of the columns that a report reads."""
        first = max(0, number - self._forgotten)
        return self._steps[first:], self._messages[first:], self._attempts[first:]

    def newest(self, before: int | None = None) -> Iterator[tuple[int, LogEntry | Note]]:
        """Yield numbers and entries, newest first, from just below the number *before*; costs what is taken."""
        end = self.total if before is None else min(before, self.total)
        return self._at(range(end - self._forgotten - 1, -1, -1))

    def oldest(self, after: int = -1) -> Iterator[tuple[int, LogEntry | Note]]:
        """Yield numbers and entries, oldest first, from just above the number *after*; costs what is taken."""
        return self._at(range(max(0, after + 1 - self._forgotten), len(self._steps)))

    def follow(self) -> Follower:
        """Return a reader of what is written from now on."""
        return Follower(self, self.total)

    def _at(self, places: Iterable[int]) -> Iterator[tuple[int, LogEntry | Note]]:
        first, second, third, fourth, fifth = self._columns
        for at in places:
            yield at + self._forgotten, _made(first[at], second[at], third[at], fourth[at], fifth[at])

    def _forget(self) -> None:
        """Forget the oldest entries."""
        if self._first_ms is None:
            self._first_ms = self._times[0]
        for column in self._columns:
            del column[: self._slack]
        self._forgotten += self._slack


def _made(*row: Any) -> LogEntry | Note:
    """Return what one *row* of the columns is."""
    step = row[1]
    return step if isinstance(step, Note) else LogEntry._make(row)


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
