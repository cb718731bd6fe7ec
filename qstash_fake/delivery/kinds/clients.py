"""Test clients: of Starlette, FastAPI, Litestar, and others with httpx's `request(method, url, content=, headers=)`."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Self, cast

from qstash_fake.delivery.answers import Answer
from qstash_fake.delivery.classes import is_a, require
from qstash_fake.delivery.exchange import Request, moved, path_and_query
from qstash_fake.delivery.kinds import asgi
from qstash_fake.delivery.kinds.base import AsyncApp, Reply, SyncApp
from qstash_fake.delivery.loops import in_thread, trio_is_running
from qstash_fake.errors import UsageError
from qstash_fake.protocol.http import encode

_TO_THE_NETWORK = (
    "httpx.HTTPTransport",
    "httpx.AsyncHTTPTransport",
    "httpx2.HTTPTransport",
    "httpx2.AsyncHTTPTransport",
)


@dataclass(eq=False)
class PortalClient(AsyncApp):
    """A test client that was entered: its application on the event loop that the client started it on.

    *portal* is the client's attribute with the way to that loop; without it the client is closed.
    """

    client: Any
    portal: str

    async def send_async(self, request: Request) -> Reply:
        portal = getattr(self.client, self.portal, None)
        if portal is None:
            raise UsageError("the mounted TestClient is closed: mount it inside its `with TestClient(app)` block")
        state = dict(getattr(self.client, "app_state", {}))  # Starlette's; Litestar's is in the application
        call = asgi.call(self.client.app, request, state)

        async def work() -> Reply:
            return await call

        if trio_is_running():
            return cast(Reply, await in_thread(portal.call, work))
        reply: Reply = await _Elsewhere(portal.start_task_soon(work), call)
        return reply


class _Elsewhere:
    """Waits for *future*, which *work* on another loop fulfils; a cancellation of one cancels the other.

    It is an object that holds *work*, where the watchdog finds the place at which the application waits.
    """

    __slots__ = ("_steps", "_work")

    def __init__(self, future: Future[Reply], work: object) -> None:
        self._steps = asyncio.wrap_future(future).__await__()
        self._work = work

    def __await__(self) -> Generator[Any, Any, Any]:
        return cast(Generator[Any, Any, Any], self)  # all that a wait needs of one is here

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        return next(self._steps)


@dataclass(eq=False)
class Client(SyncApp):
    """A client with `request(method, url, content=, headers=)` that answers at once."""

    client: Any

    def send(self, request: Request) -> Reply:
        with Answer() as answer:
            answer.take(self.client.request(request.method, request.url, content=request.body, headers=_own(request)))
        return answer


@dataclass(eq=False)
class AsyncClient(AsyncApp):
    """A client with the same `request`, which is a coroutine function."""

    client: Any

    async def send_async(self, request: Request) -> Reply:
        with Answer() as answer:
            response = self.client.request(request.method, request.url, content=request.body, headers=_own(request))
            await answer.take_async(await response)
        return answer


@dataclass(eq=False)
class HttpxClient(SyncApp):
    """httpx.Client with a transport that it was given, or with a base URL *at* which a server listens."""

    client: Any
    at: str | None = None

    def send(self, request: Request) -> Reply:
        sent = _built(self.client, request, self.at)
        with Answer() as answer:
            answer.take(self.client.send(sent, stream=True, follow_redirects=False))
        return answer


@dataclass(eq=False)
class HttpxAsyncClient(AsyncApp):
    """httpx.AsyncClient, likewise."""

    client: Any
    at: str | None = None

    async def send_async(self, request: Request) -> Reply:
        sent = _built(self.client, request, self.at)
        with Answer() as answer:
            await answer.take_async(await self.client.send(sent, stream=True, follow_redirects=False))
        return answer


def asks_the_network(client: Any) -> bool:
    """Tell whether all transports of a client of httpx lead to the network."""
    require(client, "_transport", "_mounts")  # no public name leads to them
    transports = [client._transport, *client._mounts.values()]
    return all(is_a(one, *_TO_THE_NETWORK) for one in transports if one is not None)


def _built(client: Any, request: Request, at: str | None) -> Any:
    """Return *request* as *client* sends it. The client may follow redirects; that QStash does not is assumed."""
    if at is not None:
        request = moved(request, at.removesuffix("/") + path_and_query(request.url))
    return client.build_request(request.method, request.url, content=request.body, headers=encode(_own(request)))


def _own(request: Request) -> list[tuple[str, str]]:
    """Return the headers, without those that a client sets itself."""
    return [pair for pair in request.headers if pair[0] not in ("Host", "Content-Length")]
