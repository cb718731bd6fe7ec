"""advance_until: from instant to instant until a message has ended, or a function of the test says yes."""

from datetime import timedelta

import httpx
import pytest

from qstash_fake import UsageError
from tests.shop import JOBS
from tests.times import at

pytestmark = pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z")


def test_advance_until_a_message_has_ended(qstash_fake, client):
    qstash_fake.on(JOBS).respond_with([500, 500, 200])
    client.message.publish(url=JOBS, delay="1m", retry_delay="60000")
    client.message.publish(url=JOBS + "/later", delay="1h")
    message = qstash_fake.messages[0]
    report = qstash_fake.clock.advance_until(message)
    assert (len(report.attempts), report.delivered, qstash_fake.clock.now) == (3, (message,), at(0, 3))


@pytest.mark.parametrize("end", ["dead", "cancelled"])
def test_a_message_that_is_dead_or_cancelled_has_ended(qstash_fake, client, end):
    def app(request):
        client.message.cancel(message.message_id) if end == "cancelled" else None
        return httpx.Response(500)

    qstash_fake.mount(app)
    client.message.publish(url=JOBS, retries=0 if end == "dead" else 3)
    message = qstash_fake.messages[0]
    qstash_fake.clock.advance_until(message)
    assert message.state == {"dead": "FAILED", "cancelled": "CANCELED"}[end]


def test_advance_until_a_function_is_true_does_all_of_each_instant_ticks_too(fake, client):
    client.schedule.create(destination=JOBS, cron="* * * * *")
    client.message.publish(url=JOBS + "/other", delay="2m")
    seen = []

    def is_done():
        seen.append(fake.clock.now)
        return len(fake.delivered) >= 2

    fake.clock.advance_until(is_done)
    assert seen == [at(), at(0, 1), at(0, 2)]
    assert len(fake.delivered) == 3


def test_advance_until_what_is_so_already_moves_nothing(fake, client):
    client.message.publish(url=JOBS)
    report = fake.clock.advance_until(lambda: True)
    assert (report.attempts, fake.clock.now) == ((), at())


def test_advance_until_raises_at_its_limit_and_stands_at_the_last_instant(fake, client):
    for delay in ("1d", "2d"):
        client.message.publish(url=JOBS, delay=delay)

    def is_paid():
        return False

    with pytest.raises(UsageError) as caught:
        fake.clock.advance_until(is_paid, limit="36h")
    assert str(caught.value) == (
        "advance_until() has come to its limit of 1d12h: is_paid says no, and 1 message is pending, the next is due in "
        "1d: deliver with qstash_fake.clock.advance('1d'), or all with qstash_fake.drain()"
    )
    assert fake.clock.now == at() + timedelta(days=1)


def test_advance_until_goes_thirty_days_unless_it_is_told_otherwise(fake, client):
    for delay in ("30d", "31d"):
        client.message.publish(url=JOBS, delay=delay)
    with pytest.raises(UsageError, match="has come to its limit of 30d"):
        fake.clock.advance_until(lambda: False)
    assert len(fake.delivered) == 1


def test_advance_until_raises_if_nothing_is_left_to_happen(fake, client):
    client.message.enqueue(queue="invoices", url=JOBS)
    client.queue.pause("invoices")
    with pytest.raises(UsageError) as caught:
        fake.clock.advance_until(fake.messages[0])
    assert str(caught.value) == (
        f"advance_until() finds nothing that is still to happen: {fake.messages[0]!r} has not ended, and "
        "1 message is pending (queue 'invoices' is paused)"
    )


async def never():
    return False


@pytest.mark.parametrize(
    ("done", "text"),
    [
        (never, r"^advance_until\(never\) is given a coroutine: give a plain function$"),
        (None, r"^advance_until\(None\) has nothing to wait for: give a function, or a message$"),
    ],
)
def test_advance_until_refuses_what_would_never_say_no(fake, done, text):
    with pytest.raises(UsageError, match=text):
        fake.clock.advance_until(done)


def test_advance_until_refuses_a_message_of_before_a_reset(fake, client):
    client.message.publish(url=JOBS)
    (message,) = fake.messages
    fake.reset()
    with pytest.raises(UsageError, match=r"is no message of this fake: it was there before reset\(\), or belongs to"):
        fake.clock.advance_until(message)
