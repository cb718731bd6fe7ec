"""Applications that can be mounted: what kinds there are, how each is told apart, and how each is called.

Every kind has `send(request)`, which returns what came unchecked; for those with `is_async` an awaitable of it.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol

import httpx

from qstash_fake.broker.message import Outcome
from qstash_fake.delivery import asgi, wsgi
from qstash_fake.delivery.answers import Answer, Body
from qstash_fake.delivery.exchange import Request
from qstash_fake.errors import UsageError
from qstash_fake.protocol.http import encode

KINDS = (
    "an ASGI or WSGI application, a test client with .request(), or a callable that takes an httpx.Request "
    "and returns an httpx.Response"
)


class App(Protocol):
    """Something that answers requests."""

    is_async: ClassVar[bool]
    in_thread: ClassVar[bool]
    """Whether an event loop must not wait for it: it may block."""

    def send(self, request: Request) -> Any: ...


@dataclass(slots=True)
class Asgi:
    """A bare ASGI application."""

    app: asgi.AsgiApp
    lifespan: asgi.Lifespan | None = None
    """What runs around the requests, once it has been started."""
    is_async: ClassVar[bool] = True
    in_thread: ClassVar[bool] = False

    async def send(self, request: Request) -> Answer | Outcome:
        with swallowed_exceptions() as swallowed:
            answer = await asgi.call(self.app, request, self.lifespan.state if self.lifespan else None)
        return _with_exception(answer, swallowed)

    @property
    def is_django(self) -> bool:
        """Whether its synchronous views belong in the thread of the test, which asgiref sees to."""
        handlers = sys.modules.get("django.core.handlers.asgi")
        return handlers is not None and isinstance(self.app, handlers.ASGIHandler)


@dataclass(slots=True)
class Wsgi:
    """A WSGI application."""

    app: wsgi.WsgiApp
    is_async: ClassVar[bool] = False
    in_thread: ClassVar[bool] = True

    def send(self, request: Request) -> Answer | Outcome:
        with swallowed_exceptions() as swallowed:
            answer = wsgi.call(self.app, request)
        return _with_exception(answer, swallowed)


@dataclass(slots=True)
class PortalClient:
    """Starlette's TestClient, entered: its application on the event loop that the client started it on."""

    client: Any
    is_async: ClassVar[bool] = False
    in_thread: ClassVar[bool] = True

    def send(self, request: Request) -> Answer | Outcome:
        if self.client.portal is None:
            raise UsageError("the mounted TestClient is closed: mount it inside its `with TestClient(app)` block")
        state = dict(getattr(self.client, "app_state", {}))
        with swallowed_exceptions() as swallowed:
            answer: Answer | Outcome = self.client.portal.call(asgi.call, self.client.app, request, state)
        return _with_exception(answer, swallowed)


@dataclass(slots=True)
class Client:
    """A client with httpx's `request(method, url, content=, headers=)`, synchronous or not."""

    client: Any
    is_async: ClassVar[bool] = False
    in_thread: ClassVar[bool] = True

    def send(self, request: Request) -> Any:
        arguments = _arguments(self.client, request)
        with Answer() as answer:
            answer.take(self.client.request(request.method, request.url, **arguments))
        return answer


@dataclass(slots=True)
class AsyncClient(Client):
    """A client whose `request` is a coroutine, such as httpx.AsyncClient."""

    is_async: ClassVar[bool] = True

    async def send(self, request: Request) -> Answer:
        arguments = _arguments(self.client, request)
        with Answer() as answer:
            answer.take(await self.client.request(request.method, request.url, **arguments))
        return answer


@dataclass(slots=True)
class DjangoClient:
    """Django's test client, which handles signals and connections as its own tests expect."""

    client: Any
    is_async: ClassVar[bool] = False
    in_thread: ClassVar[bool] = True

    def send(self, request: Request) -> Answer | Outcome:
        environ, body = wsgi.environ(request), Body()
        with swallowed_exceptions() as swallowed, Answer() as answer:
            response = self.client.request(**environ)
            body.read(response)
            answer.status, answer.headers, answer.body = response.status_code, response, body.joined()
        return _with_exception(answer, swallowed)


@dataclass(slots=True)
class DjangoAsyncClient:
    """Django's asynchronous test client."""

    client: Any
    is_async: ClassVar[bool] = True
    in_thread: ClassVar[bool] = False
    is_django: ClassVar[bool] = True

    async def send(self, request: Request) -> Answer | Outcome:
        from django.test.client import FakePayload

        scope, body = asgi.scope(request), Body()
        with swallowed_exceptions() as swallowed, Answer() as answer:
            response = await self.client.request(**scope, _body_file=FakePayload(request.body))
            if response.streaming:
                await body.read_async(response)
            else:
                body.read(response)
            answer.status, answer.headers, answer.body = response.status_code, response, body.joined()
        return _with_exception(answer, swallowed)


