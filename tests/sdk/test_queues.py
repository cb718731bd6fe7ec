"""Queues through the official SDK: order, slots, pause, lag, life; PROTOCOL 1.2 and 4.4."""

from __future__ import annotations

from typing import Any

import pytest
from qstash import AsyncQStash, QStash
from qstash.errors import QStashError
from qstash.message import EnqueueResponse, PublishResponse

from qstash_fake import QStashFake
from tests.shop import JOBS, START_MS

pytestmark = pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z")


def enqueue(client: QStash, *bodies: str, queue: str = "jobs", url: str = JOBS, **options: Any) -> list[str]:
    ids = []
    for body in bodies:
        response = client.message.enqueue(queue=queue, url=url, body=body, **options)
        assert isinstance(response, EnqueueResponse)
        ids.append(response.message_id)
    return ids


@pytest.mark.protocol("4.4 order")
def test_a_queue_delivers_in_the_order_of_enqueueing(client: QStash, shop: Any, qstash_fake: QStashFake):
    enqueue(client, "a", "b", "c")
    qstash_fake.deliver_due()
    assert shop.bodies == ["a", "b", "c"]


@pytest.mark.protocol("4.4 parallelism N")
def test_a_queue_of_parallelism_two_has_two_in_flight(client: QStash, shop: Any, qstash_fake: QStashFake):
    client.queue.upsert("jobs", parallelism=2)
    qstash_fake.on(JOBS).takes("10s")
    enqueue(client, "a", "b", "c")
    qstash_fake.deliver_due()
    assert shop.bodies == ["a", "b"]
    qstash_fake.clock.advance("10s")
    assert shop.bodies == ["a", "b", "c"]


@pytest.mark.protocol("4.4 pause / resume")
def test_a_paused_queue_accepts_and_keeps_its_order(client: QStash, shop: Any, qstash_fake: QStashFake):
    client.queue.pause("jobs")
    enqueue(client, "a", "b", "c")
    report = qstash_fake.clock.advance("1d")
    assert shop.received == []
    assert report.held == {"queue 'jobs' is paused": 3}
    client.queue.resume("jobs")
    qstash_fake.deliver_due()
    assert shop.bodies == ["a", "b", "c"]


@pytest.mark.protocol("4.4 pause / resume")
def test_pausing_twice_and_resuming_twice_is_once(client: QStash):
    client.queue.upsert("jobs")
    client.queue.pause("jobs")
    client.queue.pause("jobs")
    assert client.queue.get("jobs").paused is True
    client.queue.resume("jobs")
    client.queue.resume("jobs")
    assert client.queue.get("jobs").paused is False


@pytest.mark.protocol("4.4 lag")
def test_the_lag_counts_what_waits_and_what_is_in_flight(client: QStash, shop: Any, qstash_fake: QStashFake):
    qstash_fake.on(JOBS).takes("10s")
    enqueue(client, "a", "b", "c")
    assert client.queue.get("jobs").lag == 3
    qstash_fake.deliver_due()
    assert client.queue.get("jobs").lag == 3
    qstash_fake.clock.advance("10s")
    assert client.queue.get("jobs").lag == 2


@pytest.mark.protocol("4.4 auto-create")
def test_enqueueing_creates_the_queue(client: QStash, qstash_fake: QStashFake):
    enqueue(client, "a", queue="brand-new")
    queue = client.queue.get("brand-new")
    assert (queue.parallelism, queue.paused, queue.lag) == (1, False, 1)
    assert (queue.created_at, queue.updated_at) == (START_MS, START_MS)
    assert list(qstash_fake.queues) == ["brand-new"]


@pytest.mark.protocol("4.4 upsert by enqueue or schedule")
def test_enqueueing_leaves_an_existing_queue_as_it_is(client: QStash):
    client.queue.upsert("jobs", parallelism=5, paused=True)
    enqueue(client, "a")
    client.schedule.create(destination=JOBS, cron="0 0 1 1 *", queue="jobs")
    queue = client.queue.get("jobs")
    assert (queue.parallelism, queue.paused) == (5, True)


