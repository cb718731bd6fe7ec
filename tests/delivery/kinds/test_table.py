"""Every kind of application that can be mounted, in synchronous and in asynchronous tests."""

import asyncio
import functools
import threading
from contextlib import asynccontextmanager
from contextvars import ContextVar
from importlib.metadata import version
from typing import Any

import flask
import httpx
import litestar
import litestar.testing
import pytest
import quart
import starlette.testclient
from aiohttp import web
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse
from starlette.applications import Starlette
from starlette.requests import Request as StarletteRequest
from starlette.responses import Response
from starlette.routing import Route

from qstash_fake import UsageError
from qstash_fake.delivery.kinds.table import KINDS

JOB = "https://shop.example/jobs/echo?a=%20"
ANSWER = b"POST https://shop.example/jobs/echo?a=%20 0 b'\\xff'"

leaking: ContextVar[str] = ContextVar("leaking", default="clean")


def fastapi_app():
    app = FastAPI()

    @app.post("/jobs/echo")
    async def echo(request: Request) -> PlainTextResponse:
        leaking.set("dirty")
        return PlainTextResponse(_text(request, await request.body()))

    return app


def fastapi_app_with_a_sync_endpoint():
    app = FastAPI()

    @app.post("/jobs/echo")
    def echo(request: Request) -> PlainTextResponse:
        leaking.set("dirty")
        assert threading.current_thread() is not threading.main_thread()
        return PlainTextResponse(_text(request, b"\xff"))

    return app


def starlette_app():
    async def echo(request: StarletteRequest) -> Response:
        return Response(_text(request, await request.body()))

    return Starlette(routes=[Route("/jobs/echo", echo, methods=["POST"])])


def litestar_app():
    @litestar.post("/jobs/echo", status_code=200, media_type="text/plain")
    async def echo(request: litestar.Request[Any, Any, Any]) -> str:
        return _text(request, await request.body())

    return litestar.Litestar([echo], openapi_config=None, logging_config=None)


def quart_app():
    app = quart.Quart("shop")

    @app.post("/jobs/echo")
    async def echo() -> str:
        leaking.set("dirty")
        request = quart.request
        return f"{request.method} {request.url} {request.headers['Upstash-Retried']} {await request.get_data()!r}"

    return app


def flask_app():
    app = flask.Flask("shop")

    @app.post("/jobs/echo")
    def echo() -> str:
        leaking.set("dirty")
        request = flask.request
        return f"{request.method} {request.url} {request.headers['Upstash-Retried']} {request.data!r}"

    @app.post("/jobs/fails")
    def fails() -> str:
        raise LookupError("no such order")

    return app


def wsgi_app():
    def app(environ, start_response):
        leaking.set("dirty")
        start_response("200 OK", [])
        url = f"{environ['wsgi.url_scheme']}://{environ['HTTP_HOST']}{environ['REQUEST_URI']}"
        text = f"{environ['REQUEST_METHOD']} {url} {environ['HTTP_UPSTASH_RETRIED']} {environ['wsgi.input'].read()!r}"
        return [text.encode()]

    return app


def respond(request: httpx.Request) -> httpx.Response:
    leaking.set("dirty")
    return httpx.Response(200, text=_text(request, request.content))


async def respond_async(request: httpx.Request) -> httpx.Response:
    leaking.set("dirty")
    return httpx.Response(200, text=_text(request, request.content))


def respond_after(prefix, request):
    return respond(request)


class Responder:
    def __call__(self, request: httpx.Request) -> httpx.Response:
        return respond(request)


class AsyncResponder:
    async def __call__(self, request: httpx.Request) -> httpx.Response:
        return await respond_async(request)


def _text(request, body: bytes) -> str:
    return f"{request.method} {request.url} {request.headers['Upstash-Retried']} {body!r}"


APPS = {
    "FastAPI": fastapi_app,
    "FastAPI with a sync endpoint": fastapi_app_with_a_sync_endpoint,
    "Starlette": starlette_app,
    "Starlette's TestClient, not entered": lambda: starlette.testclient.TestClient(starlette_app()),
    "Litestar": litestar_app,
    "Litestar's TestClient, not entered": lambda: litestar.testing.TestClient(litestar_app()),
    "Litestar's AsyncTestClient, not entered": lambda: litestar.testing.AsyncTestClient(litestar_app()),
    "Quart": quart_app,
    "Quart's test client": lambda: quart_app().test_client(),
    "Flask": flask_app,
    "Flask's test client": lambda: flask_app().test_client(),
    "a WSGI function": wsgi_app,
    "httpx.Client with MockTransport": lambda: httpx.Client(transport=httpx.MockTransport(respond)),
    "httpx.Client with WSGITransport": lambda: httpx.Client(transport=httpx.WSGITransport(flask_app())),
    "httpx.AsyncClient": lambda: httpx.AsyncClient(transport=httpx.ASGITransport(starlette_app())),
    "a function": lambda: respond,
    "a coroutine function": lambda: respond_async,
    "a partial function": lambda: functools.partial(respond_after, "prefix"),
    "a callable object": Responder,
    "an object with an async call": AsyncResponder,
}


