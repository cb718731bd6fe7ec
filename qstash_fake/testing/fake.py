"""QStashFake: what a test holds. Wires broker, API, delivery, interception and clock; decides nothing itself."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from datetime import datetime
from types import MappingProxyType, TracebackType
from typing import Any, Self, Unpack, cast

import httpx

from qstash_fake.api.answer import Api
from qstash_fake.api.asgi import asgi_app
from qstash_fake.api.auth import Auth
from qstash_fake.api.view import ApiView
from qstash_fake.broker.broker import Broker
from qstash_fake.broker.dead_letters import DeadLetter
from qstash_fake.broker.fanout import LLM_URL
from qstash_fake.broker.flow_control import FlowControlKey
from qstash_fake.broker.journal import LogEntry
from qstash_fake.broker.keys import DEV_CURRENT_KEY, DEV_NEXT_KEY, SigningKeys
from qstash_fake.broker.message import Attempt, Message, State
from qstash_fake.broker.queues import Queue
from qstash_fake.broker.schedules import Schedule
from qstash_fake.broker.url_groups import UrlGroup
from qstash_fake.delivery.asgi import AsgiApp, Lifespan
from qstash_fake.delivery.forgery import signed_request
from qstash_fake.delivery.run import Deliveries, SyncDriver
from qstash_fake.delivery.targets import Route, Targets, url_pattern
from qstash_fake.engines.table import choose
from qstash_fake.errors import UsageError
from qstash_fake.intercept import httpx as intercept_httpx
from qstash_fake.intercept import requests as intercept_requests
from qstash_fake.intercept.hosts import DEV_SERVER, Hosts
from qstash_fake.protocol.moments import moment_to_ms
from qstash_fake.testing import assertions, timeline
from qstash_fake.testing.assertions import Asked, Wanted
from qstash_fake.testing.clock import Clock, Report, real_now_ms

# The official dev server's first user. QStash docs, howto/local-development.
DEV_TOKEN = "eyJVc2VySUQiOiJkZWZhdWx0VXNlciIsIlBhc3N3b3JkIjoiZGVmYXVsdFBhc3N3b3JkIn0="

Url = str | re.Pattern[str]


class QStashFake:
    """An in-memory QStash with a virtual clock; the fixture `qstash_fake` is one.

    *start*: the time at which the clock stands from the beginning, an aware datetime or an ISO 8601 text; None lets
    it run with real time until the first verb. *freeze*: what moves the application's time with the clock: `auto`,
    `freezegun`, `time-machine` or `off`. *unrouted*: what becomes of a delivery that nobody answers: `error`,
    `accept` or `fail`. *raise_app_exceptions*: whether verbs raise what the application raised. *seed*: equal seeds
    give equal ids. *token*: the only token, or tokens, that the API lets in; None lets in any. *plan*: the quotas
    that count, `free`, `payg`, `fixed-1m` or `fixed-10m`; None for none.

    Use it as a context manager; interception, environment and frozen time end with the block.
    """

    def __init__(
        self,
        *,
        start: datetime | str | None = None,
        freeze: str = "auto",
        unrouted: str = "error",
        raise_app_exceptions: bool = True,
        seed: int = 0,
        token: str | Sequence[str] | None = None,
        plan: str | None = None,
    ) -> None:
        self._start_ms = None if start is None else moment_to_ms(start)
        self._seed, self._plan = seed, plan
        self._token = token if isinstance(token, str) else next(iter(token or ()), DEV_TOKEN)
        self.targets = Targets(unrouted)
        self._driver = SyncDriver(self.targets)
        self._exits = ExitStack()
        broker = self._new_broker()
        self._deliveries = Deliveries(broker, self.targets, self._at_instant, raise_app_exceptions)
        self._clock = Clock(broker, self._deliveries, self._driver, choose(freeze), self._start_ms)
        self._api = Api(broker, Auth(token), self._clock.observe)
        self._api_view = ApiView(self._api)
        self.targets.mount(self._chat, LLM_URL, lifespan=False)

    # --- what a test reads: snapshots, for the application may publish from threads meanwhile ---------------------

    @property
    def clock(self) -> Clock:
        """The clock, and the verbs that move it."""
        return self._clock

    @property
    def api(self) -> ApiView:
        """The API: `calls` are those that were made; `fail`, `drop_connection`, `chat_answer` say how it behaves."""
        return self._api_view

    @property
    def app(self) -> Any:
        """The API as an ASGI application, for clients that speak HTTP to it."""
        return asgi_app(self._api)

    @property
    def messages(self) -> list[Message]:
        """Every message, in publish order."""
        with self._broker.lock:
            return list(self._broker.messages.values())

    @property
    def pending(self) -> list[Message]:
        """The messages that are CREATED, ACTIVE or RETRY."""
        return [message for message in self.messages if message.pending]

    @property
    def delivered(self) -> list[Message]:
        """The messages that got a 2xx."""
        return self._in(State.DELIVERED)

    @property
    def failed(self) -> list[Message]:
        """The messages that failed for good, redriven ones too; `dlq` has the entries that are still there."""
        return self._in(State.FAILED)

    @property
    def cancelled(self) -> list[Message]:
        """The messages that were cancelled before they were delivered."""
        return self._in(State.CANCELED)

    @property
    def attempts(self) -> list[Attempt]:
        """Every attempt, in start order."""
        return [entry.attempt for entry in self.logs if entry.state == "ACTIVE" and entry.attempt]

    @property
    def dlq(self) -> list[DeadLetter]:
        """The dead letter queue, oldest first."""
        self._clock.observe()
        with self._broker.lock:
            return list(self._broker.dead_letters.values())

    @property
    def schedules(self) -> Mapping[str, Schedule]:
        """The schedules, by id."""
        self._clock.observe()
        with self._broker.lock:
            return MappingProxyType(dict(self._broker.schedules.by_id))

    @property
    def queues(self) -> Mapping[str, Queue]:
        """The queues, by name."""
        with self._broker.lock:
            return MappingProxyType(self._broker.queues)

    @property
    def url_groups(self) -> Mapping[str, UrlGroup]:
        """The URL groups, by name."""
        with self._broker.lock:
            return MappingProxyType(dict(self._broker.url_groups.by_name))

    @property
    def flow_control(self) -> Mapping[str, FlowControlKey]:
        """The flow-control keys, by key."""
        with self._broker.lock:
            return MappingProxyType(dict(self._broker.flow_control))

    @property
    def logs(self) -> list[LogEntry]:
        """The log, oldest first."""
        with self._broker.lock:
            return self._broker.journal.entries()

    @property
    def signing_keys(self) -> SigningKeys:
        """The keys that deliveries are signed with."""
        return self._broker.signing_keys

    def timeline(self) -> str:
        """Return the journal as text."""
        broker = self._broker
        with broker.lock:
            return timeline.timeline(broker.journal, broker.now_ms, self.pending, broker.held(broker.now_ms))

    # --- what a test does ---------------------------------------------------------------------------------------

    def mount(self, app: Any, url: str | None = None, *, lifespan: bool = True) -> None:
        """Let *app* answer deliveries to *url* and everything below it; without a URL, every delivery.

        *app* is an ASGI or WSGI application, a test client with `.request()`, or a callable that takes an
        httpx.Request and returns an httpx.Response. The longest prefix wins, an equal one is replaced. The sync
        verbs run the *lifespan* of a bare ASGI application around its deliveries.
        """
        self.targets.mount(app, url, lifespan=lifespan)

    def on(self, url: Url, method: str | None = None) -> Route:
        """Answer deliveries to *url* instead of the application; say how on the route that is returned."""
        return self.targets.on(url, method)

    def duplicate_next(self, url: Url | None = None) -> None:
        """Send the next attempt, to *url* if given, twice: QStash delivers at least once. The first answer is lost."""
        pattern = None if url is None else url_pattern(url)
        self._broker.duplicate_next(lambda to: pattern is None or pattern.matches(to))

    def drain(self, limit: int = 1000) -> Report:
        """Deliver, moving the clock, until nothing but schedules, or held messages, is left.

        Schedule ticks that pass on the way are skipped. DrainLimitReached is raised once more than *limit* messages
        were created during the drain.
        """
        return self._clock.drain(limit)

    async def drain_async(self, limit: int = 1000) -> Report:
        """Do what `drain` does, delivering on the running event loop."""
        return await self._clock.drain_async(limit)

    def deliver_due(self) -> Report:
        """Make the deliveries that are due now; the clock stands still."""
        return self._clock.deliver_due()

    async def deliver_due_async(self) -> Report:
        """Do what `deliver_due` does, delivering on the running event loop."""
        return await self._clock.deliver_due_async()

    def signed_request(
        self,
        url: str,
        body: Any = b"",
        *,
        expired: bool = False,
        wrong_key: bool = False,
        wrong_url: bool = False,
        tampered: bool = False,
    ) -> httpx.Request:
        """Return a request to *url* as QStash signs it, or with one thing wrong, to test the application's check.

        *body* is bytes, text, or something that is sent as JSON. *tampered*: the body is not the one that was signed.
        """
        self._clock.observe()
        broker, wrong = self._broker, {"expired": expired, "wrong_key": wrong_key, "wrong_url": wrong_url}
        return signed_request(broker.ids, broker.signing_keys, url, body, **wrong, tampered=tampered).to_httpx()

    @asynccontextmanager
    async def lifespan(self, app: AsgiApp) -> AsyncIterator[None]:
        """Run the lifespan of *app* on the running loop, for tests that use the `_async` verbs."""
        lifespan = Lifespan(app)
        task = asyncio.create_task(lifespan.run())
        await lifespan.startup()
        try:
            with self.targets.running(lifespan):
                yield
        finally:
            await lifespan.shutdown()
            await task

    # --- what a test asserts ------------------------------------------------------------------------------------

    def assert_published(self, url: Url | None = None, *, times: int | None = None, **asked: Unpack[Asked]) -> Message:
        """Return the newest message that was published so, or fail.

        *url* is exact, a prefix if it ends in `*`, or a compiled regex; *times* is how many there must be exactly,
        None for at least one. What else can be asked: `assertions.Asked`. With `times=0` there is none to return.
        """
        __tracebackhide__ = True
        return self._find("published", Wanted(url=url, **asked), self.messages, times)

    def assert_nothing_published(self, url: Url | None = None, **asked: Unpack[Asked]) -> None:
        """Fail if a message was published so; with nothing asked, if any was."""
        __tracebackhide__ = True
        assertions.find_nothing("published", Wanted(url=url, **asked), self.messages)

    def assert_delivered(self, url: Url | None = None, *, times: int | None = None, **asked: Unpack[Asked]) -> Message:
        """Return the newest message that was delivered and is so, or fail."""
        __tracebackhide__ = True
        return self._find("delivered", Wanted(url=url, **asked), self.delivered, times)

    def assert_dead_lettered(
        self,
        url: Url | None = None,
        *,
        status: int | None = None,
        times: int | None = None,
        **asked: Unpack[Asked],
    ) -> DeadLetter:
        """Return the newest dead letter that is so, *status* being that of its last answer, or fail."""
        __tracebackhide__ = True
        wanted = Wanted(url=url, status=status, **asked)
        dead = {letter.message: letter for letter in self.dlq}
        found = self._find("dead-lettered", wanted, list(dead), times)
        return dead[found] if dead else cast(DeadLetter, None)

    def assert_scheduled(self, cron: str | None = None, destination: Url | None = None) -> Schedule:
        """Return the newest schedule with this cron and destination, a URL or the name of a group, or fail."""
        __tracebackhide__ = True
        return assertions.find_schedule(self.schedules.values(), cron, destination)

    def assert_idle(self) -> None:
        """Fail if a message is pending, held ones included."""
        __tracebackhide__ = True
        if pending := self.pending:
            raise assertions.not_idle(pending, self._pending_text())

    def verify(self) -> None:
        """Raise UsageError for what the application may have swallowed: calls answered 501, errors of our own."""
        __tracebackhide__ = True
        problems, self._api.problems[:] = list(self._api.problems), []
        problems += self._clock.take_misuse()
        if problems:
            raise UsageError("qstash_fake was used in a way that cannot work:\n" + "\n".join(problems))

    # --- life -----------------------------------------------------------------------------------------------------

    def reset(self) -> None:
        """Forget messages, schedules, queues, groups, keys, dead letters, logs, routes and faults.

        What was mounted stays, and so does the time.
        """
        self._clock.observe()
        broker = self._new_broker(now_ms=self._broker.now_ms)
        self._clock.broker = self._deliveries.broker = self._api.broker = broker
        self.targets.routes.clear()
        self._api.reset()

    def __enter__(self) -> Self:
        if self._clock.opened:
            raise UsageError("a QStashFake is for one `with` block: make a new one for the next")
        before = os.environ.get("QSTASH_URL")
        hosts = Hosts(before)
        with ExitStack() as exits:
            keys = self._broker.signing_keys
            for name, value in {
                "QSTASH_URL": DEV_SERVER,
                "QSTASH_TOKEN": self._token,
                "QSTASH_CURRENT_SIGNING_KEY": keys.current,
                "QSTASH_NEXT_SIGNING_KEY": keys.next,
            }.items():
                exits.callback(_restore, name, os.environ.get(name))
                os.environ[name] = value
            exits.enter_context(intercept_httpx.intercepted(self._api, hosts))
            exits.enter_context(intercept_requests.intercepted(self._api, hosts))
            exits.callback(self._clock.close)
            exits.callback(self._driver.close)  # first of all: an application may publish as it shuts down
            if self._start_ms is not None:
                self._clock.stand_still()
            self._clock.open()
            self._exits = exits.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        __tracebackhide__ = True
        self._exits.close()
        if error is None:
            self.verify()

    def __repr__(self) -> str:
        count = len(self.messages)
        return f"<QStashFake {count} message{'s' * (count != 1)}, {len(self.pending)} pending>"

    @property
    def _broker(self) -> Broker:
        return self._clock.broker

    def _new_broker(self, now_ms: int | None = None) -> Broker:
        if now_ms is None:
            now_ms = real_now_ms() if self._start_ms is None else self._start_ms
        current, following = (os.environ.get(f"QSTASH_{name}_SIGNING_KEY") for name in ("CURRENT", "NEXT"))
        keys = (current, following) if current and following else (DEV_CURRENT_KEY, DEV_NEXT_KEY)
        return Broker(now_ms, seed=self._seed, plan=self._plan, signing_keys=keys)

    def _at_instant(self, now_ms: int) -> None:
        self._clock.show(now_ms)

    def _chat(self, request: httpx.Request) -> httpx.Response:
        """Answer messages to `api/llm`, unless a route or another mount does."""
        return httpx.Response(200, json=dict(self._api.chat_answer), request=request)

    def _in(self, state: State) -> list[Message]:
        return [message for message in self.messages if message.state is state]

    def _find(self, kind: str, wanted: Wanted, messages: list[Message], times: int | None) -> Message:
        __tracebackhide__ = True
        pending, published = self._pending_text(), self.messages
        found = assertions.find(kind, wanted, messages, times=times, pending=pending, published=published)
        return cast(Message, found)  # None with times=0 alone

    def _pending_text(self) -> str:
        self._clock.observe()
        if not (pending := self.pending):
            ticks = [schedule.next_ms for schedule in self.schedules.values() if schedule.next_ms is not None]
            return assertions.describe_nothing_pending(min(ticks) - self._broker.now_ms if ticks else None)
        next_ms = self._broker.next_event_ms(ticks=False)
        wait_ms = None if next_ms is None else next_ms - self._broker.now_ms
        if wait_ms is not None and self._clock.running:
            wait_ms = -(-wait_ms // 1000) * 1000  # the milliseconds since the publish are noise
        with self._broker.lock:
            held = self._broker.held(self._broker.now_ms)
        return assertions.describe_pending(len(pending), held.values(), wait_ms)


def _restore(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value
