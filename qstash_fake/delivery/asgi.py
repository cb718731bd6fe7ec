"""Calling an ASGI application: one request, and the lifespan around all of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import unquote

import anyio

from qstash_fake.broker.message import Outcome
from qstash_fake.delivery.answers import BROKEN, Answer, Body
from qstash_fake.delivery.exchange import Request
from qstash_fake.protocol.http import encode

Scope = MutableMapping[str, Any]
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

VERSION = {"version": "3.0", "spec_version": "2.4"}


async def call(app: AsgiApp, request: Request, state: dict[str, Any] | None = None) -> Answer | Outcome:
    """Send *request* to *app* and return what it answered.

    The answer counts if it was complete, whatever is raised after it. An exception without one is 500, and an
    answer that was begun but not finished is a broken connection.
    """
    exchange, told = _Exchange(request.body), scope(request, state)
    with Answer(header_type=(bytes,)) as answer:
        await app(told, exchange.receive, exchange.send)
    return exchange.outcome(answer)


class _Exchange:
    """One request and its answer as the application sees them: two callables, and the order of their events.

    A server refuses an event out of order by an exception from `send`, and so does this. In order are: one
    `http.response.start`, then `http.response.body` until one has no *more_body*. Once as much was read as is kept
    of an answer, the client hangs up, and what was read is the answer.
    """

    def __init__(self, request_body: bytes) -> None:
        self._requests: list[Event] = [{"type": "http.request", "body": request_body, "more_body": False}]
        self._start: Event | None = None
        self._body = Body()
        self._complete = anyio.Event()
        self._hung_up = False

    async def receive(self) -> Event:
        if self._requests:
            return self._requests.pop()
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
            return
        self._body.add(event.get("body", b""))
        more_body = event.get("more_body", False)
        self._hung_up = bool(more_body) and self._body.full
        if self._hung_up or not more_body:
            self._complete.set()

    def outcome(self, answer: Answer) -> Answer | Outcome:
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
    parts = request.parts
    raw_path = parts.path.encode()
    result: Scope = {
        "type": "http",
        "asgi": dict(VERSION),
        "http_version": "1.1",
        "method": request.method,
        "scheme": parts.scheme.lower(),
        "path": unquote(parts.path),
        "raw_path": raw_path,
        "query_string": parts.query[1:].encode(),
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in encode(request.headers)],
        "client": ("127.0.0.1", 0),
        "server": request.address,
    }
    if state is not None:
        result["state"] = dict(state)
    return result


class Lifespan:
    """The startup and shutdown of an ASGI application; an app that raises on the scope does not support it."""

    def __init__(self, app: AsgiApp) -> None:
        self.state: dict[str, Any] = {}
        self.app = app
        self._inbox: list[dict[str, str]] = []
        self._arrived = anyio.Event()
        self._answered = anyio.Event()
        self._error: Exception | None = None
        self._refusal: str | None = None
        self._started = False
        self._ended = False

    async def run(self) -> None:
        """Be the application's lifespan task, from `startup` to the end of `shutdown`."""
        try:
            await self.app({"type": "lifespan", "asgi": dict(VERSION), "state": self.state}, self._receive, self._send)
        except Exception as error:  # noqa: BLE001 - kept for whoever waits for the application's answer
            self._error = error
        finally:
            self._ended = True
            self._answered.set()

    async def startup(self) -> None:
        """Wait until the application, whose `run` is running, has started; raise what kept it from it."""
        await self._ask("lifespan.startup")
        self._started = True

    async def shutdown(self) -> None:
        """Let the application shut down."""
        if not self._ended:
            await self._ask("lifespan.shutdown")

    async def _ask(self, what: str) -> None:
        if not self._ended:
            self._answered = anyio.Event()
            self._inbox.append({"type": what})
            self._arrived.set()
            await self._answered.wait()
        refusal, self._refusal = self._refusal, None
        # One that raises on its startup, and says nothing, does not support lifespans (ASGI, lifespan protocol).
        if self._error is not None and (refusal is not None or self._started):
            self._error.add_note(f"raised by the application in its {what}")
            raise self._error
        if refusal is not None:
            raise RuntimeError(f"the application's {what} failed: {refusal}")

    async def _receive(self) -> Event:
        while not self._inbox:
            self._arrived = anyio.Event()
            await self._arrived.wait()
        return self._inbox.pop(0)

    async def _send(self, event: Event) -> None:
        if event["type"].endswith(".failed"):
            self._refusal = event.get("message") or "no message"
        self._answered.set()
