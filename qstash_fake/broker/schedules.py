"""Schedules: what is published again and again, and when next. Knows crons and ticks; not what a message does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from qstash_fake.broker.agenda import Agenda, Event, Rank
from qstash_fake.broker.journal import Journal
from qstash_fake.broker.message import Message, State
from qstash_fake.errors import Refused
from qstash_fake.protocol.cron import Cron
from qstash_fake.protocol.publish import PublishRequest

if TYPE_CHECKING:
    from qstash_fake.broker.account import Account

LAST_STATES = {State.DELIVERED: "SUCCESS", State.FAILED: "FAIL", State.CANCELED: "FAIL"}


@dataclass(slots=True, eq=False, kw_only=True, repr=False)
class Schedule:
    """A request that is published at every match of a cron expression."""

    schedule_id: str
    cron_expression: Cron
    request: PublishRequest
    created_ms: int
    number: int
    """How many schedules were created before it; the order of ticks at one instant."""
    owner: Account
    paused: bool = False
    next_ms: int | None = None
    """The next tick; None while paused (assumed), and for a cron that never fires."""
    last_ms: int | None = None
    last_messages: list[Message] = field(default_factory=list)
    error: str | None = None
    """Why the last tick made no message."""
    view: Any = None
    """What a user holds of it."""

    @property
    def cron(self) -> str:
        """The expression, trimmed, with its `CRON_TZ=`."""
        return self.cron_expression.text

    @property
    def destination(self) -> str:
        """The URL, or the name of the URL group."""
        return str(self.request.destination)

    @property
    def last_states(self) -> dict[str, str]:
        """What became of the last tick's messages, by id: IN_PROGRESS, SUCCESS or FAIL."""
        return {m.message_id: LAST_STATES.get(m.state, "IN_PROGRESS") for m in self.last_messages}

    def trigger(self) -> list[Message]:
        """Publish once, now, even while paused; deliver with one of the verbs. Returns the new messages."""
        return self.owner.trigger(self)

    def __repr__(self) -> str:
        return f"<Schedule {self.schedule_id} {self.cron!r} → {self.destination}>"


class Tick(Event[Schedule]):
    """A schedule fires; at one instant the schedules fire in the order in which they were created."""

    rank = Rank.TICK

    def place(self, subject: Schedule) -> int:
        return subject.number

    def holds(self, at_ms: int, subject: Schedule) -> bool:
        return subject.next_ms == at_ms

    def happen(self, subject: Schedule) -> None:
        subject.owner.tick(subject)


TICK = Tick()


class Schedules:
    """All schedules by id, and their ticks on the agenda."""

    def __init__(self, agenda: Agenda, journal: Journal, owner: Account) -> None:
        self.by_id: dict[str, Schedule] = {}
        self._agenda = agenda
        self._journal = journal
        self._owner = owner
        self._created = 0

    def put(self, schedule_id: str, request: PublishRequest, now_ms: int) -> Schedule:
        """Create the schedule, or replace all of it but its id, its creation time and its place (assumed)."""
        assert request.options.cron is not None
        schedule = self.by_id.get(schedule_id)
        if schedule is None:
            schedule = self.by_id[schedule_id] = Schedule(
                schedule_id=schedule_id,
                cron_expression=request.options.cron,
                request=request,
                created_ms=now_ms,
                number=self._created,
                owner=self._owner,
            )
            self._created += 1
        else:  # the same object: a user who holds it sees the change, and ticks of the old cron no longer hold
            schedule.cron_expression, schedule.request, schedule.paused = request.options.cron, request, False
            schedule.last_ms, schedule.last_messages, schedule.error = None, [], None
        self._plan(schedule, now_ms)
        return schedule

    def find(self, schedule_id: str) -> Schedule:
        """Return a schedule, or refuse with 404."""
        if (schedule := self.by_id.get(schedule_id)) is None:
            raise Refused(404, f"schedule {schedule_id} not found")
        return schedule

    def delete(self, schedule_id: str) -> None:
        """Remove a schedule, or refuse with 404; what it has produced goes on."""
        schedule = self.find(schedule_id)
        del self.by_id[schedule.schedule_id]
        schedule.next_ms = None

    def pause(self, schedule_id: str) -> bool:
        """Stop ticking; ticks that pass are not made up. Tell whether it was not paused before."""
        schedule = self.find(schedule_id)
        was_paused = schedule.paused
        schedule.paused, schedule.next_ms = True, None
        return not was_paused

    def resume(self, schedule_id: str, now_ms: int) -> bool:
        """Tick again, first strictly after *now_ms*; tell whether it was paused. Otherwise nothing changes."""
        schedule = self.find(schedule_id)
        was_paused = schedule.paused
        if was_paused:
            schedule.paused = False
            self._plan(schedule, now_ms)
        return was_paused

    def tick(self, schedule: Schedule, publish: Callable[[Schedule], object], now_ms: int) -> None:
        """Let *publish* make the messages of one tick, which falls at *now_ms*, and plan the next."""
        at_ms = schedule.next_ms
        assert at_ms is not None
        schedule.last_ms, schedule.last_messages, schedule.error = now_ms, [], None
        try:
            publish(schedule)
        except Refused as refused:
            schedule.error = refused.error
            self._journal.note(now_ms, f"schedule {schedule.schedule_id} made no message: {refused.error}")
        self._plan(schedule, at_ms)

    def skip(self, until_ms: int) -> None:
        """Pass over every tick up to and including *until_ms*; the journal says how many those were."""
        for schedule in self.by_id.values():
            if schedule.next_ms is None or schedule.next_ms > until_ms:
                continue
            skipped = 1 + schedule.cron_expression.count_between(schedule.next_ms, until_ms)
            self._plan(schedule, until_ms)
            text = f"schedule {schedule.schedule_id} skipped {skipped} tick{'s' * (skipped > 1)}"
            self._journal.note(until_ms, text, skipped_ticks=skipped)

    def _plan(self, schedule: Schedule, after_ms: int) -> None:
        # assumed: a tick at the very instant of the creation or the resuming is not made
        schedule.next_ms = schedule.cron_expression.next_after(after_ms)
        if schedule.next_ms is not None:
            self._agenda.put(schedule.next_ms, TICK, schedule)
