"""Lifespans: the startup of an application before its first request, its shutdown after the last; and ASGI's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

from qstash_fake.delivery.loops import Signal, Task, start_task
from qstash_fake.delivery.watchdog import Silence, answered, stack_of
from qstash_fake.errors import UsageError

Scope = MutableMapping[str, Any]
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

VERSION = {"version": "3.0", "spec_version": "2.4"}  # of ASGI and of its HTTP and lifespan protocols


class Lifespan(Protocol):
    """The lifespan of one application, on one loop."""

    app: Any
    state: dict[str, Any]
    """The state that its requests are given."""
    task: Task | None
    """The task that runs the application's side, where there is one."""

    async def startup(self, limit_ms: int) -> None:
        """Start the application; raise what kept it from it, UsageError if that takes *limit_ms* of real time."""

    async def shutdown(self, limit_ms: int) -> None:
        """Let the application shut down; raise what it raises, UsageError if that takes *limit_ms* of real time."""


class AsgiLifespan:
    """The lifespan of an ASGI application; one that raises on the scope does not support it."""

    def __init__(self, app: AsgiApp) -> None:
        self.state: dict[str, Any] = {}
        self.app = app
        self._inbox: list[dict[str, str]] = []
        self._arrived = Signal()
        """What the application waits for."""
        self._answered = Signal()
        """What `_ask` waits for."""
        self._gone = Signal()
        """Set where the application's side has ended."""
        self._error: Exception | None = None
        self._refusal: str | None = None
        self._started = False
        self.task: Task | None = None
        """The task that runs the application's side, from the beginning of `startup` to the end of `shutdown`."""

    async def startup(self, limit_ms: int) -> None:
        """Start the application; raise what kept it from it, UsageError if that takes *limit_ms* of real time."""
        self.task = start_task(self._run)
        await self._ask("lifespan.startup", limit_ms)
        self._started = True

    async def shutdown(self, limit_ms: int) -> None:
        """Let the application shut down; raise what it raises, UsageError if that takes *limit_ms* of real time."""
        if not self._gone.is_set():
            await self._ask("lifespan.shutdown", limit_ms)
        if not await answered(self._gone, limit_ms):
            self._give_up("lifespan.shutdown", limit_ms)

    async def _run(self) -> None:
        try:
            await self.app({"type": "lifespan", "asgi": dict(VERSION), "state": self.state}, self._receive, self._send)
        except Exception as error:  # noqa: BLE001 - kept for the code that waits for the application's answer
            self._error = error
        finally:
            self._gone.set()
            self._answered.set()

    async def _ask(self, what: str, limit_ms: int) -> None:
        if not self._gone.is_set():
            self._answered = Signal()
            self._inbox.append({"type": what})
            self._arrived.set()
            if not await answered(self._answered, limit_ms):
                self._give_up(what, limit_ms)
        refusal, self._refusal = self._refusal, None
        error, self._error = self._error, None  # its frames hold this object, and would keep it
        # One that raises on its startup, and says nothing, does not support lifespans (ASGI, lifespan protocol).
        if error is not None and (refusal is not None or self._started):
            error.add_note(f"raised by the application in its {what}")
            raise error
        if refusal is not None:
            raise RuntimeError(f"the application's {what} failed: {refusal}")

    def _give_up(self, what: str, limit_ms: int) -> None:
        assert self.task is not None
        silence = Silence(limit_ms, stack_of(self.task))
        self.task.cancel()
        raise UsageError(silence.sentence(f"the application did not answer {what}"))

    async def _receive(self) -> Event:
        while not self._inbox:
            self._arrived = Signal()
            await self._arrived.wait()
        return self._inbox.pop(0)

    async def _send(self, event: Event) -> None:
        if event["type"].endswith(".failed"):
            self._refusal = event.get("message") or "no message"
        self._answered.set()
