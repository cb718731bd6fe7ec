"""How the control API shows the report of a verb, and a route. Everything else is in the snapshot."""

from __future__ import annotations

from typing import Any

from qstash_fake.api.snapshot import attempt
from qstash_fake.broker.views import inner_of
from qstash_fake.delivery.routes import Route
from qstash_fake.protocol.moments import iso
from qstash_fake.testing.report import Report

Json = dict[str, Any]


def report(value: Report) -> Json:
    """What a verb has done."""
    return {
        "summary": str(value),
        "now": iso(value.now),
        "next_due": iso(value.next_due) if value.next_due else None,
        "attempts": [
            {"messageId": one.message.message_id, "url": one.message.url, **attempt(inner_of(one))}
            for one in value.attempts
        ],
        "delivered": [one.message_id for one in value.delivered],
        "dead": [one.message_id for one in value.dead],
        "fired": [one.message_id for one in value.fired],
        "held": dict(value.held),
        "skipped": value.skipped,
    }


def route(value: Route, asked: Json) -> Json:
    """A route: what was *asked* for, and its calls."""
    return {**asked, "calls": len(value.calls), "spent": value.spent}
