"""Time engines: the application's wall clock stands where the virtual clock stands.

An engine holds time.time, datetime.now and their kin for the whole process and gives each of them back;
time.monotonic and perf_counter stay real, so that sleeps, time-outs and durations work. Knows freezegun and
time-machine, and imports them only to freeze; not the clock, not the broker.

Both libraries keep a stack, and its top is what the application sees. A user's own freeze there is found by
users_freeze(), to be moved and never stopped. time-machine itself refuses to start over freezegun: over our
freezegun a user can put freezegun only; over our time-machine, either.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import sys
import time
import warnings
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from importlib import import_module
from types import ModuleType
from typing import Any, Protocol

from qstash_fake.errors import UsageError

_MARK = "_started_by_qstash_fake"  # on a factory or traveller: ours, not the user's
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - freezegun's factories hold naive UTC
# time-machine takes a datetime in UTC or a ZoneInfo as a wish to change the process's TZ, a naive one as its
# global naive_mode says, an int as seconds, a float inexactly. At a fixed offset it is an instant, no more.
_EPOCH_AT_AN_OFFSET = datetime(1969, 12, 31, 23, tzinfo=timezone(timedelta(hours=-1)))
# freezegun shows real time to modules whose name *starts* like this: the first three for their time-outs,
# which we mend, and so to endpoints in thread pools; "queue" and "gi" are also an app's queues.py, gifts.py.
_NOT_IGNORED = frozenset({"threading", "multiprocessing", "queue", "gi"})
_FREEZEGUN_NAMES = """freeze_time freeze_factories tz_offsets ignore_lists tick_flags StepTickTimeFactory
    FakeDate real_datetime fake_time_ns real_time_ns get_current_time _should_use_real_time
    real_monotonic real_monotonic_ns real_perf_counter real_perf_counter_ns"""


class Engine(Protocol):
    """Makes the application's wall clock (time.time, datetime.now) stand where the virtual clock stands."""

    def start(self, now_ms: int) -> None:
        """Freeze at *now_ms*, unix milliseconds; UsageError where the user has a freeze already."""

    def move(self, now_ms: int) -> None:
        """Move the frozen time; of several engines of ours, the one that moved last is seen."""

    def stop(self) -> None:
        """Give real time back, also from under a user's freeze; harmless when not started."""


class UsersFreeze(Protocol):
    """A freeze that the user started himself: followed and moved, never stopped."""

    def now_ms(self) -> int: ...

    def move(self, now_ms: int) -> None:
        """Set it to *now_ms*; it goes on ticking if it ticks, and keeps its time zone."""


def choose(mode: str) -> Engine:
    """The engine for "auto", "freezegun", "time-machine" or "off"; nothing is imported or frozen yet."""
    if mode == "off":
        return _Off()
    if mode == "freezegun" or (mode == "auto" and _time_machine_major() < 3):
        return _Freezegun()
    if mode not in ("auto", "time-machine"):
        raise UsageError(f'freeze={mode!r} is unknown: use "auto", "freezegun", "time-machine" or "off"')
    if _time_machine_major() < 3:
        problem = f'freeze="time-machine" needs time-machine>=3, installed is {_version("time-machine")}'
        raise UsageError(f'{problem}; pip install "time-machine>=3", or use freeze="freezegun"')
    return _TimeMachine()


def users_freeze() -> UsersFreeze | None:
    """The freeze that the user has active now, if any; UsageError if it moves by being looked at."""
    factory, traveller = _tops()
    if factory is not None and not hasattr(factory, _MARK):
        if isinstance(factory, _freezegun().StepTickTimeFactory):
            problem = "freeze_time(auto_tick_seconds=...) moves at each look, which leaves no order"
            raise UsageError(f"{problem}; leave it out, and move time with qstash_fake.clock.advance(...)")
        return _UsersFreezegun(factory)
    if traveller is not None and not hasattr(traveller, _MARK):
        return _UsersTimeMachine(traveller)
    return None


class _Off:
    def start(self, now_ms: int) -> None: ...

    def move(self, now_ms: int) -> None: ...

    def stop(self) -> None: ...


class _Freezegun:
    _freezer: Any = None
    _factory: Any = None

    def start(self, now_ms: int) -> None:
        _refuse_beside(_tops()[1])
        self._freezer, self._factory = _start_freezegun(now_ms)
        setattr(self._factory, _MARK, True)

    def move(self, now_ms: int) -> None:
        _raise_to_top(self._factory, *_freezegun_stacks())
        self._factory.time_to_freeze = _EPOCH + timedelta(milliseconds=now_ms)  # move_to() only parses more

    def stop(self) -> None:
        freezer, factory = self._freezer, self._factory
        self._freezer = self._factory = None
        if freezer is not None:
            _stop_freezegun(freezer, factory)


