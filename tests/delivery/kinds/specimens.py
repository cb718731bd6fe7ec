"""A specimen of each kind of application, all with the same three answers, for the table of the documentation.

`/jobs/echo` is a 200, `/jobs/fails` raises LookupError, `/jobs/streams` answers `ab` in two parts. An application that
has a lifespan notes "starts" in *events*.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any
from unittest.mock import Mock

import fastapi
import flask
import httpx
import litestar
import litestar.response
import litestar.testing
import mangum
import quart
import starlette.testclient
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from fastapi.responses import StreamingResponse

Events = list[str]
PARTS = ("a", "b")


@dataclass(frozen=True)
class Specimen:
    """What is mounted, by the name that readers know it by; *kind* is its row in the table of kinds.

    *make* returns what is mounted. *lifespan* says who starts the application: "the verb", "the client" when it is
    entered, in an async test if it is *asynchronous*, "Mangum", or nobody; None is of an application that has none.
    """

    name: str
    kind: str
    make: Callable[[Events], Any]
    lifespan: str | None = None
    asynchronous: bool = False


def fails(*_: Any) -> Any:
    raise LookupError("no such order")


async def fails_async() -> None:
    fails()


async def parts() -> Any:
    for part in PARTS:
        yield part


def fastapi_app(events: Events) -> Any:
    @asynccontextmanager
    async def lifespan(_: Any) -> Any:
        events.append("starts")
        yield

    app = fastapi.FastAPI(lifespan=lifespan)
    app.add_api_route("/jobs/echo", lambda: None, methods=["POST"])
    app.add_api_route("/jobs/fails", fails_async, methods=["POST"])
    app.add_api_route("/jobs/streams", lambda: StreamingResponse(parts()), methods=["POST"], response_model=None)
    return app


def litestar_app(events: Events) -> Any:
    @litestar.post("/jobs/echo")
    async def echo() -> None:
        pass

    @litestar.post("/jobs/fails")
    async def failing() -> None:
        fails()

    @litestar.post("/jobs/streams")
    async def streams() -> litestar.response.Stream:
        return litestar.response.Stream(parts())

    async def on_startup() -> None:
        events.append("starts")

    return litestar.Litestar(
        [echo, failing, streams], on_startup=[on_startup], openapi_config=None, logging_config=None
    )


def quart_app(events: Events) -> Any:
    app = quart.Quart("shop")

    async def streams() -> Any:
        return parts(), 200

    async def echo() -> str:
        return ""

    async def starts() -> None:
        events.append("starts")

    app.before_serving(starts)
    views: dict[str, Any] = {"echo": echo, "fails": fails_async, "streams": streams}
    for name, view in views.items():
        app.add_url_rule(f"/jobs/{name}", name, view, methods=["POST"])
    return app


def flask_app(_: Events) -> Any:
    app = flask.Flask("shop")
    views: dict[str, Any] = {"echo": lambda: "", "fails": fails, "streams": lambda: iter(PARTS)}
    for name, view in views.items():
        app.add_url_rule(f"/jobs/{name}", name, view, methods=["POST"])
    return app


def aiohttp_app(events: Events) -> Any:
    async def job(request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/fails"):
            fails()
        response = web.StreamResponse()
        await response.prepare(request)
        for part in PARTS:
            await response.write(part.encode())
        return response

    async def starts(_: web.Application) -> None:
        events.append("starts")

    app = web.Application()
    app.router.add_post("/jobs/{name}", job)
    app.on_startup.append(starts)
    return app


def respond(request: httpx.Request) -> httpx.Response:
    if request.url.path.endswith("/fails"):
        fails()
    return httpx.Response(200, content=(part.encode() for part in PARTS))


async def respond_async(request: httpx.Request) -> httpx.Response:
    if request.url.path.endswith("/fails"):
        fails()
    return httpx.Response(200, content=(part.encode() async for part in parts()))


def lambda_handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    if event["rawPath"].endswith("/fails"):
        fails()
    return {"statusCode": 200, "body": "".join(PARTS)}


class Mangum(mangum.Mangum):
    def _setup_event_loop(self) -> None:
        """Make no loop for this thread: nobody would close it."""


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        if self.path.endswith("/fails"):
            fails()
        self.send_response(200)
        self.end_headers()
        for part in PARTS:
            self.wfile.write(part.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Asked:
    """A client of a user's own."""

    def request(self, method: str, url: str, *, content: bytes, headers: Any) -> httpx.Response:
        return respond(httpx.Request(method, url, content=content, headers=headers))


