"""Quotas of a plan, opt-in. Times in milliseconds, sizes in bytes; the error texts are QStash's own."""

from __future__ import annotations

from dataclasses import dataclass

from qstash_fake.errors import Refused, UsageError
from qstash_fake.protocol.moments import LAST_MS
from qstash_fake.protocol.options import Options

DAY_MS = 86_400_000
_HOUR_MS, _MINUTE_MS, _MIB = 3_600_000, 60_000, 1_048_576
MAX_RETRIES = 999  # assumed: of every account. The Developer API shows it; no plan has a quota for it any more


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What an account may do; None is no limit. QStash pricing page, August 2026."""

    messages_per_day: int | None = None
    message_size: int
    """Of a body; the answer of a destination is cut to it where it is stored and in callbacks. QStash FAQ."""
    delay_ms: int | None = None
    timeout_ms: int
    dead_letters_ms: int
    """How long dead letters are kept."""
    logs_ms: int
    """How long log entries are kept."""
    schedules: int
    queues: int
    url_groups: int
    endpoints: int
    parallelism: int
    """Attempts in flight: what comes above it waits, and nothing is refused. QStash blog, February 2025."""
    queue_parallelism: int


PLANS: dict[str, Plan] = {
    "free": Plan(
        messages_per_day=1_000,
        message_size=1 * _MIB,
        delay_ms=7 * DAY_MS,
        timeout_ms=15 * _MINUTE_MS,
        dead_letters_ms=3 * DAY_MS,
        logs_ms=3 * DAY_MS,
        schedules=10,
        queues=10,
        url_groups=1,
        endpoints=100,
        parallelism=10,
        queue_parallelism=2,
    ),
    "payg": Plan(
        message_size=10 * _MIB,
        delay_ms=365 * DAY_MS,
        timeout_ms=2 * _HOUR_MS,
        dead_letters_ms=7 * DAY_MS,
        logs_ms=7 * DAY_MS,
        schedules=1_000,
        queues=100,
        url_groups=100,
        endpoints=100,
        parallelism=100,
        queue_parallelism=10,
    ),
    # The messages a day of the fixed plans are a soft limit, without an error. QStash FAQ.
    "fixed-1m": Plan(
        message_size=50 * _MIB,
        timeout_ms=6 * _HOUR_MS,
        dead_letters_ms=30 * DAY_MS,
        logs_ms=14 * DAY_MS,
        schedules=10_000,
        queues=1_000,
        url_groups=1_000,
        endpoints=1_000,
        parallelism=200,
        queue_parallelism=10,
    ),
    "fixed-10m": Plan(
        message_size=50 * _MIB,
        timeout_ms=12 * _HOUR_MS,
        dead_letters_ms=90 * DAY_MS,  # the pricing page says three months
        logs_ms=14 * DAY_MS,
        schedules=50_000,
        queues=1_000,
        url_groups=2_000,
        endpoints=2_000,
        parallelism=1_000,
        queue_parallelism=10,
    ),
}


def named(name: str | None) -> Plan | None:
    """Return the plan of this *name*, None for none; UsageError if there is no such plan."""
    if not name:
        return None
    if name not in PLANS:
        raise UsageError(f"plan={name!r} is unknown: use one of {', '.join(map(repr, PLANS))}")
    return PLANS[name]


def check_message(plan: Plan | None, options: Options, body: bytes, created_ms: int) -> None:
    """Refuse a message that is due too late to be represented, asks for too many retries, or exceeds its *plan*."""
    due_ms = first_due_ms(options, created_ms)
    if due_ms > LAST_MS:
        raise Refused(400, "invalid Upstash-Delay header: the message would be due beyond the year 9999")
    if plan is not None:
        if plan.delay_ms is not None:
            _check("maxDelay", due_ms - created_ms, plan.delay_ms, shown=plan.delay_ms // 1000)
        _check("maxMessageSize", len(body), plan.message_size, status=412)
    _check_attempts(plan, options)


def _check_attempts(plan: Plan | None, options: Options) -> None:
    """Check retries and timeout, those of callbacks too, which have no delay and whose body is not known yet."""
    _check("maxRetries", options.retries or 0, MAX_RETRIES, status=412)
    if plan is not None:
        _check("timeout", options.timeout_ms or 0, plan.timeout_ms, shown=plan.timeout_ms // 1000)
    for family in (options.callback_options, options.failure_callback_options):
        if family is not None:
            _check_attempts(plan, family)


# A quota on counts, in the word of its error → the field of the plan.
_COUNTS = {
    "maxSchedules": "schedules",
    "maxQueues": "queues",
    "maxTopics": "url_groups",
    "maxEndpointsPerTopic": "endpoints",
    "maxParallelism": "queue_parallelism",
}


def check_count(plan: Plan | None, quota: str, count: int) -> None:
    """Refuse *count* things of a kind when the *plan* allows fewer; *quota* is the name in the error."""
    if plan is not None:
        _check(quota, count, getattr(plan, _COUNTS[quota]), status=412)


def first_due_ms(options: Options, created_ms: int) -> int:
    """When a message created at *created_ms* is first due; a time to wait for wins over a delay."""
    if options.not_before_ms is not None:
        return max(created_ms, options.not_before_ms)
    return created_ms + (options.delay_ms or 0)


class DailyLimit:
    """Messages accepted in the current day of UTC (assumed), where the plan limits them."""

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self._day = -1
        self._count = 0

    def take(self, count: int, now_ms: int) -> None:
        """Count *count* messages, or refuse them with 429 and the headers that SDKs know the daily limit by."""
        self.check(count, now_ms)
        self.add(count, now_ms)

    def add(self, count: int, now_ms: int) -> None:
        """Count *count* messages that are accepted in any case."""
        if now_ms // DAY_MS != self._day:
            self._day, self._count = now_ms // DAY_MS, 0
        self._count += count

    def check(self, count: int, now_ms: int) -> None:
        """Refuse *count* more messages where they exceed the limit; count nothing."""
        if self.limit is None:
            return
        self.add(0, now_ms)
        if self._count + count > self.limit:
            reset = (self._day + 1) * DAY_MS // 1000
            headers = (
                ("RateLimit-Limit", str(self.limit)),
                ("RateLimit-Remaining", str(max(0, self.limit - self._count))),
                ("RateLimit-Reset", str(reset)),
            )
            raise Refused(429, f"Exceeded daily rate limit. {{limit: {self.limit}, reset: {reset}}}", headers)


def _check(quota: str, value: int, limit: int, *, shown: int | None = None, status: int = 400) -> None:
    # assumed: 400 for a delay and a timeout; for sizes and counts a source says 412
    if value > limit:
        raise Refused(status, f"quota {quota} exceeded, current limit: {limit if shown is None else shown}")
