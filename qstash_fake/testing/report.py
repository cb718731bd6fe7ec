"""The report of a verb: what it has done, read off the journal, and what is still held."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from qstash_fake.broker.broker import Broker
from qstash_fake.broker.journal import Columns, Note, Step
from qstash_fake.broker.views import Attempt, Message, View, attempt_of, moment, view_of
from qstash_fake.protocol.durations import format_ms
from qstash_fake.protocol.moments import iso, to_datetime


class Told(NamedTuple):
    """The rows of a report, in the order of the journal."""

    attempts: tuple[Attempt, ...]
    delivered: tuple[Message, ...]
    dead: tuple[Message, ...]
    fired: tuple[Message, ...]
    skipped: int


@dataclass(eq=False)
class Inner:
    """The source of a report. Few tests look at one, and a year has a million rows: the first look reads them.

    Several threads may look first, and Ctrl-C may end the first look. Reading uses nothing up, and each look finds all.
    """

    columns: Columns
    held: Mapping[str, int]
    now_ms: int
    next_ms: int | None

    @cached_property
    def told(self) -> Told:
        attempts: list[Attempt] = []
        messages: dict[Step, list[Message]] = {Step.DELIVERED: [], Step.FAILED: [], Step.CREATED: []}
        skipped = 0
        for step, message, attempt in zip(*self.columns, strict=True):
            if isinstance(step, Note):
                skipped += step.skipped_ticks
            elif message is not None and step in messages:
                messages[step].append(view_of(Message, message))
            elif message is not None and attempt is not None and step is Step.ACTIVE:
                attempts.append(attempt_of(message, attempt))
        return Told(
            attempts=tuple(attempts),
            delivered=tuple(messages[Step.DELIVERED]),
            dead=tuple(messages[Step.FAILED]),
            fired=tuple(message for message in messages[Step.CREATED] if message.schedule_id),
            skipped=skipped,
        )


class Report(View):
    """What a verb has done; `str()` is one line for people."""

    __slots__ = ()
    if TYPE_CHECKING:
        _inner: Inner

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """The attempts that began, in order."""
        return self._inner.told.attempts

    @property
    def delivered(self) -> tuple[Message, ...]:
        """The messages that were delivered, in order."""
        return self._inner.told.delivered

    @property
    def dead(self) -> tuple[Message, ...]:
        """The messages that became dead letters, in order."""
        return self._inner.told.dead

    @property
    def fired(self) -> tuple[Message, ...]:
        """The messages that schedule ticks made."""
        return self._inner.told.fired

    @property
    def held(self) -> Mapping[str, int]:
        """How many messages are held, by what holds them."""
        return self._inner.held

    @property
    def skipped(self) -> int:
        """How many schedule ticks a drain passed over."""
        return self._inner.told.skipped

    @property
    def now(self) -> datetime:
        """When the verb ended, in virtual time."""
        return to_datetime(self._inner.now_ms)

    @property
    def next_due(self) -> datetime | None:
        """When the next thing happens by itself, None if nothing will."""
        return moment(self._inner.next_ms)

    def __str__(self) -> str:
        inner, told = self._inner, self._inner.told
        attempts = f"{len(told.attempts)} attempt{'s' * (len(told.attempts) != 1)}"
        parts = [f"{attempts}, {len(told.delivered)} delivered, {len(told.dead)} dead"]
        if told.fired:
            parts.append(f"{len(told.fired)} fired by schedules")
        parts += [f"{count} held: {reason}" for reason, count in inner.held.items()]
        if told.skipped:
            parts.append(f"{told.skipped} schedule tick{'s' * (told.skipped != 1)} skipped")
        parts.append(f"now {iso(self.now)}")
        if inner.next_ms is not None:
            parts.append(f"next due in {format_ms(inner.next_ms - inner.now_ms)}")
        return "; ".join(parts)

    def __repr__(self) -> str:
        return f"<Report {self}>"


def report_since(broker: Broker, number: int) -> Report:
    """Return the report of a verb that began when the journal's next entry had this *number*."""
    with broker.lock:
        columns, now_ms = broker.journal.columns_since(number), broker.now_ms
        return Report(Inner(columns, MappingProxyType(broker.held_counts()), now_ms, broker.next_event_ms()))