def django(name: str, module: str) -> Callable[[Events], Any]:
    return lambda _: getattr(__import__(module, fromlist=[name]), name)()


SPECIMENS = (
    Specimen("FastAPI, Starlette", "an ASGI application", fastapi_app, "the verb"),
    Specimen("Litestar", "an ASGI application", litestar_app, "the verb"),
    Specimen("Quart", "an ASGI application", quart_app, "the verb"),
    Specimen("Flask", "a WSGI application", flask_app),
    Specimen("Django's ASGI handler", "Django's ASGI handler", django("ASGIHandler", "django.core.handlers.asgi")),
    Specimen("Django's WSGI handler", "Django's WSGI handler", django("WSGIHandler", "django.core.handlers.wsgi")),
    Specimen("aiohttp", "an aiohttp application", aiohttp_app, "the verb"),
    Specimen(
        "`TestClient` of FastAPI and Starlette, entered",
        "Starlette's and FastAPI's TestClient, entered",
        lambda events: starlette.testclient.TestClient(fastapi_app(events)),
        "the client",
    ),
    Specimen(
        "`TestClient` of FastAPI and Starlette, not entered",
        "Starlette's and FastAPI's TestClient, not entered",
        lambda events: starlette.testclient.TestClient(fastapi_app(events)),
        "nobody",
    ),
    Specimen(
        "`TestClient` of Litestar, entered",
        "Litestar's TestClient and AsyncTestClient, entered",
        lambda events: litestar.testing.TestClient(litestar_app(events)),
        "the client",
    ),
    Specimen(
        "`AsyncTestClient` of Litestar, entered",
        "Litestar's TestClient and AsyncTestClient, entered",
        lambda events: litestar.testing.AsyncTestClient(litestar_app(events)),
        "the client",
        asynchronous=True,
    ),
    Specimen(
        "both of Litestar, not entered",
        "Litestar's TestClient and AsyncTestClient, not entered",
        lambda events: litestar.testing.TestClient(litestar_app(events)),
        "nobody",
    ),
    Specimen(
        "`app.test_client()` of Quart",
        "Quart's test client",
        lambda events: quart_app(events).test_client(),
        "nobody",
    ),
    Specimen(
        "`app.test_client()` of Flask, Werkzeug's `Client`",
        "Flask's and Werkzeug's test client",
        lambda events: flask_app(events).test_client(),
    ),
    Specimen("`Client` of Django", "Django's test client", django("Client", "django.test")),
    Specimen("`AsyncClient` of Django", "Django's asynchronous test client", django("AsyncClient", "django.test")),
    Specimen(
        "`TestClient` of aiohttp",
        "aiohttp's TestClient",
        lambda events: TestClient(TestServer(aiohttp_app(events))),
        "the client",
        asynchronous=True,
    ),
    Specimen(
        "httpx and httpx2, `Client` over an application",
        "an httpx client with a transport of its own",
        lambda events: httpx.Client(transport=httpx.WSGITransport(flask_app(events))),
    ),
    Specimen(
        "httpx and httpx2, `AsyncClient` over an application",
        "an httpx client with a transport of its own",
        lambda events: httpx.AsyncClient(transport=httpx.ASGITransport(fastapi_app(events))),
        "nobody",
    ),
    Specimen(
        "another client with `request(method, url, content=, headers=)`",
        "a client with request(method, url, content=, headers=)",
        lambda _: Asked(),
    ),
    Specimen(
        "a function of `httpx.Request` to `httpx.Response`", "a function, or a coroutine function", lambda _: respond
    ),
    Specimen("a coroutine function of the same", "a function, or a coroutine function", lambda _: respond_async),
    Specimen("`Mock`, `MagicMock`, `AsyncMock`", "Mock, MagicMock, AsyncMock", lambda _: Mock(side_effect=respond)),
    Specimen("AWS Lambda, `handler(event, context)`", "an AWS Lambda handler", lambda _: lambda_handler),
    Specimen("Mangum", "Mangum", lambda events: Mangum(fastapi_app(events)), "Mangum"),
    Specimen("a class of `http.server`, as Vercel's", "a handler class of http.server", lambda _: Handler),
)
