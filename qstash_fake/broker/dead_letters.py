"""Dead letters: which messages failed for good, and how long they are kept. Knows no state of a message."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qstash_fake.broker.arrivals import Arrivals
from qstash_fake.broker.message import Message, Outcome
from qstash_fake.errors import Refused, UsageError

if TYPE_CHECKING:
    from qstash_fake.broker.broker import Broker


@dataclass(slots=True, kw_only=True, eq=False, repr=False)
class DeadLetter:
    """A message that failed for good, with the last answer it got."""

    dlq_id: str
    number: int
    """How many dead letters there were before it; part of its id."""
    message: Message
    created_ms: int
    owner: Broker
    view: Any = None
    """What a user holds of it."""

    @property
    def outcome(self) -> Outcome:
        """What came of the last attempt."""
        outcome = self.message.last_outcome
        assert outcome is not None
        return outcome

    @property
    def response_status(self) -> int:
        """The HTTP status of the last answer, 0 without one."""
        return self.outcome.status

    @property
    def response_body(self) -> bytes:
        """The body of the last answer as it is stored, empty without one."""
        return self.outcome.stored_body

    def redrive(self) -> Message:
        """Publish it again as a new message, due now, and return that; once only."""
        try:
            return self.owner.redrive(self.dlq_id)
        except Refused as refused:
            if refused.status != 404:  # a quota of the plan
                raise
            problem = f"dead letter {self.dlq_id} of {self.message.message_id} is no longer in the DLQ"
            raise UsageError(f"{problem}: it was redriven or deleted") from None

    def __repr__(self) -> str:
        return f"<DeadLetter {self.dlq_id} {self.message.url} status={self.response_status}>"


class DeadLetters:
    """All dead letters by id, in the order of their arrival; kept for *retention_ms*, None for ever."""

    def __init__(self, retention_ms: int | None) -> None:
        self._by_id: dict[str, DeadLetter] = {}
        self._arrivals: Arrivals[DeadLetter] = Arrivals()  # the same, by number
        self._retention_ms = retention_ms
        self._arrived = 0

    def add(self, message: Message, now_ms: int, owner: Broker) -> DeadLetter:
        """Make the dead letter of *message*; its id, `<ms>-<number>`, sorts like those of a Redis stream."""
        dead = DeadLetter(
            dlq_id=f"{now_ms}-{self._arrived}",
            number=self._arrived,
            message=message,
            created_ms=now_ms,
            owner=owner,
        )
        self._arrived += 1
        self._by_id[dead.dlq_id] = dead
        self._arrivals.add(dead.number, dead)
        message.dlq_id = dead.dlq_id
        return dead

    def expired(self, now_ms: int) -> list[DeadLetter]:
        """Return the dead letters whose time is over at *now_ms*, oldest first."""
        if self._retention_ms is None:
            return []
        from_ms = now_ms - self._retention_ms
        return list(itertools.takewhile(lambda dead: dead.created_ms < from_ms, self._arrivals.after(None)))

    def beyond(self, number: int | None, *, latest_first: bool) -> Iterator[DeadLetter]:
        """Yield the dead letters after *number* in this order, None: all of them; costs what is taken."""
        return self._arrivals.before(number) if latest_first else self._arrivals.after(number)

    @property
    def by_id(self) -> dict[str, DeadLetter]:
        """The dead letters that are there, by id."""
        return self._by_id

    def find(self, dlq_id: str) -> DeadLetter:
        """Return a dead letter that is there, or refuse with 404."""
        if (dead := self._by_id.get(dlq_id)) is None:
            raise Refused(404, f"dlq message {dlq_id} not found")
        return dead

    def remove(self, dead: DeadLetter) -> None:
        """Forget *dead*, which is there."""
        del self._by_id[dead.dlq_id]
        self._arrivals.remove(dead.number)
