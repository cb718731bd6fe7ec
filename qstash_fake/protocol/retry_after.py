"""The value of `Retry-After` and the like: seconds, the date of an HTTP header, or a Go duration.

Knows the three spellings; not which headers count, nor which wait is too long.
"""

from __future__ import annotations

import re

from qstash_fake.protocol.durations import go_duration_ms
from qstash_fake.protocol.moments import http_date_ms

_SECONDS = re.compile(r"[-+]?[0-9]{1,18}")


def wait_ms(text: str, now_ms: int) -> int | None:
    """Return the milliseconds from *now_ms* (unix) that *text* asks for; None if unreadable.

    A past date and a negative number give a negative wait.
    """
    text = text.strip(" \t")
    if _SECONDS.fullmatch(text):
        return int(text) * 1_000
    try:
        date_ms = http_date_ms(text)
        return go_duration_ms(text) if date_ms is None else date_ms - now_ms
    except ValueError:
        return None
