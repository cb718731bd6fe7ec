"""A workflow endpoint played by hand: what an SDK publishes, and how it answers. For tests without an SDK."""

from __future__ import annotations

import base64
import json
from typing import Any

from qstash_fake.broker.broker import Broker, Delivery
from qstash_fake.broker.message import Outcome
from qstash_fake.protocol.http import first

URL = "https://shop.example/flow"
ASK = "https://api.example/ask"
ANSWERED = (("Upstash-Workflow-Sdk-Version", "1"), ("Upstash-Workflow-Sdk", "v1.3.2"))


def marks(run_id: str = "wfr_1", *, init: bool = False, **others: str) -> dict[str, str]:
    """Return the headers of a start, or of a step; *others* are named as `call_type="toCallback"`."""
    named = {f"Upstash-Workflow-{name.replace('_', '')}": value for name, value in others.items()}
    return {"Upstash-Workflow-RunId": run_id, "Upstash-Workflow-Init": json.dumps(init), **named}


def a_step(number: int, name: str = "one", out: Any = None, **others: Any) -> bytes:
    """Return the body of a step; *others* are other keys of it."""
    return json.dumps(
        {"stepId": number, "stepName": name, "stepType": "Run", "concurrent": 1, "out": json.dumps(out), **others}
    ).encode()


def a_wait(number: int = 1, name: str = "approval", timeout: str = "1h") -> dict[str, Any]:
    """Return the body of a request to wait."""
    step = {"stepId": number, "stepName": name, "stepType": "Wait", "concurrent": 1}
    return {"url": URL, "timeout": timeout, "timeoutUrl": URL, "timeoutHeaders": {"X": ["1"]}, "step": step}


def listed(delivery: Delivery) -> list[tuple[str, str]]:
    """Return the list that a delivery carries: call types and bodies."""
    return [
        (entry["callType"], base64.b64decode(entry["body"]).decode()) for entry in json.loads(delivery.content.body)
    ]


def header(delivery: Delivery, name: str) -> str | None:
    """Return what a delivery says in a header."""
    return first(delivery.content.headers, name.lower())


def complete(broker: Broker, delivery: Delivery, status: int = 200, body: bytes = b"", **answer: Any) -> None:
    """End *delivery* as an SDK answers it, or with other headers."""
    broker.complete(delivery, Outcome(**{"status": status, "headers": ANSWERED, "body": body, **answer}))
