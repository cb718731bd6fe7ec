"""The journal as text, for people: one line for each entry, times relative to the start, bodies redacted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from qstash_fake.broker.broker import Broker
from qstash_fake.broker.journal import LogEntry, Note
from qstash_fake.broker.message import Message
from qstash_fake.broker.workflow.runs import error_of
from qstash_fake.delivery.answers import MAX_BODY
from qstash_fake.delivery.routes import Route
from qstash_fake.protocol.durations import format_ms
from qstash_fake.protocol.moments import iso, to_datetime
from qstash_fake.testing.differences import cut
from qstash_fake.testing.signatures import signed_for
from qstash_fake.testing.standing import asked_of, standing

MAX_LINES = 200  # of a timeline; a reader wants the last ones
MAX_COMING = 20  # lines for what is still to come


def timeline(broker: Broker, routes: Iterable[Route] = ()) -> str:
    """Return what happened, oldest first, and what is still to come; *routes* are the test's own answers."""
    with broker.lock:
        entries, forgotten, now_ms = list(broker.journal), broker.journal.forgotten, broker.now_ms
        zero_ms = broker.journal.zero_ms
        pending, held = [one for one in broker.messages.values() if one.pending], broker.held()
        runs = [run for run in broker.workflows.all if run.going]
    if not entries:
        return "nothing was published"
    left_out = forgotten + max(0, len(entries) - MAX_LINES)
    lines = [f"times since {iso(to_datetime(zero_ms))}"]
    if left_out:
        lines.append(f"({left_out} older entries are left out)")
    lines += [f"{_since(entry.time_ms, zero_ms)}  {_line(entry, broker, routes)}" for entry in entries[-MAX_LINES:]]
    coming = sorted(pending, key=lambda message: (message.due_ms, message.sequence))
    lines += [f"{_since(message.due_ms, zero_ms)}  {_coming(message, held, broker)}" for message in coming[:MAX_COMING]]
    if len(coming) > MAX_COMING:
        lines.append(f"({len(coming) - MAX_COMING} more are pending)")
    lines += [f"run {run.run_id} of {run.url} {standing(run, now_ms)}" for run in runs[:MAX_COMING]]
    if len(runs) > MAX_COMING:
        lines.append(f"({len(runs) - MAX_COMING} more runs of workflows have not ended)")
    lines.append(f"now {iso(to_datetime(now_ms))}")
    return "\n".join(lines)


def _line(entry: LogEntry | Note, broker: Broker, routes: Iterable[Route]) -> str:
    if isinstance(entry, Note):
        return f"{'—':<9} {entry.text}"
    line = f"{entry.state:<9} {_who(entry.message)}"
    line += _marks(entry.message, broker) if entry.state == "CREATED" else ""
    attempt = entry.attempt
    if entry.state == "ACTIVE" and attempt is not None:
        line += f"  attempt {attempt.retried + 1} of {entry.message.max_retries + 1}"
        line += "  (its answer is lost)" if attempt.lost else ""
    elif entry.error is not None:
        raised = attempt.exception if attempt is not None else None
        step = asked_of(entry.message, attempt) if attempt is not None else None
        line += f"  {entry.error}{'' if step is None else f' for {step}'}"
        # The name alone: the text may show what the message redacts.
        line += f"{'' if raised is None else f', it raised {type(raised).__name__}'}{_said(entry)}"
        signed = signed_for(entry.message, attempt, routes) if attempt is not None else None
        line += f", signed for {signed}" if signed is not None else ""
    elif entry.state == "DELIVERED" and entry.status is not None:
        line += f"  {entry.status}"
    if entry.state in ("DELIVERED", "ERROR") and attempt is not None and len(attempt.body) >= MAX_BODY:
        line += f"  only the first {MAX_BODY >> 20} MiB of the answer were read"
    if entry.next_delivery_ms is not None:
        line += f"  due in {format_ms(entry.next_delivery_ms - entry.time_ms)}"
    if entry.state == "FAILED" and entry.message.dlq_id is not None:
        line += f"  dead letter {entry.message.dlq_id}"
    return line


def _said(entry: LogEntry) -> str:
    """Return the text that the SDK of a workflow has written about an error, after a colon; empty if there is none."""
    outcome = entry.attempt.outcome if entry.attempt is not None and entry.message.part is not None else None
    said = "" if outcome is None else error_of(outcome, entry.message.redaction)
    return "" if said in ("", entry.error) else f": {cut(' '.join(said.split()))}"


def _coming(message: Message, held: Mapping[Message, str], broker: Broker) -> str:
    who = f"{_who(message)}{_marks(message, broker)}"
    if message.last_attempt and message.last_attempt.outcome is None:
        return f"{'(active)':<9} {who}"
    if message in held:
        return f"{'(held)':<9} {who}  {held[message]}"
    return f"{'(due)':<9} {who}"


def _who(message: Message) -> str:
    part = f"  [{message.part}]" if message.part is not None else ""
    return f"{message.message_id[:10]}… {message.method} {message.url}{part}"


def _marks(message: Message, broker: Broker) -> str:
    """Return the marks that tell *message* from a plain publish: schedule, queue, labels, and its source."""
    marks = [f"schedule {message.schedule_id}"] if message.schedule_id else []
    marks += [f"queue {message.queue}"] if message.queue else []
    marks += [f"label {label}" for label in message.labels]
    source = broker.messages.get(message.source_id) if message.source_id else None
    if source is not None:
        # The body of a callback is a report on its source; a redriven message has the body of its source.
        what = "redrive" if message.body == source.body else "callback"
        marks.append(f"{what} of {source.message_id[:10]}…")
    return "".join(f"  [{mark}]" for mark in marks)


def _since(time_ms: int, zero_ms: int) -> str:
    return f"{'+' + format_ms(time_ms - zero_ms):>12}"
