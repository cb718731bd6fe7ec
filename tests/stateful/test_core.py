"""Whatever is done in whatever order: a message is in exactly one group, time goes forward, and runs repeat.

The machine publishes, redrives, cancels and moves the clock, with an application that fails, raises, takes time and
publishes itself. Nothing else makes a message here, so each one that is accepted is counted.
"""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, run_state_machine_as_test

from qstash_fake.testing.fake import inside
from tests.shop import SHOP
from tests.stateful.world import Machine, Raised, World, machine, operation

PATHS = st.sampled_from(["/ok", "/flaky", "/dead", "/raises", "/raises-once", "/again", "/slow", "/slow-and-dead"])
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "Upstash-Retries": st.sampled_from(["0", "1", "2"]),
        "Upstash-Delay": st.sampled_from(["1s", "12s", "1h"]),
        "Upstash-Retry-Delay": st.sampled_from(["0", "1000 * (1 + retried)"]),
        "Upstash-Timeout": st.just("5s"),
        "Upstash-Deduplication-Id": st.sampled_from(["one", "two"]),
    },
)


class CoreWorld(World):
    """A world of single messages, with an application that raises and publishes."""

    def __init__(self, *, is_async=False):
        super().__init__(is_async=is_async)
        self.redriven = 0

    def answer(self, request):
        path, first = request.url.path, request.headers["Upstash-Retried"] == "0"
        if path == "/raises" or (path == "/raises-once" and first):
            raise Raised(path)
        if path == "/again" and len(request.content) < 3:
            self.publish("/ok" if first else "/again", request.content + b"x", {"Upstash-Delay": "5s"})
        return super().answer(request)

    @operation(path=PATHS, body=st.sampled_from([b"", b"x", b"\xff\x00"]), headers=HEADERS)
    def publish(self, path, body, headers):
        status, answer = self.call("POST", f"publish/{SHOP}{path}", headers.items(), body)
        assert status == (202 if answer.get("deduplicated") else 201)

    @operation(number=st.integers(0, 9))
    def redrive(self, number):
        if dead := self.fake.dlq:
            message_id = dead[number % len(dead)].redrive().message_id
            self.accepted.append(message_id)
            self.auditor.by_hand.add(message_id)
            self.redriven += 1

    @operation(number=st.integers(0, 99))
    def cancel(self, number):
        if pending := self.pending():
            message = pending[number % len(pending)]
            expected = (404,) if message.cancel_requested else (202,)
            self.call("DELETE", f"messages/{message.message_id}", expected=expected)

    @operation(path=PATHS, seconds=st.sampled_from([1, 12, 60]), times=st.integers(1, 3))
    def take_time(self, path, seconds, times):
        self.fake.on(SHOP + path).takes(seconds).times(times)

    @operation(path=PATHS, statuses=st.lists(st.sampled_from([200, 429, 500]), min_size=1, max_size=3))
    def fail(self, path, statuses):
        self.fake.on(SHOP + path).respond_with(statuses)

    @operation(path=PATHS)
    def break_off(self, path):
        self.fake.on(SHOP + path).refuse_connection().times(1)

    @operation()
    def drain(self):
        if self.move("drain"):
            assert self.fake.pending == []
            assert self.fake.clock.next_due is None

    def audit(self):
        super().audit()
        assert sorted(self.accepted) == sorted(self.auditor.lives), "a message was made that nobody published"
        assert len(self.fake.dlq) == len(self.fake.failed) - self.redriven
        for message in self.fake.messages:
            attempts = self.auditor.lives[message.message_id].count("A")
            assert [attempt.retried for attempt in message.attempts] == list(range(attempts))
            assert attempts <= message.max_retries + 1


class BeginsWithAMessage(Machine):
    @initialize()
    def one_message(self):
        self.world.perform("publish", {"path": "/flaky", "body": b"", "headers": {}})


TestCore = machine(CoreWorld, BeginsWithAMessage).TestCase
TestCore.settings = settings(max_examples=200, stateful_step_count=40)


class LosesTheThirdOutcome(BeginsWithAMessage):
    """The third outcome of a run is never told to the broker."""

    def __init__(self):
        super().__init__()
        broker: Any = inside(self.world.fake).broker
        told = itertools.count(1)
        complete = broker.complete

        def skip_the_third(delivery, outcome):
            if next(told) != 3:
                complete(delivery, outcome)

        broker.complete = skip_the_third

    def compare_with_another_run(self):
        """Left out, so that the invariants alone have to see the fault."""


def test_one_complete_that_is_skipped_breaks_an_invariant():
    found_soon = settings(max_examples=200, stateful_step_count=25, phases=[Phase.generate], report_multiple_bugs=False)
    with pytest.raises(AssertionError, match=r"overdue|still in flight"):
        run_state_machine_as_test(machine(CoreWorld, LosesTheThirdOutcome), settings=found_soon)
