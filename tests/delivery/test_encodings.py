"""Answers in gzip: unpacked as QStash's own client does, wherever they come from."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import httpx
import pytest
from flask import Flask, Response
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from qstash_fake.broker.message import Outcome
from qstash_fake.delivery.encodings import understood
from tests.shop import JOBS

pytestmark = pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z")

LONG = "done " * 200
PACKED = gzip.compress(LONG.encode())
GZIP = {"Content-Encoding": "gzip"}


def starlette() -> Starlette:
    def jobs(request: Any) -> PlainTextResponse:
        return PlainTextResponse(LONG)

    return Starlette(routes=[Route("/jobs", jobs, methods=["POST"])], middleware=[Middleware(GZipMiddleware)])


def flask() -> Flask:
    app = Flask(__name__)
    app.post("/jobs")(lambda: Response(PACKED, headers=GZIP))
    return app


def function(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, headers=GZIP, content=PACKED)


KINDS = {
    "ASGI": starlette,
    "WSGI": flask,
    "a test client that unpacks": lambda: TestClient(starlette(), base_url="https://shop.example"),
    "a test client that does not": lambda: flask().test_client(),
    "a function": lambda: function,
}


@pytest.mark.protocol("3.1 gzip")
@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_in_gzip_is_unpacked(qstash_fake, client, kind):
    qstash_fake.mount(KINDS[kind](), "https://shop.example")
    client.message.publish(url=JOBS)
    qstash_fake.deliver_due()
    (attempt,) = qstash_fake.attempts
    assert (attempt.status, attempt.body.decode(), attempt.headers.get("content-encoding")) == (200, LONG, None)


def test_a_route_answers_in_gzip_and_a_callback_tells_what_it_says(qstash_fake, client):
    qstash_fake.on(JOBS).respond(content=PACKED, headers=GZIP)
    qstash_fake.on("https://shop.example/done").respond(200)
    client.message.publish(url=JOBS, callback="https://shop.example/done")
    qstash_fake.drain()
    report = json.loads(qstash_fake.messages[-1].body)
    assert base64.b64decode(report["body"]).decode() == LONG
    assert "Content-Encoding" not in report["header"]


def test_a_message_that_accepts_an_encoding_itself_is_told_the_answer_as_it_is(qstash_fake, client):
    qstash_fake.on(JOBS).respond(content=PACKED, headers=GZIP)
    client.message.publish(url=JOBS, headers={"Accept-Encoding": "gzip"})
    qstash_fake.deliver_due()
    (attempt,) = qstash_fake.attempts
    assert (attempt.body, attempt.headers["content-encoding"]) == (PACKED, "gzip")


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (PACKED[:-9], "Compressed file ended before the end-of-stream marker was reached"),
        (b"\x1f\x8b" + b"\xff" * 20, "Unknown compression method"),
        (PACKED[:-8] + b"\0" * 8, "CRC check failed 0x0 != "),
    ],
    ids=["broken off", "no gzip behind its first bytes", "a wrong checksum"],
)
def test_gzip_that_cannot_be_unpacked_is_a_failed_attempt(qstash_fake, client, body, why):
    qstash_fake.on(JOBS).respond(content=body, headers=GZIP)
    client.message.publish(url=JOBS, retries=0)
    qstash_fake.deliver_due()
    (attempt,) = qstash_fake.attempts
    assert (attempt.status, attempt.body) == (0, b"")
    assert attempt.error is not None
    assert attempt.error.startswith(f"the answer says that it is gzip, and cannot be unpacked: {why}")


@pytest.mark.parametrize("encoding", ["br", "deflate", "identity", "gzip, gzip"])
def test_another_encoding_is_left_as_it_is(encoding):
    headers = (("Content-Encoding", encoding),)
    outcome = understood(Outcome(status=200, headers=headers, body=PACKED), ())
    assert (outcome.body, outcome.headers) == (PACKED, headers)


def test_no_more_is_unpacked_than_is_read_of_an_answer(monkeypatch):
    monkeypatch.setattr("qstash_fake.delivery.encodings.MAX_BODY", 9)
    outcome = understood(Outcome(status=200, headers=tuple(GZIP.items()), body=PACKED), ())
    assert outcome.body == b"done done"
