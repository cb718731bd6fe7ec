"""The clock as a test holds it: what time it is, when something happens next, and the verbs that move it."""

from __future__ import annotations

from datetime import datetime
from typing import Unpack

from qstash_fake.broker.views import moment as moment_or_none
from qstash_fake.protocol.attributes import NamesWhatIsMeant
from qstash_fake.protocol.durations import Duration
from qstash_fake.protocol.keywords import keywords, made_by_the_fake
from qstash_fake.protocol.moments import to_datetime
from qstash_fake.testing.awaiting import awaited
from qstash_fake.testing.goals import Done, Units
from qstash_fake.testing.report import Report
from qstash_fake.testing.timekeeper import Timekeeper
from qstash_fake.testing.verbs import Verbs


class Clock(NamesWhatIsMeant):
    """The virtual clock of one fake. It runs with real time until the first verb, then stands still between verbs."""

    __slots__ = ("_timekeeper", "_verbs")

    @made_by_the_fake
    def __init__(self, timekeeper: Timekeeper, verbs: Verbs) -> None:
        self._timekeeper = timekeeper
        self._verbs = verbs

    @property
    def now(self) -> datetime:
        """The virtual time, aware UTC."""
        return to_datetime(self._timekeeper.observe())

    @property
    def next_due(self) -> datetime | None:
        """When something happens next, schedules included and held messages not; None if nothing will."""
        self._timekeeper.observe()
        return moment_or_none(self._timekeeper.broker.next_event_ms())

    @keywords(Units)
    def advance(self, duration: Duration | None = None, **units: Unpack[Units]) -> Report:
        """Move forward by *duration*, making every delivery that falls due on the way, in order.

        A duration is a text such as `1h30m`, seconds, a timedelta, or the keywords of one: `advance(days=11, hours=2)`.
        """
        return self._verbs.run(self._verbs.advance, duration, units)

    @awaited
    @keywords(Units)
    async def advance_async(self, duration: Duration | None = None, **units: Unpack[Units]) -> Report:
        """Do what `advance` does, delivering on the running event loop."""
        return await self._verbs.run_async(self._verbs.advance, duration, units)

    def advance_to(self, moment: datetime | str) -> Report:
        """Move forward to *moment*, an aware datetime or an ISO 8601 text, making every delivery on the way."""
        return self._verbs.run(self._verbs.advance_to, moment)

    @awaited
    async def advance_to_async(self, moment: datetime | str) -> Report:
        """Do what `advance_to` does, delivering on the running event loop."""
        return await self._verbs.run_async(self._verbs.advance_to, moment)

    def advance_to_next(self) -> Report:
        """Move forward to the next instant at which something happens, and do all of it."""
        return self._verbs.run(self._verbs.advance_to_next)

    @awaited
    async def advance_to_next_async(self) -> Report:
        """Do what `advance_to_next` does, delivering on the running event loop."""
        return await self._verbs.run_async(self._verbs.advance_to_next)

    def advance_until(self, done: Done, limit: Duration = "30d") -> Report:
        """Move forward from one instant at which something happens to the next, until *done*, and do all of each.

        *done* is a function that is called before each instant, or a message, which is done when it is delivered,
        dead or cancelled. UsageError is raised if it would take more than *limit*, or if nothing is left to happen;
        the clock then stands at the last instant.
        """
        return self._verbs.run(self._verbs.advance_until, done, limit)

    @awaited
    async def advance_until_async(self, done: Done, limit: Duration = "30d") -> Report:
        """Do what `advance_until` does, delivering on the running event loop."""
        return await self._verbs.run_async(self._verbs.advance_until, done, limit)

    def __repr__(self) -> str:
        return f"<Clock {self.now:%Y-%m-%dT%H:%M:%S.%f}>"
