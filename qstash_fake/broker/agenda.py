"""The agenda: what happens when. Events sort by time, then rank, then place, then the order in which they were put.

At one instant an end comes before a schedule tick, and a tick before a start: a slot that is freed is free for what
starts then, and what a tick produces may start at once. A wake comes last: it only has a closed gate looked at again.

An event carries what happens. A new kind of event is a class beside its law; nothing here or in the broker changes.
"""

from __future__ import annotations

import heapq
import itertools
from enum import IntEnum
from typing import ClassVar


class Rank(IntEnum):
    """The order of events within one instant."""

    END = 0
    TICK = 1
    START = 2
    WAKE = 3


class Event:
    """Something that happens at a time. Nobody takes an event back: it says itself whether it still holds."""

    __slots__ = ()
    rank: ClassVar[Rank]

    @property
    def place(self) -> int:
        """The order among events of one rank at one instant; equal places keep the order of `put`."""
        return 0

    def holds(self, at_ms: int) -> bool:
        """Tell whether what was put for *at_ms* still stands."""
        return True

    def happen(self, at_ms: int) -> None:
        """Do it: it was put for *at_ms*, and that time has come."""
        raise AssertionError(f"{self!r} does not say what happens")

    def lapse(self, at_ms: int) -> None:
        """Note that it was dropped because it no longer holds."""


Planned = tuple[int, int, int, int, Event]  # time, rank, place, sequence, event


class Agenda:
    """Two heaps of events: schedule ticks, which go on for ever, and the rest, which a drain follows to its end."""

    def __init__(self) -> None:
        self._sequence = itertools.count()
        self._ticks: list[Planned] = []
        self._others: list[Planned] = []

    def put(self, at_ms: int, event: Event) -> None:
        """Plan *event* for *at_ms*, unix milliseconds."""
        heap = self._ticks if event.rank is Rank.TICK else self._others
        heapq.heappush(heap, (at_ms, event.rank, event.place, next(self._sequence), event))

    def next_ms(self, *, ticks: bool = True) -> int | None:
        """Return when the first event that holds happens, ticks left out on demand; None if there is none."""
        first = self._first(ticks=ticks)
        return None if first is None else first[0]

    def tick_is_due(self, now_ms: int) -> bool:
        """Tell whether a schedule tick that holds is due at *now_ms*."""
        first = _cleaned(self._ticks)
        return first is not None and first[0] <= now_ms

    def pop_due(self, now_ms: int, *, ticks: bool = True) -> tuple[int, Event] | None:
        """Take the first event that holds off the agenda if it is due at *now_ms*; return it with its time."""
        first = self._first(ticks=ticks)
        if first is None or first[0] > now_ms:
            return None
        heapq.heappop(self._ticks if first[1] == Rank.TICK else self._others)
        return first[0], first[4]

    def _first(self, *, ticks: bool) -> Planned | None:
        other = _cleaned(self._others)
        tick = _cleaned(self._ticks) if ticks else None
        if other is None or tick is None:
            return other or tick
        return min(tick, other)


def _cleaned(heap: list[Planned]) -> Planned | None:
    """Drop what no longer holds from the top of *heap*; return the first that does."""
    while heap:
        at_ms, event = heap[0][0], heap[0][4]
        if event.holds(at_ms):
            return heap[0]
        heapq.heappop(heap)
        event.lapse(at_ms)
    return None
