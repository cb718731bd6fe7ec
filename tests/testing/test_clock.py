"""The clock: what each verb moves to and delivers, what is next, and how time stands before the first verb."""

import time
from datetime import UTC, datetime, timedelta, timezone

import httpx
import pytest
from qstash import QStash

from qstash_fake import QStashFake
from tests.shop import JOBS
from tests.times import at

pytestmark = pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z")


def test_advance_moves_by_the_duration(fake):
    for duration in ("1h30m", 90, 0.5, timedelta(minutes=1), "250ms"):
        fake.clock.advance(duration)
    assert fake.clock.now == at(1, 32, 30, 750)


def test_less_than_a_millisecond_is_floored(fake):
    fake.clock.advance(0.0019)
    fake.clock.advance(timedelta(microseconds=999))
    assert fake.clock.now == at(ms=1)


def test_what_is_due_exactly_at_the_end_fires(fake, client):
    client.message.publish(url=JOBS, delay="5m")
    assert fake.clock.advance("4m59s").attempts == ()
    assert len(fake.clock.advance("1s").attempts) == 1


def test_advance_by_nothing_delivers_what_is_due(fake, client):
    client.message.publish(url=JOBS)
    assert len(fake.clock.advance(0).delivered) == 1


def test_time_goes_from_event_to_event_for_the_application_too(qstash_fake, client):
    seen = []

    def app(request):
        seen.append((qstash_fake.clock.now, datetime.now(UTC), time.time()))
        return httpx.Response(200)

    qstash_fake.mount(app)
    for delay in ("10m", "20s", None):
        client.message.publish(url=JOBS, delay=delay)
    qstash_fake.clock.advance("1h")
    moments = [at(), at(0, 0, 20), at(0, 10)]
    assert seen == [(moment, moment, moment.timestamp()) for moment in moments]
    assert (qstash_fake.clock.now, datetime.now(UTC)) == (at(1), at(1))


def test_what_a_handler_publishes_is_created_then_and_delivered_in_the_same_verb_if_due(qstash_fake, client):
    def app(request):
        if request.url.path == "/jobs":
            client.message.publish(url=JOBS + "/now")
            client.message.publish(url=JOBS + "/soon", delay="30s")
            client.message.publish(url=JOBS + "/late", delay="31s")
        return httpx.Response(200)

    qstash_fake.mount(app)
    client.message.publish(url=JOBS, delay="30s")
    qstash_fake.clock.advance("1m")
    assert [(a.message.url, a.message.created_at, a.at) for a in qstash_fake.attempts] == [
        (JOBS, at(), at(0, 0, 30)),
        (JOBS + "/now", at(0, 0, 30), at(0, 0, 30)),
        (JOBS + "/soon", at(0, 0, 30), at(0, 1)),
    ]


@pytest.mark.parametrize(
    "moment",
    [
        "2026-01-01T09:30:00Z",
        "2026-01-01T09:30:00",
        "2026-01-01T10:30:00+01:00",
        "2026-01-01 09:30",
        datetime(2026, 1, 1, 9, 30, tzinfo=UTC),
        datetime(2026, 1, 1, 4, 30, tzinfo=timezone(timedelta(hours=-5))),
    ],
)
def test_advance_to_goes_to_the_moment(fake, moment):
    fake.clock.advance_to(moment)
    assert fake.clock.now == at(9, 30)


def test_advance_to_now_delivers_what_is_due(fake, client):
    client.message.publish(url=JOBS)
    assert len(fake.clock.advance_to(fake.clock.now).delivered) == 1


def test_advance_to_the_past_is_refused(fake):
    fake.clock.advance("1h")
    with pytest.raises(ValueError, match="cannot advance to 2026-01-01T00:59:59Z: it is 2026-01-01T01:00:00Z"):
        fake.clock.advance_to("2026-01-01T00:59:59")
    assert fake.clock.now == at(1)


@pytest.mark.parametrize(
    ("moment", "error", "text"),
    [
        (datetime(2026, 1, 2), ValueError, "is naive: give it a time zone"),  # noqa: DTZ001 - the point
        ("tomorrow", ValueError, "'tomorrow' is no ISO 8601 time"),
        (1_767_225_600, TypeError, "is neither a datetime nor an ISO 8601 text"),
    ],
)
def test_advance_to_takes_aware_datetimes_and_iso_texts_only(fake, moment, error, text):
    with pytest.raises(error, match=text):
        fake.clock.advance_to(moment)


