"""Where a run of a workflow stands, in a sentence: what it does, waits for, or ended with. Shows nothing redacted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from qstash_fake.broker.message import Attempt, Message, State
from qstash_fake.broker.workflow.parts import LISTS, Part, Role
from qstash_fake.broker.workflow.runs import Run, RunState, error_of
from qstash_fake.protocol import http
from qstash_fake.protocol.durations import format_ms
from qstash_fake.protocol.moments import iso, to_datetime
from qstash_fake.testing.differences import cut

STEP_NAME_HEADER = "upstash-error-step-name"  # in an answer of the TypeScript SDK: the step that has raised


def standing(run: Run, now_ms: int) -> str:
    """Return where *run* stands at *now_ms*, such as `step 3 'charge': retry 2 of 3 due in 30s`."""
    match run.state:
        case RunState.RUN_SUCCESS:
            return "has returned"
        case RunState.RUN_CANCELED:
            return "was cancelled"
        case RunState.RUN_FAILED:
            assert run.failed is not None
            assert run.failure_outcome is not None
            error = " ".join(error_of(run.failure_outcome, run.redaction).split())
            return f"has failed in {_next(run.failed)}: {cut(error)}"
    return "; ".join(_under_way(run, now_ms)) or "stands still: nothing of it is pending, and it waits for nothing"


def _under_way(run: Run, now_ms: int) -> Iterator[str]:
    for waiter in run.waiters:
        until = iso(to_datetime(waiter.deadline_ms))
        yield f"{_step(waiter.message)} waits for event {waiter.event_id!r} until {until}"
    for message in sorted(run.pending, key=lambda message: (message.due_ms, message.sequence)):
        if message.pending and message not in {waiter.message for waiter in run.waiters}:
            yield f"{_what(message)}{_when(message, now_ms)}"
    for child in sorted(run.children, key=lambda child: (child.created_ms, child.run_id)):
        yield f"waits for run {child.run_id} of {child.url}"


def _what(message: Message) -> str:
    part = message.part
    assert part is not None
    if part.step is not None and part.step.type in ("SleepFor", "SleepUntil") and message.last_attempt is None:
        return f"{_step(message)} sleeps"
    return _WORDS.get(part.role, _next)(message)


def _when(message: Message, now_ms: int) -> str:
    if message.state is State.ACTIVE:
        return " is running"
    wait_ms = message.due_ms - now_ms
    due = "due now" if wait_ms <= 0 else f"due in {format_ms(wait_ms)}"
    if message.state is State.RETRY:
        return f": retry {message.retried} of {message.max_retries} {due}"
    return f": {due}"


def asked_of(message: Message, attempt: Attempt) -> str | None:
    """Return which step an *attempt* of *message* asks for; None if it is no delivery of a run's list."""
    return _after(message, attempt) if message.part is not None and message.part.role in LISTS else None


def _next(message: Message) -> str:
    """Return which step the delivery of *message* runs: the one after the step that it brings."""
    return _after(message, message.last_attempt)


def _after(message: Message, attempt: Attempt | None) -> str:
    part = message.part
    assert part is not None
    outcome = attempt.outcome if attempt is not None else None
    name = http.first(outcome.headers, STEP_NAME_HEADER) if outcome is not None else None
    if part.step is not None and part.step.target:
        return f"step {part.step.target} {part.step.name!r}"
    return f"step {_number_after(part)}{f' {name!r}' if name else ''}"


def _number_after(part: Part) -> int:
    ends = [number for number, entry in part.run.results.items() if part.end is None or _place(part, entry) < part.end]
    return max(ends, default=0) + 1


def _place(part: Part, entry: object) -> int:
    return next(index for index, one in enumerate(part.run.entries) if one is entry)


def _step(message: Message) -> str:
    step = message.part.step if message.part is not None else None
    return "a step" if step is None else f"step {step.number} {step.name!r}"


_WORDS: Mapping[Role, Callable[[Message], str]] = {
    Role.CALL: lambda message: f"{_step(message)} calls {message.url}",
    Role.REPORT: lambda message: f"the answer to {_step(message)}",
    Role.FAILURE: lambda message: "its failure function",
}
