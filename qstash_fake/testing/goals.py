"""How far a verb goes: for a duration, or until a condition holds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from inspect import isawaitable
from typing import TypedDict

from qstash_fake.broker.views import Message, inner_of
from qstash_fake.errors import UsageError
from qstash_fake.protocol.durations import Duration, to_ms
from qstash_fake.testing.differences import show

Done = Callable[[], object] | Message
"""When to stop: a function that says it, or a message that is to end."""


class Units(TypedDict, total=False):
    """The keywords of a timedelta."""

    weeks: float
    days: float
    hours: float
    minutes: float
    seconds: float
    milliseconds: float
    microseconds: float


class Goal:
    """The goal of one `advance_until`."""

    def __init__(self, done: Done) -> None:
        if not isinstance(done, Message) and not callable(done):
            raise UsageError(f"advance_until({done!r}) has nothing to wait for: give a function, or a message")
        self._done = done

    def is_reached(self) -> bool:
        """Ask the function, or the message."""
        if isinstance(self._done, Message):
            return not inner_of(self._done).pending
        answer = self._done()
        if isawaitable(answer):
            getattr(answer, "close", lambda: None)()  # a coroutine that nobody awaits warns
            raise UsageError(f"advance_until({show(self._done)}) is given a coroutine: give a plain function")
        return bool(answer)

    def __str__(self) -> str:
        return f"{self._done!r} has not ended," if isinstance(self._done, Message) else f"{show(self._done)} says no,"


def duration_ms(duration: Duration | None, units: Units) -> int:
    """Return the milliseconds of the arguments of `advance`: a duration, or the keywords of a timedelta."""
    if units and duration is not None:
        raise TypeError("advance() takes a duration or the keywords of a timedelta, not both")
    if not units:
        return to_ms(duration)  # type: ignore[arg-type]  # which refuses None
    try:
        given = timedelta(**units)
    except (OverflowError, ValueError):  # too large, infinite, not a number
        asked = ", ".join(f"{name}={value!r}" for name, value in units.items())
        raise ValueError(f"advance({asked}): a duration is finite and has at most {timedelta.max.days} days") from None
    return to_ms(given)
