"""Draining: what is followed to its end and what is not; and the report that every verb returns."""

from datetime import timedelta

import httpx
import pytest

from qstash_fake import DrainLimitReached, UsageError
from qstash_fake.broker.views import inner_of
from qstash_fake.testing.report import Inner
from tests.shop import JOBS
from tests.times import FIRST_RETRY_S, SECOND_RETRY_S, at

pytestmark = pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z")


def test_drain_follows_delays_and_retries_to_the_end(qstash_fake, client):
    qstash_fake.on(JOBS).respond_with([500, 500, 200])
    client.message.publish(url=JOBS, delay="365d")
    report = qstash_fake.drain()
    assert (len(report.attempts), len(report.delivered)) == (3, 1)
    assert qstash_fake.clock.now == at() + timedelta(days=365, seconds=FIRST_RETRY_S + SECOND_RETRY_S)
    qstash_fake.assert_idle()


def test_every_look_at_a_report_that_has_not_been_read_finds_all(fake, client):
    client.message.publish(url=JOBS)
    inner = inner_of(fake.drain())
    read = vars(Inner)["told"].func  # what each of two threads may call, or a thread again after Ctrl-C
    assert read(inner) == read(inner) == inner.told
    assert len(inner.told.attempts) == 1


def test_drain_with_nothing_to_do_stands_still(fake):
    assert fake.drain().attempts == ()
    assert fake.clock.now == at()


def test_drain_skips_schedule_ticks_counts_and_journals_them(fake, client):
    client.schedule.create(destination=JOBS + "/tick", cron="* * * * *", schedule_id="tick")
    client.message.publish(url=JOBS, delay="5m30s")
    report = fake.drain()
    assert [attempt.message.url for attempt in report.attempts] == [JOBS]
    assert (report.skipped, report.fired) == (5, ())
    assert fake.schedules["tick"].next_at == at(0, 6)
    assert "schedule tick skipped 5 ticks" in fake.timeline()


def test_drain_skips_a_tick_at_the_very_instant_too(fake, client):
    client.schedule.create(destination=JOBS + "/tick", cron="* * * * *", schedule_id="tick")
    client.message.publish(url=JOBS, delay="1m")
    assert fake.drain().skipped == 1
    assert fake.schedules["tick"].next_at == at(0, 2)


def test_drain_leaves_a_schedule_alone_that_has_nothing_before_its_tick(fake, client):
    client.schedule.create(destination=JOBS, cron="* * * * *", schedule_id="tick")
    assert fake.drain().skipped == 0
    assert fake.clock.now == at()


def test_drain_delivers_what_a_tick_has_made_before(fake, client):
    fake.on(JOBS).respond_with([503])
    client.schedule.create(destination=JOBS, cron="* * * * *", schedule_id="tick")
    fake.clock.advance("1m")
    assert len(fake.drain().delivered) == 1
    assert fake.clock.now == at(0, 1, FIRST_RETRY_S)


def test_drain_leaves_held_messages_and_says_what_they_wait_for(fake, client):
    client.message.enqueue(queue="invoices", url=JOBS)
    client.message.enqueue(queue="invoices", url=JOBS)
    client.queue.pause("invoices")
    report = fake.drain()
    assert report.held == {"queue 'invoices' is paused": 2}
    assert len(fake.pending) == 2
    with pytest.raises(AssertionError, match="not idle"):
        fake.assert_idle()


def test_drain_gives_up_on_what_publishes_itself_for_ever(qstash_fake, client):
    def app(request):
        client.message.publish(url=JOBS, delay="1s")
        return httpx.Response(200)

    qstash_fake.mount(app)
    client.message.publish(url=JOBS)
    with pytest.raises(DrainLimitReached) as raised:
        qstash_fake.drain(limit=20)
    assert str(raised.value) == (
        "drain() has created more than 20 messages and is not done; published again and again: "
        "https://shop.example/jobs (21 times); raise drain(limit=…), or go step by step with "
        "qstash_fake.clock.advance(…)"
    )
    assert len(qstash_fake.pending) == 1  # the one that the limit has kept back


def test_the_limit_counts_what_the_drain_creates_not_what_was_there(fake, client):
    for _ in range(5):
        client.message.publish(url=JOBS)
    assert len(fake.drain(limit=0).delivered) == 5


def test_a_limit_that_is_a_time_is_refused_with_the_verb_that_takes_one(fake):
    with pytest.raises(UsageError) as raised:
        fake.drain(limit="5m")
    assert str(raised.value) == (
        "drain(limit='5m'): the limit is a number of messages; to deliver what falls due in a time, "
        "use qstash_fake.clock.advance('5m')"
    )


# --- reports ----------------------------------------------------------------------------------------------------------


def test_a_report_holds_what_this_verb_has_done(qstash_fake, client):
    qstash_fake.on(JOBS + "/fine").respond(200)
    qstash_fake.on(JOBS + "/bad").respond(500)
    client.message.publish(url=JOBS + "/fine")
    qstash_fake.deliver_due()
    client.message.publish(url=JOBS + "/fine")
    client.message.publish(url=JOBS + "/bad", retries=0)
    client.schedule.create(destination=JOBS + "/fine", cron="* * * * *")
    report = qstash_fake.clock.advance("1m")
    first, fine, bad, ticked = qstash_fake.messages
    assert first not in report.delivered
    assert report.attempts == tuple(qstash_fake.attempts[1:])
    assert (report.delivered, report.dead, report.fired) == ((fine, ticked), (bad,), (ticked,))
    assert (report.now, report.next_due) == (at(0, 1), at(0, 2))


def test_a_report_reads_as_one_line(qstash_fake, client):
    qstash_fake.on(JOBS).respond_with([200, 500])
    client.message.publish(url=JOBS)
    client.message.publish(url=JOBS, retries=1, retry_delay="12000")
    assert str(qstash_fake.clock.advance("2.5s")) == (
        "2 attempts, 1 delivered, 0 dead; now 2026-01-01T00:00:02.500Z; next due in 9s500ms"
    )


def test_a_report_names_what_is_held_fired_and_skipped(fake, client):
    client.message.enqueue(queue="invoices", url=JOBS)
    client.queue.pause("invoices")
    client.schedule.create(destination=JOBS, cron="* * * * *")
    assert str(fake.clock.advance("1m")) == (
        "1 attempt, 1 delivered, 0 dead; 1 fired by schedules; 1 held: queue 'invoices' is paused; "
        "now 2026-01-01T00:01:00Z; next due in 1m"
    )
    client.message.publish(url=JOBS, delay="1m")
    assert "1 schedule tick skipped" in str(fake.drain())
