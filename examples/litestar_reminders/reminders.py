"""Reminders of appointments, a day before each. An appointment that is moved or called off takes its reminder along."""

import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from litestar import Litestar, Request, Router, delete, post, put
from litestar.exceptions import NotAuthorizedException
from litestar.params import FromPath, JSONBody
from qstash import AsyncQStash, Receiver
from qstash.errors import SignatureError

PUBLIC_URL = os.environ.get("REMINDERS_URL", "https://remind.example")

qstash = AsyncQStash(os.environ["QSTASH_TOKEN"])
sent: list[str] = []  # stands for the mail server


@dataclass
class Appointment:
    patient: str
    at: datetime


@dataclass
class Booked:
    reminder: str


async def remind(appointment: Appointment) -> Booked:
    accepted = await qstash.message.publish_json(
        url=f"{PUBLIC_URL}/jobs/reminder",
        body={"patient": appointment.patient, "at": appointment.at.isoformat()},
        not_before=int((appointment.at - timedelta(days=1)).timestamp()),
    )
    assert not isinstance(accepted, list)  # a list is what publishing to a URL group gives
    return Booked(accepted.message_id)


@post("/appointments")
async def book(data: JSONBody[Appointment]) -> Booked:
    return await remind(data)


@put("/appointments/{reminder:str}")
async def move(reminder: FromPath[str], data: JSONBody[Appointment]) -> Booked:
    await qstash.message.cancel(reminder)
    return await remind(data)


@delete("/appointments/{reminder:str}")
async def call_off(reminder: FromPath[str]) -> None:
    await qstash.message.cancel(reminder)


async def let_only_qstash_in(request: Request[Any, Any, Any]) -> None:
    receiver = Receiver(os.environ["QSTASH_CURRENT_SIGNING_KEY"], os.environ["QSTASH_NEXT_SIGNING_KEY"])
    try:
        receiver.verify(
            signature=request.headers.get("Upstash-Signature", ""),
            body=(await request.body()).decode(),
            url=PUBLIC_URL + request.url.path,
        )
    except SignatureError as error:
        raise NotAuthorizedException(str(error)) from None


@post("/reminder")
async def send_reminder(data: JSONBody[Appointment]) -> str:
    sent.append(f"{data.patient}: {data.at:%d %B, %H:%M}")
    return "sent"


jobs = Router("/jobs", route_handlers=[send_reminder], before_request=let_only_qstash_in)
app = Litestar([book, move, call_off, jobs], logging_config=None)  # logging is the deployment's
