"""Lanes: where due messages wait, and which of them stands first before an open gate. Knows no queue and no key.

Every message that is due and has not started stands in exactly one lane, `message.lane`. A lane has one gate and keeps
its messages in the order of (due time, sequence); only its head can pass.

The invariant of `Lanes`, on which the rest relies:

    A lane that has a head and whose gate is open is *promised*: it stands in the heap `_promising`, under its head or
    under a message that stood before it.

A promise therefore comes up in time, and nobody has to look at all lanes. The reverse need not hold. A promise may be
out of date, because the head has left or the gate has closed; `first_open` finds that out when the promise comes up,
and renews or drops it. A lane that is found closed leaves the heap, and this is why ten thousand messages behind one
closed gate cost nothing.

What breaks the invariant: a gate that opens and tells nobody. Whatever may open a gate (a slot that is freed, a resume,
a higher limit, the end of a rate window) must call `look_again` with its lane. Then no message waits for ever.
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Iterator

from qstash_fake.broker.message import Message


class Gate:
    """What a lane waits for."""

    __slots__ = ()

    def is_open(self, now_ms: int) -> bool:
        """Tell whether the head of the lane may pass at *now_ms*."""
        return True

    def found_closed(self, now_ms: int) -> None:
        """Note that a message waits, and was not let pass at *now_ms*."""


class Lane:
    """Messages waiting before one gate, first those that were due first."""

    __slots__ = ("_heap", "gate", "promised", "queues")

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.promised: tuple[int, int] | None = None
        """The head, (due_ms, sequence), under which this lane stands among those that may be open."""
        self.queues: Counter[str | None] = Counter()
        """How many messages of each queue wait here, None standing for those of no queue."""
        self._heap: list[tuple[int, int, Message]] = []

    def __len__(self) -> int:
        return self.queues.total()

    def add(self, message: Message) -> None:
        """Let *message*, which waits nowhere, wait here."""
        message.lane = self
        self.queues[message.queue] += 1
        heapq.heappush(self._heap, (message.due_ms, message.sequence, message))

    def remove(self, message: Message) -> None:
        """Let *message*, which waits here, wait no longer. It stays in the heap; `head` drops it there."""
        message.lane = None
        self.queues[message.queue] -= 1
        if not self.queues[message.queue]:
            del self.queues[message.queue]

    def head(self) -> tuple[int, int, Message] | None:
        """Return (due_ms, sequence, message) of the first that waits."""
        while self._heap and not self._is_true(self._heap[0]):
            heapq.heappop(self._heap)
        return self._heap[0] if self._heap else None

    def __iter__(self) -> Iterator[Message]:
        """Yield the messages that wait here, in no order."""
        return (entry[2] for entry in set(self._heap) if self._is_true(entry))

    def _is_true(self, entry: tuple[int, int, Message]) -> bool:
        """Tell whether *entry* of the heap is a message that waits here, under the due time that it has now."""
        return entry[2].lane is self and entry[2].due_ms == entry[0]


class Lanes:
    """All lanes in which somebody waits, and the promises of those that may be open."""

    def __init__(self) -> None:
        self.occupied: dict[Lane, None] = {}
        """The lanes in which somebody waits, in the order in which they filled."""
        self._promising: list[tuple[int, int, int, Lane]] = []
        self._counter = itertools.count()

    def enter(self, lane: Lane, message: Message) -> None:
        """Let *message* wait in *lane* and nowhere else."""
        self.leave(message)
        lane.add(message)
        self.occupied[lane] = None
        self.look_again(lane)

    def leave(self, message: Message) -> None:
        """Take *message* out of the lane it waits in, if it waits."""
        lane: Lane | None = message.lane
        if lane is None:
            return
        lane.remove(message)
        if not lane.queues:
            del self.occupied[lane]

    def look_again(self, *lanes: Lane) -> None:
        """Note that the gate of these lanes may have opened."""
        for lane in lanes:
            head = lane.head()
            if head is not None and lane.promised != head[:2]:
                lane.promised = head[:2]
                heapq.heappush(self._promising, (*head[:2], next(self._counter), lane))

    def first_open(self, now_ms: int) -> Lane | None:
        """Return the lane whose head comes first among those whose gate is open at *now_ms*."""
        while self._promising:
            due_ms, sequence, _, lane = self._promising[0]
            head = lane.head()
            if lane.promised == (due_ms, sequence):
                if head is not None and head[:2] == lane.promised and lane.gate.is_open(now_ms):
                    return lane
                lane.promised = None
                if head is not None and head[:2] != (due_ms, sequence):
                    self.look_again(lane)
                elif head is not None:
                    lane.gate.found_closed(now_ms)
            heapq.heappop(self._promising)
        return None