@pytest.mark.parametrize(
    ("duration", "error"),
    [
        (-1, ValueError),
        ("-5m", ValueError),
        (timedelta(seconds=-1), ValueError),
        ("soon", ValueError),
        (None, TypeError),
    ],
)
def test_advance_refuses_what_is_no_duration_or_goes_backwards(fake, duration, error):
    with pytest.raises(error):
        fake.clock.advance(duration)
    assert fake.clock.now == at()


def test_advance_beyond_the_year_9999_is_refused_before_anything_happens(fake, client):
    client.message.publish(url=JOBS)
    with pytest.raises(ValueError, match="beyond the year 9999"):
        fake.clock.advance("9999999d")
    assert (fake.attempts, fake.clock.now) == ([], at())


def test_advance_takes_the_keywords_of_a_timedelta(fake):
    fake.clock.advance(days=11, hours=2)
    fake.clock.advance(weeks=1, minutes=0.5)
    assert fake.clock.now == at(2, 0, 30) + timedelta(days=18)


@pytest.mark.parametrize(
    ("arguments", "keywords", "error", "text"),
    [
        (("5m",), {"days": 1}, TypeError, r"^advance\(\) takes a duration or the keywords of a timedelta, not both$"),
        (
            (),
            {"day": 1},
            TypeError,
            r"^advance\(\) has no day= \(did you mean days=\?\); it takes duration=, weeks=, da",
        ),
        ((), {"days": -1}, ValueError, "^a duration cannot be negative"),
        (
            (),
            {"days": 1e30},
            ValueError,
            r"^advance\(days=1e\+30\): a duration is finite and has at most 999999999 days$",
        ),
        ((), {"hours": float("nan")}, ValueError, r"^advance\(hours=nan\): a duration is finite and has"),
        ((), {"hours": float("inf")}, ValueError, r"^advance\(hours=inf\): a duration is finite and has"),
        ((), {}, TypeError, "^a duration is a number of seconds, a timedelta or a text such as '5m', not NoneType$"),
    ],
)
def test_advance_refuses_what_leaves_the_duration_open(fake, arguments, keywords, error, text):
    with pytest.raises(error, match=text):
        fake.clock.advance(*arguments, **keywords)
    assert fake.clock.now == at()


def test_advance_to_next_does_all_of_the_next_instant_and_no_more(fake, client):
    for delay in ("2m", "1m", "1m", "90s"):
        client.message.publish(url=JOBS, delay=delay)
    assert len(fake.clock.advance_to_next().attempts) == 2
    assert fake.clock.now == at(0, 1)
    assert len(fake.clock.advance_to_next().attempts) == 1
    assert fake.clock.now == at(0, 1, 30)


def test_advance_to_next_stops_at_ends_and_ticks(fake, client):
    fake.on(JOBS).respond(200).takes("10s")
    client.message.publish(url=JOBS)
    client.schedule.create(destination=JOBS, cron="* * * * *")
    moments = []
    for _ in range(3):
        fake.clock.advance_to_next()
        moments.append(fake.clock.now)
    assert moments == [at(), at(0, 0, 10), at(0, 1)]


def test_advance_to_next_with_nothing_due_stays_and_returns_an_empty_report(fake):
    report = fake.clock.advance_to_next()
    assert (report.attempts, report.delivered, report.dead, report.fired) == ((), (), (), ())
    assert fake.clock.now == at()


def test_deliver_due_makes_what_is_due_now_and_stands_still(fake, client):
    client.message.publish(url=JOBS)
    client.message.publish(url=JOBS, delay="1s")
    assert len(fake.deliver_due().attempts) == 1
    assert fake.clock.now == at()


def test_deliver_due_does_what_a_handler_publishes_for_now(qstash_fake, client):
    def app(request):
        if len(qstash_fake.messages) < 3:
            client.message.publish(url=JOBS)
        return httpx.Response(200)

    qstash_fake.mount(app)
    client.message.publish(url=JOBS)
    assert len(qstash_fake.deliver_due().delivered) == 3


# --- next_due ---------------------------------------------------------------------------------------------------------


def test_next_due_is_the_next_instant_schedules_included(fake, client):
    assert fake.clock.next_due is None
    client.message.publish(url=JOBS, delay="90s")
    assert fake.clock.next_due == at(0, 1, 30)
    client.schedule.create(destination=JOBS, cron="* * * * *")
    assert fake.clock.next_due == at(0, 1)
    client.message.publish(url=JOBS)
    assert fake.clock.next_due == at()


