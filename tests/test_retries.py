"""When a failed delivery is tried again: PROTOCOL 4.2, and the dead letter queue at the end: 4.3."""

import itertools
from datetime import timedelta

import httpx
import pytest

from qstash_fake import UsageError
from tests.shop import JOBS, START
from tests.times import DEFAULT_WAITS_S, FIRST_RETRY_S, FOURTH_RETRY_S, LATER_RETRY_S

pytestmark = pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z")


def waits(fake) -> list[float]:
    """The seconds from the start of each attempt of the first message to that of the next."""
    times = [attempt.at for attempt in fake.messages[0].attempts]
    return [(after - before).total_seconds() for before, after in itertools.pairwise(times)]


# --- how long -------------------------------------------------------------------------------------------------------


def test_the_default_is_three_retries_that_wait_longer_and_longer(qstash_fake, client):
    qstash_fake.on(JOBS).respond(500)
    client.message.publish(url=JOBS)
    qstash_fake.drain()
    assert waits(qstash_fake) == DEFAULT_WAITS_S


def test_from_the_fifth_retry_on_the_wait_is_a_day(qstash_fake, client):
    qstash_fake.on(JOBS).respond(500)
    client.message.publish(url=JOBS, retries=6)
    qstash_fake.drain()
    assert waits(qstash_fake) == [*DEFAULT_WAITS_S, FOURTH_RETRY_S, LATER_RETRY_S, LATER_RETRY_S]


def test_no_retries_means_one_attempt(qstash_fake, client):
    qstash_fake.on(JOBS).respond(500)
    client.message.publish(url=JOBS, retries=0)
    qstash_fake.drain()
    assert len(qstash_fake.attempts) == 1


@pytest.mark.parametrize(
    ("expression", "seconds"),
    [
        ("1000", [1, 1, 1]),
        ("1000 * (1 + retried)", [1, 2, 3]),
        ("pow(2, retried) * 1000", [1, 2, 4]),
        ("max(0, retried - 1) * 500", [0, 0, 0.5]),
        ("pow(9, pow(9, 9))", [86400, 86400, 86400]),
    ],
)
def test_a_retry_delay_is_evaluated_for_each_retry(qstash_fake, client, expression, seconds):
    qstash_fake.on(JOBS).respond(500)
    client.message.publish(url=JOBS, retry_delay=expression)
    qstash_fake.drain()
    assert waits(qstash_fake) == seconds


@pytest.mark.parametrize(
    "header", ["Retry-After", "X-RateLimit-Reset", "X-RateLimit-Reset-Requests", "X-RateLimit-Reset-Tokens"]
)
@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("30", 30),
        ("0", 0),
        ("6m5s", 365),
        ("1.5s", 1.5),
        ("250ms", 0.25),
        ("Thu, 01 Jan 2026 00:01:00 GMT", 60),
        ("Wed, 31 Dec 2025 00:00:00 GMT", 0),
        ("86400", 86400),
        ("86401", FIRST_RETRY_S),
        ("24h0m1s", FIRST_RETRY_S),
        ("Fri, 02 Jan 2026 00:00:01 GMT", FIRST_RETRY_S),
        ("soon", FIRST_RETRY_S),
    ],
)
def test_the_answer_says_when_to_come_again(qstash_fake, client, header, value, seconds):
    qstash_fake.on(JOBS).respond_with([{"status": 429, "headers": {header: value}}, 200])
    client.message.publish(url=JOBS)
    qstash_fake.drain()
    assert waits(qstash_fake) == [seconds]


def test_the_answers_header_goes_before_the_messages_retry_delay(qstash_fake, client):
    qstash_fake.on(JOBS).respond_with([{"status": 503, "headers": {"retry-after": "7"}}, 503, 200])
    client.message.publish(url=JOBS, retry_delay="1000")
    qstash_fake.drain()
    assert waits(qstash_fake) == [7, 1]


def test_retry_after_goes_before_the_rate_limit_headers(qstash_fake, client):
    headers = {"X-RateLimit-Reset": "5", "Retry-After": "7"}
    qstash_fake.on(JOBS).respond_with([{"status": 503, "headers": headers}, 200])
    client.message.publish(url=JOBS)
    qstash_fake.drain()
    assert waits(qstash_fake) == [7]


def test_a_retry_after_on_a_success_means_nothing(qstash_fake, client):
    qstash_fake.on(JOBS).respond(200, headers={"Retry-After": "7"})
    client.message.publish(url=JOBS)
    qstash_fake.drain()
    assert len(qstash_fake.attempts) == 1


def test_the_wait_begins_at_the_end_of_the_attempt(qstash_fake, client):
    qstash_fake.on(JOBS).respond_with([500, {"status": 500, "headers": {"Retry-After": "7"}}, 200]).takes("10s")
    client.message.publish(url=JOBS)
    qstash_fake.drain()
    assert waits(qstash_fake) == [10 + FIRST_RETRY_S, 10 + 7]


# --- what counts ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 201, 202, 204, 226, 299])
def test_any_2xx_is_a_success(qstash_fake, client, status):
    qstash_fake.on(JOBS).respond(status)
    client.message.publish(url=JOBS)
    qstash_fake.drain()
    assert qstash_fake.messages[0].state == "DELIVERED"


