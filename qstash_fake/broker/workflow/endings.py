"""Endings: what follows when an attempt of a run's message ends. A row of `FOLLOWING` for each role.

A run that has ended while its message was in flight is told nothing more: a failed attempt is not retried and makes
no dead letter. A call that fails for good does not fail its run, which is told of it. A failure function that fails
makes no second dead letter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from qstash_fake.broker.lifecycle import Canceled, Delivered, Failed, Verdict
from qstash_fake.broker.message import Message, Outcome
from qstash_fake.broker.reactions import (
    Ended,
    Following,
    as_judged,
    bury,
    change_state,
    free_gates,
    give_slot_back,
    report,
)
from qstash_fake.broker.workflow.parts import LISTS, Part, Role
from qstash_fake.broker.workflow.reports import call_report, failure_report
from qstash_fake.protocol import http
from qstash_fake.protocol.workflow import PROTOCOL_HEADER, SDK_HEADER, Feature

if TYPE_CHECKING:
    from qstash_fake.broker.broker import Broker

# The service's own words, the first on one line; seen in its runs.
NOT_A_WORKFLOW = (
    "detected a non-workflow destination for trigger/invoke. "
    "make sure you are sending the request to the correct endpoint"
)
TOO_OLD = "trigger rest api is only usable with sdk versions after v1.0.0 major version"


def part_of(message: Message) -> Part:
    """Return what *message* is to its run, which it has."""
    assert message.part is not None
    return message.part


def amend(message: Message, outcome: Outcome, verdict: Verdict) -> tuple[Outcome, Verdict]:
    """Return *outcome* and what it means; the run may have ended, and a start must reach a workflow."""
    part = part_of(message)
    if not part.run.going:
        return outcome, verdict if isinstance(verdict, Delivered) else Canceled()
    if isinstance(verdict, Delivered) and part.role is Role.FIRST and (problem := _wrong_destination(part, outcome)):
        return outcome._replace(error=problem), Failed()
    return outcome, verdict


def _wrong_destination(part: Part, outcome: Outcome) -> str | None:
    """Return why the endpoint that has answered a start is no workflow, None if it is one or nobody asked."""
    marks = part.run.marks
    if marks.by_server and http.first(outcome.headers, SDK_HEADER) is None:
        return TOO_OLD
    if Feature.DETECT_TRIGGER in marks.features and http.first(outcome.headers, PROTOCOL_HEADER.lower()) is None:
        return NOT_A_WORKFLOW
    return None


def settle(broker: Broker, ended: Ended) -> None:
    """Note that nothing more is to come of the message, if it is terminal."""
    if not ended.message.pending:
        part_of(ended.message).run.pending.discard(ended.message)


def fail_run(broker: Broker, ended: Ended) -> None:
    """Let the run fail with its message, and call its failure function."""
    if isinstance(ended.verdict, Failed):
        run = part_of(ended.message).run
        broker.workflows.fail(run, ended.message, ended.outcome)
        report(broker, ended.message, failure_report(run))


def report_call(broker: Broker, ended: Ended) -> None:
    """Tell the run what came of its call, once no retry follows."""
    if isinstance(ended.verdict, Delivered | Failed) and part_of(ended.message).run.going:
        report(broker, ended.message, call_report(part_of(ended.message).run, ended.message, ended.outcome))


def look_for_sdk(broker: Broker, ended: Ended) -> None:
    """Note an answer that no workflow SDK gives, and a run that nothing will take any further."""
    part = part_of(ended.message)
    run = part.run
    speaks = http.first(ended.outcome.headers, PROTOCOL_HEADER.lower()) is not None
    if isinstance(ended.verdict, Delivered) and part.role in LISTS and not speaks:
        broker.journal.note(
            broker.now_ms,
            f"{part} was answered {ended.outcome.status} without {PROTOCOL_HEADER}: no workflow SDK answers this",
        )
    if run.going and not (run.waiters or run.children or any(message.pending for message in run.pending)):
        broker.journal.note(
            broker.now_ms,
            f"run {run.run_id} stands still: {part} was answered {ended.outcome.status}, and nothing was published",
        )


_OF_THE_RUN = Following(amend, (free_gates, bury, change_state, settle, fail_run, look_for_sdk, give_slot_back))
FOLLOWING: Mapping[Role, Following] = {
    Role.FIRST: _OF_THE_RUN,
    Role.STEP: _OF_THE_RUN,
    Role.WAIT: _OF_THE_RUN,
    Role.REPORT: _OF_THE_RUN,
    Role.CALL: Following(amend, (free_gates, change_state, settle, report_call, look_for_sdk, give_slot_back)),
    Role.FAILURE: Following(as_judged, (free_gates, change_state, settle, give_slot_back)),
}
