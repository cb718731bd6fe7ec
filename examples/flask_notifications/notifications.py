"""Notifications by SMS, one after the other: a queue keeps their order even when the first one has to wait."""

import os
from typing import Any

from flask import Flask, abort, request
from qstash import QStash, Receiver
from qstash.errors import SignatureError

PUBLIC_URL = os.environ.get("NOTIFICATIONS_URL", "https://notify.example")

qstash = QStash(os.environ["QSTASH_TOKEN"])
app = Flask(__name__)
sent: list[str] = []  # stands for the SMS gateway


@app.post("/notifications")
def notify() -> tuple[dict[str, Any], int]:
    accepted = qstash.message.enqueue_json(
        queue="sms",
        url=f"{PUBLIC_URL}/jobs/sms",
        body={"text": request.get_json()["text"]},
        failure_callback=f"{PUBLIC_URL}/jobs/undelivered",
    )
    assert not isinstance(accepted, list)  # a list is what enqueueing to a URL group gives
    return {"message": accepted.message_id}, 202


@app.before_request
def let_only_qstash_in() -> None:
    if not request.path.startswith("/jobs/"):
        return
    receiver = Receiver(os.environ["QSTASH_CURRENT_SIGNING_KEY"], os.environ["QSTASH_NEXT_SIGNING_KEY"])
    try:
        receiver.verify(
            signature=request.headers.get("Upstash-Signature", ""),
            body=request.get_data(as_text=True),
            url=PUBLIC_URL + request.path,
        )
    except SignatureError as error:
        abort(401, str(error))


@app.post("/jobs/sms")
def send_sms() -> str:
    text = request.get_json()["text"]
    if not text:
        raise ValueError("an SMS without a text")
    sent.append(text)
    return "sent"


@app.post("/jobs/undelivered")
def tell_support() -> str:
    failure = request.get_json()
    sent.append(f"support: {failure['sourceMessageId']} failed after {failure['retried']} retries")
    return "told"
