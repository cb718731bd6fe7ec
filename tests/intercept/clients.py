"""Clients of every library that is intercepted, in the ways in which applications make them.

A client is a function of a URL that posts to it and gives status and body. Each row of CLIENTS makes one.
"""

from __future__ import annotations

import asyncio
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import aiohttp
import httpx
import httpx2
import requests
import urllib3
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3.util import Retry

from tests.shop import JOBS

PUBLISH = f"https://qstash.upstash.io/v2/publish/{JOBS}"
BEARER = {"Authorization": "Bearer a-token"}
PARTS = [b'{"order"', b": 7}"]

Answer = tuple[int, bytes]


class Client(NamedTuple):
    """A way to make a client: of which *library*, in which *shape*, and how it posts."""

    library: str
    shape: str  # plain · wrapped · subclassed · retries
    post: Callable[..., Answer]
    is_async: bool = False

    def __str__(self) -> str:
        return f"{self.library}-{'async-' * self.is_async}{self.shape}"


# --- httpx, httpx2 ------------------------------------------------------------------------------------------------


def httpx_transports(lib: Any) -> dict[str, Callable[[], Any]]:
    class Wrapping(lib.BaseTransport):  # type: ignore[misc]  # of either library
        def __init__(self) -> None:
            self.inner = lib.HTTPTransport()

        def handle_request(self, request):
            return self.inner.handle_request(request)

        def close(self):
            self.inner.close()

    class Subclassing(lib.HTTPTransport):  # type: ignore[misc]  # of either library
        def handle_request(self, request):
            return super().handle_request(request)

    return {
        "plain": lambda: None,
        "wrapped": Wrapping,
        "subclassed": Subclassing,
        "retries": lambda: lib.HTTPTransport(retries=1),
    }


def httpx_async_transports(lib: Any) -> dict[str, Callable[[], Any]]:
    class Wrapping(lib.AsyncBaseTransport):  # type: ignore[misc]  # of either library
        def __init__(self) -> None:
            self.inner = lib.AsyncHTTPTransport()

        async def handle_async_request(self, request):
            return await self.inner.handle_async_request(request)

        async def aclose(self):
            await self.inner.aclose()

    class Subclassing(lib.AsyncHTTPTransport):  # type: ignore[misc]  # of either library
        async def handle_async_request(self, request):
            return await super().handle_async_request(request)

    return {
        "plain": lambda: None,
        "wrapped": Wrapping,
        "subclassed": Subclassing,
        "retries": lambda: lib.AsyncHTTPTransport(retries=1),
    }


def httpx_post(lib: Any, transport: Callable[[], Any]) -> Callable[..., Answer]:
    def post(url: str, content: Iterable[bytes] = PARTS) -> Answer:
        with lib.Client(transport=transport(), headers=BEARER) as client:
            response = client.post(url, content=iter(content))
            return response.status_code, response.content

    return post


def httpx_async_post(lib: Any, transport: Callable[[], Any]) -> Callable[..., Answer]:
    async def stream(content):
        for part in content:
            yield part

    async def post(url, content):
        async with lib.AsyncClient(transport=transport(), headers=BEARER) as client:
            response = await client.post(url, content=stream(content))
            return response.status_code, response.content

    return lambda url, content=PARTS: asyncio.run(post(url, content))


# --- requests, urllib3, urllib.request ----------------------------------------------------------------------------


class WrappingAdapter(BaseAdapter):
    """What sends over another adapter."""

    def __init__(self) -> None:
        self.inner = HTTPAdapter()

    def send(self, request, *args, **kwargs):
        return self.inner.send(request, *args, **kwargs)

    def close(self):
        self.inner.close()


class SubclassedAdapter(HTTPAdapter):
    """What adds to the usual adapter."""

    def send(self, request, *args, **kwargs):
        return super().send(request, *args, **kwargs)


REQUESTS_ADAPTERS: dict[str, Callable[[], BaseAdapter]] = {
    "plain": HTTPAdapter,
    "wrapped": WrappingAdapter,
    "subclassed": SubclassedAdapter,
    "retries": lambda: HTTPAdapter(max_retries=Retry(1, backoff_factor=0)),
}