@pytest.mark.parametrize("status", [100, 301, 304, 307, 400, 401, 404, 489, 500, 503, 599])
def test_anything_else_is_a_failure_redirects_too(qstash_fake, client, status):
    qstash_fake.on(JOBS).respond(status, headers={"Location": JOBS + "/new"})
    client.message.publish(url=JOBS, retries=1)
    qstash_fake.drain()
    assert [attempt.status for attempt in qstash_fake.attempts] == [status, status]


@pytest.mark.parametrize(
    ("status", "value", "attempts"),
    [(489, "true", 1), (489, "TRUE", 1), (489, "false", 4), (489, None, 4), (500, "true", 4), (488, "true", 4)],
)
def test_489_with_its_header_is_not_retried(qstash_fake, client, status, value, attempts):
    headers = {"Upstash-NonRetryable-Error": value} if value else {}
    qstash_fake.on(JOBS).respond(status, headers=headers)
    client.message.publish(url=JOBS)
    qstash_fake.drain()
    assert len(qstash_fake.attempts) == attempts
    qstash_fake.assert_dead_lettered(JOBS, status=status)


# --- time-outs ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("takes", "timeout", "outcome"),
    [
        ("9s", "10s", (200, None, 9)),
        ("10s", "10s", (200, None, 10)),
        ("10001ms", "10s", (0, "timeout", 10)),
        ("1h", "10s", (0, "timeout", 10)),
        ("1h", None, (200, None, 3600)),
    ],
)
def test_an_answer_must_come_within_the_timeout(qstash_fake, client, takes, timeout, outcome):
    called = []

    def app(request):
        called.append(request)
        return httpx.Response(200)

    qstash_fake.mount(app)
    qstash_fake.on(JOBS).takes(takes)
    client.message.publish(url=JOBS, timeout=timeout, retries=0)
    qstash_fake.drain()
    (attempt,) = qstash_fake.attempts
    assert (attempt.status, attempt.error, attempt.duration.total_seconds()) == outcome
    assert len(called) == 1  # the application is called all the same


def test_a_timed_out_answer_is_discarded_and_tried_again(qstash_fake, client):
    qstash_fake.on(JOBS).respond_with([200, 200]).takes("30s").times(1)
    qstash_fake.on(JOBS + "/other").respond(200)
    client.message.publish(url=JOBS, timeout="10s")
    qstash_fake.clock.advance("10s")
    (message,) = qstash_fake.messages
    assert (message.state, message.attempts[0].body) == ("RETRY", b"")
    assert message.due_at == START + timedelta(seconds=10 + FIRST_RETRY_S)


def test_a_message_in_flight_is_pending_and_active(qstash_fake, client):
    qstash_fake.on(JOBS).respond(200).takes("30s")
    client.message.publish(url=JOBS)
    qstash_fake.clock.advance("29s")
    (message,) = qstash_fake.pending
    assert (message.state, message.attempts[0].status, message.attempts[0].duration) == ("ACTIVE", None, None)
    qstash_fake.clock.advance("1s")
    assert message.state == "DELIVERED"


# --- the end --------------------------------------------------------------------------------------------------------


def test_a_message_that_fails_for_good_is_a_dead_letter_with_its_last_answer(qstash_fake, client):
    qstash_fake.on(JOBS).respond_with([500, {"status": 418, "text": "teapot"}])
    client.message.publish(url=JOBS, retries=1, body="x")
    report = qstash_fake.drain()
    (dead,) = qstash_fake.dlq
    assert report.dead == (dead.message,)
    assert (dead.response_status, dead.response_body, dead.message.state) == (418, b"teapot", "FAILED")
    assert qstash_fake.pending == []


def test_a_redriven_dead_letter_is_a_new_message_that_is_due_now(qstash_fake, client):
    retried = []

    def app(request):
        retried.append(request.headers["Upstash-Retried"])
        return httpx.Response(200 if request.headers["X-Tenant"] == "7" and len(retried) > 2 else 500)

    qstash_fake.mount(app)
    client.message.publish(url=JOBS, retries=1, delay="1h", body=b"\xff", headers={"X-Tenant": "7"})
    qstash_fake.drain()
    (dead,) = qstash_fake.dlq
    again = dead.redrive()
    assert again.message_id != dead.message.message_id
    assert (again.body, again.due_at, again.created_at, again.max_retries) == (b"\xff", *[qstash_fake.clock.now] * 2, 1)
    assert qstash_fake.dlq == []
    qstash_fake.deliver_due()
    assert (again.state, retried) == ("DELIVERED", ["0", "1", "0"])
    assert dead.message.state == "FAILED"


def test_a_dead_letter_is_redriven_once_only(qstash_fake, client):
    qstash_fake.on(JOBS).respond(500)
    client.message.publish(url=JOBS, retries=0)
    qstash_fake.drain()
    (dead,) = qstash_fake.dlq
    dead.redrive()
    with pytest.raises(UsageError, match=r"is no longer in the DLQ: it was redriven or deleted"):
        dead.redrive()
    assert len(qstash_fake.messages) == 2


def test_a_dead_letter_that_the_api_has_deleted_cannot_be_redriven(qstash_fake, client):
    qstash_fake.on(JOBS).respond(500)
    client.message.publish(url=JOBS, retries=0)
    qstash_fake.drain()
    (dead,) = qstash_fake.dlq
    client.dlq.delete(dead.dlq_id)
    with pytest.raises(UsageError, match=r"is no longer in the DLQ"):
        dead.redrive()
