"""Deduplication through the official SDK: keys, windows, scope; PROTOCOL 4.7."""

from __future__ import annotations

from typing import Any

import pytest
from qstash import AsyncQStash, QStash
from qstash.errors import QStashError
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


@pytest.mark.protocol("4.7 window")
def test_the_window_is_ten_minutes_from_the_first(client: QStash, shop: Any, qstash_fake: QStashFake):
    publish(client, deduplication_id="order-7")
    qstash_fake.clock.advance("9m59.999s")
    assert publish(client, deduplication_id="order-7").deduplicated is True
    qstash_fake.clock.advance("1ms")
    assert publish(client, deduplication_id="order-7").deduplicated is False


@pytest.mark.protocol("4.7 after delivery/cancel")
def test_an_id_blocks_after_delivery_and_after_cancellation(client: QStash, shop: Any, qstash_fake: QStashFake):
    publish(client, deduplication_id="delivered")
    qstash_fake.drain()
    client.message.cancel(publish(client, deduplication_id="cancelled").message_id)
    assert publish(client, deduplication_id="delivered").deduplicated is True
    assert publish(client, deduplication_id="cancelled").deduplicated is True


@pytest.mark.protocol("4.7 scope")
def test_an_id_counts_for_the_whole_account(client: QStash):
    publish(client, deduplication_id="order-7")
    assert publish(client, url="https://shop.example/other", deduplication_id="order-7").deduplicated is True
    queued = client.message.enqueue(queue="jobs", url=JOBS, deduplication_id="order-7")
    assert not isinstance(queued, list)
    assert queued.deduplicated is True


@pytest.mark.protocol("4.7 content hash inputs")
@pytest.mark.parametrize(
    "change",
    [
        {"url": "https://shop.example/other"},
        {"body": "y"},
        {"method": "PUT"},
        {"content_type": "text/plain"},
        {"headers": {"X-Order": "8"}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_content_is_destination_method_body_type_and_forwarded_headers(change: dict[str, Any], client: QStash):
    same: dict[str, Any] = {"headers": {"X-Order": "7"}, "content_based_deduplication": True}
    first = publish(client, **same)
    assert publish(client, **same, retries=1, delay="5s").message_id == first.message_id
    assert publish(client, **same | change).deduplicated is False


@pytest.mark.protocol("4.7 both headers given")
def test_an_explicit_id_wins_over_the_content(client: QStash):
    publish(client, deduplication_id="a", content_based_deduplication=True)
    assert publish(client, deduplication_id="b", content_based_deduplication=True).deduplicated is False
    assert publish(client, content_based_deduplication=True).deduplicated is False


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


def test_a_refused_publish_registers_nothing(client: QStash):
    with pytest.raises(QStashError):
        client.message.publish(url_group="nobody", deduplication_id="order-7")
    assert publish(client, deduplication_id="order-7").deduplicated is False


def test_a_colon_or_a_blank_in_an_id_is_refused(client: QStash):
    with pytest.raises(QStashError, match=r"status: 400.*DeduplicationId cannot contain ':'"):
        publish(client, deduplication_id="order:7")
    with pytest.raises(QStashError, match="status: 400"):
        publish(client, deduplication_id="order 7")


@pytest.mark.protocol("4.7 schedules")
def test_the_messages_of_a_schedule_are_never_duplicates(http: Any, shop: Any, qstash_fake: QStashFake):
    headers = {"Upstash-Cron": "* * * * *", "Upstash-Deduplication-Id": "tick"}
    http("POST", f"/v2/schedules/{JOBS}", headers=headers)
    qstash_fake.clock.advance("3m")
    assert len(shop.received) == 3


def test_a_redriven_message_is_no_duplicate(client: QStash, shop: Any, qstash_fake: QStashFake):
    shop.statuses["/jobs"] = 500
    publish(client, deduplication_id="order-7", retries=0)
    qstash_fake.drain()
    (dead,) = qstash_fake.dlq
    redriven = dead.redrive()
    assert redriven.message_id != dead.message.message_id
    assert redriven in qstash_fake.pending


@pytest.mark.asyncio
async def test_deduplication_works_with_the_async_client_and_verbs(
    async_client: AsyncQStash, shop: Any, qstash_fake: QStashFake
):
    for _ in range(2):
        await async_client.message.publish_json(url=JOBS, body={"n": 1}, content_based_deduplication=True)
    await qstash_fake.drain_async()
    assert shop.bodies == ['{"n": 1}']
