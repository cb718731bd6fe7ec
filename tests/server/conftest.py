"""A stand-alone server as a process of its own, a destination that it delivers to, and waiting for what comes."""

import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from tests.server.typescript import Run, runner_in
from tests.server.waits import WITHIN_S, eventually


@dataclass
class Received:
    method: str
    path: str
    headers: httpx.Headers
    body: bytes
    connection: socket.socket

    def is_given_up(self) -> bool:
        """Wait until whoever sent it hangs up."""
        return bool(select.select([self.connection], [], [], WITHIN_S)[0]) and not self.connection.recv(1)


@dataclass
class Destination:
    """An HTTP server in threads; *handle* answers with a status, 0 to hang up, or with a status and headers."""

    url: str = ""
    received: list[Received] = field(default_factory=list)
    handle: Callable[[Received], int | tuple[int, dict[str, str]]] = lambda request: 200
    answer: bytes = b""

    @property
    def bodies(self) -> list[bytes]:
        return [request.body for request in self.received]

    def wait_for(self, count: int) -> list[Received]:
        eventually(lambda: len(self.received) >= count, f"delivery {count} to {self.url}")
        return self.received


@contextmanager
def a_destination() -> Iterator[Destination]:
    destination = Destination()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in self.headers.items()]
            request = Received(self.command, self.path, httpx.Headers(headers), body, self.connection)
            destination.received.append(request)
            answer = destination.handle(request)
            status, extra = answer if isinstance(answer, tuple) else (answer, {})
            self.close_connection = True
            if status == 0:
                return
            self.send_response(status)
            length = str(len(destination.answer))
            for name, value in {"content-length": length, "connection": "close", **extra}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(destination.answer)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815 - http.server's names

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *arguments: object) -> None:
            """Say nothing: some tests break the connection on purpose."""

    with Server(("127.0.0.1", 0), Handler) as server:
        destination.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield destination
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def destination() -> Iterator[Destination]:
    with a_destination() as made:
        yield made


@dataclass
class Running:
    """A server that runs: its process, what it has printed, and a client that it lets in."""

    process: subprocess.Popen[str]
    lines: list[str]
    url: str
    client: httpx.Client

    @property
    def environment(self) -> dict[str, str]:
        """The variables that it has printed."""
        return dict(line.split("=", 1) for line in self.lines if line.startswith("QSTASH_"))

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.client.base_url.host, self.client.base_url.port
        assert port is not None
        return host, port

    def raw(self, method: str, path: str, body: bytes = b"", *more: str) -> bytes:
        """Return a request as bytes, for what no HTTP client would do; *more* header lines."""
        lines = [
            f"{method} {path} HTTP/1.1",
            "Host: localhost",
            f"Authorization: {self.client.headers['authorization']}",
        ]
        head = "\r\n".join([*lines, *more, f"Content-Length: {len(body)}", "", ""])
        return head.encode() + body

    def publish(self, url: str, body: bytes = b"", **headers: str) -> str:
        names = {f"upstash-{name.replace('_', '-')}": value for name, value in headers.items()}
        answer = self.client.post(f"/v2/publish/{url}", content=body, headers=names)
        assert answer.status_code == 201, answer.text
        message_id: str = answer.json()["messageId"]
        return message_id

    def control(self, path: str, **given: Any) -> Any:
        answer = self.client.post(f"/_fake/{path}", json=given)
        assert answer.status_code == 200, answer.text
        return answer.json()

    @property
    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = self.client.get("/_fake/state").json()
        return state

    def message(self, message_id: str) -> dict[str, Any]:
        return next(message for message in self.state["messages"] if message["messageId"] == message_id)

    def settled(self, message_id: str) -> dict[str, Any]:
        """Return the message once it is delivered, failed or cancelled."""
        eventually(lambda: self.message(message_id)["state"] in ("DELIVERED", "FAILED", "CANCELED"), "an outcome")
        return self.message(message_id)


def environment() -> dict[str, str]:
    """The environment of this process, without what would change where a server listens or delivers."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("QSTASH_") and not name.lower().endswith("_proxy")
    }


@contextmanager
def serving(*options: str, token: str = "any-token", **variables: str) -> Iterator[Running]:
    """Run `python -m qstash_fake serve` on a free port until the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", "qstash_fake", "serve", "--port", "0", *options],
        stdout=subprocess.PIPE,
        text=True,
        env=environment() | variables,
    )
    assert process.stdout is not None
    printed, lines = process.stdout, list[str]()

    def read() -> None:
        for line in printed:
            lines.append(line.rstrip("\n"))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        eventually(lambda: any(line.startswith("QSTASH_NEXT") for line in lines) or process.poll() is not None)
        url = lines[0].split()[3].rstrip(",")
        headers = {"authorization": f"Bearer {token}"}
        # Nothing is kept alive: a server that was not scheduled for a while closes what the client is just using.
        once = httpx.Limits(max_keepalive_connections=0)
        with httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=WITHIN_S, limits=once) as client:
            yield Running(process, lines, url, client)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(WITHIN_S)
        reader.join()
        printed.close()


@pytest.fixture(scope="session")
def real_server() -> Iterator[Running]:
    with serving("--route", "https://shop.example=http://127.0.0.1:1") as running:
        yield running


@pytest.fixture(scope="session")
def virtual_server() -> Iterator[Running]:
    with serving("--clock", "virtual") as running:
        yield running


@pytest.fixture
def server(real_server: Running) -> Running:
    """A server with a real clock, as good as new once the deliveries of the test before have ended."""
    eventually(lambda: real_server.client.post("/_fake/reset").status_code == 200, "the reset")
    return real_server


@pytest.fixture
def still(virtual_server: Running) -> Running:
    """A server with a virtual clock, as good as new."""
    virtual_server.control("reset")
    return virtual_server


@pytest.fixture(name="serving", scope="session")
def give_serving() -> Callable[..., Any]:
    """Run another server: `with serving(*options) as running`."""
    return serving


@pytest.fixture(scope="session")
def typescript(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run a script beside the installed SDKs and return what it printed, with its exit status as the last line."""
    return runner_in(tmp_path_factory.mktemp("js"))
