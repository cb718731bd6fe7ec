"""The budgets: a row says what is measured, beside what, and how much it may be at most.

One more measurement is one function, in `calls`, `suites`, `scale` or `workflows`, and one row here. Rows that share
a function stand together and share its numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import calls
import page
import scale
import suites
import workflows
from measure import Numbers


class Row(NamedTuple):
    """*value* makes one number, in *unit*, out of what *measure* gives; *budget* is the most that it may be."""

    section: str
    what: str
    measure: Callable[[], Numbers]
    value: Callable[[Numbers], float]
    unit: str
    budget: float | None


def ratio(ours: str, theirs: str) -> Callable[[Numbers], float]:
    """Return what compares two sides of a measurement."""
    return lambda numbers: numbers[ours] / numbers[theirs]


def number(name: str, scale: float = 1) -> Callable[[Numbers], float]:
    """Return what shows one number of a measurement, times *scale*."""
    return lambda numbers: numbers[name] * scale


def plugin_ms(numbers: Numbers) -> float:
    """Return what the plugin adds to a pytest run."""
    return 1e3 * (numbers["import"] + numbers["hooks"])


def fixture_ratio(numbers: Numbers) -> float:
    """Return the fixture's share of a test over respx's; a fixture that does nothing is taken off both."""
    return (numbers["fake"] - numbers["plain"]) / (numbers["respx"] - numbers["plain"])


grows = ratio("large", "small")

ROWS = (
    Row("plugin", "plugin installed, fixture unused: what a pytest run costs more", suites.plugin_unused,
        plugin_ms, "ms", 2),
    Row("plugin", "plugin installed, fixture unused: heavy modules imported", suites.plugin_unused,
        number("modules"), "modules", 0),
    Row("fixture", "the `with` block of a fake, nothing advanced", calls.with_block, number("fake", 1e3), "ms", 0.25),
    Row("fixture", "the `with` block of a fake / that of respx", calls.with_block, ratio("fake", "respx"), "x", 1),
    Row("fixture", "the fixture / respx's fixture", suites.fixture, fixture_ratio, "x", 1),
    Row("publish", "a publish through the SDK / the same call answered by respx", calls.one_publish,
        ratio("fake", "respx"), "x", 1),
    Row("delivery", "a delivery into a no-op ASGI app / bare call + PyJWT signature + task", calls.delivery_into_asgi,
        ratio("fake", "parts"), "x", 2.5),
    Row("delivery", "a delivery into FastAPI / the bare call", calls.delivery_into_fastapi,
        ratio("fake", "bare"), "x", 3.5),
    Row("delivery", "a delivery into Flask / the bare call", calls.delivery_into_flask, ratio("fake", "bare"), "x", 3),
    Row("message", "publish and deliver one message / moto's SQS send + receive + delete", calls.one_message,
        ratio("fake", "moto"), "x", 0.15),
    Row("message", "publish and deliver one message / fakeredis' xadd + xreadgroup + xack", calls.one_message,
        ratio("fake", "fakeredis"), "x", None),
    Row("test", "a whole test: publish, advance, assert / a respx test that delivers nothing", suites.whole_test,
        ratio("fake", "respx"), "x", 1.3),
    Row("explore", "100 runs of a FastAPI test, 2 deliveries each, freeze='off': real time", suites.exploration,
        number("off"), "s", 2),
    Row("explore", "100 runs of a FastAPI test, 2 deliveries each, time-machine: real time", suites.exploration,
        number("machine"), "s", 2),
    Row("explore", "an explored test, a run of it / the test by itself", suites.exploration,
        lambda numbers: numbers["off"] / 101 / numbers["once"], "x", None),
    Row("broker", "broker alone, a message: 100,000 pending / 1,000", scale.pending, grows, "x", 1.2),
    Row("broker", "broker alone, a message: behind 2,000 keys / 20", scale.behind_keys, grows, "x", 1.2),
    Row("broker", "broker alone, a message: 20,000 behind one key / 1,000", scale.behind_one_key, grows, "x", 1.2),
    Row("broker", "broker alone, a message: 20,000 in one queue / 1,000", scale.behind_one_queue, grows, "x", 1.2),
    Row("year", "advance('365d'), a cron every minute, a stub destination: CPU", scale.a_year_of_minutes,
        number("year"), "s", 20),
    Row("year", "advance('365d'), a cron every minute: memory above the start", scale.a_year_of_minutes,
        number("MB"), "MB", 50),
    Row("assertions", "1,000 assertions over 1,000 messages", scale.a_thousand_assertions,
        number("assertions"), "s", 1),
    Row("held", "a verb beside 10,000 messages held by a paused queue / 100", scale.held_by_a_paused_queue,
        grows, "x", 1.2),
    Row("held", "a verb beside 10,000 messages held by a paused key / 100", scale.held_by_a_paused_key,
        grows, "x", 1.2),
    Row("held", "a verb beside 10,000 messages held by a closed rate / 100", scale.held_by_a_closed_rate,
        grows, "x", 1.2),
    Row("pages", "all pages of /v2/events, an entry: after 4,000 messages / 1,000", scale.pages_of_events,
        grows, "x", 1.2),
    Row("pages", "all pages of /v2/dlq, an entry: after 4,000 messages / 1,000", scale.pages_of_dead_letters,
        grows, "x", 1.2),
    Row("groups", "adding endpoints to a group, an endpoint: 2,000 / 500", scale.endpoints_of_a_group,
        grows, "x", 1.2),
    Row("routes", "n routes, n messages, a message: n = 800 / 200", scale.routes_and_messages, grows, "x", 1.2),
    Row("workflow", "1,000 runs of five steps, a delivery / chains of as many plain messages",
        workflows.a_thousand_runs, ratio("runs", "plain"), "x", 2),
    Row("workflow", "a run of 1,000 steps of 1 kB: memory above the start", workflows.steps_of_a_run,
        number("MB"), "MB", 20),
    Row("page", "what the page asks for first, of 10,000 messages: CPU", page.picture_of_many, number("whole"), "s", 1),
    Row("page", "what it asks for next, one of 10,000 messages being new: CPU", page.picture_of_many,
        number("one new", 1e3), "ms", 50),
    Row("page", "the page with 10,000 messages, from opening it to its lanes: wall", page.page_of_many,
        number("open"), "s", 2),
    Row("page", "the page with 10,000 messages, to the last one: wall", page.page_of_many,
        number("to the end"), "s", 0.5),
)  # fmt: skip
