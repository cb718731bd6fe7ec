"""Conditions: what happens to an outcome between the application and QStash. A delivery has a chain of them.

A condition takes the message, the attempt and the outcome so far, and returns the outcome with its duration in virtual
time. It calls nobody: the application was called before, at the start of the attempt.
"""

from __future__ import annotations

from collections.abc import Callable

from qstash_fake.broker.message import Attempt, Message, Outcome

DEFAULT_TIMEOUT_MS = 15 * 60_000  # assumed: the shortest plan's limit

Condition = Callable[[Message, Attempt, Outcome], Outcome]


def takes(duration_ms: int) -> Condition:
    """Return the condition that an answer takes *duration_ms*."""

    def condition(message: Message, attempt: Attempt, outcome: Outcome) -> Outcome:
        return outcome._replace(duration_ms=max(outcome.duration_ms, duration_ms))

    return condition


def times_out(message: Message, attempt: Attempt, outcome: Outcome) -> Outcome:
    """Let the outcome, which is a time-out already, last as long as QStash waits for an answer."""
    return outcome._replace(duration_ms=DEFAULT_TIMEOUT_MS if message.timeout_ms is None else message.timeout_ms)


def within_timeout(message: Message, attempt: Attempt, outcome: Outcome) -> Outcome:
    """Discard an answer that comes after the message's timeout, not at it (assumed).

    An exception of the application stays known.
    """
    timeout_ms = message.timeout_ms
    if timeout_ms is None or outcome.duration_ms <= timeout_ms:
        return outcome
    return Outcome(error="timeout", duration_ms=timeout_ms, exception=outcome.exception)


ALWAYS: tuple[Condition, ...] = (within_timeout,)
"""The conditions of every delivery, after those of its routes."""
