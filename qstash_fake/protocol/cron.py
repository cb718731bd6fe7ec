"""Cron: which texts are a schedule, and the instants at which one fires.

The law is robfig/cron v3, `ParseStandard` and `SpecSchedule.Next`, in whose words the service refuses a cron.
A cron fires at every minute whose wall-clock fields match: hours that spring skips are skipped, hours that
autumn repeats fire twice. Knows fields, calendars and zones; not schedules, not the clock.
"""

import math
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import NamedTuple, Self
from zoneinfo import ZoneInfo

from croniter import CroniterBadDateError, croniter

from qstash_fake.protocol.durations import go_duration_ms

MAX_COUNTED = 1_000_000  # two years of minutes; a drain that follows a delay of a thousand years must end
_DAY_S = 86_400
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)  # the only datetime made here: frozen time changes nothing
_SECOND = timedelta(seconds=1)

_EN_TO_HAIR_SPACE = "".join(map(chr, range(0x2000, 0x200B)))
# Go unicode.IsSpace; str.isspace() would add U+001C to U+001F
_SPACES = f"\t\n\v\f\r \x85\xa0\u1680{_EN_TO_HAIR_SPACE}\u2028\u2029\u202f\u205f\u3000"
_WORD = re.compile(f"[^{_SPACES}]+")
_INTEGER = re.compile(r"[+-]?[0-9]+")  # Go strconv.Atoi; int() would add underscores, spaces and other digits

