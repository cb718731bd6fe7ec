"""Whatever is done in whatever order: queues, keys and schedules keep their word, and runs repeat.

A Hypothesis state machine does everything that the API offers. What must hold is worked out by an `Auditor` that
reads nothing but the journal and what the machine has asked for; it shares no counter with the broker.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from qstash_fake import QStashFake
from qstash_fake.broker.journal import LogEntry
from qstash_fake.testing.fake import inside

SHOP = "https://shop.example"
CALLBACK, SLOW_CALLBACK = f"{SHOP}/callback", f"{SHOP}/slow-callback"
MINUTES = {"* * * * *": 1, "*/5 * * * *": 5}
LIVES = {
    "CREATED": re.compile("C"),
    "ACTIVE": re.compile("C(A+ER)*A+Q?"),
    "RETRY": re.compile("C(A+ER)+"),
    "DELIVERED": re.compile("C(A+ER)*A+Q?D"),
    "FAILED": re.compile("C(A+ER)*A+EF"),
    "CANCELED": re.compile("C(A+ER)*(QX|A+QEX)"),
}
CODES = dict(zip(LIVES, "CARDFX", strict=True)) | {"ERROR": "E", "CANCEL_REQUESTED": "Q"}
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

    def audit(self, journal):
        for entry in journal.since(self.read):
            assert entry.time_ms >= self.now_ms, "time went back"
            self.now_ms = entry.time_ms
            if isinstance(entry, LogEntry):
                message_id = entry.message_id
                self.lives[message_id] = self.lives.get(message_id, "") + CODES[entry.state]
                if step := getattr(self, f"on_{entry.state.lower()}", None):
                    step(entry, entry.message)
        self.read = journal.total

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
        assert entry.time_ms == attempt.started_ms + attempt.duration / timedelta(milliseconds=1), "ended early or late"
        if limits := message.options.flow_control:
            self.keys[limits.key].in_flight -= 1

    on_delivered = on_error

    def on_retry(self, entry, message):
        self.due[entry.message_id] = (entry.next_delivery_ms, self.due[entry.message_id][1])

    def check_groups(self, fake, accepted):
        groups = [fake.pending, fake.delivered, fake.failed, fake.cancelled]
        ids = [message.message_id for group in groups for message in group]
        assert sorted(ids) == sorted(self.lives), "a message is in no group, or in two"
        assert accepted <= self.lives.keys()
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


PATHS = st.sampled_from(["/ok", "/slow", "/slow-and-dead", "/flaky", "/dead"])
QUEUES = st.sampled_from(["jobs", "mail"])
KEYS = st.sampled_from(["k", "l"])
SCHEDULES = st.sampled_from(["s", "t"])
NUMBERS = st.integers(0, 30)
SECONDS = st.sampled_from([0, 1, 7, 10, 30, 60, 150, 600])
LIMITS = st.sampled_from(["rate=1,period=10s", "rate=2,period=30s", "parallelism=1", "parallelism=2,rate=3,period=7s"])
OPTIONS = st.fixed_dictionaries(
    {"Retries": st.sampled_from(["0", "1", "2"])},
    optional={
        "Callback": st.sampled_from([CALLBACK, SLOW_CALLBACK]),
        "Failure-Callback": st.just(CALLBACK),
        "Callback-Callback": st.sampled_from([CALLBACK, SLOW_CALLBACK]),
        "Callback-Flow-Control-Key": st.just("l"),
        "Retry-Delay": st.sampled_from(["0", "7000"]),
        "Timeout": st.just("20s"),
        "Label": st.sampled_from(["red", "blue"]),
        "Key": st.tuples(KEYS, LIMITS),
        "Deduplication-Id": st.sampled_from(["one", "two"]),
    },
)
DELAYS = st.sampled_from([None, "5s", "1m"])


def operation(**strategies):
    """Mark something that the machine can do, with what to do it with."""

    def mark(function):
        function.strategies = strategies
        return function

    return mark


class World:
    """A fake, its application, and the script of what was done; equal scripts make equal worlds."""

    def __init__(self):
        self.fake = QStashFake(start="2026-01-01T00:00:00Z", freeze="off", seed=7)
        self.fake.mount(self.answer, SHOP)
        self.fake.on(f"{SHOP}/slow*").takes(10)
        self.auditor = Auditor()
        self.accepted: list[str] = []
        self.script = []

    def perform(self, name, given):
        self.script.append((name, given))
        getattr(self, name)(**given)
        self.audit()

    @staticmethod
    def answer(request):
        first = request.headers["Upstash-Retried"] == "0"
        failed = request.url.path.endswith("dead") or (request.url.path == "/flaky" and first)
        return httpx.Response(503 if failed else 200)

    def call(self, method, target, options=None, body=b"", expected=(200, 201, 202)):
        headers = [("Authorization", "Bearer t")]
        for name, value in (options or {}).items():
            if name == "Key":
                pairs = [("Flow-Control-Key", value[0]), ("Flow-Control-Value", value[1])]
            elif name == "Callback-Flow-Control-Key":
                pairs = [(name, value), ("Callback-Flow-Control-Value", "rate=1,period=10s")]
            else:
                pairs = [(name, value)]
            headers += [(f"Upstash-{key}", text) for key, text in pairs]
        reply = self.fake.api.answer(method, f"/v2/{target}", headers, body)
        assert reply.status in expected, (method, target, options, reply)
        answer = json.loads(reply.body or "null")
        found = answer if isinstance(answer, list) else [answer]
        self.accepted += [one["messageId"] for one in found if isinstance(one, dict) and "messageId" in one]
        return answer

    @property
    def now_ms(self):
        return int(self.fake.clock.now.timestamp() * 1000)

    # --- publishing ------------------------------------------------------------------------------------------

    @operation(path=PATHS, options=OPTIONS, delay=DELAYS)
    def publish(self, path, options, delay):
        self.call("POST", f"publish/{SHOP}{path}", options | ({"Delay": delay} if delay else {}))

    @operation(queue=QUEUES, path=PATHS, options=OPTIONS)
    def enqueue(self, queue, path, options):
        self.call("POST", f"enqueue/{queue}/{SHOP}{path}", options)

    @operation(queue=QUEUES, path=PATHS, options=st.lists(OPTIONS, min_size=2, max_size=5))
    def enqueue_several(self, queue, path, options):
        for each in options:
            self.enqueue(queue, path, each)

    @operation(path=PATHS, key=KEYS, limits=st.lists(LIMITS, min_size=2, max_size=5))
    def publish_several_with_a_key(self, path, key, limits):
        for each in limits:
            self.publish(path, {"Key": (key, each), "Retries": "1"}, None)

    @operation(queue=QUEUES, path=PATHS, options=OPTIONS)
    def publish_into_a_queue_later(self, queue, path, options):
        self.call("POST", f"publish/{SHOP}{path}", options | {"Queue-Name": queue, "Delay": "30s"})

    @operation(paths=st.lists(PATHS, min_size=1, max_size=3), queue=QUEUES, key=KEYS, limits=LIMITS)
    def batch(self, paths, queue, key, limits):
        headers = {"upstash-flow-control-key": key, "upstash-flow-control-value": limits}
        items = [{"destination": SHOP + path, "headers": headers} for path in paths]
        items.append({"destination": f"{SHOP}/ok", "queue": queue})
        self.call("POST", "batch", body=json.dumps(items).encode())

    @operation(options=OPTIONS)
    def publish_to_group(self, options):
        self.call("POST", "publish/news", options, expected=(201, 202, 404))

    @operation(path=PATHS, name=st.sampled_from(["", "one", "two"]))
    def add_endpoint(self, path, name):
        endpoint = {"url": SHOP + path} | ({"name": name} if name else {})
        self.call("POST", "topics/news/endpoints", body=json.dumps({"endpoints": [endpoint]}).encode())

    @operation(path=PATHS)
    def remove_endpoint(self, path):
        self.call("DELETE", "topics/news/endpoints", body=json.dumps({"endpoints": [{"url": SHOP + path}]}).encode())

    # --- schedules -------------------------------------------------------------------------------------------

    @operation(
        name=SCHEDULES, cron=st.sampled_from(sorted(MINUTES)), path=PATHS, options=OPTIONS, queue=QUEUES | st.none()
    )
    def schedule(self, name, cron, path, options, queue):
        into = {"Queue-Name": queue} if queue else {}
        self.call("POST", f"schedules/{SHOP}{path}", options | into | {"Cron": cron, "Schedule-Id": name})
        self.auditor.schedules[name] = Schedule(MINUTES[cron], self.now_ms)

    @operation(name=SCHEDULES)
    def trigger(self, name):
        if name in self.fake.schedules:
            made = [message.message_id for message in self.fake.schedules[name].trigger()]
            self.accepted += made
            self.auditor.by_hand.update(made)

    @operation(name=SCHEDULES)
    def pause_schedule(self, name):
        self.call("PATCH", f"schedules/{name}/pause", expected=(200, 404))
        if name in self.auditor.schedules:
            self.auditor.schedules[name].paused = True

    @operation(name=SCHEDULES)
    def resume_schedule(self, name):
        self.call("PATCH", f"schedules/{name}/resume", expected=(200, 404))
        schedule = self.auditor.schedules.get(name)
        if schedule is not None and schedule.paused:
            schedule.paused, schedule.since_ms = False, self.now_ms

    @operation(name=SCHEDULES)
    def delete_schedule(self, name):
        self.call("DELETE", f"schedules/{name}", expected=(200, 404))
        self.auditor.schedules.pop(name, None)

    # --- queues ----------------------------------------------------------------------------------------------

    @operation(queue=QUEUES, parallelism=st.integers(1, 3), paused=st.booleans() | st.none())
    def upsert_queue(self, queue, parallelism, paused):
        self.audit()
        body = {"queueName": queue, "parallelism": parallelism} | ({} if paused is None else {"paused": paused})
        self.call("POST", "queues", body=json.dumps(body).encode())
        promised = self.auditor.queues.setdefault(queue, Queue())
        promised.parallelism = parallelism
        promised.paused = promised.paused if paused is None else paused

    @operation(queue=QUEUES)
    def pause_queue(self, queue):
        self.call("POST", f"queues/{queue}/pause")
        self.auditor.queues.setdefault(queue, Queue()).paused = True

    @operation(queue=QUEUES)
    def resume_queue(self, queue):
        self.call("POST", f"queues/{queue}/resume")
        self.auditor.queues.setdefault(queue, Queue()).paused = False

    @operation(queue=QUEUES)
    def delete_queue(self, queue):
        self.call("DELETE", f"queues/{queue}")
        self.auditor.queues.pop(queue, None)

    @operation(queue=QUEUES, path=PATHS, options=st.lists(OPTIONS, min_size=2, max_size=3))
    def delete_queue_and_fill_it_again(self, queue, path, options):
        self.delete_queue(queue)
        self.enqueue_several(queue, path, options)

    @operation(queue=QUEUES, before=st.integers(2, 3), after=st.integers(1, 2))
    def raise_and_lower_the_parallelism(self, queue, before, after):
        self.upsert_queue(queue, before, None)
        self.advance(1)
        self.upsert_queue(queue, after, None)

    # --- flow control ----------------------------------------------------------------------------------------

    @operation(key=KEYS)
    def pause_key(self, key):
        self.call("POST", f"flowControl/{key}/pause")
        self.auditor.keys.setdefault(key, Key()).paused = True
        assert self.fake.clock.next_due is None or self.fake.clock.next_due >= self.fake.clock.now

    @operation(key=KEYS)
    def resume_key(self, key):
        self.call("POST", f"flowControl/{key}/resume", expected=(200, 400))
        self.auditor.keys.setdefault(key, Key()).paused = False

    @operation(key=KEYS)
    def pause_and_resume_key(self, key):
        self.pause_key(key)
        self.resume_key(key)

    @operation(key=KEYS, parallelism=st.integers(1, 2) | st.none(), rate=st.integers(1, 2) | st.none())
    def pin(self, key, parallelism, rate):
        given = {"parallelism": parallelism, "rate": rate, "period": 10 if rate else None}
        query = "&".join(f"{name}={value}" for name, value in given.items() if value)
        self.call(
            "POST", f"flowControl/{key}/pin?{query}", expected=(200, 400) if not parallelism and not rate else (200,)
        )
        promised = self.auditor.keys.setdefault(key, Key())
        if parallelism:
            promised.parallelism, promised.pinned_parallelism = parallelism, True
        if rate:
            promised.rate, promised.period_ms, promised.pinned_rate = rate, 10_000, True
        if parallelism or rate:
            promised.starts = []

    @operation(key=KEYS, what=st.sampled_from(["parallelism", "rate"]))
    def unpin(self, key, what):
        self.call("POST", f"flowControl/{key}/unpin?{what}=true", expected=(200, 400))
        setattr(self.auditor.keys.setdefault(key, Key()), f"pinned_{what}", False)

    @operation(key=KEYS)
    def reset_rate(self, key):
        self.call("POST", f"flowControl/{key}/resetRate", expected=(200, 400))
        self.auditor.keys.setdefault(key, Key()).starts = []

    # --- cancelling and dead letters -------------------------------------------------------------------------

    def pending(self):
        return [message for message in inside(self.fake).broker.messages.values() if message.pending]

    @operation(number=NUMBERS)
    def cancel_one(self, number):
        if pending := self.pending():
            message = pending[number % len(pending)]
            expected = (404,) if message.cancel_requested else (202,)
            self.call("DELETE", f"messages/{message.message_id}", expected=expected)

    @operation(query=st.sampled_from(["label=red", "queueName=jobs,mail&count=2", "flowControlKey=k", "scheduleId=s"]))
    def cancel_by_filter(self, query):
        meant = [message for message in self.pending() if not message.cancel_requested]
        answer = self.call("DELETE", f"messages?{query}")
        assert answer["cancelled"] <= len(meant)

    @operation(number=NUMBERS)
    def redrive(self, number):
        if dead := self.fake.dlq:
            answer = self.call("POST", f"dlq/retry/{dead[number % len(dead)].dlq_id}")
            self.auditor.by_hand.add(answer["messageId"])

    @operation()
    def redrive_all(self):
        answer = self.call("POST", "dlq/retry")
        self.auditor.by_hand.update(one["messageId"] for one in answer["responses"])

    @operation(number=NUMBERS)
    def delete_dead_letter(self, number):
        if dead := self.fake.dlq:
            self.call("DELETE", f"dlq/{dead[number % len(dead)].dlq_id}")

    # --- how the application behaves -------------------------------------------------------------------------

    @operation(path=PATHS, times=st.integers(1, 3))
    def fail(self, path, times):
        self.fake.on(SHOP + path).respond(500).times(times)

    @operation(path=PATHS, seconds=st.sampled_from([1, 10, 45]), times=st.integers(1, 4))
    def slow_down(self, path, seconds, times):
        self.fake.on(SHOP + path).takes(seconds).times(times)

    @operation()
    def let_callbacks_fail(self):
        self.fake.on(CALLBACK).respond(500).times(2)

    @operation(path=PATHS)
    def duplicate(self, path):
        self.fake.duplicate_next(SHOP + path)

    @operation()
    def rotate_keys(self):
        self.call("POST", "keys/rotate")

    # --- time ------------------------------------------------------------------------------------------------

    @operation(seconds=SECONDS)
    def advance(self, seconds):
        before_ms = self.now_ms
        self.fake.clock.advance(seconds)
        assert self.now_ms == before_ms + seconds * 1000

    @operation(times=st.integers(1, 6))
    def advance_step_by_step(self, times):
        for _ in range(times):
            self.advance_to_next()

    @operation()
    def advance_to_next(self):
        due = self.fake.clock.next_due
        self.fake.clock.advance_to_next()
        assert due is None or self.fake.clock.now == due

    @operation()
    def deliver_due(self):
        self.fake.deliver_due()

    @operation()
    def drain(self):
        self.fake.drain()

    # --- what must hold --------------------------------------------------------------------------------------

    def audit(self):
        self.auditor.audit(inside(self.fake).broker.journal)
        self.auditor.check_groups(self.fake, set(self.accepted))

    def journal(self):
        """Everything that can be told of the run, ids and keys included."""
        entries = [
            (entry.time_ms, str(entry.state), entry.message_id, entry.url, entry.status, entry.next_delivery_ms)
            for entry in inside(self.fake).broker.journal.entries()
        ]
        notes = [entry.text for entry in inside(self.fake).broker.journal if not isinstance(entry, LogEntry)]
        return entries, notes, [dead.dlq_id for dead in self.fake.dlq], self.fake.signing_keys.current


VERBS = ("advance", "advance_to_next", "advance_step_by_step", "deliver_due", "drain")
OPERATIONS = {name: value.strategies for name, value in vars(World).items() if hasattr(value, "strategies")}


def rule_for(name, strategies):
    def perform(self, **given):
        self.world.perform(name, given)
        if name in VERBS:
            self.world.auditor.check_nothing_was_left_undone(self.world.now_ms, drained=name == "drain")

    perform.__name__ = name
    return rule(**strategies)(perform)


class Performing(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.world = World()
        self.world.fake.__enter__()

    @initialize(options=st.lists(OPTIONS, min_size=3, max_size=3))
    def begin(self, options):
        """Begin with two messages that wait for the window of a key, and with all places of a queue taken."""
        self.world.perform("add_endpoint", {"path": "/ok", "name": "one"})
        self.world.perform("upsert_queue", {"queue": "jobs", "parallelism": 2, "paused": None})
        self.world.perform("enqueue_several", {"queue": "jobs", "path": "/slow", "options": options})
        self.world.perform(
            "publish_several_with_a_key", {"path": "/ok", "key": "k", "limits": ["rate=1,period=7s"] * 3}
        )
        self.world.perform("deliver_due", {})

    def teardown(self):
        try:
            self.compare_with_another_run()
        finally:
            self.world.fake.__exit__(None, None, None)

    def compare_with_another_run(self):
        other = World()
        with other.fake:
            for name, given in self.world.script:
                other.perform(name, given)
            assert other.journal() == self.world.journal(), "equal seeds made different journals"


BrokerMachine: Any = type(
    "BrokerMachine", (Performing,), {name: rule_for(name, strategies) for name, strategies in OPERATIONS.items()}
)
TestBroker = BrokerMachine.TestCase
TestBroker.settings = settings(max_examples=200, stateful_step_count=50, report_multiple_bugs=False)


def test_the_machine_has_at_least_twenty_rules():
    assert len(OPERATIONS) >= 20
    assert all(hasattr(getattr(BrokerMachine, name), "hypothesis_stateful_rule") for name in OPERATIONS)
