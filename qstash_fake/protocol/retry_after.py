"""The wait that an app asks for in the headers of a failed response.

Knows the four headers and the three spellings of a value; not the backoff that holds when it says None.
"""

import re
from collections.abc import Iterable

from qstash_fake.protocol.durations import go_duration_ms
from qstash_fake.protocol.moments import http_date_ms

# QStash docs, features/retry; assumed: the first usable one in this order wins
HEADERS = ("Retry-After", "X-RateLimit-Reset", "X-RateLimit-Reset-Requests", "X-RateLimit-Reset-Tokens")
# QStash docs, features/retry: a longer wait is ignored, and with it a reset given as a unix time
MAX_WAIT_MS = 86_400_000

_SECONDS = re.compile(r"[-+]?[0-9]{1,18}")


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
        date_ms = http_date_ms(text)
        return go_duration_ms(text) if date_ms is None else date_ms - now_ms
    except ValueError:
        return None
