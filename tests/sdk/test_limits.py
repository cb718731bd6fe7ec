"""Quotas of a plan, which a test opts into; PROTOCOL 1.10, 1.11 and 4.11."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from qstash import AsyncQStash, QStash
from qstash.errors import DailyMessageLimitExceededError, QStashError

from qstash_fake import QStashFake
from qstash_fake.errors import Refused
from tests.shop import JOBS, START_S, START_TEXT

FREE = pytest.mark.qstash_fake(start=START_TEXT, plan="free")
PAYG = pytest.mark.qstash_fake(start=START_TEXT, plan="payg")
NONE = pytest.mark.qstash_fake(start=START_TEXT)


@FREE
def test_what_a_quota_refuses_is_an_error_of_the_sdk(client: QStash, qstash_fake: QStashFake):
    with pytest.raises(QStashError) as error:
        client.message.publish(url=JOBS, body="x", delay="7d1s")
    assert 'status: 400, body: {"error":"quota maxDelay exceeded, current limit: 604800"}' in str(error.value)
    with pytest.raises(QStashError, match=r"status: 412.*quota maxParallelism exceeded, current limit: 2"):
        client.queue.upsert("jobs", parallelism=3)
    client.url_group.upsert_endpoints("one", [{"url": JOBS}])
    with pytest.raises(QStashError, match=r"status: 412.*quota maxTopics exceeded, current limit: 1"):
        client.url_group.upsert_endpoints("another", [{"url": JOBS}])
    assert (qstash_fake.messages, len(qstash_fake.queues), len(qstash_fake.url_groups)) == ([], 0, 1)


@pytest.mark.protocol("4.11 messages/day")
@FREE
def test_the_daily_limit_ends_with_the_day(client: QStash, http: Any, qstash_fake: QStashFake):
    qstash_fake.clock.advance("23h")
    for _ in range(10):
        http("POST", "/v2/batch", json=[{"destination": JOBS, "headers": {"upstash-delay": "2h"}}] * 100)
    with pytest.raises(DailyMessageLimitExceededError) as error:
        client.message.publish(url=JOBS, body="x")
    assert (error.value.limit, error.value.remaining) == ("1000", "0")
    assert error.value.reset == str(START_S + 86_400)
    qstash_fake.clock.advance("1h")
    client.message.publish(url=JOBS, body="x")


@pytest.mark.protocol("4.11 batch call")
@FREE
def test_the_size_of_a_message_counts_and_not_that_of_a_batch(http: Any, qstash_fake: QStashFake):
    fitting, large = ({"destination": JOBS, "body": "x" * size} for size in (600_000, 1_048_577))
    assert http("POST", "/v2/batch", json=[fitting] * 3).status_code == 200
    reply = http("POST", "/v2/batch", json=[fitting, large])
    assert "quota maxMessageSize exceeded, current limit: 1048576" in reply.text
    assert len(qstash_fake.messages) == 3


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


@FREE
def test_a_redrive_by_the_test_is_refused_like_one_by_the_api(client: QStash, http: Any, qstash_fake: QStashFake):
    qstash_fake.on(JOBS).respond(500)
    client.message.publish(url=JOBS, body="x", retries=0)
    qstash_fake.drain()
    (dead,) = qstash_fake.dlq
    for size in (*[100] * 9, 99):
        assert http("POST", "/v2/batch", json=[{"destination": JOBS}] * size).status_code == 200
    with pytest.raises(Refused, match=r"^Exceeded daily rate limit\. \{limit: 1000, "):
        dead.redrive()
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


@pytest.mark.protocol("4.3 cut answers")
@FREE
def test_a_dead_letter_shows_no_more_of_an_answer_than_a_message_may_have(client: QStash, qstash_fake: QStashFake):
    qstash_fake.on(JOBS).respond(500, content=b"x" * 1_048_577)
    client.message.publish(url=JOBS, body="x", retries=0)
    qstash_fake.deliver_due()
    (dead,) = qstash_fake.dlq
    (shown,) = client.dlq.list().messages
    assert (len(dead.response_body), len(shown.response_body or "")) == (1_048_576, 1_048_576)
    assert len(dead.message.attempts[0].body) == 1_048_577
