"""Gates: which of the messages that are due may start now. Knows queues, flow-control keys, slots and order.

Every due message stands in one lane, in order of (due time, sequence). A queue message first waits at the queue's
entrance for a slot, then inside for the queue to run, then at its flow-control key. `first` looks at the heads of
all lanes and takes the earliest whose gate is open; a lane found closed is not looked at again until something
its gate depends on has changed. Knows nothing of retries, HTTP or what a delivery is.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

from qstash_fake.broker.message import Message
from qstash_fake.protocol.options import DEFAULT_PERIOD_MS, FlowControl


class Lane:
    """Messages waiting for one gate. Leaving is lazy: the heap keeps what `members` no longer has, or has anew."""

    def __init__(self, is_open: Callable[[int], bool]) -> None:
        self.is_open = is_open
        self.members: set[Message] = set()
        self.promised: tuple[int, int] | None = None
        """The head with which this lane stands among those that may be open, (due_ms, sequence)."""
        self._heap: list[tuple[int, int, Message]] = []

    def __len__(self) -> int:
        return len(self.members)

    def add(self, message: Message) -> None:
        """Let *message* wait here, at the place of its due time."""
        self.members.add(message)
        heapq.heappush(self._heap, (message.due_ms, message.sequence, message))

    def discard(self, message: Message) -> None:
        """Let *message* wait here no longer, if it does."""
        self.members.discard(message)

    def head(self) -> tuple[int, int, Message] | None:
        """Return (due_ms, sequence, message) of the first that waits."""
        while self._heap and (self._heap[0][2] not in self.members or self._heap[0][0] != self._heap[0][2].due_ms):
            heapq.heappop(self._heap)
        return self._heap[0] if self._heap else None


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
    inside: Lane = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.entrance = Lane(lambda _: not self.paused and self.slots_taken < self.parallelism)
        self.inside = Lane(lambda _: not self.paused)

    @property
    def lag(self) -> int:
        """How many of its messages are not terminal."""
        return len(self.unfinished)


@dataclass(slots=True, eq=False)
class Slot:
    """A place in a queue. Held by a message and by every callback it causes; free when the last one is terminal."""

    queue: Queue
    holders: int = 1


@dataclass(slots=True, eq=False)
class FlowControlKey:
    """A flow-control key: at most *parallelism* in flight, at most *rate* starts in a window of *period_ms*."""

    key: str
    parallelism: int | None = None
    rate: int | None = None
    period_ms: int = DEFAULT_PERIOD_MS
    paused: bool = False
    pinned_parallelism: bool = False
    pinned_rate: bool = False
    in_flight: int = 0
    window_start_ms: int | None = None
    started_in_window: int = 0
    wake_ms: int | None = None
    """The end of the window that somebody waits for."""
    lane: Lane = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.lane = Lane(self.is_open)

    @property
    def waiting(self) -> int:
        """How many messages wait for it."""
        return len(self.lane)

    def is_open(self, now_ms: int) -> bool:
        """Tell whether a message may start at *now_ms*."""
        return not self.paused and self._has_slot() and self.rate_count(now_ms) < (self.rate or 1 << 62)

    def rate_count(self, now_ms: int) -> int:
        """How many starts count against the window that holds *now_ms*; it covers [start, start + period)."""
        return self.started_in_window if self.window_is_open(now_ms) else 0

    def window_is_open(self, now_ms: int) -> bool:
        """Tell whether the last window that was opened holds *now_ms*."""
        end_ms = self.window_end_ms()
        return end_ms is not None and now_ms < end_ms

    def window_end_ms(self) -> int | None:
        """When the last window that was opened ends."""
        return None if self.window_start_ms is None else self.window_start_ms + self.period_ms

    def opens_ms(self, now_ms: int) -> int | None:
        """When a closed key opens by the mere passing of time; None if it takes more than that."""
        if self.paused or not self._has_slot() or self.is_open(now_ms):
            return None
        return self.window_end_ms()

    def start(self, now_ms: int) -> None:
        """Count one start; the first after a window's end opens the next."""
        self.in_flight += 1
        if self.rate is None:
            return
        self.started_in_window = self.rate_count(now_ms) + 1
        if self.started_in_window == 1:
            self.window_start_ms = now_ms

    def _has_slot(self) -> bool:
        return self.parallelism is None or self.in_flight < self.parallelism