_DESCRIPTORS = {  # robfig/cron v3 parser.go, parseDescriptor
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_EVERY = "@every "
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")

_YEARS_SEARCHED = 5  # robfig/cron v3 spec.go: "If no time is found within five years, return zero"
_YEARS_BETWEEN_DAYS = 8  # 29 February around 2100: a day that does not come within eight years never comes

# The shortest time that a zone has kept an offset since 1970 is just under seven days (tz database: Boa_Vista
# in 2000, Gaza in 2040), so steps of three days miss no change.
_PROBE_S = 3 * _DAY_S
_WINDOW_MAX_S = 366 * _DAY_S


@dataclass(frozen=True, slots=True)
class Cron:
    """A valid cron; equal to another by its text."""

    text: str  # trimmed, with its CRON_TZ= or TZ= prefix
    _plan: "_Calendar | _Every" = field(repr=False, compare=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """The cron that *text* means; ValueError in the service's words if robfig/cron refuses it."""
        trimmed = text.strip(_SPACES)
        return cls(trimmed, _plan(trimmed))

    def next_after(self, after_ms: int) -> int | None:
        """The first firing strictly after *after_ms*, in unix milliseconds; None if five years bring none.

        `@every` has no calendar: it counts from *after_ms*, so pass the previous firing, or the start.
        """
        return self._plan.next_after(after_ms)

    def count_between(self, after_ms: int, until_ms: int) -> int:
        """How many firings fall after *after_ms*, up to and including *until_ms*; at most a million are counted."""
        return sum(1 for _ in islice(self._between(after_ms, until_ms), MAX_COUNTED))

    def _between(self, after_ms: int, until_ms: int) -> Iterator[int]:
        at_ms = self.next_after(after_ms)
        while at_ms is not None and at_ms <= until_ms:
            yield at_ms
            at_ms = self.next_after(at_ms)


class _Window(NamedTuple):
    """A span of time, [start_s, end_s), in which a zone keeps one offset from UTC."""

    start_s: int
    end_s: int
    offset_s: int


_ALWAYS_UTC = _Window(-(1 << 62), 1 << 62, 0)
_NO_WINDOW = _Window(0, 0, 0)


@dataclass(frozen=True, slots=True)
class _Every:
    delay_s: int

    def next_after(self, after_ms: int) -> int:
        return (after_ms // 1_000 + self.delay_s) * 1_000


@dataclass(slots=True)
class _Calendar:
    """Times of the day on matching days, on the clock of one zone.

    croniter finds the days, on a calendar without zones; times and offsets are added here. Asked for each
    firing, it takes 50 microseconds and has its own rules for summer time; asked once a day, one each.
    The two memories are immutable values replaced as a whole: a thread sees the old one or the new one.
    """

    zone: ZoneInfo | None  # None is UTC
    times: tuple[int, ...]  # seconds since the day's midnight, ascending
    days: tuple[str, ...]  # croniter expressions; a day matches if it matches one of them
    _window: _Window = field(init=False)
    _run: tuple[int, float] = field(init=False, default=(0, -1))  # a day, and the first match from it on

    def __post_init__(self) -> None:
        self._window = _ALWAYS_UTC if self.zone is None else _NO_WINDOW

    def next_after(self, after_ms: int) -> int | None:
        after_s = after_ms // 1_000  # firings are whole seconds
        window = self._window_at(after_s)
        local_s = first_s = after_s + window.offset_s
        while True:
            match_s = self._next_local(local_s)
            if match_s is None:
                return None
            # Five years have at least so many days: most calls need no look at the calendar.
            far = match_s - first_s > _YEARS_SEARCHED * 365 * _DAY_S
            if far and _year(match_s) > _year(first_s + 1) + _YEARS_SEARCHED:
                return None
            if match_s - window.offset_s < window.end_s:
                return (match_s - window.offset_s) * 1_000
            change_s = window.end_s
            window = self._window_at(change_s)
            local_s = change_s + window.offset_s - 1  # the first second after the change may match

    def _next_local(self, local_s: int) -> int | None:
        """The first match after *local_s*, both in seconds on a clock that is never put forward or back."""
        if not self.times:
            return None
        day, second = divmod(local_s, _DAY_S)
        if self._first_day(day) == day:
            index = bisect_right(self.times, second)
            if index < len(self.times):
                return day * _DAY_S + self.times[index]
        following = self._first_day(day + 1)
        return None if following is None else following * _DAY_S + self.times[0]

    def _first_day(self, day: int) -> int | None:
        """The first matching day from *day* on, in days since 1970; None if there never is one."""
        start, found = self._run
        if not start <= day <= found:
            found = min((_next_day(expression, day) for expression in self.days), default=math.inf)
            self._run = (day, found)
        return None if found == math.inf else int(found)

    def _window_at(self, at_s: int) -> _Window:
        window = self._window
        if self.zone is not None and not window.start_s <= at_s < window.end_s:
            window = self._window = _window_from(self.zone, at_s)
        return window


def _next_day(expression: str, day: int) -> float:
    """The first day from *day* on that matches *expression*, in days since 1970; infinity if none does."""
    try:
        # With an explicit start and floats croniter asks no clock, and frozen time changes nothing.
        cron = croniter(expression, day * _DAY_S - 1, max_years_between_matches=_YEARS_BETWEEN_DAYS)
        return float(cron.get_next(float) // _DAY_S)
    except CroniterBadDateError:
        return math.inf


def _window_from(zone: ZoneInfo, start_s: int) -> _Window:
    """The window from *start_s* to the next change of offset, or of a year if none comes."""
    offset_s = _offset_s(zone, start_s)
    same_s, limit_s = start_s, start_s + _WINDOW_MAX_S
    while same_s < limit_s:
        changed_s = same_s + _PROBE_S
        if _offset_s(zone, changed_s) != offset_s:
            while changed_s - same_s > 1:
                middle_s = (same_s + changed_s) // 2
                if _offset_s(zone, middle_s) == offset_s:
                    same_s = middle_s
                else:
                    changed_s = middle_s
            return _Window(start_s, changed_s, offset_s)
        same_s = changed_s
    return _Window(start_s, same_s, offset_s)


def _offset_s(zone: ZoneInfo, at_s: int) -> int:
    offset = (_EPOCH + timedelta(seconds=at_s)).astimezone(zone).utcoffset()
    return 0 if offset is None else offset // _SECOND


def _year(local_s: int) -> int:
    return (_EPOCH + timedelta(seconds=local_s)).year


# The grammar: robfig/cron v3 parser.go, function by function, with its order of checks.


def _invalid(reason: str) -> ValueError:
    return ValueError(f"Invalid cron expression {reason}")


def _plan(text: str) -> _Calendar | _Every:
    if not text:
        raise _invalid("empty spec string")
    zone = None
    if text.startswith(("TZ=", "CRON_TZ=")):
        prefix, space, rest = text.partition(" ")
        if not space:
            raise _invalid("expected exactly 5 fields, found 0: []")  # assumed: robfig panics
        zone = _zone(prefix[prefix.index("=") + 1 :])
        text = rest.strip(_SPACES)
    if text.startswith(_EVERY):
        return _every(text)
    if text.startswith("@"):
        if text not in _DESCRIPTORS:
            raise _invalid(f"unrecognized descriptor: {text}")
        text = _DESCRIPTORS[text]
    words = _WORD.findall(text)
    if len(words) != 5:
        raise _invalid(f"expected exactly 5 fields, found {len(words)}: [{' '.join(words)}]")
    minutes = _field(words[0], 0, 59)
    hours = _field(words[1], 0, 23)
    days = _days(_field(words[2], 1, 31), _field(words[3], 1, 12, _MONTHS), _field(words[4], 0, 6, _WEEKDAYS))
    times = sorted(hour * 3_600 + minute * 60 for hour in hours.values for minute in minutes.values)
    return _Calendar(zone, tuple(times), days)


def _zone(name: str) -> ZoneInfo | None:
    """Go's time.LoadLocation; "Local" is the zone of the service's machines. assumed: UTC."""
    if name in ("", "UTC", "Local"):
        return None
    if ".." in name or name.startswith(("/", "\\")):
        raise _invalid(f"provided bad location {name}: time: invalid location name")
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown; not a path inside the database; a folder of it
        raise _invalid(f"provided bad location {name}: unknown time zone {name}") from None


def _every(descriptor: str) -> _Every:
    try:
        return _Every(max(go_duration_ms(descriptor.removeprefix(_EVERY)) // 1_000, 1))
    except ValueError as error:
        raise _invalid(f"failed to parse duration {descriptor}: {error}") from None


class _Field(NamedTuple):
    values: frozenset[int]
    star: bool  # robfig's star bit: an item was `*` or `?`, with no step or a step of one


def _field(text: str, low: int, high: int, names: tuple[str, ...] = ()) -> _Field:
    values: set[int] = set()
    star = False
    for item in text.split(","):
        if item:  # robfig skips empty items; of nothing but commas an empty set is left, which never matches
            item_values, item_star = _range(item, low, high, names)
            values.update(item_values)
            star = star or item_star
    return _Field(frozenset(values), star)


def _range(item: str, low: int, high: int, names: tuple[str, ...]) -> tuple[range, bool]:
    bounds, *steps = item.split("/")
    first, *lasts = bounds.split("-")
    star = first in ("*", "?")
    if star:
        start, end = low, high  # what follows a hyphen is not even read
    else:
        start = end = _number_or_name(first, low, names)
        if len(lasts) == 1:
            end = _number_or_name(lasts[0], low, names)
        elif lasts:
            raise _invalid(f"too many hyphens: {item}")
    step = 1
    if len(steps) == 1:
        step = _number(steps[0])
        if not lasts:
            end = high
        star = star and step <= 1
    elif steps:
        raise _invalid(f"too many slashes: {item}")
    if start < low:
        raise _invalid(f"beginning of range ({start}) below minimum ({low}): {item}")
    if end > high:
        raise _invalid(f"end of range ({end}) above maximum ({high}): {item}")
    if start > end:
        raise _invalid(f"beginning of range ({start}) beyond end of range ({end}): {item}")
    if step == 0:
        raise _invalid(f"step of range should be a positive number: {item}")
    return range(start, end + 1, step), star


def _number_or_name(text: str, low: int, names: tuple[str, ...]) -> int:
    name = text.lower()
    return low + names.index(name) if name in names else _number(text)


def _number(text: str) -> int:
    fault = "invalid syntax"
    if _INTEGER.fullmatch(text):
        number = int(text) if len(text) < 4_000 else 1 << 63  # int() takes no text much longer than that
        if 0 <= number < 1 << 63:
            return number
        if -(1 << 63) <= number < 0:
            raise _invalid(f"negative number ({number}) not allowed: {text}")
        fault = "value out of range"
    raise _invalid(f"failed to parse int from {text}: strconv.Atoi: parsing {_quoted(text)}: {fault}")


def _quoted(text: str) -> str:
    """Go's strconv.Quote, of a text without control characters: none comes in a header."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _days(days: _Field, months: _Field, weekdays: _Field) -> tuple[str, ...]:
    """The croniter expressions whose union are the matching days (robfig/cron v3 spec.go, dayMatches).

    With a star, day and weekday must both match, and the star's side always does; without, either is enough.
    Each expression restricts one side at most, so croniter's own rules for the two have no say.
    """
    day, month, weekday = _written(days, 31), _written(months, 12), _written(weekdays, 7)
    both = days.star or weekdays.star
    pairs = [(day, weekday)] if both else [(day, "*"), ("*", weekday)]
    return tuple(f"0 0 {day} {month} {weekday}" for day, weekday in pairs if day and month and weekday)


def _written(values: _Field, size: int) -> str:
    return "*" if len(values.values) == size else ",".join(map(str, sorted(values.values)))
