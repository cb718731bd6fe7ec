"""A shop. An order is invoiced five minutes later, so that a customer who changes his mind costs no paper."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI, HTTPException, Request
from pydantic import BaseModel
from qstash import QStash, Receiver
from qstash.errors import SignatureError

# Where QStash reaches this application: what it signs is this address, not what a proxy makes of it on the way.
PUBLIC_URL = os.environ.get("SHOP_URL", "https://shop.example")

qstash = QStash(os.environ["QSTASH_TOKEN"])  # at import; without a token the shop must not start
invoiced: list[int] = []  # stands for the mail server
totals: list[int] = []  # stands for the books


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Each start makes the schedule of the nightly total; the id keeps it one schedule."""
    qstash.schedule.create(destination=f"{PUBLIC_URL}/jobs/total", cron="0 2 * * *", schedule_id="nightly-total")
    yield


app = FastAPI(lifespan=lifespan)


class Order(BaseModel):
    id: int


@app.post("/orders", status_code=202)
def place_order(order: Order) -> dict[str, str]:
    accepted = qstash.message.publish_json(
        url=f"{PUBLIC_URL}/jobs/invoice", body={"order": order.id}, delay="5m", label="invoice"
    )
    assert not isinstance(accepted, list)  # a list is what publishing to a URL group gives
    return {"message": accepted.message_id}


@app.delete("/orders/{message}", status_code=204)
def cancel_order(message: str) -> None:
    qstash.message.cancel(message)


async def signed_by_qstash(request: Request) -> None:
    """Let only QStash in. The keys are read at each call: rotated ones count without a restart."""
    receiver = Receiver(os.environ["QSTASH_CURRENT_SIGNING_KEY"], os.environ["QSTASH_NEXT_SIGNING_KEY"])
    try:
        receiver.verify(
            signature=request.headers.get("Upstash-Signature", ""),
            body=(await request.body()).decode(),
            url=PUBLIC_URL + request.url.path,
        )
    except SignatureError as error:
        raise HTTPException(401, str(error)) from None


class Invoice(BaseModel):
    order: int


@app.post("/jobs/invoice", dependencies=[Depends(signed_by_qstash)])
def send_invoice(invoice: Invoice) -> dict[str, bool]:
    if invoice.order in invoiced:  # QStash delivers at least once
        return {"sent": False}
    invoiced.append(invoice.order)
    return {"sent": True}


@app.post("/jobs/total", dependencies=[Depends(signed_by_qstash)])
def write_total() -> dict[str, int]:
    totals.append(len(invoiced))
    return {"total": len(invoiced)}
