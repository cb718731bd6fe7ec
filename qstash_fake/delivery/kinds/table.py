"""The kinds of applications that can be mounted: how each is recognized, why that is safe, and what calls it.

The first row that fits counts. A row asks for the class of an object, or, where there is no such class, for the way the
object is called. It never asks for an attribute that an object of another kind may have.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NoReturn

from qstash_fake.delivery.classes import inherits, is_a, names_of
from qstash_fake.delivery.kinds import aiohttp
from qstash_fake.delivery.kinds.asgi import Asgi
from qstash_fake.delivery.kinds.base import App, AsyncApp, SyncApp, is_coroutine_function
from qstash_fake.delivery.kinds.clients import (
    AsyncClient,
    Client,
    HttpxAsyncClient,
    HttpxClient,
    PortalClient,
    asks_the_network,
)
from qstash_fake.delivery.kinds.django import DjangoAsyncClient, DjangoClient, DjangoWsgi, OnAsgiref
from qstash_fake.delivery.kinds.events import Lambda, Mangum
from qstash_fake.delivery.kinds.functions import AsyncFunction, Function
from qstash_fake.delivery.kinds.http_server import HandlerClass
from qstash_fake.delivery.kinds.wsgi import Wsgi
from qstash_fake.errors import UsageError
from qstash_fake.protocol import urls

_ASYNC_HTTPX = ("httpx.AsyncClient", "httpx2.AsyncClient")
POSSIBLE = (
    "an ASGI or WSGI application, a test client with .request(), or a callable that takes an httpx.Request "
    "and returns an httpx.Response"
)


class Candidate:
    """An object that is to be mounted, and what the rows ask about it. Most rows ask the same; it is found out once."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.is_called = callable(app) and not isinstance(app, type)
        """Whether it can be called as it is; to call a class only makes an object."""
        self._classes = names_of(type(app))

    def is_a(self, *names: str) -> bool:
        """Tell whether it is of a class `package.Name`, or of one that inherits from it."""
        return not self._classes.isdisjoint(names)

    def is_called_with(self, count: int) -> bool:
        """Tell whether it is called with *count* positional arguments; no class is."""
        return self.is_called and self.arguments == count

    @cached_property
    def parameters(self) -> list[inspect.Parameter] | None:
        """Its parameters; None if it does not say."""
        try:
            return list(inspect.signature(self.app).parameters.values())
        except (TypeError, ValueError):
            return None

    @cached_property
    def arguments(self) -> int:
        """How many positional arguments it needs; three, if it does not say or takes any number."""
        if self.parameters is None:
            return 3
        positional = [p for p in self.parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        required = sum(p.default is p.empty for p in positional)
        if any(p.kind is p.VAR_POSITIONAL for p in self.parameters) and required < 1:
            return 3
        return required


@dataclass(frozen=True, slots=True)
class Kind:
    """A row: objects that *told* recognizes, because of *why*, are called as *make* says."""

    name: str
    told: Callable[[Candidate], bool]
    why: str
    make: Callable[[Any], App]


def kind_of(app: Any) -> App:
    """Return *app* as one of the kinds, or raise UsageError if it is none of them."""
    candidate = Candidate(app)
    row = next((row for row in KINDS if row.told(candidate)), None)
    if row is None:
        raise UsageError(f"cannot mount {app!r}: give {POSSIBLE}")
    return row.make(app)


def _is_ours(one: Candidate) -> bool:
    return isinstance(one.app, (SyncApp, AsyncApp))


def _is_mock(one: Candidate) -> bool:
    return one.is_a("unittest.CallableMixin")


def _is_entered(one: Candidate) -> bool:
    return one.is_a("starlette.TestClient") and one.app.portal is not None


def _is_entered_litestar(one: Candidate) -> bool:
    return _is_litestar(one) and hasattr(one.app, "blocking_portal")


def _is_litestar(one: Candidate) -> bool:
    return one.is_a("litestar.TestClient", "litestar.AsyncTestClient")


def _is_django_handler(one: Candidate) -> bool:
    return one.is_a("django.ASGIHandler")


def _is_httpx(one: Candidate) -> bool:
    return one.is_a("httpx.Client", "httpx2.Client", *_ASYNC_HTTPX)


def _is_at_a_server(one: Candidate) -> bool:
    return _has_only_the_network(one) and urls.is_loopback(one.app.base_url.host)


def _has_only_the_network(one: Candidate) -> bool:
    return _is_httpx(one) and asks_the_network(one.app)


def _is_asked(one: Candidate) -> bool:
    return not callable(one.app) and callable(getattr(one.app, "request", None)) and _takes_content(one.app.request)


def _takes_content(request: Callable[..., Any]) -> bool:
    try:
        inspect.signature(request).bind("POST", "https://shop.example/", content=b"", headers=[])
    except TypeError:
        return False
    except ValueError:  # it does not say
        return True
    return True


def _is_handler_class(one: Candidate) -> bool:
    return isinstance(one.app, type) and inherits(one.app, "http.BaseHTTPRequestHandler")


def _is_lambda(one: Candidate) -> bool:
    return one.is_called_with(2) and one.parameters is not None and one.parameters[1].name == "context"


def _function(app: Any) -> App:
    return AsyncFunction(app) if is_coroutine_function(app) else Function(app)


def _client(app: Any) -> App:
    return AsyncClient(app) if is_coroutine_function(app.request) else Client(app)


def _httpx_client(app: Any, at: str | None = None) -> App:
    return HttpxAsyncClient(app, at) if is_a(app, *_ASYNC_HTTPX) else HttpxClient(app, at)


def _refuse_network(app: Any) -> NoReturn:
    raise UsageError(
        f"cannot mount {app!r}: it would ask the network, which is never used; give it the application, such as "
        f"transport=httpx.WSGITransport(app), or the base_url of a server on this machine"
    )


def _refuse_factory(app: Any) -> NoReturn:
    raise UsageError(f"cannot mount {app!r}: it makes requests and answers none; mount django.test.Client()")


def _refuse_callable(app: Any) -> NoReturn:
    raise UsageError(f"cannot mount {app!r}: it takes {Candidate(app).arguments} arguments; give {POSSIBLE}")


KINDS = (
    Kind(
        "a kind of its own",
        _is_ours,
        "the server's network, which inherits from AsyncApp, says itself how it is called",
        lambda app: app,
    ),
    Kind(
        "Mock, MagicMock, AsyncMock",
        _is_mock,
        "a mock has every attribute, and would fit the rows below",
        _function,
    ),
    Kind(
        "Django's test client",
        lambda one: one.is_a("django.Client"),
        "its request() takes a WSGI environ, not a method and a URL",
        DjangoClient,
    ),
    Kind(
        "Django's asynchronous test client",
        lambda one: one.is_a("django.AsyncClient"),
        "its request() takes an ASGI scope",
        lambda app: OnAsgiref(DjangoAsyncClient(app)),
    ),
    Kind(
        "Django's request factory",
        lambda one: one.is_a("django.RequestFactory"),
        "the test clients inherit from it; by itself it has no application",
        _refuse_factory,
    ),
    Kind(
        "Django's ASGI handler",
        _is_django_handler,
        "an ASGI application whose synchronous views need the test's thread and its connection to the database",
        lambda app: OnAsgiref(Asgi(app)),
    ),
    Kind(
        "Django's WSGI handler",
        lambda one: one.is_a("django.WSGIHandler"),
        "a WSGI application whose views need that connection in async tests, too",
        DjangoWsgi,
    ),
    Kind(
        "Flask's and Werkzeug's test client",
        lambda one: one.is_a("werkzeug.Client"),
        "it names its application, which is called without the client's cookies",
        lambda app: Wsgi(app.application),
    ),
    Kind(
        "Starlette's and FastAPI's TestClient, entered",
        _is_entered,
        "it has a portal to the loop on which it has started the application",
        lambda app: PortalClient(app, "portal"),
    ),
    Kind(
        "Starlette's and FastAPI's TestClient, not entered",
        lambda one: one.is_a("starlette.TestClient"),
        "it has no portal, starts no lifespan, and names its application",
        lambda app: Asgi(app.app),
    ),
    Kind(
        "Litestar's TestClient and AsyncTestClient, entered",
        _is_entered_litestar,
        "both have the portal as long as they are entered; their `portal` is a method that makes another",
        lambda app: PortalClient(app, "blocking_portal"),
    ),
    Kind(
        "Litestar's TestClient and AsyncTestClient, not entered",
        _is_litestar,
        "without a portal they start no lifespan; they name their application",
        lambda app: Asgi(app.app),
    ),
    Kind(
        "Quart's test client",
        lambda one: one.is_a("quart.QuartClient"),
        "it starts no lifespan (`test_app()` does) and names its application",
        lambda app: Asgi(app.app),
    ),
    Kind(
        "an aiohttp application",
        lambda one: one.is_a("aiohttp.Application"),
        "it takes no arguments: it makes a protocol for each connection",
        aiohttp.Application,
    ),
    Kind(
        "aiohttp's TestClient",
        lambda one: one.is_a("aiohttp.TestClient"),
        "its request() takes a path, and is for the loop of its test",
        aiohttp.Client,
    ),
    Kind(
        "a handler class of http.server",
        _is_handler_class,
        "of all classes that could be mounted, an instance of it is a connection; Vercel's functions are such",
        HandlerClass,
    ),
    Kind(
        "an httpx client of a live server",
        _is_at_a_server,
        "its transports go to the network, and its base URL is this machine",
        lambda app: _httpx_client(app, str(app.base_url)),
    ),
    Kind(
        "an httpx client of the network",
        _has_only_the_network,
        "its transports go to the network, and nothing says where but the message",
        _refuse_network,
    ),
    Kind(
        "an httpx client with a transport of its own",
        _is_httpx,
        "WSGITransport, ASGITransport, MockTransport and those of users lead to an application",
        _httpx_client,
    ),
    Kind(
        "a client with request(method, url, content=, headers=)",
        _is_asked,
        "what cannot be called and has such a method can only be asked",
        _client,
    ),
    Kind(
        "a function, or a coroutine function",
        lambda one: one.is_called_with(1),
        "one argument is the request; ASGI and WSGI take more",
        _function,
    ),
    Kind(
        "Mangum",
        lambda one: one.is_a("mangum.Mangum"),
        "it is called as a Lambda handler, and swallows exceptions",
        Mangum,
    ),
    Kind(
        "an AWS Lambda handler",
        _is_lambda,
        "two arguments of which the second is named `context`, as in all of AWS's examples; WSGI has none",
        Lambda,
    ),
    Kind("a WSGI application", lambda one: one.is_called_with(2), "PEP 3333: environ and start_response", Wsgi),
    Kind(
        "an ASGI application",
        lambda one: one.is_called_with(3),
        "ASGI: scope, receive and send",
        lambda app: Asgi(app, runs_lifespan=True),
    ),
    Kind(
        "a callable of another number of arguments",
        lambda one: one.is_called,
        "no application is called with so many",
        _refuse_callable,
    ),
)
