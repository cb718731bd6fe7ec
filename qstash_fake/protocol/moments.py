"""Moments: an instant as unix milliseconds, datetime, ISO 8601 text and HTTP date.

Inside the fake an instant is an `int` of milliseconds since 1970; here it is read and written for
everybody else. Knows calendars; not which instant is now. HTTP dates are computed in whole
numbers: an application time that is frozen meanwhile changes nothing.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

LAST_SECOND = 253_402_300_799  # 9999-12-31T23:59:59Z, where datetimes end; assumed: no message is due later
LAST_MS = LAST_SECOND * 1_000 + 999

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = 719_163  # date(1970, 1, 1).toordinal()
_MILLISECOND = timedelta(milliseconds=1)

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_HTTP_DATE = re.compile(  # RFC 1123; assumed: the two obsolete forms of an HTTP date are not read
    rf"(?:(?:mon|tue|wed|thu|fri|sat|sun),[ ]+)?([0-9]{{1,2}})[ ]+({'|'.join(_MONTHS)})[ ]+([0-9]{{4}})[ ]+"
    r"([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9])[ ]+(?:gmt|utc|ut|z|([-+])([01][0-9]|2[0-3])([0-5][0-9]))",
    re.IGNORECASE | re.ASCII,
)


def to_datetime(time_ms: int) -> datetime:
    """Return unix milliseconds, at most `LAST_MS`, as an aware UTC datetime."""
    return _EPOCH + timedelta(milliseconds=min(time_ms, LAST_MS))


def moment_to_ms(moment: datetime | str) -> int:
    """Return an aware datetime, or an ISO 8601 text, as unix milliseconds, floored.

    A text without an offset is UTC.
    """
    if isinstance(moment, str):
        try:
            parsed = datetime.fromisoformat(moment)
        except ValueError:
            raise ValueError(f"{moment!r} is no ISO 8601 time such as '2026-01-01T09:00:00Z'") from None
        moment = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    if not isinstance(moment, datetime):
        raise TypeError(f"{moment!r} is neither a datetime nor an ISO 8601 text")
    if moment.tzinfo is None:
        raise ValueError(f"{moment!r} is naive: give it a time zone, such as tzinfo=UTC")
    return (moment - _EPOCH) // _MILLISECOND


def iso(moment: datetime) -> str:
    """Return a UTC datetime as short as it is exact: `2026-01-01T00:00:12Z`, `…12.345Z`."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}{f'.{moment.microsecond // 1000:03}' if moment.microsecond else ''}Z"


def http_date_ms(text: str) -> int | None:
    """Return the unix milliseconds of `Thu, 01 Jan 2026 00:00:30 GMT`; None for another form.

    ValueError if the form is right and the day is not, such as 30 February. The name of the day
    is not checked.
    """
    parts = _HTTP_DATE.fullmatch(text)
    if parts is None:
        return None
    day, month, year, hour, minute, second, sign, zone_hours, zone_minutes = parts.groups()
    days = date(int(year), _MONTHS.index(month.lower()) + 1, int(day)).toordinal() - _EPOCH_DAY
    minutes = (days * 24 + int(hour)) * 60 + int(minute)
    if sign:
        zone = int(zone_hours) * 60 + int(zone_minutes)
        minutes -= zone if sign == "+" else -zone
    return (minutes * 60 + int(second)) * 1_000
