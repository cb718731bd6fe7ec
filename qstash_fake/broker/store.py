"""The store: which messages and dead letters there are, and for how long. Changes no state of a message."""

from __future__ import annotations

from collections import deque

from qstash_fake.broker.message import DeadLetter, Message, State
from qstash_fake.errors import Refused

MAX_DONE = 20_000  # finished messages that are kept; bounds memory over a year of ticks
GRACE_MS = 10_000  # assumed: how long GET /v2/messages/{id} still shows a finished message


class Store:
    """Messages by id, in publish order, and dead letters by id, in the order of their arrival.

    Dead letters are kept for *retention_ms*, None for ever.
    """

    def __init__(self, retention_ms: int | None) -> None:
        self.messages: dict[str, Message] = {}
        self._dead_letters: dict[str, DeadLetter] = {}
        self._retention_ms = retention_ms
        self._done: deque[Message] = deque()
        self._outlived: set[Message] = set()  # forgotten but for their dead letters

    def finished(self, message: Message) -> None:
        """Note that *message* is terminal; the oldest that is so is forgotten if there are too many."""
        self._done.append(message)
        if len(self._done) > MAX_DONE:
            forgotten = self._done.popleft()
            if forgotten.dlq_id in self._dead_letters:
                self._outlived.add(forgotten)
            else:
                del self.messages[forgotten.message_id]

    def find_message(self, message_id: str, now_ms: int) -> Message:
        """Return what `GET /v2/messages/{id}` shows: a pending message, or one that has just finished."""
        message = self.messages.get(message_id)
        if message is None or message.state is State.CANCELED:
            raise Refused(404, f"message {message_id} not found")
        if message.finished_ms is not None and now_ms >= message.finished_ms + GRACE_MS:
            raise Refused(404, f"message {message_id} not found")
        return message

    def retained_from_ms(self, now_ms: int) -> int:
        """Return since when dead letters and logs are still there at *now_ms*."""
        return 0 if self._retention_ms is None else now_ms - self._retention_ms

    def add_dead_letter(self, dead: DeadLetter) -> None:
        """Keep *dead*, the newest, and its message with it."""
        self._dead_letters[dead.dlq_id] = dead

    def dead_letters(self, now_ms: int) -> dict[str, DeadLetter]:
        """Return the dead letters that are there at *now_ms*, by id."""
        while self._dead_letters:
            oldest = next(iter(self._dead_letters.values()))
            if oldest.created_ms >= self.retained_from_ms(now_ms):
                break
            self._remove(oldest)
        return self._dead_letters

    def find_dead_letter(self, dlq_id: str, now_ms: int) -> DeadLetter:
        """Return a dead letter that is there at *now_ms*, or refuse with 404."""
        if (dead := self.dead_letters(now_ms).get(dlq_id)) is None:
            raise Refused(404, f"dlq message {dlq_id} not found")
        return dead

    def remove_dead_letter(self, dlq_id: str, now_ms: int) -> DeadLetter:
        """Forget a dead letter and return it, or refuse with 404."""
        dead = self.find_dead_letter(dlq_id, now_ms)
        self._remove(dead)
        return dead

    def _remove(self, dead: DeadLetter) -> None:
        del self._dead_letters[dead.dlq_id]
        if dead.message in self._outlived:
            self._outlived.remove(dead.message)
            del self.messages[dead.message.message_id]
