"""One call, one delivery, one message: the fake beside what does the same without it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import json
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from measure import Numbers, cpu_s, in_turns

from qstash_fake import QStashFake

SHOP = "https://shop.example"
URL = f"{SHOP}/jobs"
START = "2026-01-01T00:00:00Z"
BODY = b'{"order":7}'
MESSAGES = 100  # of one turn: short enough that some turns are not disturbed
AUTHORIZED = [("Authorization", "Bearer t"), ("Content-Type", "application/json")]


def publish(fake: QStashFake, url: str = URL, body: bytes = BODY, *headers: tuple[str, str]) -> None:
    """Publish by the API as a function: what a client would cost is not measured."""
    reply = fake.api.answer("POST", f"/v2/publish/{url}", [*AUTHORIZED, *headers], body)
    assert reply.status == 201, reply


# --- the fake beside respx ------------------------------------------------------------------------------------


def with_block() -> Numbers:
    import respx

    def fake() -> None:
        with QStashFake():
            pass

    def mock() -> None:
        with respx.mock:
            pass

    return in_turns(20, fake=lambda: cpu_s(fake, 50), respx=lambda: cpu_s(mock, 50))


def one_publish() -> Numbers:
    import httpx
    import respx
    from qstash import QStash

    client = QStash("token")

    def call() -> None:
        client.message.publish_json(url=URL, body={"order": 7})

    def fake() -> float:
        with QStashFake():
            return cpu_s(call, MESSAGES)

    def mocked() -> float:
        with respx.mock(base_url="https://qstash.upstash.io") as mock:
            answer = httpx.Response(201, json={"messageId": "msg_1"})
            mock.post(path__startswith="/v2/publish").mock(return_value=answer)
            return cpu_s(call, MESSAGES)

    return in_turns(20, fake=fake, respx=mocked)


# --- a delivery beside the bare call of the same application --------------------------------------------------


async def no_op(scope: Mapping[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[..., Any]) -> None:
    """Read the body, answer 200."""
    assert scope["type"] == "http"
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def delivery_into_asgi() -> Numbers:
    """The parts are the bare call, one signature by PyJWT, and a task on a loop that is running already."""

    async def parts() -> float:
        loop = asyncio.get_running_loop()

        async def one() -> None:
            sign()
            await loop.create_task(bare_asgi(no_op))

        return await _cpu_s_async(one)

    return in_turns(15, fake=lambda: delivery_s(no_op, lifespan=False), parts=lambda: asyncio.run(parts()))


def delivery_into_fastapi() -> Numbers:
    import fastapi

    app = fastapi.FastAPI()

    @app.post("/jobs")
    async def job() -> fastapi.Response:  # the least that FastAPI does: nothing of its own hides our cost
        return fastapi.Response()

    async def bare() -> float:
        return await _cpu_s_async(lambda: bare_asgi(app))

    return in_turns(15, fake=lambda: delivery_s(app), bare=lambda: asyncio.run(bare()))


def delivery_into_flask() -> Numbers:
    import flask

    app = flask.Flask("shop")

    @app.post("/jobs")
    def job() -> str:
        return ""

    return in_turns(15, fake=lambda: delivery_s(app), bare=lambda: cpu_s(lambda: bare_wsgi(app), MESSAGES))


def delivery_s(app: Any, *, lifespan: bool = True) -> float:
    """Return the CPU seconds of one delivery into *app*, out of a drain of MESSAGES after a first one."""
    with QStashFake(start=START) as fake:
        fake.mount(app, lifespan=lifespan)
        publish(fake)
        fake.drain()  # makes the loop and starts the application
        for _ in range(MESSAGES):
            publish(fake)
        spent = cpu_s(fake.drain) / MESSAGES
        assert len(fake.delivered) == MESSAGES + 1
        return spent


# What a delivery carries, so that a bare call has as much to read.
DELIVERED_HEADERS = {
    "host": "shop.example",
    "user-agent": "Upstash-QStash",
    "upstash-message-id": "msg_26hZCxZCuWyyTWPmSVBrNB882AEcz2n3HbCXdoTMFwjVy4WnJG5zPLjtGmyWX",
    "upstash-retried": "0",
    "upstash-signature": "e" * 400,
    "upstash-caller-ip": "127.0.0.1",
    "upstash-region": "US-EAST-1",
    "accept-encoding": "gzip",
}
SCOPE = {
    "type": "http",
    "asgi": {"version": "3.0"},
    "http_version": "1.1",
    "method": "POST",
    "scheme": "https",
    "path": "/jobs",
    "raw_path": b"/jobs",
    "query_string": b"",
    "root_path": "",
    "headers": [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(BODY)),
        *((name.encode(), value.encode()) for name, value in DELIVERED_HEADERS.items()),
    ],
    "client": ("127.0.0.1", 1),
    "server": ("shop.example", 443),
}
ENVIRON = {
    "REQUEST_METHOD": "POST",
    "SCRIPT_NAME": "",
    "PATH_INFO": "/jobs",
    "QUERY_STRING": "",
    "SERVER_NAME": "shop.example",
    "SERVER_PORT": "443",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "CONTENT_TYPE": "application/json",
    "CONTENT_LENGTH": str(len(BODY)),
    **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in DELIVERED_HEADERS.items()},
    "wsgi.version": (1, 0),
    "wsgi.url_scheme": "https",
    "wsgi.errors": io.StringIO(),
    "wsgi.multithread": False,
    "wsgi.multiprocess": False,
    "wsgi.run_once": False,
}


async def bare_asgi(app: Any) -> None:
    """Call an ASGI application with what never changes made beforehand: nobody can call it for less."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": BODY, "more_body": False}

    async def send(event: Any) -> None:
        sent.append(event)

    await app({**SCOPE, "state": {}}, receive, send)
    assert sent[0]["status"] == 200


