"""freezegun as an engine. Imports it only to freeze; mends what freezegun alone leaves broken or inexact.

**Patches that end out of order.** The first freeze replaces `time.time`, `datetime` and the like in every module. A
freeze that starts over another only goes onto the stack. The last freeze to stop puts the originals back, out of its
own list of changes and by a search of all modules. Two things break if freezes do not end in reverse order:

- `stop()` takes the top off the stack, even if it belongs to another. `_stop_out_of_order` takes out our own instead.
- The list of changes belongs to the first freeze. If that is ours and a user's freeze outlives it, the user's `stop()`
  has no list, and its search leaves out classes and the modules that freezegun ignores. These are restored when ours
  ends. They lose the frozen time of a freeze that they would not have seen without ours.

If one `stop()` too many has emptied the stack already, nobody restores anything later: then ours restores all.
"""

from __future__ import annotations

import contextlib
import functools
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any

from qstash_fake.engines.engine import Stacked, UsersFreeze
from qstash_fake.engines.versions import require
from qstash_fake.errors import UsageError

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - freezegun's factories hold naive UTC
# freezegun shows real time to modules whose name *starts* like this: to the first three for their time-outs, which
# are mended here. An endpoint in a thread pool would see real time; queues.py and gifts.py of an application, too.
_NOT_IGNORED = frozenset({"threading", "multiprocessing", "queue", "gi"})
_NAMES = """freeze_time freeze_factories tz_offsets ignore_lists tick_flags StepTickTimeFactory
    FakeDate FakeDatetime datetime_to_fakedatetime real_date real_datetime
    fake_time_ns fake_localtime fake_strftime real_time_ns real_localtime real_strftime
    get_current_time _should_use_real_time
    real_monotonic real_monotonic_ns real_perf_counter real_perf_counter_ns"""


class Freezegun(Stacked):
    """A factory of ours in freezegun's stack."""

    _freezer: Any = None

    @staticmethod
    def why_not() -> str | None:
        return None  # a dependency of this package

    @staticmethod
    def users(freeze: Any) -> UsersFreeze:
        if isinstance(freeze, _library().StepTickTimeFactory):
            problem = "freeze_time(auto_tick_seconds=...) moves at each look, which leaves no order"
            raise UsageError(f"{problem}; leave it out, and move time with qstash_fake.clock.advance(...)")
        return _Users(freeze)

    @staticmethod
    def stacks() -> Sequence[list[Any]]:
        if "freezegun" not in sys.modules:
            return ([],)
        api = _library()
        return api.freeze_factories, api.tz_offsets, api.ignore_lists, api.tick_flags

    def _push(self, now_ms: int) -> Any:
        self._freezer, factory = _start(now_ms)
        return factory

    def _set(self, ours: Any, now_ms: int) -> None:
        ours.time_to_freeze = _EPOCH + timedelta(milliseconds=now_ms)  # move_to() only parses more

    def _take_out(self, ours: Any) -> None:
        freezer, self._freezer = self._freezer, None
        _stop(freezer, ours)


class _Users:
    def __init__(self, factory: Any) -> None:
        self._factory = factory

    def now_ms(self) -> int:
        return _since_epoch_us(self._factory()) // 1000

    def move(self, now_ms: int) -> None:
        self._factory.move_to(_EPOCH + timedelta(milliseconds=now_ms))


# --- start -----------------------------------------------------------------------------------------------------


def _start(now_ms: int) -> tuple[Any, Any]:
    """Freeze all but the monotonic clocks; return freezegun's freezer and factory."""
    _import_pydantic()
    api = _library()
    freezer = api.freeze_time(_EPOCH + timedelta(milliseconds=now_ms), tick=False, real_asyncio=True)
    freezer.ignore = tuple(name for name in freezer.ignore if name not in _NOT_IGNORED)
    freezer.tz_offset = _LocalOffset()
    try:
        with _exact_fakes_in(api):
            factory = freezer.start()
        if len(api.freeze_factories) == 1:  # a nested one patches nothing
            require("freezegun", freezer, "undo_changes reals fake_names")
            _give_monotonic_clocks_back(api, freezer)
            _show_local_time_of_timestamps(api, freezer)
            # The freezer that stops last must be able to tell a fake, also a user's that was not the first.
            type(freezer).reals, type(freezer).fake_names = freezer.reals, freezer.fake_names
    except BaseException:
        _stop(freezer, api.freeze_factories[-1])
        raise
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


@contextlib.contextmanager
def _exact_fakes_in(api: Any) -> Iterator[None]:
    """Let a freezer that starts meanwhile put our fakes everywhere, in place of freezegun's."""
    inexact = {name: getattr(api, name) for name in _exact_fakes()}
    vars(api).update(_exact_fakes())
    try:
        yield
    finally:
        vars(api).update(inexact)


