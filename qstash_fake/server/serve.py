"""The stand-alone server, and the server beside a test: both are one fake, its two APIs and a socket."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
import time
import webbrowser
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from qstash_fake.api.auth import Auth
from qstash_fake.protocol.moments import to_datetime
from qstash_fake.server import network
from qstash_fake.server.app import ServerApp
from qstash_fake.server.control import Control
from qstash_fake.server.lines import Lines
from qstash_fake.server.listening import Connections, Signals, bind, in_thread, server_for, url_of
from qstash_fake.server.network import Moved
from qstash_fake.server.realtime import RealTime
from qstash_fake.testing.environment import DEV_TOKEN, variables
from qstash_fake.testing.fake import QStashFake, inside
from qstash_fake.testing.timekeeper import real_now_ms

REAL_CLOCK = "this server's clock is real and cannot be moved: start it with --clock virtual"
CLOCK_OF_THE_TEST = "the test moves this clock: call qstash_fake.clock.advance(…) there"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How the stand-alone server behaves; no *tokens* let in any token that is not empty."""

    host: str = "127.0.0.1"
    port: int = 8080
    allow_remote: bool = False
    tokens: tuple[str, ...] = ()
    read_only_tokens: tuple[str, ...] = ()
    virtual: bool = False
    start_ms: int | None = None
    """Where a virtual clock stands at first; None is the time of the start."""
    moved: tuple[Moved, ...] = ()
    allow_external: bool = False
    plan: str | None = None
    opens: bool = False
    """Whether the page is opened in a browser."""


@dataclass(frozen=True, slots=True)
class LocalServer:
    """A fake that listens: its address, and the environment that leads an application to it."""

    url: str
    environment: Mapping[str, str]
    """The four variables that the SDKs read."""


def serve(settings: Settings, say: Callable[[str], object]) -> None:
    """Serve until SIGTERM, or until Ctrl-C, which raises KeyboardInterrupt; *say* is given each line for people."""
    start_ms = real_now_ms() if settings.start_ms is None else settings.start_ms
    fake = QStashFake(
        start=to_datetime(start_ms) if settings.virtual else None,
        freeze="off",
        unrouted="fail",
        raise_app_exceptions=False,
        seed=0 if settings.virtual else time.time_ns(),  # an application may remember the ids of yesterday
        plan=settings.plan,
        watchdog=0,  # each delivery has its own time-out there
    )
    inside(fake).verbs.open()  # not entered: a server changes no environment and intercepts nothing
    inside(fake).api.auth = Auth(settings.tokens or None, settings.read_only_tokens)
    with bind(settings.host, settings.port) as bound, Signals() as signals:
        asyncio.run(_serve(fake, settings, bound, signals, say))
    if signal.SIGINT in signals.seen:
        raise KeyboardInterrupt


@contextmanager
def beside_a_test(fake: QStashFake) -> Iterator[LocalServer]:
    """Serve *fake*, whose clock a test moves, on a free loopback port until the block ends.

    The four variables of this process lead there, too: a worker that it starts inherits them. Calls of this process to
    that address are intercepted as all others are; the port is for other processes.
    """

    def app(connections: Connections) -> ServerApp:
        control = Control(fake, fixed_clock=CLOCK_OF_THE_TEST)
        return ServerApp(inside(fake).api, control, hang_up=connections.hang_up)

    with in_thread(app) as url:
        keys = fake.signing_keys
        environment = {
            "QSTASH_URL": url,
            "QSTASH_TOKEN": os.environ.get("QSTASH_TOKEN", DEV_TOKEN),
            "QSTASH_CURRENT_SIGNING_KEY": keys.current,
            "QSTASH_NEXT_SIGNING_KEY": keys.next,
        }
        with variables(environment):
            yield LocalServer(url, environment)


async def _serve(
    fake: QStashFake, settings: Settings, bound: socket.socket, signals: Signals, say: Callable[[str], object]
) -> None:
    lines = Lines(fake, say)
    async with network.client(allow_external=settings.allow_external) as sender:
        for app, prefix in network.mounts(sender, settings.moved, allow_external=settings.allow_external):
            fake.mount(app, prefix, lifespan=False)
        real = RealTime(inside(fake).timekeeper, inside(fake).targets, lines.say_new)
        control = Control(fake, fixed_clock=None if settings.virtual else REAL_CLOCK, still=real.still)

        def answered() -> None:
            lines.say_new()
            real.wake()

        connections = Connections()
        server = server_for(
            ServerApp(
                inside(fake).api,
                control,
                any_host=settings.allow_remote,
                hang_up=connections.hang_up,
                answered=answered,
            ),
            connections,
            quiet=True,
        )
        for line in _welcome(fake, settings, url_of(bound)):
            say(line)
        signals.ends(server)
        serving = asyncio.create_task(server.serve(sockets=[bound]))
        if settings.opens:
            # In a thread: some browsers are waited for. The socket listens already: no request is lost.
            threading.Thread(target=webbrowser.open, args=(f"{url_of(bound)}/_fake/",), daemon=True).start()
        beside = asyncio.create_task(lines.follow() if settings.virtual else real.run())
        await asyncio.wait((serving, beside), return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        await serving
        beside.cancel()
        with suppress(asyncio.CancelledError):
            await beside  # raises if it has ended by itself: an error of ours, to be seen


def _welcome(fake: QStashFake, settings: Settings, url: str) -> Iterator[str]:
    """Yield what is printed at the start: the environment, without the secrets that the user brought."""
    clock = "virtual" if settings.virtual else "real"
    yield f"qstash-fake listens on {url}, its clock is {clock}; stop it with Ctrl-C"
    yield ""
    yield f"QSTASH_URL={url}"
    yield f"QSTASH_TOKEN={'<the token you gave>' if settings.tokens else DEV_TOKEN}"
    for name, key in (("CURRENT", fake.signing_keys.current), ("NEXT", fake.signing_keys.next)):
        variable = f"QSTASH_{name}_SIGNING_KEY"
        yield f"{variable}={'<the one of your environment>' if os.environ.get(variable) == key else key}"
    yield ""
