"""A client of `answer()` without any HTTP in between, for the tests of this folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from qstash_fake.api.answer import Api
from qstash_fake.api.auth import Auth
from qstash_fake.api.call import Reply
from qstash_fake.broker.broker import Broker
from qstash_fake.broker.message import Message, Outcome
from tests.shop import JOBS, START_MS
from tests.world import start_next

Pairs = Mapping[str, str] | Sequence[tuple[str, str]]


@dataclass(slots=True)
class Client:
    """Calls one API with a token; the broker's time stands still unless a test moves it."""

    broker: Broker
    api: Api

    def call(self, method: str, target: str, headers: Pairs = (), body: Any = b"") -> Reply:
        """Return the reply; a body that is not bytes is sent as JSON."""
        pairs = list(headers.items() if isinstance(headers, Mapping) else headers)
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.api.answer(method, target, [("Authorization", "Bearer secret"), *pairs], content)

    def json(self, method: str, target: str, headers: Pairs = (), body: Any = b"") -> Any:
        """Return the JSON of a reply that is no failure."""
        reply = self.call(method, target, headers, body)
        assert reply.status < 300, reply
        return json.loads(reply.body)

    def publish(self, headers: Pairs = (), body: bytes = b"", to: str = JOBS) -> Message:
        """Publish and return the message that came of it."""
        reply = self.call("POST", f"/v2/publish/{to}", headers, body)
        assert reply.status == 201, reply
        return self.broker.messages[json.loads(reply.body)["messageId"]]

    def refusal(self, method: str, target: str, headers: Pairs = (), body: Any = b"") -> tuple[int, str]:
        """Return status and text of a refusal, which must be none of the fake's own."""
        reply = self.call(method, target, headers, body)
        assert not self.api.problems
        return reply.status, json.loads(reply.body)["error"]

    def refused_publish(self, headers: Pairs = (), to: str = JOBS, body: bytes = b"") -> tuple[int, str]:
        """Return status and text of the refusal of a publish, of which nothing must be left."""
        refusal = self.refusal("POST", f"/v2/publish/{to}", headers, body)
        assert not self.broker.messages
        return refusal

    def attempt(self, status: int = 200, body: bytes = b"", headers: Sequence[tuple[str, str]] = ()) -> Message:
        """Move to the next delivery, answer it, and return its message."""
        delivery = start_next(self.broker, 1 << 60)
        self.broker.complete(delivery, Outcome(status=status, body=body, headers=tuple(headers)))
        return delivery.message

    def dead_letter(self, headers: Pairs = (), body: bytes = b"", status: int = 500, answer: bytes = b"") -> str:
        """Publish a message without retries, let it fail, and return the id of its dead letter."""
        message = self.publish({"Upstash-Retries": "0", **dict(headers)}, body)
        self.attempt(status, answer)
        assert message.dlq_id is not None
        return message.dlq_id


def _client(**options: Any) -> Client:
    broker = Broker(START_MS, plan=options.pop("plan", None))
    return Client(broker, Api(broker, Auth(**options)))


@pytest.fixture
def qstash() -> Client:
    return _client()


@pytest.fixture
def make_qstash() -> Callable[..., Client]:
    return _client
