"""Listening: uvicorn on a socket of ours. Knows sockets, threads and signals; not what is answered."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, ModuleType
from typing import TYPE_CHECKING, Any, Protocol, Self

from starlette.types import Receive, Scope, Send

from qstash_fake.errors import UsageError

if TYPE_CHECKING:
    import uvicorn

Address = tuple[str, int]
SHUTDOWN_S = 1  # the time for requests in progress when the server ends


class Connections:
    """The connections that are open, by the address of the client."""

    def __init__(self) -> None:
        self._open: dict[Address, asyncio.Transport] = {}

    def hang_up(self, client: Address) -> None:
        """Break the connection with *client* without an answer, unless it has hung up itself."""
        if (connection := self._open.get(client)) is not None:
            connection.abort()

    def noted_by(self, protocol: type[asyncio.Protocol]) -> type[asyncio.Protocol]:
        """Return a subclass of *protocol*, one of uvicorn's, that notes its connections here."""
        connections = self._open

        class Noted(protocol):  # type: ignore[valid-type, misc]
            def connection_made(self, transport: asyncio.Transport) -> None:
                self.noted_address = tuple((transport.get_extra_info("peername") or ("", 0))[:2])
                connections[self.noted_address] = transport
                super().connection_made(transport)

            def connection_lost(self, exc: Exception | None) -> None:
                connections.pop(self.noted_address, None)
                super().connection_lost(exc)

        return Noted


# What to do about an error of listening, by its number; the rest is about the address.
ADVICE = {
    errno.EADDRINUSE: "stop what listens there, or choose another port with --port",
    errno.EACCES: "choose a port above 1023 with --port",
}
ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # every address of this machine → an address that reaches it from here


def bind(host: str, port: int) -> socket.socket:
    """Return a socket that listens on *host* and *port*, a free port for 0; or raise UsageError."""
    host = host.removeprefix("[").removesuffix("]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    both = host == "::" and socket.has_dualstack_ipv6()  # `::` means every address, those of IPv4 as well
    try:
        made = socket.create_server((host, port), family=family, backlog=2048, dualstack_ipv6=both)
    except OSError as error:
        number = error.errno or 0  # the number for a name that leads nowhere is below 0
        problem = os.strerror(number) if number > 0 else "no such host"  # socket's own text repeats the address
        advice = ADVICE.get(number, "give one of this machine's addresses with --host")
        raise UsageError(f"cannot listen on {host}, port {port} ({problem}): {advice}") from None
    # asyncio turns Nagle's algorithm off, which costs 40 ms an answer, only for sockets that say that they are TCP's.
    return socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, fileno=made.detach())


def url_of(bound: socket.socket) -> str:
    """Return the URL at which this machine reaches *bound*."""
    host, port = bound.getsockname()[:2]
    host = ANYWHERE.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Served(Protocol):
    """An ASGI application that is told when its server ends."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...

    def end(self) -> None:
        """End streams and verbs; called while requests are still in progress."""


def server_for(app: Served, connections: Connections, *, quiet: bool = False) -> uvicorn.Server:
    """Return uvicorn, ready to serve *app*; or raise UsageError if it is not installed.

    *quiet*: it logs nothing; else it logs as this process has set up its logging.
    """
    module = _uvicorn()
    from uvicorn.protocols.http.auto import AutoHTTPProtocol

    config = module.Config(
        app,
        http=connections.noted_by(AutoHTTPProtocol),
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical" if quiet else None,
        proxy_headers=False,  # the address of a client must be that of its connection, to find the one to break
        server_header=False,
        timeout_graceful_shutdown=SHUTDOWN_S,
    )

    class Server(module.Server):  # type: ignore[name-defined, misc]  # imported above, where a user has it
        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            app.end()
            await super().shutdown(sockets)

    server: uvicorn.Server = Server(config)
    return server


class Signals:
    """Notes SIGINT and SIGTERM in its context, and ends the server even before uvicorn listens to them.

    While it serves, uvicorn has its own handlers; afterwards it raises the signals again for the former ones.
    """

    def __init__(self) -> None:
        self.seen: set[int] = set()
        self._server: uvicorn.Server | None = None
        self._before: dict[int, Any] = {}

    def ends(self, server: uvicorn.Server) -> None:
        """Let the signals end *server*, also signals that have come already."""
        self._server = server
        server.should_exit = bool(self.seen)

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.seen.add(number)
        if self._server is not None:
            self._server.should_exit = True


@contextmanager
def in_thread(app: Callable[[Connections], Served]) -> Iterator[str]:
    """Serve *app* on a free loopback port, in a thread, until the block ends; gives the URL."""
    connections = Connections()
    server = server_for(app(connections), connections)
    with bind("127.0.0.1", 0) as bound:
        url = url_of(bound)
        ready = threading.Event()

        async def serve() -> None:
            serving = asyncio.create_task(server.serve(sockets=[bound]))
            while not server.started and not serving.done():  # noqa: ASYNC110 - uvicorn has no event for it
                await asyncio.sleep(0)
            ready.set()
            await serving

        thread = threading.Thread(target=lambda: asyncio.run(serve()), name="qstash_server", daemon=True)
        thread.start()
        ready.wait()
        try:
            yield url
        finally:
            server.should_exit = True
            thread.join()


def _uvicorn() -> ModuleType:
    try:
        import uvicorn
    except ImportError:
        raise UsageError("a server needs uvicorn: pip install 'qstash-fake[server]'") from None
    return uvicorn
