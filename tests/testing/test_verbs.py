"""The verbs: the twins, a sync verb on a running loop, a verb inside a handler, and two verbs at once."""

import asyncio
import contextvars
import threading
from collections.abc import Callable
from datetime import UTC, datetime

import fastapi
import fastapi.testclient
import httpx
import pytest

from qstash_fake import QStashFake, UsageError
from tests.shop import JOBS
from tests.times import at

TWINS = ("advance", "advance_to", "advance_to_next", "advance_until", "drain", "deliver", "deliver_due")

pytestmark = pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z")


def verb(fake: QStashFake, name: str):
    """Return a verb with its arguments filled in; each moves to, or past, a message due in a minute."""
    owner = fake if hasattr(fake, name) else fake.clock
    arguments: dict[str, Callable[[], object]] = {
        "advance": lambda: "1m",
        "advance_to": lambda: "2026-01-01T00:01:00Z",
        "advance_until": lambda: lambda: not fake.pending,
        "deliver": lambda: fake.messages[-1],
    }
    argument = arguments.get(name.removesuffix("_async"))
    return lambda: getattr(owner, name)(*([argument()] if argument else []))


@pytest.mark.parametrize("name", TWINS)
def test_a_verb_delivers_what_its_twin_delivers(fake, client, name):
    def once():
        client.message.publish(url=JOBS)
        report = verb(fake, name)()
        return len(report.attempts), str(report).partition("; now")[0]

    def twin():
        client.message.publish(url=JOBS)
        report = asyncio.run(verb(fake, f"{name}_async")())
        return len(report.attempts), str(report).partition("; now")[0]

    first = once()
    if name == "advance_to":
        assert twin() == first  # it is that moment already; what is due is delivered all the same
    else:
        assert twin() == first == (1, "1 attempt, 1 delivered, 0 dead")


@pytest.mark.parametrize("name", TWINS)
@pytest.mark.asyncio
async def test_a_sync_verb_on_a_running_loop_names_its_twin(fake, client, name):
    client.message.publish(url=JOBS)
    with pytest.raises(UsageError, match=rf"^{name}\(\) was called on a running event loop.*\.{name}_async\("):
        verb(fake, name)()
    assert fake.attempts == []


def handlers(fake: QStashFake, call):
    """Return applications of three kinds that call a verb, and swallow what it raises."""

    def function(request):
        try:
            call()
        except UsageError:
            return httpx.Response(200)
        return httpx.Response(500)

    async def coroutine(scope, receive, send):
        response = function(None)
        await send({"type": "http.response.start", "status": response.status_code, "headers": []})
        await send({"type": "http.response.body"})

    def wsgi(environ, start_response):
        start_response(f"{function(None).status_code} x", [])
        return []

    return {"function": function, "ASGI": coroutine, "WSGI": wsgi}


@pytest.mark.parametrize("kind", ["function", "ASGI", "WSGI"])
@pytest.mark.parametrize("name", TWINS)
def test_a_verb_inside_a_handler_raises_and_poisons_the_outer_verb(qstash_fake, client, kind, name):
    qstash_fake.mount(handlers(qstash_fake, verb(qstash_fake, name))[kind], lifespan=False)
    client.message.publish(url=JOBS)
    with pytest.raises(UsageError, match=rf"^{name}\(\) was called while drain\(\) runs"):
        qstash_fake.drain()
    assert len(qstash_fake.delivered) == 1  # the handler has swallowed it, and so it was delivered


@pytest.mark.parametrize("name", ["advance", "advance_async"])
@pytest.mark.asyncio
async def test_a_verb_inside_a_handler_poisons_an_async_verb_too(qstash_fake, client, name):
    async def app(request: httpx.Request) -> httpx.Response:
        try:
            result = verb(qstash_fake, name)()
            if name.endswith("_async"):
                await result
        except UsageError:
            return httpx.Response(200)
        return httpx.Response(500)

    qstash_fake.mount(app)
    client.message.publish(url=JOBS)
    with pytest.raises(UsageError, match=r"^advance\(\) was called while drain\(\) runs"):
        await qstash_fake.drain_async()


def test_after_a_poisoned_verb_the_next_one_works(qstash_fake, client):
    route = qstash_fake.on(JOBS + "/fine").respond(200)
    qstash_fake.mount(handlers(qstash_fake, qstash_fake.deliver_due)["function"])
    client.message.publish(url=JOBS)
    with pytest.raises(UsageError):
        qstash_fake.deliver_due()
    client.message.publish(url=JOBS + "/fine")
    qstash_fake.deliver_due()
    assert len(route.calls) == 1


def test_reading_the_clock_inside_a_handler_is_fine(qstash_fake, client):
    seen = []

    def app(request):
        seen.append((qstash_fake.clock.now, qstash_fake.clock.next_due))
        return httpx.Response(200)

    qstash_fake.mount(app)
    client.message.publish(url=JOBS)
    client.message.publish(url=JOBS, delay="1m")
    qstash_fake.deliver_due()
    assert seen == [(at(), at(0, 1))]


