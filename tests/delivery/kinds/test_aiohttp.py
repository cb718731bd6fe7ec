"""aiohttp: an application without a port, with its startup and its exceptions; and the test client of a test's loop."""

import asyncio

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from qstash_fake import QStashFake, UsageError

JOB = "https://shop.example/jobs/a%20b?x=1&x=2"

pytestmark = pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z")


def shop(events: list[str] | None = None, handler=None) -> web.Application:
    """Return an application that notes in *events* what happens to it, and answers with what it was asked."""
    told = [] if events is None else events

    async def job(request: web.Request) -> web.StreamResponse:
        told.append("works")
        text = f"{request.method} {request.host} {request.raw_path} {request.headers['Upstash-Retried']} "
        return web.Response(text=text + repr(await request.read()), headers={"X-Kind": "aiohttp"})

    async def runs(app: web.Application):
        told.append("starts")
        yield
        told.append("stops")

    app = web.Application()
    app.router.add_post("/jobs/{name}", handler or job)
    app.cleanup_ctx.append(runs)
    return app


ANSWER = rb"POST shop.example /jobs/a%20b?x=1&x=2 0 b'\xff'"


def test_an_application_is_delivered_to_without_a_port(qstash_fake, client, monkeypatch):
    monkeypatch.setattr("socket.socket.listen", None)
    qstash_fake.mount(shop())
    client.message.publish(url=JOB, body=b"\xff")
    qstash_fake.drain()
    (attempt,) = qstash_fake.attempts
    assert (attempt.status, attempt.body, attempt.headers["X-Kind"]) == (200, ANSWER, "aiohttp")


@pytest.mark.parametrize("body", [b"", b"x" * 1_000_000])
def test_a_body_of_any_length_arrives(qstash_fake, client, body):
    lengths = []

    async def job(request: web.Request) -> web.Response:
        lengths.append(len(await request.read()))
        return web.Response()

    qstash_fake.mount(shop(handler=job))
    client.message.publish(url=JOB, body=body)
    qstash_fake.drain()
    assert lengths == [len(body)]


def test_it_starts_at_the_first_delivery_and_stops_at_the_end():
    from qstash import QStash

    events: list[str] = []
    with QStashFake() as fake:
        fake.mount(shop(events))
        for _ in range(2):
            QStash("token").message.publish(url=JOB)
        fake.deliver_due()
    assert events == ["starts", "works", "works", "stops"]


def test_a_startup_that_fails_is_raised_from_the_verb(qstash_fake, client):
    async def fails(app: web.Application) -> None:
        raise ConnectionError("no database")

    app = shop()
    app.on_startup.append(fails)
    qstash_fake.mount(app)
    client.message.publish(url=JOB, retries=0)
    with pytest.raises(ConnectionError, match="no database"):
        qstash_fake.deliver_due()
    assert qstash_fake.messages[0].state == "FAILED"


def test_an_exception_of_a_handler_is_raised_from_the_verb(qstash_fake, client):
    error = LookupError("no such order")

    async def job(request: web.Request) -> web.Response:
        raise error

    qstash_fake.mount(shop(handler=job))
    client.message.publish(url=JOB, retries=0)
    with pytest.raises(LookupError) as raised:
        qstash_fake.drain()
    assert raised.value is error
    assert qstash_fake.dlq[0].response_status == 500


@pytest.mark.parametrize("answer", [web.HTTPServiceUnavailable, web.HTTPInternalServerError])
def test_an_http_exception_is_an_answer(qstash_fake, client, answer):
    async def job(request: web.Request) -> web.Response:
        raise answer(headers={"Retry-After": "7"})

    qstash_fake.mount(shop(handler=job))
    client.message.publish(url=JOB, retries=0)
    qstash_fake.drain()
    (attempt,) = qstash_fake.attempts
    assert (attempt.status, attempt.headers["Retry-After"], attempt.exception) == (answer.status_code, "7", None)


