"""aiohttp: a connector's connection to QStash goes over a transport that leads to the fake.

`BaseConnector.connect` gives a session its connections, whatever the connector. The session, its middlewares, traces
and retries, the responses and their streams run as they are.
"""

from __future__ import annotations

import asyncio
import errno
import functools
from collections.abc import Awaitable, Callable, Iterator
from types import ModuleType
from typing import Any

from qstash_fake.errors import ConnectionDropped
from qstash_fake.intercept.patch import Patch
from qstash_fake.intercept.private import private
from qstash_fake.intercept.services import Services
from qstash_fake.intercept.wire import Connection

Connect = Callable[..., Awaitable[Any]]


def patches(module: ModuleType, services: Services) -> Iterator[Patch]:
    """Let the connectors of *module*, which is aiohttp, connect to the fake."""
    protocol_class = private(module, "client_proto.ResponseHandler")
    connection_class = private(module, "connector.Connection")
    cannot_connect = private(module, "ClientConnectorError")

    def connect_to_us(original: Connect) -> Connect:
        @functools.wraps(original)
        async def connect(connector: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
            if services.at(str(request.url)) is None:
                return await original(connector, request, *args, **kwargs)
            loop, key = asyncio.get_running_loop(), request.connection_key
            protocol = protocol_class(loop)
            wire = Connection(services, str(request.url.origin()))
            protocol.connection_made(_Transport(protocol, wire, loop, functools.partial(_refused, cannot_connect, key)))
            return connection_class(connector, key, protocol, loop)

        return connect

    yield Patch(private(module, "BaseConnector"), "connect", connect_to_us)


def _refused(cannot_connect: Callable[..., Exception], key: Any, text: str) -> Exception:
    return cannot_connect(key, ConnectionRefusedError(errno.ECONNREFUSED, text))


class _Transport(asyncio.Transport):
    """The client's end of a connection to the fake, for one request and its answer."""

    def __init__(
        self, protocol: Any, wire: Connection, loop: asyncio.AbstractEventLoop, refused: Callable[[str], Exception]
    ) -> None:
        super().__init__()
        self._protocol = protocol
        self._wire = wire
        self._loop = loop
        self._refused = refused
        self._closing = False

    def write(self, data: Any) -> None:
        """Take *data*; the answer comes in the loop's next turn once the request is complete."""
        try:
            answer = self._wire.receive(bytes(data))
        except ConnectionDropped as dropped:
            self._protocol.set_exception(self._refused(str(dropped)))
            return
        if answer:
            self._loop.call_soon(self._protocol.data_received, answer)

    def is_closing(self) -> bool:
        """Tell whether the client has closed its end."""
        return self._closing

    def close(self) -> None:
        """Tell the protocol, in the loop's next turn, that the connection is closed."""
        if not self._closing:
            self._closing = True
            self._loop.call_soon(self._protocol.connection_lost, None)

    def abort(self) -> None:
        """Do the same as `close`: nothing is on its way."""
        self.close()

    def pause_reading(self) -> None:
        """The whole answer is there already."""

    def resume_reading(self) -> None:
        """The whole answer is there already."""

    def get_write_buffer_size(self) -> int:
        """Every write is taken at once."""
        return 0
