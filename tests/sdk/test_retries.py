"""Retries and delays through the official SDK: when the next attempt comes; PROTOCOL 4.1, 4.2 and 4.6."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from qstash import AsyncQStash, QStash
from qstash.errors import QStashError

from qstash_fake import QStashFake
from tests.shop import JOBS, START_S
from tests.times import DEFAULT_WAITS_S, FIRST_RETRY_S

pytestmark = pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z")


def waits(fake: QStashFake) -> list[float]:
    """Seconds between the attempts of the only message."""
    attempts = fake.messages[0].attempts
    return [(later.at - earlier.at).total_seconds() for earlier, later in pairwise(attempts)]


@pytest.mark.protocol("4.2 default", "4.2 jitter", "4.2 Upstash-Retried", "4.3 entry created")
def test_three_retries_wait_longer_and_longer(client: QStash, shop: Any, qstash_fake: QStashFake):
    shop.statuses["/jobs"] = 500
    client.message.publish(url=JOBS, body="x")
    qstash_fake.drain()
    assert waits(qstash_fake) == DEFAULT_WAITS_S
    assert [one.headers["upstash-retried"] for one in shop.received] == ["0", "1", "2", "3"]
    assert len({one.headers["upstash-message-id"] for one in shop.received}) == 1
    assert len({one.headers["upstash-signature"] for one in shop.received}) == 4
    assert len(qstash_fake.dlq) == 1


@pytest.mark.protocol("4.2 Upstash-Retry-Delay")
def test_a_retry_delay_is_an_expression_in_milliseconds(client: QStash, shop: Any, qstash_fake: QStashFake):
    shop.statuses["/jobs"] = 500
    client.message.publish(url=JOBS, body="x", retry_delay="max(1000, pow(2, retried) * 1500)")
    assert client.message.get(qstash_fake.messages[0].message_id).retry_delay_expression is not None
    qstash_fake.drain()
    assert waits(qstash_fake) == [1.5, 3, 6]


@pytest.mark.protocol("4.2 Upstash-Retry-Delay")
def test_a_bad_retry_delay_is_refused(client: QStash, qstash_fake: QStashFake):
    with pytest.raises(QStashError, match=r"status: 400.*Upstash-Retry-Delay"):
        client.message.publish(url=JOBS, body="x", retry_delay="2 ** 3")
    assert qstash_fake.messages == []


def test_the_answer_says_when_to_come_again(client: QStash, qstash_fake: QStashFake):
    qstash_fake.on(JOBS).respond_with([{"status": 429, "headers": {"Retry-After": "30"}}, 200])
    client.message.publish(url=JOBS, body="x")
    qstash_fake.drain()
    assert waits(qstash_fake) == [30]


@pytest.mark.protocol("4.2 non-retryable", "4.3 entry created")
def test_489_with_its_header_is_not_retried(client: QStash, qstash_fake: QStashFake):
    qstash_fake.on(JOBS).respond(489, headers={"Upstash-NonRetryable-Error": "true"})
    client.message.publish(url=JOBS, body="x")
    qstash_fake.drain()
    assert len(qstash_fake.attempts) == 1
    qstash_fake.assert_dead_lettered(url=JOBS, status=489)


@pytest.mark.protocol("4.2 timeout")
def test_an_answer_after_the_timeout_is_a_failure(client: QStash, shop: Any, qstash_fake: QStashFake):
    qstash_fake.on(JOBS).takes("31s").times(1)
    client.message.publish(url=JOBS, body="x", timeout=30)
    qstash_fake.clock.advance(30 + FIRST_RETRY_S - 1)
    assert len(shop.received) == 1
    qstash_fake.clock.advance("1s")
    first, second = qstash_fake.attempts
    assert (first.status, first.error, second.status) == (0, "timeout", 200)


@pytest.mark.protocol("4.6 delay")
def test_a_delay_ends_to_the_millisecond(client: QStash, shop: Any, qstash_fake: QStashFake):
    client.message.publish(url=JOBS, body="x", delay="1d10h30m")
    message_id = qstash_fake.messages[0].message_id
    assert client.message.get(message_id).not_before == (START_S + 124_200) * 1000
    qstash_fake.clock.advance("34h29m59.999s")
    assert shop.received == []
    qstash_fake.clock.advance("1ms")
    assert len(shop.received) == 1


@pytest.mark.protocol("4.6 delay")
def test_not_before_wins_over_delay_and_its_past_is_now(client: QStash, shop: Any, qstash_fake: QStashFake):
    client.message.publish(url=JOBS, body="later", delay="5s", not_before=START_S + 60)
    client.message.publish(url=JOBS, body="now", delay="5s", not_before=START_S - 60)
    qstash_fake.clock.advance("59s")
    assert shop.bodies == ["now"]
    qstash_fake.clock.advance("1s")
    assert shop.bodies == ["now", "later"]
    assert [message.due_at.timestamp() - START_S for message in qstash_fake.messages] == [60, 0]


@pytest.mark.protocol("4.9 messageId", "4.9 scheduleId", "4.9 dlqId")
def test_ids_look_like_those_of_qstash(client: QStash, shop: Any, qstash_fake: QStashFake):
    shop.statuses["/jobs"] = 500
    client.message.publish(url=JOBS, body="x", retries=0)
    schedule_id = client.schedule.create(destination=JOBS, cron="@daily")
    qstash_fake.drain()
    message_id = shop.received[0].headers["upstash-message-id"]
    assert (message_id[:4], len(message_id), message_id[4:].isalnum()) == ("msg_", 63, True)
    assert (schedule_id[:4], len(schedule_id), schedule_id[4:].isalnum()) == ("scd_", 32, True)
    milliseconds, _, sequence = qstash_fake.dlq[0].dlq_id.partition("-")
    assert (milliseconds, sequence) == (str(START_S * 1000), "0")


def test_a_message_is_shown_for_ten_seconds_after_its_end(client: QStash, shop: Any, qstash_fake: QStashFake):
    client.message.publish(url=JOBS, body="x")
    qstash_fake.deliver_due()
    message_id = qstash_fake.messages[0].message_id
    qstash_fake.clock.advance("9.999s")
    assert client.message.get(message_id).body == "x"
    qstash_fake.clock.advance("1ms")
    with pytest.raises(QStashError, match="status: 404"):
        client.message.get(message_id)


@pytest.mark.asyncio
async def test_retries_work_with_the_async_client_and_verbs(
    async_client: AsyncQStash, shop: Any, qstash_fake: QStashFake
):
    shop.statuses["/jobs"] = 500
    await async_client.message.publish(url=JOBS, body="x", retries=1, delay=5)
    await qstash_fake.drain_async()
    assert waits(qstash_fake) == [FIRST_RETRY_S]
    assert (await async_client.dlq.list()).messages[0].response_body == "answer 500"
