"""What queues, keys, schedules and callbacks promise, worked out from the journal and from what was asked for.

An `Auditor` shares no counter with the broker: it reads the journal as it grows, and the operations of a world tell it
which queues, keys and schedules there should be.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

from qstash_fake.broker.journal import LogEntry
from tests.shop import SHOP

CALLBACK, SLOW_CALLBACK = f"{SHOP}/callback", f"{SHOP}/slow-callback"
LONGEST_MS = 60_000  # no attempt takes longer
CODES = {
    "CREATED": "C",
    "ACTIVE": "A",
    "ERROR": "E",
    "RETRY": "R",
    "DELIVERED": "D",
    "FAILED": "F",
    "CANCEL_REQUESTED": "Q",
    "CANCELED": "X",
}
# The journal of a message, in codes, by the state that it is in; AA is an attempt that was made twice.
LIVES = {
    "CREATED": re.compile("C"),
    "ACTIVE": re.compile("C(A+ER)*A+Q?"),
    "RETRY": re.compile("C(A+ER)+"),
    "DELIVERED": re.compile("C(A+ER)*A+Q?D"),
    "FAILED": re.compile("C(A+ER)*A+EF"),
    "CANCELED": re.compile("C(A+ER)*(QX|A+QEX)"),
}
DONE = frozenset("DFX")


@dataclass
class Key:
    """What a flow-control key promises, and what it has let through."""

    parallelism: int | None = None
    rate: int | None = None
    period_ms: int = 1_000
    paused: bool = False
    pinned_parallelism: bool = False
    pinned_rate: bool = False
    in_flight: int = 0
    starts: list[int] = field(default_factory=list)
    """The starts in the window that was opened last; its first opened it."""

    def take_limits(self, limits, now_ms):
        if not self.pinned_parallelism:
            self.parallelism = limits.parallelism
        if not self.pinned_rate:
            self.end_window(now_ms)
            self.rate, self.period_ms = limits.rate, limits.period_ms

    def end_window(self, now_ms):
        if self.starts and now_ms >= self.starts[0] + self.period_ms:
            self.starts = []

    def start(self, now_ms):
        self.in_flight += 1
        assert self.parallelism is None or self.in_flight <= self.parallelism, "more in flight than the key allows"
        self.end_window(now_ms)
        if self.rate is not None:
            self.starts.append(now_ms)
            assert len(self.starts) <= self.rate, "more starts in a window than the rate"


@dataclass
class Queue:
    parallelism: int = 1
    paused: bool = False


@dataclass
class Schedule:
    minutes: int
    since_ms: int
    paused: bool = False


class Auditor:
    """Reads the journal as it grows and holds each entry against what was promised."""

    def __init__(self):
        self.read = 0
        self.now_ms = 0
        self.lives: dict[str, str] = {}
        self.due: dict[str, tuple[int, int]] = {}
        self.messages = {}
        self.queues: dict[str, Queue] = {}
        self.keys: dict[str, Key] = {}
        self.schedules: dict[str, Schedule] = {}
        self.by_hand: set[str] = set()
        """Messages that a trigger or a redrive made."""
        self.families: dict[str, list[str]] = {}
        """Each message with all callbacks it has caused, by itself or by another callback."""
        self.head_of: dict[str, str] = {}

    def audit(self, journal, now_ms):
        for entry in journal.since(self.read):
            assert entry.time_ms >= self.now_ms, "time went back"
            self.now_ms = entry.time_ms
            if isinstance(entry, LogEntry):
                message_id = entry.message_id
                self.lives[message_id] = self.lives.get(message_id, "") + CODES[entry.state]
                if step := getattr(self, f"on_{entry.state.lower()}", None):
                    step(entry, entry.message)
        self.read = journal.total
        assert now_ms >= self.now_ms, "time went back"
        self.now_ms = now_ms

    def on_created(self, entry, message):
        message_id = entry.message_id
        self.messages[message_id] = message
        self.due[message_id] = (entry.next_delivery_ms or entry.time_ms, len(self.due))
        source = json.loads(message.body)["sourceMessageId"] if message.url in (CALLBACK, SLOW_CALLBACK) else None
        head = message_id if source is None or message_id in self.by_hand else self.head_of[source]
        self.head_of[message_id] = head
        self.families.setdefault(head, []).append(message_id)
        if limits := message.options.flow_control:
            self.keys.setdefault(limits.key, Key()).take_limits(limits, entry.time_ms)
        if message.queue:
            self.queues.setdefault(message.queue, Queue())
        if message.schedule_id and message_id not in self.by_hand:
            schedule = self.schedules[message.schedule_id]
            assert not schedule.paused, "a paused schedule has ticked"
            assert entry.time_ms > schedule.since_ms, "a tick at the instant of the creation or of the resume"
            assert entry.time_ms % (schedule.minutes * 60_000) == 0, "a tick where the cron has none"

    def on_active(self, entry, message):
        message_id, attempts = entry.message_id, message.attempts
        at = attempts.index(entry.attempt)
        if at and attempts[at - 1].lost:
            assert entry.attempt.started_ms == attempts[at - 1].started_ms, "a duplicate at another instant"
            return
        due_ms, _ = self.due[message_id]
        limits = message.options.flow_control
        assert entry.time_ms >= due_ms, "started before it was due"
        if limits is None and message.queue is None:
            assert entry.time_ms == due_ms, "nothing held it, and it started late"
        if limits is not None:
            assert not self.keys[limits.key].paused, "a paused key has started a message"
            self.keys[limits.key].start(entry.time_ms)
        if message.queue:
            assert not self.queues[message.queue].paused, "a paused queue has started a message"
            if self.lives[message_id] == "CA":
                self.start_in_queue(message_id, message.queue)

    def start_in_queue(self, message_id, name):
        taken = [head for head in self.heads_in(name) if head != message_id]
        assert len(taken) < self.queues[name].parallelism, "more of a queue in flight than its parallelism"
        if self.queues[name].parallelism == 1:
            waiting = [i for i, m in self.messages.items() if m.queue == name and self.lives[i] == "C"]
            assert all(self.due[i] > self.due[message_id] for i in waiting), "a queue did not keep its order"

    def heads_in(self, name):
        """The messages of a queue that have started and are not over, their callbacks included."""
        return [
            head
            for head, family in self.families.items()
            if self.messages[head].queue == name and "A" in self.lives[head] and any(map(self.is_pending, family))
        ]

    def is_pending(self, message_id):
        return self.lives[message_id][-1] not in DONE

    def on_error(self, entry, message):
        attempt = entry.attempt
        assert entry.time_ms == attempt.started_ms + attempt.outcome.duration_ms, "ended early or late"
        if limits := message.options.flow_control:
            self.keys[limits.key].in_flight -= 1

    on_delivered = on_error

    def on_retry(self, entry, message):
        self.due[entry.message_id] = (entry.next_delivery_ms, self.due[entry.message_id][1])

    def check_groups(self, fake, accepted):
        groups = [fake.pending, fake.delivered, fake.failed, fake.cancelled]
        ids = [message.message_id for group in groups for message in group]
        assert sorted(ids) == sorted(self.lives), "a message is in no group, or in two"
        assert self.lives.keys() >= set(accepted), "an accepted message was never created"
        for message in fake.messages:
            life = self.lives[message.message_id]
            assert LIVES[message.state].fullmatch(life), f"{message!r} has lived {life}"

    def check_nothing_was_left_undone(self, now_ms, *, drained):
        """For after a verb: what is due and waits has a reason; after a drain, a reason that no time takes away."""
        for message_id, message in self.messages.items():
            if not self.is_pending(message_id):
                continue
            due_ms, _ = self.due[message_id]
            if drained:
                assert self.lives[message_id][-1] in "CR", f"drained, and still in flight: {message!r}"
                assert due_ms <= now_ms, f"drained, and still to come: {message!r}"
            if self.lives[message_id][-1] in "AQ":
                assert message.attempts[-1].started_ms + LONGEST_MS > now_ms, f"{message!r} is overdue"
            if self.lives[message_id][-1] in "CR" and due_ms <= now_ms:
                reason = self.reason_to_wait(message_id, message, now_ms)
                assert reason is not None, f"nothing holds {message!r}"
                assert not (drained and reason == "window"), f"drained, and its window will end: {message!r}"

    def reason_to_wait(self, message_id, message, now_ms):
        if message.queue:
            queue = self.queues[message.queue]
            if queue.paused:
                return "pause"
            if self.lives[message_id] == "C" and message_id not in self.next_in(message.queue, now_ms):
                return "others"
        if limits := message.options.flow_control:
            key = self.keys[limits.key]
            key.end_window(now_ms)
            if key.paused:
                return "pause"
            if key.parallelism is not None and key.in_flight >= key.parallelism:
                return "others"
            if key.rate is not None and len(key.starts) >= key.rate:
                return "window"
        return None

    def next_in(self, name, now_ms):
        """The messages that may take the places of a queue that nobody has yet."""
        waiting = [i for i, m in self.messages.items() if m.queue == name and self.lives[i] == "C"]
        due = sorted((self.due[i], i) for i in waiting if self.due[i][0] <= now_ms)
        return [i for _, i in due[: max(0, self.queues[name].parallelism - len(self.heads_in(name)))]]
