"""Work without an end: what stops a verb when something publishes itself again and again.

Both limits are asked before each delivery, under the broker's lock, and raise DrainLimitReached with the URL. What
was published before the verb does not count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from qstash_fake.broker.broker import Broker
from qstash_fake.broker.message import Message
from qstash_fake.broker.workflow.parts import Role
from qstash_fake.errors import DrainLimitReached
from qstash_fake.protocol.moments import iso, to_datetime

MAX_AT_ONE_INSTANT = 10_000  # new messages to one URL; assumed: no job under test publishes more of them at once


class DrainLimit:
    """At most *limit* new messages in one drain, whatever their URLs."""

    def __init__(self, broker: Broker, limit: int) -> None:
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
            f"{named}; raise drain(limit=…), or go step by step with clock.advance(…)"
        )


class InstantLimit:
    """At most MAX_AT_ONE_INSTANT new messages to one URL at one instant of *verb*.

    Messages are counted by URL only when a URL may have passed the limit: after as many new ones as the fullest URL
    still lacks. Each is looked at once, so the cost stays that of the deliveries.
    """

    def __init__(self, verb: str, broker: Broker) -> None:
        self._verb = verb
        self._broker = broker
        self._instant_ms = self._counted = self._enough = 0
        self._by_url: Counter[str] = Counter()
        self._begin_instant()

    def check(self) -> None:
        """Raise DrainLimitReached if there are more."""
        if self._broker.now_ms != self._instant_ms:
            self._begin_instant()
        if self._broker.accepted <= self._enough:
            return
        self._by_url.update(message.url for message in _newer(self._broker, self._counted) if _counts(message))
        url, count = next(iter(self._by_url.most_common(1)), ("", 0))
        if count > MAX_AT_ONE_INSTANT:
            raise DrainLimitReached(
                f"{self._verb}() has created more than {MAX_AT_ONE_INSTANT} messages to {url} at one instant, "
                f"{iso(to_datetime(self._instant_ms))}: something publishes itself again and again without a delay"
            )
        self._counted = self._broker.accepted
        self._enough = self._counted + MAX_AT_ONE_INSTANT - count

    def _begin_instant(self) -> None:
        self._instant_ms, self._counted = self._broker.now_ms, self._broker.accepted
        self._enough = self._counted + MAX_AT_ONE_INSTANT
        self._by_url.clear()


def _counts(message: Message) -> bool:
    """Tell whether *message* counts: a run of a workflow does once, and not with each of its steps."""
    return message.part is None or message.part.role is Role.FIRST


def _newer(broker: Broker, number: int) -> Iterator[Message]:
    """Yield the messages after the first *number*, newest first."""
    for message in reversed(broker.messages.values()):
        if message.sequence <= number:
            return
        yield message