def bare_wsgi(app: Any) -> None:
    """Call a WSGI application with what never changes made beforehand."""
    statuses: list[str] = []
    answer = app({**ENVIRON, "wsgi.input": io.BytesIO(BODY)}, lambda status, *_: statuses.append(status))
    b"".join(answer)
    answer.close()
    assert statuses == ["200 OK"]


def sign() -> None:
    """Make the signature of one delivery with PyJWT, as a user's own test helper would."""
    import jwt

    now = int(time.time())
    digest = base64.urlsafe_b64encode(hashlib.sha256(BODY).digest()).decode().rstrip("=")
    claims = {"iss": "Upstash", "sub": URL, "exp": now + 300, "nbf": 0, "iat": now, "jti": "jwt_1", "body": digest}
    jwt.encode(claims, "sig_7kYjw48mhY7kAjqNGcy6cr29RJ6r", algorithm="HS256")


async def _cpu_s_async(work: Callable[[], Awaitable[None]]) -> float:
    start = time.process_time()
    for _ in range(MESSAGES):
        await work()
    return (time.process_time() - start) / MESSAGES


# --- one message, published and delivered, beside other fakes of a queue ---------------------------------------


def one_message() -> Numbers:
    """Publish, deliver into a no-op application; send, receive, delete with moto; add, read, acknowledge in redis."""
    import boto3
    import fakeredis
    from moto import mock_aws
    from qstash import QStash

    client = QStash("token")
    os.environ.update(AWS_ACCESS_KEY_ID="t", AWS_SECRET_ACCESS_KEY="t", AWS_DEFAULT_REGION="us-east-1")

    def fake() -> float:
        with QStashFake(start=START) as qstash_fake:
            qstash_fake.mount(no_op, lifespan=False)

            def one() -> None:
                client.message.publish_json(url=URL, body={"order": 7})
                assert qstash_fake.deliver_due().delivered

            return cpu_s(one, 20)

    def moto() -> float:
        with mock_aws():
            sqs = boto3.client("sqs")
            queue = sqs.create_queue(QueueName="jobs")["QueueUrl"]

            def one() -> None:
                sqs.send_message(QueueUrl=queue, MessageBody=json.dumps({"order": 7}))
                (received,) = sqs.receive_message(QueueUrl=queue)["Messages"]
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=received["ReceiptHandle"])

            return cpu_s(one, 20)

    def redis() -> float:
        server: Any = fakeredis.FakeRedis()  # its answers are those of sync and async clients
        server.xgroup_create("jobs", "workers", mkstream=True)

        def one() -> None:
            server.xadd("jobs", {"order": 7})
            ((_, [(entry, _)]),) = server.xreadgroup("workers", "one", {"jobs": ">"}, count=1)
            server.xack("jobs", "workers", entry)

        return cpu_s(one, 20)

    return in_turns(8, fake=fake, moto=moto, fakeredis=redis)
