"""Flow control: how many messages of a key may be in flight, and how many may start in a period. Knows no queue.

A rate window opens with the first start after the last window has ended, and covers [start, start + period); that its
end does not belong to it is assumed. A closed key opens by itself when its window ends: `found_closed` then puts a
`Wake` on the agenda, once for each window.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from qstash_fake.broker.agenda import Agenda, Event, Rank
from qstash_fake.broker.lanes import Gate, Lane, Lanes
from qstash_fake.protocol.durations import format_ms
from qstash_fake.protocol.moments import iso, to_datetime
from qstash_fake.protocol.options import DEFAULT_PERIOD_MS, FlowControl


@dataclass(slots=True, eq=False)
class FlowControlKey(Gate):
    """A flow-control key: at most *parallelism* in flight, at most *rate* starts in a window of *period_ms*."""

    key: str
    lanes: Lanes = field(repr=False)
    agenda: Agenda = field(repr=False)
    parallelism: int | None = None
    rate: int | None = None
    period_ms: int = DEFAULT_PERIOD_MS
    paused: bool = False
    pinned_parallelism: bool = False
    pinned_rate: bool = False
    in_flight: int = 0
    window_start_ms: int | None = None
    started_in_window: int = 0
    wake_ms: int | None = None
    """The end of the window that somebody waits for."""
    lane: Lane = field(init=False, repr=False)
    view: Any = None
    """What a user holds of it."""

    def __post_init__(self) -> None:
        self.lane = Lane(self)

    @property
    def waiting(self) -> int:
        """How many messages stand before it, held back or not."""
        return len(self.lane)

    def held_back(self, now_ms: int) -> int:
        """How many messages it holds back at *now_ms*; an open key holds nobody back."""
        return 0 if self.is_open(now_ms) else len(self.lane)

    def is_open(self, now_ms: int) -> bool:
        """Tell whether a message may start at *now_ms*."""
        return not self.paused and self._has_room() and (self.rate is None or self.rate_count(now_ms) < self.rate)

    def why_closed(self) -> str:
        """Return a sentence on what keeps it closed."""
        name = f"flow-control key {self.key!r}"
        if self.paused:
            return f"{name} is paused"
        if not self._has_room():
            count = "1 delivery is" if self.in_flight == 1 else f"{self.in_flight} deliveries are"
            return f"{name} is closed: {count} in flight, its parallelism is {self.parallelism}"
        end_ms = self._window_end_ms()
        assert end_ms is not None  # a rate is at least 1 and can be used up only in an open window
        rate = f"its rate of {self.rate} in {format_ms(self.period_ms)}"
        return f"{name} is closed: {rate} is used up until {iso(to_datetime(end_ms))}"

    def rate_count(self, now_ms: int) -> int:
        """How many starts count against the window that holds *now_ms*."""
        return self.started_in_window if self.window_is_open(now_ms) else 0

    def window_is_open(self, now_ms: int) -> bool:
        """Tell whether the last window that was opened holds *now_ms*."""
        end_ms = self._window_end_ms()
        return end_ms is not None and now_ms < end_ms

    def found_closed(self, now_ms: int) -> None:
        """Ask to be woken at the end of the window, if that alone opens it."""
        if self.paused or not self._has_room() or self.is_open(now_ms):
            return
        opens_ms = self._window_end_ms()
        if opens_ms is not None and opens_ms != self.wake_ms:
            self.wake_ms = opens_ms
            self.agenda.put(opens_ms, WAKE, self)

    def start(self, now_ms: int) -> None:
        """Count one start, that of a retry too (assumed); the first after a window's end opens the next."""
        self.in_flight += 1
        if self.rate is None:
            return
        self.started_in_window = self.rate_count(now_ms) + 1
        if self.started_in_window == 1:
            self.window_start_ms = now_ms

    def end(self) -> None:
        """Count one that is no longer in flight."""
        self.in_flight -= 1
        self.lanes.look_again(self.lane)

    def woken(self) -> None:
        """Note that the window for whose end a message waited is over, or that nobody waits for it any more."""
        self.wake_ms = None
        self.lanes.look_again(self.lane)

    def pause(self, *, paused: bool) -> None:
        """Pause it, or resume it; its window goes on running."""
        self.paused = paused
        self.lanes.look_again(self.lane)

    def limit(self, limits: FlowControl, now_ms: int) -> None:
        """Take the limits of the latest message, except what is pinned; an open window takes the new period."""
        if not self.pinned_parallelism:
            self.parallelism = limits.parallelism
        if not self.pinned_rate:
            if self.rate_count(now_ms) == 0:
                self.window_start_ms = None  # a longer period must not bring back a window that has ended
            self.rate, self.period_ms = limits.rate, limits.period_ms
        self.lanes.look_again(self.lane)

    def pin(self, *, parallelism: int | None, rate: int | None, period_ms: int) -> None:
        """Fix the limits that are given, whatever later messages bring; the window starts at 0 again."""
        if parallelism is not None:
            self.parallelism, self.pinned_parallelism = parallelism, True
        if rate is not None:
            self.rate, self.period_ms, self.pinned_rate = rate, period_ms, True
        self.reset_rate()

    def unpin(self, *, parallelism: bool, rate: bool) -> None:
        """Let later messages set the limits again; until one does, they stay."""
        self.pinned_parallelism &= not parallelism
        self.pinned_rate &= not rate

    def reset_rate(self) -> None:
        """End the current window now."""
        self.window_start_ms, self.started_in_window = None, 0
        self.lanes.look_again(self.lane)

    def _has_room(self) -> bool:
        return self.parallelism is None or self.in_flight < self.parallelism

    def _window_end_ms(self) -> int | None:
        return None if self.window_start_ms is None else self.window_start_ms + self.period_ms


class Wake(Event[FlowControlKey]):
    """The rate window of a key ends, and a message waits for that."""

    rank = Rank.WAKE

    def holds(self, at_ms: int, subject: FlowControlKey) -> bool:
        return subject.wake_ms == at_ms and subject.waiting > 0 and not subject.paused

    def happen(self, subject: FlowControlKey) -> None:
        subject.woken()

    def lapse(self, at_ms: int, subject: FlowControlKey) -> None:
        if subject.wake_ms == at_ms:
            subject.woken()


WAKE = Wake()


class FlowControlKeys:
    """All keys of one account, by name."""

    def __init__(self, lanes: Lanes, agenda: Agenda) -> None:
        self._lanes, self._agenda = lanes, agenda
        self.by_name: dict[str, FlowControlKey] = {}

    def get_or_make(self, name: str) -> FlowControlKey:
        """Return the key called *name*, made without limits if there is none."""
        key = self.by_name[name] = self.look_up(name)
        return key

    def look_up(self, name: str) -> FlowControlKey:
        """Return the key called *name*. One that is not there is shown as it would be made: idle, without limits."""
        return self.by_name.get(name) or FlowControlKey(name, self._lanes, self._agenda)
