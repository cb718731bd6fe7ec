"""Faults of the API that a test asks for, as the official SDK sees them; PROTOCOL 1.10.

The SDK retries broken connections alone, and sleeps between its attempts, half a minute in all. A test of its retry
policy gives it a backoff of 0 milliseconds: `QStash(token, retry={"retries": 2, "backoff": lambda attempt: 0})`.
"""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from qstash import AsyncQStash, QStash
from qstash.errors import DailyMessageLimitExceededError, QStashError, RateLimitExceededError

from qstash_fake import QStashFake, UsageError
from tests.shop import JOBS

pytestmark = pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z")


@pytest.fixture(scope="module")
def patient() -> QStash:
    """A client that tries again twice, without sleeping."""
    return QStash("token", retry={"retries": 2, "backoff": lambda attempt: 0})


@pytest.fixture(scope="module")
def hasty() -> QStash:
    return QStash("token", retry=False)


@pytest.mark.protocol("1 rate limits")
def test_burst_makes_the_sdk_raise_its_rate_limit_error(client: QStash, qstash_fake: QStashFake):
    qstash_fake.api.fail("burst")
    with pytest.raises(RateLimitExceededError) as error:
        client.queue.list()
    assert (error.value.limit, error.value.remaining, error.value.reset) == ("100", "0", "1")


@pytest.mark.protocol("1 rate limits")
def test_daily_makes_the_sdk_raise_its_daily_limit_error(client: QStash, qstash_fake: QStashFake):
    qstash_fake.api.fail("daily")
    with pytest.raises(DailyMessageLimitExceededError) as error:
        client.message.publish(url=JOBS, body="x")
    assert (error.value.limit, error.value.remaining) == ("1000", "0")
    assert qstash_fake.messages == []


@pytest.mark.protocol("1 rate limits")
def test_chat_has_the_headers_of_the_chat_limit(http: Any, qstash_fake: QStashFake):
    qstash_fake.api.fail("chat")
    reply = http("POST", "/llm/v1/chat/completions", json={})
    assert (reply.status_code, reply.headers["x-ratelimit-limit-requests"]) == (429, "100")
    assert "RateLimit-Limit" not in reply.headers


@pytest.mark.parametrize("status", [400, 401, 412, 500, 503])
def test_a_status_makes_the_sdk_raise_its_error(status: int, client: QStash, qstash_fake: QStashFake):
    qstash_fake.api.fail(status)
    with pytest.raises(QStashError, match=f"status: {status}") as error:
        client.queue.list()
    assert type(error.value) is QStashError


def test_a_fault_lasts_as_many_calls_as_asked(client: QStash, qstash_fake: QStashFake):
    qstash_fake.api.fail("burst", times=2)
    qstash_fake.api.fail(500)
    for expected in (RateLimitExceededError, RateLimitExceededError, QStashError):
        with pytest.raises(expected):
            client.queue.list()
    assert client.queue.list() == []


def test_an_unknown_fault_is_a_usage_error(qstash_fake: QStashFake):
    with pytest.raises(UsageError, match=r"fail\('brust'\) is unknown: use 'burst'"):
        qstash_fake.api.fail("brust")
    with pytest.raises(UsageError, match="a status from 400 to 599"):
        qstash_fake.api.fail(200)


def test_a_dropped_connection_makes_the_sdk_try_again(patient: QStash, qstash_fake: QStashFake):
    qstash_fake.api.drop_connection(times=2)
    patient.message.publish(url=JOBS, body="x")
    assert [message.text for message in qstash_fake.messages] == ["x"]


def test_a_connection_dropped_too_often_is_the_clients_connect_error(patient: QStash, qstash_fake: QStashFake):
    qstash_fake.api.drop_connection(times=3)
    with pytest.raises(httpx.ConnectError):
        patient.message.publish(url=JOBS, body="x")
    assert qstash_fake.messages == []


def test_the_backoff_is_asked_before_each_new_attempt(qstash_fake: QStashFake):
    asked: list[int] = []

    def backoff(attempt: int) -> float:
        asked.append(attempt)
        return 0

    qstash_fake.api.drop_connection(times=2)
    QStash("token", retry={"retries": 2, "backoff": backoff}).queue.list()
    assert asked == [0, 1]


def test_without_retries_one_dropped_connection_is_enough(hasty: QStash, qstash_fake: QStashFake):
    qstash_fake.api.drop_connection()
    with pytest.raises(httpx.ConnectError, match="told to drop"):
        hasty.queue.list()
    assert hasty.queue.list() == []


def test_a_status_is_not_tried_again(patient: QStash, qstash_fake: QStashFake):
    qstash_fake.api.fail(503)
    with pytest.raises(QStashError, match="status: 503"):
        patient.message.publish(url=JOBS, body="x")
    assert qstash_fake.messages == []


def test_reset_forgets_faults(client: QStash, qstash_fake: QStashFake):
    qstash_fake.api.fail(500)
    qstash_fake.reset()
    assert client.queue.list() == []


@pytest.mark.asyncio
async def test_faults_reach_the_async_client(async_client: AsyncQStash, qstash_fake: QStashFake):
    qstash_fake.api.fail("burst")
    with pytest.raises(RateLimitExceededError):
        await async_client.queue.list()
    qstash_fake.api.fail("daily")
    with pytest.raises(DailyMessageLimitExceededError):
        await async_client.queue.list()
    patient = AsyncQStash("token", retry={"retries": 2, "backoff": lambda attempt: 0})
    qstash_fake.api.drop_connection(times=2)
    await patient.message.publish(url=JOBS, body="x")
    qstash_fake.on(JOBS).respond(200)
    report = await qstash_fake.drain_async()
    assert len(report.delivered) == 1
