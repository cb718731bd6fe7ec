"""Test clients: of Starlette, FastAPI and Litestar; those with httpx's `request(method, url, content=, headers=)`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qstash_fake.delivery.answers import Answer
from qstash_fake.delivery.exchange import Request
from qstash_fake.delivery.kinds import asgi
from qstash_fake.delivery.kinds.base import AsyncApp, Reply, SyncApp, is_a
from qstash_fake.errors import UsageError
from qstash_fake.protocol.http import encode


@dataclass(eq=False)
class PortalClient(SyncApp):
    """A test client that was entered: its application on the event loop that the client started it on.

    *portal* is the client's attribute with the way to that loop; without it the client is closed.
    """

    client: Any
    portal: str

    def send(self, request: Request) -> Reply:
        portal = getattr(self.client, self.portal, None)
        if portal is None:
            raise UsageError("the mounted TestClient is closed: mount it inside its `with TestClient(app)` block")
        state = dict(getattr(self.client, "app_state", {}))  # Starlette's; Litestar's is in the application
        reply: Reply = portal.call(asgi.call, self.client.app, request, state)
        return reply


@dataclass(eq=False)
class Client(SyncApp):
    """A client whose `request` is a function, such as httpx.Client."""

    client: Any

    def send(self, request: Request) -> Reply:
        arguments = _arguments(self.client, request)
        with Answer() as answer:
            answer.take(self.client.request(request.method, request.url, **arguments))
        return answer


@dataclass(eq=False)
class AsyncClient(AsyncApp):
    """A client whose `request` is a coroutine function, such as httpx.AsyncClient."""

    client: Any

    async def send_async(self, request: Request) -> Reply:
        arguments = _arguments(self.client, request)
        with Answer() as answer:
            answer.take(await self.client.request(request.method, request.url, **arguments))
        return answer


def _arguments(client: Any, request: Request) -> dict[str, Any]:
    headers = [pair for pair in request.headers if pair[0] not in ("Host", "Content-Length")]
    is_ascii = all(value.isascii() for _, value in headers)  # more than that, httpx takes as bytes only
    arguments: dict[str, Any] = {"content": request.body, "headers": headers if is_ascii else encode(headers)}
    if is_a(client, "httpx.Client", "httpx.AsyncClient", "httpx2.Client", "httpx2.AsyncClient"):
        arguments["follow_redirects"] = False  # assumed of QStash, as in Outcome.success
    return arguments
