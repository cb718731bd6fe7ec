"""Cron fields: which texts are a cron, and which minutes, hours and days its five fields stand for.

The grammar is that of robfig/cron v3, parser.go, function by function and with its order of
checks; the service refuses a cron in that library's words. Knows texts and sets of numbers; not
calendars, not instants.
"""

from __future__ import annotations

import re
from datetime import UTC, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo

from qstash_fake.protocol.durations import go_duration_ms

_EN_TO_HAIR_SPACE = "".join(map(chr, range(0x2000, 0x200B)))
# Go unicode.IsSpace; str.isspace() would add U+001C to U+001F
SPACES = f"\t\n\v\f\r \x85\xa0\u1680{_EN_TO_HAIR_SPACE}\u2028\u2029\u202f\u205f\u3000"
_WORD = re.compile(f"[^{SPACES}]+")
_INTEGER = re.compile(r"[+-]?[0-9]+")  # Go strconv.Atoi; int() would add underscores, spaces and other digits

_INT64 = range(-(1 << 63), 1 << 63)
_LONGEST = 4_000  # int() takes no text much longer; so many digits are out of range

_DESCRIPTORS = {  # parseDescriptor
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_EVERY = "@every "
_UTC_NAMES = frozenset({"", "UTC", "Local"})  # Go's; "Local" is the zone of the service's machines. assumed: UTC
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


class Field(NamedTuple):
    """The numbers that one field stands for, and whether it counts as a star.

    robfig keeps one bit more than the numbers: whether an item of the field was `*` or `?`,
    without a step or with a step of one. `*` and `0-6` mean the same weekdays, but only `*` has
    the bit, and `*/2` has it not. The bit decides how day and weekday are combined, see
    `cron._days`.
    """

    values: frozenset[int]
    star: bool


class Fields(NamedTuple):
    """A cron of five fields, on the wall clock of *zone*."""

    zone: tzinfo
    minutes: Field
    hours: Field
    days: Field
    months: Field
    weekdays: Field


class Every(NamedTuple):
    """`@every`: a firing each *delay_s* seconds, with no calendar."""

    delay_s: int


def parse_cron(text: str) -> Fields | Every:
    """Return what *text*, trimmed, means; ValueError in the service's words if it is no cron."""
    if not text:
        raise _invalid("empty spec string")
    zone: tzinfo = UTC
    if text.startswith(("TZ=", "CRON_TZ=")):
        prefix, space, rest = text.partition(" ")
        if not space:
            raise _invalid("expected exactly 5 fields, found 0: []")  # assumed: robfig panics
        zone = _zone(prefix[prefix.index("=") + 1 :])
        text = rest.strip(SPACES)
    if text.startswith(_EVERY):
        return _every(text)
    if text.startswith("@"):
        if text not in _DESCRIPTORS:
            raise _invalid(f"unrecognized descriptor: {text}")
        text = _DESCRIPTORS[text]
    words = _WORD.findall(text)
    if len(words) != 5:
        raise _invalid(f"expected exactly 5 fields, found {len(words)}: [{' '.join(words)}]")
    return Fields(
        zone=zone,
        minutes=_field(words[0], 0, 59),
        hours=_field(words[1], 0, 23),
        days=_field(words[2], 1, 31),
        months=_field(words[3], 1, 12, _MONTHS),
        weekdays=_field(words[4], 0, 6, _WEEKDAYS),
    )


def _invalid(reason: str) -> ValueError:
    return ValueError(f"Invalid cron expression {reason}")


def _zone(name: str) -> tzinfo:
    """Go's time.LoadLocation."""
    if name in _UTC_NAMES:
        return UTC
    if ".." in name or name.startswith(("/", "\\")):
        raise _invalid(f"provided bad location {name}: time: invalid location name")
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown; not a path inside the database; a folder of it
        raise _invalid(f"provided bad location {name}: unknown time zone {name}") from None


def _every(descriptor: str) -> Every:
    try:
        delay_ms = go_duration_ms(descriptor.removeprefix(_EVERY))
    except ValueError as error:
        raise _invalid(f"failed to parse duration {descriptor}: {error}") from None
    return Every(max(delay_ms // 1_000, 1))


def _field(text: str, low: int, high: int, names: tuple[str, ...] = ()) -> Field:
    # robfig skips empty items; commas alone leave an empty set, which never matches.
    ranges = [_range(item, low, high, names) for item in text.split(",") if item]
    return Field(
        values=frozenset(number for values, _ in ranges for number in values),
        star=any(star for _, star in ranges),
    )


def _range(item: str, low: int, high: int, names: tuple[str, ...]) -> tuple[range, bool]:
    """Return the numbers of `first`, `first-last` or either with `/step`, and the star bit."""
    bounds, *steps = item.split("/")
    first, *lasts = bounds.split("-")
    star = first in ("*", "?")
    if star:
        start, end = low, high  # the text behind a hyphen is not even read
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
            end = high  # `3/10` is 3 to the end in steps of 10
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
        number = int(text[:_LONGEST])
        if number in _INT64:
            if number < 0:
                raise _invalid(f"negative number ({number}) not allowed: {text}")
            return number
        fault = "value out of range"
    raise _invalid(f"failed to parse int from {text}: strconv.Atoi: parsing {_quoted(text)}: {fault}")


def _quoted(text: str) -> str:
    """Go's strconv.Quote, of a text without control characters: none comes in a header."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
