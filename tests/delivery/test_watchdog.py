"""The watchdog: a delivery, a startup or a shutdown that does not end is given up, and says where it waits."""

import asyncio
import bdb
import contextlib
import gc
import importlib
import sys
import time

import anyio
import httpx
import litestar.testing
import pytest
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.routing import Route
from starlette.testclient import TestClient

from qstash_fake import QStashFake, UsageError
from qstash_fake.delivery.loops import Signal
from qstash_fake.delivery.watchdog import Watchdog, answered

JOB = "https://shop.example/jobs"
START = "2026-01-01T00:00:00Z"

short = pytest.mark.qstash_fake(start=START, watchdog="10ms")
# The application is on another thread, which may need some time to come to where it waits.
longer = pytest.mark.qstash_fake(start=START, watchdog="200ms")


async def for_ever(request):
    await asyncio.Event().wait()


async def through(request, call_next):
    return await call_next(request)


@short
def test_a_delivery_that_does_not_answer_fails_and_the_verb_says_where_it_waits(qstash_fake, client):
    qstash_fake.mount(for_ever)
    client.message.publish(url=JOB, retries=0)
    with pytest.raises(UsageError) as raised:
        qstash_fake.drain()
    first, frame, *_ = str(raised.value).splitlines()
    assert first == (
        f"{JOB} did not answer attempt 1 of 1 within 10ms of real time, the watchdog's limit, "
        "and was cancelled where it waited:"
    )
    assert frame.endswith(", in for_ever")
    assert "    await asyncio.Event().wait()" in str(raised.value)
    assert str(raised.value).splitlines()[-1] == (
        "If it needs longer, raise the limit with watchdog=, such as watchdog='5m'; watchdog=0 waits for ever"
    )
    (attempt,) = qstash_fake.attempts
    assert (attempt.status, attempt.error) == (0, "no answer within 10ms of real time")
    assert qstash_fake.messages[0].state == "FAILED"


@short
@pytest.mark.asyncio
async def test_the_async_verbs_are_watched_on_the_loop_of_the_test(qstash_fake, client):
    qstash_fake.mount(for_ever)
    client.message.publish(url=JOB, retries=1)
    with pytest.raises(UsageError, match=r"did not answer attempt 1 of 2 within 10ms(.|\n)*, in for_ever"):
        await qstash_fake.deliver_due_async()
    assert qstash_fake.messages[0].state == "RETRY"


@short
def test_the_stack_shows_the_handler_that_a_middleware_has_started_in_a_task(qstash_fake, client):
    app = Starlette(routes=[Route("/jobs", for_ever, methods=["POST"])])
    app.add_middleware(BaseHTTPMiddleware, dispatch=through)
    qstash_fake.mount(app, lifespan=False)
    client.message.publish(url=JOB, retries=0)
    with pytest.raises(UsageError, match=r", in through(.|\n)*and, in a task that it has started:(.|\n)*in for_ever"):
        qstash_fake.drain()


@short
def test_the_stack_goes_on_into_a_task_that_is_awaited_and_through_async_generators(qstash_fake, client):
    async def items():
        yield await asyncio.create_task(for_ever(None))

    async def app(request):
        return [item async for item in items()]

    qstash_fake.mount(app)
    client.message.publish(url=JOB, retries=0)
    with pytest.raises(UsageError, match=r", in app\n(.|\n)*, in items\n(.|\n)*, in for_ever\n"):
        qstash_fake.drain()


def entered():
    return TestClient(Starlette(routes=[Route("/jobs", for_ever, methods=["POST"])]))


def entered_litestar():
    @litestar.post("/jobs")
    async def job() -> None:
        await for_ever(None)

    return litestar.testing.TestClient(litestar.Litestar([job], openapi_config=None, logging_config=None))


@longer
@pytest.mark.parametrize(
    ("make", "mounts"), [(entered, "client"), (entered, "application"), (entered_litestar, "client")]
)
def test_a_delivery_on_the_loop_of_a_client_is_given_up(qstash_fake, client, make, mounts):
    with make() as test_client:
        qstash_fake.mount(test_client if mounts == "client" else test_client.app)
        client.message.publish(url=JOB, retries=0)
        with pytest.raises(UsageError, match=r"within 200ms(.|\n)*, in for_ever\n"):
            qstash_fake.drain()
    assert qstash_fake.attempts[0].error == "no answer within 200ms of real time"


@longer
@pytest.mark.asyncio
async def test_the_async_verbs_give_a_delivery_on_the_loop_of_a_client_up(qstash_fake, client):
    with entered() as test_client:
        qstash_fake.mount(test_client)
        client.message.publish(url=JOB, retries=0)
        with pytest.raises(UsageError, match=r"within 200ms(.|\n)*, in for_ever\n"):
            await qstash_fake.drain_async()


