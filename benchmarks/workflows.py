"""Runs of workflows. A function plays the endpoint: it publishes the next step, and costs next to nothing itself.

A plain message is delivered to the same function, which publishes the next plain message.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping

import httpx
from calls import AUTHORIZED, SHOP, START
from measure import Numbers, in_a_fresh_process, in_turns, long_cpu_s, peak_mb

from qstash_fake import QStashFake

URL = f"{SHOP}/flow"
RUNS, STEPS = 1_000, 5
ANSWER = {"Upstash-Workflow-Sdk-Version": "1"}
NAME = "X-Chain"


def a_thousand_runs() -> Numbers:
    return in_turns(2, runs=lambda: drain_s(of_runs=True), plain=lambda: drain_s(of_runs=False))


def drain_s(*, of_runs: bool) -> float:
    """Return the CPU seconds of one delivery, in a drain of RUNS chains of a start and STEPS steps each."""
    with QStashFake(start=START) as fake:
        chains = Chains(fake, STEPS, of_runs=of_runs)
        for number in range(RUNS):
            chains.publish(f"wfr_{number}", 0)
        spent = long_cpu_s(lambda: fake.drain(limit=RUNS * STEPS))
        assert len(fake.attempts) == RUNS * (STEPS + 1)
        assert sum(run.state == "RUN_SUCCESS" for run in fake.workflows.values()) == of_runs * RUNS
        return spent / len(fake.attempts)


def steps_of_a_run() -> Numbers:
    return {"MB": in_a_fresh_process(long_run)["MB"]}


def long_run() -> Numbers:
    """Return the MB that 1,000 steps of 1 kB take in one run; a list kept for each would be 700 MB."""
    with QStashFake(start=START) as fake:
        chains = Chains(fake, 1_000, of_runs=True, out="x" * 1_000)
        before_mb = peak_mb()
        chains.publish("wfr_long", 0)
        fake.drain(limit=1_000)
        assert len(fake.attempts) == 1_001
        return {"MB": peak_mb() - before_mb}


class Chains:
    """Messages of which each is published during the one before: steps of runs, or plain ones."""

    def __init__(self, fake: QStashFake, steps: int, *, of_runs: bool, out: str = "r") -> None:
        self._fake, self._steps, self._of_runs, self._out = fake, steps, of_runs, out
        self._done: Counter[str] = Counter()
        fake.mount(self._answer, URL)

    def publish(self, name: str, number: int) -> None:
        """Publish the step *number* of a chain, its start for 0."""
        step = {"stepId": number, "stepName": "one", "stepType": "Run", "out": self._out, "concurrent": 1}
        headers = {"Upstash-Forward-" + NAME: name}
        if self._of_runs:
            headers |= {"Upstash-Workflow-RunId": name, "Upstash-Workflow-Init": "false" if number else "true"}
        self._call("POST", f"/v2/publish/{URL}", headers, json.dumps(step).encode())

    def _answer(self, request: httpx.Request) -> httpx.Response:
        name = request.headers[NAME]
        self._done[name] += 1
        if self._done[name] <= self._steps:
            self.publish(name, self._done[name])
        elif self._of_runs:
            self._call("DELETE", f"/v2/workflows/runs/{name}?cancel=false", {}, b"1")
        return httpx.Response(200, headers=ANSWER)

    def _call(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> None:
        reply = self._fake.api.answer(method, target, [*AUTHORIZED, *headers.items()], body)
        assert reply.status < 300, reply
