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

A gate that opens and tells nobody breaks the invariant. Everything that may open a gate (a slot that is freed, a
resume, a higher limit, the end of a rate window) must call `look_again` with its lane. Otherwise a message waits for
ever.
"""

from __future__ import annotations

import heapq
import itertools
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


Place = int
"""Where a message stands in a lane: its due time, then its sequence, in one int, which sorts as both do."""
_SEQUENCE_BITS = 40  # more messages than fit into memory


def place_of(message: Message) -> Place:
    """Return where *message* stands in a lane. Its due time is fixed as long as it waits there."""
    return message.due_ms << _SEQUENCE_BITS | message.sequence


class Lane:
    """Messages that wait before one gate, in the order of their due times."""

    __slots__ = ("_heap", "_waiting", "gate", "promised", "queues")

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.promised: Place | None = None
        """The place of the head under which this lane is promised."""
        self.queues: dict[str | None, int] = {}
        """How many messages of each queue wait here, None standing for those of no queue."""
        self._heap: list[Place] = []
        self._waiting: dict[Place, Message] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[Message]:
        """Yield the messages that wait here, in no order."""
        return iter(self._waiting.values())

    def add(self, message: Message) -> None:
        """Let *message*, which waits nowhere, wait here."""
        place = place_of(message)
        message.lane = self
        self.queues[message.queue] = self.queues.get(message.queue, 0) + 1
        self._waiting[place] = message
        heapq.heappush(self._heap, place)

    def remove(self, message: Message) -> None:
        """Let *message*, which waits here, wait no longer. Its place stays in the heap; `head` drops it there."""
        message.lane = None
        left = self.queues[message.queue] - 1
        if left:
            self.queues[message.queue] = left
        else:
            del self.queues[message.queue]
        del self._waiting[place_of(message)]

    def first_place(self) -> Place | None:
        """Return the place of the first that waits."""
        while self._heap:
            if self._heap[0] in self._waiting:
                return self._heap[0]
            heapq.heappop(self._heap)
        return None

    def head(self) -> Message | None:
        """Return the first that waits."""
        place = self.first_place()
        return None if place is None else self.at(place)

    def at(self, place: Place) -> Message:
        """Return the message that waits at *place*."""
        return self._waiting[place]


class Lanes:
    """All lanes in which somebody waits, and which of them are promised."""

    def __init__(self) -> None:
        self.occupied: dict[Lane, None] = {}
        """The lanes in which somebody waits, in the order in which they filled."""
        self._promising: list[tuple[Place, int, Lane]] = []
        self._counter = itertools.count()

    def enter(self, lane: Lane, message: Message) -> None:
        """Let *message* wait in *lane* and nowhere else."""
        if message.lane is not None:
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
            place = lane.first_place()
            if place is not None and place != lane.promised:
                lane.promised = place
                heapq.heappush(self._promising, (place, next(self._counter), lane))

    def first_open(self, now_ms: int) -> tuple[Lane, Message] | None:
        """Return the lane whose head comes first among those whose gate is open at *now_ms*, and that head."""
        while self._promising:
            promise, _, lane = self._promising[0]
            if lane.promised == promise:
                if lane.first_place() == promise:
                    if lane.gate.is_open(now_ms):
                        return lane, lane.at(promise)
                    lane.promised = None
                    lane.gate.found_closed(now_ms)
                else:
                    lane.promised = None
                    self.look_again(lane)
            heapq.heappop(self._promising)
        return None
