"""httpx (and httpx2): a client's call to QStash goes through the client as ever, but over our transport.

The public `Client.send` and `AsyncClient.send` are patched. On a QStash host they run on a copy of the client that
has our transport in place of its own: hooks, auth and cookies work, clients made at import time are caught, and
libraries that patch transports (respx, pytest-httpx) see nothing of it and take nothing from it.
"""

from __future__ import annotations

import copy
import functools
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import ModuleType
from typing import Any

from qstash_fake.api.answer import Api
from qstash_fake.errors import ConnectionDropped, UsageError
from qstash_fake.intercept.hosts import Hosts

MODULES = ("httpx", "httpx2")
# What the copy needs; both are private, so they are looked for before anything is patched.
_TRANSPORT, _MOUNTS = "_transport", "_mounts"


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
    sync_transport, async_transport = _transports(module, api)
    pairs = ((module.Client, sync_transport), (module.AsyncClient, async_transport))
    originals = [vars(client_class)["send"] for client_class, _ in pairs]
    for (client_class, transport), original in zip(pairs, originals, strict=True):
        client_class.send = _send(original, transport, hosts)
    try:
        yield
    finally:
        for (client_class, _), original in zip(pairs, originals, strict=True):
            client_class.send = original


def _send(original: Callable[..., Any], transport: object, hosts: Hosts) -> Callable[..., Any]:
    """Return `send` for a class; a coroutine function's result is awaitable without a wrapper of its own."""

    @functools.wraps(original)
    def send(self: Any, request: Any, **kwargs: Any) -> Any:
        if str(request.url) not in hosts:
            return original(self, request, **kwargs)
        twin = copy.copy(self)
        setattr(twin, _TRANSPORT, transport)
        setattr(twin, _MOUNTS, {})
        return original(twin, request, **kwargs)

    return send


def _transports(module: ModuleType, api: Api) -> tuple[Any, Any]:
    """Return the transports that answer with *api*, as classes of this *module*."""

    def answer(request: Any, body: bytes) -> Any:
        target = request.url.raw_path.decode("ascii")
        pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw]
        try:
            reply = api.answer(request.method, target, pairs, body)
        except ConnectionDropped as dropped:
            raise module.ConnectError(str(dropped), request=request) from None
        return module.Response(reply.status, headers=list(reply.headers), content=reply.body, request=request)

    class Transport(module.BaseTransport):  # type: ignore[name-defined,misc]  # a class of either library
        def handle_request(self, request: Any) -> Any:
            return answer(request, request.read())

    class AsyncTransport(module.AsyncBaseTransport):  # type: ignore[name-defined,misc]  # a class of either library
        async def handle_async_request(self, request: Any) -> Any:
            return answer(request, await request.aread())

    return Transport(), AsyncTransport()


def _require_private_names(module: ModuleType) -> None:
    with module.Client(transport=module.MockTransport(lambda _: module.Response(200))) as client:
        missing = [name for name in (_TRANSPORT, _MOUNTS) if name not in vars(client)]
    if missing:
        version = getattr(module, "__version__", "?")
        raise UsageError(
            f"{module.__name__} {version} clients have no {' and no '.join(missing)}, which interception needs; "
            f"use a version that has, or the server: python -m qstash_fake serve"
        )
