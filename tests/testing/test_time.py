"""The application's time: it stands where the clock stands, signatures are fresh, a user's freeze is followed."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import flask
import freezegun
import httpx
import pytest
import time_machine
from fastapi import FastAPI, Request
from qstash import Receiver

from qstash_fake import QStashFake, UsageError
from qstash_fake.broker.keys import DEV_CURRENT_KEY, DEV_NEXT_KEY
from qstash_fake.testing.fake import inside
from tests.shop import JOBS, START

ENGINES = ("freezegun", "time-machine", "off")


def verifies(request, body: bytes) -> None:
    receiver = Receiver(DEV_CURRENT_KEY, DEV_NEXT_KEY)
    receiver.verify(signature=request.headers["Upstash-Signature"], body=body.decode(), url=str(request.url))


def fastapi_app(*, in_thread: bool):
    """Return an application that checks each signature, in a coroutine or in a `def` endpoint of the thread pool."""
    app = FastAPI()

    def work(request: Request, body: bytes) -> dict[str, float]:
        verifies(request, body)
        return {"now": time.time()}

    async def job(request: Request) -> dict[str, float]:
        return work(request, await request.body())

    def job_in_thread(request: Request, payload: dict[str, int]) -> dict[str, float]:
        return work(request, b'{"order": 7}')

    app.add_api_route("/jobs", job_in_thread if in_thread else job, methods=["POST"])
    return app


def flask_app():
    app = flask.Flask("shop")

    @app.post("/jobs")
    def job():
        verifies(flask.request, flask.request.data)
        return {"now": time.time()}

    return app


APPS = {
    "async endpoint": lambda: fastapi_app(in_thread=False),
    "sync endpoint": lambda: fastapi_app(in_thread=True),
    "WSGI": flask_app,
}


@pytest.fixture(params=APPS)
def app(request):
    return APPS[request.param]()


@pytest.mark.parametrize(
    "engine",
    [pytest.param(engine, marks=pytest.mark.qstash_fake(freeze=engine)) for engine in ENGINES],
)
@pytest.mark.parametrize("days", [30, 400])
def test_the_receiver_accepts_a_delivery_after_a_long_time(qstash_fake, client, app, engine, days):
    qstash_fake.mount(app)
    client.message.publish_json(url=JOBS, body={"order": 7}, delay=f"{days}d")
    published = time.time()
    qstash_fake.clock.advance(f"{days}d")
    (attempt,) = qstash_fake.attempts
    assert attempt.status == 200
    passed = httpx.Response(200, content=attempt.body).json()["now"] - published
    assert passed < 60 if engine == "off" else passed == pytest.approx(days * 86_400, abs=60)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "engine",
    [pytest.param(engine, marks=pytest.mark.qstash_fake(freeze=engine)) for engine in ENGINES],
)
async def test_the_receiver_accepts_it_in_async_tests_too(qstash_fake, client, app, engine):
    qstash_fake.mount(app)
    client.message.publish_json(url=JOBS, body={"order": 7}, delay="400d")
    await qstash_fake.clock.advance_async("400d")
    assert qstash_fake.attempts[0].status == 200


@pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z")
def test_every_attempt_is_signed_anew(qstash_fake, client):
    def app(request):
        verifies(request, request.content)
        return httpx.Response(500)

    qstash_fake.mount(app)
    client.message.publish(url=JOBS, body="x", retries=5)
    qstash_fake.drain()
    assert len(qstash_fake.attempts) == 6


@pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z", freeze="off")
def test_with_freeze_off_the_applications_time_is_real(qstash_fake):
    before = time.time()
    qstash_fake.clock.advance("400d")
    assert qstash_fake.clock.now == START + timedelta(days=400)
    assert time.time() == pytest.approx(before, abs=60)


@pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z")
def test_sleeps_and_time_outs_work_while_time_is_frozen(qstash_fake, client):
    async def app(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0.001)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), timeout=0.001)
        return httpx.Response(200)

    qstash_fake.mount(app)
    client.message.publish(url=JOBS)
    assert len(qstash_fake.deliver_due().delivered) == 1


@pytest.mark.parametrize("engine", ENGINES)
def test_time_can_be_frozen_during_verbs_only(client, engine):
    with QStashFake(start="2026-01-01T00:00:00Z", freeze=engine) as tests_own:
        outer = QStashFake(start="2031-01-01T00:00:00Z", freeze=engine)
        inside(outer).timekeeper.freezes_between_verbs = False
        seen = []

        def app(request):
            seen.append(datetime.now(UTC).year)
            return httpx.Response(200)

        with outer:
            outer.mount(app)
            before = datetime.now(UTC)
            client.message.publish(url=JOBS)
            for _ in range(2):
                outer.clock.advance("1d")
                assert abs(datetime.now(UTC) - before) < timedelta(minutes=1)
        tests_own.clock.advance("1h")
        assert (seen, outer.clock.now) == (
            [before.year if engine == "off" else 2031],
            datetime(2031, 1, 3, tzinfo=UTC),
        )


# --- a freeze of the user's own -------------------------------------------------------------------------------------


def freezegun_at(moment: str):
    return freezegun.freeze_time(moment)


def time_machine_at(moment: str):
    return time_machine.travel(datetime.fromisoformat(moment).replace(tzinfo=UTC), tick=False)


@pytest.fixture(params=[freezegun_at, time_machine_at], ids=["freezegun", "time-machine"])
def freeze_at(request):
    return request.param


@pytest.mark.parametrize("moment", ["2020-01-01T00:00:00", "2040-01-01T00:00:00"])
def test_a_freeze_of_the_users_own_is_followed_and_moved(qstash_fake, client, freeze_at, moment):
    frozen = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    qstash_fake.mount(lambda request: httpx.Response(200, text=datetime.now(UTC).isoformat()))
    with freeze_at(moment):
        client.message.publish(url=JOBS, delay="10s")
        qstash_fake.clock.advance("1m")
        assert (qstash_fake.clock.now, datetime.now(UTC)) == (frozen + timedelta(minutes=1),) * 2
    (attempt,) = qstash_fake.attempts
    assert attempt.body.decode() == (frozen + timedelta(seconds=10)).isoformat()


def test_a_freeze_of_the_users_own_before_1970_is_refused_and_not_moved(qstash_fake, freeze_at):
    with freeze_at("1960-01-01T00:00:00"):
        with pytest.raises(UsageError) as caught:
            qstash_fake.deliver_due()
        assert datetime.now(UTC) == datetime(1960, 1, 1, tzinfo=UTC)
    assert str(caught.value) == ("your own freeze stands before 1970, which cannot be simulated: freeze a later time")


def test_a_freeze_of_the_users_own_is_never_stopped(qstash_fake, freeze_at):
    with freeze_at("2040-01-01T00:00:00"):
        qstash_fake.deliver_due()
        assert datetime.now(UTC) == datetime(2040, 1, 1, tzinfo=UTC)
    assert datetime.now(UTC).year < 2040


def test_a_move_of_the_users_own_freeze_is_seen_at_the_next_verb(qstash_fake, client):
    qstash_fake.on("*").respond(200)
    with freezegun.freeze_time("2040-01-01") as frozen:
        client.message.publish(url=JOBS, delay="1h")
        frozen.tick(timedelta(hours=2))
        report = qstash_fake.deliver_due()
    assert len(report.delivered) == 1
    assert report.now == datetime(2040, 1, 1, 2, tzinfo=UTC)


def test_the_receiver_accepts_a_delivery_under_the_users_own_freeze(qstash_fake, client, app, freeze_at):
    qstash_fake.mount(app)
    with freeze_at("2040-01-01T00:00:00"):
        client.message.publish_json(url=JOBS, body={"order": 7}, delay="400d")
        qstash_fake.clock.advance("400d")
    assert qstash_fake.attempts[0].status == 200


@freezegun.freeze_time("2020-02-02")
def test_a_freeze_that_decorates_the_test_is_followed_although_the_fixture_came_before(qstash_fake, client):
    client.message.publish(url=JOBS)
    assert qstash_fake.messages[0].created_at == datetime(2020, 2, 2, tzinfo=UTC)


def test_time_that_moves_by_being_looked_at_is_refused(qstash_fake):
    with (
        freezegun.freeze_time("2040-01-01", auto_tick_seconds=15),
        pytest.raises(UsageError, match="auto_tick_seconds"),
    ):
        qstash_fake.deliver_due()


@pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z")
def test_after_the_users_freeze_ours_goes_on_and_time_never_goes_back(qstash_fake):
    qstash_fake.deliver_due()
    with freezegun.freeze_time("2026-06-01"):
        qstash_fake.deliver_due()
    qstash_fake.clock.advance("1h")
    assert (qstash_fake.clock.now, datetime.now(UTC)) == (datetime(2026, 6, 1, 1, tzinfo=UTC),) * 2


@pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z", freeze="freezegun")
def test_a_delivery_whose_time_cannot_be_shown_has_not_started(qstash_fake, client):
    def stop_once_too_often(request: httpx.Request) -> httpx.Response:
        freezegun.freeze_time("2026-01-01").stop()
        return httpx.Response(200)

    qstash_fake.mount(stop_once_too_often)
    first, second = (client.message.publish(url=JOBS).message_id for _ in range(2))
    with pytest.raises(UsageError, match=r"a stop\(\) too many"):
        qstash_fake.deliver_due()
    assert {m.message_id: (m.state, len(m.attempts)) for m in qstash_fake.messages} == {
        first: ("DELIVERED", 1),
        second: ("CREATED", 0),
    }


@pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z")
def test_what_is_published_under_the_users_freeze_is_published_at_its_time(qstash_fake, client, freeze_at):
    qstash_fake.on(JOBS).respond(200)
    with freeze_at("2030-01-01T00:00:00"):
        client.message.publish(url=JOBS, delay="1h")
        assert qstash_fake.messages[0].due_at == datetime(2030, 1, 1, 1, tzinfo=UTC)
        qstash_fake.clock.advance("59m")
        assert qstash_fake.delivered == []
