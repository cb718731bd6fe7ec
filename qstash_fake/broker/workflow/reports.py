"""Reports: the publishes that tell a run what came of a call, and its failure function that it has failed. Pure."""

from __future__ import annotations

import base64

from qstash_fake.broker import callbacks
from qstash_fake.broker.message import Message, Outcome
from qstash_fake.broker.retries import DEFAULT_RETRIES
from qstash_fake.broker.workflow.configuration import configured
from qstash_fake.broker.workflow.runs import Run
from qstash_fake.protocol.options import NO_OPTIONS, Options
from qstash_fake.protocol.publish import PublishRequest
from qstash_fake.protocol.workflow import CallType, Marks


def call_report(run: Run, message: Message, outcome: Outcome) -> PublishRequest | None:
    """Return the publish that tells *run* what came of its call *message*, None if it does not want to know.

    There is one, after the last attempt. It says that no other follows; otherwise the SDKs would wait for one.
    """
    if message.options.callback is None:
        return None
    body = callbacks.report(message, outcome) | {"workflowRunId": run.run_id}
    if not outcome.success:
        body["maxRetries"] = message.retried - 1
    family = configured(message.options.callback_options or NO_OPTIONS, run)
    # The Python SDK names the retries of its run only if they are not the default; those of the call are others.
    family = family.over(Options(retries=DEFAULT_RETRIES))
    return callbacks.request(message, message.options.callback, family, body)


def failure_report(run: Run) -> PublishRequest | None:
    """Return the publish that calls the failure function of *run*, which has failed; None if it has none."""
    message, outcome = run.failed, run.failure_outcome
    assert message is not None
    assert outcome is not None
    if message.options.failure_callback is None:
        return None
    body = callbacks.report(message, outcome) | {
        "sourceBody": base64.b64encode(run.payload).decode(),
        "dlqId": message.dlq_id,
        "workflowRunId": run.run_id,
        "workflowUrl": run.url,
        "workflowCreatedAt": run.created_ms,
    }
    marks = Marks(run_id=run.run_id, init=False, call_type=CallType.FAILURE)
    family = Options(workflow=marks).over(message.options.failure_callback_options or NO_OPTIONS)
    return callbacks.request(message, message.options.failure_callback, family, body)
