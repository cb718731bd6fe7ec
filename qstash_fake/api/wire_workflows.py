"""Runs of workflows as the JSON that Upstash documents. What is redacted is shown redacted."""

from __future__ import annotations

from typing import Any

from qstash_fake.broker.dead_letters import DeadLetter
from qstash_fake.broker.workflow.resuming import failure_state
from qstash_fake.broker.workflow.runs import Run
from qstash_fake.broker.workflow.waiters import Waiter
from qstash_fake.protocol.http import header_map

Json = dict[str, Any]


def waiter(value: Waiter) -> Json:
    """Who waits for an event; the deadline in unix seconds."""
    given = value.asked.given
    return {
        "url": str(given.get("url") or value.asked.url),
        "deadline": value.deadline_ms // 1000,
        "headers": given.get("timeoutHeaders") or {},
        "timeoutUrl": value.asked.url,
        "timeoutBody": given.get("timeoutBody"),
        "timeoutHeaders": given.get("timeoutHeaders") or {},
    }


def notified(value: Waiter | None, run: Run, message_id: str) -> Json:
    """The notification of one run; where the data was kept, nobody waits."""
    return {
        "waiter": waiter(value) if value is not None else {},
        "messageId": message_id,
        "error": "",
        "workflowRunId": run.run_id,
        "workflowCreatedAt": run.created_ms,
    }


def started(run: Run) -> Json:
    """A run that was started, resumed or started again."""
    return {"workflowRunId": run.run_id, "workflowCreatedAt": run.created_ms}


def of_run(dead: DeadLetter) -> Json:
    """The fields of a dead letter about the run that has failed with it, and about its failure function."""
    if dead.message.part is None:
        return {}
    run = dead.message.part.run
    state = failure_state(run)
    return {
        "workflowRunId": run.run_id,
        "workflowUrl": run.url,
        "workflowCreatedAt": run.created_ms,
        **({"label": run.labels[0], "labels": list(run.labels)} if run.labels else {}),
        **({"failureCallback": run.failure.url} if run.failure is not None else {}),
        **({"failureFunctionState": state, "failureCallbackInfo": failure_callback(run)} if state else {}),
    }


def failure_callback(run: Run) -> Json:
    """What became of the call of a failure function, with its last answer."""
    message = run.failure
    assert message is not None
    outcome = message.last_outcome
    info: Json = {"state": failure_state(run)}
    if outcome is not None:
        info |= {
            "responseStatus": outcome.status,
            "responseBody": outcome.body.decode("utf-8", "replace"),
            "responseHeaders": header_map(outcome.headers),
        }
    return info
