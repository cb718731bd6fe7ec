"""What every kind of application is to the drivers of a verb."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from typing import Any

from qstash_fake.broker.message import Outcome
from qstash_fake.delivery.answers import Answer
from qstash_fake.delivery.exchange import Request
from qstash_fake.delivery.lifespans import Lifespan
from qstash_fake.delivery.loops import in_thread
from qstash_fake.delivery.watchdog import Silence
from qstash_fake.errors import UsageError

Reply = Answer | Outcome
"""What an application answered, unchecked; or an outcome that is known, such as a broken connection."""


class SyncApp(ABC):
    """An application that answers in the thread that calls it."""

    @abstractmethod
    def send(self, request: Request) -> Reply:
        """Send *request* and return what came."""

    def send_watched(self, request: Request, limit_ms: int) -> Reply | Silence:
        """Do what `send` does. An application on its own loop may be given up after *limit_ms*; a thread cannot."""
        return self.send(request)

    async def send_async(self, request: Request) -> Reply:
        """Do what `send` does, in a worker thread: the loop must not wait for code that may block."""
        reply: Reply = await in_thread(self.send, request)
        return reply


class AsyncApp(ABC):
    """An application that answers on an event loop."""

    app: Any = None
    """The application itself, where a lifespan can run around it."""
    lifespan: Lifespan | None = None
    """The lifespan around its requests, once it has been started."""
    runs_lifespan = False
    """Whether the sync verbs run a lifespan around its requests."""

    @abstractmethod
    def send_async(self, request: Request) -> Coroutine[Any, Any, Reply]:
        """Send *request* and return what came."""

    def make_lifespan(self) -> Lifespan:
        """Return a lifespan of the application, to be started."""
        raise UsageError(f"{self.app!r} has no lifespan that could be run")


App = SyncApp | AsyncApp


def is_coroutine_function(call: Any) -> bool:
    """Tell whether a call of *call* returns a coroutine; it may be a function, or an object with `__call__`."""
    return inspect.iscoroutinefunction(call) or inspect.iscoroutinefunction(call.__call__)
