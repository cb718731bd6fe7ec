"""Retries: whether a failed message is tried again, and when. QStash docs, features/retry.

1. **Count.** A message has *max_retries* retries after its first attempt: 3, or what
   `Upstash-Retries` says. An answer 489 with `Upstash-NonRetryable-Error: true` uses up all of
   them.
2. **Wait**, from the end of the failed attempt. The first of these that has one decides (the
   order is assumed):
   - the answer's headers `Retry-After` and the like, in the order of `HEADERS`; one that cannot be
     read, or that asks for more than a day, gives way to the next (assumed);
   - the message's expression, `Upstash-Retry-Delay`, which is told how many retries were made
     before;
   - the backoff, min(86400, e^(2.5 n)) seconds before retry n.

Everything that decides about retries stands here. Knows one message and one outcome; not states,
not the agenda.
"""

from __future__ import annotations

import math

from qstash_fake.broker.message import Message, Outcome
from qstash_fake.protocol import http, retry_after
from qstash_fake.protocol.expressions import Expression
from qstash_fake.protocol.http import Headers

DEFAULT_RETRIES = 3  # QStash docs, features/retry
NON_RETRYABLE_STATUS = 489  # with the header below; QStash docs, features/retry
NON_RETRYABLE_HEADER = "upstash-nonretryable-error"
# In lower case. QStash docs, features/retry; assumed: the first usable one in this order wins
HEADERS = ("retry-after", "x-ratelimit-reset", "x-ratelimit-reset-requests", "x-ratelimit-reset-tokens")
# QStash docs, features/retry: the longest backoff, and the longest wait that a header may ask for
# (a reset that is given as a unix time is longer, and ignored). Assumed: the longest wait of
# an expression.
MAX_WAIT_MS = 86_400_000


def wait_ms(message: Message, outcome: Outcome, now_ms: int) -> int | None:
    """Return the milliseconds from *now_ms*, the end of the failed attempt, to the next attempt.

    None if *outcome*, or the number of attempts, leaves no retry.
    """
    if message.retried > message.max_retries or _non_retryable(outcome):
        return None
    asked_ms = _asked_ms(outcome.headers, now_ms)
    if asked_ms is not None:
        return asked_ms
    if message.options.retry_delay is not None:
        return _computed_ms(message.options.retry_delay, message.retried - 1)
    return default_backoff_ms(message.retried)


def default_backoff_ms(retry_number: int) -> int:
    """Return the milliseconds before retry *retry_number*: 12, 148, 1808, 22026 s, then a day."""
    seconds = math.floor(math.exp(2.5 * min(retry_number, 5)))  # whole seconds; the fifth is already past a day
    return min(MAX_WAIT_MS, seconds * 1_000)


def _non_retryable(outcome: Outcome) -> bool:
    marked = http.first(outcome.headers, NON_RETRYABLE_HEADER)
    return outcome.status == NON_RETRYABLE_STATUS and marked is not None and marked.strip().lower() == "true"


def _asked_ms(headers: Headers, now_ms: int) -> int | None:
    for name in HEADERS:
        asked_ms = retry_after.wait_ms(http.first(headers, name) or "", now_ms)
        if asked_ms is not None and asked_ms <= MAX_WAIT_MS:
            return max(0, asked_ms)  # assumed: a negative number is at once, as a past date is
    return None


def _computed_ms(expression: Expression, retried: int) -> int:
    value = expression.evaluate(retried)
    if math.isnan(value):
        return 0  # assumed: 0/0, sqrt(-1) and the like retry at once
    return int(min(max(value, 0.0), MAX_WAIT_MS))  # assumed: negative is at once, infinite is a day
