"""The store: which messages and dead letters are remembered, and for how long. Changes no state of a message."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING

from qstash_fake.broker.dead_letters import DeadLetter, DeadLetters
from qstash_fake.broker.message import Message, State
from qstash_fake.errors import Refused

if TYPE_CHECKING:
    from qstash_fake.broker.broker import Broker

MAX_DONE = 20_000  # finished messages that are kept; bounds memory over a year of ticks
GRACE_MS = 10_000  # assumed: how long GET /v2/messages/{id} still shows a finished message


class Store:
    """Messages by id, in publish order, and dead letters by id, in the order of their arrival.

    Dead letters are kept for *retention_ms*, None for ever. A finished message is forgotten when there are too many,
    but not before its dead letter.
    """

    def __init__(self, retention_ms: int | None) -> None:
        self.messages: dict[str, Message] = {}
        self._dead_letters = DeadLetters(retention_ms)
        self._done: deque[Message] = deque()
        self._outlived: set[Message] = set()  # to be forgotten with their dead letters

    def finished(self, message: Message) -> None:
        """Note that *message* is terminal; the oldest of these is forgotten if there are too many."""
        self._done.append(message)
        if len(self._done) > MAX_DONE:
            oldest = self._done.popleft()
            if oldest.dlq_id in self._dead_letters.by_id:
                self._outlived.add(oldest)
            else:
                del self.messages[oldest.message_id]

    def find_message(self, message_id: str, now_ms: int) -> Message:
        """Return what `GET /v2/messages/{id}` shows: a pending message, or one that has just finished.

        The words of this 404 are ours, as those of all others are (assumed).
        """
        message = self.messages.get(message_id)
        if message is None or message.state is State.CANCELED:
            raise Refused(404, f"message {message_id} not found")
        if message.finished_ms is not None and now_ms >= message.finished_ms + GRACE_MS:
            raise Refused(404, f"message {message_id} not found")
        return message

    def add_dead_letter(self, message: Message, now_ms: int, owner: Broker) -> DeadLetter:
        """Make the dead letter of *message*, which has just failed for good."""
        return self._dead_letters.add(message, now_ms, owner)

    def dead_letters(self, now_ms: int) -> dict[str, DeadLetter]:
        """Return the dead letters that are there at *now_ms*, by id."""
        for dead in self._dead_letters.expired(now_ms):
            self.remove_dead_letter(dead)
        return self._dead_letters.by_id

    def dead_letters_beyond(self, number: int | None, now_ms: int, *, latest_first: bool) -> Iterator[DeadLetter]:
        """Yield the dead letters that come after *number* in this order, None: all of them; costs what is taken."""
        self.dead_letters(now_ms)
        return self._dead_letters.beyond(number, latest_first=latest_first)

    def find_dead_letter(self, dlq_id: str, now_ms: int) -> DeadLetter:
        """Return a dead letter that is there at *now_ms*, or refuse with 404."""
        self.dead_letters(now_ms)
        return self._dead_letters.find(dlq_id)

    def remove_dead_letter(self, dead: DeadLetter) -> None:
        """Forget *dead*, and its message if that has outlived its time."""
        self._dead_letters.remove(dead)
        if dead.message in self._outlived:
            self._outlived.remove(dead.message)
            del self.messages[dead.message.message_id]
