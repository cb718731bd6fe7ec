"""Workflows of a shop: a reminder before a trial ends, and a payment that is retried and reported if it fails.

Durable functions: each step is a message of QStash. A sleep of days costs nothing, and a failed step is retried.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from qstash import QStash
from upstash_workflow import AsyncWorkflowContext
from upstash_workflow.fastapi import Serve

BASE = "https://shop.example"
MAIL, BANK = "https://mail.example/send", "https://bank.example/charges"

app = FastAPI()
serve = Serve(app)
paid: set[str] = set()
"""Who has paid; a database in a real shop."""
alarms: list[str] = []
"""What the staff was told."""


@app.post("/signups")
async def sign_up(signup: dict[str, str]) -> None:
    """Start the trial of a customer."""
    QStash("a-token").message.publish_json(url=f"{BASE}/trial", body=signup)


@serve.post("/trial", url=f"{BASE}/trial")
async def trial(context: AsyncWorkflowContext[dict[str, str]]) -> None:
    """Welcome a customer, and remind those who have not paid three days before their trial ends."""
    # The SDK runs a workflow up to its first step for the answer to a call too, and then the payload is that answer:
    # what is read from the payload before a call is read inside a step.
    email = await context.run("email", lambda: context.request_payload["email"])
    await context.call("welcome", url=MAIL, method="POST", body={"to": email, "template": "welcome"})
    await context.sleep("wait for the eleventh day", "11d")

    async def has_paid() -> bool:
        return email in paid

    if not await context.run("has paid", has_paid):
        await context.call("remind", url=MAIL, method="POST", body={"to": email, "template": "reminder"})


async def tell_staff(context: Any, status: int, response: str, headers: dict[str, str]) -> None:
    """Be told that a payment has failed for good."""
    alarms.append(f"order {context.request_payload['order']}: {response}")


@serve.post("/payment", url=f"{BASE}/payment", failure_function=tell_staff, retries=2)
async def payment(context: AsyncWorkflowContext[dict[str, int]]) -> None:
    """Charge an order; the bank is asked up to three times, then the step fails and is retried as a whole."""
    order = await context.run("order", lambda: context.request_payload["order"])
    answer = await context.call("charge", url=BANK, method="POST", body={"order": order}, retries=2)

    async def book() -> str:
        if answer.status != 200:
            raise RuntimeError(f"the bank answered {answer.status}")
        return "booked"

    await context.run("book", book)
