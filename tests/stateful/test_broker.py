"""Whatever is done in whatever order: queues, keys and schedules keep their word, and runs repeat.

The machine does everything that the API offers.
"""

from __future__ import annotations

import json

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize

from tests.shop import SHOP
from tests.stateful.auditor import CALLBACK, SLOW_CALLBACK, Key, Queue, Schedule
from tests.stateful.world import Machine, World, machine, operation, operations_of

MINUTES = {"* * * * *": 1, "*/5 * * * *": 5}
PATHS = st.sampled_from(["/ok", "/slow", "/slow-and-dead", "/flaky", "/dead"])
QUEUES = st.sampled_from(["jobs", "mail"])
KEYS = st.sampled_from(["k", "l"])
SCHEDULES = st.sampled_from(["s", "t"])
NUMBERS = st.integers(0, 30)
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


class BrokerWorld(World):
    """A world in which all that the API offers may be done."""

    def ask(self, method, target, options=None, body=b"", expected=(200, 201, 202)):
        """Call the API with headers made of *options*, each without its `Upstash-`."""
        headers = []
        for name, value in (options or {}).items():
            if name == "Key":
                pairs = [("Flow-Control-Key", value[0]), ("Flow-Control-Value", value[1])]
            elif name == "Callback-Flow-Control-Key":
                pairs = [(name, value), ("Callback-Flow-Control-Value", "rate=1,period=10s")]
            else:
                pairs = [(name, value)]
            headers += [(f"Upstash-{key}", text) for key, text in pairs]
        _, answer = self.call(method, target, headers, body, expected)
        return answer

    # --- publishing ------------------------------------------------------------------------------------------

    @operation(path=PATHS, options=OPTIONS, delay=DELAYS)
    def publish(self, path, options, delay):
        self.ask("POST", f"publish/{SHOP}{path}", options | ({"Delay": delay} if delay else {}))

    @operation(queue=QUEUES, path=PATHS, options=OPTIONS)
    def enqueue(self, queue, path, options):
        self.ask("POST", f"enqueue/{queue}/{SHOP}{path}", options)

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
        self.ask("POST", f"publish/{SHOP}{path}", options | {"Queue-Name": queue, "Delay": "30s"})

    @operation(paths=st.lists(PATHS, min_size=1, max_size=3), queue=QUEUES, key=KEYS, limits=LIMITS)
    def batch(self, paths, queue, key, limits):
        headers = {"upstash-flow-control-key": key, "upstash-flow-control-value": limits}
        items = [{"destination": SHOP + path, "headers": headers} for path in paths]
        items.append({"destination": f"{SHOP}/ok", "queue": queue})
        self.ask("POST", "batch", body=json.dumps(items).encode())

    @operation(options=OPTIONS)
    def publish_to_group(self, options):
        self.ask("POST", "publish/news", options, expected=(201, 202, 404))

    @operation(path=PATHS, name=st.sampled_from(["", "one", "two"]))
    def add_endpoint(self, path, name):
        endpoint = {"url": SHOP + path} | ({"name": name} if name else {})
        self.ask("POST", "topics/news/endpoints", body=json.dumps({"endpoints": [endpoint]}).encode())

    @operation(path=PATHS)
    def remove_endpoint(self, path):
        self.ask("DELETE", "topics/news/endpoints", body=json.dumps({"endpoints": [{"url": SHOP + path}]}).encode())

    # --- schedules -------------------------------------------------------------------------------------------

    @operation(
        name=SCHEDULES, cron=st.sampled_from(sorted(MINUTES)), path=PATHS, options=OPTIONS, queue=QUEUES | st.none()
    )
    def schedule(self, name, cron, path, options, queue):
        into = {"Queue-Name": queue} if queue else {}
        self.ask("POST", f"schedules/{SHOP}{path}", options | into | {"Cron": cron, "Schedule-Id": name})
        self.auditor.schedules[name] = Schedule(MINUTES[cron], self.now_ms)

    @operation(name=SCHEDULES)
    def trigger(self, name):
        if name in self.fake.schedules:
            made = [message.message_id for message in self.fake.schedules[name].trigger()]
            self.accepted += made
            self.auditor.by_hand.update(made)

    @operation(name=SCHEDULES)
    def pause_schedule(self, name):
        self.ask("PATCH", f"schedules/{name}/pause", expected=(200, 404))
        if name in self.auditor.schedules:
            self.auditor.schedules[name].paused = True

    @operation(name=SCHEDULES)
    def resume_schedule(self, name):
        self.ask("PATCH", f"schedules/{name}/resume", expected=(200, 404))
        schedule = self.auditor.schedules.get(name)
        if schedule is not None and schedule.paused:
            schedule.paused, schedule.since_ms = False, self.now_ms

    @operation(name=SCHEDULES)
    def delete_schedule(self, name):
        self.ask("DELETE", f"schedules/{name}", expected=(200, 404))
        self.auditor.schedules.pop(name, None)

    # --- queues ----------------------------------------------------------------------------------------------

    @operation(queue=QUEUES, parallelism=st.integers(1, 3), paused=st.booleans() | st.none())
    def upsert_queue(self, queue, parallelism, paused):
        self.audit()
        body = {"queueName": queue, "parallelism": parallelism} | ({} if paused is None else {"paused": paused})
        self.ask("POST", "queues", body=json.dumps(body).encode())
        promised = self.auditor.queues.setdefault(queue, Queue())
        promised.parallelism = parallelism
        promised.paused = promised.paused if paused is None else paused

    @operation(queue=QUEUES)
    def pause_queue(self, queue):
        self.ask("POST", f"queues/{queue}/pause")
        self.auditor.queues.setdefault(queue, Queue()).paused = True

    @operation(queue=QUEUES)
    def resume_queue(self, queue):
        self.ask("POST", f"queues/{queue}/resume")
        self.auditor.queues.setdefault(queue, Queue()).paused = False

    @operation(queue=QUEUES)
    def delete_queue(self, queue):
        self.ask("DELETE", f"queues/{queue}")
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
        self.ask("POST", f"flowControl/{key}/pause")
        self.auditor.keys.setdefault(key, Key()).paused = True
        assert self.fake.clock.next_due is None or self.fake.clock.next_due >= self.fake.clock.now

    @operation(key=KEYS)
    def resume_key(self, key):
        self.ask("POST", f"flowControl/{key}/resume", expected=(200, 400))
        self.auditor.keys.setdefault(key, Key()).paused = False

    @operation(key=KEYS)
    def pause_and_resume_key(self, key):
        self.pause_key(key)
        self.resume_key(key)

    @operation(key=KEYS, parallelism=st.integers(1, 2) | st.none(), rate=st.integers(1, 2) | st.none())
    def pin(self, key, parallelism, rate):
        given = {"parallelism": parallelism, "rate": rate, "period": 10 if rate else None}
        query = "&".join(f"{name}={value}" for name, value in given.items() if value)
        self.ask(
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
        self.ask("POST", f"flowControl/{key}/unpin?{what}=true", expected=(200, 400))
        setattr(self.auditor.keys.setdefault(key, Key()), f"pinned_{what}", False)

    @operation(key=KEYS)
    def reset_rate(self, key):
        self.ask("POST", f"flowControl/{key}/resetRate", expected=(200, 400))
        self.auditor.keys.setdefault(key, Key()).starts = []

    # --- cancelling and dead letters -------------------------------------------------------------------------

    @operation(number=NUMBERS)
    def cancel_one(self, number):
        if pending := self.pending():
            message = pending[number % len(pending)]
            expected = (404,) if message.cancel_requested else (202,)
            self.ask("DELETE", f"messages/{message.message_id}", expected=expected)

    @operation(query=st.sampled_from(["label=red", "queueName=jobs,mail&count=2", "flowControlKey=k", "scheduleId=s"]))
    def cancel_by_filter(self, query):
        meant = [message for message in self.pending() if not message.cancel_requested]
        answer = self.ask("DELETE", f"messages?{query}")
        assert answer["cancelled"] <= len(meant)

    @operation(number=NUMBERS)
    def redrive(self, number):
        if dead := self.fake.dlq:
            answer = self.ask("POST", f"dlq/retry/{dead[number % len(dead)].dlq_id}")
            self.auditor.by_hand.add(answer["messageId"])

    @operation()
    def redrive_all(self):
        answer = self.ask("POST", "dlq/retry")
        self.auditor.by_hand.update(one["messageId"] for one in answer["responses"])

    @operation(number=NUMBERS)
    def delete_dead_letter(self, number):
        if dead := self.fake.dlq:
            self.ask("DELETE", f"dlq/{dead[number % len(dead)].dlq_id}")

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
        self.ask("POST", "keys/rotate")

    # --- time ------------------------------------------------------------------------------------------------

    @operation(times=st.integers(1, 6))
    def advance_step_by_step(self, times):
        for _ in range(times):
            self.advance_to_next()


class BeginsWithFullQueueAndKey(Machine):
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


BrokerMachine = machine(BrokerWorld, BeginsWithFullQueueAndKey)
TestBroker = BrokerMachine.TestCase
TestBroker.settings = settings(max_examples=200, stateful_step_count=50, report_multiple_bugs=False)


def test_the_machine_has_at_least_twenty_rules():
    assert len(operations_of(BrokerWorld)) >= 20
    assert all(hasattr(getattr(BrokerMachine, name), "hypothesis_stateful_rule") for name in operations_of(BrokerWorld))
