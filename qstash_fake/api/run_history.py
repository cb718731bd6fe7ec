"""The history of a run as the JSON that Upstash documents: groups of steps, and what is under way.

A group is one step, or several that ran in parallel, in the order of their numbers. The step that comes next stands
last, as the group `next`. A step of a parallel group that is under way, or has failed, stands in its group.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from qstash_fake.api.wire_workflows import Json, failure_callback
from qstash_fake.broker.message import Message, State
from qstash_fake.broker.retries import DEFAULT_RETRIES
from qstash_fake.broker.workflow.parts import Role
from qstash_fake.broker.workflow.resuming import failure_state
from qstash_fake.broker.workflow.runs import Entry, Run, RunState
from qstash_fake.protocol import http
from qstash_fake.protocol.http import header_map
from qstash_fake.protocol.workflow import CallType

STEP_NAME_HEADER = "upstash-error-step-name"  # in an answer: the step that has raised
_STEP_HEADERS = {"Content-Type": ["application/json"], "Upstash-Workflow-Sdk-Version": ["1"]}
_BODIES = frozenset({"out", "callBody", "callResponseBody", "invokedWorkflowRunBody"})
# Fields of a step that are shown as they were sent, beside the fields of all steps.
_OF_KIND = ("sleepFor", "sleepUntil", "callUrl", "callMethod", "callBody", "callHeaders", "waitEventId")


def run(value: Run, body_bytes: int | None = None) -> Json:
    """A run; of payload, results and answers *body_bytes* bytes each, None for all."""
    invoker = value.invoker.asked if value.invoker else None
    flow_control = value.config.flow_control
    shown: Json = {
        "workflowRunId": value.run_id,
        "workflowUrl": value.url,
        "workflowState": value.state,
        "workflowRunCreatedAt": value.created_ms,
        "workflowRunCompletedAt": value.ended_ms,
        "workflowRunResponse": None if value.response is None else _cut(_text(value, value.response), body_bytes),
        "invoker": invoker
        and {
            "workflowRunId": invoker.run_id,
            "workflowUrl": invoker.url,
            "workflowRunCreatedAt": invoker.created_ms,
        },
        "failureFunction": _failure_function(value),
        "dlqId": value.failed.dlq_id if value.failed is not None else None,
        "label": value.labels[0] if value.labels else None,
        "labels": list(value.labels) or None,
        "flowControlKey": flow_control.key if flow_control else None,
        "workflowRunCallerIp": value.caller_ip or None,
        "steps": [_trimmed(group, body_bytes) for group in _groups(value)],
    }
    return _present(shown)


def _failure_function(run: Run) -> Json | None:
    if run.failure is None or run.failed is None or run.failure_outcome is None:
        return None
    outcome, message = run.failure_outcome, run.failure
    info = failure_callback(run)
    return _present(
        {
            "messageId": message.message_id,
            "url": message.url,
            "state": failure_state(run),
            "failHeaders": header_map(outcome.headers),
            "failStatus": outcome.status,
            "failResponse": outcome.body.decode("utf-8", "replace"),
            "dlqId": run.failed.dlq_id,
            "errors": _errors(message),
            **{name: info[name] for name in info if name != "state"},
            "nextDeliveryTime": message.due_ms if message.pending else None,
        }
    )


def _groups(run: Run) -> Iterator[Json]:
    first, *others = run.entries
    yield {"type": "sequential", "steps": [_initial(run, first)]}
    blocks: dict[int, list[int]] = {}  # the numbers of the steps of a parallel group, by each of them
    block: list[int] = []
    for entry in others:
        if entry.step is not None and entry.step.target:
            block = [*block, entry.step.target] if len(block) < entry.step.concurrent and block else [entry.step.target]
            for number in block:
                blocks[number] = block
    shown: set[int] = set()
    for entry in others:
        step = entry.step
        if step is None:
            if (call := _call(run, entry)) is not None:
                yield {"type": "sequential", "steps": [call]}
        elif step.number in blocks:
            if step.number not in shown:
                shown.update(blocks[step.number])
                yield {"type": "parallel", "steps": [_branch(run, number) for number in sorted(blocks[step.number])]}
        else:
            yield {"type": "sequential", "steps": [_result(run, entry)]}
    if run.state is not RunState.RUN_SUCCESS and (message := _under_way(run, blocks)) is not None:
        yield {"type": "next", "steps": [_next(run, message)]}


def _initial(run: Run, entry: Entry) -> Json:
    message = run.first
    assert message is not None
    return _present(
        {
            "stepName": "init",
            "stepType": "Initial",
            "callType": CallType.STEP,
            "messageId": entry.message_id,
            "out": _text(run, run.payload),
            "concurrent": 1,
            "state": "STEP_SUCCESS",
            **_retries(message),
            "createdAt": run.created_ms,
            "headers": _STEP_HEADERS,
        }
    )


def _result(run: Run, entry: Entry) -> Json:
    step = entry.step
    assert step is not None
    out = step.given.get("out")
    return _present(
        {
            "stepId": step.id,
            "stepName": step.name,
            "stepType": step.type,
            "callType": CallType.STEP,
            "messageId": entry.message_id,
            "out": None if out is None else _text(run, str(out).encode()),
            "concurrent": step.concurrent,
            "state": "STEP_SUCCESS",
            **(_retries(entry.message) if entry.message is not None else {}),
            "createdAt": entry.at_ms,
            "headers": _STEP_HEADERS,
            **{name: step.given.get(name) for name in _OF_KIND},
            **_of_call(run, entry),
            **_of_invoke(run, entry),
            **_of_wait(run, entry),
        }
    )


def _of_call(run: Run, entry: Entry) -> Json:
    """The request of a call and its answer, out of the messages of the call."""
    step = entry.step
    if step is None or step.type != "Call":
        return {}
    call = next((one for one in run.messages if _is_of_step(one, Role.CALL, step.id)), None)
    out = step.out if isinstance(step.out, dict) else {}
    hides = run.redaction
    return {
        **(
            {
                "callUrl": call.url,
                "callMethod": call.method,
                "callBody": _text(run, call.body),
                "callHeaders": header_map(hides.redact_headers(call.stored_headers)),
            }
            if call is not None
            else {}
        ),
        "callResponseStatus": out.get("status"),
        "callResponseBody": None if out.get("body") is None else _text(run, str(out["body"]).encode()),
        "callResponseHeaders": out.get("header"),
    }


def _of_invoke(run: Run, entry: Entry) -> Json:
    step = entry.step
    if step is None or step.type != "Invoke":
        return {}
    child = next((one for one in run.invoked if one.invoker and one.invoker.asked.step.get("stepId") == step.id), None)
    if child is None:
        return {}
    return {
        "invokedWorkflowRunId": child.run_id,
        "invokedWorkflowUrl": child.url,
        "invokedWorkflowCreatedAt": child.created_ms,
        "invokedWorkflowRunBody": _text(child, child.payload),
        "invokedWorkflowRunHeaders": header_map(child.redaction.redact_headers(child.config.forward)),
    }


def _of_wait(run: Run, entry: Entry) -> Json:
    """How long the step could wait, and whether it did; the deadline in milliseconds, as all times here (assumed)."""
    wait = run.waits.get(entry.step.id) if entry.step is not None else None
    if entry.step is None or wait is None:
        return {}
    return {
        "waitTimeout": entry.step.timed_out,
        "waitTimeoutDuration": wait.timeout,
        "waitTimeoutDeadline": wait.deadline_ms,
    }


def _call(run: Run, entry: Entry) -> Json | None:
    """A call that is under way; when its result is there, that stands in its place."""
    message = entry.message
    if message is None or message.part is None or message.part.step is None or not run.going:
        return None
    step = message.part.step
    is_last = run.entries[-1] is entry
    if not is_last or step.id in run.results:
        return None
    return _present(
        {
            "stepId": step.id,
            "stepName": step.name,
            "stepType": step.type,
            "callType": entry.call_type,
            "messageId": entry.message_id,
            "concurrent": 1,
            "state": "STEP_PROGRESS",
            **_retries(message),
            "createdAt": entry.at_ms,
            "callUrl": message.url,
        }
    )


def _branch(run: Run, number: int) -> Json:
    """One of several steps that run beside each other."""
    if (done := run.results.get(number)) is not None:
        return _result(run, done)
    entry = run.plans[number]
    step = entry.step
    assert step is not None
    failed = run.failed is not None and _number(run.failed) == number
    state = "STEP_FAILED" if failed else "STEP_PROGRESS" if run.going else "STEP_CANCELED"
    return _present(
        {
            "stepId": number,
            "stepName": step.name,
            "stepType": step.type,
            "callType": CallType.STEP,
            "messageId": entry.message_id,
            "concurrent": step.concurrent,
            "state": state,
            **(_retries(entry.message) if entry.message is not None else {}),
            "createdAt": entry.at_ms,
            "errors": _errors(run.failed) if failed and run.failed is not None else None,
        }
    )


def _under_way(run: Run, blocks: dict[int, list[int]]) -> Message | None:
    """Return the message with which *run* goes on, or has ended; None if a parallel group shows it."""
    if run.failed is not None:
        message: Message | None = run.failed
    else:
        own = [one for one in run.messages if one.part and one.part.role not in (Role.CALL, Role.FAILURE)]
        message = next((one for one in reversed(own) if one.state is not State.DELIVERED), None)
    if message is None:
        return None
    number = _number(message)
    return None if number in blocks and number not in run.results else message


def _next(run: Run, message: Message) -> Json:
    if message is run.failed:
        state = "STEP_FAILED"
    elif not run.going:
        state = "STEP_CANCELED"
    else:
        state = "STEP_RETRY" if message.state is State.RETRY else "STEP_PROGRESS"
    outcome = message.last_outcome
    raised_in = http.first(outcome.headers, STEP_NAME_HEADER) if outcome is not None else None
    return _present(
        {
            "messageId": message.message_id,
            "state": state,
            **_retries(message),
            "stepName": raised_in,
            "errors": _errors(message),
        }
    )


def _errors(message: Message) -> list[Json] | None:
    errors = []
    for attempt in message.attempts:
        outcome = attempt.outcome
        if outcome is None or attempt.lost or (outcome.success and outcome.error is None):
            continue
        body = outcome.body.decode("utf-8", "replace")
        errors.append(
            {
                "error": outcome.error or body or f"destination answered {outcome.status}",
                "body": body,
                "headers": header_map(outcome.headers),
                "status": outcome.status,
                "time": attempt.started_ms + outcome.duration_ms,
            }
        )
    return errors or None


def _retries(message: Message) -> Json:
    delay = message.options.retry_delay
    retries = DEFAULT_RETRIES if message.options.retries is None else message.options.retries
    return {"retries": retries, **({"retryDelay": delay.text} if delay is not None else {})}


def _number(message: Message) -> int:
    return message.part.step.number if message.part is not None and message.part.step is not None else 0


def _is_of_step(message: Message, role: Role, number: int) -> bool:
    return message.part is not None and message.part.role is role and _number(message) == number


def _text(run: Run, content: bytes) -> str:
    return run.redaction.redact_body(content).decode("utf-8", "replace")


def _trimmed(group: Json, body_bytes: int | None) -> Json:
    if body_bytes is None:
        return group
    steps = [
        _present({name: _cut(value, body_bytes) if name in _BODIES else value for name, value in step.items()})
        for step in group["steps"]
    ]
    return group | {"steps": steps}


def _cut(text: str, body_bytes: int | None) -> str | None:
    """Return the first *body_bytes* bytes of *text*, None if that is none of them."""
    return text if body_bytes is None else text.encode()[:body_bytes].decode("utf-8", "ignore") or None


def _present(fields: dict[str, Any]) -> Json:
    return {name: value for name, value in fields.items() if value is not None}
