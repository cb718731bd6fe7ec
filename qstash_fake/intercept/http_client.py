"""http.client: the base of urllib.request, and of urllib3, which requests and botocore use.

`putrequest` begins every request of a connection. If the host is QStash's, the connection then gets a socket that leads
to the fake. The connection itself, its responses and everything above them run as they are: openers and their
handlers, pools, adapters, retries, mocks and instrumentation.
"""

from __future__ import annotations

import errno
import functools
import io
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from qstash_fake.errors import ConnectionDropped
from qstash_fake.intercept.hosts import spelled, spelled_origin
from qstash_fake.intercept.patch import Patch
from qstash_fake.intercept.private import real_class, require
from qstash_fake.intercept.services import Services
from qstash_fake.intercept.wire import Connection

HTTPS_PORT = 443
_TUNNEL_HOST, _TUNNEL_PORT = "_tunnel_host", "_tunnel_port"  # where a proxy leads to; urllib3 uses them, too


def patches(module: ModuleType, services: Services) -> Iterator[Patch]:
    """Give connections of *module*, which is http.client, a socket of ours when a request begins."""
    connection = real_class(module.HTTPConnection)
    require(module, {f"HTTPConnection().{_TUNNEL_HOST}": hasattr(connection("localhost"), _TUNNEL_HOST)})
    yield Patch(connection, "putrequest", with_our_socket(services, _refused))


def _refused(_: Any, text: str) -> Exception:
    return ConnectionRefusedError(errno.ECONNREFUSED, text)


def with_our_socket(services: Services, refused: Callable[[Any, str], Exception]) -> Callable[..., Any]:
    """Return the replacement for `putrequest` of a class: requests to QStash begin with a socket of ours.

    *refused* makes the exception, with a text, of a connection of that class that cannot connect.
    """

    def make(original: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(original)
        def putrequest(connection: Any, method: str, url: str, *args: Any, **kwargs: Any) -> None:
            where = origin_of(connection)
            if services.at(spelled(where, url or "/")) is not None:
                plug_in(connection, Socket(services, where, functools.partial(refused, connection)))
            original(connection, method, url, *args, **kwargs)

        return putrequest

    return make


def origin_of(connection: Any) -> str:
    """Return scheme, host and port that *connection* leads to in the end, behind its proxy."""
    scheme = "https" if connection.default_port == HTTPS_PORT else "http"
    host, port = connection.host, connection.port
    if tunnel := getattr(connection, _TUNNEL_HOST):
        host, port = tunnel, getattr(connection, _TUNNEL_PORT) or connection.default_port
    return spelled_origin(scheme, host, port)


def plug_in(connection: Any, socket: Socket) -> None:
    """Let *connection* go over *socket*, unless it has one of ours that waits for its request.

    Another that is open may lead to the real host, from before the fake.
    """
    before = connection.sock
    if isinstance(before, Socket) and before.fresh:
        return
    connection.sock = socket
    if before is not None:
        before.close()


class Socket:
    """The part of a socket that http.client needs, for one request and its answer."""

    def __init__(self, services: Services, origin: str, refused: Callable[[str], Exception]) -> None:
        self._wire = Connection(services, origin)
        self._refused = refused
        self._answer = b""
        self.fresh = True

    def sendall(self, data: Any) -> None:
        """Take *data*; the answer is there once the request is complete."""
        self.fresh = False
        try:
            self._answer += self._wire.receive(bytes(data))
        except ConnectionDropped as dropped:
            raise self._refused(str(dropped)) from None

    def makefile(self, *_: Any, **__: Any) -> io.BufferedReader:
        """Return the answer, to be read."""
        return io.BufferedReader(io.BytesIO(self._answer))

    def settimeout(self, _: float | None) -> None:
        """Nothing is waited for."""

    def setsockopt(self, *_: Any) -> None:
        """There is nothing to set."""

    def shutdown(self, _: int) -> None:
        """Nothing is open."""

    def close(self) -> None:
        """Nothing is open."""
