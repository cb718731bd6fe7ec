"""Load a server until it would show: `python benchmarks/soak.py` prints a table and writes benchmarks/soak.json.

Twenty clients publish 10,000 messages at once, into queues, through flow-control keys and freely; the application
that they are delivered to fails one in ten. Twice, and then once more with that application killed half-way and
brought back. Nothing may be lost, or be delivered outside its gates. Loopback only; it ends within a few minutes.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import httpx

MESSAGES = 10_000
CLIENTS = 20
OUTAGE_S = 1.5
DEADLINE_S = 180
RETRY = {"upstash-retry-delay": "100", "upstash-retries": "40"}  # 100 ms, and enough of them for the outage
RATE = 300  # starts in a window of one second
RESULTS: list[dict[str, Any]] = []


class Kind(NamedTuple):
    """Messages of one kind: which part of all they are, how they are published, and what bounds them."""

    share: int
    queue: str = ""
    limits: str = ""
    at_once: int | None = None
    per_second: int | None = None


KINDS = {
    "free": Kind(share=50),
    "narrow": Kind(share=25, limits="parallelism=5", at_once=5),
    "rated": Kind(share=15, limits=f"rate={RATE}, period=1s", per_second=RATE),
    "wide": Kind(share=8, queue="wide", at_once=4),
    "fifo": Kind(share=2, queue="fifo", at_once=1),
}
ORDER = [name for name, kind in KINDS.items() for _ in range(kind.share)]


def destination(port: int, log: str) -> None:
    """Answer deliveries, the first attempt of one in ten with 503, and write down each: kind, number, in flight."""
    import uvicorn

    inside: Counter[str] = Counter()
    with Path(log).open("a", buffering=1) as lines:

        async def app(
            scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
        ) -> None:
            headers = dict(scope["headers"])
            _, kind, number = scope["path"].split("/")
            inside[kind] += 1
            lines.write(f"{kind} {number} {inside[kind]} {time.time()} started\n")
            await receive()
            await asyncio.sleep(0.002)
            fails = int(number) % 10 == 0 and headers[b"upstash-retried"] == b"0"
            inside[kind] -= 1
            lines.write(f"{kind} {number} {inside[kind]} {time.time()} {'failed' if fails else 'done'}\n")
            await send({"type": "http.response.start", "status": 503 if fails else 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})

        uvicorn.run(app, host="127.0.0.1", port=port, lifespan="off", ws="none", log_level="critical", backlog=2048)


def start_destination(port: int, log: Path) -> subprocess.Popen[str]:
    started = subprocess.Popen([sys.executable, __file__, "destination", str(port), str(log)], text=True)
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < deadline, "the destination does not start"
            time.sleep(0.02)
        else:
            return started


def kept_lines(log: Path) -> list[list[str]]:
    """Return the lines of the destination that are complete; one that it was killed in is not."""
    return [parts for line in log.read_text().splitlines() if len(parts := line.split()) == 5]


def resident_mb(pid: int) -> float:
    return int(subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, check=True).stdout) / 1024


def cpu_s(pid: int) -> float:
    shown = subprocess.run(["ps", "-o", "time=", "-p", str(pid)], capture_output=True, check=True, text=True).stdout
    hours, minutes, seconds = ["0", *shown.strip().split(":")][-3:]
    return 3600 * float(hours) + 60 * float(minutes) + float(seconds)


async def publish_all(url: str, port: int) -> list[str]:
    """Publish all messages from CLIENTS clients at once; return the ids."""
    numbers = iter(range(MESSAGES))
    ids: list[str] = []

    async def client() -> None:
        async with httpx.AsyncClient(base_url=url, headers={"authorization": "Bearer soak"}, trust_env=False) as http:
            for number in numbers:
                name = ORDER[number % len(ORDER)]
                kind = KINDS[name]
                limits = {"upstash-flow-control-key": name, "upstash-flow-control-value": kind.limits}
                path = f"/v2/enqueue/{kind.queue}" if kind.queue else "/v2/publish"
                answer = await http.post(
                    f"{path}/http://127.0.0.1:{port}/{name}/{number}",
                    content=b'{"order": 7}',
                    headers=RETRY | (limits if kind.limits else {}),
                )
                assert answer.status_code == 201, answer.text
                ids.append(answer.json()["messageId"])

    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return ids


async def soak(server: subprocess.Popen[bytes], url: str, port: int, log: Path, *, outage: bool) -> dict[str, Any]:
    """Publish everything, wait until it is delivered, and check it; return what was measured."""
    app = start_destination(port, log)
    try:
        async with httpx.AsyncClient(
            base_url=url, headers={"authorization": "Bearer soak"}, timeout=60, trust_env=False
        ) as http:
            (await http.post("/_fake/reset")).raise_for_status()
            await http.post("/v2/queues", json={"queueName": "wide", "parallelism": KINDS["wide"].at_once})
            started, busy_before_s = time.monotonic(), cpu_s(server.pid)
            publishing = asyncio.create_task(publish_all(url, port))
            if outage:
                await until(lambda: done(log) >= MESSAGES // 4)
                app.kill()
                app.wait()
                await asyncio.sleep(OUTAGE_S)
                app = start_destination(port, log)
            ids = await publishing
            published = time.monotonic()
            await until(lambda: done(log) >= MESSAGES)
            delivered = time.monotonic()
            state = (await http.get("/_fake/state")).json()
            while state["pending"]:
                await asyncio.sleep(0.1)
                state = (await http.get("/_fake/state")).json()
            memory, busy_s = resident_mb(server.pid), cpu_s(server.pid)
        return check(ids, state, kept_lines(log), outage=outage) | {
            "published a second": round(MESSAGES / (published - started)),
            "seconds in all": round(delivered - started, 1),
            "CPU seconds of the server": round(busy_s - busy_before_s),
            "memory in MB": round(memory, 1),
        }
    finally:
        app.kill()
        app.wait()


def done(log: Path) -> int:
    return len({parts[1] for parts in kept_lines(log) if parts[4] == "done"})


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110 - another process writes the file that is looked at
            await asyncio.sleep(0.2)


def check(ids: list[str], state: dict[str, Any], lines: list[list[str]], *, outage: bool) -> dict[str, Any]:
    """Raise AssertionError if something was lost, or delivered outside its gates."""
    messages = {message["messageId"]: message for message in state["messages"]}
    assert len(ids) == len(set(ids)) == len(messages) == MESSAGES, (len(ids), len(messages))
    assert set(ids) == set(messages)
    states = Counter(message["state"] for message in messages.values())
    assert states == {"DELIVERED": MESSAGES}, states
    attempts = [attempt for message in messages.values() for attempt in message["attempts"]]
    succeeded = Counter(parts[1] for parts in lines if parts[4] == "done")
    assert len(succeeded) == MESSAGES, f"{MESSAGES - len(succeeded)} never reached the application"
    # An answer that was on its way when the application was killed has been lost, and its message was sent again.
    again = sum(succeeded.values()) - MESSAGES
    assert again == 0 or outage, f"{again} were delivered twice"
    most = {name: max(int(p[2]) for p in lines if p[0] == name) for name in KINDS}
    for name, kind in KINDS.items():
        assert kind.at_once is None or most[name] <= kind.at_once, f"{most[name]} at once of {name}"
    check_rate(messages.values())
    check_order(messages.values())
    return {
        "messages": MESSAGES,
        "attempts": len(attempts),
        "failed attempts": sum(attempt["status"] != 200 for attempt in attempts),
        "delivered again after a lost answer": again,
        **{f"most at once, {name}": f"{most[name]} of {k.at_once or '-'}" for name, k in KINDS.items()},
    }


def check_rate(messages: Any) -> None:
    """Go through the windows of the rated key: each begins with the first start after the one before has ended."""
    starts = sorted(
        datetime.fromisoformat(attempt["at"]).timestamp()
        for message in messages
        if message.get("flowControlKey") == "rated"
        for attempt in message["attempts"]
    )
    begin, count = float("-inf"), 0
    for start in starts:
        if start >= begin + 1:
            begin, count = start, 0
        count += 1
        assert count <= RATE, f"more than {RATE} starts in the second from {begin}"


def check_order(messages: Any) -> None:
    """The queue with one slot starts its messages in the order in which they were published, each once done."""
    fifo = [message for message in messages if message.get("queueName") == "fifo"]
    starts = [datetime.fromisoformat(attempt["at"]) for message in fifo for attempt in message["attempts"]]
    assert starts == sorted(starts), "the queue did not keep its order"


def main() -> None:
    if sys.argv[1:2] == ["destination"]:
        destination(int(sys.argv[2]), sys.argv[3])
        return
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with (
        tempfile.TemporaryDirectory() as folder,
        (Path(folder) / "server.log").open("w") as printed,
        subprocess.Popen(
            [sys.executable, "-u", "-m", "qstash_fake", "serve", "--port", "0"], stdout=printed, env=dict(os.environ)
        ) as server,
    ):
        try:
            until_printed = time.monotonic() + 30
            while not (first := Path(printed.name).read_text().split("\n")[0]):
                assert time.monotonic() < until_printed
                time.sleep(0.05)
            url, log = first.split()[3].rstrip(","), Path(folder) / "destination.log"
            runs: defaultdict[str, dict[str, Any]] = defaultdict(dict)
            for name, outage in (("first run", False), ("second run", False), ("with an outage", True)):
                log.write_text("")
                runs[name] = asyncio.run(soak(server, url, port, log, outage=outage))
                print(f"{name}: {runs[name]}", file=sys.stderr)
        finally:
            server.terminate()
    growth = runs["second run"]["memory in MB"] / runs["first run"]["memory in MB"] - 1
    for what in runs["first run"]:
        print(f"{what:<40}" + "".join(f"{run[what]!s:>18}" for run in runs.values()))
    print(f"{'memory of the second run over the first':<40}{growth:>+18.1%}")
    Path(__file__).with_suffix(".json").write_text(
        json.dumps({**runs, "memory growth": round(growth, 4)}, indent=2) + "\n"
    )
    assert growth <= 0.10, f"the second run took {growth:.0%} more memory"


if __name__ == "__main__":
    main()