@functools.cache  # one set for all freezes: freezegun knows its fakes by id
def _exact_fakes() -> Mapping[str, Callable[..., Any]]:
    api = _library()

    def fake_time_ns() -> int:
        # freezegun's own goes through a float, and falls into the millisecond before at every third instant.
        if api._should_use_real_time():
            return int(api.real_time_ns())
        return _since_epoch_us(api.get_current_time()) * 1000

    def fake_localtime(t: float | None = None) -> time.struct_time:
        # freezegun's own knows no summer time.
        if t is None and not api._should_use_real_time():
            t = _since_epoch_us(api.get_current_time()) // 1_000_000
        local: time.struct_time = api.real_localtime(t)
        return local

    def fake_strftime(format: str, t: Any = None) -> str:  # noqa: A002 - time.strftime's word
        return str(api.real_strftime(format, fake_localtime() if t is None else t))

    return {fake.__name__: fake for fake in (fake_time_ns, fake_localtime, fake_strftime)}


# --- local time ------------------------------------------------------------------------------------------------


class _LocalOffset:
    """The offset that freezegun adds to UTC to show local time: the zone's own at each moment, summer time included.

    freezegun's own is one number for a whole freeze, 0 unless the user gives one, and moves aware times as well.
    """

    def __radd__(self, moment: datetime) -> datetime:
        """Return naive UTC as naive local time; an aware time is right as it is."""
        return moment if moment.tzinfo else moment + _local_offset(_since_epoch_us(moment) // 1_000_000)

    def __rsub__(self, local: timedelta) -> timedelta:
        """Return naive local time as UTC, both as the time since 1970 in their own reckoning."""
        moment = _EPOCH + local
        utc_s = int(_library().real_datetime.timestamp(moment.replace(microsecond=0)))
        return timedelta(seconds=utc_s, microseconds=moment.microsecond)

    def total_seconds(self) -> float:
        """Return the present offset."""
        return _local_offset(_since_epoch_us(_library().get_current_time()) // 1_000_000).total_seconds()


def _local_offset(utc_s: int) -> timedelta:
    return timedelta(seconds=_library().real_localtime(utc_s).tm_gmtoff)


def _show_local_time_of_timestamps(api: Any, freezer: Any) -> None:
    """Let `datetime.fromtimestamp(t)` take the zone's offset at *t*, where a freeze of ours is seen."""
    original = vars(api.FakeDatetime)["fromtimestamp"]

    @classmethod  # type: ignore[misc]
    def fromtimestamp(cls: Any, t: float, tz: Any = None) -> Any:
        if tz is None and isinstance(cls._tz_offset(), _LocalOffset):
            return api.datetime_to_fakedatetime(api.real_datetime.fromtimestamp(t))
        return original.__func__(cls, t, tz)

    api.FakeDatetime.fromtimestamp = fromtimestamp
    freezer.undo_changes.append((api.FakeDatetime, "fromtimestamp", original))


# --- stop ------------------------------------------------------------------------------------------------------


def _stop(freezer: Any, factory: Any) -> None:
    """Take *factory* out of freezegun, wherever in its stack it stands, and leave nothing of it behind."""
    api = _library()
    classes = [(owner, name) for owner, name, _ in freezer.undo_changes if isinstance(owner, type)]
    if api.freeze_factories[-1:] == [factory]:
        freezer.stop()
    else:
        _stop_out_of_order(api, freezer, factory)
    for owner, name in classes:  # freezegun makes an inherited method the class's own: it hides later patches
        if any(vars(base).get(name) is vars(owner).get(name) for base in owner.__mro__[1:]):
            delattr(owner, name)
    if getattr(time, "clock", 0) is None:  # another leftover of freezegun's
        del time.clock  # type: ignore[attr-defined]


def _stop_out_of_order(api: Any, freezer: Any, factory: Any) -> None:
    """Take *factory* out from under a user's freeze, or restore what one `stop()` too many has left; see above."""
    with contextlib.suppress(ValueError):
        index = api.freeze_factories.index(factory)
        for stack in Freezegun.stacks():
            del stack[index]
    ignored = tuple(name for names in api.ignore_lists for name in names)
    for owner, name, original in freezer.undo_changes:
        if not api.freeze_factories or isinstance(owner, type) or owner.__name__.startswith(ignored):
            setattr(owner, name, original)


# --- the library -----------------------------------------------------------------------------------------------


@functools.cache
def _library() -> Any:
    """freezegun.api, with the names that we rely on checked, and its date classes made known to pydantic."""
    api = import_module("freezegun.api")
    require("freezegun", api, _NAMES)

    # Never undone: a model whose module was imported while frozen has the fake class in its annotations for good.
    def schema(source: type, handler: object) -> Any:
        core_schema = import_module("pydantic_core.core_schema")
        is_datetime = issubclass(source, api.real_datetime)
        return core_schema.datetime_schema() if is_datetime else core_schema.date_schema()

    api.FakeDate.__get_pydantic_core_schema__ = staticmethod(schema)
    return api


def _since_epoch_us(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)
