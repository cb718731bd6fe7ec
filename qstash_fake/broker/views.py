"""Views: what a user holds of messages and what becomes of them. The documented names, and nothing to set.

A view belongs to one object of the broker and is live: it reads what that object is now. Only methods change something,
and they go through the broker. Views of one object are equal. Times are aware UTC datetimes, durations
timedeltas, lists are fresh. What an account has beside messages is in `account_views`.
"""

from __future__ import annotations

import json as jsonlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

import httpx

from qstash_fake.broker.dead_letters import DeadLetter as InnerDeadLetter
from qstash_fake.broker.journal import LogEntry as InnerLogEntry
from qstash_fake.broker.journal import Step
from qstash_fake.broker.message import Attempt as InnerAttempt
from qstash_fake.broker.message import Message as InnerMessage
from qstash_fake.broker.message import State
from qstash_fake.errors import Refused, UsageError
from qstash_fake.protocol.attributes import NamesWhatIsMeant
from qstash_fake.protocol.http import encode
from qstash_fake.protocol.keywords import made_by_the_fake
from qstash_fake.protocol.moments import to_datetime

T = TypeVar("T")
V = TypeVar("V")


class Viewed(Protocol):
    """An object of the broker with a place for its view."""

    view: Any


Held = TypeVar("Held", bound=Viewed)


def view_of(kind: Callable[[Held], V], inner: Held) -> V:
    """Return the view of *inner*, of this *kind*: the same object each time."""
    if inner.view is None:
        inner.view = kind(inner)
    view: V = inner.view
    return view


class Hangs(Protocol[T]):
    _inner: T


def inner_of(view: Hangs[T]) -> T:
    """Return the object behind *view*; for this package, a test has no use for it."""
    return view._inner


class View(NamesWhatIsMeant):
    """The common part of all views: the object behind them; nothing can be set. Generic, `help()` would be long."""

    __slots__ = ("_inner",)
    if TYPE_CHECKING:
        _inner: Any

    @made_by_the_fake
    def __init__(self, inner: Any) -> None:
        object.__setattr__(self, "_inner", inner)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{name} of {self!r} cannot be set: it shows what the fake holds")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{name} of {self!r} cannot be deleted: it shows what the fake holds")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and bool(other._inner == self._inner)

    def __hash__(self) -> int:
        return hash(self._inner)

    def __copy__(self) -> Self:
        return self  # a copy would show the same object

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __repr__(self) -> str:
        return repr(self._inner)


class Message(View):
    """A message that QStash accepted."""

    __slots__ = ()
    if TYPE_CHECKING:
        _inner: InnerMessage

    @property
    def message_id(self) -> str:
        """Its id, as the API gives it."""
        return self._inner.message_id

    @property
    def url(self) -> str:
        """Where it is delivered to."""
        return self._inner.url

    @property
    def method(self) -> str:
        """The HTTP method of its deliveries, in capitals."""
        return self._inner.method

    @property
    def body(self) -> bytes:
        """The body, unredacted."""
        return self._inner.body

    @property
    def text(self) -> str:
        """The body as text; bytes that are not UTF-8 are replaced."""
        return self._inner.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """Return the body, parsed as JSON."""
        return jsonlib.loads(self._inner.body)

    @property
    def headers(self) -> httpx.Headers:
        """The forwarded headers and the Content-Type, as they are delivered; names in any case."""
        return httpx.Headers(encode(self._inner.stored_headers))

    @property
    def state(self) -> State:
        """CREATED, ACTIVE, RETRY, DELIVERED, FAILED or CANCELED."""
        return self._inner.state

    @property
    def created_at(self) -> datetime:
        """When it was published."""
        return to_datetime(self._inner.created_ms)

    @property
    def due_at(self) -> datetime:
        """When the next attempt is due, or the last one was."""
        return to_datetime(self._inner.due_ms)

    @property
    def max_retries(self) -> int:
        """How many attempts may follow the first."""
        return self._inner.max_retries

    @property
    def attempts(self) -> list[Attempt]:
        """Its attempts, in start order."""
        return [attempt_of(self._inner, attempt) for attempt in self._inner.attempts]

    @property
    def queue(self) -> str | None:
        """The name of its queue."""
        return self._inner.queue

    @property
    def flow_control(self) -> str | None:
        """The flow-control key that it was published with."""
        limits = self._inner.options.flow_control
        return limits.key if limits else None

    @property
    def schedule_id(self) -> str | None:
        """The schedule that made it."""
        return self._inner.schedule_id

    @property
    def url_group(self) -> str | None:
        """The name of the URL group that it was published to."""
        return self._inner.url_group

    @property
    def labels(self) -> tuple[str, ...]:
        """What `Upstash-Label` named, in order."""
        return self._inner.options.labels or ()

    @property
    def callback(self) -> str | None:
        """The URL that each attempt is reported to."""
        return self._inner.options.callback

    @property
    def failure_callback(self) -> str | None:
        """The URL that a dead letter is reported to."""
        return self._inner.options.failure_callback

    @property
    def deduplication_id(self) -> str | None:
        """The id given with `Upstash-Deduplication-Id`."""
        return self._inner.options.deduplication_id