@pytest.fixture(params=APPS)
def app(request):
    return APPS[request.param]()


def test_each_kind_is_delivered_to(qstash_fake, client, app):
    qstash_fake.mount(app, "https://shop.example")
    client.message.publish(url=JOB, body=b"\xff")
    qstash_fake.deliver_due()
    (attempt,) = qstash_fake.attempts
    assert (attempt.status, attempt.body) == (200, ANSWER)


@pytest.mark.asyncio
async def test_each_kind_is_delivered_to_on_the_running_loop(qstash_fake, client, app):
    qstash_fake.mount(app, "https://shop.example")
    client.message.publish(url=JOB, body=b"\xff")
    await qstash_fake.deliver_due_async()
    (attempt,) = qstash_fake.attempts
    assert (attempt.status, attempt.body) == (200, ANSWER)


def test_no_context_variable_leaks_out_of_a_delivery(qstash_fake, client, app):
    qstash_fake.mount(app, "https://shop.example")
    client.message.publish(url=JOB, body=b"\xff")
    qstash_fake.deliver_due()
    assert leaking.get() == "clean"


@pytest.mark.asyncio
async def test_no_context_variable_leaks_on_the_running_loop(qstash_fake, client, app):
    qstash_fake.mount(app, "https://shop.example")
    client.message.publish(url=JOB, body=b"\xff")
    await qstash_fake.deliver_due_async()
    assert leaking.get() == "clean"


def test_an_entered_test_client_delivers_on_its_own_loop_with_its_state(qstash_fake, client):
    async def job(request):
        return Response(f"{request.state.pool} {threading.current_thread() is threading.main_thread()}")

    async def lifespan(app):
        yield {"pool": "open"}

    app = Starlette(routes=[Route("/jobs/echo", job, methods=["POST"])], lifespan=asynccontextmanager(lifespan))
    with starlette.testclient.TestClient(app) as test_client:
        qstash_fake.mount(test_client)
        client.message.publish(url=JOB)
        qstash_fake.deliver_due()
    assert qstash_fake.attempts[0].body == b"open False"


@pytest.mark.asyncio
async def test_an_entered_test_client_works_in_an_async_test(qstash_fake, client):
    with starlette.testclient.TestClient(starlette_app()) as test_client:
        qstash_fake.mount(test_client)
        client.message.publish(url=JOB, body=b"\xff")
        await qstash_fake.deliver_due_async()
    assert qstash_fake.attempts[0].body == ANSWER


def test_a_test_client_that_was_closed_again_is_a_misuse(qstash_fake, client):
    with starlette.testclient.TestClient(starlette_app()) as test_client:
        qstash_fake.mount(test_client)
    client.message.publish(url=JOB)
    with pytest.raises(UsageError, match="the mounted TestClient is closed"):
        qstash_fake.deliver_due()


def litestar_app_that_tells_its_loop():
    loops = []

    async def on_startup() -> None:
        loops.append(asyncio.get_running_loop())

    @litestar.post("/jobs/echo", status_code=200)
    async def job() -> bool:
        return loops == [asyncio.get_running_loop()]

    return litestar.Litestar([job], on_startup=[on_startup], openapi_config=None, logging_config=None)


def test_an_entered_litestar_client_delivers_on_the_loop_of_its_lifespan(qstash_fake, client):
    with litestar.testing.TestClient(litestar_app_that_tells_its_loop()) as test_client:
        qstash_fake.mount(test_client)
        client.message.publish(url=JOB)
        qstash_fake.deliver_due()
    assert qstash_fake.attempts[0].body == b"true"


@pytest.mark.asyncio
async def test_an_entered_litestar_client_delivers_in_an_async_test(qstash_fake, client):
    async with litestar.testing.AsyncTestClient(litestar_app_that_tells_its_loop()) as test_client:
        qstash_fake.mount(test_client)
        client.message.publish(url=JOB)
        await qstash_fake.deliver_due_async()
    assert qstash_fake.attempts[0].body == b"true"


def test_a_litestar_client_that_was_closed_again_is_a_misuse(qstash_fake, client):
    with litestar.testing.TestClient(litestar_app()) as test_client:
        qstash_fake.mount(test_client)
    client.message.publish(url=JOB)
    with pytest.raises(UsageError, match="the mounted TestClient is closed"):
        qstash_fake.deliver_due()


@pytest.mark.parametrize("make", [httpx.Client, httpx.AsyncClient])
def test_redirects_are_not_followed_whatever_the_client_would_do(qstash_fake, client, make):
    away = httpx.MockTransport(lambda request: httpx.Response(307, headers={"Location": "/jobs/away"}))
    qstash_fake.mount(make(transport=away, follow_redirects=True))
    client.message.publish(url="https://shop.example/jobs/away", retries=0)
    qstash_fake.deliver_due()
    assert qstash_fake.dlq[0].response_status == 307


class Job:
    """An application of a user's with attributes that applications of other kinds have."""

    is_async = in_thread = portal = generic = open = application = app = handler = None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        return respond(request)


