"""httpx (and httpx2): a client's call to QStash goes through the client as ever, but over our transport.

The public `Client.send` and `AsyncClient.send` are patched. On a QStash host they run on a copy of the client that
has our transport in place of its own: hooks, auth and cookies work, clients made at import time are caught, and
libraries that patch transports (respx, pytest-httpx) see nothing of it and take nothing from it.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import ModuleType
from typing import Any

from qstash_fake.api.answer import Api
from qstash_fake.errors import ConnectionDropped, UsageError
from qstash_fake.intercept.hosts import Hosts
from qstash_fake.intercept.patch import Send, mark_as_twin, patched

MODULES = ("httpx", "httpx2")
# What the copy needs; these are private, so they are looked for before anything is patched.
_TRANSPORT, _MOUNTS, _FOR_URL = "_transport", "_mounts", "_transport_for_url"


@contextmanager
def intercepted(api: Api, hosts: Hosts) -> Iterator[None]:
    """Answer calls to *hosts* with *api* for as long as the context lasts, in every httpx that is loaded."""
    with ExitStack() as patches:
        for name in MODULES:
            if (module := sys.modules.get(name)) is not None:
                patches.enter_context(_patched(module, api, hosts))
        yield


@contextmanager
def _patched(module: ModuleType, api: Api, hosts: Hosts) -> Iterator[None]:
    _require_private_names(module)
    with ExitStack() as patches:
        for client_class, transport in zip((module.Client, module.AsyncClient), _transports(module, api), strict=True):
            patches.enter_context(patched(client_class, hosts, functools.partial(_send, transport)))
        yield


def _send(transport: Callable[[Any, Hosts], object], original: Send, hosts: Hosts) -> Send:
    """Return `send` for a class; a coroutine function's result is awaitable without a wrapper of its own."""

    def send(self: Any, request: Any, **kwargs: Any) -> Any:
        # A copy that owns nothing of the client's transports: some clients close theirs when they are collected.
        twin = object.__new__(type(self))
        vars(twin).update(vars(self))
        setattr(twin, _TRANSPORT, transport(self, hosts))
        setattr(twin, _MOUNTS, {})
        mark_as_twin(twin)
        return original(twin, request, **kwargs)

    return send


def _transports(module: ModuleType, api: Api) -> tuple[Any, Any]:
    """Return the transports that answer with *api*, as classes of this *module*.

    Each is made for one client, whose own transports carry what an auth flow sends to other hosts on the way.
    """

    def answer(request: Any, body: bytes) -> Any:
        target = request.url.raw_path.decode("ascii")
        pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw]
        try:
            reply = api.answer(request.method, target, pairs, body)
        except ConnectionDropped as dropped:
            raise module.ConnectError(str(dropped), request=request) from None
        headers = [*reply.headers, ("Content-Length", str(len(reply.body)))]
        # A stream, not content: a response that has nothing to read has no `elapsed`.
        return module.Response(reply.status, headers=headers, stream=module.ByteStream(reply.body), request=request)

    class Ours:
        def __init__(self, client: Any, hosts: Hosts) -> None:
            self._client = client
            self._hosts = hosts

        def _other(self, request: Any) -> Any:
            """Return the client's own transport for *request*, if that is for another host."""
            return None if str(request.url) in self._hosts else getattr(self._client, _FOR_URL)(request.url)

    class Transport(Ours, module.BaseTransport):  # type: ignore[name-defined,misc]  # a class of either library
        def handle_request(self, request: Any) -> Any:
            other = self._other(request)
            return answer(request, request.read()) if other is None else other.handle_request(request)

    class AsyncTransport(Ours, module.AsyncBaseTransport):  # type: ignore[name-defined,misc]  # see above
        async def handle_async_request(self, request: Any) -> Any:
            other = self._other(request)
            return (
                answer(request, await request.aread()) if other is None else await other.handle_async_request(request)
            )

    return Transport, AsyncTransport


def _require_private_names(module: ModuleType) -> None:
    client = module.Client(transport=module.MockTransport(lambda _: module.Response(200)))  # opens nothing
    missing = [name for name in (_TRANSPORT, _MOUNTS) if name not in vars(client)]
    missing += [_FOR_URL] * (not hasattr(client, _FOR_URL))
    if missing:
        version = getattr(module, "__version__", "?")
        raise UsageError(
            f"{module.__name__} {version} clients have no {' and no '.join(missing)}, which interception needs; "
            f"use a version that has, or the server: python -m qstash_fake serve"
        )
