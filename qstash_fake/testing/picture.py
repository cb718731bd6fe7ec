"""The data that the page and the report draw: all of an account as JSON, and all there is to know of one message.

A message that only stands in a row has only the fields of its row and its lane, because there may be many. Times are
unix milliseconds. Redacted parts are shown redacted; of an exception only the name is shown, because its text may
hold what the message hides. Taking a picture changes nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

from qstash_fake.api import run_history, wire
from qstash_fake.api.snapshot import ways
from qstash_fake.broker.broker import Broker
from qstash_fake.broker.ids import token_id
from qstash_fake.broker.journal import LogEntry, Note
from qstash_fake.broker.message import Attempt, Message
from qstash_fake.broker.schedules import Schedule
from qstash_fake.broker.workflow.runs import Run
from qstash_fake.delivery.signing import claims_of
from qstash_fake.protocol.http import header_map
from qstash_fake.testing.standing import standing

Json = dict[str, Any]

MAX_RUNS = 500  # runs that are shown; each brings all its steps
PREVIEW = 120  # characters of a body in a row
LOOKED_AT = 2_000  # entries of the journal, for notes: each picture looks at all of them
TICKS = 3  # of a schedule, that are still to come
LONGEST = 10_000  # characters of any one text where there are many: the body of a schedule, the result of a step


def picture(broker: Broker, since: int | None = None, *, newest: int | None = None) -> Json:
    """Return the picture. *since*: only messages with a journal entry of this number or a later one.

    *newest*: only so many messages, the newest. `total` says how many messages there are; `whole`: none was left
    out because of *since*.
    """
    with broker.lock:
        now_ms, next_ms = broker.now_ms, broker.next_event_ms()
        messages = list(broker.messages.values() if since is None else _changed(broker, since))
        runs = broker.workflows.all[-MAX_RUNS:]
        taken: Json = {
            "now": now_ms,
            "next_due": next_ms,
            "total": len(broker.messages),
            "whole": since is None,
            "messages": [row(one) for one in messages[-newest if newest else None :]],
            "held": {one.message_id: reason for one, reason in broker.held().items()},
            "dead": {one.message.message_id: dlq_id for dlq_id, one in broker.dead_letters.items()},
            "schedules": [{**wire.schedule(one), "ticks": _ticks(one)} for one in broker.schedules.by_id.values()],
            **ways(broker),
            "runs": [run(one, now_ms) for one in runs],
            "runs_left_out": len(broker.workflows.all) - len(runs),
            "notes": _notes(broker),
        }
    return {name: clipped(value, LONGEST) for name, value in taken.items()}


def row(message: Message) -> Json:
    """Return what a row and a lane show of *message*; empty fields are left out."""
    options, part = message.options, message.part
    fields = {
        "id": message.message_id,
        "number": message.sequence,
        "url": message.url,
        "method": message.method,
        "state": message.state.value,
        "created": message.created_ms,
        "due": message.due_ms,
        "first_due": message.not_before_ms,
        "finished": message.finished_ms,
        "retries": message.max_retries,
        "body": _start_of(message.redaction.redact_body(message.body)),
        "queue": message.queue,
        "key": options.flow_control.key if options.flow_control else None,
        "group": message.url_group,
        "schedule": message.schedule_id,
        "labels": list(options.labels or ()),
        "source": message.source_id,
        "run": part.run.run_id if part else None,
        "part": str(part) if part else None,
        "attempts": [_attempt(one) for one in message.attempts],
    }
    return {name: value for name, value in fields.items() if value not in (None, "", [])}


def detail(message: Message, body_characters: int | None = None) -> Json:
    """Return all there is to know of *message*, of each text no more than *body_characters* characters."""
    content = message.content.body if message.last_attempt else message.body  # of a run: known once it has started
    whole = {
        **wire.message(message),
        "deduplicationId": message.deduplication_id,
        "bytes": len(message.body),
        "attempts": [
            {**_attempt(one), **_answer(one), "claims": _claims(message, number, one, content)}
            for number, one in enumerate(message.attempts)
        ],
    }
    shown: Json = clipped(whole, body_characters)
    return shown


def run(value: Run, now_ms: int) -> Json:
    """Return a run of a workflow with its steps, and where it stands in a sentence."""
    return {**run_history.run(value), "standing": standing(value, now_ms)}


def clipped(value: Any, most: int | None) -> Any:
    """Return *value*, JSON, with every text that has more than *most* characters cut; None cuts nothing."""
    if most is None:
        return value
    match value:
        case str() if len(value) > most:
            return f"{value[:most]}… (cut: {len(value)} characters)"
        case list():
            return [clipped(one, most) for one in value]
        case dict():
            return {name: clipped(one, most) for name, one in value.items()}
    return value


def _changed(broker: Broker, since: int) -> Iterable[Message]:
    """Return the messages with entries from number *since* on, if they are still there, in publish order."""
    entries = broker.journal.since(since)
    found = {one.message.message_id: one.message for one in entries if isinstance(one, LogEntry)}
    there = (one for one in found.values() if broker.messages.get(one.message_id) is one)
    return sorted(there, key=lambda message: message.sequence)


def _notes(broker: Broker) -> list[Json]:
    """Return the notes among the newest entries of the journal, oldest first: faults, ticks that were skipped."""
    newest = [entry for _, entry in itertools.islice(broker.journal.newest(), LOOKED_AT)]
    return [{"at": one.time_ms, "text": one.text} for one in reversed(newest) if isinstance(one, Note)]


def _ticks(schedule: Schedule) -> list[int]:
    """Return the next instants at which *schedule* fires, none while it is paused."""
    ticks: list[int] = []
    next_ms = schedule.next_ms
    while next_ms is not None and len(ticks) < TICKS:
        ticks.append(next_ms)
        next_ms = schedule.cron_expression.next_after(next_ms)
    return ticks


def _attempt(value: Attempt) -> Json:
    outcome = value.outcome
    fields = {
        "due": value.due_ms,
        "at": value.started_ms,
        "took": outcome.duration_ms if outcome else None,
        "retried": value.retried,
        "status": value.status,
        "error": value.error,
        "raised": type(outcome.exception).__name__ if outcome and outcome.exception else None,
        "lost": value.lost or None,
    }
    return {name: field for name, field in fields.items() if field is not None}


def _answer(value: Attempt) -> Json:
    if value.outcome is None:
        return {}
    return {
        "header": header_map(value.outcome.headers),
        "body": value.outcome.stored_body.decode("utf-8", "replace"),
    }


def _claims(message: Message, number: int, attempt: Attempt, content: bytes) -> Json:
    """Return what the signature of the attempt with this *number* said; the application's clock stood at its start."""
    issued = attempt.started_ms // 1000
    return claims_of(message.url, content, token_id(message.message_id, number), issued=issued)


def _start_of(body: bytes) -> str:
    return " ".join(body[: 4 * PREVIEW].decode("utf-8", "replace").split())[:PREVIEW]
