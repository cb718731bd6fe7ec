"""The application's wall clock stands where the engine puts it, and nothing else in the process notices."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import copyreg
import datetime as dt
import importlib.metadata
import multiprocessing.pool
import os
import queue
import subprocess
import sys
import threading
import time
import types
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from time import monotonic as imported_monotonic
from time import time as imported_time
from time import time_ns as imported_time_ns
from typing import Any
from zoneinfo import ZoneInfo

import freezegun
import freezegun.api
import freezegun.config
import httpx
import hypothesis
import jwt
import pydantic
import pytest
import time_machine
from fastapi import FastAPI

from qstash_fake import freeze
from qstash_fake.errors import UsageError

NOW_MS = 1_767_225_600_123  # 2026-01-01T00:00:00.123Z
LATER_MS = NOW_MS + 86_400_000
KINDS = ["freezegun", "time-machine"]


def all_that_could_stay_patched() -> dict[str, Any]:
    loop_class = asyncio.SelectorEventLoop
    return {
        "time": {name: value for name, value in vars(time).items() if name != "clock"},  # freezegun leaves it
        "datetime": dict(vars(dt)),
        "uuid": (uuid._generate_time_safe, uuid._UuidCreate),  # type: ignore[attr-defined]
        "here": (datetime, date, imported_time, imported_time_ns, imported_monotonic),
        "event loop": (dict(vars(loop_class)), loop_class.time),
        "queue and threading": (vars(queue)["time"], vars(threading)["_time"]),
        "pickling": dict(copyreg.dispatch_table),
        "zone": (os.environ.get("TZ"), time.tzname),
        "freezegun": (list(freezegun.config.settings.default_ignore_list), freezegun.api.fake_time_ns),
        "stacks": [
            *freezegun.api.freeze_factories,
            *freezegun.api.tz_offsets,
            *freezegun.api.ignore_lists,
            *freezegun.api.tick_flags,
            *time_machine.traveller_stack,
        ],
    }


def tidy_up_after_a_users_freeze() -> None:
    """Remove what freezegun itself leaves behind where another test in this process has used it directly."""
    vars(time).pop("clock", None)
    if "time" in vars(asyncio.SelectorEventLoop):
        del asyncio.SelectorEventLoop.time


@pytest.fixture(autouse=True)
def nothing_stays_patched() -> Iterator[None]:
    tidy_up_after_a_users_freeze()
    before = all_that_could_stay_patched()
    yield
    after = all_that_could_stay_patched()
    assert {name: value for name, value in after.items() if value != before[name]} == {}
    assert abs(time.time() * 1000 - NOW_MS) > 1000, "time stands still"


@pytest.fixture(params=KINDS)
def engine(request: pytest.FixtureRequest) -> Iterator[freeze.Engine]:
    chosen = freeze.choose(request.param)
    yield chosen
    chosen.stop()


@pytest.fixture
def frozen(engine: freeze.Engine) -> freeze.Engine:
    engine.start(NOW_MS)
    return engine


def seen_ms() -> int:
    return round(time.time() * 1000)  # not time_ns(): in a user's freezegun it is a millisecond behind at times


def in_a_fresh_process(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=30
    ).stdout.strip()


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


def test_the_zone_of_the_process_is_left_alone(engine, monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        engine.start(NOW_MS)
        engine.move(LATER_MS)
        assert (os.environ["TZ"], time.tzname[0]) == ("Asia/Tokyo", "JST")
        engine.stop()
        assert (os.environ["TZ"], time.tzname[0]) == ("Asia/Tokyo", "JST")
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("mode", list(time_machine.NaiveMode))
def test_time_machines_naive_mode_makes_no_difference(mode, monkeypatch):
    monkeypatch.setattr(time_machine, "naive_mode", mode)
    engine = freeze.choose("time-machine")
    engine.start(NOW_MS)
    engine.move(LATER_MS)
    seen = seen_ms()
    engine.stop()
    assert seen == LATER_MS


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


@pytest.mark.parametrize("name", ["queues", "gifts", "threading_tools"])
def test_an_app_module_named_like_one_that_freezegun_ignores_sees_it(engine, name, monkeypatch):
    module = types.ModuleType(name)
    monkeypatch.setitem(sys.modules, name, module)
    exec("import time\nfrom datetime import datetime\nread = lambda: (time.time(), datetime.now)", vars(module))
    engine.start(NOW_MS)
    seen, now = module.read()
    assert (seen, now().timestamp()) == (NOW_MS / 1000, NOW_MS / 1000)


# ---------------------------------------------------------------- what must not stand still


@pytest.mark.parametrize("name", ["monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns"])
def test_the_monotonic_clocks_move(frozen, name):
    read = getattr(time, name)
    start = read()
    threading.Event().wait(0.002)
    assert read() > start


def test_an_imported_monotonic_clock_is_the_real_one(frozen):
    assert imported_monotonic is freezegun.api.real_monotonic


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


# ---------------------------------------------------------------- pydantic


def test_a_model_defined_while_frozen_takes_real_and_frozen_datetimes(engine):
    real = datetime.now(UTC)
    engine.start(NOW_MS)

    class Event(pydantic.BaseModel):
        at: datetime
        on: date | None = None

    for moment in (real, datetime.now(UTC), "2026-01-01T00:00:00.123Z"):
        assert Event(at=moment, on=date(2026, 1, 1)).at in (real, datetime.now(UTC))  # type: ignore[arg-type]
    with pytest.raises(pydantic.ValidationError):
        Event(at="soon")  # type: ignore[arg-type]
    engine.stop()
    assert Event(at=real).at == real


def test_a_model_defined_while_frozen_can_be_extended_afterwards(engine):
    engine.start(NOW_MS)
    Event = type("Event", (pydantic.BaseModel,), {"__annotations__": {"at": datetime, "on": date}})  # noqa: N806
    engine.stop()
    Longer = type("Longer", (Event,), {"__annotations__": {"until": datetime}})  # noqa: N806
    schema: dict[str, Any] = Longer.model_json_schema()["properties"]  # type: ignore[attr-defined]
    assert [field["format"] for field in schema.values()] == ["date-time", "date", "date-time"]


@pytest.mark.parametrize("kind", KINDS)
def test_pydantic_may_be_imported_first_while_frozen(kind):
    code = f"""if True:
        import datetime
        from qstash_fake import freeze
        engine = freeze.choose({kind!r})
        engine.start({NOW_MS})
        import pydantic
        class During(pydantic.BaseModel):
            at: datetime.datetime
        During(at=datetime.datetime.now())
        engine.stop()
        class After(pydantic.BaseModel):
            at: datetime.datetime
        During(at=datetime.datetime.now())
        print(After(at="2026-01-01T00:00:00Z").at.year)
    """
    assert in_a_fresh_process(code) == "2026"


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
    assert freeze.users_freeze() is None


def test_freezegun_leaves_no_clock_and_no_method_of_the_event_loop_behind():
    engine = freeze.choose("freezegun")
    engine.start(NOW_MS)
    engine.stop()
    assert not hasattr(time, "clock")
    assert "time" not in vars(asyncio.SelectorEventLoop)


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


def test_a_start_that_fails_leaves_nothing_patched(monkeypatch):
    def no_loop() -> None:
        raise OSError("no sockets here")

    monkeypatch.setattr(asyncio, "new_event_loop", no_loop)
    with pytest.raises(OSError, match="no sockets here"):
        freeze.choose("freezegun").start(NOW_MS)
    assert dt.datetime is freezegun.api.real_datetime


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


def test_off_changes_nothing():
    before = all_that_could_stay_patched()
    engine = freeze.choose("off")
    engine.start(NOW_MS)
    engine.move(LATER_MS)
    assert all_that_could_stay_patched() == before
    engine.stop()


# ---------------------------------------------------------------- a freeze of the user's own


@pytest.fixture
def start_users() -> Iterator[Callable[..., Any]]:
    """Start a freeze as a user would; what it returns stops it, and the end of the test does at the latest."""
    with contextlib.ExitStack() as started:

        def start(kind: str, **options: Any) -> Callable[[], None]:
            moment = datetime(2020, 2, 2, tzinfo=timezone(timedelta(hours=1)))
            starter: Any = freezegun.freeze_time if kind == "freezegun" else time_machine.travel
            started.enter_context(starter(moment, **({"tick": False} | options)))
            return started.close

        yield start


def the_users() -> freeze.UsersFreeze:
    found = freeze.users_freeze()
    assert found is not None
    return found


USERS_MS = 1_580_598_000_000  # 2020-02-01T23:00:00Z


def test_without_a_users_freeze_there_is_none(frozen):
    assert freeze.users_freeze() is None


@pytest.mark.parametrize("kind", KINDS)
def test_a_users_freeze_is_found_and_moved(kind, start_users):
    stop_users = start_users(kind)
    assert the_users().now_ms() == USERS_MS == seen_ms()
    the_users().move(NOW_MS)
    assert the_users().now_ms() == NOW_MS == seen_ms()
    stop_users()
    assert freeze.users_freeze() is None


@pytest.mark.parametrize("kind", KINDS)
def test_a_users_ticking_freeze_goes_on_ticking(kind, start_users):
    stop_users = start_users(kind, tick=True)
    the_users().move(NOW_MS)
    first = time.time()
    time.sleep(0.002)
    assert NOW_MS / 1000 <= first < time.time() < NOW_MS / 1000 + 5
    stop_users()


def test_a_users_time_zone_is_kept():
    with time_machine.travel(datetime(2020, 2, 2, tzinfo=ZoneInfo("Asia/Tokyo")), tick=False):
        the_users().move(NOW_MS)
        assert (os.environ["TZ"], time.tzname[0], seen_ms()) == ("Asia/Tokyo", "JST", NOW_MS)


def test_a_users_freeze_at_a_float_is_moved_to_the_millisecond():
    with time_machine.travel(1_580_000_000.1234567, tick=False):
        the_users().move(NOW_MS)
        assert the_users().now_ms() == NOW_MS == seen_ms()


def test_a_users_tz_offset_is_kept():
    with freezegun.freeze_time("2020-02-02", tz_offset=9):
        the_users().move(NOW_MS)
        assert datetime.now().hour == 9  # noqa: DTZ005 - the point
        assert seen_ms() == NOW_MS


def test_auto_tick_seconds_is_refused():
    with (
        freezegun.freeze_time("2020-02-02", auto_tick_seconds=15),
        pytest.raises(UsageError, match=r"auto_tick_seconds.*leave it out"),
    ):
        freeze.users_freeze()


@pytest.mark.parametrize("kind", KINDS)
def test_no_engine_starts_beside_a_users_freeze(kind, engine, start_users):
    stop_users = start_users(kind)
    with pytest.raises(UsageError, match="users_freeze"):
        engine.start(NOW_MS)
    assert seen_ms() == USERS_MS
    stop_users()


NESTED = [("freezegun", "freezegun"), ("time-machine", "freezegun"), ("time-machine", "time-machine")]


@pytest.mark.parametrize(("ours", "kind"), NESTED)
def test_a_users_freeze_on_top_of_ours_is_followed_and_ours_remains(ours, kind, start_users):
    engine = freeze.choose(ours)
    engine.start(NOW_MS)
    stop_users = start_users(kind)
    assert the_users().now_ms() == USERS_MS
    the_users().move(LATER_MS)
    engine.move(LATER_MS)
    assert the_users().now_ms() == LATER_MS == seen_ms()
    stop_users()
    assert freeze.users_freeze() is None
    assert seen_ms() == LATER_MS
    engine.stop()


@pytest.mark.parametrize(("ours", "kind"), NESTED)
def test_ours_may_be_stopped_under_a_users_freeze(ours, kind, monkeypatch, start_users):
    modules = [types.ModuleType("app_module"), types.ModuleType("queues"), types.ModuleType("late_module")]
    code = "from time import time, time_ns, monotonic\nfrom datetime import datetime"
    engine = freeze.choose(ours)
    for module in modules[:2]:
        monkeypatch.setitem(sys.modules, module.__name__, module)
        exec(code, vars(module))
    engine.start(NOW_MS)
    stop_users = start_users(kind)
    monkeypatch.setitem(sys.modules, "late_module", modules[2])
    exec(code, vars(modules[2]))
    engine.stop()
    assert the_users().now_ms() == USERS_MS == seen_ms()
    stop_users()
    for module in modules:
        kept = (module.time, module.time_ns, module.monotonic, module.datetime)
        assert kept == (time.time, time.time_ns, time.monotonic, datetime)


def test_time_machine_itself_refuses_to_start_over_our_freezegun(start_users):
    engine = freeze.choose("freezegun")
    engine.start(NOW_MS)
    with pytest.raises(RuntimeError, match="freezegun is active"):
        start_users("time-machine")
    engine.stop()


def test_a_stop_too_many_of_the_users_is_explained_and_leaves_nothing_patched(engine, monkeypatch):
    module = types.ModuleType("queues")
    monkeypatch.setitem(sys.modules, "queues", module)
    exec("from time import time", vars(module))
    engine.start(NOW_MS)
    users: Any = freezegun.freeze_time("2020-02-02") if freezegun.api.freeze_factories else time_machine.travel(0)
    users.stop()
    with pytest.raises(UsageError, match=r"a stop\(\) too many"):
        engine.move(LATER_MS)
    engine.stop()
    assert module.time is time.time


# ---------------------------------------------------------------- two fakes in one test


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stopped_first", [0, 1])
def test_of_two_engines_the_one_that_moved_last_is_seen(kind, stopped_first):
    engines = [freeze.choose(kind), freeze.choose(kind)]
    engines[0].start(NOW_MS)
    engines[1].start(LATER_MS)
    assert freeze.users_freeze() is None
    assert seen_ms() == LATER_MS
    engines[0].move(NOW_MS + 1)
    assert seen_ms() == NOW_MS + 1
    engines[1].move(LATER_MS + 1)
    assert seen_ms() == LATER_MS + 1
    engines[stopped_first].stop()
    assert seen_ms() == (LATER_MS + 1, NOW_MS + 1)[stopped_first]
    engines[1 - stopped_first].stop()


@pytest.mark.parametrize(("first", "second"), [KINDS, KINDS[::-1]])
def test_two_engines_of_different_kinds_are_refused(first, second):
    engine = freeze.choose(first)
    engine.start(NOW_MS)
    with pytest.raises(UsageError, match="give both the same freeze="):
        freeze.choose(second).start(LATER_MS)
    engine.stop()


# ---------------------------------------------------------------- which engine


def install_time_machine(monkeypatch: pytest.MonkeyPatch, version: str | None) -> None:
    real = importlib.metadata.version

    def installed(package: str) -> str:
        if package != "time-machine":
            return real(package)
        if version is None:
            raise importlib.metadata.PackageNotFoundError(package)
        return version

    monkeypatch.setattr(importlib.metadata, "version", installed)
    freeze._time_machine_major.cache_clear()


@pytest.fixture
def _forget_versions() -> Iterator[None]:
    yield
    freeze._time_machine_major.cache_clear()
    freeze._time_machine.cache_clear()
    freeze._freezegun.cache_clear()


@pytest.mark.usefixtures("_forget_versions")
@pytest.mark.parametrize(
    ("version", "kind"),
    [("3.6.0", "time-machine"), ("10.0", "time-machine"), ("2.19.0", "freezegun"), (None, "freezegun")],
)
def test_auto_prefers_time_machine_3(version, kind, monkeypatch):
    install_time_machine(monkeypatch, version)
    assert type(freeze.choose("auto")) is type(freeze.choose(kind))


@pytest.mark.usefixtures("_forget_versions")
@pytest.mark.parametrize(("version", "named"), [("2.19.0", "2.19.0"), (None, "none")])
def test_a_time_machine_that_is_missing_or_too_old_is_explained(version, named, monkeypatch):
    install_time_machine(monkeypatch, version)
    with pytest.raises(UsageError, match=f"needs time-machine>=3, installed is {named}; pip install"):
        freeze.choose("time-machine")


def test_an_unknown_mode_is_explained():
    with pytest.raises(UsageError, match='freeze=\'sundial\' is unknown: use "auto", "freezegun"'):
        freeze.choose("sundial")


@pytest.mark.usefixtures("_forget_versions")
@pytest.mark.parametrize(
    ("kind", "library", "name"),
    [("freezegun", freezegun.api, "ignore_lists"), ("time-machine", time_machine.Traveller, "shift")],
)
def test_a_name_that_a_library_no_longer_has_is_explained(kind, library, name, monkeypatch):
    freeze._freezegun.cache_clear()
    freeze._time_machine.cache_clear()
    with monkeypatch.context() as patch:
        patch.delattr(library, name)
        with pytest.raises(UsageError, match=rf"{kind} \d+\.\d+\.\d+ has no {name}"):
            freeze.choose(kind).start(NOW_MS)


def test_an_idle_time_machine_of_an_unknown_version_is_no_hindrance(monkeypatch):
    monkeypatch.setitem(sys.modules, "time_machine", types.ModuleType("time_machine"))
    assert freeze.users_freeze() is None


def test_importing_and_choosing_load_neither_library():
    code = """if True:
        import sys
        from qstash_fake import freeze
        for mode in ("auto", "freezegun", "time-machine", "off"):
            freeze.choose(mode).stop()
        assert freeze.users_freeze() is None
        print({"freezegun", "time_machine", "pydantic", "asyncio"} & set(sys.modules))
    """
    assert in_a_fresh_process(code) == "set()"