@pytest.mark.protocol("4.4 upsert")
def test_upsert_without_paused_keeps_the_pause(client: QStash, http: Any, qstash_fake: QStashFake):
    client.queue.upsert("jobs", paused=True)
    qstash_fake.clock.advance("5s")
    assert http("POST", "/v2/queues/", json={"queueName": "jobs", "parallelism": 3}).status_code == 200
    queue = client.queue.get("jobs")
    assert (queue.parallelism, queue.paused) == (3, True)
    assert (queue.created_at, queue.updated_at) == (START_MS, START_MS + 5_000)


@pytest.mark.protocol("4.4 upsert")
def test_upsert_with_paused_false_resumes(client: QStash, shop: Any, qstash_fake: QStashFake):
    client.queue.upsert("jobs", paused=True)
    enqueue(client, "a")
    client.queue.upsert("jobs", paused=False)
    qstash_fake.deliver_due()
    assert shop.bodies == ["a"]


def test_publish_with_a_queue_name_goes_into_the_queue(http: Any, shop: Any, qstash_fake: QStashFake):
    reply = http("POST", f"/v2/publish/{JOBS}", headers={"Upstash-Queue-Name": "jobs"}, content=b"a")
    assert reply.status_code == 201
    assert qstash_fake.assert_published(queue="jobs", body="a").message_id == reply.json()["messageId"]


@pytest.mark.protocol("4.4 delete with pending messages")
def test_deleting_a_queue_cancels_what_waits_in_it(client: QStash, shop: Any, qstash_fake: QStashFake):
    client.queue.pause("jobs")
    enqueue(client, "a", "b")
    client.queue.delete("jobs")
    qstash_fake.drain()
    assert shop.received == []
    assert [message.text for message in qstash_fake.cancelled] == ["a", "b"]
    with pytest.raises(QStashError, match=r"status: 404.*queue jobs not found"):
        client.queue.get("jobs")


def test_deleting_an_unknown_queue_is_no_error(client: QStash):
    client.queue.delete("nobody")
    assert client.queue.list() == []


def test_a_queue_shows_exactly_six_keys(client: QStash, http: Any):
    client.queue.upsert("jobs", parallelism=2)
    expected = {
        "name": "jobs",
        "parallelism": 2,
        "createdAt": START_MS,
        "updatedAt": START_MS,
        "lag": 0,
        "paused": False,
    }
    assert http("GET", "/v2/queues/jobs").json() == expected
    assert http("GET", "/v2/queues").json() == [expected]


def test_a_queue_name_of_other_characters_is_refused(client: QStash, http: Any):
    with pytest.raises(QStashError, match="status: 400"):
        client.queue.upsert("no spaces")
    assert http("POST", f"/v2/enqueue/no%20spaces/{JOBS}").status_code == 400


def test_a_url_group_can_be_enqueued(client: QStash, shop: Any, qstash_fake: QStashFake):
    client.url_group.upsert_endpoints("stores", [{"url": "https://shop.example/a"}, {"url": "https://shop.example/b"}])
    client.message.enqueue_json(queue="jobs", url_group="stores", body={"n": 1})
    assert client.queue.get("jobs").lag == 2
    qstash_fake.deliver_due()
    assert shop.paths == ["/a", "/b"]


@pytest.mark.asyncio
async def test_queues_work_with_the_async_client_and_verbs(
    async_client: AsyncQStash, shop: Any, qstash_fake: QStashFake
):
    await async_client.queue.upsert("jobs", parallelism=1, paused=True)
    await async_client.message.enqueue_json(queue="jobs", url=JOBS, body={"n": 1})
    await async_client.message.enqueue_json(queue="jobs", url=JOBS, body={"n": 2})
    published = await async_client.message.publish(url="https://shop.example/free", body="f")
    assert isinstance(published, PublishResponse)
    await qstash_fake.drain_async()
    assert shop.paths == ["/free"]
    assert (await async_client.queue.get("jobs")).lag == 2
    await async_client.queue.resume("jobs")
    await qstash_fake.deliver_due_async()
    assert shop.bodies == ["f", '{"n": 1}', '{"n": 2}']
    await async_client.queue.delete("jobs")
    assert await async_client.queue.list() == []
