"""The law of the engines: each holds one freeze in its library's stack, and puts it on top to be seen.

An engine holds time.time, datetime.now and the like for the whole process, and gives each of them back.
time.monotonic and perf_counter stay real: sleeps, time-outs and durations work. Imports no library.

**Freezing under another freeze.** A library keeps its freezes in a stack, and the application sees the top. Three
kinds of freezes can meet there:

- Ours, each with a mark. `move` puts the one of the fake at work over those of other fakes. That is safe because a
  verb shows the time before each delivery: whatever another fake has shown meanwhile, no application sees it there.
- A user's over ours. It has no mark, and `move` never goes over it: the user wants to see his own time. `users_freeze`
  in `table` finds it, the clock follows it and moves it, and nothing of ours stops it. Ours waits below, and is seen
  again when the user's ends.
- A user's under ours. There is none: where the user has a freeze already, the clock follows that and starts none.

A library that stops "the top" instead of its own freeze breaks the law. Both libraries do. Hence each engine takes its
own freeze out of the stack wherever it stands (see `freezegun` on patches that end out of order).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Protocol

from qstash_fake.errors import UsageError

_MARK = "_started_by_qstash_fake"  # an attribute of a freeze: ours, not the user's


class UsersFreeze(Protocol):
    """A freeze that the user started himself: followed and moved, never stopped."""

    def now_ms(self) -> int:
        """Return the time that it shows, unix milliseconds."""

    def move(self, now_ms: int) -> None:
        """Set it to *now_ms*; it goes on ticking if it ticks, and keeps its time zone."""


class Engine(Protocol):
    """Makes the application's wall clock (time.time, datetime.now) stand where the virtual clock stands."""

    @property
    def started(self) -> bool:
        """Whether `move` can be called."""

    def start(self, now_ms: int) -> None:
        """Freeze at *now_ms*, unix milliseconds."""

    def move(self, now_ms: int) -> None:
        """Move the frozen time; of several engines of ours, the one that moved last is seen."""

    def stop(self) -> None:
        """Give real time back, also from under a user's freeze; harmless when not started."""

    @staticmethod
    def why_not() -> str | None:
        """Return why this engine cannot be used here, and what to do; None if it can."""

    @staticmethod
    def top() -> Any:
        """Return the freeze that the library shows now, None without one. The library is not imported for it."""

    @staticmethod
    def users(freeze: Any) -> UsersFreeze:
        """Return *freeze*, which stands on top and is not ours, as a freeze to be followed."""


class Stacked(ABC):
    """An engine over a library that keeps a stack of freezes; several stacks may run parallel to the first."""

    _ours: Any = None
    _shown_ms: int | None = None

    @property
    def started(self) -> bool:
        return self._ours is not None

    def start(self, now_ms: int) -> None:
        self._ours, self._shown_ms = self._push(now_ms), now_ms
        setattr(self._ours, _MARK, True)

    def move(self, now_ms: int) -> None:
        _raise_to_top(self._ours, self.stacks())
        if now_ms != self._shown_ms:  # nobody else moves our freeze, and most instants have several deliveries
            self._set(self._ours, now_ms)
            self._shown_ms = now_ms

    def stop(self) -> None:
        ours, self._ours = self._ours, None
        if ours is not None:
            self._take_out(ours)

    @classmethod
    def top(cls) -> Any:
        freezes = cls.stacks()[0]
        return freezes[-1] if freezes else None

    @staticmethod
    @abstractmethod
    def stacks() -> Sequence[list[Any]]:
        """Return the library's stacks, the stack of its freezes first."""

    @abstractmethod
    def _push(self, now_ms: int) -> Any:
        """Put a new freeze at *now_ms* on top and return it."""

    @abstractmethod
    def _set(self, ours: Any, now_ms: int) -> None:
        """Let *ours*, which may stand under a user's freeze, show *now_ms*."""

    @abstractmethod
    def _take_out(self, ours: Any) -> None:
        """Take *ours* out of the stack, wherever it stands, and leave nothing of it behind."""


def is_ours(freeze: Any) -> bool:
    """Tell whether an engine has started *freeze*."""
    return hasattr(freeze, _MARK)


def _raise_to_top(ours: Any, stacks: Sequence[list[Any]]) -> None:
    order = stacks[0]
    if order[-1:] == [ours]:
        return
    if ours not in order:
        raise UsageError("qstash_fake's freeze is not active: not started, or taken off by a stop() too many")
    if is_ours(order[-1]):
        index = order.index(ours)
        for stack in stacks:
            stack.append(stack.pop(index))
