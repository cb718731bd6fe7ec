"""Other loops than the usual one: trio's, and one that runs in the thread of the test without running the test."""

import asyncio
import threading
from contextlib import asynccontextmanager

import anyio
import anyio.lowlevel
import greenlet
import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from qstash_fake import DrainLimitReached, UsageError
from qstash_fake.delivery.loops import Signal, turn

JOB = "https://shop.example/jobs"

trio = pytest.importorskip("trio")


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    return request.param


@pytest.fixture
def foreign_loop():
    """A loop that asyncio says is running, in a greenlet that waits, as in Playwright's sync API."""
    test = greenlet.getcurrent()

    async def wait():
        test.switch()

    other = greenlet.greenlet(lambda: asyncio.run(wait()))
    other.switch()
    yield asyncio.get_running_loop()
    other.switch()


async def asgi(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})


# --- signals and turns ---------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_a_signal_lets_all_go_on_that_wait_and_holds_up_nobody_afterwards():
    signal, gone_on = Signal(), []

    async def wait(name):
        await signal.wait()
        gone_on.append(name)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(wait, "first")
            group.start_soon(wait, "second")
            await anyio.wait_all_tasks_blocked()
            assert gone_on == []
            signal.set()
        await wait("third")
    assert sorted(gone_on) == ["first", "second", "third"]


@pytest.mark.anyio
async def test_other_tasks_go_on_in_a_turn():
    gone_on = []

    async def other():
        gone_on.append("other")

    async with anyio.create_task_group() as group:
        group.start_soon(other)
        for _ in range(2):  # the order of tasks within one turn is trio's own
            await turn()
        assert gone_on == ["other"]


# --- trio ----------------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_async_verbs_deliver_to_asgi_to_a_route_and_to_wsgi_in_a_thread(qstash_fake, client):
    threads = []

    def wsgi(environ, start_response):
        threads.append(threading.current_thread())
        start_response("200 OK", [])
        return []

    qstash_fake.mount(asgi)
    qstash_fake.mount(wsgi, "https://wsgi.example")
    qstash_fake.on("https://route.example").respond(200)
    for url in (JOB, "https://wsgi.example", "https://route.example"):
        client.message.publish(url=url)
    assert len((await qstash_fake.drain_async()).delivered) == 3
    assert threads != [threading.current_thread()]


@pytest.mark.anyio
async def test_a_lifespan_runs_in_a_block(qstash_fake, client):
    events: list[str] = []

    @asynccontextmanager
    async def lifespan(app):
        events.append("starts")
        yield {"pool": "pool"}
        await anyio.lowlevel.checkpoint()
        events.append("stops")

    async def job(request):
        await anyio.lowlevel.checkpoint()
        return PlainTextResponse(request.state.pool)

    app = Starlette(routes=[Route("/jobs", job, methods=["POST"])], lifespan=lifespan)
    qstash_fake.mount(app)
    client.message.publish(url=JOB)
    async with qstash_fake.lifespan(app):
        await qstash_fake.drain_async()
    assert (qstash_fake.attempts[0].body, events) == (b"pool", ["starts", "stops"])


@pytest.mark.anyio
@pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z", watchdog="10ms")
async def test_the_watchdog_gives_up_what_does_not_answer(qstash_fake, client):
    async def for_ever(request):
        await anyio.Event().wait()

    qstash_fake.mount(for_ever)
    client.message.publish(url=JOB, retries=0)
    with pytest.raises(UsageError, match=r"did not answer attempt 1 of 1 within 10ms(.|\n)*, in for_ever"):
        await qstash_fake.drain_async()
    assert qstash_fake.attempts[0].error == "no answer within 10ms of real time"


@pytest.mark.anyio
async def test_what_the_application_raises_is_raised(qstash_fake, client):
    async def broken(request):
        raise ConnectionError("no database")

    qstash_fake.mount(broken)
    client.message.publish(url=JOB)
    with pytest.raises(ConnectionError, match="no database"):
        await qstash_fake.drain_async()
    assert qstash_fake.attempts[0].status == 500


