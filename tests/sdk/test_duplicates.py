"""At-least-once delivery: `duplicate_next` sends the next attempt twice; DESIGN section 4."""

from __future__ import annotations

from typing import Any

import jwt
import pytest
from qstash import AsyncQStash, QStash

from qstash_fake import QStashFake

pytestmark = pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z")

A, B = "https://shop.example/a", "https://shop.example/b"


def test_an_attempt_is_sent_twice_with_one_id_and_two_signatures(client: QStash, shop: Any, qstash_fake: QStashFake):
    qstash_fake.duplicate_next()
    client.message.publish(url=A, body="x")
    qstash_fake.deliver_due()
    first, second = shop.received
    for name in ("upstash-message-id", "upstash-retried"):
        assert first.headers[name] == second.headers[name]
    ids = {
        jwt.decode(one.headers["upstash-signature"], options={"verify_signature": False})["jti"]
        for one in shop.received
    }
    assert len(ids) == 2


def test_the_first_answer_is_lost_and_the_second_decides(client: QStash, qstash_fake: QStashFake):
    qstash_fake.on(A).respond_with([200, 500, 200])
    qstash_fake.duplicate_next()
    client.message.publish(url=A, body="x")
    qstash_fake.drain()
    (message,) = qstash_fake.messages
    assert [(one.lost, one.retried, one.status) for one in message.attempts] == [
        (True, 0, 200),
        (False, 0, 500),
        (False, 1, 200),
    ]
    assert message.state == "DELIVERED"


def test_a_url_says_whose_attempt_is_doubled(client: QStash, shop: Any, qstash_fake: QStashFake):
    qstash_fake.duplicate_next(B)
    client.message.batch([{"url": A, "body": "a"}, {"url": B, "body": "b"}])
    qstash_fake.drain()
    assert shop.bodies == ["a", "b", "b"]


def test_twice_asked_two_attempts_are_doubled(client: QStash, shop: Any, qstash_fake: QStashFake):
    qstash_fake.duplicate_next()
    qstash_fake.duplicate_next()
    client.message.batch([{"url": A, "body": "1"}, {"url": A, "body": "2"}])
    qstash_fake.drain()
    assert shop.bodies == ["1", "1", "2", "2"]


def test_a_duplicate_makes_one_callback(client: QStash, shop: Any, qstash_fake: QStashFake):
    qstash_fake.duplicate_next(A)
    client.message.publish(url=A, body="x", callback=B)
    qstash_fake.drain()
    assert shop.paths == ["/a", "/a", "/b"]


@pytest.mark.asyncio
async def test_duplicates_work_with_the_async_client_and_verbs(
    async_client: AsyncQStash, shop: Any, qstash_fake: QStashFake
):
    qstash_fake.duplicate_next(A)
    await async_client.message.enqueue(queue="jobs", url=A, body="1")
    await async_client.message.enqueue(queue="jobs", url=A, body="2")
    await qstash_fake.drain_async()
    assert shop.bodies == ["1", "1", "2"]
