"""Functions that answer a request themselves, and answers that are ready."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx

from qstash_fake.broker.message import Outcome
from qstash_fake.delivery.answers import Answer
from qstash_fake.delivery.exchange import Request
from qstash_fake.delivery.kinds.base import AsyncApp, Reply, SyncApp


class Inline(SyncApp):
    """An application that answers at once; it is called on the loop itself."""

    async def send_async(self, request: Request) -> Reply:
        return self.send(request)


@dataclass(eq=False)
class Function(Inline):
    """A callable that takes an httpx.Request and returns an httpx.Response, or an object like it."""

    function: Callable[[httpx.Request], Any]

    def send(self, request: Request) -> Reply:
        given = request.to_httpx()
        with Answer() as answer:
            answer.take(self.function(given))
        return answer


@dataclass(eq=False)
class AsyncFunction(AsyncApp):
    """A coroutine function of the same kind."""

    function: Callable[[httpx.Request], Awaitable[Any]]

    async def send_async(self, request: Request) -> Reply:
        given = request.to_httpx()
        with Answer() as answer:
            await answer.take_async(await self.function(given))
        return answer


@dataclass(eq=False)
class Fixed(Inline):
    """Always the same outcome: the answer of a route, and of `unrouted=`."""

    outcome: Outcome

    def send(self, request: Request) -> Outcome:
        return self.outcome
