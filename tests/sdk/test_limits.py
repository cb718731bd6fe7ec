"""Quotas of a plan, which a test opts into; PROTOCOL 1.10, 1.11 and 4.11."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from qstash import AsyncQStash, QStash
from qstash.errors import DailyMessageLimitExceededError, QStashError

from qstash_fake import QStashFake
from qstash_fake.api.answer import Api
from qstash_fake.api.auth import Auth
from qstash_fake.broker.broker import Broker
from tests.shop import JOBS, START_TEXT

FREE = pytest.mark.qstash_fake(start=START_TEXT, plan="free")
PAYG = pytest.mark.qstash_fake(start=START_TEXT, plan="payg")
NONE = pytest.mark.qstash_fake(start=START_TEXT)


def refused(client: QStash, **options: Any) -> str:
    with pytest.raises(QStashError) as error:
        client.message.publish(**{"url": JOBS, "body": "x"} | options)
    return str(error.value)


@pytest.mark.protocol("4.11 message size", "4.11 delay", "4.11 retries", "4.11 HTTP response time", "4.11 parallelism")
@FREE
def test_the_free_plan_has_its_quotas(client: QStash, qstash_fake: QStashFake):
    assert 'status: 400, body: {"error":"quota maxDelay exceeded, current limit: 604800"}' in refused(
        client, delay="7d1s"
    )
    assert 'status: 412, body: {"error":"quota maxMessageSize exceeded, current limit: 1048576"}' in refused(
        client, body="x" * 1_048_577
    )
    assert "exceeded, current limit: 900" in refused(client, timeout="15m1s")
    assert qstash_fake.messages == []
    client.message.publish(
        url=JOBS,
        body="x" * 1_048_576,
        delay="7d",
        retries=100,
        timeout="15m",
        flow_control={"key": "k", "parallelism": 500},
    )


@pytest.mark.protocol("4.11 message size", "4.11 delay")
@PAYG
def test_the_paid_plan_has_its_quotas(client: QStash):
    assert "quota maxDelay exceeded, current limit: 31536000" in refused(client, delay="366d")
    assert "quota maxMessageSize exceeded, current limit: 10485760" in refused(client, body="x" * 10_485_761)
    assert "exceeded, current limit: 7200" in refused(client, timeout="3h")
    client.message.publish(url=JOBS, body="x" * 10_485_760, delay="365d", retries=100, timeout="2h")


@pytest.mark.protocol("4.11 schedules / queues / groups / endpoints per group")
@NONE
def test_without_a_plan_there_is_no_quota(client: QStash, qstash_fake: QStashFake):
    client.message.publish(url=JOBS, body="x" * 10_000_001, delay="4000d", retries=99, timeout="9d")
    for number in range(12):
        client.queue.upsert(f"q{number}", parallelism=500)
        client.schedule.create(destination=JOBS, cron="@daily")
        client.url_group.upsert_endpoints(f"g{number}", [{"url": f"https://shop.example/{n}"} for n in range(101)])
    assert (len(qstash_fake.queues), len(qstash_fake.schedules), len(qstash_fake.url_groups)) == (12, 12, 12)


@pytest.mark.protocol("4.11 schedules / queues / groups / endpoints per group", "4.11 parallelism")
@FREE
def test_the_free_plan_counts_schedules_queues_groups_and_endpoints(client: QStash):
    for number in range(10):
        client.schedule.create(destination=JOBS, cron="@daily", schedule_id=f"s{number}")
        client.message.enqueue(queue=f"q{number}", url=JOBS, body="x")
    client.schedule.create(destination=JOBS, cron="@hourly", schedule_id="s0")
    client.message.enqueue(queue="q0", url=JOBS, body="y")
    with pytest.raises(QStashError, match=r"status: 412.*quota maxSchedules exceeded, current limit: 10"):
        client.schedule.create(destination=JOBS, cron="@daily")
    with pytest.raises(QStashError, match=r"status: 412.*quota maxQueues exceeded, current limit: 10"):
        client.message.enqueue(queue="one-more", url=JOBS, body="x")
    with pytest.raises(QStashError, match=r"status: 412.*quota maxQueues exceeded"):
        client.queue.upsert("one-more")
    with pytest.raises(QStashError, match=r"status: 412.*quota maxParallelism exceeded, current limit: 2"):
        client.queue.upsert("q0", parallelism=3)
    client.url_group.upsert_endpoints("g", [{"url": f"https://shop.example/{number}"} for number in range(100)])
    with pytest.raises(QStashError, match=r"status: 412.*quota maxEndpointsPerTopic exceeded, current limit: 100"):
        client.url_group.upsert_endpoints("g", [{"url": "https://shop.example/one-more"}])
    with pytest.raises(QStashError, match=r"status: 412.*quota maxTopics exceeded, current limit: 1"):
        client.url_group.upsert_endpoints("another", [{"url": JOBS}])


@pytest.mark.protocol("4.11 messages/day")
@FREE
def test_the_daily_limit_ends_with_the_day(client: QStash, http: Any, qstash_fake: QStashFake):
    qstash_fake.clock.advance("23h")
    for _ in range(10):
        http("POST", "/v2/batch", json=[{"destination": JOBS, "headers": {"upstash-delay": "2h"}}] * 100)
    with pytest.raises(DailyMessageLimitExceededError) as error:
        client.message.publish(url=JOBS, body="x")
    assert (error.value.limit, error.value.remaining) == ("1000", "0")
    assert error.value.reset == str(1_767_225_600 + 86_400)
    qstash_fake.clock.advance("1h")
    client.message.publish(url=JOBS, body="x")
    assert len(qstash_fake.messages) == 1_001


@pytest.mark.protocol("4.11 batch call")
@FREE
def test_the_size_of_a_message_counts_and_not_that_of_a_batch(http: Any, qstash_fake: QStashFake):
    fitting, large = ({"destination": JOBS, "body": "x" * size} for size in (600_000, 1_048_577))
    assert http("POST", "/v2/batch", json=[fitting] * 3).status_code == 200
    reply = http("POST", "/v2/batch", json=[fitting, large])
    assert "quota maxMessageSize exceeded, current limit: 1048576" in reply.text
    assert len(qstash_fake.messages) == 3


@pytest.mark.protocol("4.11 messages/day")
@FREE
def test_callbacks_and_redrives_count_towards_the_daily_limit(
    client: QStash, shop: Any, http: Any, qstash_fake: QStashFake
):
    shop.statuses["/jobs"] = 500
    client.message.publish(url=JOBS, body="x", retries=0, callback="https://shop.example/back")
    http("POST", "/v2/batch", json=[{"destination": JOBS, "headers": {"upstash-delay": "1h"}}] * 998)
    qstash_fake.deliver_due()
    (dead,) = qstash_fake.dlq
    assert http("POST", f"/v2/dlq/retry/{dead.dlq_id}").status_code == 429
    assert qstash_fake.dlq == [dead]


@pytest.mark.protocol("4.11 retries")
@FREE
def test_a_redrive_cannot_override_a_quota(client: QStash, shop: Any, http: Any, qstash_fake: QStashFake):
    shop.statuses["/jobs"] = 500
    client.message.publish(url=JOBS, body="x", retries=0)
    qstash_fake.drain()
    (dead,) = qstash_fake.dlq
    reply = http("POST", f"/v2/dlq/retry/{dead.dlq_id}", headers={"Upstash-Retries": "1000"})
    assert (reply.status_code, reply.json()) == (412, {"error": "quota maxRetries exceeded, current limit: 999"})
    assert qstash_fake.dlq == [dead]


@pytest.mark.protocol("4.2 timeout", "4.11 HTTP response time")
@FREE
def test_an_attempt_ends_when_the_plan_says_so(client: QStash, shop: Any, qstash_fake: QStashFake):
    qstash_fake.on(JOBS).takes("1h")
    client.message.publish(url=JOBS, body="x", retries=0)
    qstash_fake.drain()
    (attempt,) = qstash_fake.attempts
    assert (attempt.status, attempt.error, attempt.duration) == (0, "timeout", timedelta(minutes=15))


@pytest.mark.protocol("4.11 HTTP response time")
@PAYG
def test_a_destination_that_never_answers_takes_what_the_plan_allows(client: QStash, qstash_fake: QStashFake):
    qstash_fake.on(JOBS).time_out()
    client.message.publish(url=JOBS, body="x", retries=0)
    client.message.publish(url=JOBS, body="y", retries=0, timeout="1m")
    qstash_fake.drain()
    assert [attempt.duration for attempt in qstash_fake.attempts] == [timedelta(hours=2), timedelta(minutes=1)]


@pytest.mark.protocol("4.3 retention", "4.11 DLQ / log retention")
@FREE
def test_dead_letters_and_logs_are_kept_for_three_days(client: QStash, shop: Any, qstash_fake: QStashFake):
    shop.statuses["/jobs"] = 500
    client.message.publish(url=JOBS, body="x", retries=0)
    qstash_fake.deliver_due()
    qstash_fake.clock.advance("3d")
    assert len(client.dlq.list().messages) == 1
    assert len(client.log.list().logs) == 4
    qstash_fake.clock.advance("1ms")
    assert client.dlq.list().messages == []
    assert client.log.list().logs == []
    assert qstash_fake.dlq == []


@pytest.mark.protocol("4.11 DLQ / log retention")
@NONE
def test_without_a_plan_dead_letters_and_logs_stay(client: QStash, shop: Any, qstash_fake: QStashFake):
    shop.statuses["/jobs"] = 500
    client.message.publish(url=JOBS, body="x", retries=0)
    qstash_fake.deliver_due()
    qstash_fake.clock.advance("365d")
    assert len(client.dlq.list().messages) == 1
    assert len(client.log.list().logs) == 4


@pytest.mark.protocol("4.11 list count")
@NONE
def test_a_listing_has_at_most_a_thousand_items(http: Any):
    assert http("GET", "/v2/events", params={"count": 1_000}).status_code == 200
    for count in ("1001", "0", "-1", "many"):
        assert http("GET", "/v2/events", params={"count": count}).status_code == 400


@pytest.mark.protocol("4.11 list count")
@NONE
def test_a_listing_has_a_hundred_items_unless_asked_otherwise(http: Any):
    http("POST", "/v2/batch", json=[{"destination": JOBS}] * 101)
    page = http("GET", "/v2/logs").json()
    assert (len(page["logs"]), "cursor" in page) == (100, True)
    assert len(http("GET", "/v2/logs", params={"count": 101}).json()["logs"]) == 101


@NONE
def test_a_listing_of_events_has_a_thousand_as_the_go_sdk_reads_400_at_once(http: Any):
    http("POST", "/v2/batch", json=[{"destination": JOBS}] * 1_001)
    page = http("GET", "/v2/events").json()
    assert (len(page["events"]), "cursor" in page) == (1_000, True)


@pytest.mark.protocol("4.11 read-only token")
def test_a_read_only_token_may_only_look():
    api = Api(Broker(0), Auth("writer", read_only="reader"))
    reader, writer = ([("Authorization", f"Bearer {token}")] for token in ("reader", "writer"))
    assert api.answer("GET", "/v2/queues", reader, b"").status == 200
    assert api.answer("POST", f"/v2/publish/{JOBS}", reader, b"").status == 403
    assert api.answer("POST", f"/v2/publish/{JOBS}", writer, b"").status == 201


@FREE
@pytest.mark.asyncio
async def test_quotas_count_with_the_async_client_and_verbs(
    async_client: AsyncQStash, shop: Any, qstash_fake: QStashFake
):
    with pytest.raises(QStashError, match="quota timeout exceeded, current limit: 900"):
        await async_client.message.publish(url=JOBS, body="x", timeout="16m")
    await async_client.message.publish(url=JOBS, body="y", retries=5)
    await qstash_fake.drain_async()
    assert shop.bodies == ["y"]
