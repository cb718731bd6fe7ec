"""Lifespans: the startup of an application before its first request, its shutdown after the last; that of ASGI."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

import anyio

Scope = MutableMapping[str, Any]
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

VERSION = {"version": "3.0", "spec_version": "2.4"}  # of ASGI and of its HTTP and lifespan protocols


class Lifespan(Protocol):
    """What runs around the requests of one application, on one loop."""

    app: Any
    state: dict[str, Any]
    """What the requests are told of it."""

    async def startup(self) -> None:
        """Start the application; raise what kept it from it."""

    async def shutdown(self) -> None:
        """Let the application shut down; raise what it raises."""


class AsgiLifespan:
    """The lifespan of an ASGI application; one that raises on the scope does not support it."""

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
        self._task: asyncio.Task[None] | None = None

    async def startup(self) -> None:
        """Start the application, in a task that lasts until the end of `shutdown`; raise what kept it from it."""
        self._task = asyncio.create_task(self._run())
        await self._ask("lifespan.startup")
        self._started = True

    async def shutdown(self) -> None:
        """Let the application shut down; raise what it raises."""
        if not self._ended:
            await self._ask("lifespan.shutdown")
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        try:
            await self.app({"type": "lifespan", "asgi": dict(VERSION), "state": self.state}, self._receive, self._send)
        except Exception as error:  # noqa: BLE001 - kept for whoever waits for the application's answer
            self._error = error
        finally:
            self._ended = True
            self._answered.set()

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
