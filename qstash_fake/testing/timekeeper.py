"""The time of one fake: the time that the broker is told, and the time that the application sees.

**One formula**: now = max(told, source()). *told* is the last time that the broker was told; it never goes back. A
timekeeper remembers only which of four sources counts:

- real time, from the start until the first verb. A freeze of the user is followed: real time is the time that the clock
  of the process shows.
- the user, between two verbs: his freeze, if there is one. A publish under it has its time.
- nobody, while a verb runs: the verb goes from event to event, tells the broker, and shows each instant.
- nobody any more, after the block.

With `start=` real time is left out. A source that knows nothing says 0, the first instant of 1970, which moves nothing.
A broker that was told nothing stands there too. Hence a user's freeze may begin after the fixture and show an earlier
time, and no time before 1970 can be simulated.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from qstash_fake.broker.broker import Broker
from qstash_fake.engines import table as engines
from qstash_fake.engines.engine import Engine
from qstash_fake.engines.off import Off
from qstash_fake.errors import UsageError
from qstash_fake.protocol.moments import LAST_MS, moment_to_ms


def real_now_ms() -> int:
    """Return the wall clock's time in unix milliseconds, rounded down; a freeze of the user's is followed."""
    return time.time_ns() // 1_000_000


def steady_clock() -> Callable[[], int]:
    """Return a clock: the wall clock's time at this call plus the monotonic time since then, in unix milliseconds.

    It does not change when somebody sets the wall clock, and a delay lasts as long as it says. Time while the machine
    is suspended does not count if the monotonic clock leaves it out, as on Linux.
    """
    start_ms, start_ns = real_now_ms(), time.monotonic_ns()
    return lambda: start_ms + (time.monotonic_ns() - start_ns) // 1_000_000


class Timekeeper:
    """Tells *broker* the time and shows it to the application by *engine*; without *runs* it stands from the start."""

    def __init__(self, broker: Broker, engine: Engine, *, runs: bool) -> None:
        self.broker = broker
        self.real_now_ms: Callable[[], int] = real_now_ms
        """The clock of real time."""
        self.freezes_between_verbs = True
        """Whether the application's time stays frozen after a verb; False for a fake that many tests share."""
        self._engine = engine
        self._source: Callable[[], int] = self._real if runs else _user

    @property
    def runs(self) -> bool:
        """Whether real time counts: until the first verb."""
        return self._source == self._real

    def observe(self) -> int:
        """Tell the broker what time it is, and return it, unix milliseconds."""
        self.broker.observe(self._source())
        return self.broker.now_ms

    def stand_still(self) -> None:
        """Fix the time and show it to the application; if the user has his own freeze, follow that instead."""
        self.observe()
        self._source = _user
        if (users := engines.users_freeze()) is not None:  # raises for a freeze that cannot be followed
            if users.now_ms() < 0:
                raise UsageError("your own freeze stands before 1970, which cannot be simulated: freeze a later time")
            self.observe()
        self.show(self.broker.now_ms)

    def begin_verb(self) -> None:
        """Fix the time; until `end_verb` only the events of the verb move it."""
        self.stand_still()
        self._source = _nobody

    def end_verb(self) -> None:
        """Show where the verb has ended; harmless where `begin_verb` has failed or the block is over."""
        if self._source is _nobody:
            self._source = _user
            self.show(self.broker.now_ms)
            if not self.freezes_between_verbs:
                self._engine.stop()

    def show(self, now_ms: int) -> None:
        """Let the application see *now_ms*; a retry of a message that is due at the end of time may go beyond it."""
        if self._source is _nobody_any_more:
            raise UsageError("a verb still runs after the `with` block of its QStashFake: await it in the block")
        engines.show(self._engine, min(now_ms, LAST_MS))

    def close(self) -> None:
        """Give real time back to the application; nothing moves time from now on."""
        self._source = _nobody_any_more
        self._engine.stop()
        self._engine = Off()

    def _real(self) -> int:
        return self.real_now_ms()


def _user() -> int:
    with suppress(UsageError):  # a freeze that cannot be followed is refused by the next verb
        if (users := engines.users_freeze()) is not None:
            return users.now_ms()
    return 0


def _nobody() -> int:
    return 0


def _nobody_any_more() -> int:
    return 0


def start_to_ms(start: datetime | str) -> int:
    """Return `start=` as unix milliseconds; ValueError for a time that no engine can show."""
    start_ms = moment_to_ms(start)
    if not 0 <= start_ms <= LAST_MS:
        raise ValueError(f"start={start!r} cannot be simulated: give a time from the year 1970 to the year 9999")
    return start_ms