@dataclass(slots=True)
class Function:
    """A callable that takes an httpx.Request and returns an httpx.Response."""

    function: Callable[[httpx.Request], httpx.Response]
    is_async: ClassVar[bool] = False
    in_thread: ClassVar[bool] = False

    def send(self, request: Request) -> Answer:
        given = request.to_httpx()
        with Answer() as answer:
            answer.take(self.function(given))
        return answer


@dataclass(slots=True)
class AsyncFunction:
    """A coroutine function that takes an httpx.Request and returns an httpx.Response."""

    function: Callable[[httpx.Request], Awaitable[httpx.Response]]
    is_async: ClassVar[bool] = True
    in_thread: ClassVar[bool] = False

    async def send(self, request: Request) -> Answer:
        given = request.to_httpx()
        with Answer() as answer:
            answer.take(await self.function(given))
        return answer


@dataclass(slots=True)
class Fixed:
    """Always the same outcome; what a route without an application gives."""

    outcome: Outcome
    is_async: ClassVar[bool] = False
    in_thread: ClassVar[bool] = False

    def send(self, request: Request) -> Outcome:
        return self.answer()

    def answer(self) -> Outcome:
        """Return a copy, for an outcome belongs to one attempt."""
        return replace(self.outcome)


def app_for(app: Any) -> App:
    """Return *app* as one of the kinds, or raise UsageError if it is none of them."""
    if _is_mock(app):  # before all others, for it has every attribute
        return AsyncFunction(app) if inspect.iscoroutinefunction(app) else Function(app)
    if hasattr(app, "is_async") and hasattr(app, "in_thread"):
        kind: App = app  # a kind of its own, such as the server's network
        return kind
    if hasattr(app, "generic"):
        if not hasattr(app, "handler"):
            raise UsageError(f"cannot mount {app!r}: it makes requests and answers none; mount django.test.Client()")
        return DjangoAsyncClient(app) if inspect.iscoroutinefunction(app.request) else DjangoClient(app)
    if hasattr(app, "open") and hasattr(app, "application"):
        return Wsgi(app.application)  # Flask's and Werkzeug's test client
    if callable(getattr(app, "request", None)) and not callable(app):
        return _client(app)
    if not callable(app) or isinstance(app, type):
        raise UsageError(f"cannot mount {app!r}: give {KINDS}")
    arguments = _positional_arguments(app)
    if arguments == 1:
        is_async = inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(app.__call__)
        return AsyncFunction(app) if is_async else Function(app)
    if arguments == 2:
        return Wsgi(app)
    if arguments == 3:
        return Asgi(app)
    raise UsageError(f"cannot mount {app!r}: it takes {arguments} arguments; give {KINDS}")


def _is_mock(app: Any) -> bool:
    """Tell whether *app* is a Mock, MagicMock or AsyncMock that can be called."""
    mock = sys.modules.get("unittest.mock")
    return mock is not None and isinstance(app, mock.NonCallableMock) and callable(app)


def _client(client: Any) -> App:
    if hasattr(client, "portal") and hasattr(client, "app"):
        # An unentered TestClient starts no lifespan; its application is called as a bare one then.
        return PortalClient(client) if client.portal is not None else Asgi(client.app)
    return AsyncClient(client) if inspect.iscoroutinefunction(client.request) else Client(client)


def _positional_arguments(call: Callable[..., Any]) -> int:
    try:
        parameters = inspect.signature(call).parameters.values()
    except (TypeError, ValueError):
        return 3
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    required = sum(p.default is p.empty for p in positional)
    if any(p.kind is p.VAR_POSITIONAL for p in parameters) and required < 1:
        return 3
    return required


def _arguments(client: Any, request: Request) -> dict[str, Any]:
    headers = [pair for pair in request.headers if pair[0] not in ("Host", "Content-Length")]
    is_ascii = all(value.isascii() for _, value in headers)  # more than that, httpx takes as bytes only
    arguments: dict[str, Any] = {"content": request.body, "headers": headers if is_ascii else encode(headers)}
    if isinstance(client, (httpx.Client, httpx.AsyncClient)):
        arguments["follow_redirects"] = False  # assumed of QStash, as in Outcome.success
    return arguments


def _with_exception(answer: Answer | Outcome, swallowed: list[Exception]) -> Answer | Outcome:
    if answer.exception is None and swallowed:
        answer.exception = swallowed[-1]
    return answer


@contextmanager
def swallowed_exceptions() -> Iterator[list[Exception]]:
    """Collect the exceptions that Flask and Django turn into a 500 themselves; neither is imported for it."""
    found: list[Exception] = []

    def note(sender: object, **details: Any) -> None:
        error = details.get("exception") or sys.exc_info()[1]
        if isinstance(error, Exception):
            found.append(error)

    signals = [
        module.got_request_exception
        for name in ("flask.signals", "django.core.signals")
        if (module := sys.modules.get(name)) is not None
    ]
    for signal in signals:
        signal.connect(note)
    try:
        yield found
    finally:
        for signal in signals:
            signal.disconnect(note)
