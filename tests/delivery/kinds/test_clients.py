"""Clients of httpx: those that lead to an application, to a server on this machine, and those that lead nowhere."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import httpx2
import pytest
import requests

from qstash_fake import UsageError

JOB = "https://shop.example/jobs/a%20b?x=1"

pytestmark = pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z")


# --- a live server ----------------------------------------------------------------------------------------------------


class Server(ThreadingHTTPServer):
    """A server that keeps what it was asked, and answers 201."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Asked)
        self.asked: list[tuple[str, dict[str, str], bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Asked(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(201)
        self.end_headers()
        self.wfile.write(b"done")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def listener() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("make", [httpx.Client, httpx2.Client])
@pytest.mark.parametrize("base", ["", "/api/"])
def test_a_client_with_the_base_url_of_a_listener_delivers_there(qstash_fake, client, listener, make, base):
    with make(base_url=listener.url + base) as http:
        qstash_fake.mount(http, "https://shop.example")
        client.message.publish(url=JOB, body="7")
        qstash_fake.deliver_due()
    ((path, headers, body),) = listener.asked
    assert (path, body) == (f"{base.removesuffix('/')}/jobs/a%20b?x=1", b"7")
    assert headers["host"] == f"127.0.0.1:{listener.server_port}"
    assert (headers["x-forwarded-host"], headers["x-forwarded-proto"]) == ("shop.example", "https")
    assert "upstash-signature" in headers
    assert (qstash_fake.attempts[0].status, qstash_fake.attempts[0].body) == (201, b"done")


@pytest.mark.parametrize("make", [httpx.AsyncClient, httpx2.AsyncClient])
@pytest.mark.asyncio
async def test_an_async_client_delivers_to_a_listener(qstash_fake, client, listener, make):
    async with make(base_url=listener.url) as http:
        qstash_fake.mount(http, "https://shop.example")
        client.message.publish(url=JOB, body="7")
        await qstash_fake.deliver_due_async()
    assert [path for path, _, _ in listener.asked] == ["/jobs/a%20b?x=1"]


# --- clients that lead nowhere ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [httpx.Client, httpx.AsyncClient, httpx2.Client, httpx2.AsyncClient])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"base_url": "https://shop.example"},
        {"base_url": "http://localhost.shop.example"},
        {"proxy": "http://127.0.0.1:9"},
    ],
)
def test_a_client_that_would_ask_the_network_is_refused(qstash_fake, make, options):
    with pytest.raises(UsageError) as raised:
        qstash_fake.mount(make(**options), "https://shop.example")
    assert str(raised.value).partition(": ")[2] == (
        "it would ask the network, which is never used; give it the application, such as "
        "transport=httpx.WSGITransport(app), or the base_url of a server on this machine"
    )


def test_a_session_of_requests_is_refused(qstash_fake):
    with pytest.raises(UsageError, match=r"cannot mount <requests\.sessions\.Session"):
        qstash_fake.mount(requests.Session())


# --- clients that lead to an application ------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [httpx.Client, httpx2.Client])
def test_a_transport_for_some_urls_leads_to_an_application(qstash_fake, client, make):
    module = httpx if make is httpx.Client else httpx2
    transport = module.MockTransport(lambda request: module.Response(202))
    qstash_fake.mount(make(mounts={"https://": transport}))
    client.message.publish(url=JOB)
    qstash_fake.deliver_due()
    assert qstash_fake.attempts[0].status == 202


@pytest.mark.parametrize("make", [httpx.Client, httpx.AsyncClient])
def test_a_base_url_does_not_change_where_an_application_is_asked(qstash_fake, client, make):
    asked = []

    def app(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(200)

    qstash_fake.mount(make(transport=httpx.MockTransport(app), base_url="http://testserver"))
    client.message.publish(url=JOB)
    qstash_fake.deliver_due()
    assert asked == [JOB]


def test_hooks_and_headers_of_a_client_count(qstash_fake, client):
    seen: list[httpx.Request] = []
    transport = httpx.MockTransport(lambda request: httpx.Response(200))
    http = httpx.Client(transport=transport, headers={"X-Tenant": "7"}, event_hooks={"request": [seen.append]})
    qstash_fake.mount(http)
    client.message.publish(url=JOB)
    qstash_fake.deliver_due()
    assert [request.headers["X-Tenant"] for request in seen] == ["7"]


class Asks:
    """A client of a user's own."""

    def __init__(self, status: int) -> None:
        self.status = status

    def request(self, method: str, url: str, **options: object) -> httpx.Response:
        return httpx.Response(self.status, text=f"{method} {url} {sorted(options)}")


class AsksAsync(Asks):
    async def request(self, method: str, url: str, **options: object) -> httpx.Response:  # type: ignore[override]
        return super().request(method, url, **options)


@pytest.mark.parametrize("make", [Asks, AsksAsync])
def test_a_client_of_a_users_own_is_asked_as_httpx_is(qstash_fake, client, make):
    qstash_fake.mount(make(201))
    client.message.publish(url=JOB)
    qstash_fake.deliver_due()
    assert qstash_fake.attempts[0].body.decode() == f"POST {JOB} ['content', 'headers']"


# --- responses that were not read -------------------------------------------------------------------------------------


class Parts(httpx.AsyncByteStream):
    async def __aiter__(self):
        yield b"a"
        yield b"b"


def test_a_response_with_an_unread_stream_is_read(qstash_fake, client):
    qstash_fake.mount(lambda request: httpx.Response(200, content=iter([b"a", b"b"])))
    client.message.publish(url=JOB)
    qstash_fake.deliver_due()
    assert qstash_fake.attempts[0].body == b"ab"


def test_a_response_with_an_unread_async_stream_is_read(qstash_fake, client):
    async def app(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=Parts())

    for mounted in (app, httpx.AsyncClient(transport=httpx.MockTransport(app))):
        qstash_fake.mount(mounted)
        client.message.publish(url=JOB)
        qstash_fake.deliver_due()
    assert [attempt.body for attempt in qstash_fake.attempts] == [b"ab", b"ab"]


def test_a_synchronous_function_cannot_answer_with_an_async_stream(qstash_fake, client):
    qstash_fake.mount(lambda request: httpx.Response(200, stream=Parts()))
    client.message.publish(url=JOB, retries=0)
    with pytest.raises(RuntimeError, match="async"):
        qstash_fake.deliver_due()
    assert qstash_fake.messages[0].state == "FAILED"


def test_an_endless_stream_of_a_client_is_cut(qstash_fake, client, monkeypatch):
    monkeypatch.setattr("qstash_fake.delivery.answers.MAX_BODY", 5)
    parts = []

    def endless():
        while True:
            parts.append(b"ab")
            yield b"ab"

    transport = httpx.MockTransport(lambda request: httpx.Response(200, content=endless()))
    qstash_fake.mount(httpx.Client(transport=transport))
    client.message.publish(url=JOB)
    qstash_fake.deliver_due()
    assert (qstash_fake.attempts[0].body, len(parts)) == (b"ababa", 3)
