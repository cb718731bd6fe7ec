"""Handler classes of http.server, as Vercel's Python functions are written."""

from http.server import BaseHTTPRequestHandler

import pytest

JOB = "https://shop.example:8443/api/job%20a?x=1"

pytestmark = pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z")


class Handler(BaseHTTPRequestHandler):
    """Answers as its path says."""

    def do_POST(self) -> None:
        if self.path.endswith("/fails"):
            raise LookupError("no such order")
        if self.path.endswith("/silent"):
            return
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(503 if self.path.endswith("/busy") else 200)
        self.send_header("Retry-After", "7")
        self.send_header("X-Host", self.headers["Host"])
        if self.path.endswith("/short"):
            self.send_header("Content-Length", "99")
        self.end_headers()
        self.wfile.write(f"{self.command} {self.path} {self.headers['Upstash-Retried']} {body!r}".encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class KeepsAlive(Handler):
    protocol_version = "HTTP/1.1"


class Buffered(Handler):
    wbufsize = -1
    timeout = 5


@pytest.mark.parametrize("kind", [Handler, KeepsAlive, Buffered])
def test_a_handler_class_is_delivered_to(qstash_fake, client, kind):
    qstash_fake.mount(kind)
    client.message.publish(url=JOB, body=b"\xff")
    qstash_fake.deliver_due()
    (attempt,) = qstash_fake.attempts
    assert (attempt.status, attempt.body) == (200, rb"POST /api/job%20a?x=1 0 b'\xff'")
    assert attempt.headers["X-Host"] == "shop.example:8443"


@pytest.mark.asyncio
async def test_a_handler_class_is_delivered_to_in_an_async_test(qstash_fake, client):
    qstash_fake.mount(Handler)
    client.message.publish(url=JOB)
    assert len((await qstash_fake.drain_async()).delivered) == 1


def test_its_answer_counts(qstash_fake, client):
    qstash_fake.mount(Handler)
    client.message.publish(url="https://shop.example/api/busy", retries=0)
    qstash_fake.deliver_due()
    (attempt,) = qstash_fake.attempts
    assert (attempt.status, attempt.headers["Retry-After"]) == (503, "7")


def test_a_method_that_it_does_not_have_is_a_501(qstash_fake, client):
    qstash_fake.mount(Handler)
    client.message.publish(url=JOB, method="PUT", retries=0)
    qstash_fake.deliver_due()
    assert qstash_fake.dlq[0].response_status == 501


@pytest.mark.parametrize(
    ("path", "error", "says"),
    [
        ("fails", LookupError, "no such order"),
        ("silent", RuntimeError, "the application closed the connection without an answer"),
    ],
)
def test_what_keeps_it_from_an_answer_is_raised_from_the_verb(qstash_fake, client, path, error, says):
    qstash_fake.mount(Handler)
    client.message.publish(url=f"https://shop.example/api/{path}", retries=0)
    with pytest.raises(error, match=says):
        qstash_fake.deliver_due()
    assert qstash_fake.dlq[0].response_status == 500


def test_an_answer_that_is_too_short_is_a_broken_connection(qstash_fake, client):
    qstash_fake.mount(Handler)
    client.message.publish(url="https://shop.example/api/short", retries=0)
    qstash_fake.deliver_due()
    (attempt,) = qstash_fake.attempts
    assert (attempt.status, attempt.error) == (0, "the connection was closed before the response was complete")


def test_an_endless_answer_is_cut(qstash_fake, client, monkeypatch):
    monkeypatch.setattr("qstash_fake.delivery.kinds.http_server.MAX_RECEIVED", 1000)
    monkeypatch.setattr("qstash_fake.delivery.kinds.wire.MAX_BODY", 5)

    class Endless(Handler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.end_headers()
            while True:
                self.wfile.write(b"ab")

    qstash_fake.mount(Endless)
    client.message.publish(url=JOB)
    qstash_fake.deliver_due()
    (attempt,) = qstash_fake.attempts
    assert (attempt.status, attempt.body, attempt.exception) == (200, b"ababa", None)
