"""Durations: text and Python values to whole milliseconds, and back to text for people.

Three grammars: the service's headers, our Python API, and Go's `time.ParseDuration`, in which apps answer.
Knows units and exact arithmetic; not what a duration is for, nor which one is too long for a plan.
"""

import math
import re
from collections.abc import Mapping
from datetime import timedelta
from fractions import Fraction

Duration = int | float | str | timedelta  # what the Python API takes; a bare number is seconds

# largest first, as people write them
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
_GO_MAX_NS = 2**63 - 1  # Go counts nanoseconds in an int64: about 292 years

# assumed: nobody means a number of more than 18 digits; the bound keeps the arithmetic cheap
_MAX_SECONDS = 10**18
_DIGITS = "[0-9]{1,18}"
_BARE_SECONDS = re.compile(_DIGITS)
_HEADER_PART = re.compile(rf"({_DIGITS})([smhd])")
_HEADER = re.compile(rf"(?:{_HEADER_PART.pattern})+")
_API_PART = re.compile(rf"({_DIGITS}(?:\.{_DIGITS})?)(ms|[smhd])")
_API = re.compile(rf"(?:{_API_PART.pattern})+")
_GO_PART = re.compile(rf"({_DIGITS}(?:\.[0-9]{{0,18}})?|\.{_DIGITS})(ns|us|\u00b5s|\u03bcs|ms|[smh])")
_GO = re.compile(rf"[-+]?(?:{_GO_PART.pattern})+")


def header_ms(text: str) -> int:
    """Milliseconds of a header such as `Upstash-Delay`: "10s", "1d10h30m", or a bare integer of seconds.

    Source: QStash docs, features/delay; the bare integer is what the workflow SDKs send.
    """
    trimmed = text.strip(" \t")
    if _BARE_SECONDS.fullmatch(trimmed):
        return int(trimmed) * 1_000
    if _HEADER.fullmatch(trimmed):
        return math.floor(_total(_HEADER_PART, trimmed, _UNITS_MS))
    raise ValueError(
        f"invalid duration {_shown(text)}: write whole numbers with the units s, m, h or d, "
        'such as "10s" or "1d10h30m", or a whole number of seconds; at most 18 digits each'
    )


def to_ms(duration: Duration) -> int:
    """Milliseconds of a Python duration: seconds, a timedelta or a compound such as "1h30m"; floored."""
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
    # a float means the decimal number it prints as: 1.001 is 1001 ms, though its binary value lies just below
    seconds = Fraction(float.__repr__(duration)) if isinstance(duration, float) else duration
    return math.floor(seconds * 1_000)


def format_ms(ms: int) -> str:
    """The shortest compound for people: 148_000 is "2m28s", 0 is "0s"."""
    if ms == 0:
        return "0s"
    parts = []
    rest = abs(ms)
    for unit, unit_ms in _UNITS_MS.items():
        count, rest = divmod(rest, unit_ms)
        if count:
            parts.append(f"{count}{unit}")
    return ("-" if ms < 0 else "") + "".join(parts)


def go_duration_ms(text: str) -> int:
    """Milliseconds, floored, of what Go's `time.ParseDuration` reads: "6m5s", "1.5h", "-250us", "0"."""
    if text in ("0", "+0", "-0"):
        return 0
    if not _GO.fullmatch(text):
        raise ValueError(
            f'invalid Go duration {_shown(text)}: write numbers with the units ns, us, ms, s, m or h, such as "6m5s"'
        )
    total_ns = _total(_GO_PART, text, _GO_UNITS_NS)
    if total_ns > _GO_MAX_NS:
        raise ValueError(f"invalid Go duration {_shown(text)}: longer than Go can count, about 292 years")
    return math.floor((-total_ns if text.startswith("-") else total_ns) / 1_000_000)


def _compound_ms(text: str) -> int:
    trimmed = text.strip()
    if not _API.fullmatch(trimmed):
        raise ValueError(
            f"invalid duration {_shown(text)}: write numbers with the units ms, s, m, h or d, "
            'such as "5m", "1h30m" or "250ms", without a sign; at most 18 digits each'
        )
    return math.floor(_total(_API_PART, trimmed, _UNITS_MS))


def _total(part: re.Pattern[str], text: str, units: Mapping[str, int]) -> Fraction:
    """The sum of all parts of *text*, exactly, in what *units* counts."""
    return sum((Fraction(number) * units[unit] for number, unit in part.findall(text)), start=Fraction(0))


def _shown(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "...")
