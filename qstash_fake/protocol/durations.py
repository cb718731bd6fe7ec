"""Durations: text and Python values to whole milliseconds, and back to text for people.

Three grammars: Go's `time.ParseDuration`, for answers of applications and `@every`; the grammar of
the service's headers, which is Go's with longer units; and the grammar of our Python API, which has
the units of the headers. Knows units and exact arithmetic; not what a duration is for, nor which
one is too long for a plan.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import timedelta
from fractions import Fraction
from functools import lru_cache

Duration = int | float | str | timedelta  # what the Python API takes; a bare number is seconds

# largest first; for people, who do not ask how long a month is
_UNITS_MS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
_GO_UNITS_NS = {  # Go's time.ParseDuration; micro is written with u, the micro sign or the Greek mu
    "ns": 1,
    "us": 1_000,
    "\u00b5s": 1_000,
    "\u03bcs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_DAY_NS = 24 * _GO_UNITS_NS["h"]
_HEADER_UNITS_NS = _GO_UNITS_NS | {  # a review of the vendor's (qstash-js, 173) says Go's; `d` and more: QStash docs
    "d": _DAY_NS,
    "w": 7 * _DAY_NS,
    "mo": 30 * _DAY_NS,  # assumed: a month has 30 days
    "y": 365 * _DAY_NS,  # assumed: a year has 365
}
_GO_MAX_NS = 2**63 - 1  # Go counts nanoseconds in an int64: about 292 years
# Leading zeros, whole number, decimals, unit; never empty, cuts up any text. Decimals past the fortieth count for
# nothing: a nanosecond of a year is the sixteenth.
_GO_PART = re.compile(r"(?=.)(0*)([0-9]*)(?:\.([0-9]{0,40})[0-9]*)?([^.0-9]*)", re.DOTALL)

# assumed: nobody means a number of more than 18 digits; the bound keeps the arithmetic cheap
_MAX_SECONDS = 10**18
_DIGITS = "[0-9]{1,18}"
_BARE_SECONDS = re.compile(_DIGITS)
_UNIT = "|".join(sorted(_HEADER_UNITS_NS, key=len, reverse=True))  # the longer first: "mo" is no "m"
_API_PART = re.compile(rf"({_DIGITS}(?:\.{_DIGITS})?)({_UNIT})")
_API = re.compile(rf"(?:{_API_PART.pattern})+")


def header_ms(text: str) -> int:
    """Return the milliseconds, floored, of a header: "10s", "1d10h30m", "1.5h", "500ms".

    ValueError is in Go's words. Source: QStash docs, features/delay; a real answer refuses "90",
    which has no unit.
    """
    trimmed = text.strip(" \t")
    duration_ms = go_duration_ms(trimmed, _HEADER_UNITS_NS)
    if duration_ms < 0:
        raise ValueError(f"duration {_quoted(trimmed)} is negative")
    return duration_ms


def seconds_or_header_ms(text: str) -> int:
    """Return the milliseconds of a header that may also be a bare whole number of seconds.

    The Workflow SDKs send time-outs like that.
    """
    trimmed = text.strip(" \t")
    return int(trimmed) * 1_000 if _BARE_SECONDS.fullmatch(trimmed) else header_ms(trimmed)


def to_ms(duration: Duration) -> int:
    """Return the milliseconds, floored, of seconds, a timedelta or a compound such as "1h30m"."""
    if isinstance(duration, bool):
        raise ValueError(f"a duration cannot be {duration}: give seconds, a timedelta or a text such as '5m'")
    if isinstance(duration, str):
        return _compound_ms(duration)
    if isinstance(duration, timedelta):
        if duration < timedelta(0):
            raise ValueError(f"a duration cannot be negative: {duration!r}")
        return duration // timedelta(milliseconds=1)
    if not isinstance(duration, int | float):
        raise TypeError(
            f"a duration is a number of seconds, a timedelta or a text such as '5m', not {type(duration).__name__}"
        )
    if isinstance(duration, float) and not math.isfinite(duration):
        raise ValueError(f"a duration must be finite, not {duration}")
    if abs(duration) >= _MAX_SECONDS:
        raise ValueError("a duration has at most 18 digits of seconds")
    if duration < 0:
        raise ValueError(f"a duration cannot be negative: {duration} seconds")
    # a float means the decimal number it prints as: 1.001 is 1001 ms, though its binary value
    # lies just below
    seconds = Fraction(float.__repr__(duration)) if isinstance(duration, float) else duration
    return math.floor(seconds * 1_000)


def format_ms(ms: int) -> str:
    """Return the shortest compound for people: 148_000 is "2m28s", 0 is "0s"."""
    if ms == 0:
        return "0s"
    parts = []
    rest = abs(ms)
    for unit, unit_ms in _UNITS_MS.items():
        count, rest = divmod(rest, unit_ms)
        if count:
            parts.append(f"{count}{unit}")
    return ("-" if ms < 0 else "") + "".join(parts)


def go_duration_ms(text: str, units_ns: Mapping[str, int] = _GO_UNITS_NS) -> int:
    """Return the milliseconds, floored, of Go's `time.ParseDuration`: "6m5s", "-1.5h", "0".

    ValueError is in Go's words. Go cuts the text into parts, each a number and the unit that
    follows it; a unit is everything up to the next digit or point. It checks part by part, first
    the number, then the unit, and at the end the sum. The arithmetic is in whole nanoseconds, and
    flooring to milliseconds comes last.
    """
    unsigned = text[1:] if text.startswith(("+", "-")) else text
    if unsigned == "0":
        return 0
    if not unsigned:
        raise ValueError(f"time: invalid duration {_quoted(text)}")
    total_ns = 0
    for zeros, whole, decimals, unit in _GO_PART.findall(unsigned):
        if not (zeros or whole or decimals) or len(whole) > 19:
            raise ValueError(f"time: invalid duration {_quoted(text)}")
        if not unit:
            raise ValueError(f"time: missing unit in duration {_quoted(text)}")
        if unit not in units_ns:
            raise ValueError(f"time: unknown unit {_quoted(unit)} in duration {_quoted(text)}")
        total_ns += int(whole or "0") * units_ns[unit]
        total_ns += int(decimals or "0") * units_ns[unit] // 10 ** len(decimals)
    if total_ns > _GO_MAX_NS:
        raise ValueError(f"time: invalid duration {_quoted(text)}")
    return (-total_ns if text.startswith("-") else total_ns) // 1_000_000


def _quoted(text: str) -> str:
    """Return *text* as Go's package time quotes it in its errors, cut where it is long."""
    shown = text if len(text) <= 80 else text[:77] + "..."
    return '"' + "".join(map(_escaped, shown)) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if " " <= character <= "\x7f":
        return character
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogatepass"))


@lru_cache(64)  # every test uses the same few, and each fake has its limits
def _compound_ms(text: str) -> int:
    trimmed = text.strip()
    if not _API.fullmatch(trimmed):
        raise ValueError(
            f"invalid duration {_shown(text)}: write numbers with the units ns, us, ms, s, m, h, d, w, "
            'mo (30 days) or y (365 days), such as "5m", "1h30m" or "250ms", without a sign; at most 18 digits each'
        )
    parts = _API_PART.findall(trimmed)
    total_ns = sum((Fraction(number) * _HEADER_UNITS_NS[unit] for number, unit in parts), start=Fraction(0))
    return math.floor(total_ns / 1_000_000)


def _shown(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "...")
