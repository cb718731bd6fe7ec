"""What the end-to-end tests share: SDK clients, a bare HTTP client, and an application that checks signatures."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import pytest_asyncio
from qstash import AsyncQStash, QStash, Receiver
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from qstash_fake import QStashFake

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


@dataclass(frozen=True, slots=True)
class Received:
    """A delivery as the application saw it."""

    method: str
    url: str
    headers: Headers
    body: bytes

    @property
    def path(self) -> str:
        return httpx.URL(self.url).path


class Shop:
    """An application that verifies each delivery with the official Receiver, notes it, and answers by path."""

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        self.received: list[Received] = []
        self.statuses: dict[str, int] = {}
        """The status that a path answers, 200 unless it is named here."""
        self.app = Starlette(routes=[Route("/{path:path}", self._receive, methods=METHODS)])

    @property
    def bodies(self) -> list[str]:
        return [one.body.decode() for one in self.received]

    @property
    def paths(self) -> list[str]:
        return [one.path for one in self.received]

    def at(self, path: str) -> list[Received]:
        return [one for one in self.received if one.path == path]

    async def _receive(self, request: Request) -> Response:
        body = await request.body()
        url = str(request.url)
        self.receiver.verify(signature=request.headers["upstash-signature"], body=body.decode(), url=url)
        self.received.append(Received(request.method, url, request.headers, body))
        status = self.statuses.get(request.url.path, 200)
        return Response(f"answer {status}", status, headers={"X-Shop": "yes"})


@pytest.fixture
def shop(qstash_fake: QStashFake) -> Shop:
    """The application, mounted at https://shop.example."""
    keys = qstash_fake.signing_keys
    shop = Shop(Receiver(keys.current, keys.next))
    qstash_fake.mount(shop.app, "https://shop.example")
    return shop


# Clients are made once, as applications do at import, before any fake is there.


@pytest.fixture(scope="session")
def sdk() -> QStash:
    return QStash("token")


@pytest.fixture(scope="session")
def async_sdk() -> AsyncQStash:
    return AsyncQStash("token")


@pytest.fixture(scope="session")
def bare_client() -> Iterator[httpx.Client]:
    with httpx.Client(headers={"Authorization": "Bearer token"}) as client:
        yield client


@pytest.fixture
def client(qstash_fake: QStashFake, sdk: QStash) -> QStash:
    return sdk


@pytest.fixture
def async_client(qstash_fake: QStashFake, async_sdk: AsyncQStash) -> AsyncQStash:
    return async_sdk


class Http:
    """Bare HTTP calls to the intercepted host, for what the SDK does not say."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def __call__(self, method: str, path: str, **kwargs: Any) -> httpx.Response:
        return self._client.request(method, "https://qstash.upstash.io" + path, **kwargs)


@pytest.fixture
def http(qstash_fake: QStashFake, bare_client: httpx.Client) -> Http:
    return Http(bare_client)


@pytest_asyncio.fixture
async def async_http(qstash_fake: QStashFake) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(headers={"Authorization": "Bearer token"}) as client:
        yield client
