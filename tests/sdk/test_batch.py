"""Batches through the official SDK: mixed items, all or nothing; PROTOCOL 1.1 and 4.6."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from qstash import AsyncQStash, QStash
from qstash.errors import QStashError
from qstash.message import BatchResponse, BatchUrlGroupResponse

from qstash_fake import QStashFake

pytestmark = pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z")

A, B = "https://shop.example/a", "https://shop.example/b"


@pytest.mark.protocol("4.6 batch")
def test_a_batch_mixes_urls_groups_and_queues(client: QStash, shop: Any, qstash_fake: QStashFake):
    client.url_group.upsert_endpoints("stores", [{"url": A}, {"url": B}])
    url, group, queued = client.message.batch(
        [
            {"url": A, "body": "one", "headers": {"X-N": "1"}, "delay": "5s"},
            {"url_group": "stores", "body": "two"},
            {"url": B, "queue": "jobs", "body": "three", "retries": 1},
        ]
    )
    assert isinstance(url, BatchResponse)
    assert isinstance(group, list)
    assert isinstance(queued, BatchResponse)
    assert [type(one) for one in group] == [BatchUrlGroupResponse] * 2
    assert [one.url for one in group] == [A, B]
    assert qstash_fake.assert_published(queue="jobs").message_id == queued.message_id
    assert qstash_fake.assert_published(url=A, delay="5s", headers={"X-N": "1"}).message_id == url.message_id
    qstash_fake.drain()
    assert shop.bodies == ["two", "two", "three", "one"]


def test_batch_json_sends_json(client: QStash, shop: Any, qstash_fake: QStashFake):
    client.message.batch_json([{"url": A, "body": {"n": 1}}, {"url": B}])
    qstash_fake.drain()
    assert [one.headers["content-type"] for one in shop.received] == ["application/json"] * 2
    assert shop.bodies == ['{"n": 1}', "null"]


def test_header_names_of_an_item_come_in_any_case(http: Any, qstash_fake: QStashFake):
    items = [
        {"destination": A, "headers": {"upstash-retries": "1", "UPSTASH-LABEL": "x", "Upstash-Forward-x-a": "1"}},
        {"destination": A, "headers": {"upstash-delay": "5s", "content-type": "text/plain"}, "body": None},
        {"destination": A, "queue": "", "body": ""},
        {"destination": A, "queue": None},
    ]
    reply = http("POST", "/v2/batch", json=items)
    assert reply.status_code == 200
    assert [item["messageId"] for item in reply.json()] == [message.message_id for message in qstash_fake.messages]
    first, second, third, fourth = qstash_fake.messages
    assert (first.max_retries, first.labels, first.headers["X-A"]) == (1, ("x",), "1")
    assert (second.due_at - second.created_at, second.headers["Content-Type"]) == (timedelta(seconds=5), "text/plain")
    assert (third.queue, third.body, fourth.queue) == (None, b"", None)


@pytest.mark.protocol("4.6 batch")
@pytest.mark.parametrize(
    ("item", "status", "error"),
    [
        ({"destination": "nobody"}, 404, "topic nobody not found"),
        ({"destination": ""}, 400, "a non-empty destination must be provided"),
        (
            {"destination": A, "queue": "jobs", "headers": {"Upstash-Delay": "5s"}},
            400,
            "Upstash-Not-Before/Upstash-Delay can not be used with enqueue",
        ),
        (
            {"destination": A, "headers": {"Upstash-Retries": "many"}},
            400,
            "invalid Upstash-Retries header: 'many' is not a non-negative integer",
        ),
    ],
)
def test_one_bad_item_refuses_the_whole_batch(
    item: dict[str, Any], status: int, error: str, http: Any, qstash_fake: QStashFake
):
    reply = http("POST", "/v2/batch", json=[{"destination": A, "queue": "new"}, item, {"destination": A}])
    assert (reply.status_code, reply.json()) == (status, {"error": error})
    assert qstash_fake.messages == []
    assert not qstash_fake.queues


def test_the_sdk_raises_for_a_refused_batch(client: QStash):
    with pytest.raises(QStashError, match=r"status: 404, body: {\"error\":\"topic nobody not found\"}"):
        client.message.batch([{"url_group": "nobody"}])


def test_what_is_no_array_of_objects_is_refused(http: Any):
    assert http("POST", "/v2/batch", json={"destination": A}).status_code == 400
    assert http("POST", "/v2/batch", content=b"[{").status_code == 400
    assert http("POST", "/v2/batch", json=["x"]).status_code == 400


@pytest.mark.protocol("4.11 messages/day")
@pytest.mark.qstash_fake(plan="free")
def test_a_batch_beyond_the_daily_limit_accepts_nothing(http: Any, qstash_fake: QStashFake):
    http("POST", "/v2/batch", json=[{"destination": A}] * 999)
    assert http("POST", "/v2/batch", json=[{"destination": A}] * 2).status_code == 429
    assert len(qstash_fake.messages) == 999
    assert http("POST", "/v2/batch", json=[{"destination": A}]).status_code == 200


@pytest.mark.asyncio
async def test_batches_work_with_the_async_client_and_verbs(
    async_client: AsyncQStash, shop: Any, qstash_fake: QStashFake
):
    await async_client.message.batch([{"url": A, "body": "one"}])
    await async_client.message.batch_json([{"url": B, "body": 2, "queue": "jobs"}])
    await qstash_fake.drain_async()
    assert shop.bodies == ["one", "2"]
