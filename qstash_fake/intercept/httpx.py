"""httpx and httpx2: the pool of connections below a transport is a stand-in while a fake is there.

`HTTPTransport` and `AsyncHTTPTransport` send over `self._pool`. A data descriptor of that name on the class comes
before the attribute of the instance, so every transport is reached: those made at import, those inside a user's own
transport, those of a proxy. All that stands above runs as it is: clients, hooks, auth, redirects, retries, mocks of
`handle_request` and instrumentation of it. A transport that sends over no pool (MockTransport) answers by itself.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from importlib import import_module
from types import FunctionType, ModuleType
from typing import Any

from qstash_fake.api.call import Reply
from qstash_fake.errors import ConnectionDropped
from qstash_fake.intercept.hosts import spelled_origin
from qstash_fake.intercept.patch import Patch, seen
from qstash_fake.intercept.private import require
from qstash_fake.intercept.services import Service, Services
from qstash_fake.protocol import http

_POOL = "_pool"
_RETRIES = "_retries"  # of a pool: what HTTPTransport(retries=…) was given
_CORES = {"httpx": "httpcore", "httpx2": "httpcore2"}


def patches(module: ModuleType, services: Services) -> Iterator[Patch]:
    """Replace the pools of *module*, which is httpx or httpx2."""
    core: Any = import_module(_CORES[module.__name__])
    for transport, pool, stand_in in (
        (module.HTTPTransport, core.ConnectionPool, _Pool),
        (module.AsyncHTTPTransport, core.AsyncConnectionPool, _AsyncPool),
    ):
        require(module, {f"{transport.__name__}.{_POOL}": _uses(transport, _POOL)})
        require(core, {f"{pool.__name__}.{_RETRIES}": _uses(pool, _RETRIES)})
        yield seen(transport, _POOL, functools.partial(_pool, services, core, stand_in))


def _pool(services: Services, core: Any, stand_in: Callable[..., Any], real: Any) -> Any:
    """Return the *real* pool of a transport, behind a stand-in while a service is active."""
    return stand_in(real, services, core) if services else real


def _uses(owner: type, name: str) -> bool:
    """Tell whether a method of *owner* uses the attribute *name*; no instance is made, for that reads certificates."""
    methods = (value for value in vars(owner).values() if isinstance(value, FunctionType))
    return any(name in method.__code__.co_names for method in methods)


class _StandIn:
    """A pool that answers calls of QStash, and is the real pool for everything else."""

    __slots__ = ("_core", "_real", "_services")

    def __init__(self, pool: Any, services: Services, core: Any) -> None:
        object.__setattr__(self, "_real", pool)
        object.__setattr__(self, "_services", services)
        object.__setattr__(self, "_core", core)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._real, name, value)

    def _called(self, request: Any) -> tuple[str, Service | None]:
        url = request.url
        text = spelled_origin(url.scheme.decode("ascii"), url.host.decode("ascii"), url.port) + url.target.decode(
            "ascii"
        )
        return text, self._services.at(text)

    def _answer(self, service: Service, url: str, request: Any, body: bytes) -> Any:
        """Return the response of *service*; a connection that breaks is made again as often as the pool would.

        httpcore waits between its attempts for the network to come back. Here nothing comes back, so it does not.
        """
        headers = http.decode(request.headers)
        method = request.method.decode("ascii")
        for left in range(getattr(self._real, _RETRIES), -1, -1):
            try:
                return self._response(service.answer(url, method, headers, body))
            except ConnectionDropped as dropped:
                if not left:
                    raise self._core.ConnectError(str(dropped)) from None
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _response(self, reply: Reply) -> Any:
        pairs = [*http.encode(reply.headers), (b"Content-Length", str(len(reply.body)).encode())]
        return self._core.Response(reply.status, headers=pairs, content=reply.body)


class _Pool(_StandIn):
    __slots__ = ()

    def __enter__(self) -> Any:
        return self._real.__enter__()

    def __exit__(self, *error: Any) -> None:
        self._real.__exit__(*error)

    def handle_request(self, request: Any) -> Any:
        url, service = self._called(request)
        if service is None:
            return self._real.handle_request(request)
        return self._answer(service, url, request, b"".join(request.stream))


class _AsyncPool(_StandIn):
    __slots__ = ()

    async def __aenter__(self) -> Any:
        return await self._real.__aenter__()

    async def __aexit__(self, *error: Any) -> None:
        await self._real.__aexit__(*error)

    async def handle_async_request(self, request: Any) -> Any:
        url, service = self._called(request)
        if service is None:
            return await self._real.handle_async_request(request)
        return self._answer(service, url, request, b"".join([part async for part in request.stream]))
