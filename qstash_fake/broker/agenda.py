"""The agenda: what happens when. Events sort by time, then kind, then the order in which they were put.

At one instant an end comes before a schedule tick, a tick before a start: a slot that is freed is free for what
starts then, and what a tick produces may start at once. A wake comes last: it only has a closed gate looked at again.
"""

from __future__ import annotations

import heapq
import itertools
from enum import IntEnum
from typing import Any, NamedTuple


class Kind(IntEnum):
    """What an event does; the number is its rank within one instant."""

    END = 0
    TICK = 1
    START = 2
    WAKE = 3


class Event(NamedTuple):
    """Something that happens at *time_ms*, unix milliseconds; *subject* is what it happens to."""

    time_ms: int
    kind: Kind
    sequence: int
    subject: Any


class Agenda:
    """Two heaps of events: schedule ticks, which go on for ever, and the rest, which a drain follows to its end.

    Events are never taken back: whoever handles one checks that it still holds.
    """

    def __init__(self) -> None:
        self._sequence = itertools.count()
        self._ticks: list[Event] = []
        self._others: list[Event] = []

    def put(self, time_ms: int, kind: Kind, subject: Any) -> None:
        """Note that *subject* ends, ticks, starts or wakes at *time_ms*."""
        heap = self._ticks if kind is Kind.TICK else self._others
        heapq.heappush(heap, Event(time_ms, kind, next(self._sequence), subject))

    def peek(self, *, ticks: bool = True) -> Event | None:
        """Return the first event, or the first that is no schedule tick, without removing it."""
        if not self._ticks or not ticks:
            return self._others[0] if self._others else None
        return min(self._ticks[0], self._others[0]) if self._others else self._ticks[0]

    def drop(self, event: Event) -> None:
        """Remove *event*, which `peek` has just returned."""
        heapq.heappop(self._ticks if event.kind is Kind.TICK else self._others)
