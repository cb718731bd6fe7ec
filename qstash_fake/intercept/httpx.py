"""httpx and httpx2: the pool of connections below a transport is a stand-in while a fake is there.

`HTTPTransport` and `AsyncHTTPTransport` send over `self._pool`. A data descriptor of that name on the class comes
before the attribute of the instance. Hence every transport is reached: one made at import, one inside a user's own
transport, one of a proxy. Everything above it runs as it is: clients, hooks, auth, redirects, retries, mocks of
`handle_request` and instrumentation of it. A transport that sends over no pool (MockTransport) answers by itself.

**The short cut.** Between `handle_request` and the pool, httpx turns a request into one of httpcore and a response
back, which costs a tenth of a publish. Where nothing can stand in between, a client gets a transport that skips that:
the client's transport must be exactly httpx's own class, with the `handle_request` that httpx has given it.
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
from qstash_fake.intercept.patch import Patch
from qstash_fake.intercept.private import require
from qstash_fake.intercept.seen import seen
from qstash_fake.intercept.services import Service, Services
from qstash_fake.protocol import http

_POOL = "_pool"
_RETRIES = "_retries"  # of a pool: what HTTPTransport(retries=…) was given
_FOR_URL = "_transport_for_url"  # of a client
_CORES = {"httpx": "httpcore", "httpx2": "httpcore2"}


def patches(module: ModuleType, services: Services) -> Iterator[Patch]:
    """Replace the pools of *module*, which is httpx or httpx2."""
    core: Any = import_module(_CORES[module.__name__])
    for client, transport, pool, stand_in, short_cut in (
        (module.Client, module.HTTPTransport, core.ConnectionPool, _Pool, _ShortCut),
        (module.AsyncClient, module.AsyncHTTPTransport, core.AsyncConnectionPool, _AsyncPool, _AsyncShortCut),
    ):
        require(module, {f"{transport.__name__}.{_POOL}": _uses(transport, _POOL)})
        require(core, {f"{pool.__name__}.{_RETRIES}": _uses(pool, _RETRIES)})
        yield seen(transport, _POOL, functools.partial(_pool, services, core, stand_in))
        if hasattr(client, _FOR_URL):
            take = functools.partial(short_cut, services, module)
            yield Patch(client, _FOR_URL, functools.partial(_shortened, services, transport, short_cut.METHOD, take))


def _pool(services: Services, core: Any, stand_in: Callable[..., Any], real: Any) -> Any:
    """Return the *real* pool of a transport, behind a stand-in while a service is active."""
    return stand_in(real, services, core) if services else real


@functools.cache  # of a library: it does not change, and each fake asks again
def _uses(owner: type, name: str) -> bool:
    """Tell whether a method of *owner* uses the attribute *name*; to make an instance would read certificates."""
    methods = (value for value in vars(owner).values() if isinstance(value, FunctionType))
    return any(name in method.__code__.co_names for method in methods)


def _attempts(attempt: Callable[[], Any], retries: int, error: Callable[[str], Exception]) -> Any:
    """Return what *attempt* returns; repeat it after a broken connection as often as the pool would.

    httpcore waits between its attempts for the network to come back. Here there is nothing to wait for.
    """
    for left in range(retries, -1, -1):
        try:
            return attempt()
        except ConnectionDropped as dropped:
            if not left:
                raise error(str(dropped)) from None
    raise AssertionError("unreachable: the last attempt returns or raises")


def _headers(reply: Reply) -> list[tuple[bytes, bytes]]:
    return [*http.encode(reply.headers), (b"Content-Length", str(len(reply.body)).encode())]


# --- the pool -----------------------------------------------------------------------------------------------------


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
        origin = spelled_origin(url.scheme.decode("ascii"), url.host.decode("ascii"), url.port)
        text = origin + url.target.decode("ascii")
        return text, self._services.at(text)

    def _answer(self, service: Service, url: str, request: Any, body: bytes) -> Any:
        method, headers = request.method.decode("ascii"), http.decode(request.headers)

        def attempt() -> Any:
            reply = service.answer(url, method, headers, body)
            return self._core.Response(reply.status, headers=_headers(reply), content=reply.body)

        return _attempts(attempt, getattr(self._real, _RETRIES), self._core.ConnectError)


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


# --- the short cut ------------------------------------------------------------------------------------------------


def _shortened(
    services: Services, stock: type, method: str, take: Callable[..., Any], original: Callable[..., Any]
) -> Callable[..., Any]:
    """Return `_transport_for_url` of a client that takes the short cut for calls of QStash over *stock* transports."""
    own = vars(stock)[method] if _is_of_httpx(vars(stock)[method], stock) else None

    @functools.wraps(original)
    def transport_for_url(client: Any, url: Any) -> Any:
        transport = original(client, url)
        if type(transport) is stock and vars(stock)[method] is own and method not in vars(transport):
            text = str(url)
            if (service := services.at(text)) is not None:
                return take(transport, service, text)
        return transport

    return transport_for_url


def _is_of_httpx(function: Any, stock: type) -> bool:
    """Tell whether *function* is defined in the module of its class; mocks and wrappers are not."""
    if type(function) is not FunctionType:
        return False
    return bool(function.__code__.co_filename == stock.__init__.__code__.co_filename)  # type: ignore[misc]  # of Python


class _ShortCut:
    """The stand-in for a transport of httpx's own class, for one request."""

    METHOD = "handle_request"
    __slots__ = ("_module", "_service", "_transport", "_url")

    def __init__(self, services: Services, module: Any, transport: Any, service: Service, url: str) -> None:
        self._module = module
        self._transport = transport
        self._service = service
        self._url = url

    def handle_request(self, request: Any) -> Any:
        return self._answer(request, b"".join(request.stream))

    def _answer(self, request: Any, body: bytes) -> Any:
        module, headers = self._module, http.decode(request.headers.raw)

        def attempt() -> Any:
            reply = self._service.answer(self._url, request.method, headers, body)
            return module.Response(reply.status, headers=_headers(reply), stream=module.ByteStream(reply.body))

        return _attempts(attempt, getattr(vars(self._transport)[_POOL], _RETRIES), module.ConnectError)


class _AsyncShortCut(_ShortCut):
    METHOD = "handle_async_request"
    __slots__ = ()

    async def handle_async_request(self, request: Any) -> Any:
        return self._answer(request, b"".join([part async for part in request.stream]))
