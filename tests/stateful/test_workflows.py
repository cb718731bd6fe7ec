"""Runs of workflows under random histories: starts, steps, sleeps, calls, waits, invokes, ends, failures, resumes.

The machine plays the endpoint: while a delivery is in flight it publishes what an SDK could, in any order.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from qstash_fake.broker.broker import Broker, Delivery
from qstash_fake.broker.message import Message, Outcome, State
from qstash_fake.broker.workflow.parts import LISTS, Role
from qstash_fake.broker.workflow.runs import Run, RunState
from qstash_fake.errors import Refused
from qstash_fake.protocol.options import parse_options
from qstash_fake.protocol.publish import parse_publish
from qstash_fake.protocol.workflow import ENDED, parse_wait
from tests.workflows import ANSWERED, ASK, URL, a_step, a_wait, marks

START_MS = 1_767_225_600_000
EVENTS = st.sampled_from(["paid", "approved"])
STATUSES = st.sampled_from([200, 200, 500, 489])
FAILURE = {"Upstash-Failure-Callback": URL, "Upstash-Failure-Callback-Retries": "0"}
FINAL = (("Upstash-NonRetryable-Error", "true"), *ANSWERED)


def refusal(action: Callable[[], object]) -> tuple[int, str] | None:
    """Return status and words with which *action* is refused, None if it is not."""
    try:
        action()
    except Refused as refused:
        return refused.status, refused.error
    return None


class Workflows(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.broker = Broker(START_MS)
        self.in_flight: list[Delivery] = []
        self.lists: dict[Run, list[bytes]] = {}
        self.delivered: dict[Message, bytes] = {}
        self.started = 0

    @property
    def runs(self) -> list[Run]:
        return self.broker.workflows.all

    def publish(self, headers: dict[str, str], body: bytes = b"", url: str = URL) -> None:
        self.broker.publish(parse_publish(url, list(headers.items()), body, caller_ip=""))

    def append(self, run: Run, headers: dict[str, str], body: bytes, url: str = URL) -> None:
        """Publish what belongs to *run*; it is refused if, and only if, the newest run of its id has ended."""
        newest = self.broker.workflows.by_id[run.run_id]
        refused = refusal(lambda: self.publish({**marks(run.run_id), **headers}, body, url))
        assert refused == (None if newest.going else (400, ENDED))

    # --- what clients do -------------------------------------------------------------------------------------------

    @rule(number=st.integers(0, 5), retries=st.sampled_from(["0", "1"]), told=st.booleans(), delay=st.booleans())
    def start(self, number: int, retries: str, told: bool, delay: bool) -> None:
        headers = {"Upstash-Retries": retries, **(FAILURE if told else {})}
        if delay:
            headers["Upstash-Delay"] = "1m"
        self.publish({**marks(f"wfr_{number}", init=True), **headers}, b"payload")

    @rule(data=st.data())
    @precondition(lambda self: self.runs)
    def cancel(self, data: Any) -> None:
        run = data.draw(st.sampled_from(self.runs))
        going = run.going
        assert self.broker.workflows.cancel([run]) == going

    @rule(event=EVENTS, data=st.data(), to_one=st.booleans())
    def notify(self, event: str, data: Any, to_one: bool) -> None:
        run = data.draw(st.sampled_from(self.runs)) if to_one and self.runs else None
        waiting = self.broker.workflows.events.waiters.of(event)
        if run is not None and not (run := self.broker.workflows.by_id[run.run_id]).going:
            refused = refusal(lambda: self.broker.workflows.events.notify(event, b"1", run.run_id))
            assert refused is not None
            assert refused[0] == 404
            return
        woken = self.broker.workflows.events.notify(event, b"1", None if run is None else run.run_id)
        assert [one.waiter for one in woken if one.waiter] == [one for one in waiting if run is None or one.run is run]

    @rule(data=st.data(), from_start=st.booleans())
    @precondition(lambda self: self.broker.dead_letters)
    def resume(self, data: Any, from_start: bool) -> None:
        dead = data.draw(st.sampled_from(list(self.broker.dead_letters.values())))
        (run,) = self.broker.workflows.resume_all([dead], parse_options([]), from_start=from_start)
        assert run.going
        assert dead.dlq_id not in self.broker.dead_letters

    # --- what an endpoint does while a delivery is in flight -------------------------------------------------------

    @rule(data=st.data(), number=st.integers(1, 4), sleeps=st.booleans())
    @precondition(lambda self: self.runs)
    def step(self, data: Any, number: int, sleeps: bool) -> None:
        self.append(data.draw(st.sampled_from(self.runs)), {"Upstash-Delay": "1h"} if sleeps else {}, a_step(number))

    @rule(data=st.data())
    @precondition(lambda self: self.runs)
    def plan(self, data: Any) -> None:
        run = data.draw(st.sampled_from(self.runs))
        for target in (5, 6):
            self.append(run, {}, a_step(0, "plan", concurrent=2, targetStep=target))

    @rule(data=st.data())
    @precondition(lambda self: self.runs)
    def call(self, data: Any) -> None:
        run = data.draw(st.sampled_from(self.runs))
        family = {
            "Upstash-Callback": URL,
            "Upstash-Callback-Workflow-RunId": run.run_id,
            "Upstash-Callback-Workflow-CallType": "fromCallback",
        }
        call = {"Upstash-Workflow-CallType": "toCallback", "Upstash-Retries": "0", **family}
        self.append(run, call, b"q", ASK)

    @rule(data=st.data(), number=st.integers(1, 4), event=EVENTS)
    @precondition(lambda self: self.runs)
    def wait(self, data: Any, number: int, event: str) -> None:
        run = data.draw(st.sampled_from(self.runs))
        options = parse_options(list(marks(run.run_id).items()))
        going = self.broker.workflows.by_id[run.run_id].going
        refused = refusal(lambda: self.broker.workflows.events.wait(event, parse_wait(a_wait(number)), options, ""))
        assert refused == (None if going else (400, ENDED))

    @rule(data=st.data())
    @precondition(lambda self: self.runs)
    def invoke(self, data: Any) -> None:
        run = data.draw(st.sampled_from(self.runs))
        self.started += 1
        body = {
            "body": "c",
            "headers": {name: [value] for name, value in marks(run.run_id).items()},
            "workflowRunId": run.run_id,
            "workflowUrl": URL,
            "step": {"stepId": 6 + self.started, "stepName": "ask", "stepType": "Invoke", "concurrent": 1},
        }
        headers = {**marks(f"wfr_child_{self.started}", init=True), "Upstash-Workflow-Invoke": "true"}
        self.publish(headers, json.dumps(body).encode())

    @rule(data=st.data())
    @precondition(lambda self: any(run.going for run in self.runs))
    def returns(self, data: Any) -> None:
        run = data.draw(st.sampled_from([run for run in self.runs if run.going]))
        self.broker.workflows.finish(run, b"1")

    # --- deliveries ------------------------------------------------------------------------------------------------

    @rule(wait_ms=st.sampled_from([0, 0, 60_000, 3_600_000]))
    def deliver(self, wait_ms: int) -> None:
        message = self.broker.next_message(self.broker.now_ms + wait_ms)
        if message is None:
            return
        delivery = self.broker.start(message)
        part = message.part
        assert part is not None
        assert part.run.going or part.role is Role.FAILURE, "nothing of a run is delivered after its end"
        self.in_flight.append(delivery)
        body = delivery.content.body
        assert self.delivered.setdefault(message, body) == body, "a retry is delivered what the first attempt was"
        if part.role in LISTS:
            assert json.loads(body)[-1]["messageId"] == message.message_id, "a list ends with its own message"

    @rule(data=st.data(), status=STATUSES)
    @precondition(lambda self: self.in_flight)
    def end(self, data: Any, status: int) -> None:
        delivery = self.in_flight.pop(data.draw(st.integers(0, len(self.in_flight) - 1)))
        answer = Outcome(status=status, headers=FINAL if status == 489 else ANSWERED)
        self.broker.complete(delivery, answer)

    # --- what always holds -----------------------------------------------------------------------------------------

    @invariant()
    def every_run_is_in_one_state_and_ends_once(self) -> None:
        for run in self.runs:
            assert (run.state is RunState.RUN_STARTED) is (run.ended_ms is None) is run.going
            assert (run.state is RunState.RUN_FAILED) is (run.failed is not None)
            if not run.going:
                assert not run.waiters
                assert run not in [parent for parent in self.runs for parent in parent.children]

    @invariant()
    def lists_only_grow(self) -> None:
        for run in self.runs:
            now, before = [entry.encoded for entry in run.entries], self.lists.get(run, [])
            assert now[: len(before)] == before
            self.lists[run] = now

    @invariant()
    def nothing_is_lost(self) -> None:
        waiters = self.broker.workflows.events.waiters.by_event().values()
        waiting = {waiter.message for of_one_event in waiters for waiter in of_one_event}
        for message in self.broker.messages.values():
            assert message.part is not None
            assert message in message.part.run.messages
        for run in self.runs:
            assert run.pending == {message for message in run.messages if message.pending}
            assert {waiter.message for waiter in run.waiters} == {one for one in waiting if one in run.pending}
            for message in run.pending:
                assert message.part is not None
                assert run.going or message.state is State.ACTIVE or message.part.role is Role.FAILURE

    @invariant()
    def a_step_is_in_its_list_once(self) -> None:
        for run in self.runs:
            numbers = [(entry.step.id, entry.step.target) for entry in run.entries if entry.step is not None]
            assert len(numbers) == len(set(numbers))

    @invariant()
    def only_failed_runs_are_dead_letters(self) -> None:
        for dead in self.broker.dead_letters.values():
            assert dead.message.part is not None
            assert dead.message.part.run.failed is dead.message

    def teardown(self) -> None:
        """Let everything come to an end: no run that still goes is forgotten by what it waits for."""
        for delivery in self.in_flight:
            self.broker.complete(delivery, Outcome(status=200, headers=ANSWERED))
        while (message := self.broker.next_message(self.broker.now_ms + 10**9)) is not None:
            self.broker.complete(self.broker.start(message), Outcome(status=200, headers=ANSWERED))
        assert not [message for message in self.broker.messages.values() if message.pending]
        assert self.broker.workflows.events.waiters.by_event() == {}


TestWorkflows = Workflows.TestCase
TestWorkflows.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
