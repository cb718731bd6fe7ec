"""Measure what the fake costs, each with its budget: `make bench` prints a table and writes benchmarks/results.json.

Ratios compare two things inside one run; absolute times are CPU time of the machine that ran it.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import respx
from qstash import QStash
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from qstash_fake import QStashFake
from qstash_fake.api.view import behind
from qstash_fake.broker.broker import Broker
from qstash_fake.broker.message import Outcome
from qstash_fake.delivery import asgi
from qstash_fake.delivery.exchange import plain_request
from qstash_fake.protocol.publish import PublishRequest, parse_publish

URL = "https://shop.example/jobs"
HEAVY = ("httpx", "starlette", "jwt", "croniter", "freezegun")
RESULTS: list[dict[str, Any]] = []


def record(what: str, value: float, unit: str, budget: str) -> None:
    RESULTS.append({"what": what, "value": round(value, 4), "unit": unit, "budget": budget})
    print(f"{what:<62} {value:>12,.3f} {unit:<14} {budget}")


def seconds(function: Callable[[], object], repeat: int = 1) -> float:
    """Return the shortest of three runs, divided by *repeat*."""
    best = float("inf")
    for _ in range(3):
        start = time.process_time()
        for _ in range(repeat):
            function()
        best = min(best, time.process_time() - start)
    return best / repeat


def request(*headers: tuple[str, str]) -> PublishRequest:
    return parse_publish(URL, headers, b'{"order":7}', caller_ip="127.0.0.1")


def plugin_unused() -> None:
    code = (
        "import sys, time; import pytest; start = time.perf_counter(); import qstash_fake.pytest_plugin; "
        "print(time.perf_counter() - start); print([m for m in " + repr(HEAVY) + " if m in sys.modules])"
    )
    # As users run it: with byte code in a cache, which the first run fills.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    for _ in range(2):
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    out = run.stdout.splitlines()
    record("plugin installed, fixture unused", float(out[0]) * 1000, "ms", "< 2 ms")
    record("  heavy modules it imported", len(json.loads(out[1].replace("'", '"'))), "modules", "0")


def fixture_set_up() -> None:
    def use() -> None:
        with QStashFake(freeze="off"):
            pass

    use()
    record("fixture set-up and tear-down, nothing advanced", seconds(use, 200) * 1000, "ms", "< 0.5 ms")


def publish_through_the_sdk() -> None:
    client = QStash("token")

    def publish() -> None:
        client.message.publish_json(url=URL, body={"order": 7})

    with QStashFake(freeze="off"):
        ours = seconds(publish, 500)
    with respx.mock(base_url="https://qstash.upstash.io") as mock:
        mock.post(path__startswith="/v2/publish").mock(return_value=httpx.Response(201, json={"messageId": "msg_1"}))
        theirs = seconds(publish, 500)
    record("one publish through the SDK", ours * 1e6, "µs", "")
    record("  against the same call answered by respx", ours / theirs, "times", "<= 1")


def deliver_into_asgi() -> None:
    async def endpoint(_: Any) -> Response:
        return Response()

    app = Starlette(routes=[Route("/jobs", endpoint, methods=["POST"])])
    bare_request = plain_request("POST", URL, (), b'{"order":7}')

    async def bare() -> None:
        for _ in range(2000):
            await asgi.call(app, bare_request)

    bare_cost = seconds(lambda: asyncio.run(bare())) / 2000
    best = float("inf")
    for _ in range(3):
        with QStashFake(freeze="off", start="2026-01-01T00:00:00Z") as fake:
            fake.mount(app)
            for _ in range(2000):
                behind(fake.api).broker.publish(request())
            best = min(best, seconds_once(fake.drain, 10_000) / 2000)
    record("one delivery into a no-op ASGI app, all included", best * 1e6, "µs", "")
    record("  against a bare ASGI call of the same app", best / bare_cost, "times", "<= 25")


def seconds_once(function: Callable[..., object], *args: Any) -> float:
    start = time.process_time()
    function(*args)
    return time.process_time() - start


def run_broker(count: int, *headers: tuple[str, str]) -> float:
    """Return the seconds that publishing and delivering *count* messages takes, for each."""
    broker, made = Broker(0), request(*headers)
    start = time.process_time()
    for _ in range(count):
        broker.publish(made)
    while (message := broker.next_message(1 << 50)) is not None:
        broker.complete(broker.start(message), Outcome(status=200))
    return (time.process_time() - start) / count


def broker_alone() -> None:
    record("broker alone", 1 / min(run_broker(20_000) for _ in range(3)), "deliveries/s", ">= 50,000")
    small, large = (min(run_broker(count, ("Upstash-Delay", "1d")) for _ in range(2)) for count in (1_000, 100_000))
    record("  cost a message, 100,000 pending against 1,000", large / small, "times", "flat")


def closed_gate() -> None:
    headers = (("Upstash-Flow-Control-Key", "k"), ("Upstash-Flow-Control-Value", "rate=1,period=1s"))
    small, large = (min(run_broker(count, *headers) for _ in range(2)) for count in (1_000, 10_000))
    record("10,000 messages behind one closed gate, against 1,000", large / small, "times", "<= 3")


def many_gates() -> None:
    def run(keys: int) -> float:
        broker = Broker(0)
        value = ("Upstash-Flow-Control-Value", "rate=1,period=1s")
        made = [request(("Upstash-Flow-Control-Key", f"k{n}"), value) for n in range(keys)]
        start = time.process_time()
        for _ in range(5):
            for one in made:
                broker.publish(one)
        while (message := broker.next_message(1 << 50)) is not None:
            broker.complete(broker.start(message), Outcome(status=200))
        return (time.process_time() - start) / (5 * keys)

    record("5 messages behind each of 2,000 gates, against 200", run(2_000) / run(200), "times", "<= 3")


def a_year_of_minutes() -> None:
    tracemalloc.start()
    with QStashFake(freeze="off", start="2026-01-01T00:00:00Z") as fake:
        fake.on("*").respond(200)
        cron = request(("Upstash-Cron", "* * * * *"))
        behind(fake.api).broker.schedule(cron)
        fake.clock.advance("50d")  # more than are kept
        before = tracemalloc.get_traced_memory()[0]
        fake.clock.advance("50d")
        growth = tracemalloc.get_traced_memory()[0] / before
    tracemalloc.stop()
    with QStashFake(freeze="off", start="2026-01-01T00:00:00Z") as fake:
        fake.on("*").respond(200)
        behind(fake.api).broker.schedule(cron)
        record("advance('365d') with a cron every minute", seconds_once(fake.clock.advance, "365d"), "s", "< 30 s")
    record("  memory after 100 days against 50", growth, "times", "bounded")


def main() -> None:
    for measure in (
        plugin_unused,
        fixture_set_up,
        publish_through_the_sdk,
        deliver_into_asgi,
        broker_alone,
        closed_gate,
        many_gates,
        a_year_of_minutes,
    ):
        measure()
    Path(__file__).with_name("results.json").write_text(json.dumps(RESULTS, indent=2) + "\n")


if __name__ == "__main__":
    main()
