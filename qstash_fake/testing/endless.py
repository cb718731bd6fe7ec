"""Work without an end: what stops a verb when something publishes itself again and again.

A limit is asked before each delivery, under the broker's lock, and raises DrainLimitReached with the URL. What was
published before the verb does not count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from qstash_fake.broker.broker import Broker
from qstash_fake.broker.message import Message
from qstash_fake.errors import DrainLimitReached


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


def _newer(broker: Broker, number: int) -> Iterator[Message]:
    """Yield the messages after the first *number*, newest first."""
    for message in reversed(broker.messages.values()):
        if message.sequence <= number:
            return
        yield message
