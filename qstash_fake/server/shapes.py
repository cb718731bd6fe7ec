"""How the control API shows things: a report, a message with its attempts, a route."""

from __future__ import annotations

from typing import Any

from qstash_fake.api import wire
from qstash_fake.broker.message import Message
from qstash_fake.broker.views import Attempt, view_of
from qstash_fake.delivery.routes import Route
from qstash_fake.protocol.moments import iso, to_datetime
from qstash_fake.testing.report import Report

Json = dict[str, Any]


def report(value: Report) -> Json:
    """What a verb has done."""
    return {
        "summary": str(value),
        "now": iso(value.now),
        "next_due": iso(value.next_due) if value.next_due else None,
        "attempts": [
            {"messageId": one.message.message_id, "url": one.message.url, **attempt(one)} for one in value.attempts
        ],
        "delivered": [one.message_id for one in value.delivered],
        "dead": [one.message_id for one in value.dead],
        "fired": [one.message_id for one in value.fired],
        "held": dict(value.held),
        "skipped": value.skipped,
    }


def message(value: Message) -> Json:
    """A message as the API of QStash shows it, with its state, its due time and its attempts."""
    return {
        **wire.message(value),
        "state": value.state.value,
        "due_at": iso(to_datetime(value.due_ms)),
        "attempts": [attempt(view_of(Attempt, one)) for one in value.attempts],
    }


def attempt(value: Attempt) -> Json:
    """One attempt."""
    return {
        "at": iso(value.at),
        "retried": value.retried,
        "status": value.status,
        "error": value.error,
        "lost": value.lost,
    }


def route(value: Route, asked: Json) -> Json:
    """A route: what was *asked* for, and what has become of it."""
    return {**asked, "calls": len(value.calls), "spent": value.spent}