def _start_freezegun(now_ms: int) -> tuple[Any, Any]:
    """Freeze all but the monotonic clocks; what freezegun alone leaves broken is mended here."""
    _import_pydantic()
    api = _freezegun()
    freezer = api.freeze_time(_EPOCH + timedelta(milliseconds=now_ms), tick=False, real_asyncio=True)
    freezer.ignore = tuple(name for name in freezer.ignore if name not in _NOT_IGNORED)
    inexact, api.fake_time_ns = api.fake_time_ns, _exact_time_ns()
    try:
        factory = freezer.start()
        if len(api.freeze_factories) == 1:  # a nested one patches nothing
            _require("freezegun", freezer, "undo_changes reals fake_names")
            _give_monotonic_clocks_back(api, freezer)
            # stop() takes off the top, whosever it is, and the last one restores. A user's freezer that comes
            # last without having been first must be able to tell a fake too.
            type(freezer).reals, type(freezer).fake_names = freezer.reals, freezer.fake_names
    except BaseException:
        _stop_freezegun(freezer, api.freeze_factories[-1])
        raise
    finally:
        api.fake_time_ns = inexact
    return freezer, factory


def _import_pydantic() -> None:
    # First imported while frozen, it would know only the fake classes until the process ends; and pydantic.v1,
    # which FastAPI imports at its first route or answer, cannot be imported then. On Python 3.14 that one warns.
    for name in ("pydantic._internal._generate_schema", "pydantic.v1"):
        if name not in sys.modules:
            with contextlib.suppress(ImportError), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                import_module(name)


def _give_monotonic_clocks_back(api: Any, freezer: Any) -> None:
    for name in ("monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns"):
        real = getattr(api, f"real_{name}")
        setattr(time, name, real)
        for owner, alias, original in freezer.undo_changes:
            if original is real:
                setattr(owner, alias, real)


def _stop_freezegun(freezer: Any, factory: Any) -> None:
    """Take *factory* out of freezegun, wherever in its stack it stands, and leave nothing of it behind."""
    api = _freezegun()
    loops = [(owner, name) for owner, name, _ in freezer.undo_changes if isinstance(owner, type)]
    if api.freeze_factories[-1:] == [factory]:
        freezer.stop()
    else:
        _stop_out_of_order(api, freezer, factory)
    for owner, name in loops:  # freezegun makes an inherited method the class's own: it hides later patches
        if any(vars(base).get(name) is vars(owner).get(name) for base in owner.__mro__[1:]):
            delattr(owner, name)
    if getattr(time, "clock", 0) is None:  # another leftover of freezegun's
        del time.clock  # type: ignore[attr-defined]


def _stop_out_of_order(api: Any, freezer: Any, factory: Any) -> None:
    # The last freezer to stop finds the fakes in every module, save those on its ignore list: these are restored
    # here, and all of them if a stop() too many has taken ours off.
    with contextlib.suppress(ValueError):
        index = api.freeze_factories.index(factory)
        for stack in _freezegun_stacks():
            del stack[index]
    ignored = tuple(name for names in api.ignore_lists for name in names)
    for owner, name, original in freezer.undo_changes:
        if not api.freeze_factories or isinstance(owner, type) or owner.__name__.startswith(ignored):
            setattr(owner, name, original)


class _UsersFreezegun:
    def __init__(self, factory: Any) -> None:
        self._factory = factory

    def now_ms(self) -> int:
        return _since_epoch_us(self._factory()) // 1000

    def move(self, now_ms: int) -> None:
        self._factory.move_to(_EPOCH + timedelta(milliseconds=now_ms))


class _TimeMachine:
    _travel: Any = None
    _traveller: Any = None

    def start(self, now_ms: int) -> None:
        _refuse_beside(_tops()[0])
        destination = _EPOCH_AT_AN_OFFSET + timedelta(milliseconds=now_ms)
        self._travel = _time_machine().travel(destination, tick=False)
        self._traveller = self._travel.start()
        setattr(self._traveller, _MARK, True)

    def move(self, now_ms: int) -> None:
        _raise_to_top(self._traveller, _time_machine().traveller_stack)
        self._traveller.move_to(_EPOCH_AT_AN_OFFSET + timedelta(milliseconds=now_ms))

    def stop(self) -> None:
        travel, traveller = self._travel, self._traveller
        self._travel = self._traveller = None
        stack = _time_machine().traveller_stack if travel is not None else []
        if stack[-1:] == [traveller]:
            travel.stop()
        elif traveller in stack:
            stack.remove(traveller)  # travel.stop() would take off the user's; ours has no zone to give back


