"""Which engine a fake uses; whose freeze is seen where the user, or another fake, has one as well."""

from __future__ import annotations

import importlib.metadata
import sys
import time
import types
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import freezegun
import freezegun.api
import pytest
import time_machine as time_machine_library

from qstash_fake.engines import freezegun as freezegun_engine
from qstash_fake.engines import time_machine
from qstash_fake.engines.table import choose, show, users_freeze
from qstash_fake.errors import UsageError
from tests.engines.process import (
    KINDS,
    LATER_MS,
    NOW_MS,
    USERS_MS,
    all_that_could_stay_patched,
    in_a_fresh_process,
    seen_ms,
    the_users,
)

# ---------------------------------------------------------------- a freeze of the user's own


def test_without_a_users_freeze_there_is_none(frozen):
    assert users_freeze() is None


@pytest.mark.parametrize("kind", KINDS)
def test_a_users_freeze_is_found_and_moved(kind, start_users):
    stop_users = start_users(kind)
    assert the_users().now_ms() == USERS_MS == seen_ms()
    the_users().move(NOW_MS)
    assert the_users().now_ms() == NOW_MS == seen_ms()
    stop_users()
    assert users_freeze() is None


@pytest.mark.parametrize("kind", KINDS)
def test_a_users_ticking_freeze_goes_on_ticking(kind, start_users):
    stop_users = start_users(kind, tick=True)
    the_users().move(NOW_MS)
    first = time.time()
    time.sleep(0.002)
    assert NOW_MS / 1000 <= first < time.time() < NOW_MS / 1000 + 5
    stop_users()


@pytest.mark.parametrize("kind", KINDS)
def test_a_users_freeze_is_moved_and_no_engine_starts_beside_it(kind, engine, start_users):
    stop_users = start_users(kind)
    show(engine, NOW_MS)
    assert the_users().now_ms() == NOW_MS == seen_ms()
    assert not engine.started
    stop_users()
    show(engine, LATER_MS)
    assert seen_ms() == LATER_MS


NESTED = [("freezegun", "freezegun"), ("time-machine", "freezegun"), ("time-machine", "time-machine")]


@pytest.mark.parametrize(("ours", "kind"), NESTED)
def test_a_users_freeze_on_top_of_ours_is_followed_and_ours_remains(ours, kind, start_users):
    engine = choose(ours)
    engine.start(NOW_MS)
    stop_users = start_users(kind)
    assert the_users().now_ms() == USERS_MS
    the_users().move(LATER_MS)
    engine.move(LATER_MS)
    assert the_users().now_ms() == LATER_MS == seen_ms()
    stop_users()
    assert users_freeze() is None
    assert seen_ms() == LATER_MS
    engine.stop()


@pytest.mark.parametrize(("ours", "kind"), NESTED)
def test_ours_may_be_stopped_under_a_users_freeze(ours, kind, monkeypatch, start_users):
    modules = [types.ModuleType("app_module"), types.ModuleType("queues"), types.ModuleType("late_module")]
    code = "from time import time, time_ns, monotonic\nfrom datetime import datetime"
    engine = choose(ours)
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


def test_a_stop_too_many_of_the_users_is_explained_and_leaves_nothing_patched(engine, monkeypatch):
    module = types.ModuleType("queues")
    monkeypatch.setitem(sys.modules, "queues", module)
    exec("from time import time", vars(module))
    engine.start(NOW_MS)
    users: Any = (
        freezegun.freeze_time("2020-02-02") if freezegun.api.freeze_factories else time_machine_library.travel(0)
    )
    users.stop()
    with pytest.raises(UsageError, match=r"a stop\(\) too many"):
        engine.move(LATER_MS)
    engine.stop()
    assert module.time is time.time


# ---------------------------------------------------------------- two fakes in one test


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stopped_first", [0, 1])
def test_of_two_engines_the_one_that_moved_last_is_seen(kind, stopped_first):
    engines = [choose(kind), choose(kind)]
    engines[0].start(NOW_MS)
    engines[1].start(LATER_MS)
    assert users_freeze() is None
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
    engine = choose(first)
    engine.start(NOW_MS)
    with pytest.raises(UsageError, match="give both the same freeze="):
        show(choose(second), LATER_MS)
    engine.stop()


# ---------------------------------------------------------------- which engine


def test_off_changes_nothing():
    before = all_that_could_stay_patched()
    engine = choose("off")
    show(engine, NOW_MS)
    engine.move(LATER_MS)
    assert all_that_could_stay_patched() == before
    engine.stop()


def install_time_machine(monkeypatch: pytest.MonkeyPatch, version: str | None) -> None:
    real = importlib.metadata.version

    def installed(package: str) -> str:
        if package != "time-machine":
            return real(package)
        if version is None:
            raise importlib.metadata.PackageNotFoundError(package)
        return version

    monkeypatch.setattr(importlib.metadata, "version", installed)
    time_machine._major.cache_clear()


@pytest.fixture
def _forget_versions() -> Iterator[None]:
    yield
    time_machine._major.cache_clear()
    time_machine._library.cache_clear()
    freezegun_engine._library.cache_clear()


@pytest.mark.usefixtures("_forget_versions")
@pytest.mark.parametrize(
    ("version", "kind"),
    [("3.6.0", "time-machine"), ("10.0", "time-machine"), ("2.19.0", "freezegun"), (None, "freezegun")],
)
def test_auto_prefers_time_machine_3(version, kind, monkeypatch):
    install_time_machine(monkeypatch, version)
    assert type(choose("auto")) is type(choose(kind))


@pytest.mark.usefixtures("_forget_versions")
@pytest.mark.parametrize(("version", "named"), [("2.19.0", "2.19.0"), (None, "none")])
def test_a_time_machine_that_is_missing_or_too_old_is_explained(version, named, monkeypatch):
    install_time_machine(monkeypatch, version)
    with pytest.raises(UsageError, match=f"needs time-machine>=3, installed is {named}; pip install"):
        choose("time-machine")


def test_an_unknown_mode_is_explained():
    with pytest.raises(UsageError, match='freeze=\'sundial\' is unknown: use "auto", "freezegun"'):
        choose("sundial")


@pytest.mark.usefixtures("_forget_versions")
@pytest.mark.parametrize(
    ("kind", "library", "name"),
    [("freezegun", freezegun.api, "ignore_lists"), ("time-machine", time_machine_library.Traveller, "shift")],
)
def test_a_name_that_a_library_no_longer_has_is_explained(kind, library, name, monkeypatch):
    freezegun_engine._library.cache_clear()
    time_machine._library.cache_clear()
    with monkeypatch.context() as patch:
        patch.delattr(library, name)
        with pytest.raises(UsageError, match=rf"{kind} \d+\.\d+\.\d+ has no {name}"):
            choose(kind).start(NOW_MS)


def test_importing_and_choosing_load_neither_library():
    code = """if True:
        import sys
        from qstash_fake.engines.table import choose, users_freeze
        for mode in ("auto", "freezegun", "time-machine", "off"):
            choose(mode).stop()
        assert users_freeze() is None
        print({"freezegun", "time_machine", "pydantic", "asyncio"} & set(sys.modules))
    """
    assert in_a_fresh_process(code) == "set()"
