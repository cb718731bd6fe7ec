"""Invoke: a run that starts another one and waits for its result.

Nothing links the two in time: the end of the one is a step of the other.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from qstash_fake.broker.workflow.runs import Run, RunState
from qstash_fake.protocol.http import Headers
from qstash_fake.protocol.workflow import InvokeRequest


@dataclass(frozen=True, slots=True)
class Invoker:
    """Who waits for the result of a run: *run*, None if it is not known, as it has *asked*."""

    run: Run | None
    asked: InvokeRequest

    @property
    def pairs(self) -> Headers:
        """The headers to publish the result with; the token of the invoker for the API is not among them."""
        left_out = ("authorization", "content-type")
        return (
            ("Content-Type", "application/json"),
            *(pair for pair in self.asked.headers if pair[0].lower() not in left_out),
        )


def result_step(invoker: Invoker, run: Run) -> bytes:
    """Return the step that tells *invoker* what came of *run*; there is a body only if it has returned."""
    out: dict[str, Any] = {
        "isFailed": run.state is RunState.RUN_FAILED,
        "isCanceled": run.state is RunState.RUN_CANCELED,
    }
    if run.state is RunState.RUN_SUCCESS and run.response is not None:
        out["body"] = run.response.decode("utf-8", "replace")
    step = {**invoker.asked.step, "out": json.dumps(out, separators=(",", ":"))}
    return json.dumps(step, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")
