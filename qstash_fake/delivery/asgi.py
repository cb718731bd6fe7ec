"""Calling an ASGI application: one request, and the lifespan around all of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import unquote

import anyio

from qstash_fake.broker.message import Outcome
from qstash_fake.delivery.exchange import Request
from qstash_fake.protocol.http import encode

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
        await app(scope(request, state), receive, send)
    except Exception as error:  # noqa: BLE001 - whatever the application raises belongs to its outcome
        exception = error
    if not answer:
        return Outcome(status=500, body=b"Internal Server Error", exception=exception)
    if not complete.is_set():
        return Outcome(error="the connection was closed before the response was complete", exception=exception)
    headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in answer.get("headers", ()))
    return Outcome(status=answer["status"], headers=headers, body=b"".join(body), exception=exception)


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

    async def _receive(self) -> MutableMapping[str, Any]:
        while not self._inbox:
            self._arrived = anyio.Event()
            await self._arrived.wait()
        return self._inbox.pop(0)

    async def _send(self, event: MutableMapping[str, Any]) -> None:
        if event["type"].endswith(".failed"):
            self._refusal = event.get("message") or "no message"
        self._answered.set()
