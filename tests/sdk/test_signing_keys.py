"""Signing keys through the official SDK: get, rotate, and who can still verify; PROTOCOL 1.7 and 3.2."""

from __future__ import annotations

from typing import Any

import pytest
from qstash import AsyncQStash, QStash, Receiver
from qstash.errors import SignatureError

from qstash_fake import QStashFake
from tests.shop import JOBS

pytestmark = pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z")


def verified(receiver: Receiver, attempt_count: int, shop: Any) -> None:
    """Check the newest of *attempt_count* deliveries with *receiver*."""
    assert len(shop.received) == attempt_count
    newest = shop.received[-1]
    receiver.verify(signature=newest.headers["upstash-signature"], body=newest.body.decode(), url=newest.url)


def test_a_receiver_keeps_verifying_after_one_rotation_and_fails_after_two(
    client: QStash, shop: Any, qstash_fake: QStashFake
):
    old = client.signing_key.get()
    receiver = Receiver(old.current, old.next)
    for number in (1, 2):
        client.signing_key.rotate()
        keys = client.signing_key.get()
        shop.receiver = Receiver(keys.current, keys.next)
        client.message.publish(url=JOBS, body=str(number))
        qstash_fake.drain()
        if number == 1:
            verified(receiver, 1, shop)
    with pytest.raises(SignatureError):
        verified(receiver, 2, shop)


@pytest.mark.protocol("1 rotation of keys")
def test_rotation_makes_the_next_key_current(client: QStash, qstash_fake: QStashFake):
    before = client.signing_key.get()
    after = client.signing_key.rotate()
    assert after.current == before.next
    assert after.next not in (before.current, before.next)
    assert after.next.startswith("sig_")
    assert client.signing_key.get() == after
    assert (qstash_fake.signing_keys.current, qstash_fake.signing_keys.next) == (after.current, after.next)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v2/keys/rotate", None),
        ("POST", "/v2/keys/rotate", {}),
        ("POST", "/v2/keys/rotate/", None),
        ("POST", "/v2/rotate", None),
        ("GET", "/v2/keys/rotate", None),
    ],
)
def test_keys_are_rotated_on_every_path_that_clients_use(method: str, path: str, body: Any, http: Any):
    before = http("GET", "/v2/keys").json()
    reply = http(method, path, json=body)
    assert (reply.status_code, reply.json()["current"]) == (200, before["next"])
    assert http("GET", "/v2/keys").json() == reply.json()


def test_a_message_is_signed_with_the_key_of_its_attempt(client: QStash, shop: Any, qstash_fake: QStashFake):
    first = qstash_fake.signing_keys.current
    qstash_fake.on(JOBS).respond(500).times(1)
    client.message.publish(url=JOBS, body="x")
    qstash_fake.deliver_due()
    qstash_fake.signing_keys.rotate()
    second, third = qstash_fake.signing_keys.current, qstash_fake.signing_keys.next
    shop.receiver = Receiver(second, third)
    qstash_fake.drain()
    verified(Receiver(second, "sig_none"), 1, shop)
    with pytest.raises(SignatureError):
        verified(Receiver(first, "sig_none"), 1, shop)


def test_the_keys_are_those_of_the_official_dev_server(client: QStash):
    keys = client.signing_key.get()
    assert keys.current == "sig_7kYjw48mhY7kAjqNGcy6cr29RJ6r"
    assert keys.next == "sig_5ZB6DVzB1wjE8S6rZ7eenA8Pdnhs"


@pytest.mark.asyncio
async def test_signing_keys_work_with_the_async_client_and_verbs(
    async_client: AsyncQStash, shop: Any, qstash_fake: QStashFake
):
    before = await async_client.signing_key.get()
    after = await async_client.signing_key.rotate()
    assert after.current == before.next
    shop.receiver = Receiver(before.current, before.next)
    await async_client.message.publish(url=JOBS, body="x")
    await qstash_fake.drain_async()
    verified(Receiver(after.current, after.next), 1, shop)
