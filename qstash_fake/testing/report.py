"""The report of a verb: what it has done, read off the journal, and what is still held."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from qstash_fake.broker.broker import Broker
from qstash_fake.broker.journal import LogEntry, Step
from qstash_fake.broker.views import Attempt, Message, moment, view_of
from qstash_fake.protocol.durations import format_ms
from qstash_fake.protocol.moments import iso, to_datetime


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Report:
    """What a verb has done; `str()` is one line for people."""

    attempts: tuple[Attempt, ...]
    delivered: tuple[Message, ...]
    dead: tuple[Message, ...]
    fired: tuple[Message, ...]
    """The messages that schedule ticks made."""
    held: Mapping[str, int]
    """How many messages are due but wait, by what they wait for."""
    skipped: int
    """How many schedule ticks a drain passed over."""
    now: datetime
    next_due: datetime | None

    def __str__(self) -> str:
        attempts = f"{len(self.attempts)} attempt{'s' * (len(self.attempts) != 1)}"
        parts = [f"{attempts}, {len(self.delivered)} delivered, {len(self.dead)} dead"]
        if self.fired:
            parts.append(f"{len(self.fired)} fired by schedules")
        parts += [f"{count} held: {reason}" for reason, count in self.held.items()]
        if self.skipped:
            parts.append(f"{self.skipped} schedule tick{'s' * (self.skipped != 1)} skipped")
        parts.append(f"now {iso(self.now)}")
        if self.next_due:
            parts.append(f"next due in {format_ms((self.next_due - self.now) // timedelta(milliseconds=1))}")
        return "; ".join(parts)

    def __repr__(self) -> str:
        return f"<Report {self}>"


def report_since(broker: Broker, number: int) -> Report:
    """Return the report of a verb that began when the journal's next entry had this *number*."""
    attempts: list[Attempt] = []
    messages: dict[Step, list[Message]] = {Step.DELIVERED: [], Step.FAILED: [], Step.CREATED: []}
    skipped = 0
    with broker.lock:
        for _, entry in broker.journal.oldest(number - 1):
            if not isinstance(entry, LogEntry):
                skipped += entry.skipped_ticks
            elif entry.state in messages:
                messages[entry.state].append(view_of(Message, entry.message))
            elif entry.state is Step.ACTIVE and entry.attempt is not None:
                attempts.append(view_of(Attempt, entry.attempt))
        held, next_ms, now_ms = broker.held_counts(), broker.next_event_ms(), broker.now_ms
    return Report(
        attempts=tuple(attempts),
        delivered=tuple(messages[Step.DELIVERED]),
        dead=tuple(messages[Step.FAILED]),
        fired=tuple(message for message in messages[Step.CREATED] if message.schedule_id),
        skipped=skipped,
        held=MappingProxyType(held),
        now=to_datetime(now_ms),
        next_due=moment(next_ms),
    )