class Attempt(View):
    """One attempt to deliver a message."""

    __slots__ = ("_message",)
    if TYPE_CHECKING:
        _inner: InnerAttempt
        _message: InnerMessage

    @made_by_the_fake
    def __init__(self, inner: InnerAttempt, message: InnerMessage) -> None:
        super().__init__(inner)
        object.__setattr__(self, "_message", message)

    @property
    def message(self) -> Message:
        """The message that it delivered."""
        return view_of(Message, self._message)

    @property
    def at(self) -> datetime:
        """When it started."""
        return to_datetime(self._inner.started_ms)

    @property
    def retried(self) -> int:
        """How many attempts came before it; what `Upstash-Retried` says."""
        return self._inner.retried

    @property
    def status(self) -> int | None:
        """The HTTP status of the answer; 0 without an answer, None while in flight."""
        return self._inner.outcome.status if self._inner.outcome else None

    @property
    def headers(self) -> httpx.Headers:
        """The headers of the answer."""
        return httpx.Headers(encode(self._inner.outcome.headers) if self._inner.outcome else [])

    @property
    def body(self) -> bytes:
        """The body of the answer."""
        return self._inner.outcome.body if self._inner.outcome else b""

    @property
    def error(self) -> str | None:
        """Why there is no answer, such as `timeout`."""
        return self._inner.outcome.error if self._inner.outcome else None

    @property
    def exception(self) -> BaseException | None:
        """What the application raised while it handled the delivery."""
        return self._inner.outcome.exception if self._inner.outcome else None

    @property
    def duration(self) -> timedelta | None:
        """How long it took in virtual time; None while in flight."""
        return timedelta(milliseconds=self._inner.outcome.duration_ms) if self._inner.outcome else None

    @property
    def lost(self) -> bool:
        """Whether the answer never reached QStash: the first of two deliveries asked for with `duplicate_next`."""
        return self._inner.lost

    def __repr__(self) -> str:
        return f"<Attempt retried={self.retried} of {self._message.message_id[:12]}… {self._inner.result}>"


def attempt_of(message: InnerMessage, inner: InnerAttempt) -> Attempt:
    """Return the view of an attempt of *message*: the same object each time."""
    return view_of(lambda attempt: Attempt(attempt, message), inner)


class DeadLetter(View):
    """A message that failed for good, with the last answer it got."""

    __slots__ = ()
    if TYPE_CHECKING:
        _inner: InnerDeadLetter

    @property
    def dlq_id(self) -> str:
        """Its id in the dead letter queue."""
        return self._inner.dlq_id

    @property
    def message(self) -> Message:
        """The message that failed."""
        return view_of(Message, self._inner.message)

    @property
    def response_status(self) -> int:
        """The HTTP status of the last answer, 0 without one."""
        return self._inner.response_status

    @property
    def response_body(self) -> bytes:
        """The body of the last answer as QStash stores it, empty without one; a plan cuts it to its message size."""
        return self._inner.response_body

    def redrive(self) -> Message:
        """Publish it again as a new message, due now, and return that; once only."""
        dead = self._inner
        try:
            return view_of(Message, dead.owner.redrive(dead.dlq_id))
        except Refused as refused:
            if refused.status != 404:  # a quota of the plan
                raise
            problem = f"dead letter {dead.dlq_id} of {dead.message.message_id} is no longer in the DLQ"
            raise UsageError(f"{problem}: it was redriven or deleted") from None


class LogEntry(View):
    """One step in the life of a message, with its body and headers redacted as the message asks."""

    __slots__ = ()
    if TYPE_CHECKING:
        _inner: InnerLogEntry

    @property
    def at(self) -> datetime:
        """When it happened."""
        return to_datetime(self._inner.time_ms)

    @property
    def state(self) -> Step:
        """CREATED, ACTIVE, RETRY, ERROR, DELIVERED, FAILED, CANCEL_REQUESTED or CANCELED."""
        return self._inner.state

    @property
    def message(self) -> Message:
        """The message that it is about."""
        return view_of(Message, self._inner.message)

    @property
    def attempt(self) -> Attempt | None:
        """The attempt that it is about, if it is about one."""
        return None if self._inner.attempt is None else attempt_of(self._inner.message, self._inner.attempt)

    @property
    def message_id(self) -> str:
        """The id of the message."""
        return self._inner.message.message_id

    @property
    def url(self) -> str:
        """Where the message is delivered to."""
        return self._inner.message.url

    @property
    def status(self) -> int | None:
        """The HTTP status that it reports, None where it reports none."""
        return self._inner.status

    @property
    def error(self) -> str | None:
        """What went wrong, in an ERROR entry."""
        return self._inner.error

    @property
    def next_delivery_at(self) -> datetime | None:
        """When the next attempt is due, in a RETRY entry or the CREATED entry of a delayed message."""
        return moment(self._inner.next_delivery_ms)

    @property
    def body(self) -> bytes:
        """The body of the message, redacted as it asks."""
        message = self._inner.message
        return message.redaction.redact_body(message.body)

    @property
    def headers(self) -> httpx.Headers:
        """The headers of the message, redacted as it asks."""
        message = self._inner.message
        return httpx.Headers(encode(message.redaction.redact_headers(message.stored_headers)))


def moment(time_ms: int | None) -> datetime | None:
    """Return unix milliseconds as an aware UTC datetime, None for None."""
    return None if time_ms is None else to_datetime(time_ms)
