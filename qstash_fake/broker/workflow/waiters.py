"""Waiters: which runs wait for which event, in the order in which they began to wait. Knows no data of events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qstash_fake.protocol.options import Options
from qstash_fake.protocol.workflow import WaitRequest

if TYPE_CHECKING:
    from qstash_fake.broker.message import Message
    from qstash_fake.broker.workflow.runs import Run


@dataclass(slots=True, eq=False, kw_only=True)
class Waiter:
    """A run that waits for an event, until *deadline_ms*."""

    event_id: str
    run: Run
    deadline_ms: int
    options: Options
    """The options of the message that ends the wait."""
    asked: WaitRequest
    message: Message
    """The message that tells the run that the event did not come; due at the deadline."""


class Waiters:
    """All waiters, by event."""

    def __init__(self) -> None:
        self._by_event: dict[str, list[Waiter]] = {}

    def add(self, waiter: Waiter) -> None:
        """Let *waiter* wait, behind the others for the same event."""
        self._by_event.setdefault(waiter.event_id, []).append(waiter)
        waiter.run.waiters.append(waiter)

    def remove(self, waiter: Waiter) -> None:
        """Let *waiter*, who waits, wait no longer."""
        waiter.run.waiters.remove(waiter)
        others = self._by_event[waiter.event_id]
        others.remove(waiter)
        if not others:
            del self._by_event[waiter.event_id]

    def of(self, event_id: str, run: Run | None = None) -> list[Waiter]:
        """Return the waiters for an event, only those of *run* if it is given."""
        return [one for one in self._by_event.get(event_id, ()) if run is None or one.run is run]

    def by_event(self) -> dict[str, list[Waiter]]:
        """Return all waiters, by event."""
        return {event_id: list(waiters) for event_id, waiters in self._by_event.items()}