class _UsersTimeMachine:
    def __init__(self, traveller: Any) -> None:
        self._traveller = traveller

    def now_ms(self) -> int:
        return int(self._traveller.time_ns()) // 1_000_000

    def move(self, now_ms: int) -> None:
        # move_to() would drop his time zone. Rounded up: a destination given as a float has odd nanoseconds.
        behind_ns = now_ms * 1_000_000 - self._traveller.time_ns()
        self._traveller.shift(timedelta(microseconds=-(-behind_ns // 1000)))


def _tops() -> tuple[Any, Any]:
    """What stands on freezegun's stack and on time-machine's, or None; neither is imported for it."""
    stack = _freezegun().freeze_factories if "freezegun" in sys.modules else []
    factory = stack[-1] if stack else None
    # pytest loads an installed time-machine of any version: only one that travels must be one we know.
    hatch = getattr(sys.modules.get("time_machine"), "escape_hatch", None)
    travels = hatch is not None and hatch.is_travelling()
    return factory, _time_machine().traveller_stack[-1] if travels else None


def _refuse_beside(other: Any) -> None:
    if users_freeze() is not None:
        raise UsageError("the test has frozen time itself: follow users_freeze(), start no engine")
    if other is not None:
        raise UsageError("another fake has frozen time with another library: give both the same freeze=")


def _raise_to_top(ours: Any, order: list[Any], *parallel: list[Any]) -> None:
    """Put *ours* over other engines of ours: the fake at work has its time. Never over a user's freeze."""
    if order[-1:] == [ours]:
        return
    if ours not in order:
        raise UsageError("qstash_fake's freeze is not active: not started, or taken off by a stop() too many")
    if hasattr(order[-1], _MARK):
        index = order.index(ours)
        for stack in (order, *parallel):
            stack.append(stack.pop(index))


def _freezegun_stacks() -> tuple[list[Any], ...]:
    api = _freezegun()
    return api.freeze_factories, api.tz_offsets, api.ignore_lists, api.tick_flags


@functools.cache
def _freezegun() -> Any:
    """freezegun.api, the names we rely on checked, and its date classes made known to pydantic."""
    api = import_module("freezegun.api")
    _require("freezegun", api, _FREEZEGUN_NAMES)

    # Never undone: a model whose module was imported while frozen has the fake class in its annotations for good.
    def schema(source: type, handler: object) -> Any:
        core_schema = import_module("pydantic_core.core_schema")
        is_datetime = issubclass(source, api.real_datetime)
        return core_schema.datetime_schema() if is_datetime else core_schema.date_schema()

    api.FakeDate.__get_pydantic_core_schema__ = staticmethod(schema)
    return api


@functools.cache  # one function for all freezes: freezegun knows its fakes by id
def _exact_time_ns() -> Callable[[], int]:
    """freezegun's own goes through a float, and falls into the millisecond before at every third instant."""
    api = _freezegun()

    def fake_time_ns() -> int:
        if api._should_use_real_time():
            return int(api.real_time_ns())
        return _since_epoch_us(api.get_current_time()) * 1000

    return fake_time_ns


def _since_epoch_us(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


@functools.cache
def _time_machine() -> ModuleType:
    module = import_module("time_machine")
    _require("time-machine", module, "travel traveller_stack Traveller escape_hatch")
    _require("time-machine", module.Traveller, "time_ns shift move_to")
    return module


def _require(package: str, owner: Any, names: str) -> None:
    missing = ", ".join(name for name in names.split() if not hasattr(owner, name))
    if missing:
        problem = f"{package} {_version(package)} has no {missing}, which freezing needs"
        raise UsageError(f'{problem}; install freezegun>=1.5,<2 or time-machine>=3, or use freeze="off"')


@functools.cache
def _time_machine_major() -> int:
    """3 for time-machine 3.6.0, 0 where it is not installed; read without importing it."""
    version = _version("time-machine")
    return int(version.split(".")[0]) if version[0].isdigit() else 0


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "none"
