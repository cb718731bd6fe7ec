"""time-machine as an engine. Imports it only to freeze; knows version 3 and newer."""

from __future__ import annotations

import functools
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from importlib import import_module
from types import ModuleType
from typing import Any

from qstash_fake.engines.engine import Stacked, UsersFreeze
from qstash_fake.engines.versions import require, version

# time-machine takes a datetime in UTC or a ZoneInfo as a wish to change the process's TZ, a naive one as its
# global naive_mode says, an int as seconds, a float inexactly. At a fixed offset it is an instant, no more.
_EPOCH_AT_AN_OFFSET = datetime(1969, 12, 31, 23, tzinfo=timezone(timedelta(hours=-1)))


class TimeMachine(Stacked):
    """A traveller of ours in time-machine's stack."""

    _travel: Any = None

    @staticmethod
    def why_not() -> str | None:
        if _major() >= 3:
            return None
        problem = f"needs time-machine>=3, installed is {version('time-machine')}"
        return f'{problem}; pip install "time-machine>=3", or use freeze="freezegun"'

    @staticmethod
    def users(freeze: Any) -> UsersFreeze:
        return _Users(freeze)

    @staticmethod
    def stacks() -> Sequence[list[Any]]:
        # pytest loads an installed time-machine of any version: we must know it only if it travels.
        hatch = getattr(sys.modules.get("time_machine"), "escape_hatch", None)
        travels = hatch is not None and hatch.is_travelling()
        return (_library().traveller_stack if travels else [],)

    def _push(self, now_ms: int) -> Any:
        self._travel = _library().travel(_EPOCH_AT_AN_OFFSET + timedelta(milliseconds=now_ms), tick=False)
        return self._travel.start()

    def _set(self, ours: Any, now_ms: int) -> None:
        ours.move_to(_EPOCH_AT_AN_OFFSET + timedelta(milliseconds=now_ms))

    def _take_out(self, ours: Any) -> None:
        stack = _library().traveller_stack
        if stack[-1:] == [ours]:
            self._travel.stop()
        elif ours in stack:
            stack.remove(ours)  # travel.stop() would take off the user's; ours has no zone to give back
        self._travel = None


class _Users:
    def __init__(self, traveller: Any) -> None:
        self._traveller = traveller

    def now_ms(self) -> int:
        return int(self._traveller.time_ns()) // 1_000_000

    def move(self, now_ms: int) -> None:
        # move_to() would drop his time zone. Rounded up: a destination given as a float has odd nanoseconds.
        behind_ns = now_ms * 1_000_000 - self._traveller.time_ns()
        self._traveller.shift(timedelta(microseconds=-(-behind_ns // 1000)))


@functools.cache
def _library() -> ModuleType:
    """time_machine, with the names that we rely on checked."""
    module = import_module("time_machine")
    require("time-machine", module, "travel traveller_stack Traveller escape_hatch")
    require("time-machine", module.Traveller, "time_ns shift move_to")
    return module


@functools.cache
def _major() -> int:
    """3 for time-machine 3.6.0, 0 where it is not installed; read without importing it."""
    installed = version("time-machine")
    return int(installed.split(".")[0]) if installed[0].isdigit() else 0