def test_a_streamed_answer_is_read_to_its_end(qstash_fake, client):
    async def job(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for part in (b"a", b"", b"bc"):
            await response.write(part)
            await asyncio.sleep(0)
        await response.write_eof()
        return response

    qstash_fake.mount(shop(handler=job))
    client.message.publish(url=JOB)
    qstash_fake.drain()
    assert qstash_fake.attempts[0].body == b"abc"


def test_an_answer_that_breaks_off_is_a_broken_connection(qstash_fake, client):
    async def job(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "10"})
        await response.prepare(request)
        await response.write(b"abc")
        assert request.transport is not None
        request.transport.close()
        return response

    qstash_fake.mount(shop(handler=job))
    client.message.publish(url=JOB, retries=0)
    qstash_fake.drain()
    (attempt,) = qstash_fake.attempts
    assert (attempt.status, attempt.error) == (0, "the connection was closed before the response was complete")


def test_an_endless_stream_is_cut(qstash_fake, client, monkeypatch):
    monkeypatch.setattr("qstash_fake.delivery.kinds.aiohttp.MAX_RECEIVED", 1000)
    monkeypatch.setattr("qstash_fake.delivery.kinds.wire.MAX_BODY", 5)

    async def job(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"ab")
            await asyncio.sleep(0)

    qstash_fake.mount(shop(handler=job))
    client.message.publish(url=JOB)
    qstash_fake.drain()
    (attempt,) = qstash_fake.attempts
    assert (attempt.status, attempt.body, attempt.exception) == (200, b"ababa", None)


def test_an_application_of_another_loop_is_refused(client):
    app = shop()

    def deliver() -> None:
        with QStashFake() as fake:
            fake.mount(app)
            client.message.publish(url=JOB, retries=0)
            fake.drain()

    deliver()
    with pytest.raises(UsageError, match=r"has run on another event loop.*: make a new one for each test"):
        deliver()


# --- async tests ------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
@pytest.mark.parametrize("mounted", ["application", "client"])
async def test_in_async_tests_a_test_server_runs_the_application(qstash_fake, client, mounted):
    events: list[str] = []
    app = shop(events)
    async with TestClient(TestServer(app)) as test_client:
        qstash_fake.mount(app if mounted == "application" else test_client, "https://shop.example")
        client.message.publish(url=JOB, body=b"\xff")
        await qstash_fake.drain_async()
        (attempt,) = qstash_fake.attempts
        assert (attempt.status, attempt.body, attempt.headers["X-Kind"]) == (200, ANSWER, "aiohttp")
    assert events == ["starts", "works", "stops"]


@pytest.mark.asyncio
async def test_in_async_tests_a_block_runs_the_application(qstash_fake, client):
    events: list[str] = []
    app = shop(events)
    qstash_fake.mount(app)
    async with qstash_fake.lifespan(app):
        client.message.publish(url=JOB)
        await qstash_fake.drain_async()
    assert events == ["starts", "works", "stops"]


@pytest.mark.asyncio
async def test_an_exception_of_a_handler_is_raised_from_the_async_verb(qstash_fake, client):
    async def job(request: web.Request) -> web.Response:
        raise LookupError("no such order")

    qstash_fake.mount(shop(handler=job))
    client.message.publish(url=JOB)
    with pytest.raises(LookupError, match="no such order"):
        await qstash_fake.drain_async()


def test_a_sync_verb_and_a_test_client_do_not_go_together(qstash_fake, client):
    async def make() -> TestClient[web.Request, web.Application]:
        return TestClient(TestServer(shop()))

    test_client = asyncio.run(make())
    qstash_fake.mount(test_client)
    client.message.publish(url=JOB, retries=0)
    with pytest.raises(UsageError) as raised:
        qstash_fake.drain()
    assert str(raised.value) == (
        "the mounted aiohttp TestClient answers on the loop of its test alone: use an async verb, such as "
        "`await qstash_fake.drain_async()`, or mount the application"
    )
    assert not qstash_fake.pending
    asyncio.run(test_client.close())