def test_an_async_verb_without_a_loop_says_what_to_use(fake):
    verb = fake.clock.advance_async("1m")
    with pytest.raises(
        UsageError,
        match=r"^advance_async\(\) needs a running loop of asyncio or trio; .*, use qstash_fake.clock.advance",
    ):
        verb.send(None)


# --- two verbs at once --------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_of_two_verbs_in_two_tasks_only_the_second_is_refused(qstash_fake, client):
    async def app(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0)
        return httpx.Response(200)

    qstash_fake.mount(app)
    client.message.publish(url=JOBS)
    first, second = (
        asyncio.create_task(verb) for verb in (qstash_fake.drain_async(), qstash_fake.clock.advance_async("1m"))
    )
    await asyncio.wait((first, second))
    assert len(first.result().delivered) == 1
    assert str(second.exception()) == (
        "advance() was called while drain() runs in another task: call it when that one has returned"
    )
    qstash_fake.verify()  # told once


def beside(call: Callable[[], object]):
    """Return an application that calls *call* in a thread without the context of the delivery, and what it raises."""
    caught: list[str] = []

    def in_thread():
        try:
            call()
        except UsageError as error:
            caught.append(str(error))

    def app(request):
        thread = threading.Thread(target=contextvars.Context().run, args=(in_thread,))
        thread.start()
        thread.join()
        return httpx.Response(200)

    return app, caught


def test_of_two_verbs_in_two_threads_only_the_second_is_refused(qstash_fake, client):
    app, caught = beside(lambda: qstash_fake.clock.advance("1m"))
    qstash_fake.mount(app)
    client.message.publish(url=JOBS)
    assert len(qstash_fake.drain().delivered) == 1
    assert caught == ["advance() was called while drain() runs in another thread: call it when that one has returned"]
    qstash_fake.verify()


@pytest.mark.parametrize("kind", ["application", "test client"])
def test_a_handler_in_a_thread_pool_is_inside_the_verb(qstash_fake, client, kind):
    app = fastapi.FastAPI()

    @app.post("/jobs")
    def job() -> None:
        qstash_fake.deliver_due()

    qstash_fake.mount(app if kind == "application" else fastapi.testclient.TestClient(app))
    client.message.publish(url=JOBS)
    with pytest.raises(UsageError, match=r"deliver_due\(\) was called while drain\(\) runs: a handler cannot move the"):
        qstash_fake.drain()


def test_a_handler_may_use_another_fake_but_not_come_back(client):
    with QStashFake(freeze="off") as outer, QStashFake(freeze="off") as inner:
        inner.on(JOBS).respond(200)
        outer.mount(lambda request: httpx.Response(200 if inner.drain().delivered == () else 500))
        outer.api.answer("POST", f"/v2/publish/{JOBS}", [("Authorization", "Bearer t")], b"")
        assert len(outer.drain().delivered) == 1

        inner.mount(lambda request: httpx.Response(200 if outer.drain().held else 500))
        for fake in (outer, inner):
            fake.api.answer("POST", f"/v2/publish/{JOBS}/back", [("Authorization", "Bearer t")], b"")
        with pytest.raises(UsageError, match=r"^drain\(\) was called while drain\(\) runs: a handler"):
            outer.drain()


@pytest.mark.asyncio
async def test_a_verb_that_is_forgotten_in_a_task_freezes_nothing_after_the_block(client):
    delivering, go_on = asyncio.Event(), asyncio.Event()

    async def app(request: httpx.Request) -> httpx.Response:
        delivering.set()
        await go_on.wait()
        return httpx.Response(200)

    with QStashFake(start="2026-01-01T00:00:00Z") as fake:
        fake.mount(app)
        client.message.publish(url=JOBS)
        client.message.publish(url=JOBS)
        forgotten = asyncio.create_task(fake.drain_async())
        await delivering.wait()
    go_on.set()
    with pytest.raises(UsageError, match="a verb still runs after the `with` block of its QStashFake: await it"):
        await forgotten
    assert datetime.now(UTC) != at()
    assert len(fake.attempts) == 1


# --- reset --------------------------------------------------------------------------------------------------------


def test_a_reset_inside_a_handler_is_refused_and_the_verb_raises_it_too(qstash_fake, client):
    qstash_fake.mount(handlers(qstash_fake, qstash_fake.reset)["function"])
    client.message.publish(url=JOBS)
    with pytest.raises(UsageError) as caught:
        qstash_fake.drain()
    assert str(caught.value) == (
        "reset() was called while drain() runs: a handler cannot forget the delivery that it answers"
    )
    assert len(qstash_fake.delivered) == 1


def test_a_reset_in_a_thread_while_a_verb_runs_is_refused(qstash_fake, client):
    app, caught = beside(qstash_fake.reset)
    qstash_fake.mount(app)
    client.message.publish(url=JOBS)
    qstash_fake.drain()
    assert caught == ["reset() was called while drain() runs in another thread: call it when that one has returned"]
    assert len(qstash_fake.delivered) == 1
    qstash_fake.reset()
    assert qstash_fake.messages == []
