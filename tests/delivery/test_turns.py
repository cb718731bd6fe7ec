"""A long async verb lets the loop have turns, and can be cancelled at any of them."""

import asyncio
import contextlib
import threading
from datetime import timedelta

import httpx
import pytest

from tests.shop import JOBS, START

pytestmark = [pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z"), pytest.mark.asyncio]


@pytest.fixture
def every_second(qstash_fake, client):
    """A schedule that fires each second; a route answers, so no application is called."""
    qstash_fake.on("*").respond(200)
    client.schedule.create(destination=JOBS, cron="@every 1s")


def seconds_done(fake) -> int:
    return int((fake.clock.now - START) / timedelta(seconds=1))


async def count(turns: list[int]) -> None:
    while True:
        turns.append(len(turns))
        await asyncio.sleep(0)


@pytest.mark.usefixtures("every_second")
async def test_the_loop_has_a_turn_after_every_50_deliveries_although_a_route_answers_them(qstash_fake):
    turns: list[int] = []
    other = asyncio.create_task(count(turns))
    report = await qstash_fake.clock.advance_async("999s")
    other.cancel()
    assert (len(report.attempts), len(turns)) == (999, 19)


@pytest.mark.usefixtures("every_second")
async def test_the_count_goes_on_from_verb_to_verb_and_from_event_to_event(qstash_fake, client):
    turns: list[int] = []
    other = asyncio.create_task(count(turns))
    await qstash_fake.clock.advance_async("30s")
    assert turns == []
    for number in range(40):
        client.message.publish(url=JOBS, delay=f"{number}s")
    client.schedule.delete(next(iter(qstash_fake.schedules)))
    await qstash_fake.drain_async()  # an event at each of 40 instants
    other.cancel()
    assert len(turns) == 1


@pytest.mark.usefixtures("every_second")
async def test_a_time_out_ends_a_verb_between_two_deliveries(qstash_fake):
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await qstash_fake.clock.advance_async("12h")
    assert (len(qstash_fake.attempts), seconds_done(qstash_fake)) == (50, 50)
    assert {message.state for message in qstash_fake.messages} == {"DELIVERED"}
    report = await qstash_fake.clock.advance_async("10s")
    assert len(report.attempts) == 10


@pytest.mark.usefixtures("every_second")
async def test_a_verb_can_be_cancelled_by_another_task(qstash_fake):
    verb = asyncio.create_task(qstash_fake.clock.advance_async("12h"))
    for _ in range(4):
        await asyncio.sleep(0)
    verb.cancel()
    with pytest.raises(asyncio.CancelledError):
        await verb
    assert len(qstash_fake.attempts) == 200
    assert not qstash_fake.pending


async def test_a_cancelled_verb_fails_the_attempt_that_is_in_flight(qstash_fake, client):
    entered = asyncio.Event()

    async def app(request: httpx.Request) -> httpx.Response:
        entered.set()
        await asyncio.Event().wait()
        return httpx.Response(200)

    qstash_fake.mount(app)
    client.message.enqueue(queue="q", url=JOBS, retries=0)
    client.message.enqueue(queue="q", url=JOBS)
    verb = asyncio.create_task(qstash_fake.drain_async())
    await entered.wait()
    verb.cancel()
    with pytest.raises(asyncio.CancelledError):
        await verb
    first, second = qstash_fake.messages
    assert (first.state, first.attempts[0].status, second.state) == ("FAILED", 500, "CREATED")
    qstash_fake.on(JOBS).respond(200)
    await qstash_fake.drain_async()
    assert (second.state, qstash_fake.queues["q"].lag) == ("DELIVERED", 0)


async def test_an_application_that_swallows_the_cancellation_does_not_keep_the_verb_alive(qstash_fake, client):
    entered = asyncio.Event()

    async def app(request: httpx.Request) -> httpx.Response:
        if not entered.is_set():
            entered.set()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
        return httpx.Response(200)

    qstash_fake.mount(app)
    for _ in range(2):
        client.message.publish(url=JOBS)
    verb = asyncio.create_task(qstash_fake.drain_async())
    await entered.wait()
    verb.cancel()
    with pytest.raises(asyncio.CancelledError):
        await verb
    assert [len(message.attempts) for message in qstash_fake.messages] == [1, 0]
    assert [message.state for message in qstash_fake.messages] == ["RETRY", "CREATED"]


async def test_a_verb_that_is_cancelled_before_it_has_begun_delivers_nothing(qstash_fake, client):
    qstash_fake.on("*").respond(200)
    client.message.publish(url=JOBS)
    verb = asyncio.create_task(qstash_fake.drain_async())
    verb.cancel()
    with pytest.raises(asyncio.CancelledError):
        await verb
    assert qstash_fake.attempts == []
    assert len((await qstash_fake.drain_async()).delivered) == 1


async def test_a_cancelled_verb_does_not_wait_for_a_thread(qstash_fake, client):
    entered, leave = threading.Event(), threading.Event()

    def app(environ, start_response):
        entered.set()
        leave.wait()
        start_response("200 OK", [])
        return []

    qstash_fake.mount(app)
    client.message.publish(url=JOBS, retries=0)
    verb = asyncio.create_task(qstash_fake.drain_async())
    await asyncio.to_thread(entered.wait)
    verb.cancel()
    with pytest.raises(asyncio.CancelledError):
        await verb
    leave.set()
    assert qstash_fake.messages[0].state == "FAILED"