@longer
@pytest.mark.filterwarnings(  # a request that is cancelled leaves Django's file for its body open
    "ignore:Exception ignored in. <function SpooledTemporaryFile:pytest.PytestUnraisableExceptionWarning"
)
@pytest.mark.parametrize("name", ["ASGIHandler", "AsyncClient"])
def test_a_delivery_to_an_asynchronous_view_of_django_is_given_up(qstash_fake, client, django_site, name):
    makes = {"ASGIHandler": "django.core.handlers.asgi", "AsyncClient": "django.test"}
    qstash_fake.mount(getattr(importlib.import_module(makes[name]), name)())
    client.message.publish(url="https://shop.example/jobs/hangs", retries=0)
    with pytest.raises(UsageError, match=r"within 200ms(.|\n)*, in hangs\n"):
        qstash_fake.drain()
    assert qstash_fake.attempts[0].error == "no answer within 200ms of real time"
    gc.collect()


@short
def test_an_answer_after_the_limit_does_not_count(qstash_fake, client):
    async def app(scope, receive, send):
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    qstash_fake.mount(app, lifespan=False)
    client.message.publish(url=JOB, retries=0)
    with pytest.raises(UsageError, match="did not answer"):
        qstash_fake.drain()
    assert qstash_fake.messages[0].state == "FAILED"


@short
def test_the_time_that_code_blocks_its_thread_is_one_tick_however_long(qstash_fake, client):
    """A debugger does that, too."""

    async def blocks(request):
        time.sleep(0.02)  # noqa: ASYNC251 - what the claim is about
        await asyncio.sleep(0)
        return httpx.Response(200)

    qstash_fake.mount(blocks)
    client.message.publish(url=JOB)
    assert len(qstash_fake.drain().delivered) == 1


@pytest.mark.asyncio
async def test_nothing_is_given_up_while_a_debugger_traces(monkeypatch):
    monkeypatch.setattr(sys, "gettrace", lambda: bdb.Bdb().trace_dispatch)
    watchdog, never = Watchdog(limit_ms=1), Signal()
    task = asyncio.create_task(asyncio.sleep(0.03))
    watchdog.watch(task)
    with anyio.move_on_after(0.03) as scope:
        await answered(never, 1)
    await task
    watchdog.rest()
    assert watchdog.silence is None
    assert scope.cancelled_caught


@pytest.mark.parametrize("off", [0, "0", "0s"])
def test_zero_is_off(off, client):
    async def slow(request):
        await asyncio.sleep(0.005)
        return httpx.Response(200)

    with QStashFake(watchdog=off) as fake:
        fake.mount(slow)
        client.message.publish(url=JOB)
        assert len(fake.deliver_due().delivered) == 1


def test_a_limit_that_cannot_be_read_is_refused():
    with pytest.raises(UsageError, match=r"^watchdog='soon' is no limit: .*; 0 turns the watchdog off$"):
        QStashFake(watchdog="soon")


@pytest.mark.parametrize("raises", [True, False])
def test_a_startup_that_does_not_end_is_given_up(client, raises):
    async def app(scope, receive, send):
        await receive()
        await asyncio.Event().wait()

    with QStashFake(start=START, watchdog="10ms", raise_app_exceptions=raises) as fake:
        fake.mount(app)
        client.message.publish(url=JOB, retries=0)
        with pytest.raises(UsageError, match=r"^the application did not answer lifespan\.startup within 10ms"):
            fake.drain()
        assert fake.messages[0].state == "FAILED"


def test_the_limit_of_an_attempt_begins_after_the_startup(client):
    async def app(scope, receive, send):
        await asyncio.sleep(0.06)
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
        else:
            await send({"type": "http.response.start", "status": 200})
            await send({"type": "http.response.body"})

    with QStashFake(start=START, watchdog="100ms") as fake:
        fake.mount(app)
        client.message.publish(url=JOB, retries=0)
        fake.drain()
        assert fake.messages[0].state == "DELIVERED"


def test_a_startup_that_was_given_up_and_cleans_up_is_no_task_that_was_left_running(client):
    async def app(scope, receive, send):
        await receive()
        try:
            await asyncio.Event().wait()
        finally:
            for _ in range(1_000):
                await asyncio.sleep(0)

    with QStashFake(start=START, watchdog="10ms") as fake:
        fake.mount(app)
        client.message.publish(url=JOB, retries=0)
        with pytest.raises(UsageError, match=r"^the application did not answer lifespan\.startup within 10ms"):
            fake.drain()


def test_a_shutdown_that_does_not_end_is_given_up(client):
    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await asyncio.Event().wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    def run():
        with QStashFake(start=START, watchdog="10ms") as fake:
            fake.mount(app)
            client.message.publish(url=JOB)
            assert len(fake.drain().delivered) == 1

    with pytest.raises(UsageError, match=r"^the application did not answer lifespan\.shutdown within 10ms"):
        run()