class JobWithRequest(Job):
    def request(self, method: str, url: str) -> None:
        raise NotImplementedError


@pytest.mark.parametrize("make", [Job, JobWithRequest])
def test_attributes_do_not_make_an_object_another_kind(qstash_fake, client, make):
    qstash_fake.mount(make())
    client.message.publish(url=JOB, body=b"\xff")
    qstash_fake.deliver_due()
    assert qstash_fake.attempts[0].body == ANSWER


def test_a_class_that_inherits_from_a_test_client_is_of_its_kind(qstash_fake, client):
    class ShopClient(starlette.testclient.TestClient):
        pass

    qstash_fake.mount(ShopClient(starlette_app()))
    client.message.publish(url=JOB, body=b"\xff")
    qstash_fake.deliver_due()
    assert qstash_fake.attempts[0].body == ANSWER


def test_every_row_says_why_it_tells_its_kind():
    assert len({row.name for row in KINDS}) == len({row.why for row in KINDS}) == len(KINDS)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (None, "cannot mount None"),
        ("shop:app", "cannot mount 'shop:app'"),
        (FastAPI, "cannot mount <class 'fastapi.applications.FastAPI'>"),
        (lambda: None, "it takes 0 arguments"),
        (lambda a, b, c, d: None, "it takes 4 arguments"),
    ],
)
def test_what_is_no_application_is_refused_with_what_would_do(qstash_fake, wrong, named):
    with pytest.raises(UsageError) as raised:
        qstash_fake.mount(wrong)
    assert named in str(raised.value)
    assert "give an ASGI or WSGI application, a test client with .request(), or a callable" in str(raised.value)


@pytest.mark.parametrize("wrap", [lambda app: app, lambda app: app.test_client()])
def test_an_exception_that_flask_turns_into_a_500_is_raised_from_the_verb(qstash_fake, client, wrap):
    qstash_fake.mount(wrap(flask_app()))
    client.message.publish(url="https://shop.example/jobs/fails")
    with pytest.raises(LookupError, match="no such order"):
        qstash_fake.deliver_due()
    assert qstash_fake.attempts[0].status == 500


def test_an_exception_that_flask_lets_through_in_testing_is_raised_once(qstash_fake, client):
    app = flask_app()
    app.testing = True
    qstash_fake.mount(app)
    client.message.publish(url="https://shop.example/jobs/fails")
    with pytest.raises(LookupError) as raised:
        qstash_fake.deliver_due()
    assert len(raised.value.__notes__) == 1


def test_an_exception_that_flask_handles_is_an_answer(qstash_fake, client):
    app = flask_app()
    app.register_error_handler(LookupError, lambda error: ("gone", 410))
    qstash_fake.mount(app)
    client.message.publish(url="https://shop.example/jobs/fails", retries=0)
    qstash_fake.deliver_due()
    assert qstash_fake.dlq[0].response_status == 410


@pytest.mark.asyncio
async def test_an_exception_that_flask_swallows_is_raised_from_the_async_verb(qstash_fake, client):
    qstash_fake.mount(flask_app())
    client.message.publish(url="https://shop.example/jobs/fails")
    with pytest.raises(LookupError, match="no such order"):
        await qstash_fake.deliver_due_async()


@pytest.mark.parametrize(
    "make",
    [
        lambda app: app,
        lambda app: httpx.Client(transport=httpx.MockTransport(app)),
        lambda app: httpx.AsyncClient(transport=httpx.MockTransport(app)),
    ],
)
def test_a_header_that_is_not_ascii_arrives(qstash_fake, make):
    seen = []

    def app(request: httpx.Request) -> httpx.Response:
        seen.append(dict(request.headers.raw)[b"X-Name"])
        return httpx.Response(200)

    qstash_fake.mount(make(app))
    headers = {b"Authorization": b"Bearer token", b"Upstash-Forward-X-Name": "José".encode("latin-1")}
    httpx.post(f"https://qstash.upstash.io/v2/publish/{JOB}", headers=headers)
    qstash_fake.deliver_due()
    assert seen == ["José".encode("latin-1")]


def of_aiohttp(monkeypatch, name):
    monkeypatch.delattr(web.Application, name)
    return web.Application()


def of_httpx(monkeypatch, name):
    client = httpx.Client()
    monkeypatch.delattr(client, name)
    return client


@pytest.mark.parametrize(
    ("make", "library", "name"),
    [
        (of_aiohttp, "aiohttp", "_make_handler"),
        (of_aiohttp, "aiohttp", "_set_loop"),
        (of_httpx, "httpx", "_transport"),
        (of_httpx, "httpx", "_mounts"),
    ],
)
def test_a_private_name_of_a_library_that_is_gone_is_explained_at_mount(qstash_fake, monkeypatch, make, library, name):
    app = make(monkeypatch, name)
    with pytest.raises(UsageError) as refused:
        qstash_fake.mount(app)
    assert str(refused.value) == (
        f"cannot mount {app!r}: {library} {version(library)} has no {name}, which qstash_fake needs to deliver to it: "
        f"use another version of {library}, or mount something else"
    )
