"""All of an account at one moment, as JSON. The control API shows it, a page or a report draws it.

Everything looks as in QStash's own API (`wire`), redacted too; messages also have state, due time and attempts.
Pure: equal states give equal snapshots, and taking one changes nothing.
"""

from __future__ import annotations

from typing import Any

from qstash_fake.api import run_history, wire
from qstash_fake.broker.broker import Broker
from qstash_fake.broker.message import Attempt, Message
from qstash_fake.protocol.moments import iso, to_datetime

Json = dict[str, Any]


def snapshot(broker: Broker) -> Json:
    """Return what *broker* has now. Times for people are ISO 8601 in UTC, times of QStash unix milliseconds."""
    with broker.lock:
        now_ms, next_ms = broker.now_ms, broker.next_event_ms()
        return {
            "now": iso(to_datetime(now_ms)),
            "next_due": None if next_ms is None else iso(to_datetime(next_ms)),
            "messages": [message(one) for one in broker.messages.values()],
            "pending": [one.message_id for one in broker.messages.values() if one.pending],
            "held": {one.message_id: reason for one, reason in broker.held().items()},
            "dead_letters": [wire.dead_letter(one) for one in broker.dead_letters.values()],
            "schedules": [wire.schedule(one) for one in broker.schedules.by_id.values()],
            **ways(broker),
            "workflows": [run_history.run(one) for one in broker.workflows.all],
        }


def ways(broker: Broker) -> Json:
    """Return the queues, URL groups and flow-control keys, as the API shows them."""
    return {
        "queues": [wire.queue(one) for one in broker.queues.values()],
        "url_groups": [wire.url_group(one) for one in broker.url_groups.by_name.values()],
        "flow_control": [wire.flow_control(one, broker.now_ms) for one in broker.flow_control.values()],
    }


def message(value: Message) -> Json:
    """Return a message as the API shows it, with its state, its due time and its attempts."""
    return {
        **wire.message(value),
        "state": value.state.value,
        "due_at": iso(to_datetime(value.due_ms)),
        "attempts": [attempt(one) for one in value.attempts],
    }


def attempt(value: Attempt) -> Json:
    """Return one attempt; *status* and *error* are None while it is in flight."""
    return {
        "at": iso(to_datetime(value.started_ms)),
        "retried": value.retried,
        "status": value.status,
        "error": value.error,
        "lost": value.lost,
    }
