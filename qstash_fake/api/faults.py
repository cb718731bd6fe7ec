"""Faults of the API that a test asks for: rate limits, errors, broken connections."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

from qstash_fake.errors import ConnectionDropped, Refused, UsageError

# The headers by which the SDKs tell the kinds of 429 apart. Read off the SDKs.
_RATE_LIMITS: dict[str, Refused] = {
    "burst": Refused(
        429,
        "Exceeded burst rate limit.",
        (("Burst-RateLimit-Limit", "100"), ("Burst-RateLimit-Remaining", "0"), ("Burst-RateLimit-Reset", "1")),
    ),
    "daily": Refused(
        429,
        "Exceeded daily rate limit.",
        (("RateLimit-Limit", "1000"), ("RateLimit-Remaining", "0"), ("RateLimit-Reset", "86400")),
    ),
    "chat": Refused(
        429,
        "Exceeded chat rate limit.",
        (
            ("x-ratelimit-limit-requests", "100"),
            ("x-ratelimit-limit-tokens", "10000"),
            ("x-ratelimit-remaining-requests", "0"),
            ("x-ratelimit-remaining-tokens", "0"),
            ("x-ratelimit-reset-requests", "1s"),
            ("x-ratelimit-reset-tokens", "1s"),
        ),
    ),
}


class Asked(Refused):
    """A failure that a test has asked for; it is no problem, whatever its status."""


class Faults:
    """Faults that wait for the next calls, in the order in which they were asked for."""

    def __init__(self) -> None:
        self._waiting: deque[_Fault] = deque()

    def fail(self, kind: str | int = "burst", times: int = 1) -> None:
        """Answer the next *times* calls with 429 of *kind*, `burst`, `daily` or `chat`, or with a status."""
        if isinstance(kind, int):
            if not 400 <= kind <= 599:
                raise UsageError(f"fail({kind}): a status from 400 to 599 is a failure")
            refused = Refused(kind, f"qstash_fake was told to fail with {kind}")
        elif kind in _RATE_LIMITS:
            refused = _RATE_LIMITS[kind]
        else:
            raise UsageError(f"fail({kind!r}) is unknown: use {', '.join(map(repr, _RATE_LIMITS))} or a status")
        self._add(refused, times)

    def drop_connection(self, times: int = 1) -> None:
        """Break the connection of the next *times* calls; the SDKs retry that, with real sleeping by default."""
        self._add(None, times)

    def spend(self) -> None:
        """Raise the fault that waits for this call, if one does: Refused or ConnectionDropped."""
        if not self._waiting:
            return
        fault = self._waiting[0]
        fault.times -= 1
        if fault.times == 0:
            self._waiting.popleft()
        if fault.refused is None:
            raise ConnectionDropped("qstash_fake was told to drop this connection")
        raise Asked(fault.refused.status, fault.refused.error, fault.refused.headers)  # one exception is raised once

    def _add(self, refused: Refused | None, times: Any) -> None:
        if not isinstance(times, int) or times < 0:
            raise UsageError(f"times={times!r}: it is a number of calls")
        if times:
            self._waiting.append(_Fault(refused, times))


@dataclass(slots=True)
class _Fault:
    """The answer of the next *times* calls; None drops their connection."""

    refused: Refused | None
    times: int
