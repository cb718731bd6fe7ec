"""Where deliveries go: it notes what comes, and answers as a test says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import NamedTuple

import httpx


class Answer(NamedTuple):
    """What a destination answers."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


@dataclass
class Received:
    """A delivery as the destination saw it."""

    method: str
    url: str
    headers: httpx.Headers
    body: bytes


@dataclass
class Destination:
    """A server at *origin*. A test has the path *own* of it, which *answer* is told the deliveries to.

    What comes late, for a test that has ended, is answered and not noted.
    """

    origin: str = ""
    own: str = ""
    received: list[Received] = field(default_factory=list)
    answer: Callable[[Received], Answer] = lambda received: Answer()

    @property
    def url(self) -> str:
        """What the URLs of the test's own deliveries begin with."""
        return f"{self.origin}/{self.own}"

    def begin(self, own: str) -> None:
        """Be there for the next test, which is called *own*."""
        self.own, self.received, self.answer = own, [], lambda received: Answer()

    def take(self, received: Received) -> Answer:
        """Note a delivery, and return the answer to it."""
        if not received.url.startswith(self.url):
            return Answer()
        self.received.append(received)
        return self.answer(received)


@contextmanager
def on_this_machine() -> Iterator[Destination]:
    """Give a destination with a port of its own until the block ends."""
    destination = Destination()

    class Handler(BaseHTTPRequestHandler):
        def take(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = httpx.Headers(list(self.headers.items()))
            answer = destination.take(Received(self.command, f"http://{headers['host']}{self.path}", headers, body))
            self.send_response(answer.status)
            for name, value in (*answer.headers, ("Content-Length", str(len(answer.body)))):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = take  # noqa: N815 - http.server's names

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        destination.origin = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield destination
        finally:
            server.shutdown()
            thread.join()
