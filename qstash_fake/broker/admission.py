"""Admission: the way of a due message through its gates, and which message may start next.

A message of a queue waits at the entrance for a slot, then inside for the queue to run, then at its flow-control key. A
message of no queue waits at its key alone, one without a key waits for nothing. The account's parallelism stands before
all of them. A slot is taken before the key is asked (assumed): the head of a queue that waits at its key blocks the
queue, and holds no place of the key. Knows nothing of retries, of HTTP or of what a delivery is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from qstash_fake.broker.agenda import Agenda, Event, Rank
from qstash_fake.broker.flow_control import FlowControlKey, FlowControlKeys
from qstash_fake.broker.lanes import Gate, Lane, Lanes
from qstash_fake.broker.message import Message, State
from qstash_fake.broker.queues import Queue, Queues

_WAITING = frozenset({State.CREATED, State.RETRY})


class Admission:
    """The gates of one account. *parallelism* limits the attempts in flight; None is no limit."""

    def __init__(self, agenda: Agenda, parallelism: int | None = None) -> None:
        self.lanes = Lanes()
        self.queues = Queues(self.lanes)
        self.keys = FlowControlKeys(self.lanes, agenda)
        self.in_flight = 0
        self.parallelism = parallelism
        self._agenda = agenda
        self._start = Start(self)
        self._free = Lane(Gate())

    def plan(self, message: Message, now_ms: int) -> None:
        """Let *message* wait for its gates from its due time on."""
        if message.due_ms <= now_ms:
            self.wait(message)
        else:
            self._agenda.put(message.due_ms, self._start, message)

    def wait(self, message: Message) -> None:
        """Let *message*, which is due, wait for its first gate."""
        queue = self.queues.of(message)
        if queue is None:
            self.lanes.enter(self._last_lane(message), message)
        else:
            self.lanes.enter(queue.inside if message.slot else queue.entrance, message)

    def first(self, now_ms: int) -> Message | None:
        """Return the first waiting message all of whose gates are open at *now_ms*; it goes on waiting."""
        if not self._has_room():
            return None
        while (found := self.lanes.first_open(now_ms)) is not None:
            lane, head = found
            following = self._following_lane(head, lane)
            if following is None:
                return head
            self.lanes.enter(following, head)
        return None

    def first_besides(self, aside: Iterable[Message], now_ms: int) -> Message | None:
        """Return what `first` would if the waiting messages *aside* were not there; they go on waiting."""
        lanes = [(message, message.lane) for message in aside]
        for message, _ in lanes:
            self.lanes.leave(message)
        try:
            return self.first(now_ms)
        finally:
            for message, lane in lanes:
                if lane is not None:
                    self.lanes.enter(lane, message)

    def let_pass(self, message: Message, now_ms: int) -> str | None:
        """Bring *message* past all its gates, due or not, and return None; or change nothing and say what holds it."""
        due_ms, had_slot, was_due = message.due_ms, message.slot is not None, message.lane is not None
        message.due_ms = min(due_ms, now_ms)
        if not was_due:
            self.wait(message)
        reason = self._pass_gates(message, now_ms)
        if reason is None or was_due:
            return reason
        self.lanes.leave(message)
        if not had_slot:
            self.queues.give_back(message)
        message.due_ms = due_ms
        self.plan(message, now_ms)
        return reason

    def _pass_gates(self, message: Message, now_ms: int) -> str | None:
        lane = message.lane
        while lane is not None:
            queue, head = self.queues.of(message), lane.head()
            if not self._has_room() or not lane.gate.is_open(now_ms):
                return self._reason(lane, queue)
            if lane is not self._free and head is not None and head is not message:
                return f"{head!r} comes first"
            following = self._following_lane(message, lane)
            if following is not None:
                self.lanes.enter(following, message)
            lane = following
        return None

    def start(self, message: Message, now_ms: int) -> None:
        """Take *message*, which `first` returned, out of its lane; it is in flight from now on."""
        self.lanes.leave(message)
        self.in_flight += 1
        if key := self._key(message):
            key.start(now_ms)

    def end(self, message: Message) -> None:
        """Note that the attempt of *message* is over."""
        self.in_flight -= 1
        if key := self._key(message):
            key.end()

    def finished(self, message: Message) -> None:
        """Note that *message* is terminal: it waits no longer, and its slot may be free."""
        self.lanes.leave(message)
        self.queues.finished(message)

    def held(self, now_ms: int) -> dict[Message, str]:
        """Return the messages that are due but held, each with what holds it; first those that were due first.

        Messages at an open gate are left out: they only wait for somebody to deliver them.
        """
        waiting = [(message, lane) for lane in self._closed(now_ms) for message in lane]
        waiting.sort(key=lambda pair: (pair[0].due_ms, pair[0].sequence))
        return {message: self._reason(lane, self.queues.of(message)) for message, lane in waiting}

    def held_counts(self, now_ms: int) -> dict[str, int]:
        """Return how many messages are held, by what holds them; costs no more than there are lanes."""
        counts: Counter[str] = Counter()
        for lane in self._closed(now_ms):
            for name, count in lane.queues.items():
                counts[self._reason(lane, None if name is None else self.queues.named(name))] += count
        return dict(counts)

    def _closed(self, now_ms: int) -> list[Lane]:
        """Return the lanes in which messages wait and none may start."""
        room = self._has_room()
        return [lane for lane in self.lanes.occupied if not (room and lane.gate.is_open(now_ms))]

    def _following_lane(self, message: Message, lane: Lane) -> Lane | None:
        """Return where *message* goes on from the open gate of *lane*; None if nothing holds it any more."""
        queue, last = self.queues.of(message), self._last_lane(message)
        if lane is last:  # a queue may have been paused while its message stood at its key
            return queue.inside if queue is not None and queue.paused else None
        assert queue is not None
        if message.slot is not None:
            return last
        self.queues.take_slot(queue, message)
        return queue.inside

    def _last_lane(self, message: Message) -> Lane:
        key = self._key(message)
        return self._free if key is None else key.lane

    def _key(self, message: Message) -> FlowControlKey | None:
        limits = message.options.flow_control
        return None if limits is None else self.keys.by_name[limits.key]

    def _has_room(self) -> bool:
        return self.parallelism is None or self.in_flight < self.parallelism

    def _reason(self, lane: Lane, queue: Queue | None) -> str:
        room = self._has_room()
        if queue is not None and queue.paused:
            return f"queue {queue.name!r} is paused"
        key = lane.gate if isinstance(lane.gate, FlowControlKey) else None
        if key is not None and (room or key.paused):
            return key.why_closed()
        if queue is not None and room and lane is not self._free:
            return f"others come first in queue {queue.name!r}"
        return "the account's parallelism is used up"


class Start(Event[Message]):
    """The next attempt of a message falls due: it begins to wait for its gates."""

    rank = Rank.START

    def __init__(self, admission: Admission) -> None:
        self._admission = admission

    def holds(self, at_ms: int, subject: Message) -> bool:
        return subject.state in _WAITING and subject.due_ms == at_ms and subject.lane is None

    def happen(self, subject: Message) -> None:
        self._admission.wait(subject)
