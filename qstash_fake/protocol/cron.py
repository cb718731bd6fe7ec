"""Cron: the instants at which a schedule fires.

The law is robfig/cron v3, `ParseStandard` and `SpecSchedule.Next`. A cron fires at every minute
at which the wall clock of its zone matches the five fields: hours that spring skips are skipped,
hours that autumn repeats fire twice. Knows calendars and zones; not schedules, not which instant
is now.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from typing import Self

from croniter import croniter

from qstash_fake.protocol.cron_fields import SPACES, Every, Field, Fields, parse_cron
from qstash_fake.protocol.zones import DAY_S, EPOCH, NO_WINDOW, Window, window_from

MAX_COUNTED = 1_000_000  # two years of minutes; a drain that follows a delay of a thousand years must end

_YEARS_SEARCHED = 5  # robfig/cron v3 spec.go: "If no time is found within five years, return zero"
_NEAR_S = _YEARS_SEARCHED * 365 * DAY_S  # five years have at least so many days
_YEARS_BETWEEN_DAYS = 8  # 29 February around 2100: a day that does not come within eight years never comes

_Run = tuple[int, float]
"""A day, and the first matching day from it on: the same for every day between the two."""
_NO_RUN: _Run = (0, -1)


@dataclass(frozen=True, slots=True)
class Cron:
    """A valid cron; equal to another by its text."""

    text: str  # trimmed, with its CRON_TZ= or TZ= prefix
    _plan: _Calendar | _Interval = field(repr=False, compare=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the cron *text*; ValueError, in the service's words, if it is none."""
        trimmed = text.strip(SPACES)
        parsed = parse_cron(trimmed)
        return cls(trimmed, _Interval(parsed.delay_s) if isinstance(parsed, Every) else _Calendar(parsed))

    def next_after(self, after_ms: int) -> int | None:
        """Return the first firing strictly after *after_ms*, in unix milliseconds.

        None if the next five years, or those before the year 10000, have none.
        `@every` has no calendar: it counts from *after_ms*, so pass the previous firing, or the
        start.
        """
        return self._plan.next_after(after_ms)

    def count_between(self, after_ms: int, until_ms: int) -> int:
        """Count the firings in (*after_ms*, *until_ms*]; at most a million are counted."""
        return sum(1 for _ in islice(self._between(after_ms, until_ms), MAX_COUNTED))

    def _between(self, after_ms: int, until_ms: int) -> Iterator[int]:
        at_ms = self.next_after(after_ms)
        while at_ms is not None and at_ms <= until_ms:
            yield at_ms
            at_ms = self.next_after(at_ms)


@dataclass(frozen=True, slots=True)
class _Interval:
    delay_s: int

    def next_after(self, after_ms: int) -> int:
        return (after_ms // 1_000 + self.delay_s) * 1_000


class _Calendar:
    """Times of the day on matching days, on the wall clock of one zone.

    The search for the next firing has three steps, each on a simpler clock than the one before.

    1. `next_after` cuts time into windows of constant UTC offset. In a window it searches the
       wall clock as if the offset had always been this one. A match before the window's end is
       the firing. A match past the end never comes on this clock; the search begins again at the
       end, with the next offset. A spring forward leaves wall-clock times that lie past the end
       of one window and before the start of the next: they are skipped. The repeated times of an
       autumn lie in both windows, and fire twice. No rule for summer time is written anywhere; both follow.
    2. `_next_local` searches a clock that is never put forward or back. A cron matches the same
       times on every matching day, so these are computed once, and bisection finds the next.
    3. `_first_day` finds matching days on a calendar without zones. croniter does that. Asked for
       each firing, it takes 50 microseconds and applies its own rules for summer time; asked
       for a day, it does neither.

    Two answers are remembered, because the next question is nearly always about the same window and
    the same run of days. Each is one immutable value that is replaced as a whole: a thread sees the
    old value or the new one, and both are right.
    """

    def __init__(self, fields: Fields) -> None:
        self._zone = fields.zone
        hours, minutes = fields.hours.values, fields.minutes.values
        self._times = sorted(hour * 3_600 + minute * 60 for hour in hours for minute in minutes)  # since midnight
        self._days = _days(fields.days, fields.months, fields.weekdays)
        self._window = NO_WINDOW
        self._run = _NO_RUN

    def next_after(self, after_ms: int) -> int | None:
        after_s = after_ms // 1_000  # firings are whole seconds
        window = self._window_at(after_s)
        local_s = first_s = after_s + window.offset_s
        while True:
            match_s = self._next_local(local_s)
            if match_s is None:
                return None
            # Most calls need no look at the calendar.
            far = match_s - first_s > _NEAR_S
            if far and _year(match_s) > _year(first_s + 1) + _YEARS_SEARCHED:
                return None
            if match_s - window.offset_s < window.end_s:
                return (match_s - window.offset_s) * 1_000
            change_s = window.end_s
            window = self._window_at(change_s)
            local_s = change_s + window.offset_s - 1  # the first second after the change may match

    def _window_at(self, at_s: int) -> Window:
        window = self._window
        if not window.start_s <= at_s < window.end_s:
            window = self._window = window_from(self._zone, at_s)
        return window

    def _next_local(self, local_s: int) -> int | None:
        """Return the first match after *local_s*, both in seconds of a clock that never jumps."""
        if not self._times:
            return None
        day, second = divmod(local_s, DAY_S)
        if self._first_day(day) == day:
            index = bisect_right(self._times, second)
            if index < len(self._times):
                return day * DAY_S + self._times[index]
        following = self._first_day(day + 1)
        return None if following is None else following * DAY_S + self._times[0]

    def _first_day(self, day: int) -> int | None:
        """Return the first matching day from *day* on, in days since 1970; None if none follows."""
        start, found = self._run
        if not start <= day <= found:
            found = min((_next_day(expression, day) for expression in self._days), default=math.inf)
            self._run = (day, found)
        return None if found == math.inf else int(found)


def _next_day(expression: str, day: int) -> float:
    """Return the first day from *day* on that matches *expression*; infinity if none follows."""
    try:
        # With an explicit start and floats croniter asks no clock, and frozen time changes
        # nothing.
        cron = croniter(expression, day * DAY_S - 1, max_years_between_matches=_YEARS_BETWEEN_DAYS)
        return float(cron.get_next() // DAY_S)
    except (ValueError, OverflowError):  # none in these years; none before the year 10000, where dates end
        return math.inf


def _year(local_s: int) -> int:
    return (EPOCH + timedelta(seconds=local_s)).year


def _days(days: Field, months: Field, weekdays: Field) -> tuple[str, ...]:
    """Return the croniter expressions whose union are the matching days.

    robfig/cron v3 spec.go, dayMatches: if day or weekday has the star bit, a day must match both
    of them, and the field with the star matches every day. If neither has it, matching one of the two
    is enough: `0 0 13 * 5` is every 13th and every Friday. The bit, not the set of numbers,
    decides: `0 0 13 * 0-6` is every day.

    croniter has another rule for the two. It never applies here: each expression restricts one of
    them at most.
    """
    day, month, weekday = map(_written, (days, months, weekdays))
    both = days.star or weekdays.star
    dates = [(day, month, weekday)] if both else [(day, month, "*"), ("*", month, weekday)]
    return tuple(f"0 0 {' '.join(date)}" for date in dates if all(date))


def _written(field: Field) -> str:
    """Return *field* as croniter reads it: a star, or its numbers; empty if it has none."""
    return "*" if field.star else ",".join(map(str, sorted(field.values)))
