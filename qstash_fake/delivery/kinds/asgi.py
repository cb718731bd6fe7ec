"""ASGI applications, called as a server calls them."""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

from qstash_fake.broker.message import Outcome
from qstash_fake.delivery.answers import BROKEN, Answer, Body
from qstash_fake.delivery.exchange import Request
from qstash_fake.delivery.kinds.base import AsyncApp, Reply
from qstash_fake.delivery.kinds.swallowed import note_handled
from qstash_fake.delivery.lifespans import VERSION, AsgiApp, AsgiLifespan, Event, Lifespan, Scope
from qstash_fake.delivery.loops import Signal
from qstash_fake.protocol import urls
from qstash_fake.protocol.http import encode


@dataclass(eq=False)
class Asgi(AsyncApp):
    """A bare ASGI application; `mount` says whether it *runs_lifespan*."""

    app: AsgiApp
    lifespan: Lifespan | None = None
    runs_lifespan: bool = False

    def send_async(self, request: Request) -> Coroutine[Any, Any, Reply]:
        return call(self.app, request, self.lifespan.state if self.lifespan else None)

    def make_lifespan(self) -> Lifespan:
        return AsgiLifespan(self.app)


async def call(app: AsgiApp, request: Request, state: dict[str, Any] | None = None) -> Reply:
    """Send *request* to *app* and return what it answered.

    The answer counts if it was complete, whatever is raised after it. An exception without one is 500, and an
    answer that was begun but not finished is a broken connection.
    """
    told = scope(request, state)
    exchange = _Exchange(request.body, told)
    with Answer(header_type=(bytes,)) as answer:
        await app(told, exchange.receive, exchange.send)
    return exchange.outcome(answer)


class _Exchange:
    """One request and its answer as the application sees them: two callables, and the order of their events.

    Like a server, it refuses an event out of order by an exception from `send`. The order is one
    `http.response.start`, then `http.response.body` until one has no *more_body*. The client hangs up when it has
    read as much as is kept of an answer; the part that was read is the answer then.
    """

    __slots__ = ("_body", "_complete", "_hung_up", "_request", "_scope", "_start")

    def __init__(self, request_body: bytes, scope: Scope) -> None:
        self._scope = scope
        self._request: Event | None = {"type": "http.request", "body": request_body, "more_body": False}
        self._start: Event | None = None
        self._body = Body()
        self._hung_up = False
        self._complete = Signal()

    async def receive(self) -> Event:
        if self._request is not None:
            event, self._request = self._request, None
            return event
        # The client stays until it has its answer; to leave earlier would cancel a streaming response.
        await self._complete.wait()
        return {"type": "http.disconnect"}

    async def send(self, event: Event) -> None:
        kind = event["type"]
        if self._hung_up:
            raise OSError("the client has hung up")  # ASGI, HTTP, "Disconnected Client"
        if self._complete.is_set():
            raise RuntimeError(f"unexpected ASGI event {kind!r}: the response is complete")
        expected = "http.response.start" if self._start is None else "http.response.body"
        if kind != expected:
            raise RuntimeError(f"expected the ASGI event {expected!r}, but got {kind!r}")
        if self._start is None:
            self._start = event
            if event.get("status") == 500:
                note_handled(self._scope)
            return
        self._body.add(event.get("body", b""))
        more_body = event.get("more_body", False)
        self._hung_up = bool(more_body) and self._body.full
        if self._hung_up or not more_body:
            self._complete.set()

    def outcome(self, answer: Answer) -> Reply:
        """Fill *answer*, which has the application's exception, with what the application sent."""
        if self._hung_up:
            answer.exception = None  # it comes of hanging up
        if self._start is None:
            answer.exception = answer.exception or RuntimeError("the ASGI application returned without an answer")
        elif not self._complete.is_set():
            return Outcome(error=BROKEN, exception=answer.exception)
        else:
            answer.status, answer.headers = self._start.get("status"), self._start.get("headers", ())
            answer.body = self._body.joined()
        return answer


def scope(request: Request, state: dict[str, Any] | None = None) -> Scope:
    """Return what an application is told of *request*, and of the *state* that its lifespan has left."""
    result: Scope = {
        "type": "http",
        "asgi": dict(VERSION),
        "http_version": "1.1",
        "method": request.method,
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in encode(request.headers)],
        "client": ("127.0.0.1", 0),
        **_told_of(request.url),
    }
    if state is not None:
        result["state"] = dict(state)
    return result


@lru_cache(urls.REMEMBERED)
def _told_of(url: str) -> dict[str, Any]:
    """Return what an application is told of *url*."""
    parts = urls.split(url)
    path = parts.path or "/"
    return {
        "scheme": parts.scheme.lower(),
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": parts.query[1:].encode(),
        "server": urls.server(url)[:2],
    }
