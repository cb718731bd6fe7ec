"""The lifespan of a mounted ASGI application: when it runs, what it hands on, and what fails."""

import asyncio
from contextlib import asynccontextmanager

import litestar.testing
import pytest
import quart
from qstash import QStash
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from qstash_fake import QStashFake
from tests.shop import JOBS
from tests.times import FIRST_RETRY_S


def shop(events, name="shop", *, startup_error=None, shutdown_error=None, on_shutdown=lambda: None):
    """Return an application that notes in *events* what happens to it, and answers with its lifespan's state."""

    @asynccontextmanager
    async def lifespan(app):
        events.append(f"{name} starts")
        if startup_error:
            raise startup_error
        yield {"pool": f"pool of {name}"}
        on_shutdown()
        events.append(f"{name} stops")
        if shutdown_error:
            raise shutdown_error

    async def job(request):
        events.append(f"{name} works")
        return PlainTextResponse(request.state.pool)

    return Starlette(routes=[Route("/{path:path}", job, methods=["POST"])], lifespan=lifespan)


def test_it_starts_at_the_first_delivery_runs_once_and_stops_at_the_end():
    events: list[str] = []
    with QStashFake() as fake:
        fake.mount(shop(events))
        assert events == []
        QStash("token").message.publish(url=JOBS)
        QStash("token").message.publish(url=JOBS)
        fake.deliver_due()
        assert fake.attempts[0].body == b"pool of shop"
    assert events == ["shop starts", "shop works", "shop works", "shop stops"]


def test_without_a_delivery_it_never_starts():
    events: list[str] = []
    with QStashFake() as fake:
        fake.mount(shop(events))
        fake.clock.advance("1h")
    assert events == []


def test_applications_stop_in_reverse_order():
    events: list[str] = []
    with QStashFake() as fake:
        for name in ("a", "b", "c"):
            fake.mount(shop(events, name), f"https://{name}.example")
            QStash("token").message.publish(url=f"https://{name}.example/jobs")
        fake.deliver_due()
    assert [event for event in events if "works" not in event] == [
        "a starts",
        "b starts",
        "c starts",
        "c stops",
        "b stops",
        "a stops",
    ]


def test_lifespan_false_leaves_it_to_somebody_else(qstash_fake, client):
    events: list[str] = []

    async def job(request):
        return PlainTextResponse("ok")

    app = shop(events)
    app.router.routes[:] = [Route("/jobs", job, methods=["POST"])]
    qstash_fake.mount(app, lifespan=False)
    client.message.publish(url=JOBS)
    qstash_fake.deliver_due()
    assert events == []
    assert qstash_fake.attempts[0].status == 200


def test_a_startup_that_fails_is_raised_from_the_verb_and_tried_again(qstash_fake, client):
    events: list[str] = []
    qstash_fake.mount(shop(events, startup_error=ConnectionError("no database")))
    client.message.publish(url=JOBS)
    for verb in (qstash_fake.deliver_due, lambda: qstash_fake.clock.advance(FIRST_RETRY_S)):
        with pytest.raises(ConnectionError, match="no database") as raised:
            verb()
        assert "raised by the application in its lifespan.startup" in raised.value.__notes__[0]
    assert events == ["shop starts", "shop starts"]
    assert [attempt.status for attempt in qstash_fake.attempts] == [500, 500]


def test_a_startup_that_only_says_that_it_failed_is_an_error_too(qstash_fake, client):
    async def app(scope, receive, send):
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    qstash_fake.mount(app)
    client.message.publish(url=JOBS)
    with pytest.raises(RuntimeError, match=r"the application's lifespan\.startup failed: no database"):
        qstash_fake.deliver_due()


@pytest.mark.parametrize("receives_first", [False, True])
def test_an_application_that_raises_on_the_lifespan_does_not_support_it(qstash_fake, client, receives_first):
    async def app(scope, receive, send):
        if receives_first:
            await receive()
        assert scope["type"] == "http"
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    qstash_fake.mount(app)
    client.message.publish(url=JOBS)
    assert len(qstash_fake.deliver_due().delivered) == 1


def test_an_application_that_returns_from_the_lifespan_does_not_support_it(qstash_fake, client):
    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    qstash_fake.mount(app)
    client.message.publish(url=JOBS)
    assert len(qstash_fake.deliver_due().delivered) == 1


def test_a_shutdown_that_fails_is_raised_and_the_others_stop_all_the_same():
    events: list[str] = []

    def run():
        with QStashFake() as fake:
            for name, error in (("a", None), ("b", ConnectionError("lost")), ("c", None)):
                fake.mount(shop(events, name, shutdown_error=error), f"https://{name}.example")
                QStash("token").message.publish(url=f"https://{name}.example/jobs")
            fake.deliver_due()

    with pytest.raises(ConnectionError, match="lost"):
        run()
    assert events[-3:] == ["c stops", "b stops", "a stops"]


def test_what_an_application_publishes_as_it_stops_does_not_leave_the_process():
    events: list[str] = []
    with QStashFake() as fake:
        fake.mount(shop(events, on_shutdown=lambda: QStash("token").message.publish(url=JOBS + "/bye")))
        QStash("token").message.publish(url=JOBS)
        fake.deliver_due()
    assert [message.url for message in fake.messages] == [JOBS, JOBS + "/bye"]


