"""A message, its attempts and what became of them: live objects, changed by the broker alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx

from qstash_fake.protocol.http import Headers, encode
from qstash_fake.protocol.moments import to_datetime
from qstash_fake.protocol.options import NO_OPTIONS, Options
from qstash_fake.protocol.redaction import NOTHING, Redaction

if TYPE_CHECKING:
    from qstash_fake.broker.lanes import Lane
    from qstash_fake.broker.queues import Slot
    from qstash_fake.broker.workflow.parts import Part


class State(StrEnum):
    """Where a message stands, in the API's words; each is also the name of a log entry."""

    CREATED = "CREATED"
    ACTIVE = "ACTIVE"
    RETRY = "RETRY"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"


PENDING = frozenset({State.CREATED, State.ACTIVE, State.RETRY})


class Outcome(NamedTuple):
    """What came of sending a delivery: an answer, or *error* with status 0 (assumed).

    It took *duration_ms* of virtual time. It never changes: attempts that a route answers alike share one.
    """

    status: int = 0
    headers: Headers = ()
    body: bytes = b""
    error: str | None = None
    exception: BaseException | None = None
    duration_ms: int = 0
    stored_bytes: int | None = None
    """How many bytes of the body QStash stores and reports; None is all of them."""

    @property
    def stored_body(self) -> bytes:
        """The body as logs, dead letters and callbacks show it."""
        return self.body[: self.stored_bytes]

    @property
    def success(self) -> bool:
        """Any 2xx is a success; redirects are not followed and count as failures."""
        return 200 <= self.status < 300


class Content(NamedTuple):
    """What one attempt of a message delivers."""

    headers: Headers
    body: bytes


@dataclass(slots=True, kw_only=True, eq=False, repr=False)
class Attempt:
    """One attempt to deliver a message; in flight until *outcome* is there.

    It does not know its message, which knows it: without a circle a forgotten message is freed at once. With one,
    Python's collector has to find it, which was a quarter of the time of a broker with many messages.
    """

    started_ms: int
    retried: int
    outcome: Outcome | None = None
    lost: bool = False
    """The answer never reached QStash: the first of two deliveries asked for with `duplicate_next`."""
    due_ms: int = 0
    """When it was due; until *started_ms* a gate held it."""
    number: int = 0
    """How many attempts of its message came before it, lost ones too."""
    previous: Attempt | None = None
    """The attempt before it: a tuple of attempts would be another object for the collector."""
    unknown_key: bool = False
    """The application has refused it, and its environment did not hold the key that it was signed with."""
    view: Any = None
    """What a user holds of it."""

    @property
    def status(self) -> int | None:
        """The HTTP status of the answer; 0 without an answer, None while in flight."""
        return self.outcome.status if self.outcome else None

    @property
    def body(self) -> bytes:
        """The body of the answer."""
        return self.outcome.body if self.outcome else b""

    @property
    def error(self) -> str | None:
        """Why there is no answer, such as `timeout`."""
        return self.outcome.error if self.outcome else None

    @property
    def exception(self) -> BaseException | None:
        """What the application raised while it handled the delivery."""
        return self.outcome.exception if self.outcome else None

    @property
    def result(self) -> str | int | None:
        """What came of it, in a word: `in flight`, the error or the status."""
        return "in flight" if self.outcome is None else self.error or self.status

    def __repr__(self) -> str:
        return f"<Attempt retried={self.retried} {self.result}>"


@dataclass(slots=True, kw_only=True, eq=False, repr=False)
class Message:
    """A message that QStash accepted."""

    message_id: str
    sequence: int
    url: str
    method: str
    body: bytes
    stored_headers: Headers
    options: Options = NO_OPTIONS
    created_ms: int
    due_ms: int
    not_before_ms: int
    max_retries: int
    timeout_ms: int | None = None
    """How long an attempt may take: what the message asks for, else what the plan allows; None is no limit."""
    caller_ip: str = ""
    url_group: str | None = None
    endpoint_name: str | None = None
    api: str | None = None
    schedule_id: str | None = None
    source_id: str | None = None
    """The message that this one reports on, or is published again for."""
    queue: str | None = None
    slot: Slot | None = None
    """The place in a queue that this message, and every callback it causes, holds until it is terminal."""
    lane: Lane | None = None
    """Where it waits for a gate; None before it is due, in flight, and when it is terminal."""
    content_at_start: Callable[[], Content] | None = None
    """What computes its content when an attempt starts; None stands for *stored_headers* and *body*."""
    part: Part | None = None
    """What it is to the run of a workflow; None outside of workflows."""
    state: State = State.CREATED
    last_attempt: Attempt | None = None
    cancel_requested: bool = False
    finished_ms: int | None = None
    dlq_id: str | None = None
    view: Any = None
    """What a user holds of it."""

    @property
    def text(self) -> str:
        """The body as text; bytes that are not UTF-8 are replaced."""
        return self.body.decode("utf-8", "replace")

    @property
    def headers(self) -> httpx.Headers:
        """The forwarded headers and the Content-Type, as they are delivered; names in any case."""
        return httpx.Headers(encode(self.stored_headers))

    @property
    def created_at(self) -> datetime:
        """When it was published, aware UTC."""
        return to_datetime(self.created_ms)

    @property
    def due_at(self) -> datetime:
        """When the next attempt is due, or the last one was; aware UTC."""
        return to_datetime(self.due_ms)

    @property
    def labels(self) -> tuple[str, ...]:
        """What `Upstash-Label` named, in order."""
        return self.options.labels or ()

    @property
    def callback(self) -> str | None:
        """The URL that each attempt is reported to."""
        return self.options.callback

    @property
    def failure_callback(self) -> str | None:
        """The URL that a dead letter is reported to."""
        return self.options.failure_callback

    @property
    def deduplication_id(self) -> str | None:
        """The id given with `Upstash-Deduplication-Id`."""
        return self.options.deduplication_id

    @property
    def content(self) -> Content:
        """What an attempt that starts now delivers."""
        return Content(self.stored_headers, self.body) if self.content_at_start is None else self.content_at_start()

    @property
    def redaction(self) -> Redaction:
        """What must not be shown of this message."""
        return self.options.redaction or NOTHING

    @property
    def pending(self) -> bool:
        """Whether something may still become of it: it waits, or is in flight."""
        return self.state in PENDING

    @property
    def attempts(self) -> list[Attempt]:
        """Its attempts, in start order."""
        found, attempt = [], self.last_attempt
        while attempt is not None:
            found.append(attempt)
            attempt = attempt.previous
        return found[::-1]

    @property
    def last_outcome(self) -> Outcome | None:
        """What came of its last attempt; None before the first, and while it is in flight."""
        return None if self.last_attempt is None else self.last_attempt.outcome

    @property
    def retried(self) -> int:
        """How many attempts were made before the next one; an attempt whose answer is lost does not count."""
        last = self.last_attempt
        return 0 if last is None else last.retried + (not last.lost)

    def __repr__(self) -> str:
        return f"<Message {self.message_id[:12]}… {self.method} {self.url} {self.state}>"
