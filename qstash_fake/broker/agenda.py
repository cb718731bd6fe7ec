"""The agenda: what happens when. Events sort by time, then rank, then place, then the order in which they were put.

At one instant an end comes before a schedule tick, and a tick before a start: a slot that is freed is free for what
starts then, and what a tick produces may start at once. A wake comes last: after it a closed gate is looked at again.

What happens is an event with a subject, such as the start of a message. There is one event for each rank. A new one is
a class beside its law, and a rank; nothing else here or in the broker changes. A subject is what there is anyway: an
object for each of 100,000 starts would be another 100,000 for Python's collector to go through.
"""

from __future__ import annotations

import heapq
import itertools
from enum import IntEnum
from typing import Any, ClassVar, Generic, TypeVar

Subject = TypeVar("Subject")


class Rank(IntEnum):
    """The order of events within one instant (assumed)."""

    END = 0
    TICK = 1
    START = 2
    WAKE = 3


class Event(Generic[Subject]):
    """What happens to a subject at a time. Nobody takes it off the agenda: the event says whether it still holds."""

    rank: ClassVar[Rank]

    def place(self, subject: Subject) -> int:
        """Return the order among events of one rank at one instant; equal places keep the order of `put`."""
        return 0

    def holds(self, at_ms: int, subject: Subject) -> bool:
        """Tell whether what was put for *at_ms* still stands."""
        return True

    def happen(self, subject: Subject) -> None:
        """Do it: its time has come."""
        raise AssertionError(f"{self!r} does not say what happens")

    def lapse(self, at_ms: int, subject: Subject) -> None:
        """Note that it was dropped because it no longer holds."""


class Agenda:
    """Two heaps of events: schedule ticks, which go on for ever, and the rest, which a drain follows to its end.

    A heap holds numbers: time, rank, place and sequence stand one behind the other in one int, which sorts as the four
    do. An int is compared faster than a tuple, and Python's garbage collector need not look at it.
    """

    def __init__(self) -> None:
        self._sequence = itertools.count()
        self._ticks: list[int] = []
        self._others: list[int] = []
        self._by_rank: dict[int, Event[Any]] = {}
        self._subjects: dict[int, Any] = {}

    def put(self, at_ms: int, event: Event[Subject], subject: Subject) -> None:
        """Plan *event* of *subject* for *at_ms*, unix milliseconds; there is one event for each rank."""
        rank = event.rank
        number = (at_ms << _RANK_BITS | rank) << _PLACE_BITS | event.place(subject)
        number = number << _SEQUENCE_BITS | next(self._sequence)
        self._by_rank[rank] = event
        self._subjects[number] = subject
        heapq.heappush(self._ticks if rank is Rank.TICK else self._others, number)

    def next_ms(self, *, ticks: bool = True) -> int | None:
        """Return when the first event that holds happens, ticks left out on demand; None if there is none."""
        heap = self._first(ticks=ticks)
        return None if heap is None else heap[0] >> _BELOW_TIME

    def tick_is_due(self, now_ms: int) -> bool:
        """Tell whether a schedule tick that holds is due at *now_ms*."""
        return self._clean(self._ticks) and self._ticks[0] >> _BELOW_TIME <= now_ms

    def pop_due(self, now_ms: int, *, ticks: bool = True) -> tuple[int, Event[Any], Any] | None:
        """Take the first event that holds off the agenda if it is due at *now_ms*; return its time, it, its subject."""
        later = (now_ms + 1) << _BELOW_TIME
        if not (self._others and self._others[0] < later) and not (ticks and self._ticks and self._ticks[0] < later):
            return None  # the most frequent answer, and it needs no look at what holds
        heap = self._first(ticks=ticks)
        if heap is None or heap[0] >= later:
            return None
        number = heapq.heappop(heap)
        return number >> _BELOW_TIME, self._event(number), self._subjects.pop(number)

    def _first(self, *, ticks: bool) -> list[int] | None:
        """Return the heap whose top is the first event that holds; None if there is none."""
        others, tick = self._clean(self._others), ticks and self._clean(self._ticks)
        if others and tick:
            return min(self._ticks, self._others, key=_top)
        return self._others if others else self._ticks if tick else None

    def _clean(self, heap: list[int]) -> bool:
        """Drop what no longer holds from the top of *heap*; tell whether something is left."""
        while heap:
            number = heap[0]
            at_ms, event, subject = number >> _BELOW_TIME, self._event(number), self._subjects[number]
            if event.holds(at_ms, subject):
                return True
            del self._subjects[heapq.heappop(heap)]
            event.lapse(at_ms, subject)
        return False

    def _event(self, number: int) -> Event[Any]:
        return self._by_rank[number >> _BELOW_RANK & _RANKS]


_RANK_BITS = max(Rank).bit_length()
_PLACE_BITS, _SEQUENCE_BITS = 40, 40  # more events than fit into memory
_BELOW_RANK = _PLACE_BITS + _SEQUENCE_BITS
_BELOW_TIME = _RANK_BITS + _BELOW_RANK
_RANKS = (1 << _RANK_BITS) - 1


def _top(heap: list[int]) -> int:
    return heap[0]
