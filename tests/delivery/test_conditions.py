"""What becomes of an outcome between the application and QStash: each condition by itself, and their order."""

from datetime import timedelta

import httpx
import pytest

from qstash_fake.broker.message import Attempt, Message, Outcome
from qstash_fake.delivery.conditions import takes, times_out, within_timeout

JOB = "https://shop.example/jobs/invoice"

pytestmark = pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z")


def message(timeout_ms: int | None = None) -> Message:
    return Message(
        message_id="msg_1",
        sequence=1,
        url=JOB,
        method="POST",
        body=b"",
        stored_headers=(),
        created_ms=0,
        due_ms=0,
        not_before_ms=0,
        max_retries=3,
        timeout_ms=timeout_ms,
    )


ATTEMPT = Attempt(started_ms=0, retried=0)


@pytest.mark.parametrize(("before_ms", "after_ms"), [(0, 500), (499, 500), (501, 501)])
def test_an_answer_takes_its_time_unless_it_was_longer_under_way(before_ms, after_ms):
    made = message()
    assert takes(500)(made, ATTEMPT, Outcome(status=200, duration_ms=before_ms)).duration_ms == after_ms


@pytest.mark.parametrize(("timeout_ms", "duration_ms"), [(10_000, 10_000), (None, 900_000)])
def test_a_time_out_lasts_the_messages_timeout_else_fifteen_minutes(timeout_ms, duration_ms):
    made = message(timeout_ms)
    outcome = times_out(made, ATTEMPT, Outcome(error="timeout"))
    assert (outcome.error, outcome.duration_ms) == ("timeout", duration_ms)


@pytest.mark.parametrize("duration_ms", [0, 9_999, 10_000])
def test_an_answer_within_the_timeout_is_kept(duration_ms):
    made = message(10_000)
    outcome = Outcome(status=200, duration_ms=duration_ms)
    assert within_timeout(made, ATTEMPT, outcome) is outcome


def test_an_answer_after_the_timeout_is_discarded_and_its_exception_is_known():
    error = LookupError("late")
    made = message(10_000)
    outcome = within_timeout(made, ATTEMPT, Outcome(status=200, duration_ms=10_001, exception=error))
    assert (outcome.status, outcome.error, outcome.duration_ms, outcome.exception) == (0, "timeout", 10_000, error)


def test_without_a_timeout_an_answer_may_come_at_any_time():
    made = message()
    outcome = Outcome(status=200, duration_ms=10**9)
    assert within_timeout(made, ATTEMPT, outcome) is outcome


def test_of_several_routes_the_newest_says_how_long_an_answer_takes(qstash_fake, client):
    qstash_fake.mount(lambda request: httpx.Response(200))
    qstash_fake.on("*").respond(202).takes("30s")
    qstash_fake.on(JOB).takes("1s")
    qstash_fake.on("*")
    client.message.publish(url=JOB)
    qstash_fake.drain()
    (attempt,) = qstash_fake.attempts
    assert (attempt.status, attempt.duration) == (202, timedelta(seconds=1))


def test_a_time_out_counts_more_than_how_long_an_answer_takes(qstash_fake, client):
    qstash_fake.on(JOB).time_out().takes("1h")
    client.message.publish(url=JOB, retries=0, timeout="10s")
    qstash_fake.drain()
    assert qstash_fake.attempts[0].duration == timedelta(seconds=10)


@pytest.mark.parametrize(("takes", "status"), [("10s", 200), ("10.001s", 0)])
def test_the_application_is_called_although_its_answer_comes_too_late(qstash_fake, client, takes, status):
    called = []

    def app(request: httpx.Request) -> httpx.Response:
        called.append(request.url)
        return httpx.Response(200)

    qstash_fake.mount(app)
    qstash_fake.on(JOB).takes(takes)
    client.message.publish(url=JOB, retries=0, timeout="10s")
    qstash_fake.drain()
    assert (len(called), qstash_fake.attempts[0].status) == (1, status)
