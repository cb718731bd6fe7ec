"""URL groups through the official SDK: endpoints, defaults, fan-out; PROTOCOL 1.4 and 4.6."""

from __future__ import annotations

from typing import Any

import pytest
from qstash import AsyncQStash, QStash
from qstash.errors import QStashError
from qstash.message import PublishUrlGroupResponse
from qstash.url_group import Endpoint

from qstash_fake import QStashFake
from tests.shop import START_MS

pytestmark = pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z")

A, B, C = (f"https://shop.example/{path}" for path in "abc")


def test_endpoints_stay_in_the_order_of_their_arrival(client: QStash, qstash_fake: QStashFake):
    client.url_group.upsert_endpoints("stores", [{"url": B, "name": "First endpoint"}, {"url": A}])
    qstash_fake.clock.advance("3s")
    client.url_group.upsert_endpoints("stores", [{"url": C}])
    group = client.url_group.get("stores")
    assert (group.name, group.created_at, group.updated_at) == ("stores", START_MS, START_MS + 3_000)
    assert group.endpoints == [Endpoint(B, "First endpoint"), Endpoint(A, None), Endpoint(C, None)]
    assert [one.name for one in client.url_group.list()] == ["stores"]
    assert list(qstash_fake.url_groups) == ["stores"]


def test_a_group_without_endpoints_is_gone(client: QStash):
    client.url_group.upsert_endpoints("stores", [{"url": A}])
    client.url_group.remove_endpoints("stores", [{"url": A}])
    with pytest.raises(QStashError, match=r"status: 404.*topic stores not found"):
        client.url_group.get("stores")


def test_deleting_a_group_is_no_error_even_if_there_is_none(client: QStash):
    client.url_group.delete("nobody")
    client.url_group.upsert_endpoints("stores", [{"url": A}])
    client.url_group.delete("stores")
    assert client.url_group.list() == []


@pytest.mark.protocol("4.6 URL group publish")
def test_publishing_to_a_group_makes_one_message_for_each_endpoint(client: QStash, shop: Any, qstash_fake: QStashFake):
    client.url_group.upsert_endpoints("stores", [{"url": A, "name": "main"}, {"url": B}])
    responses = client.message.publish_json(url_group="stores", body={"n": 1})
    assert isinstance(responses, list)
    assert [(one.url, one.deduplicated) for one in responses] == [(A, False), (B, False)]
    assert [one.message_id for one in responses] == [message.message_id for message in qstash_fake.messages]
    shown = client.message.get(responses[0].message_id)
    assert (shown.url_group, shown.endpoint, shown.url) == ("stores", "main", A)
    qstash_fake.deliver_due()
    assert shop.paths == ["/a", "/b"]
    assert [one.headers["upstash-topic-name"] for one in shop.received] == ["stores", "stores"]


def test_default_headers_count_for_every_publish_to_the_group(
    client: QStash, http: Any, shop: Any, qstash_fake: QStashFake
):
    client.url_group.upsert_endpoints("stores", [{"url": A}])
    defaults = {"Upstash-Retries": "1", "upstash-delay": ["30s"], "Upstash-Forward-X-Tenant": "berlin"}
    assert http("PATCH", "/v2/topics/stores", json={"headers": defaults}).status_code == 200
    client.message.publish(url_group="stores", body="x")
    client.message.publish(url_group="stores", body="y", delay="5s", headers={"X-Tenant": "rome"})
    first, second = qstash_fake.messages
    assert (first.max_retries, first.headers["x-tenant"]) == (1, "berlin")
    assert (second.max_retries, second.headers["x-tenant"]) == (1, "rome")
    qstash_fake.clock.advance("5s")
    assert shop.bodies == ["y"]
    qstash_fake.clock.advance("25s")
    assert shop.bodies == ["y", "x"]


def test_a_group_can_forward_the_headers_of_webhooks_by_default(
    client: QStash, http: Any, shop: Any, qstash_fake: QStashFake
):
    client.url_group.upsert_endpoints("stores", [{"url": A}])
    http("PATCH", "/v2/topics/stores", json={"headers": {"Upstash-Header-Forward": ["true"]}})
    http("POST", "/v2/publish/stores", headers={"X-Webhook-Id": "7"}, content=b"x")
    qstash_fake.deliver_due()
    assert shop.received[0].headers["x-webhook-id"] == "7"
    assert "authorization" not in shop.received[0].headers


def test_a_group_can_deduplicate_by_default(client: QStash, http: Any, qstash_fake: QStashFake):
    client.url_group.upsert_endpoints("stores", [{"url": A}])
    http("PATCH", "/v2/topics/stores", json={"headers": {"Upstash-Content-Based-Deduplication": "true"}})
    first = http("POST", "/v2/publish/stores", content=b"x").json()
    again = http("POST", "/v2/publish/stores", content=b"x")
    assert (again.status_code, again.json()) == (202, [{**first[0], "deduplicated": True}])


def test_an_endpoint_without_a_url_is_refused(http: Any):
    for endpoint in ({"name": "nameless"}, {"url": "ftp://shop.example"}, "https://shop.example"):
        assert http("POST", "/v2/topics/stores/endpoints", json={"endpoints": [endpoint]}).status_code == 400
    assert http("GET", "/v2/topics").json() == []


@pytest.mark.asyncio
async def test_url_groups_work_with_the_async_client_and_verbs(
    async_client: AsyncQStash, shop: Any, qstash_fake: QStashFake
):
    await async_client.url_group.upsert_endpoints("stores", [{"url": A}, {"url": B, "name": "b"}])
    responses = await async_client.message.publish_json(url_group="stores", body={"n": 1})
    assert isinstance(responses, list)
    assert all(isinstance(one, PublishUrlGroupResponse) for one in responses)
    await qstash_fake.drain_async()
    assert shop.paths == ["/a", "/b"]
    await async_client.url_group.remove_endpoints("stores", [{"name": "b"}])
    assert (await async_client.url_group.get("stores")).endpoints == [Endpoint(A, None)]
    await async_client.url_group.delete("stores")
    assert await async_client.url_group.list() == []
