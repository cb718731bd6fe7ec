"""The QStash under test: the fake in this process, or whatever answers at an address."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from conformance.destination import Destination, Received, on_this_machine
from qstash_fake import QStashFake

WITHIN_S = 60  # how long an effect may take that is no matter of virtual time
START = "2026-01-01T00:00:00Z"
LATER = "https://conformance.example/later"  # of messages that are cancelled before they are due
LONG = "6h"  # the delay of such messages


@dataclass
class Service:
    """A QStash. Everything that a test makes has the name or label *own*, and is removed after the test.

    *own* is a name that nobody else uses; *made* is what has to be deleted, as paths.
    """

    http: httpx.Client
    destination: Destination | None
    why_no_delivery: str = ""
    own: str = ""
    made: list[str] = field(default_factory=list)

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Return the answer to a call; *path* is raw."""
        return self.http.request(method, path, **options)

    def json(self, method: str, path: str, **options: Any) -> Any:
        """Return the JSON of an answer that must be a success."""
        answer = self.call(method, path, **options)
        assert answer.is_success, f"{method} {path} was answered {answer.status_code} {answer.text}"
        return answer.json()

    def publish(self, to: str = LATER, body: str = "", **options: str) -> str:
        """Publish with `Upstash-*` options, labelled as our own, and return the id of the message.

        Without another *to* it waits for hours.
        """
        answer = self.json("POST", f"/v2/publish/{to}", content=body, headers=self.headers(to, **options))
        message_id: str = answer["messageId"]
        return message_id

    def message(self, message_id: str) -> Any:
        """Return a message."""
        return self.json("GET", f"/v2/messages/{message_id}")

    def published(self, **options: str) -> Any:
        """Return a message that was published with *options*."""
        return self.message(self.publish(**options))

    def headers(self, to: str = LATER, **options: str) -> dict[str, str]:
        """Return options as headers: `retry_delay` is `Upstash-Retry-Delay`."""
        given = {"label": self.own, **({"delay": LONG} if to == LATER else {}), **options}
        return {f"Upstash-{name.replace('_', '-').title()}": value for name, value in given.items() if value}

    def refusal(self, method: str, path: str, **options: Any) -> tuple[int, str]:
        """Return status and words of a refusal."""
        answer = self.call(method, path, **options)
        assert answer.status_code >= 400, f"{method} {path} was answered {answer.status_code} {answer.text}"
        return answer.status_code, answer.json()["error"]

    def refused_publish(self, **options: str) -> tuple[int, str]:
        """Return status and words of the refusal of a publish."""
        return self.refusal("POST", f"/v2/publish/{LATER}", headers=self.headers(**options))

    def states(self, message_id: str) -> list[str]:
        """Return the states of a message, oldest first."""
        entries = self.json("GET", f"/v2/events?messageId={message_id}")["events"]
        return [entry["state"] for entry in reversed(entries)]

    def place(self) -> Destination:
        """Return where deliveries go, or skip: a service elsewhere cannot reach this machine."""
        if self.destination is None:
            pytest.skip(self.why_no_delivery)
        return self.destination

    def until(self, done: Callable[[], bool], what: str) -> None:
        """Wait until *done*, WITHIN_S seconds at most."""
        end = time.monotonic() + WITHIN_S
        while not done():
            self.deliver()
            assert time.monotonic() < end, f"{what} did not come within {WITHIN_S} s"
            time.sleep(0.02)

    def deliver(self) -> None:
        """Let what is due be delivered; a real clock does so by itself."""

    def advance(self, duration: str) -> None:
        """Let virtual time pass; only where the clock is virtual."""
        raise NotImplementedError

    def virtual_place(self, what: str) -> Destination:
        """Return where deliveries go, or skip: *what* takes virtual time."""
        if type(self) is Service:
            pytest.skip(f"this row needs virtual time, for {what}, and the clock of this service is real")
        return self.place()

    def begin(self, own: str) -> None:
        """Be there for the next test, which is called *own*."""
        self.own, self.made = own, []
        if self.destination is not None:
            self.destination.begin(own)

    def clean(self) -> None:
        """Remove what the test has made; what is gone already is no failure."""
        for path in reversed(self.made):
            self.call("DELETE", path)
        self.call("DELETE", f"/v2/messages?label={self.own}")
        self.call("DELETE", f"/v2/dlq?label={self.own}")


class InProcess(Service):
    """The fake in this process."""

    fake: QStashFake

    def until(self, done: Callable[[], bool], what: str) -> None:
        self.deliver()
        assert done(), f"{what} did not come"

    def deliver(self) -> None:
        self.fake.deliver_due()

    def advance(self, duration: str) -> None:
        self.fake.clock.advance(duration)


class Virtual(Service):
    """Our server with a virtual clock."""

    def deliver(self) -> None:
        self.json("POST", "/_fake/deliver-due", json={})

    def advance(self, duration: str) -> None:
        self.json("POST", "/_fake/advance", json={"duration": duration})


@contextmanager
def in_process(http: httpx.Client) -> Iterator[Service]:
    """Give a fake in this process, which answers *http*."""
    destination = Destination("https://conformance.example")

    def take(request: httpx.Request) -> httpx.Response:
        given = Received(request.method, str(request.url), request.headers, request.content)
        answer = destination.take(given)
        return httpx.Response(answer.status, headers=answer.headers, content=answer.body)

    with QStashFake(start=START) as fake:
        fake.mount(take)
        service = InProcess(http, destination)
        service.fake = fake
        yield service


@contextmanager
def at(url: str, token: str) -> Iterator[Service]:
    """Give the service at *url*."""
    if urlsplit(url).hostname not in ("127.0.0.1", "localhost", "::1"):
        why = "this row needs a delivery, and the service does not reach this machine"
        with client(url, token) as http:
            yield Service(http, None, why)
        return
    with on_this_machine() as destination, client(url, token) as http:
        yield (Virtual if _is_virtual(http) else Service)(http, destination)


def client(url: str, token: str) -> httpx.Client:
    """Return a client of the QStash at *url*."""
    return httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=70)


def _is_virtual(http: httpx.Client) -> bool:
    answer = http.post("/_fake/advance", json={"duration": "0s"})
    return answer.is_success
