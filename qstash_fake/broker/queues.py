"""FIFO queues: which queues there are, and who holds their slots. Knows slots and order; not HTTP, not retries.

A queue of parallelism N has N slots. A message takes one at the queue's entrance, before its first attempt, and
holds it until the message and every callback that it caused, transitively, are terminal.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from qstash_fake.broker.lanes import Gate, Lane, Lanes
from qstash_fake.broker.message import Message


@dataclass(slots=True, eq=False)
class Queue:
    """A FIFO queue: up to *parallelism* of its messages hold a slot."""

    name: str
    created_ms: int
    updated_ms: int
    parallelism: int = 1
    paused: bool = False
    exists: bool = True
    """False once deleted; the slots of messages in flight outlive the queue, and count if it is made again."""
    slots_taken: int = 0
    unfinished: set[Message] = field(default_factory=set)
    entrance: Lane = field(init=False, repr=False)
    """Where its messages wait for a slot."""
    inside: Lane = field(init=False, repr=False)
    """Where its messages with a slot wait for the queue to run."""
    view: Any = None
    """What a user holds of it."""

    def __post_init__(self) -> None:
        self.entrance, self.inside = Lane(_Entrance(self)), Lane(_Inside(self))

    @property
    def lag(self) -> int:
        """How many of its messages are not terminal."""
        return len(self.unfinished)


@dataclass(slots=True, eq=False)
class _Entrance(Gate):
    queue: Queue

    def is_open(self, now_ms: int) -> bool:
        return not self.queue.paused and self.queue.slots_taken < self.queue.parallelism


@dataclass(slots=True, eq=False)
class _Inside(Gate):
    queue: Queue

    def is_open(self, now_ms: int) -> bool:
        return not self.queue.paused


@dataclass(slots=True, eq=False)
class Slot:
    """A place in a queue. Held by a message and by every callback it causes; free when the last one is terminal."""

    queue: Queue
    holders: int = 1


class Queues:
    """All queues of one account, deleted ones too."""

    def __init__(self, lanes: Lanes) -> None:
        self._lanes = lanes
        self._all: dict[str, Queue] = {}

    @property
    def existing(self) -> dict[str, Queue]:
        """The queues that exist, by name."""
        return {name: queue for name, queue in self._all.items() if queue.exists}

    def of(self, message: Message) -> Queue | None:
        """Return the queue of *message*, deleted or not; None for a message of no queue."""
        return None if message.queue is None else self._all[message.queue]

    def named(self, name: str) -> Queue:
        """Return the queue that once was made with this *name*, deleted or not."""
        return self._all[name]

    def get_or_make(self, name: str, now_ms: int) -> Queue:
        """Return the queue called *name*, made with parallelism 1 if there is none."""
        queue = self._all.get(name)
        if queue is None:
            queue = self._all[name] = Queue(name, now_ms, now_ms)
        elif not queue.exists:
            queue.exists, queue.created_ms = True, now_ms
            self.change(queue, now_ms, parallelism=1, paused=False)
        return queue

    def change(self, queue: Queue, now_ms: int, *, parallelism: int | None = None, paused: bool | None = None) -> None:
        """Change what is given of a queue, nothing else (assumed); a message that has started goes on."""
        queue.parallelism = queue.parallelism if parallelism is None else parallelism
        queue.paused = queue.paused if paused is None else paused
        queue.updated_ms = now_ms
        if queue.slots_taken > queue.parallelism:
            self._take_back_slots(queue)
        self._lanes.look_again(queue.entrance, queue.inside)

    def take_slot(self, queue: Queue, message: Message) -> None:
        """Give *message*, the head of the entrance, one of the free slots."""
        message.slot = Slot(queue)
        queue.slots_taken += 1

    def give_back(self, message: Message) -> None:
        """Take the slot of *message*, which has not started, back; harmless for one without."""
        if message.slot is not None:
            message.slot.queue.slots_taken -= 1
            self._lanes.look_again(message.slot.queue.entrance)
            message.slot = None

    def finished(self, message: Message) -> None:
        """Note that *message* is terminal; its slot is free once nothing else holds it."""
        if queue := self.of(message):
            queue.unfinished.discard(message)
        if slot := message.slot:
            slot.holders -= 1
            if slot.holders == 0:
                slot.queue.slots_taken -= 1
                self._lanes.look_again(slot.queue.entrance)

    def _take_back_slots(self, queue: Queue) -> None:
        """Send messages that have a slot but never started back to the entrance, the last first (assumed)."""
        waiting = [message for message in queue.unfinished if message.slot and message.last_attempt is None]
        waiting.sort(key=lambda message: (message.due_ms, message.sequence))
        while waiting and queue.slots_taken > queue.parallelism:
            message = waiting.pop()
            self.give_back(message)
            self._lanes.enter(queue.entrance, message)
