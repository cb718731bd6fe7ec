"""QStashFake: the object that a test holds. It shows views, and hands calls on to the parts that do the work."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from datetime import datetime
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, Self, Unpack, cast

import httpx

from qstash_fake.api.view import ApiView
from qstash_fake.broker.account_views import Schedule
from qstash_fake.broker.journal import Step
from qstash_fake.broker.message import Message as InnerMessage
from qstash_fake.broker.message import State
from qstash_fake.broker.views import DeadLetter, Message, view_of
from qstash_fake.broker.workflow.views import WorkflowRun
from qstash_fake.delivery.forgery import signed_request
from qstash_fake.delivery.mounts import lifespan_of
from qstash_fake.delivery.routes import Route, url_pattern
from qstash_fake.delivery.watchdog import LIMIT, limit_to_ms
from qstash_fake.errors import UsageError
from qstash_fake.protocol.durations import Duration
from qstash_fake.protocol.keywords import keywords
from qstash_fake.testing import assertions
from qstash_fake.testing.awaiting import awaited
from qstash_fake.testing.background import Background
from qstash_fake.testing.clock import Clock
from qstash_fake.testing.contents import Contents
from qstash_fake.testing.environment import URL, base_url, known_region, known_tokens
from qstash_fake.testing.inside import Inside
from qstash_fake.testing.report import Report
from qstash_fake.testing.timekeeper import start_to_ms
from qstash_fake.testing.wanted import Asked, Url, UrlObject, Wanted, url_text
from qstash_fake.testing.workflows import AskedOfRun, find_run

__unittest = True  # unittest leaves the frames of this module out of a failure


class QStashFake(Contents):
    """An in-memory QStash with a virtual clock; the fixture `qstash_fake` is one.

    *start*: the time at which the clock stands from the beginning, an aware datetime or an ISO 8601 text; None lets
    it run with real time until the first verb. *freeze*: what moves the application's time with the clock: `auto`,
    `freezegun`, `time-machine` or `off`. *unrouted*: what happens to a delivery that nobody answers: `error`,
    `accept` or `fail`. *raise_app_exceptions*: whether verbs raise what the application raised. *seed*: equal seeds
    give equal ids. *token*: the only token, or tokens, that the API lets in; None lets in any. *plan*: the quotas
    that count, `free`, `payg`, `fixed-1m` or `fixed-10m`; None for none. *url*: what the application finds in
    `QSTASH_URL`; calls to it are answered whatever it is. *region*: the only region that knows the account,
    `us-east-1` or `eu-central-1`; None for both. *watchdog*: how long, in real time, a delivery on an event loop, a
    startup or a shutdown may take; 0 is for ever.

    Use it as a context manager; interception, environment and frozen time end with the block.
    """

    @keywords()
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
        url: str | UrlObject = URL,
        region: str | None = None,
        watchdog: Duration = LIMIT,
    ) -> None:
        inside = Inside(
            start_ms=None if start is None else start_to_ms(start),
            freeze=freeze,
            unrouted=unrouted,
            raise_app_exceptions=raise_app_exceptions,
            seed=seed,
            token=known_tokens(token),
            plan=plan,
            url=base_url(url),
            region=known_region(region),
            watchdog_ms=limit_to_ms(watchdog),
        )
        super().__init__(inside)
        self._clock = Clock(inside.timekeeper, inside.verbs)
        self._api = ApiView(inside.api)
        self._verbs = inside.verbs
        self._background = Background(inside)
        self._exits = ExitStack()  # of the `with` block

    @property
    def clock(self) -> Clock:
        """The clock, and the verbs that move it."""
        return self._clock

    @property
    def api(self) -> ApiView:
        """The API: `calls` lists what was called; `fail`, `drop_connection` and `chat_answer` say how it behaves."""
        return self._api

    # --- what a test does ---------------------------------------------------------------------------------------

    @keywords()
    def mount(self, app: Any, url: str | UrlObject | None = None, *, lifespan: bool = True) -> None:
        """Let *app* answer deliveries to *url* and everything below it; without a URL, every delivery.

        *app* is an ASGI or WSGI application, a test client with `.request()`, or a callable that takes an
        httpx.Request and returns an httpx.Response. The longest prefix wins, an equal one is replaced. The sync
        verbs run the *lifespan* of a bare ASGI application around its deliveries.
        """
        text = None if url is None else url_text(url)
        if isinstance(text, re.Pattern):
            raise UsageError("mount() takes the beginning of URLs and no regex: answer those with qstash_fake.on(…)")
        self._inside.targets.mount(app, text, lifespan=lifespan)

    @keywords()
    def on(self, url: Url, method: str | None = None) -> Route:
        """Answer deliveries to *url* instead of the application; say how on the route that is returned."""
        return self._inside.targets.on(url_text(url), method)

    def duplicate_next(self, url: Url | None = None) -> None:
        """Send the next attempt, to *url* if given, twice: QStash delivers at least once. The first answer is lost."""
        pattern = None if url is None else url_pattern(url_text(url))
        self._broker.duplicate_next(lambda to: pattern is None or pattern.matches(to))

    def drain(self, limit: int = 1000) -> Report:
        """Deliver, moving the clock, until nothing but schedules, or held messages, is left.

        Schedule ticks that pass on the way are skipped. DrainLimitReached is raised once more than *limit* messages
        were created during the drain.
        """
        return self._inside.verbs.run(self._inside.verbs.drain, limit)

    @awaited
    async def drain_async(self, limit: int = 1000) -> Report:
        """Do what `drain` does, delivering on the running event loop."""
        return await self._inside.verbs.run_async(self._inside.verbs.drain, limit)

    def deliver(self, message: Message) -> Report:
        """Make the next attempt of *message*, a pending one, whenever it is due; the clock stands still.

        Its gates count: UsageError says what holds it, or that it is in flight or has ended.
        """
        return self._inside.verbs.run(self._inside.verbs.deliver, message)

    @awaited
    async def deliver_async(self, message: Message) -> Report:
        """Do what `deliver` does, delivering on the running event loop."""
        return await self._inside.verbs.run_async(self._inside.verbs.deliver, message)

    def deliver_due(self) -> Report:
        """Make the deliveries that are due now; the clock stands still."""
        return self._inside.verbs.run(self._inside.verbs.deliver_due)

    @awaited
    async def deliver_due_async(self) -> Report:
        """Do what `deliver_due` does, delivering on the running event loop."""
        return await self._inside.verbs.run_async(self._inside.verbs.deliver_due)

    @keywords()
    def signed_request(
        self,
        url: str | UrlObject,
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
        self._observe()
        broker = self._broker
        wrong = {"expired": expired, "wrong_key": wrong_key, "wrong_url": wrong_url, "tampered": tampered}
        request = signed_request(broker.ids, broker.signing_keys, str(url), body, region=broker.home, **wrong)
        return request.to_httpx()

    @asynccontextmanager
    async def lifespan(self, app: Any) -> AsyncIterator[None]:
        """Run the lifespan of *app*, ASGI or aiohttp, on the running loop: for tests that use the `_async` verbs."""
        lifespan, limit_ms = lifespan_of(app), self._inside.driver.limit_ms
        await lifespan.startup(limit_ms)
        try:
            with self._inside.targets.running(lifespan):
                yield
        finally:
            await lifespan.shutdown(limit_ms)

    # --- what a test asserts ------------------------------------------------------------------------------------

    @keywords(Asked)
    def assert_published(self, url: Url | None = None, *, times: int | None = None, **asked: Unpack[Asked]) -> Message:
        """Return the newest message that was published like this, or fail.

        *url* is exact, a prefix if it ends in `*`, or a compiled regex; *callback* and *failure_callback* are too.
        *times* is how many there must be exactly, None for at least one; with `times=0` nothing is returned.
        *json* is the body as JSON: a subset for objects, equal otherwise. *body* is all of it, bytes or text. *headers*
        are a subset. *delay* is the time from the publish to the first due time, *timeout* what an attempt may take:
        `"5m"`, seconds or a timedelta. *label* is one of the labels. *retries* is how many attempts may follow the
        first. *flow_control* is a key, or a subset of key, parallelism, rate and period. *where* is a function that is
        given a message and returns True or False. A keyword that is not given is not checked.
        """
        __tracebackhide__ = True
        return _shown(self._find("published", Wanted(url=url, **asked), self._all(), times))

    @keywords(Asked)
    def assert_nothing_published(self, url: Url | None = None, **asked: Unpack[Asked]) -> None:
        """Fail if a message was published like this; without arguments, fail if any was published.

        `assert_published` has the keywords.
        """
        __tracebackhide__ = True
        assertions.find_nothing("published", Wanted(url=url, **asked), self._all(), self._background)

    @keywords(Asked)
    def assert_delivered(self, url: Url | None = None, *, times: int | None = None, **asked: Unpack[Asked]) -> Message:
        """Return the newest message like this that was delivered, or fail; `assert_published` has the keywords."""
        __tracebackhide__ = True
        delivered = [message for message in self._all() if message.state is State.DELIVERED]
        return _shown(self._find("delivered", Wanted(url=url, **asked), delivered, times))

    @keywords(Asked)
    def assert_dead_lettered(
        self,
        url: Url | None = None,
        *,
        status: int | None = None,
        times: int | None = None,
        **asked: Unpack[Asked],
    ) -> DeadLetter:
        """Return the newest dead letter like this, or fail; *status* is the status of its last answer.

        `assert_published` has the other keywords.
        """
        __tracebackhide__ = True
        wanted = Wanted(url=url, status=status, **asked)
        self._observe()
        with self._broker.lock:
            dead = {letter.message: letter for letter in self._broker.dead_letters.values()}
        found = self._find("dead-lettered", wanted, list(dead), times)
        return cast(DeadLetter, None) if found is None else view_of(DeadLetter, dead[found])

    def assert_order(self, expected: Sequence[Any]) -> None:
        """Fail unless messages were delivered in this order; others may have come before, between and after them.

        Each item is a message, a URL as in the other assertions, or a body: bytes, text that is no URL, or JSON.
        """
        __tracebackhide__ = True
        with self._broker.lock:
            entries = self._broker.journal.entries()
        delivered = [entry.message for entry in entries if entry.state is Step.DELIVERED]
        assertions.find_order(expected, delivered, self._background)

    @keywords()
    def assert_scheduled(self, cron: str | None = None, destination: Url | None = None) -> Schedule:
        """Return the newest schedule with this cron and destination, a URL or the name of a group, or fail."""
        __tracebackhide__ = True
        wanted = None if destination is None else url_text(destination)
        return assertions.find_schedule(self.schedules.values(), cron, wanted, self._background)

    @keywords(AskedOfRun)
    def assert_workflow(
        self, url: Url | None = None, *, times: int | None = None, **asked: Unpack[AskedOfRun]
    ) -> WorkflowRun:
        """Return the newest run of a workflow like this, or fail; *times* is how many there must be exactly.

        *payload* is a subset for objects, equal otherwise. *state* is `RUN_STARTED`, `RUN_SUCCESS`, `RUN_FAILED` or
        `RUN_CANCELED`. *step* is the name of a step that is done.
        """
        __tracebackhide__ = True
        return cast(
            WorkflowRun, find_run(self._inside, None if url is None else url_text(url), times, asked, self._background)
        )  # None with times=0 alone

    def assert_idle(self) -> None:
        """Fail if a message is pending, held ones included."""
        __tracebackhide__ = True
        if pending := [message for message in self._all() if message.pending]:
            raise assertions.not_idle(pending, self._background)

    def verify(self) -> None:
        """Raise UsageError for unnoticed problems: calls answered 501, our own errors, verbs without await."""
        __tracebackhide__ = True
        problems, self.api.problems[:] = [*self.api.problems, *self._verbs.calls.forgotten()], []
        self._verbs.calls.drop()
        if problems:
            raise UsageError("qstash_fake was used in a way that cannot work:\n" + "\n".join(problems))

    def save_report(self, path: str | PathLike[str]) -> Path:
        """Write all that has happened as one HTML file, redacted, of a few megabytes at most; return its path."""
        from qstash_fake.testing.saving import save_report  # most tests pass, and need none of it

        return save_report(self._inside, Path(path), "qstash_fake")

    # --- life -----------------------------------------------------------------------------------------------------

    def reset(self) -> None:
        """Forget messages, schedules, queues, groups, keys, dead letters, logs, routes and faults.

        Mounted applications and the time stay. Refused while a verb runs.
        """
        self._inside.reset()

    def __enter__(self) -> Self:
        if self._inside.verbs.opened:
            raise UsageError("a QStashFake is for one `with` block: make a new one for the next")
        self._exits = self._inside.begin()
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

    # --- parts of the methods above -------------------------------------------------------------------------------

    def _find(self, kind: str, wanted: Wanted, messages: list[InnerMessage], times: int | None) -> InnerMessage | None:
        __tracebackhide__ = True
        return assertions.find(kind, wanted, messages, times=times, background=self._background)


def _shown(found: InnerMessage | None) -> Message:
    return cast(Message, None) if found is None else view_of(Message, found)  # None with times=0 alone


def inside(fake: QStashFake) -> Inside:
    """Return the parts of *fake*; for the server and for our own tests."""
    return fake._inside
