"""Whatever QStash does that it may do: queues, keys, schedules and workflows keep their word under any plan.

The machines are those of the other files. A plan is set at the beginning; the machine of the API sets others later.
"""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from qstash_fake.explore.planned import Planned
from qstash_fake.explore.plans import KINDS, OF_A_PUBLISH, Fault, Plan, Point, place_of
from tests.stateful.auditor import Auditor
from tests.stateful.test_broker import BeginsWithFullQueueAndKey, BrokerWorld
from tests.stateful.test_workflows import Workflows
from tests.stateful.world import machine, operation
from tests.workflows import URL

OF_DELIVERIES = sorted(KINDS.keys() - {OF_A_PUBLISH})  # a call of this world has no answer that could be lost


def plans(*paths):
    faults = st.builds(
        lambda kind, path, number, attempt: Fault(kind, Point(path, number, attempt)),
        st.sampled_from(OF_DELIVERIES),
        st.sampled_from(paths),
        st.integers(1, 6),
        st.integers(1, 3),
    )
    return st.lists(faults, min_size=5, max_size=40, unique=True).map(tuple)


PLANS = plans("/ok", "/slow", "/slow-and-dead", "/flaky", "/dead", "/callback", "/slow-callback")


class DisturbedAuditor(Auditor):
    """An auditor that is told until when a start was put off: it is late by a fault, not by a mistake."""

    def __init__(self):
        super().__init__()
        self.put_off: dict[tuple[str, int], int] = {}
        """The time before which an attempt of a message, by `retried`, does not start."""

    def on_active(self, entry, message):
        until_ms = self.put_off.get((entry.message_id, entry.attempt.retried))
        if until_ms is not None and message.queue is None and message.options.flow_control is None:
            self.due[entry.message_id] = until_ms, self.due[entry.message_id][1]
        super().on_active(entry, message)

    def reason_to_wait(self, message_id, message, now_ms):
        if self.put_off.get((message_id, self.lives[message_id].count("E")), 0) > now_ms:
            return "late"
        return super().reason_to_wait(message_id, message, now_ms)


class Told(Planned):
    """A plan that tells an auditor which starts it puts off."""

    def __init__(self, plan, auditor):
        super().__init__(plan)
        self.auditor = auditor

    def _fire(self, fault, message, other=None, *, attempt=None):
        super()._fire(fault, message, other, attempt=attempt)
        if put_off_ms := KINDS[fault.kind].put_off_ms:
            key = message.message_id, message.retried
            self.auditor.put_off[key] = self._broker.now_ms + put_off_ms


class DisturbedWorld(BrokerWorld):
    """The world in which all may be done that the API offers, under plans of faults."""

    def __init__(self, *, is_async=False):
        super().__init__(is_async=is_async)
        self.auditor = DisturbedAuditor()

    @operation(plan=PLANS)
    def disturb(self, plan):
        Told(plan, self.auditor).attach(self.fake)


class BeginsWithAPlan(BeginsWithFullQueueAndKey):
    """Without a plan from the beginning, few examples would meet one."""

    @initialize(plan=PLANS)
    def begin_with_a_plan(self, plan):
        self.world.perform("disturb", {"plan": plan})


class DisturbedWorkflows(Workflows):
    """Runs of workflows under a plan."""

    @initialize(plan=plans(place_of(URL)[1]))
    def begin_with_a_plan(self, plan: Plan) -> None:
        Planned(plan).join(self.broker)

    @rule(wait_ms=st.sampled_from([0, 0, 60_000, 3_600_000]))
    def deliver(self, wait_ms: int) -> None:
        """Send an attempt that is sent twice both times before anything else happens, as every driver does."""
        super().deliver(wait_ms)
        if self.in_flight and self.in_flight[-1].attempt.lost:
            super().deliver(0)


TestDisturbed = machine(DisturbedWorld, BeginsWithAPlan).TestCase
TestDisturbed.settings = settings(max_examples=25, stateful_step_count=40, report_multiple_bugs=False)
TestDisturbedWorkflows = DisturbedWorkflows.TestCase
TestDisturbedWorkflows.settings = settings(max_examples=25, stateful_step_count=40)
