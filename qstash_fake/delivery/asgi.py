"""Calling an ASGI application: one request, and the lifespan around all of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import unquote

import anyio

from qstash_fake.broker.message import Outcome
from qstash_fake.delivery.exchange import Request

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

VERSION = {"version": "3.0", "spec_version": "2.4"}


async def call(app: AsgiApp, request: Request, state: dict[str, Any] | None = None) -> Outcome:
    """Send *request* to *app* and return what it answered.

    An exception is kept in the outcome. The answer counts if it was complete; an exception without one is 500,
    and an answer that was begun but not finished is a broken connection.
    """
    answer: dict[str, Any] = {}
    body: list[bytes] = []
    complete = anyio.Event()
    pending = [{"type": "http.request", "body": request.body, "more_body": False}]

    async def receive() -> MutableMapping[str, Any]:
        if pending:
            return pending.pop()
        # The client stays until it has its answer; to leave earlier would cancel a streaming response.
        await complete.wait()
        return {"type": "http.disconnect"}

    async def send(event: MutableMapping[str, Any]) -> None:
        if event["type"] == "http.response.start":
            answer.update(event)
        elif event["type"] == "http.response.body":
            body.append(event.get("body", b""))
            if not event.get("more_body", False):
                complete.set()

    exception: Exception | None = None
    try:
        await app(_scope(request, state), receive, send)
    except Exception as error:  # noqa: BLE001 - whatever the application raises belongs to its outcome
        exception = error
    if not answer:
        return Outcome(status=500, body=b"Internal Server Error", exception=exception)
    if not complete.is_set():
        return Outcome(error="the connection was closed before the response was complete", exception=exception)
    headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in answer.get("headers", ()))
    return Outcome(status=answer["status"], headers=headers, body=b"".join(body), exception=exception)


def _scope(request: Request, state: dict[str, Any] | None) -> Scope:
    parts = request.parts
    raw_path = parts.path.encode()
    scope: Scope = {
        "type": "http",
        "asgi": dict(VERSION),
        "http_version": "1.1",
        "method": request.method,
        "scheme": parts.scheme.lower(),
        "path": unquote(parts.path),
        "raw_path": raw_path,
        "query_string": parts.query[1:].encode(),
        "root_path": "",
        "headers": [(name.lower().encode("latin-1"), _encode(value)) for name, value in request.headers],
        "client": ("127.0.0.1", 0),
        "server": request.address,
    }
    if state is not None:
        scope["state"] = dict(state)
    return scope


def _encode(value: str) -> bytes:
    """Header values are Latin-1 on the wire; what does not fit goes as UTF-8, as HTTP clients send it."""
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode()


class Lifespan:
    """The startup and shutdown of an ASGI application; an app that raises on the scope does not support it."""

    def __init__(self, app: AsgiApp) -> None:
        self.state: dict[str, Any] = {}
        self._app = app
        self._inbox: list[dict[str, str]] = []
        self._arrived = anyio.Event()
        self._answered = anyio.Event()
        self._failure: BaseException | str | None = None
        self._asked = False
        self._running = False

    async def run(self) -> None:
        """Be the application's lifespan task, from `startup` to the end of `shutdown`."""
        self._running = True
        try:
            await self._app({"type": "lifespan", "asgi": dict(VERSION), "state": self.state}, self._receive, self._send)
        except Exception as error:  # noqa: BLE001 - one that never asks for an event does not support lifespans
            if self._asked and not self._failure:
                self._failure = error
        finally:
            self._running = False
            self._answered.set()

    async def startup(self) -> None:
        """Wait until the application, whose `run` is running, has started; raise what kept it from it."""
        await self._ask("lifespan.startup")

    async def shutdown(self) -> None:
        """Let the application shut down."""
        if self._running:
            await self._ask("lifespan.shutdown")

    async def _ask(self, what: str) -> None:
        self._answered = anyio.Event()
        self._inbox.append({"type": what})
        self._arrived.set()
        await self._answered.wait()
        failure, self._failure = self._failure, None
        if isinstance(failure, BaseException):
            raise failure
        if failure is not None:
            raise RuntimeError(f"the application's {what} failed: {failure}")

    async def _receive(self) -> MutableMapping[str, Any]:
        while not self._inbox:
            self._arrived = anyio.Event()
            await self._arrived.wait()
        self._asked = True
        return self._inbox.pop(0)

    async def _send(self, event: MutableMapping[str, Any]) -> None:
        if event["type"].endswith(".failed"):
            self._failure = event.get("message") or "no message"
        self._answered.set()
