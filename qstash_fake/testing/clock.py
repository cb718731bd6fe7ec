"""The clock that a test moves. Its verbs are the only thing that delivers.

It runs with real time until the first verb; from then on it stands still between verbs. A verb goes from event to
event: at each, the broker's time and the application's frozen time are the event's own.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from qstash_fake.broker.broker import Broker
from qstash_fake.broker.journal import LogEntry
from qstash_fake.broker.message import Attempt, Message, Outcome
from qstash_fake.delivery.run import Call, Deliveries, SyncDriver, run_async
from qstash_fake.engines import table as engines
from qstash_fake.engines.engine import Engine
from qstash_fake.engines.off import Off
from qstash_fake.errors import DrainLimitReached, UsageError
from qstash_fake.protocol.durations import Duration, format_ms, to_ms
from qstash_fake.protocol.moments import LAST_MS, iso, moment_to_ms, to_datetime

Calls = Generator[Call, Outcome, None]
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(slots=True, eq=False, kw_only=True)
class Report:
    """What a verb has done; `str()` is one line for people."""

    attempts: tuple[Attempt, ...] = ()
    delivered: tuple[Message, ...] = ()
    dead: tuple[Message, ...] = ()
    fired: tuple[Message, ...] = ()
    """The messages that schedule ticks made."""
    held: dict[str, int] = field(default_factory=dict)
    """How many messages are due but wait, by what they wait for."""
    skipped: int = 0
    """How many schedule ticks a drain passed over."""
    now: datetime
    next_due: datetime | None = None

    def __str__(self) -> str:
        attempts = f"{len(self.attempts)} attempt{'s' * (len(self.attempts) != 1)}"
        parts = [f"{attempts}, {len(self.delivered)} delivered, {len(self.dead)} dead"]
        if self.fired:
            parts.append(f"{len(self.fired)} fired by schedules")
        parts += [f"{count} held: {reason}" for reason, count in self.held.items()]
        if self.skipped:
            parts.append(f"{self.skipped} schedule tick{'s' * (self.skipped != 1)} skipped")
        parts.append(f"now {iso(self.now)}")
        if self.next_due:
            parts.append(f"next due in {format_ms((self.next_due - self.now) // _MILLISECOND)}")
        return "; ".join(parts)


class Clock:
    """The virtual clock of one fake. *start_ms* lets it stand still from the beginning."""

    def __init__(
        self, broker: Broker, deliveries: Deliveries, driver: SyncDriver, engine: Engine, start_ms: int | None
    ) -> None:
        self.broker = broker
        self._deliveries = deliveries
        self._driver = driver
        self._engine = engine
        self.real_now_ms: Callable[[], int] = real_now_ms  # what measures real time while it runs
        self._running = start_ms is None
        self._open: bool | None = None  # None before the fake's `with` block, False after it
        self._observed = False
        self._verb: str | None = None
        self._misuse: UsageError | None = None

    @property
    def opened(self) -> bool:
        """Whether the fake's `with` block has begun, be it over or not."""
        return self._open is not None

    @property
    def running(self) -> bool:
        """Whether it runs with real time: until the first verb."""
        return self._running

    @property
    def now(self) -> datetime:
        """The virtual time, aware UTC."""
        self.observe()
        return to_datetime(self.broker.now_ms)

    @property
    def next_due(self) -> datetime | None:
        """When something happens next, schedules included and held messages not; None if nothing will."""
        self.observe()
        next_ms = self.broker.next_event_ms()
        return None if next_ms is None else to_datetime(next_ms)

    def advance(self, duration: Duration) -> Report:
        """Move forward by *duration*, making every delivery that falls due on the way, in order."""
        return self._run("advance", lambda: self._forward_by(duration))

    async def advance_async(self, duration: Duration) -> Report:
        """Do what `advance` does, delivering on the running event loop."""
        return await self._run_async("advance", lambda: self._forward_by(duration))

    def advance_to(self, moment: datetime | str) -> Report:
        """Move forward to *moment*, an aware datetime or an ISO 8601 text, making every delivery on the way."""
        return self._run("advance_to", lambda: self._forward_to(moment))

    async def advance_to_async(self, moment: datetime | str) -> Report:
        """Do what `advance_to` does, delivering on the running event loop."""
        return await self._run_async("advance_to", lambda: self._forward_to(moment))

    def advance_to_next(self) -> Report:
        """Move forward to the next instant at which something happens, and do all of it."""
        return self._run("advance_to_next", self._to_next)

    async def advance_to_next_async(self) -> Report:
        """Do what `advance_to_next` does, delivering on the running event loop."""
        return await self._run_async("advance_to_next", self._to_next)

    def deliver_due(self) -> Report:
        """Make the deliveries that are due now; the clock stands still."""
        return self._run("deliver_due", lambda: self._deliveries.until(self.broker.now_ms))

    async def deliver_due_async(self) -> Report:
        """Do what `deliver_due` does, delivering on the running event loop."""
        return await self._run_async("deliver_due", lambda: self._deliveries.until(self.broker.now_ms))

    def drain(self, limit: int) -> Report:
        """Deliver until nothing but schedules, or held messages, is left."""
        return self._run("drain", lambda: self._drain(limit))

    async def drain_async(self, limit: int) -> Report:
        """Do what `drain` does, delivering on the running event loop."""
        return await self._run_async("drain", lambda: self._drain(limit))

    def observe(self) -> None:
        """Tell the broker the time: real time as long as the clock runs, else that of a freeze of the user's."""
        if not self._running:
            self._follow_users_freeze()
            return
        if not self._observed:
            # Nothing has happened yet: a freeze of the user's that began after the fixture may lie before it.
            self.broker.now_ms, self._observed = self.real_now_ms(), True
        self.broker.observe(self.real_now_ms())

    def stand_still(self) -> None:
        """Fix the time, and freeze the application's; a freeze that the user has himself is followed instead."""
        self.observe()
        self._running = False
        if (users := engines.users_freeze()) is not None:
            self.broker.observe(users.now_ms())
        self.show(self.broker.now_ms)

    def _follow_users_freeze(self) -> None:
        # Not only at the next verb: what is published under the freeze is published at its time.
        if self._open and self._verb is None:
            with suppress(UsageError):  # one that cannot be followed is refused by the next verb
                if (users := engines.users_freeze()) is not None:
                    self.broker.observe(users.now_ms())

    def show(self, now_ms: int) -> None:
        """Let the application see *now_ms*; retries of a message due at the end of time may go beyond it."""
        engines.show(self._engine, min(now_ms, LAST_MS))

    def take_misuse(self) -> list[str]:
        """Return what a handler did wrong, if no verb has raised it, and forget it."""
        misuse, self._misuse = self._misuse, None
        return [str(misuse)] if misuse else []

    def open(self) -> None:
        """Let the verbs work from now on."""
        self._open = True

    def close(self) -> None:
        """Give real time back to the application; no verb works from now on."""
        self._open = False
        self._engine.stop()
        self._engine = Off()  # a verb that a forgotten task still runs must not freeze time again

    # --- the verbs: each is a generator of calls, run by the sync or the async driver --------------------------

    def _forward_by(self, duration: Duration) -> Calls:
        return self._until(self.broker.now_ms + to_ms(duration))

    def _forward_to(self, moment: datetime | str) -> Calls:
        moment_ms = moment_to_ms(moment)
        if moment_ms < self.broker.now_ms:
            now = iso(to_datetime(self.broker.now_ms))
            raise ValueError(f"cannot advance to {iso(to_datetime(moment_ms))}: it is {now}, and time never goes back")
        return self._until(moment_ms)

    def _until(self, until_ms: int) -> Calls:
        if until_ms > LAST_MS:
            raise ValueError("cannot advance beyond the year 9999, where datetimes end")
        yield from self._deliveries.until(until_ms)
        self.broker.observe(until_ms)

    def _to_next(self) -> Calls:
        next_ms = self.broker.next_event_ms()
        if next_ms is not None:
            yield from self._deliveries.until(next_ms)
            self.broker.observe(next_ms)

    def _drain(self, limit: int) -> Calls:
        accepted = self.broker.accepted

        def guard() -> None:
            if self.broker.accepted - accepted > limit:
                new = [message for message in self.broker.messages.values() if message.sequence > accepted]
                raise DrainLimitReached(_endless(new, limit))

        while (next_ms := self.broker.next_event_ms(ticks=False)) is not None:
            self.broker.skip_ticks(next_ms)
            yield from self._deliveries.until(next_ms, guard)
            self.broker.observe(next_ms)

    # --- what all verbs share -----------------------------------------------------------------------------------

    def _run(self, verb: str, calls: Callable[[], Calls]) -> Report:
        if self._verb is None and _loop_is_running():
            raise UsageError(
                f"{verb}() was called on a running event loop, which it would block: use `await ….{verb}_async(…)`"
            )
        with self._during(verb) as report:
            self._driver.run(calls())
        return report

    async def _run_async(self, verb: str, calls: Callable[[], Calls]) -> Report:
        if not _loop_is_running():
            raise UsageError(f"{verb}_async() needs a running loop of asyncio; where there is none, use {verb}()")
        with self._during(verb) as report:
            await run_async(calls())
        return report

    @contextmanager
    def _during(self, verb: str) -> Iterator[Report]:
        if self._verb is not None:
            self._misuse = UsageError(
                f"{verb}() was called while {self._verb}() runs: a handler cannot move the clock that delivers to it"
            )
            raise self._misuse
        if not self._open:
            when = "before" if self._open is None else "after"
            raise UsageError(f"{verb}() was called {when} the `with` block of its QStashFake, where time cannot move")
        self.stand_still()
        self._verb = verb
        mark = self.broker.journal.total
        report = Report(now=to_datetime(self.broker.now_ms))
        try:
            yield report
        finally:
            self._verb = None
            self.show(self.broker.now_ms)
            misuse, self._misuse = self._misuse, None
            if misuse is not None:
                raise misuse
        self._fill(report, mark)

    def _fill(self, report: Report, mark: int) -> None:
        with self.broker.lock:
            written, held = self.broker.journal.since(mark), self.broker.held()
        entries = [entry for entry in written if isinstance(entry, LogEntry)]
        report.attempts = tuple(e.attempt for e in entries if e.state == "ACTIVE" and e.attempt)
        report.delivered = tuple(e.message for e in entries if e.state == "DELIVERED")
        report.dead = tuple(e.message for e in entries if e.state == "FAILED")
        report.fired = tuple(e.message for e in entries if e.state == "CREATED" and e.message.schedule_id)
        report.skipped = sum(entry.skipped_ticks for entry in written if not isinstance(entry, LogEntry))
        report.held = dict(Counter(held.values()))
        report.now = to_datetime(self.broker.now_ms)
        next_ms = self.broker.next_event_ms()
        report.next_due = None if next_ms is None else to_datetime(next_ms)


def real_now_ms() -> int:
    """Return the wall clock's time in unix milliseconds, rounded down; a freeze of the user's is followed."""
    return time.time_ns() // 1_000_000


def steady_clock() -> Callable[[], int]:
    """Return what tells the wall clock's time at this call plus the monotonic time since, in unix milliseconds.

    Whoever sets the wall clock moves it neither back nor forward, so a delay lasts as long as it says. Time for
    which the machine is suspended does not count where the monotonic clock leaves it out, as on Linux.
    """
    start_ms, start_ns = real_now_ms(), time.monotonic_ns()
    return lambda: start_ms + (time.monotonic_ns() - start_ns) // 1_000_000


def _endless(new: list[Message], limit: int) -> str:
    most = Counter(message.url for message in new).most_common(3)
    named = ", ".join(f"{url} ({count} times)" for url, count in most)
    return (
        f"drain() has created more than {limit} messages and is not done; published again and again: {named}; "
        f"raise drain(limit=…), or go step by step with clock.advance(…)"
    )


def _loop_is_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
