"""The times that many tests wait for, as literals: whoever changes one of these laws changes it here.

The law itself is held to these numbers by one test: broker/test_retries.py.
"""

from datetime import UTC, datetime

# QStash docs, features/retry: the default backoff, in seconds from the end of an attempt to the start of the next
FIRST_RETRY_S = 12
SECOND_RETRY_S = 148
THIRD_RETRY_S = 1_808
FOURTH_RETRY_S = 22_026
LATER_RETRY_S = 86_400  # each one from the fifth on

DEFAULT_WAITS_S = [FIRST_RETRY_S, SECOND_RETRY_S, THIRD_RETRY_S]  # of a message that asks for nothing else


def at(hour: int = 0, minute: int = 0, second: int = 0, ms: int = 0) -> datetime:
    """Return that time of the first day of 2026, where many tests start."""
    return datetime(2026, 1, 1, hour, minute, second, ms * 1000, tzinfo=UTC)