def test_next_due_ignores_held_messages(fake, client):
    client.message.enqueue(queue="invoices", url=JOBS)
    client.queue.pause("invoices")
    assert fake.clock.next_due is None
    client.queue.resume("invoices")
    assert fake.clock.next_due == at()


def test_next_due_is_the_end_of_an_attempt_in_flight(fake, client):
    fake.on(JOBS).respond(200).takes("10s")
    client.message.publish(url=JOBS)
    fake.deliver_due()
    assert fake.clock.next_due == at(0, 0, 10)


def test_next_due_is_when_a_rate_window_opens_again(fake, client):
    for _ in range(2):
        client.message.publish(url=JOBS, flow_control={"key": "k", "rate": 1, "period": "1m"})
    fake.deliver_due()
    assert fake.clock.next_due == at(0, 1)


# --- before the first verb --------------------------------------------------------------------------------------------


def test_without_start_the_clock_runs_until_the_first_verb(monkeypatch):
    with QStashFake(freeze="off") as fake:
        for now in (1_767_225_600, 1_767_225_601.0019):
            monkeypatch.setattr(time, "time_ns", lambda now=now: int(now * 1_000_000) * 1_000)
            moment = fake.clock.now
        assert moment == at(0, 0, 1, 1)
        fake.deliver_due()
        monkeypatch.setattr(time, "time_ns", lambda: 1_767_229_200_000_000_000)
        assert fake.clock.now == at(0, 0, 1, 1)


def test_publishing_and_reading_do_not_stop_the_clock(monkeypatch):
    with QStashFake(freeze="off") as fake:
        monkeypatch.setattr(time, "time_ns", lambda: 1_767_225_600_000_000_000)
        QStash("token").message.publish(url=JOBS)
        assert fake.clock.next_due == at()
        monkeypatch.setattr(time, "time_ns", lambda: 1_767_225_605_000_000_000)
        QStash("token").message.publish(url=JOBS)
        assert [message.created_at for message in fake.messages] == [at(), at(0, 0, 5)]


@pytest.mark.qstash_fake(start=None)
def test_without_start_the_first_verb_freezes_the_applications_time(fake):
    fake.deliver_due()
    first = (datetime.now(UTC), time.time_ns())
    assert (datetime.now(UTC), time.time_ns()) == first
    assert fake.clock.now == first[0]


@pytest.mark.parametrize("start", ["2026-01-01T00:00:00Z", "2026-01-01", datetime(2026, 1, 1, tzinfo=UTC)])
def test_with_start_time_stands_from_the_beginning_for_the_application_too(start):
    with QStashFake(start=start) as fake:
        assert (fake.clock.now, datetime.now(UTC)) == (at(), at())
    assert datetime.now(UTC) != at()


@pytest.mark.parametrize("freeze", ["time-machine", "freezegun", "off"])
@pytest.mark.parametrize("start", ["1970-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z"])
def test_time_stands_from_the_first_to_the_last_moment_that_can_be_simulated(start, freeze):
    with QStashFake(start=start, freeze=freeze) as fake:
        fake.on("*").respond(200)
        QStash("token").message.publish(url=JOBS)
        assert (str(fake.deliver_due()).split("; ")[1], len(fake.delivered)) == (f"now {start}", 1)


@pytest.mark.parametrize("start", ["1969-12-31T23:59:59.999Z", "0001-01-01", "9999-12-31T23:59:59-01:00"])
def test_start_refuses_what_no_engine_can_show(start):
    with pytest.raises(ValueError, match=r"^start=.* cannot be simulated: give a time from the year 1970 to the year"):
        QStashFake(start=start)


def test_start_refuses_a_naive_datetime():
    with pytest.raises(ValueError, match="is naive"):
        QStashFake(start=datetime(2026, 1, 1))  # noqa: DTZ001 - the point


def test_with_start_the_journal_is_the_same_to_the_byte():
    def journal():
        with QStashFake(start="2026-01-01T00:00:00Z") as fake:
            fake.on("*").respond_with([500, 200])
            QStash("token").message.publish(url=JOBS, body="x", delay="3s")
            fake.drain()
            return fake.timeline(), [message.message_id for message in fake.messages]

    assert journal() == journal()
