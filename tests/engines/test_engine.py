"""Every engine: the application's wall clock stands where it puts it, and nothing else in the process notices."""

from __future__ import annotations

import asyncio
import concurrent.futures
import datetime as dt
import multiprocessing.pool
import os
import queue
import sys
import threading
import time
import types
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from time import time as imported_time
from time import time_ns as imported_time_ns
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import hypothesis
import jwt
import pytest
from fastapi import FastAPI

from qstash_fake.engines.table import users_freeze
from qstash_fake.errors import UsageError
from tests.engines.process import LATER_MS, NOW_MS, all_that_could_stay_patched, seen_ms

# ---------------------------------------------------------------- where time stands


def test_every_reading_of_the_wall_clock_is_the_frozen_one(frozen):
    moment = datetime(2026, 1, 1, 0, 0, 0, 123_000, tzinfo=UTC)
    assert time.time() == imported_time() == NOW_MS / 1000
    assert time.time_ns() == imported_time_ns() == NOW_MS * 1_000_000
    assert datetime.now(UTC) == datetime.now(timezone(timedelta(hours=9))) == moment
    assert dt.datetime.now(UTC) == moment
    assert time.gmtime()[:6] == (2026, 1, 1, 0, 0, 0)
    assert datetime.now(UTC).date() == date(2026, 1, 1)


def test_move_moves_it_forwards_and_backwards(frozen):
    for now_ms in (LATER_MS, NOW_MS, 0, 253_402_300_799_999):
        frozen.move(now_ms)
        assert (time.time(), seen_ms()) == (now_ms / 1000, now_ms)


def test_every_millisecond_is_exact(frozen):
    for now_ms in range(NOW_MS, NOW_MS + 2_000_000_000_000, 1_999_999_973):
        frozen.move(now_ms)
        assert time.time() == now_ms / 1000
        assert time.time_ns() == now_ms * 1_000_000
        assert round(datetime.now(UTC).timestamp() * 1000) == now_ms


def test_a_token_issued_now_is_valid_now(frozen):
    key = "k" * 32
    token = jwt.encode({"iat": time.time(), "nbf": int(time.time()), "exp": time.time() + 1}, key, "HS256")
    assert jwt.decode(token, key, ["HS256"])["iat"] == NOW_MS / 1000


def test_uuid1_carries_the_frozen_time(frozen):
    first, second = uuid.uuid1(), uuid.uuid1()
    unix_ms = (first.time - 0x01B21DD213814000) // 10_000
    assert unix_ms == NOW_MS
    assert first != second


@pytest.fixture
def set_zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    def set_to(zone: str) -> None:
        monkeypatch.setenv("TZ", zone)
        time.tzset()

    yield set_to
    monkeypatch.undo()
    time.tzset()


def test_the_zone_of_the_process_is_left_alone(engine, set_zone):
    set_zone("Asia/Tokyo")
    engine.start(NOW_MS)
    engine.move(LATER_MS)
    assert (os.environ["TZ"], time.tzname[0]) == ("Asia/Tokyo", "JST")
    engine.stop()
    assert (os.environ["TZ"], time.tzname[0]) == ("Asia/Tokyo", "JST")


WINTER, SUMMER = datetime(2026, 1, 1, 2, 30, tzinfo=UTC), datetime(2026, 7, 1, 2, 30, tzinfo=UTC)
# Zone → hour and day there in winter and in summer.
ZONES = {
    "UTC": [(2, 1), (2, 1)],
    "America/New_York": [(21, 31), (22, 30)],
    "Europe/Berlin": [(3, 1), (4, 1)],
    "Asia/Kolkata": [(8, 1), (8, 1)],
}


def unix_ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


@pytest.mark.parametrize("zone", ZONES)
def test_naive_times_are_local_in_winter_and_in_summer(frozen, set_zone, zone):
    set_zone(zone)
    for moment, (hour, day) in zip((WINTER, SUMMER), ZONES[zone], strict=True):
        frozen.move(unix_ms(moment))
        now, today = datetime.now(), datetime.today()  # noqa: DTZ002, DTZ005 - naive is the point
        assert now == today == moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        assert (now.hour, now.day, date.today().day) == (hour, day, day)  # noqa: DTZ011
        local = time.localtime()
        assert (local.tm_hour, local.tm_mday, time.strftime("%H %d")) == (hour, day, f"{hour:02} {day:02}")
        assert time.strftime("%z") == moment.astimezone(ZoneInfo(zone)).strftime("%z")


@pytest.mark.parametrize("zone", ZONES)
def test_a_naive_time_of_the_other_half_of_the_year_is_local_too(frozen, set_zone, zone):
    set_zone(zone)
    frozen.move(unix_ms(WINTER))
    local = datetime.fromtimestamp(SUMMER.timestamp())  # noqa: DTZ006 - naive is the point
    assert (local.hour, local.day) == ZONES[zone][1]
    assert local.timestamp() == SUMMER.timestamp()
    assert local.astimezone(UTC) == SUMMER


