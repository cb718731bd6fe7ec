"""freezegun: what it leaves broken is mended, and nothing of it stays behind."""

from __future__ import annotations

import asyncio
import datetime as dt
import sys
import time
import types
from datetime import UTC, date, datetime
from time import monotonic as imported_monotonic
from typing import Any

import freezegun
import freezegun.api
import pydantic
import pytest

from qstash_fake.engines.table import choose, users_freeze
from qstash_fake.errors import UsageError
from tests.engines.process import KINDS, NOW_MS, in_a_fresh_process, seen_ms, the_users


def test_an_imported_monotonic_clock_is_the_real_one(frozen):
    assert imported_monotonic is freezegun.api.real_monotonic


@pytest.mark.parametrize("name", ["queues", "gifts", "threading_tools"])
def test_an_app_module_named_like_one_that_freezegun_ignores_sees_it(engine, name, monkeypatch):
    module = types.ModuleType(name)
    monkeypatch.setitem(sys.modules, name, module)
    exec("import time\nfrom datetime import datetime\nread = lambda: (time.time(), datetime.now)", vars(module))
    engine.start(NOW_MS)
    seen, now = module.read()
    assert (seen, now().timestamp()) == (NOW_MS / 1000, NOW_MS / 1000)


def test_freezegun_leaves_no_clock_and_no_method_of_the_event_loop_behind():
    engine = choose("freezegun")
    engine.start(NOW_MS)
    engine.stop()
    assert not hasattr(time, "clock")
    assert "time" not in vars(asyncio.SelectorEventLoop)


def test_a_start_that_fails_leaves_nothing_patched(monkeypatch):
    def no_loop() -> None:
        raise OSError("no sockets here")

    monkeypatch.setattr(asyncio, "new_event_loop", no_loop)
    with pytest.raises(OSError, match="no sockets here"):
        choose("freezegun").start(NOW_MS)
    assert dt.datetime is freezegun.api.real_datetime


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
        users_freeze()


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
        from qstash_fake.engines.table import choose, users_freeze
        engine = choose({kind!r})
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