class Gates:
    """All lanes. *wake* is called with a key and the time at which it opens by itself, unix milliseconds."""

    def __init__(self, wake: Callable[[FlowControlKey, int], None]) -> None:
        self._wake = wake
        self._queues: dict[str, Queue] = {}
        self.keys: dict[str, FlowControlKey] = {}
        self.in_flight = 0
        self.parallelism: int | None = None
        """The account's limit on attempts in flight; None is no limit."""
        self._free = Lane(lambda _: True)
        self._lane_of: dict[Message, Lane] = {}
        # Lanes that may have an open gate, by their head; one that is no longer what `promised` says is passed over.
        self._promising: list[tuple[int, int, int, Lane]] = []
        self._counter = itertools.count()

    @property
    def queues(self) -> dict[str, Queue]:
        """The queues that exist, by name."""
        return {name: queue for name, queue in self._queues.items() if queue.exists}

    def change_queue(
        self, queue: Queue, now_ms: int, *, parallelism: int | None = None, paused: bool | None = None
    ) -> None:
        """Change what is given of a queue; a message that has started goes on."""
        queue.parallelism = queue.parallelism if parallelism is None else parallelism
        queue.paused = queue.paused if paused is None else paused
        queue.updated_ms = now_ms
        if queue.slots_taken > queue.parallelism:
            self._take_back_slots(queue)
        self.look_again(queue.entrance, queue.inside)

    def queue(self, name: str, now_ms: int) -> Queue:
        """Return the queue called *name*, made with parallelism 1 if there is none."""
        queue = self._queues.get(name)
        if queue is None:
            queue = self._queues[name] = Queue(name, now_ms, now_ms)
        elif not queue.exists:
            queue.exists, queue.created_ms = True, now_ms
            self.change_queue(queue, now_ms, parallelism=1, paused=False)
        return queue

    def key(self, name: str) -> FlowControlKey:
        """Return the flow-control key called *name*, made without limits if there is none."""
        return self.keys.setdefault(name, FlowControlKey(name))

    def pause_key(self, key: FlowControlKey, *, paused: bool) -> None:
        """Pause a key, or resume it; its window goes on running."""
        key.paused = paused
        self.look_again(key.lane)

    def limit_key(self, limits: FlowControl, now_ms: int) -> None:
        """Give a key the limits of the latest message, except what is pinned; an open window takes the new period."""
        key = self.key(limits.key)
        if not key.pinned_parallelism:
            key.parallelism = limits.parallelism
        if not key.pinned_rate:
            if key.rate_count(now_ms) == 0:
                key.window_start_ms = None  # a longer period must not bring back a window that has ended
            key.rate, key.period_ms = limits.rate, limits.period_ms
        self.look_again(key.lane)

    def pin(self, key: FlowControlKey, *, parallelism: int | None, rate: int | None, period_ms: int) -> None:
        """Fix the limits that are given, whatever later messages bring; the count of the window starts anew."""
        if parallelism is not None:
            key.parallelism, key.pinned_parallelism = parallelism, True
        if rate is not None:
            key.rate, key.period_ms, key.pinned_rate = rate, period_ms, True
        self.reset_rate(key)

    def unpin(self, key: FlowControlKey, *, parallelism: bool, rate: bool) -> None:
        """Let later messages set the limits again; until one does, they stay."""
        key.pinned_parallelism &= not parallelism
        key.pinned_rate &= not rate

    def reset_rate(self, key: FlowControlKey) -> None:
        """End the current window of *key* now."""
        key.window_start_ms, key.started_in_window = None, 0
        self.look_again(key.lane)

    def look_again(self, *lanes: Lane) -> None:
        """Note that the gate of these lanes may have opened."""
        for lane in lanes:
            head = lane.head()
            if head is not None and lane.promised != head[:2]:
                lane.promised = head[:2]
                heapq.heappush(self._promising, (*head[:2], next(self._counter), lane))

    def wait(self, message: Message) -> None:
        """Let *message*, which is due, wait for its first gate."""
        if message.queue is None:
            self._enter(self._gate_after_queue(message), message)
        else:
            queue = self._queues[message.queue]
            self._enter(queue.inside if message.slot else queue.entrance, message)

    def first(self, now_ms: int) -> Message | None:
        """Return the first waiting message all of whose gates are open at *now_ms*; it stays where it is."""
        if self.parallelism is not None and self.in_flight >= self.parallelism:
            return None
        while (lane := self._first_open_lane(now_ms)) is not None:
            head = lane.head()
            assert head is not None
            message = head[2]
            queue = self._queues[message.queue] if message.queue else None
            if queue is None or lane is self._gate_after_queue(message):
                if queue is None or not queue.paused:
                    return message
                self._enter(queue.inside, message)  # the queue was paused while it stood at its key
            elif message.slot is None:
                message.slot = Slot(queue)
                queue.slots_taken += 1
                self._enter(queue.inside, message)
            else:
                self._enter(self._gate_after_queue(message), message)
        return None

    def start(self, message: Message, now_ms: int) -> None:
        """Take *message*, which `first` returned, out of its lane; it is in flight from now on."""
        self.discard(message)
        self.in_flight += 1
        if message.options.flow_control:
            self.keys[message.options.flow_control.key].start(now_ms)

    def end(self, message: Message) -> None:
        """Note that the attempt of *message* is over."""
        self.in_flight -= 1
        if message.options.flow_control:
            key = self.keys[message.options.flow_control.key]
            key.in_flight -= 1
            self.look_again(key.lane)

    def release(self, message: Message) -> None:
        """Note that *message* is terminal; its slot is free once nothing else holds it."""
        self.discard(message)
        if message.queue:
            self._queues[message.queue].unfinished.discard(message)
        if slot := message.slot:
            slot.holders -= 1
            if slot.holders == 0:
                slot.queue.slots_taken -= 1
                self.look_again(slot.queue.entrance)

    def discard(self, message: Message) -> None:
        """Take *message* out of the lane it waits in, if it waits."""
        if lane := self._lane_of.pop(message, None):
            lane.discard(message)

    def woken(self, key: FlowControlKey) -> None:
        """Note that the window somebody waited for has ended, or that nobody waits for its end; who does, asks anew."""
        key.wake_ms = None
        self.look_again(key.lane)

    def held(self, now_ms: int | None = None) -> dict[Message, str]:
        """Return the messages that are due but wait, each with what it waits for.

        With *now_ms* those at an open gate are left out: they only wait for somebody to deliver them.
        """
        room = self.parallelism is None or self.in_flight < self.parallelism
        return {
            message: self._reason(message, lane, room)
            for message, lane in self._lane_of.items()
            if now_ms is None or not (room and lane.is_open(now_ms))
        }

    def _reason(self, message: Message, lane: Lane, room: bool) -> str:
        queue = self._queues[message.queue] if message.queue else None
        key = self.keys[message.options.flow_control.key] if message.options.flow_control else None
        if queue is not None and queue.paused:
            return f"queue {queue.name!r} is paused"
        if key is not None and lane is key.lane and (room or key.paused):
            return f"flow-control key {key.key!r} is {'paused' if key.paused else 'closed'}"
        if queue is not None and room and lane is not self._free:
            return f"others come first in queue {queue.name!r}"
        return "the account's parallelism is used up"

    def _take_back_slots(self, queue: Queue) -> None:
        """Send the last of those that have a slot but never started back to the entrance, as far as is needed."""
        started_not = [message for message in queue.unfinished if message.slot and not message.attempts]
        started_not.sort(key=lambda message: (message.due_ms, message.sequence))
        while started_not and queue.slots_taken > queue.parallelism:
            message = started_not.pop()
            message.slot = None
            queue.slots_taken -= 1
            self._enter(queue.entrance, message)

    def _enter(self, lane: Lane, message: Message) -> None:
        self.discard(message)
        lane.add(message)
        self._lane_of[message] = lane
        self.look_again(lane)

    def _gate_after_queue(self, message: Message) -> Lane:
        flow_control = message.options.flow_control
        return self.keys[flow_control.key].lane if flow_control else self._free

    def _first_open_lane(self, now_ms: int) -> Lane | None:
        while self._promising:
            due_ms, sequence, _, lane = self._promising[0]
            head = lane.head()
            if lane.promised == (due_ms, sequence):
                if head is not None and head[:2] == lane.promised and lane.is_open(now_ms):
                    return lane
                lane.promised = None
                if head is not None and head[:2] != (due_ms, sequence):
                    self.look_again(lane)
                elif head is not None:
                    self._ask_to_be_woken(head[2], lane, now_ms)
            heapq.heappop(self._promising)
        return None

    def _ask_to_be_woken(self, waiting: Message, lane: Lane, now_ms: int) -> None:
        flow_control = waiting.options.flow_control
        key = self.keys[flow_control.key] if flow_control else None
        if key is None or key.lane is not lane:
            return
        opens_ms = key.opens_ms(now_ms)
        if opens_ms is not None and opens_ms != key.wake_ms:
            key.wake_ms = opens_ms
            self._wake(key, opens_ms)