@pytest.mark.parametrize("zone", ZONES)
def test_aware_times_do_not_depend_on_the_zone(frozen, set_zone, zone):
    set_zone(zone)
    frozen.move(unix_ms(SUMMER))
    assert datetime.now(UTC) == datetime.now(ZoneInfo("Asia/Tokyo")) == SUMMER
    assert datetime.now(UTC).timestamp() == time.time() == SUMMER.timestamp()
    assert datetime.fromtimestamp(WINTER.timestamp(), UTC) == WINTER
    assert time.gmtime()[:5] == (2026, 7, 1, 2, 30)


# ---------------------------------------------------------------- who sees it


@pytest.mark.parametrize("pool", [concurrent.futures.ThreadPoolExecutor, multiprocessing.pool.ThreadPool])
def test_pools_of_threads_see_the_frozen_time(frozen, pool):
    with pool(1) as threads:
        assert list(threads.map(lambda _: time.time(), [0])) == [NOW_MS / 1000]


def test_a_thread_sees_the_frozen_time(frozen):
    seen: list[Any] = []
    for read in (time.time, time.time_ns, lambda: datetime.now(UTC)):
        thread = threading.Thread(target=lambda read=read: seen.append(read()))
        thread.start()
        thread.join(timeout=5)
    assert seen == [NOW_MS / 1000, NOW_MS * 1_000_000, datetime.fromtimestamp(NOW_MS / 1000, UTC)]


def test_a_sync_endpoint_in_the_thread_pool_sees_the_frozen_time(frozen):
    app = FastAPI()

    @app.get("/")
    def now() -> list[float]:
        return [time.time(), datetime.now(UTC).timestamp()]

    async def call() -> Any:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as client:
            return (await client.get("/")).json()

    assert asyncio.run(call()) == [NOW_MS / 1000, NOW_MS / 1000]


# ---------------------------------------------------------------- what must not stand still


@pytest.mark.parametrize("name", ["monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns"])
def test_the_monotonic_clocks_move(frozen, name):
    read = getattr(time, name)
    start = read()
    threading.Event().wait(0.002)
    assert read() > start


def test_asyncio_sleeps_and_times_out(frozen):
    async def work() -> None:
        await asyncio.sleep(0.001)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 0.01)

    asyncio.run(asyncio.wait_for(work(), 5))


def test_a_queue_times_out(frozen):
    with pytest.raises(queue.Empty):
        queue.Queue[int]().get(timeout=0.01)


def test_locks_events_and_futures_time_out(frozen):
    assert not threading.Event().wait(0.01)
    lock = threading.Lock()
    assert lock.acquire()
    assert not lock.acquire(timeout=0.01)
    with pytest.raises(concurrent.futures.TimeoutError):
        concurrent.futures.Future[int]().result(timeout=0.01)


def test_a_hypothesis_deadline_measures_real_time(frozen):
    @hypothesis.settings(deadline=5, max_examples=1, database=None, phases=[hypothesis.Phase.generate])
    @hypothesis.given(hypothesis.strategies.just(0.02))
    def slow(seconds: float) -> None:
        time.sleep(seconds)

    @hypothesis.settings(deadline=2000, max_examples=5, database=None)
    @hypothesis.given(hypothesis.strategies.integers())
    def quick(number: int) -> None:
        assert time.time() == NOW_MS / 1000

    quick()
    with pytest.raises((hypothesis.errors.DeadlineExceeded, hypothesis.errors.Flaky)):
        slow()


# ---------------------------------------------------------------- start and stop


def test_an_engine_can_be_started_again(frozen):
    frozen.stop()
    frozen.start(LATER_MS)
    assert seen_ms() == LATER_MS


def test_stop_is_harmless_when_not_started_and_twice(engine):
    engine.stop()
    engine.start(NOW_MS)
    engine.stop()
    engine.stop()
    assert users_freeze() is None


def test_an_exception_in_the_test_leaves_nothing_patched(engine):
    before = all_that_could_stay_patched()

    def failing_test() -> None:
        engine.start(NOW_MS)
        try:
            raise RuntimeError("the test fails")
        finally:
            engine.stop()

    with pytest.raises(RuntimeError):
        failing_test()
    assert all_that_could_stay_patched() == before


def test_a_module_imported_while_frozen_has_real_time_afterwards(engine, monkeypatch):
    engine.start(NOW_MS)
    module = types.ModuleType("imported_while_frozen")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec("from time import time, time_ns, monotonic\nfrom datetime import datetime, date", vars(module))
    assert module.time_ns() == NOW_MS * 1_000_000
    engine.stop()
    kept = (module.time, module.time_ns, module.monotonic, module.datetime, module.date)
    assert kept == (time.time, time.time_ns, time.monotonic, datetime, date)


def test_move_before_start_is_explained(engine):
    with pytest.raises(UsageError, match="not started"):
        engine.move(NOW_MS)