@pytest.mark.anyio
async def test_a_time_out_of_the_test_ends_the_verb_and_fails_the_attempt_in_flight(qstash_fake, client):
    async def for_ever(request):
        await anyio.Event().wait()

    qstash_fake.mount(for_ever)
    client.message.publish(url=JOB, retries=0)
    with anyio.move_on_after(0.01) as scope:
        await qstash_fake.drain_async()
    assert scope.cancelled_caught
    assert qstash_fake.messages[0].state == "FAILED"
    qstash_fake.on(JOB).respond(200)
    client.message.publish(url=JOB)
    assert len((await qstash_fake.drain_async()).delivered) == 1


@pytest.mark.anyio
async def test_each_delivery_has_a_task_of_its_own(qstash_fake, client):
    tasks = [anyio.get_current_task().coro]

    async def job(request: httpx.Request) -> httpx.Response:
        tasks.append(anyio.get_current_task().coro)
        return httpx.Response(200)

    qstash_fake.mount(job)
    for _ in range(2):
        client.message.publish(url=JOB)
    await qstash_fake.drain_async()
    assert len({id(task) for task in tasks}) == 3


@pytest.mark.anyio
async def test_sync_verbs_and_failures_name_the_verb_that_works(qstash_fake, client):
    client.message.publish(url=JOB)
    with pytest.raises(
        UsageError, match=r"drain\(\) was called on a running event loop.*await qstash_fake.drain_async"
    ):
        qstash_fake.drain()
    with pytest.raises(AssertionError, match=r"deliver with await qstash_fake.deliver_due_async\(\)"):
        qstash_fake.assert_delivered()
    with pytest.raises(DrainLimitReached, match=r"raise drain_async\(limit=…\), or .* await .*clock.advance_async\("):
        await qstash_fake.drain_async(limit=-1)
    qstash_fake.reset()
    client.schedule.create(destination=JOB, cron="* * * * *")
    with pytest.raises(AssertionError, match=r"clock.advance_async\('\w+'\), drain_async\(\) runs no schedule"):
        qstash_fake.assert_delivered()


# --- a foreign loop in this thread ---------------------------------------------------------------------------


@pytest.mark.usefixtures("foreign_loop")
def test_a_sync_verb_delivers_beside_a_loop_that_does_not_run_the_test(qstash_fake, client):
    seen = []

    def wsgi(environ, start_response):
        seen.append(asyncio._get_running_loop())  # what Django asks before it uses its ORM
        start_response("200 OK", [])
        return []

    qstash_fake.mount(asgi)
    qstash_fake.mount(wsgi, "https://wsgi.example")
    client.message.publish(url=JOB)
    client.message.publish(url="https://wsgi.example")
    assert len(qstash_fake.drain().delivered) == 2
    assert seen == [None]


def test_the_foreign_loop_is_what_it_was_after_a_verb(qstash_fake, client, foreign_loop):
    task = asyncio.current_task()
    qstash_fake.mount(asgi)
    client.message.publish(url=JOB)
    qstash_fake.drain()
    assert (asyncio.get_running_loop(), asyncio.current_task()) == (foreign_loop, task)
    assert task is not None


@pytest.mark.usefixtures("foreign_loop")
def test_hints_name_the_sync_verb_there(qstash_fake, client):
    client.message.publish(url=JOB)
    with pytest.raises(AssertionError, match=r"deliver with qstash_fake.deliver_due\(\)"):
        qstash_fake.assert_delivered()


@pytest.mark.asyncio
async def test_a_greenlet_that_a_task_waits_for_is_run_by_the_loop(qstash_fake):
    """SQLAlchemy runs synchronous code so."""

    def sync_code():
        with pytest.raises(UsageError, match="running event loop"):
            qstash_fake.drain()
        return "refused"

    assert greenlet.greenlet(sync_code).switch() == "refused"


def test_playwright_leaves_such_a_loop(qstash_fake, client):
    sync_api = pytest.importorskip("playwright.sync_api")
    qstash_fake.mount(asgi)
    playwright = sync_api.sync_playwright().start()
    try:
        client.message.publish(url=JOB)
        assert len(qstash_fake.drain().delivered) == 1
    finally:
        playwright.stop()