def waits_for_itself(events):
    """Return a lifespan that keeps in its application what it waits for: two at once would wait for ever."""

    @asynccontextmanager
    async def lifespan(app):
        app.state.stop = asyncio.Event()
        worker = asyncio.create_task(app.state.stop.wait())
        events.append("starts")
        yield
        app.state.stop.set()
        await worker
        events.append("stops")

    return lifespan


def starlette_shop(events):
    async def job(request):
        events.append("works")
        return PlainTextResponse("ok")

    routes = [Route("/{path:path}", job, methods=["POST"])]
    app = Starlette(routes=routes, lifespan=waits_for_itself(events))
    return app, TestClient(app)


def litestar_shop(events):
    @litestar.post("/jobs")
    async def job() -> None:
        events.append("works")

    app = litestar.Litestar([job], lifespan=[waits_for_itself(events)], openapi_config=None, logging_config=None)
    return app, litestar.testing.TestClient(app)


@pytest.mark.parametrize("make", [starlette_shop, litestar_shop])
def test_the_lifespan_of_the_fake_ends_when_a_client_of_the_application_is_entered(client, make):
    events: list[str] = []
    with QStashFake(watchdog="2s") as fake:
        app, test_client = make(events)
        fake.mount(app)
        client.message.publish(url=JOBS)
        fake.deliver_due()
        with test_client:
            client.message.publish(url=JOBS)
            fake.deliver_due()
        client.message.publish(url=JOBS)
        fake.deliver_due()
    assert events == ["starts", "works", "stops"] * 3


@pytest.mark.parametrize("make", [starlette_shop, litestar_shop])
def test_an_application_that_is_mounted_while_its_client_is_entered_is_started_once(client, make):
    events: list[str] = []
    with QStashFake(watchdog="2s") as fake:
        app, test_client = make(events)
        with test_client:
            fake.mount(app)
            client.message.publish(url=JOBS)
            fake.drain()
    assert events == ["starts", "works", "stops"]


def test_an_application_of_quart_is_not_started_while_its_test_app_runs(client):
    events: list[str] = []
    app = quart.Quart("shop")

    @app.before_serving
    async def starts():
        events.append("starts")

    @app.post("/jobs")
    async def job():
        events.append("works")
        return ""

    with QStashFake() as fake, asyncio.Runner() as runner:
        fake.mount(app)
        test_app = app.test_app()
        runner.run(test_app.startup())
        client.message.publish(url=JOBS)
        fake.drain()
        runner.run(test_app.shutdown())
    assert events == ["starts", "works"]


def test_a_client_that_could_not_start_its_application_answers_for_nobody(client):
    events: list[str] = []

    async def refuses(app):
        events.append("starts")
        if len(events) == 1:
            raise ConnectionError("no database")

    @litestar.post("/jobs")
    async def job() -> None:
        events.append("works")

    app = litestar.Litestar([job], on_startup=[refuses], openapi_config=None, logging_config=None)

    async def enter():
        async with litestar.testing.AsyncTestClient(app):
            pass

    with QStashFake() as fake:
        with pytest.raises(ExceptionGroup):
            asyncio.run(enter())
        fake.mount(app)
        client.message.publish(url=JOBS)
        fake.drain()
    assert events == ["starts", "starts", "works"]


@pytest.mark.asyncio
@pytest.mark.parametrize("mounted_first", [True, False])
async def test_in_async_tests_a_block_runs_it(qstash_fake, client, mounted_first):
    events: list[str] = []
    app = shop(events)
    if mounted_first:
        qstash_fake.mount(app)
    async with qstash_fake.lifespan(app):
        if not mounted_first:
            qstash_fake.mount(app)
        client.message.publish(url=JOBS)
        await qstash_fake.deliver_due_async()
        assert qstash_fake.attempts[0].body == b"pool of shop"
    assert events == ["shop starts", "shop works", "shop stops"]


@pytest.mark.asyncio
async def test_the_async_verbs_run_no_lifespan_themselves(qstash_fake, client):
    events: list[str] = []
    qstash_fake.mount(shop(events))
    client.message.publish(url=JOBS)
    with pytest.raises(AttributeError, match="pool") as raised:
        await qstash_fake.deliver_due_async()
    assert events == ["shop works"]
    assert raised.value.__notes__[0] == (
        "the async verbs run no lifespan: if the application needs its own, deliver in a block "
        "`async with qstash_fake.lifespan(app)`"
    )


@pytest.mark.asyncio
async def test_nothing_is_noted_where_somebody_runs_the_lifespan(qstash_fake, client):
    async def job(request):
        raise LookupError("no order")

    app = shop([])
    app.router.routes[:] = [Route("/jobs", job, methods=["POST"])]
    qstash_fake.mount(app)
    client.message.publish(url=JOBS)
    async with qstash_fake.lifespan(app):
        with pytest.raises(LookupError) as raised:
            await qstash_fake.deliver_due_async()
    assert "lifespan" not in str(raised.value.__notes__)


@pytest.mark.asyncio
async def test_a_startup_that_fails_is_raised_from_the_block(qstash_fake):
    with pytest.raises(ConnectionError, match="no database"):
        async with qstash_fake.lifespan(shop([], startup_error=ConnectionError("no database"))):
            pass
