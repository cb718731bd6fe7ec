"""The real clock, beside a wall clock that the test sets: only the start is the wall clock's."""

import asyncio
import time
from datetime import timedelta

import pytest
import time_machine

from qstash_fake import QStashFake
from qstash_fake.broker.message import Outcome
from qstash_fake.delivery.kinds.base import AsyncApp
from qstash_fake.protocol.publish import parse_publish
from qstash_fake.server import realtime
from qstash_fake.server.realtime import RealTime
from qstash_fake.testing.fake import inside
from tests.server.waits import WITHIN_S


async def until(condition):
    async with asyncio.timeout(WITHIN_S):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.005)


def run(fake, work):
    """Run *work*, a coroutine, while *fake* delivers in real time."""

    async def both():
        real = RealTime(inside(fake).timekeeper, inside(fake).targets, lambda: None)
        delivering = asyncio.create_task(real.run())
        try:
            await work(real)
        finally:
            delivering.cancel()
            await asyncio.wait([delivering])

    asyncio.run(both())


def publish(fake, url="https://shop.example/", *headers):
    inside(fake).timekeeper.observe()
    return inside(fake).broker.publish(parse_publish(url, headers, b"", caller_ip="127.0.0.1"))


def test_a_schedule_ticks_at_its_minute():
    with time_machine.travel("2026-01-01T11:59:59.900+00:00", tick=True):
        fake = QStashFake(freeze="off", unrouted="accept")
        request = parse_publish("https://shop.example/", (("Upstash-Cron", "0 12 * * *"),), b"", caller_ip="")

        async def work(real):
            inside(fake).timekeeper.observe()
            inside(fake).broker.schedule(request)
            assert fake.messages == []
            await until(lambda: fake.delivered)

        run(fake, work)
        (message,) = fake.delivered
        assert f"{message.created_at:%H:%M:%S}" == "12:00:00"


@pytest.mark.parametrize("elsewhere", ["2026-01-01T11:00:00+00:00", "2026-01-01T13:00:00+00:00"])
def test_a_delay_lasts_as_long_as_it_says_though_the_wall_clock_is_set(elsewhere):
    with time_machine.travel("2026-01-01T12:00:00+00:00", tick=True) as traveller:
        fake = QStashFake(freeze="off", unrouted="accept")

        async def work(real):
            publish(fake)
            real.wake()
            await until(lambda: len(fake.delivered) == 1)
            traveller.move_to(elsewhere)
            publish(fake, "https://shop.example/", ("Upstash-Delay", "1s"))
            real.wake()
            await until(lambda: len(fake.delivered) == 2)

        began = time.monotonic()
        run(fake, work)
        took = timedelta(seconds=time.monotonic() - began)
        first, delayed = fake.messages
        assert delayed.created_at - first.created_at < took  # neither an hour ahead nor before the other
        assert timedelta(seconds=1) <= delayed.attempts[0].at - delayed.created_at < took


def test_no_more_than_so_many_are_in_flight(monkeypatch):
    monkeypatch.setattr(realtime, "MAX_IN_FLIGHT", 3)
    fake = QStashFake(freeze="off")
    inside, most = set(), set[int]()

    class Slow(AsyncApp):
        async def send_async(self, request):
            inside.add(request)
            most.add(len(inside))
            await asyncio.sleep(0.001)
            inside.discard(request)
            raise RuntimeError("broken")

    fake.mount(Slow())

    async def work(real):
        for _ in range(10):
            publish(fake, "https://shop.example/", ("Upstash-Retries", "0"))
        real.wake()
        await until(lambda: len(fake.failed) == 10)

    run(fake, work)
    assert max(most) == 3
    assert {attempt.error for attempt in fake.attempts} == {"RuntimeError: broken"}


def test_rate_limits_hold_in_real_time():
    limits = (("Upstash-Flow-Control-Key", "shop"), ("Upstash-Flow-Control-Value", "rate=2,period=1s"))
    fake = QStashFake(freeze="off", unrouted="accept")

    async def work(real):
        for _ in range(3):
            publish(fake, "https://shop.example/", *limits)
        real.wake()
        await until(lambda: len(fake.delivered) == 3)

    run(fake, work)
    first, _, third = fake.attempts
    assert third.at - first.at >= timedelta(seconds=1)


def test_what_is_in_flight_when_it_ends_stays_in_flight():
    fake = QStashFake(freeze="off")

    class Never(AsyncApp):
        async def send_async(self, request):
            await asyncio.Event().wait()

    fake.mount(Never())

    async def work(real):
        publish(fake)
        real.wake()
        await until(lambda: fake.attempts)

    run(fake, work)
    assert [message.state for message in fake.messages] == ["ACTIVE"]


def test_an_attempt_lasts_as_long_as_it_takes_and_the_retry_waits_from_its_end():
    fake = QStashFake(freeze="off")

    class Slow(AsyncApp):
        async def send_async(self, request):
            await asyncio.sleep(0.05)
            return Outcome(status=503)

    fake.mount(Slow())

    async def work(real):
        publish(fake, "https://shop.example/", ("Upstash-Retries", "1"), ("Upstash-Retry-Delay", "30"))
        real.wake()
        await until(lambda: fake.failed)

    run(fake, work)
    first, second = fake.attempts
    assert first.duration is not None
    assert first.duration >= timedelta(milliseconds=50)
    assert second.at - first.at >= timedelta(milliseconds=80)