def requests_post(adapter: Callable[[], BaseAdapter]) -> Callable[..., Answer]:
    def post(url: str, content: Iterable[bytes] = PARTS) -> Answer:
        with requests.Session() as session:
            session.mount("https://", adapter())
            session.mount("http://", adapter())
            # A retry sends the body again, so it is no generator.
            response = session.post(url, headers=BEARER, data=b"".join(content))
            return response.status_code, response.content

    return post


def urllib3_post(retries: Any) -> Callable[..., Answer]:
    def post(url: str, content: Iterable[bytes] = PARTS) -> Answer:
        with urllib3.PoolManager() as pool:
            response = pool.request("POST", url, headers=BEARER, body=b"".join(content), retries=retries)
            return response.status, response.data

    return post


def urllib_post(url: str, content: Iterable[bytes] = PARTS) -> Answer:
    request = urllib.request.Request(url, data=b"".join(content), headers=BEARER, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=3) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


# --- aiohttp ------------------------------------------------------------------------------------------------------


class SubclassedConnector(aiohttp.TCPConnector):
    """What adds to the usual connector."""

    async def connect(self, *args, **kwargs):
        return await super().connect(*args, **kwargs)


async def retrying(request, handler):
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        return await handler(request)


AIOHTTP_SESSIONS: dict[str, Callable[[], dict[str, Any]]] = {
    "plain": dict,
    "wrapped": lambda: {"middlewares": [lambda request, handler: handler(request)]},
    "subclassed": lambda: {"connector": SubclassedConnector()},
    "retries": lambda: {"middlewares": [retrying]},
}


def aiohttp_post(session: Callable[[], dict[str, Any]]) -> Callable[..., Answer]:
    async def post(url, content):
        async with (
            aiohttp.ClientSession(headers=BEARER, **session()) as client,
            client.post(url, data=b"".join(content)) as response,
        ):
            return response.status, await response.read()

    return lambda url, content=PARTS: asyncio.run(post(url, content))


CLIENTS: list[Client] = [
    *(
        Client(lib.__name__, shape, httpx_post(lib, transport))
        for lib in (httpx, httpx2)
        for shape, transport in httpx_transports(lib).items()
    ),
    *(
        Client(lib.__name__, shape, httpx_async_post(lib, transport), is_async=True)
        for lib in (httpx, httpx2)
        for shape, transport in httpx_async_transports(lib).items()
    ),
    *(Client("requests", shape, requests_post(adapter)) for shape, adapter in REQUESTS_ADAPTERS.items()),
    Client("urllib3", "plain", urllib3_post(False)),
    Client("urllib3", "retries", urllib3_post(Retry(1, backoff_factor=0))),
    Client("urllib.request", "plain", urllib_post),
    *(Client("aiohttp", shape, aiohttp_post(session), is_async=True) for shape, session in AIOHTTP_SESSIONS.items()),
]


# --- answers that are read in parts -------------------------------------------------------------------------------


def httpx_stream(lib: Any) -> Callable[[str], bytes]:
    def read(url: str) -> bytes:
        with lib.Client(headers=BEARER) as client, client.stream("POST", url) as response:
            return b"".join(response.iter_bytes(8))

    return read


def requests_stream(url: str) -> bytes:
    with requests.post(url, headers=BEARER, stream=True) as response:
        return b"".join(response.iter_content(8))


def urllib3_stream(url: str) -> bytes:
    with urllib3.PoolManager() as pool:
        response = pool.request("POST", url, headers=BEARER, preload_content=False)
        return b"".join(response.stream(8))


def urllib_stream(url: str) -> bytes:
    with urllib.request.urlopen(urllib.request.Request(url, b"", BEARER)) as response:
        return b"".join(iter(lambda: response.read(8), b""))


def aiohttp_stream(url: str) -> bytes:
    async def read() -> bytes:
        async with aiohttp.ClientSession(headers=BEARER) as session, session.post(url) as response:
            return b"".join([part async for part in response.content.iter_chunked(8)])

    return asyncio.run(read())


STREAMS: dict[str, Callable[[str], bytes]] = {
    "httpx": httpx_stream(httpx),
    "httpx2": httpx_stream(httpx2),
    "requests": requests_stream,
    "urllib3": urllib3_stream,
    "urllib.request": urllib_stream,
    "aiohttp": aiohttp_stream,
}
