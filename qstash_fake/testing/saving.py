"""A fake as a file: the report of all that has happened. Its size is bounded, and it says what it leaves out."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from qstash_fake.broker.broker import Broker
from qstash_fake.delivery.routes import Route
from qstash_fake.page import report
from qstash_fake.testing.inside import Inside
from qstash_fake.testing.picture import clipped, detail, picture
from qstash_fake.testing.timeline import timeline

MAX_BYTES = 5_000_000  # of the data; a browser opens it at once, and a store of artifacts keeps hundreds of them


class _Size(NamedTuple):
    """How many messages a report shows, and how many characters of each text."""

    messages: int
    characters: int


class Failure(NamedTuple):
    """Why a test has failed: in a line, and as pytest tells it."""

    summary: str
    text: str


# The text of a failure may show compared values, which a message may hide.
HIDDEN = Failure("the text of the failure is not in this report: a message hides its body or headers", "")
LONGEST_LINE, LONGEST_FAILURE = 300, 50_000  # characters

# From the most to the least; the first that fits is taken, the last in any case.
SIZES = (_Size(5000, 20_000), _Size(5000, 2000), _Size(2000, 1000), _Size(500, 500), _Size(100, 200), _Size(20, 100))


def save_report(inside: Inside, path: Path, title: str, failure: Failure | None = None) -> Path:
    """Write the report of a fake to *path*, making its folder; return where it is.

    *failure* is left out where something is redacted.
    """
    inside.timekeeper.observe()
    path.parent.mkdir(parents=True, exist_ok=True)
    if failure is not None:
        failure = HIDDEN if _hides(inside.broker) else _bounded(failure)
    shown = data(inside.broker, title, inside.targets.routes) | {"failure": failure and failure._asdict()}
    path.write_text(report.page(shown, title, failure.summary if failure else ""), encoding="utf-8")
    return path


def data(broker: Broker, title: str, routes: Iterable[Route] = ()) -> dict[str, Any]:
    """Return what a report of *broker* shows, as JSON of no more than `MAX_BYTES` bytes if that can be."""
    with broker.lock:
        for size in SIZES:
            taken = _taken(broker, title, routes, size)
            if len(json.dumps(taken)) <= MAX_BYTES:
                break
    return taken


def _hides(broker: Broker) -> bool:
    """Tell whether a message, a run or a schedule of *broker* redacts anything."""
    with broker.lock:
        hidden = itertools.chain(
            (message.redaction for message in broker.messages.values()),
            (run.redaction for run in broker.workflows.all),
            (schedule.request.options.redaction for schedule in broker.schedules.by_id.values()),
        )
        return any(hidden)


def _bounded(failure: Failure) -> Failure:
    return Failure(clipped(failure.summary, LONGEST_LINE), clipped(failure.text, LONGEST_FAILURE))


def _taken(broker: Broker, title: str, routes: Iterable[Route], size: _Size) -> dict[str, Any]:
    shown = clipped(picture(broker, newest=size.messages), size.characters)
    there = {one["id"] for one in shown["messages"]}
    details = {name: detail(one, size.characters) for name, one in broker.messages.items() if name in there}
    left_out = shown["total"] - len(there)
    return {
        **shown,
        "title": title,
        "runs": shown["runs"][-size.messages :],
        "dead": {name: dlq_id for name, dlq_id in shown["dead"].items() if name in there},
        "held": {name: why for name, why in shown["held"].items() if name in there},
        "details": details,
        "timeline": clipped(timeline(broker, routes), MAX_BYTES // 10),
        "left_out": f"the oldest {left_out} of {shown['total']} messages are left out" if left_out else None,
        "cut": f"texts are cut at {size.characters} characters",
    }
