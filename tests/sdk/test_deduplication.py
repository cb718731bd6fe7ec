"""Deduplication through the official SDK: how the SDK asks for it, and what is answered; PROTOCOL 4.7."""

from __future__ import annotations

from typing import Any

import pytest
from qstash import AsyncQStash, QStash
from qstash.message import PublishResponse

from qstash_fake import QStashFake
from tests.shop import JOBS

pytestmark = pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z")


def publish(client: QStash, **options: Any) -> PublishResponse:
    response = client.message.publish(**{"url": JOBS, "body": "x"} | options)
    assert isinstance(response, PublishResponse)
    return response


@pytest.mark.protocol("4.7 duplicate reply")
def test_a_duplicate_gets_the_first_id_and_makes_nothing(client: QStash, shop: Any, qstash_fake: QStashFake):
    first = publish(client, deduplication_id="order-7")
    again = publish(client, deduplication_id="order-7", body="another")
    assert (first.deduplicated, again.deduplicated) == (False, True)
    assert again.message_id == first.message_id
    qstash_fake.drain()
    assert shop.bodies == ["x"]
    assert [entry.state for entry in qstash_fake.logs] == ["CREATED", "ACTIVE", "DELIVERED"]


@pytest.mark.protocol("4.7 duplicate reply")
def test_a_duplicate_is_answered_202(http: Any):
    headers = {"Upstash-Deduplication-Id": "order-7"}
    first = http("POST", f"/v2/publish/{JOBS}", headers=headers)
    again = http("POST", f"/v2/publish/{JOBS}", headers=headers)
    assert (first.status_code, again.status_code) == (201, 202)
    assert again.json() == {"messageId": first.json()["messageId"], "deduplicated": True}


def test_the_sdk_deduplicates_by_content(client: QStash):
    first = publish(client, headers={"X-Order": "7"}, content_based_deduplication=True)
    again = publish(client, headers={"X-Order": "7"}, content_based_deduplication=True, retries=1)
    other = publish(client, headers={"X-Order": "8"}, content_based_deduplication=True)
    assert (again.message_id == first.message_id, other.deduplicated) == (True, False)


def test_content_based_deduplication_can_be_declined(client: QStash):
    publish(client, content_based_deduplication=False)
    assert publish(client, content_based_deduplication=False).deduplicated is False


@pytest.mark.protocol("4.6 URL group + dedup")
def test_a_publish_to_a_group_is_one_key_replayed_as_a_whole(client: QStash, http: Any, qstash_fake: QStashFake):
    client.url_group.upsert_endpoints("stores", [{"url": "https://shop.example/a"}, {"url": "https://shop.example/b"}])
    headers = {"Upstash-Deduplication-Id": "order-7"}
    first = http("POST", "/v2/publish/stores", headers=headers).json()
    client.url_group.upsert_endpoints("stores", [{"url": "https://shop.example/c"}])
    again = http("POST", "/v2/publish/stores", headers=headers)
    assert again.status_code == 202
    assert again.json() == [{**item, "deduplicated": True} for item in first]
    assert len(qstash_fake.messages) == 2


def test_the_second_equal_item_of_a_batch_is_a_duplicate(client: QStash, qstash_fake: QStashFake):
    first, second, other = client.message.batch(
        [
            {"url": JOBS, "body": "x", "deduplication_id": "a"},
            {"url": JOBS, "body": "y", "deduplication_id": "a"},
            {"url": JOBS, "body": "x", "deduplication_id": "b"},
        ]
    )
    assert not isinstance(first, list)
    assert not isinstance(second, list)
    assert not isinstance(other, list)
    assert (first.deduplicated, second.deduplicated, other.deduplicated) == (False, True, False)
    assert second.message_id == first.message_id
    assert [message.text for message in qstash_fake.messages] == ["x", "x"]


@pytest.mark.asyncio
async def test_deduplication_works_with_the_async_client_and_verbs(
    async_client: AsyncQStash, shop: Any, qstash_fake: QStashFake
):
    for _ in range(2):
        await async_client.message.publish_json(url=JOBS, body={"n": 1}, content_based_deduplication=True)
    await qstash_fake.drain_async()
    assert shop.bodies == ['{"n": 1}']
