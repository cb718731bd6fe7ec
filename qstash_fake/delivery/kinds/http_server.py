"""Handler classes of `http.server`, as Vercel's Python functions are written."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from qstash_fake.delivery.answers import MAX_BODY, Answer
from qstash_fake.delivery.exchange import Request
from qstash_fake.delivery.kinds import wire
from qstash_fake.delivery.kinds.base import Reply, SyncApp
from qstash_fake.protocol import urls

MAX_RECEIVED = MAX_BODY + 1024 * 1024  # a MiB for the status line and the headers


@dataclass(eq=False)
class HandlerClass(SyncApp):
    """A subclass of BaseHTTPRequestHandler: an instance of it handles one connection as it is made."""

    handler: Callable[[Any, tuple[str, int], Any], object]

    def send(self, request: Request) -> Reply:
        connection = _Connection(wire.request_bytes(request))
        host, port, _ = urls.server(request.url)
        server = SimpleNamespace(server_name=host, server_port=port, server_address=(host, port))
        with Answer() as answer:
            self.handler(connection, ("127.0.0.1", 0), server)
        if connection.hung_up:
            answer.exception = None  # it comes of hanging up
        return wire.reply(answer, request.method, bytes(connection.received))


class _Connection:
    """What `socketserver.StreamRequestHandler` uses of a socket."""

    def __init__(self, sent: bytes) -> None:
        self._sent = sent
        self.received = bytearray()
        self.hung_up = False

    def makefile(self, mode: str, *_: Any) -> io.BufferedIOBase:
        return io.BytesIO(self._sent) if "r" in mode else io.BufferedWriter(_Writer(self))

    def sendall(self, data: Any) -> None:
        if len(self.received) > MAX_RECEIVED:
            self.hung_up = True
            raise BrokenPipeError("the client has hung up")
        self.received += data

    def settimeout(self, timeout: float | None) -> None:
        """Do nothing: everything to be read is there."""

    def setsockopt(self, *_: Any) -> None:
        """Have no options."""


class _Writer(io.RawIOBase):
    """The connection as a file, for a handler class with a buffer."""

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._connection.sendall(data)
        return len(data)
