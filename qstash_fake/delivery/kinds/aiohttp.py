"""aiohttp: its applications, called without a port, and its test client.

An application of aiohttp speaks HTTP itself: it makes a protocol for each connection. Here it gets a transport that
keeps in memory what is written to it. There is one request for each connection.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass
from typing import Any

from qstash_fake.delivery.answers import MAX_BODY, Answer, Body, note_swallowed
from qstash_fake.delivery.classes import require
from qstash_fake.delivery.exchange import Request, path_and_query
from qstash_fake.delivery.kinds import wire
from qstash_fake.delivery.kinds.base import AsyncApp, Reply, SyncApp
from qstash_fake.delivery.lifespans import Lifespan
from qstash_fake.delivery.loops import Task
from qstash_fake.delivery.watchdog import Silence
from qstash_fake.errors import UsageError

MAX_RECEIVED = MAX_BODY + 1024 * 1024  # a MiB for the status line and the headers


class Application(AsyncApp):
    """An `aiohttp.web.Application`. A verb that starts it shuts it down at the end, too."""

    runs_lifespan = True

    def __init__(self, app: Any) -> None:
        require(app, "_make_handler", "_set_loop")
        self.app = app

    async def send_async(self, request: Request) -> Reply:
        connection = _Connection()
        protocol = _server(self.app)()
        with Answer() as answer:
            protocol.connection_made(connection)
            protocol.data_received(wire.request_bytes(request, ("Connection", "close")))
            try:
                await connection.closed.wait()
            finally:
                protocol.connection_lost(None)
        return wire.reply(answer, request.method, bytes(connection.received))

    def make_lifespan(self) -> Lifespan:
        _take_to_this_loop(self.app)
        return Run(self.app)


class Run:
    """The life of an application: what `startup` of it, and of its clean-up contexts, has made, `shutdown` ends."""

    def __init__(self, app: Any) -> None:
        from aiohttp import web

        self.app = app
        self.state: dict[str, Any] = {}  # it stands in the application
        self.task: Task | None = None
        self._runner = web.AppRunner(app, access_log=None)

    async def startup(self, limit_ms: int) -> None:
        """Start the application, unless somebody else has, such as a TestServer; in *limit_ms* of real time."""
        if not self.app.frozen:
            await _in_time(self._runner.setup(), "startup", limit_ms)

    async def shutdown(self, limit_ms: int) -> None:
        """Shut down what `startup` has started, in *limit_ms* of real time."""
        await _in_time(self._runner.cleanup(), "shutdown", limit_ms)


async def _in_time(work: Awaitable[object], what: str, limit_ms: int) -> None:
    timer = asyncio.timeout(limit_ms / 1000 or None)
    try:
        async with timer:
            await work
    except TimeoutError as error:
        if not timer.expired():
            raise
        cancelled = error.__cause__ or error
        waited = "".join(traceback.format_tb(cancelled.__traceback__)[-3:]).rstrip()
        raise UsageError(Silence(limit_ms, waited).sentence(f"the application did not end its {what}")) from None


@dataclass(eq=False)
class Client(SyncApp):
    """`aiohttp.test_utils.TestClient`; its server listens on the loop of the test."""

    client: Any

    def send(self, request: Request) -> Reply:
        raise UsageError(
            "the mounted aiohttp TestClient answers on the loop of its test alone: use an async verb, such as "
            "`await qstash_fake.drain_async()`, or mount the application"
        )

    async def send_async(self, request: Request) -> Reply:
        from yarl import URL

        target = URL(path_and_query(request.url), encoded=True)
        headers = [pair for pair in request.headers if pair[0] != "Content-Length"]
        with Answer() as answer:
            response = await self.client.request(
                request.method,
                target,
                data=request.body,
                headers=headers,
                allow_redirects=False,
                skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
            )
            body = Body()
            await body.read_async(response.content.iter_any())
            response.release()
            answer.status, answer.headers, answer.body = response.status, response.raw_headers, body.joined()
        return answer


def _server(app: Any) -> Any:
    """Return the maker of protocols of *app*; it notes exceptions, which aiohttp logs and answers with 500."""
    _take_to_this_loop(app)
    server = app._make_handler(access_log=None)  # web.AppRunner's way; the public name for it is deprecated
    handle = server.request_handler

    async def watched(request: Any) -> Any:
        from aiohttp.web import HTTPException

        try:
            return await handle(request)
        except HTTPException:  # an answer
            raise
        except Exception as error:
            note_swallowed(error)
            raise

    server.request_handler = watched
    return server


def _take_to_this_loop(app: Any) -> None:
    try:
        app._set_loop(asyncio.get_running_loop())  # as web.AppRunner does
    except RuntimeError:
        raise UsageError(
            f"{app!r} has run on another event loop, and an aiohttp application has one in its life: "
            f"make a new one for each test"
        ) from None


class _Connection(asyncio.Transport):
    """A transport that leads nowhere; *received* is what was written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.received = bytearray()
        self.closed = asyncio.Event()

    def write(self, data: Any) -> None:
        self.received += data
        if len(self.received) > MAX_RECEIVED:
            self.close()

    def writelines(self, list_of_data: Iterable[Any]) -> None:
        self.write(b"".join(list_of_data))

    def is_closing(self) -> bool:
        return self.closed.is_set()

    def close(self) -> None:
        self.closed.set()

    def abort(self) -> None:
        self.close()

    def is_reading(self) -> bool:
        return True

    def pause_reading(self) -> None:
        """Read on: there is nothing more to come."""

    def resume_reading(self) -> None:
        """Read on."""
