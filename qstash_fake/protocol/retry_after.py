"""The wait that an app asks for in the headers of a failed response.

Knows the four headers and the three spellings of a value; not the backoff that holds when it says None. Dates
are computed in whole numbers, so a frozen or replaced `datetime` changes nothing.
"""

import re
from collections.abc import Iterable
from datetime import date

from qstash_fake.protocol.durations import go_duration_ms

# QStash docs, features/retry; assumed: the first usable one in this order wins
HEADERS = ("Retry-After", "X-RateLimit-Reset", "X-RateLimit-Reset-Requests", "X-RateLimit-Reset-Tokens")
# QStash docs, features/retry: a longer wait is ignored, and with it a reset given as a unix time
MAX_WAIT_MS = 86_400_000

_SECONDS = re.compile(r"[-+]?[0-9]{1,18}")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DATE = re.compile(  # RFC 1123; assumed: the two obsolete forms of an HTTP date are not read
    rf"(?:(?:mon|tue|wed|thu|fri|sat|sun),[ ]+)?([0-9]{{1,2}})[ ]+({'|'.join(_MONTHS)})[ ]+([0-9]{{4}})[ ]+"
    r"([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9])[ ]+(?:gmt|utc|ut|z|([-+])([01][0-9]|2[0-3])([0-5][0-9]))",
    re.IGNORECASE | re.ASCII,
)
_EPOCH_DAY = 719_163  # date(1970, 1, 1).toordinal()


def wait_ms(headers: Iterable[tuple[str, str]], now_ms: int) -> int | None:
    """Milliseconds to wait from *now_ms* (unix); 0 is at once, None that no header is usable."""
    values: dict[str, str] = {}
    for name, value in headers:
        values.setdefault(name.lower(), value)
    for name in HEADERS:
        wait = _value_ms(values.get(name.lower(), ""), now_ms)
        # assumed: a header that is ignored gives way to the next one
        if wait is not None and wait <= MAX_WAIT_MS:
            return max(0, wait)  # assumed: a negative number is at once, as a past date is
    return None


def _value_ms(text: str, now_ms: int) -> int | None:
    text = text.strip(" \t")
    if _SECONDS.fullmatch(text):
        return int(text) * 1_000
    try:
        if parts := _DATE.fullmatch(text):
            return _unix_ms(parts) - now_ms
        return go_duration_ms(text)
    except ValueError:
        return None


def _unix_ms(parts: re.Match[str]) -> int:
    day, month, year, hour, minute, second, sign, zone_hours, zone_minutes = parts.groups()
    days = date(int(year), _MONTHS.index(month.lower()) + 1, int(day)).toordinal() - _EPOCH_DAY
    minutes = (days * 24 + int(hour)) * 60 + int(minute)
    if sign:
        zone = int(zone_hours) * 60 + int(zone_minutes)
        minutes -= zone if sign == "+" else -zone
    return (minutes * 60 + int(second)) * 1_000
