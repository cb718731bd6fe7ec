"""Work without an end: the limits that stop a verb when a job publishes itself again and again.

Both limits are checked before each delivery, under the broker's lock, and raise DrainLimitReached with the URL.
Messages that were published before the verb do not count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from qstash_fake.broker.broker import Broker
from qstash_fake.broker.message import Message
from qstash_fake.broker.workflow.parts import Role
from qstash_fake.errors import DrainLimitReached, UsageError
from qstash_fake.protocol.moments import iso, to_datetime
from qstash_fake.testing.awaiting import call_here, name_here

MAX_AT_ONE_INSTANT = 10_000  # new messages to one URL; assumed: no job under test publishes more of them at once


class DrainLimit:
    """At most *limit* new messages in one drain, whatever their URLs."""

    def __init__(self, broker: Broker, limit: int) -> None:
        if not isinstance(limit, int):
            raise UsageError(
                f"drain(limit={limit!r}): the limit is a number of messages; to deliver what falls due in a time, "
                f"use {call_here('advance', repr(limit))}"
            )
        self._broker = broker
        self._limit = limit
        self._before = broker.accepted

    def check(self) -> None:
        """Raise DrainLimitReached if there are more."""
        if self._broker.accepted - self._before <= self._limit:
            return
        most = Counter(message.url for message in _newer(self._broker, self._before)).most_common(3)
        named = ", ".join(f"{url} ({count} times)" for url, count in most)
        raise DrainLimitReached(
            f"drain() has created more than {self._limit} messages and is not done; published again and again: "
            f"{named}; raise {name_here('drain')}(limit=…), or go step by step with {call_here('advance', '…')}"
        )


class InstantLimit:
    """At most MAX_AT_ONE_INSTANT new messages to one URL, or of one run, at one instant of *verb*.

    Messages are counted by URL only when a URL may have passed the limit: after as many new ones as the fullest URL
    still lacks. Each message is looked at once, which costs less than its delivery. A run of a workflow counts once for
    its URL; its steps are counted by run.
    """

    def __init__(self, verb: str, broker: Broker) -> None:
        self._verb = verb
        self._broker = broker
        self._instant_ms = self._counted = self._enough = 0
        self._counts: Counter[str] = Counter()
        """How many new messages there are, by URL or run."""
        self._begin_instant()

    def check(self) -> None:
        """Raise DrainLimitReached if there are more."""
        if self._broker.now_ms != self._instant_ms:
            self._begin_instant()
        if self._broker.accepted <= self._enough:
            return
        self._counts.update(map(_counted_for, _newer(self._broker, self._counted)))
        (what, count), *_ = self._counts.most_common(1)
        if count > MAX_AT_ONE_INSTANT:
            raise DrainLimitReached(
                f"{self._verb}() has created more than {MAX_AT_ONE_INSTANT} messages {what} at one instant, "
                f"{iso(to_datetime(self._instant_ms))}: something publishes itself again and again without a delay"
            )
        self._counted = self._broker.accepted
        self._enough = self._counted + MAX_AT_ONE_INSTANT - count

    def _begin_instant(self) -> None:
        self._instant_ms, self._counted = self._broker.now_ms, self._broker.accepted
        self._enough = self._counted + MAX_AT_ONE_INSTANT
        self._counts.clear()


def _counted_for(message: Message) -> str:
    """Return the URL that *message* counts for, or, if it is not the first of a run, the run."""
    part = message.part
    if part is None or part.role is Role.FIRST:
        return f"to {message.url}"
    return f"of run {part.run.run_id} of {part.run.url}"


def _newer(broker: Broker, number: int) -> Iterator[Message]:
    """Yield the messages after the first *number*, newest first."""
    for message in reversed(broker.messages.values()):
        if message.sequence <= number:
            return
        yield message
