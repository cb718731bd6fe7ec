"""Views of what an account has beside messages: schedules, queues, flow-control keys, URL groups, signing keys."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from qstash_fake.broker.broker import Broker
from qstash_fake.broker.flow_control import FlowControlKey as InnerKey
from qstash_fake.broker.queues import Queue as InnerQueue
from qstash_fake.broker.schedules import Schedule as InnerSchedule
from qstash_fake.broker.url_groups import Endpoint
from qstash_fake.broker.url_groups import UrlGroup as InnerGroup
from qstash_fake.broker.views import Message, View, moment, view_of
from qstash_fake.protocol.moments import to_datetime


class Schedule(View):
    """What is published at every match of a cron expression."""

    __slots__ = ()
    if TYPE_CHECKING:
        _inner: InnerSchedule

    @property
    def schedule_id(self) -> str:
        """Its id."""
        return self._inner.schedule_id

    @property
    def cron(self) -> str:
        """The expression, trimmed, with its `CRON_TZ=`."""
        return self._inner.cron

    @property
    def destination(self) -> str:
        """The URL, or the name of the URL group."""
        return self._inner.destination

    @property
    def paused(self) -> bool:
        """Whether its ticks make no messages."""
        return self._inner.paused

    @property
    def created_at(self) -> datetime:
        """When it was created first; overwriting keeps it."""
        return to_datetime(self._inner.created_ms)

    @property
    def next_at(self) -> datetime | None:
        """The next tick; None while paused, and for a cron that never fires."""
        return moment(self._inner.next_ms)

    @property
    def last_at(self) -> datetime | None:
        """The last tick; None before the first."""
        return moment(self._inner.last_ms)

    @property
    def error(self) -> str | None:
        """Why the last tick made no message."""
        return self._inner.error

    def trigger(self) -> list[Message]:
        """Publish once, now, even while paused; deliver with one of the verbs. Returns the new messages."""
        return [view_of(Message, message) for message in self._inner.owner.trigger(self._inner)]


class Queue(View):
    """A FIFO queue."""

    __slots__ = ()
    if TYPE_CHECKING:
        _inner: InnerQueue

    @property
    def name(self) -> str:
        """Its name."""
        return self._inner.name

    @property
    def parallelism(self) -> int:
        """How many of its messages may be under way."""
        return self._inner.parallelism

    @property
    def paused(self) -> bool:
        """Whether its messages wait."""
        return self._inner.paused

    @property
    def lag(self) -> int:
        """How many of its messages are not terminal."""
        return self._inner.lag

    @property
    def created_at(self) -> datetime:
        """When it was made."""
        return to_datetime(self._inner.created_ms)

    @property
    def updated_at(self) -> datetime:
        """When it was changed last."""
        return to_datetime(self._inner.updated_ms)

    def __repr__(self) -> str:
        paused = ", paused" if self.paused else ""
        return f"<Queue {self.name!r} parallelism={self.parallelism} lag={self.lag}{paused}>"


class FlowControlKey(View):
    """A flow-control key and its limits; None is no limit."""

    __slots__ = ()
    if TYPE_CHECKING:
        _inner: InnerKey

    @property
    def key(self) -> str:
        """Its name."""
        return self._inner.key

    @property
    def parallelism(self) -> int | None:
        """How many of its messages may be in flight."""
        return self._inner.parallelism

    @property
    def rate(self) -> int | None:
        """How many of its messages may start in a period."""
        return self._inner.rate

    @property
    def period(self) -> timedelta:
        """The time in which *rate* messages may start."""
        return timedelta(milliseconds=self._inner.period_ms)

    @property
    def paused(self) -> bool:
        """Whether its messages wait."""
        return self._inner.paused

    @property
    def pinned_parallelism(self) -> bool:
        """Whether later messages leave its parallelism alone."""
        return self._inner.pinned_parallelism

    @property
    def pinned_rate(self) -> bool:
        """Whether later messages leave its rate and period alone."""
        return self._inner.pinned_rate

    @property
    def in_flight(self) -> int:
        """How many of its messages are in flight."""
        return self._inner.in_flight

    @property
    def waiting(self) -> int:
        """How many messages that are due stand before it."""
        return self._inner.waiting

    def __repr__(self) -> str:
        limits = f"parallelism={self.parallelism} rate={self.rate} period={self.period}"
        paused = ", paused" if self.paused else ""
        return f"<FlowControlKey {self.key!r} {limits} waiting={self.waiting}{paused}>"


class UrlGroup(View):
    """A named list of endpoints."""

    __slots__ = ()
    if TYPE_CHECKING:
        _inner: InnerGroup

    @property
    def name(self) -> str:
        """Its name."""
        return self._inner.name

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Its endpoints, each with a `url` and a `name`, which may be empty."""
        return tuple(self._inner.endpoints)

    @property
    def created_at(self) -> datetime:
        """When it was made."""
        return to_datetime(self._inner.created_ms)

    @property
    def updated_at(self) -> datetime:
        """When it was changed last."""
        return to_datetime(self._inner.updated_ms)

    def __repr__(self) -> str:
        return f"<UrlGroup {self.name!r} {', '.join(endpoint.url for endpoint in self.endpoints)}>"


class SigningKeys(View):
    """The keys that deliveries are signed with."""

    __slots__ = ()
    if TYPE_CHECKING:
        _inner: Broker

    @property
    def current(self) -> str:
        """The key that a delivery is signed with now."""
        return self._inner.signing_keys.current

    @property
    def next(self) -> str:
        """The key that follows it; a receiver knows both."""
        return self._inner.signing_keys.next

    def rotate(self) -> None:
        """Make the next key the current one, and a new key the next."""
        self._inner.rotate_keys()

    def __repr__(self) -> str:
        return "<SigningKeys>"  # keys are secrets
