"""The verbs: what each of them delivers. One verb runs at a time.

A verb is a generator of calls; the sync or the async driver makes them. A handler runs inside the verb; the context
variable of `running` tells that it does. A verb that is called inside another one is a mistake of a handler. The
handler may swallow the error and answer 200; hence the outer verb raises it too. A verb that is called beside another
one, in a thread or task of the test, is refused, and the other goes on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime

from qstash_fake.broker.broker import Broker
from qstash_fake.broker.message import Message as InnerMessage
from qstash_fake.broker.views import Message, inner_of
from qstash_fake.delivery.drivers import SyncDriver, run_async
from qstash_fake.delivery.loops import loop_is_running
from qstash_fake.delivery.run import Calls, Deliveries
from qstash_fake.errors import UsageError
from qstash_fake.protocol.durations import Duration, format_ms, to_ms
from qstash_fake.protocol.moments import LAST_MS, iso, moment_to_ms, to_datetime
from qstash_fake.testing.awaiting import Calls as AsyncCalls
from qstash_fake.testing.awaiting import spelled
from qstash_fake.testing.endless import DrainLimit, InstantLimit
from qstash_fake.testing.goals import Done, Goal, Units, duration_ms
from qstash_fake.testing.outlook import outlook
from qstash_fake.testing.report import Report, report_since
from qstash_fake.testing.running import INSIDE, Running
from qstash_fake.testing.timekeeper import Timekeeper


class Verbs:
    """The verbs of one fake. They work between `open` and `close`, while its `with` block lasts."""

    def __init__(self, timekeeper: Timekeeper, deliveries: Deliveries, driver: SyncDriver) -> None:
        self._timekeeper = timekeeper
        self._deliveries = deliveries
        self._driver = driver
        self._outside: str | None = "before"
        """"before" or "after" the `with` block; None in the block."""
        self._running: Running | None = None
        self.calls = AsyncCalls()
        """The async verbs that were called and have not begun."""

    @property
    def opened(self) -> bool:
        """Whether the `with` block has begun; it may have ended since."""
        return self._outside != "before"

    def open(self) -> None:
        """Let the verbs work from now on."""
        self._outside = None

    def close(self) -> None:
        """Refuse every verb from now on."""
        self._outside = "after"

    def run(self, verb: Callable[..., Calls], *arguments: object) -> Report:
        """Run one of the generators below from synchronous code."""
        running = self._claim(verb.__name__, is_async=False)
        try:
            self._timekeeper.begin_verb()
            self._driver.run(verb(*arguments))
        finally:
            self._release(running)
        return report_since(self._broker, running.number)

    async def run_async(self, verb: Callable[..., Calls], *arguments: object) -> Report:
        """Run one of the generators below on the running event loop."""
        running = self._claim(verb.__name__, is_async=True)
        try:
            self._timekeeper.begin_verb()
            await run_async(verb(*arguments), self._driver.limit_ms)
        finally:
            self._release(running)
        return report_since(self._broker, running.number)

    def refuse_inside_or_beside(self, what: str, why: str) -> None:
        """Raise UsageError if a verb runs; *why* tells a handler what is wrong with its call of *what*."""
        running = self._running
        if running is None:
            return
        if running in INSIDE.get():
            running.misuse = UsageError(f"{what}() was called while {running.verb}() runs: {why}")
            raise running.misuse
        where = "task" if running.thread == threading.get_ident() else "thread"
        raise UsageError(
            f"{what}() was called while {running.verb}() runs in another {where}: call it when that one has returned"
        )

    # --- what each verb does ------------------------------------------------------------------------------------

    def advance(self, duration: Duration | None, units: Units) -> Calls:
        """Move forward by *duration*, or by *units*, making every delivery that falls due on the way, in order."""
        return self._until("advance", self._broker.now_ms + duration_ms(duration, units))

    def advance_to(self, moment: datetime | str) -> Calls:
        """Move forward to *moment*, making every delivery on the way."""
        now_ms, moment_ms = self._broker.now_ms, moment_to_ms(moment)
        if moment_ms < now_ms:
            asked, now = iso(to_datetime(moment_ms)), iso(to_datetime(now_ms))
            raise ValueError(f"cannot advance to {asked}: it is {now}, and time never goes back")
        return self._until("advance_to", moment_ms)

    def advance_to_next(self) -> Calls:
        """Move forward to the next instant at which something happens, and do all of it."""
        next_ms = self._broker.next_event_ms()
        return self._until("advance_to_next", self._broker.now_ms if next_ms is None else next_ms)

    def advance_until(self, done: Done, limit: Duration) -> Calls:
        """Move from one instant at which something happens to the next, and do all of each, until *done*."""
        goal, broker = Goal(done), self._broker
        if isinstance(done, Message):
            self._refuse_a_stranger(inner_of(done))
        end_ms, guard = broker.now_ms + to_ms(limit), InstantLimit("advance_until", broker)
        while not goal.is_reached():
            next_ms = broker.next_event_ms()
            if next_ms is None:
                raise UsageError(f"advance_until() finds nothing that is still to happen: {self._not_reached(goal)}")
            if next_ms > end_ms:
                text = f"advance_until() has come to its limit of {format_ms(to_ms(limit))}"
                raise UsageError(f"{text}: {self._not_reached(goal)}")
            yield from self._deliveries.until(next_ms, guard.check)
            broker.observe(next_ms)

    def _refuse_a_stranger(self, message: InnerMessage) -> None:
        if message.pending and self._broker.messages.get(message.message_id) is not message:
            raise UsageError(
                f"{message!r} is no message of this fake: it was there before reset(), or belongs to another fake"
            )

    def _not_reached(self, goal: Goal) -> str:
        return f"{goal} and {outlook(self._timekeeper)}"

    def deliver_due(self) -> Calls:
        """Make the deliveries that are due now; the clock stands still."""
        return self._until("deliver_due", self._broker.now_ms)

    def deliver(self, message: Message) -> Calls:
        """Make the next attempt of *message*, due or not; the clock stands still."""
        if not isinstance(message, Message):
            raise UsageError(f"deliver({message!r}) has nothing to deliver: give a message of qstash_fake.pending")
        self._refuse_a_stranger(inner_of(message))
        return self._deliveries.only(inner_of(message))

    def drain(self, limit: int) -> Calls:
        """Deliver, moving forward, until nothing but schedules, or held messages, is left."""
        guard = DrainLimit(self._broker, limit)
        while (next_ms := self._broker.next_event_ms(ticks=False)) is not None:
            self._broker.skip_ticks(next_ms)
            yield from self._deliveries.until(next_ms, guard.check)
            self._broker.observe(next_ms)

    def _until(self, verb: str, until_ms: int) -> Calls:
        if until_ms > LAST_MS:
            raise ValueError("cannot advance beyond the year 9999, where datetimes end")
        yield from self._deliveries.until(until_ms, InstantLimit(verb, self._broker).check)
        self._broker.observe(until_ms)

    # --- one at a time ------------------------------------------------------------------------------------------

    def _claim(self, verb: str, *, is_async: bool) -> Running:
        """Note that *verb* runs from now on, or raise UsageError where it cannot."""
        with self._broker.lock:
            self.refuse_inside_or_beside(verb, "a handler cannot move the clock that delivers to it")
            (_require_a_running_loop if is_async else _refuse_a_running_loop)(verb)
            if self._outside is not None:
                raise UsageError(
                    f"{verb}() was called {self._outside} the `with` block of its QStashFake, where time cannot move"
                )
            self._running = running = Running(verb, is_async, threading.get_ident(), self._broker.journal.total)
        INSIDE.set((*INSIDE.get(), running))
        return running

    def _release(self, running: Running) -> None:
        """Note that a verb is over, and raise the mistake of a handler in it."""
        self._running = None
        INSIDE.set(tuple(one for one in INSIDE.get() if one is not running))
        self._timekeeper.end_verb()
        if running.misuse is not None:
            raise running.misuse

    @property
    def _broker(self) -> Broker:
        return self._timekeeper.broker


def _refuse_a_running_loop(verb: str) -> None:
    if loop_is_running():
        raise UsageError(
            f"{verb}() was called on a running event loop, which it would block: "
            f"use `await {spelled(f'{verb}_async')}(…)`"
        )


def _require_a_running_loop(verb: str) -> None:
    if not loop_is_running():
        raise UsageError(
            f"{verb}_async() needs a running loop of asyncio or trio; where there is none, use {spelled(verb)}()"
        )
