"""Resuming: which part of a failed run is done once more, and with which options. Changes nothing."""

from __future__ import annotations

import dataclasses
from enum import StrEnum

from qstash_fake.broker.message import Message, State
from qstash_fake.broker.workflow.configuration import configuration
from qstash_fake.broker.workflow.runs import Entry, Run
from qstash_fake.protocol.options import Options


class FailureState(StrEnum):
    """What became of the call of a failure function, in the API's words."""

    CALLBACK_INPROGRESS = "CALLBACK_INPROGRESS"
    CALLBACK_SUCCESS = "CALLBACK_SUCCESS"
    CALLBACK_FAIL = "CALLBACK_FAIL"
    CALLBACK_CANCELED = "CALLBACK_CANCELED"


_OF_MESSAGE = {
    State.DELIVERED: FailureState.CALLBACK_SUCCESS,
    State.FAILED: FailureState.CALLBACK_FAIL,
    State.CANCELED: FailureState.CALLBACK_CANCELED,
}


def failure_state(run: Run) -> FailureState | None:
    """Return what became of the call of the failure function of *run*, None if there was none."""
    if run.failure is None:
        return None
    return _OF_MESSAGE.get(run.failure.state, FailureState.CALLBACK_INPROGRESS)


def successor(failed: Run, run_id: str, now_ms: int, overrides: Options) -> Run:
    """Return a new run with what *failed* was started with, *overrides* over its configuration."""
    return Run(
        run_id=run_id,
        url=failed.url,
        created_ms=now_ms,
        marks=failed.marks,
        payload=failed.payload,
        first=failed.first,
        config=configuration(overrides.over(failed.config)),
        caller_ip=failed.caller_ip,
        waits=dict(failed.waits),
    )


def is_unfinished(entry: Entry, failed: Run) -> bool:
    """Tell whether *entry* must be delivered again: the step that has failed, and plans that have no result."""
    if entry.message is failed.failed:
        return True
    return entry.step is not None and entry.step.target > 0 and entry.step.target not in failed.results


def once_more(options: Options, overrides: Options, *, wait_for: Message | None = None) -> Options:
    """Return the *options* of a message that is made again for another run, as *overrides* change them.

    A message that still waited, *wait_for*, waits for its old time; any other is due now.
    """
    again = dataclasses.replace(
        options,
        delay_ms=None,
        not_before_ms=wait_for.not_before_ms if wait_for is not None and wait_for.state is State.CANCELED else None,
    )
    return overrides.over(again)
