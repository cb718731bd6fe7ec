"""Whatever is done in whatever order: a message is in exactly one group, time goes forward, and runs repeat.

A Hypothesis state machine publishes, redrives, cancels and moves the clock, with an application that fails, raises,
takes time and publishes itself. Everything it does is written down as a script; afterwards the script runs again on
a second fake with the async driver, and both journals have to be equal.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from datetime import timedelta
from typing import Any

import httpx
import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from qstash_fake import QStashFake
from qstash_fake.testing.fake import inside

SHOP = "https://shop.example"
LONGEST_MS = 60_000  # no attempt takes longer
PATHS = st.sampled_from(["/ok", "/flaky", "/dead", "/raises", "/raises-once", "/again", "/slow", "/slow-and-dead"])
SECONDS = st.sampled_from([0, 1, 12, 13, 60, 149, 3_600])
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
# The journal of a message, in codes, by the state that it is in.
LIVES = {
    "CREATED": re.compile("C"),
    "ACTIVE": re.compile("C(AER)*AQ?"),
    "RETRY": re.compile("C(AER)+"),
    "DELIVERED": re.compile("C(AER)*AQ?D"),
    "FAILED": re.compile("C(AER)*AEF"),
    "CANCELED": re.compile("C(AER)*(QX|AQEX)"),
}


class Raised(Exception):  # noqa: N818 - what the application raises
    """An application's own exception."""


class World:
    """A fake, its application, and the script of what was done; equal scripts make equal worlds."""

    def __init__(self, *, is_async=False):
        self.fake = QStashFake(start="2026-01-01T00:00:00Z", freeze="off", seed=7)
        self.fake.mount(self.answer_async if is_async else self.answer, SHOP)
        self.fake.on(f"{SHOP}/slow*").takes(10)
        self.script = []
        self.accepted = []
        self.redriven = 0
        self.raised_last = False
        self._loop = asyncio.new_event_loop() if is_async else None

    def __enter__(self):
        self.fake.__enter__()
        return self

    def __exit__(self, *error):
        self.fake.__exit__(*error)
        if self._loop is not None:
            self._loop.close()

    def perform(self, name, *arguments):
        self.script.append((name, arguments))
        getattr(self, name)(*arguments)

    # --- the application -------------------------------------------------------------------------------------

    def answer(self, request):
        path, first = request.url.path, request.headers["Upstash-Retried"] == "0"
        if path == "/raises" or (path == "/raises-once" and first):
            raise Raised(path)
        if path == "/again" and len(request.content) < 3:
            self.publish("/ok" if first else "/again", request.content + b"x", {"Upstash-Delay": "5s"})
        return httpx.Response(503 if path.endswith("dead") or (path == "/flaky" and first) else 200)

    async def answer_async(self, request):
        await asyncio.sleep(0)
        return self.answer(request)

    # --- what can be done ------------------------------------------------------------------------------------

    def call(self, method, target, headers=(), body=b""):
        reply = self.fake.api.answer(method, target, [("Authorization", "Bearer t"), *headers], body)
        return reply.status, json.loads(reply.body or "null")

    def publish(self, path, body, headers):
        status, answer = self.call("POST", f"/v2/publish/{SHOP}{path}", headers.items(), body)
        assert status == (202 if answer.get("deduplicated") else 201)
        if status == 201:
            self.accepted.append(answer["messageId"])

    def redrive(self, number):
        if dead := self.fake.dlq:
            self.accepted.append(dead[number % len(dead)].redrive().message_id)
            self.redriven += 1

    def pending(self):
        return [message for message in inside(self.fake).broker.messages.values() if message.pending]

    def cancel(self, number):
        if pending := self.pending():
            message = pending[number % len(pending)]
            again = message.cancel_requested
            status, _ = self.call("DELETE", f"/v2/messages/{message.message_id}")
            assert status == (404 if again else 202)

    def take_time(self, path, seconds, times):
        self.fake.on(SHOP + path).takes(seconds).times(times)

    def fail(self, path, statuses):
        self.fake.on(SHOP + path).respond_with(statuses)

    def break_off(self, path):
        self.fake.on(SHOP + path).refuse_connection().times(1)

    def move(self, verb, *arguments):
        holder = self.fake if verb in ("drain", "deliver_due") else self.fake.clock
        self.raised_last = False
        try:
            if self._loop is None:
                getattr(holder, verb)(*arguments)
            else:
                self._loop.run_until_complete(getattr(holder, f"{verb}_async")(*arguments))
        except Raised:
            self.raised_last = True

    # --- what must hold --------------------------------------------------------------------------------------

    def journal(self):
        return [
            (entry.time_ms, str(entry.state), entry.message_id, entry.url, entry.status, entry.next_delivery_ms)
            for entry in inside(self.fake).broker.journal.entries()
        ]

    def check_groups(self):
        groups = [self.fake.pending, self.fake.delivered, self.fake.failed, self.fake.cancelled]
        ids = [message.message_id for group in groups for message in group]
        assert sorted(ids) == sorted(self.accepted), "a message is in no group, or in two"
        assert len(self.fake.dlq) == len(self.fake.failed) - self.redriven

    def check_lives(self):
        lives: dict[str, str] = {}
        for entry in inside(self.fake).broker.journal.entries():
            lives[entry.message_id] = lives.get(entry.message_id, "") + CODES[entry.state]
        for message in self.fake.messages:
            life = lives[message.message_id]
            assert LIVES[message.state].fullmatch(life), f"{message!r} has lived {life}"
            assert [attempt.retried for attempt in message.attempts] == list(range(life.count("A")))
            assert life.count("A") <= message.max_retries + 1

    def check_times(self):
        times = [entry.time_ms for entry in inside(self.fake).broker.journal.entries()]
        assert all(earlier <= later for earlier, later in itertools.pairwise(times)), "time went back"
        for entry in inside(self.fake).broker.journal.entries():
            if entry.state in ("DELIVERED", "ERROR"):
                attempt: Any = entry.attempt
                end_ms = attempt.started_ms + attempt.duration / timedelta(milliseconds=1)
                assert entry.time_ms == end_ms, f"{attempt!r} ended early or late"

    def check_nothing_is_overdue(self):
        """For after a verb that did all it had to."""
        now_ms = self.fake.clock.now.timestamp() * 1000
        for message in self.pending():
            end_ms = message.attempts[-1].started_ms + LONGEST_MS if message.state == "ACTIVE" else message.due_ms
            assert end_ms > now_ms, f"{message!r} is overdue"


class CoreMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.world = World().__enter__()
        self.now = self.world.fake.clock.now

    @initialize()
    def one_message(self):
        self.world.perform("publish", "/flaky", b"", {})

    @rule(
        path=PATHS,
        body=st.sampled_from([b"", b"x", b"\xff\x00"]),
        headers=st.fixed_dictionaries(
            {},
            optional={
                "Upstash-Retries": st.sampled_from(["0", "1", "2"]),
                "Upstash-Delay": st.sampled_from(["1s", "12s", "1h"]),
                "Upstash-Retry-Delay": st.sampled_from(["0", "1000 * (1 + retried)"]),
                "Upstash-Timeout": st.just("5s"),
                "Upstash-Deduplication-Id": st.sampled_from(["one", "two"]),
            },
        ),
    )
    def publish(self, path, body, headers):
        self.world.perform("publish", path, body, headers)

    @rule(number=st.integers(0, 9))
    def redrive(self, number):
        self.world.perform("redrive", number)

    @rule(number=st.integers(0, 99))
    def cancel(self, number):
        self.world.perform("cancel", number)

    @rule(path=PATHS, seconds=st.sampled_from([1, 12, 60]), times=st.integers(1, 3))
    def take_time(self, path, seconds, times):
        self.world.perform("take_time", path, seconds, times)

    @rule(path=PATHS, statuses=st.lists(st.sampled_from([200, 429, 500]), min_size=1, max_size=3))
    def fail(self, path, statuses):
        self.world.perform("fail", path, statuses)

    @rule(path=PATHS)
    def break_off(self, path):
        self.world.perform("break_off", path)

    @rule(seconds=SECONDS)
    def advance(self, seconds):
        before = self.world.fake.clock.now
        self.world.perform("move", "advance", seconds)
        if not self.world.raised_last:
            assert (self.world.fake.clock.now - before).total_seconds() == seconds
            self.world.check_nothing_is_overdue()

    @rule()
    def advance_to_next(self):
        due = self.world.fake.clock.next_due
        self.world.perform("move", "advance_to_next")
        if due is not None:
            assert self.world.fake.clock.now == due
        if not self.world.raised_last:
            self.world.check_nothing_is_overdue()

    @rule()
    def deliver_due(self):
        before = self.world.fake.clock.now
        self.world.perform("move", "deliver_due")
        assert self.world.fake.clock.now == before
        if not self.world.raised_last:
            self.world.check_nothing_is_overdue()

    @rule()
    def drain(self):
        self.world.perform("move", "drain")
        if not self.world.raised_last:
            assert self.world.fake.pending == []
            assert self.world.fake.clock.next_due is None

    @invariant()
    def every_accepted_message_is_in_exactly_one_group(self):
        self.world.check_groups()

    @invariant()
    def every_message_has_lived_as_its_state_says(self):
        self.world.check_lives()

    @invariant()
    def time_never_goes_back(self):
        self.world.check_times()
        assert self.world.fake.clock.now >= self.now
        self.now = self.world.fake.clock.now

    def teardown(self):
        try:
            self.compare_with_another_run()
        finally:
            self.world.__exit__(None, None, None)

    def compare_with_another_run(self):
        with World(is_async=True) as other:
            for name, arguments in self.world.script:
                other.perform(name, *arguments)
            assert other.journal() == self.world.journal(), "the async driver, or a second run, made another journal"
            assert other.fake.timeline() == self.world.fake.timeline()


TestCore = CoreMachine.TestCase
TestCore.settings = settings(max_examples=200, stateful_step_count=40)


class MachineWithAFault(CoreMachine):
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
    with pytest.raises(AssertionError, match=r"overdue|pending"):
        run_state_machine_as_test(MachineWithAFault, settings=found_soon)
