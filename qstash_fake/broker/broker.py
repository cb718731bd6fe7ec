"""The broker: publish · next_message · start · complete. Everything that becomes of a message passes through here.

It is told the time, which never goes back, asked for the next message, and told the outcome. It calls no user
code, reads no clock and opens no connection. One lock, never held over a delivery, makes it safe for threads.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from threading import RLock

from qstash_fake.broker import callbacks, quotas
from qstash_fake.broker.acceptance import Acceptance, Publication
from qstash_fake.broker.agenda import Agenda, Event, Kind
from qstash_fake.broker.gates import Gates, Queue
from qstash_fake.broker.ids import Ids
from qstash_fake.broker.journal import Journal
from qstash_fake.broker.keys import DEV_CURRENT_KEY, DEV_NEXT_KEY, SigningKeys
from qstash_fake.broker.lifecycle import Canceled, Delivered, Failed, Move, RetryAt, judge, move
from qstash_fake.broker.message import Attempt, DeadLetter, Message, Outcome, State
from qstash_fake.broker.schedules import Schedule, Schedules
from qstash_fake.broker.store import Store
from qstash_fake.broker.url_groups import UrlGroups
from qstash_fake.protocol.options import NO_OPTIONS, Options
from qstash_fake.protocol.publish import PublishRequest


@dataclass(slots=True, kw_only=True, eq=False)
class Delivery:
    """What is to be sent now, signed with *signing_key*; `Broker.complete` takes the outcome."""

    message: Message
    attempt: Attempt
    signing_key: str
    token_id: str


class Broker:
    """The state of one account. Times are unix milliseconds; *plan* is `free`, `payg` or None for no quotas."""

    def __init__(
        self,
        now_ms: int,
        *,
        seed: int = 0,
        plan: str | None = None,
        signing_keys: tuple[str, str] = (DEV_CURRENT_KEY, DEV_NEXT_KEY),
    ) -> None:
        self.now_ms = now_ms
        self.lock = RLock()
        self.ids = Ids(seed)
        self.plan = quotas.named(plan)
        self.agenda = Agenda()
        self.gates = Gates(lambda key, at_ms: self.agenda.put(at_ms, Kind.WAKE, key))
        self.gates.parallelism = self.plan.parallelism if self.plan else None
        self.journal = Journal()
        self.signing_keys = SigningKeys(*signing_keys, self.ids.signing_key)
        self.url_groups = UrlGroups(self.plan)
        self.schedules = Schedules(self.agenda, self.journal, self._publish_scheduled)
        self._store = Store(self.plan.retention_ms if self.plan else None)
        self._acceptance = Acceptance(
            self.plan,
            ids=self.ids,
            agenda=self.agenda,
            gates=self.gates,
            journal=self.journal,
            store=self._store,
            url_groups=self.url_groups,
        )
        self._duplicate_next: list[Callable[[str], bool]] = []
        self._second: Message | None = None

    @property
    def accepted(self) -> int:
        """How many messages there ever were."""
        return self._acceptance.count

    def observe(self, now_ms: int) -> None:
        """Note that it is *now_ms*; time never goes back."""
        with self.lock:
            self.now_ms = max(self.now_ms, now_ms)

    # --- publishing ----------------------------------------------------------------------------------------

    def check(self, request: PublishRequest) -> None:
        """Refuse *request* for what it asks; change nothing."""
        with self.lock:
            self._acceptance.check(request, self.now_ms)

    def publish(self, request: PublishRequest) -> Publication:
        """Accept *request*: limits, fan-out, deduplication, one message for each URL. Delivers nothing."""
        with self.lock:
            return self._acceptance.publish(request, self.now_ms)

    def publish_all(self, requests: Iterable[PublishRequest]) -> list[Publication]:
        """Accept *requests* in order, all of them or none."""
        with self.lock:
            return self._acceptance.publish_all(requests, self.now_ms)

    def redrive(self, dlq_id: str, overrides: Options = NO_OPTIONS) -> Message:
        """Publish a dead letter again as a new message, due now, *overrides* over its options; the entry goes."""
        (message,) = self.redrive_all([dlq_id], overrides)
        return message

    def redrive_all(self, dlq_ids: Iterable[str], overrides: Options = NO_OPTIONS) -> list[Message]:
        """Redrive dead letters in order, all of them or none."""
        with self.lock:
            dead = [self.find_dead_letter(dlq_id) for dlq_id in dict.fromkeys(dlq_ids)]
            messages = self._acceptance.publish_again((one.message for one in dead), overrides, self.now_ms)
            for one in dead:
                self.delete_dead_letter(one.dlq_id)
            return messages

    # --- schedules -----------------------------------------------------------------------------------------

    def schedule(self, request: PublishRequest) -> Schedule:
        """Create or replace the schedule that *request*, which has a cron, asks for; its first tick comes later."""
        with self.lock:
            # A schedule is created once; what it produces is never deduplicated.
            options = dataclasses.replace(
                request.options, deduplication_id=None, content_based_deduplication=None, not_before_ms=None
            )
            request = dataclasses.replace(request, options=options)
            self._acceptance.check(request, self.now_ms)
            schedule_id = request.options.schedule_id or self.ids.schedule()
            if schedule_id not in self.schedules.by_id:
                quotas.check_count(self.plan, "maxSchedules", len(self.schedules.by_id) + 1)
            return self.schedules.put(schedule_id, request, self.now_ms)

    def skip_ticks(self, until_ms: int) -> None:
        """Pass over the schedule ticks up to and including *until_ms*."""
        with self.lock:
            self.schedules.skip(until_ms)

    def _publish_scheduled(self, schedule: Schedule) -> list[Message]:
        with self.lock:
            messages = self._acceptance.publish_tick(schedule.request, schedule.schedule_id, self.now_ms)
            schedule.last_messages = messages
            return messages

    # --- delivering ----------------------------------------------------------------------------------------

    def next_message(self, until_ms: int) -> Message | None:
        """Move time to the first start at or before *until_ms* and return its message; None if there is none.

        Nothing has started yet: until `start`, the message stays first.
        """
        with self.lock:
            while True:
                self._settle()
                message = self._second or self.gates.first(self.now_ms)
                if message is not None:
                    return message
                event = self._next_event()
                if event is None or event.time_ms > until_ms:
                    return None
                self.now_ms = max(self.now_ms, event.time_ms)

    def start(self, message: Message) -> Delivery:
        """Start the next attempt of *message*, which `next_message` has just returned."""
        with self.lock:
            return self._start(message)

    def complete(self, delivery: Delivery, outcome: Outcome) -> None:
        """Take the *outcome* of a delivery; it ends when its duration has passed, at once if that is now."""
        with self.lock:
            attempt = delivery.attempt
            if attempt.lost:
                attempt.outcome = outcome
                return
            end_ms = attempt.started_ms + outcome.duration_ms
            if end_ms <= self.now_ms:
                self._end(attempt, outcome)
            else:
                self.agenda.put(end_ms, Kind.END, (attempt, outcome))

    def next_event_ms(self, *, ticks: bool = True) -> int | None:
        """Return when the next thing happens, held messages left out; None if nothing will by itself."""
        with self.lock:
            self._settle(ticks=False)
            if self._second or self.gates.first(self.now_ms) is not None:
                return self.now_ms
            event = self._next_event(ticks=ticks)
            return None if event is None else max(self.now_ms, event.time_ms)

    def duplicate_next(self, matches: Callable[[str], bool]) -> None:
        """Start the next attempt for a URL that *matches* twice; the first answer is lost."""
        with self.lock:
            self._duplicate_next.append(matches)

    def _start(self, message: Message) -> Delivery:
        lost = False
        if message is self._second:
            self._second = None
        else:
            self.gates.start(message, self.now_ms)
            move(message, Move.START)
            duplicate = next((matches for matches in self._duplicate_next if matches(message.url)), None)
            if duplicate is not None:
                self._duplicate_next.remove(duplicate)
                self._second, lost = message, True
        attempt = Attempt(message=message, started_ms=self.now_ms, retried=message.retried, lost=lost)
        message.attempts.append(attempt)
        self.journal.log(self.now_ms, State.ACTIVE, message, attempt)
        return Delivery(
            message=message,
            attempt=attempt,
            signing_key=self.signing_keys.current,
            token_id=self.ids.token(),
        )

    def _settle(self, *, ticks: bool = True) -> None:
        """Handle every event that is due: ends and ticks happen, starts begin to wait for their gates."""
        while (event := self._next_event(ticks=ticks)) is not None and event.time_ms <= self.now_ms:
            self.agenda.drop(event)
            match event.kind:
                case Kind.END:
                    self._end(*event.subject)
                case Kind.TICK:
                    self.schedules.tick(event.subject, self.now_ms)
                case Kind.START:
                    self.gates.wait(event.subject)
                case Kind.WAKE:
                    self.gates.woken(event.subject)

    def _next_event(self, *, ticks: bool = True) -> Event | None:
        """Return the first event that still holds; those that no longer do are dropped."""
        while (event := self.agenda.peek(ticks=ticks)) is not None and not _holds(event):
            self.agenda.drop(event)
            if event.kind is Kind.WAKE and event.subject.wake_ms == event.time_ms:
                self.gates.woken(event.subject)
        return event

    def _end(self, attempt: Attempt, outcome: Outcome) -> None:
        message = attempt.message
        assert attempt.outcome is None, f"{attempt!r} has ended already"
        attempt.outcome = outcome
        self.gates.end(message)
        verdict = judge(message, outcome, self.now_ms)
        if not isinstance(verdict, Delivered):
            self.journal.log(self.now_ms, "ERROR", message, attempt)
        match verdict:
            case Delivered():
                self._finish(message, Move.SUCCEED, attempt)
            case Canceled():
                self._finish(message, Move.CANCEL, attempt)
            case Failed():
                self._fail(message, attempt)
            case RetryAt(at_ms):
                move(message, Move.ERR)
                message.due_ms = at_ms
                self.journal.log(self.now_ms, State.RETRY, message, attempt, at_ms)
                self.agenda.put(at_ms, Kind.START, message)
        self._report(message, callbacks.callback_request(message, outcome))
        if isinstance(verdict, Failed):
            self._report(message, callbacks.failure_callback_request(message, outcome))
        if not message.pending:
            self.gates.release(message)

    def _fail(self, message: Message, attempt: Attempt) -> None:
        dead = DeadLetter(
            dlq_id=self.ids.dead_letter(self.now_ms),
            message=message,
            created_ms=self.now_ms,
            publish_again=self.redrive,
        )
        message.dlq_id = dead.dlq_id
        self._store.add_dead_letter(dead)
        self._finish(message, Move.GIVE_UP, attempt)

    def _report(self, source: Message, request: PublishRequest | None) -> None:
        """Publish a callback of *source*; it holds the source's place in a queue as well."""
        if request is None:
            return
        message = self._acceptance.publish_callback(request, self.now_ms)
        message.slot = source.slot
        if message.slot:
            message.slot.holders += 1

    def _finish(self, message: Message, how: Move, attempt: Attempt | None = None) -> None:
        move(message, how)
        message.finished_ms = self.now_ms
        self.journal.log(self.now_ms, message.state, message, attempt)
        self._store.finished(message)

    # --- messages and dead letters -------------------------------------------------------------------------

    @property
    def messages(self) -> dict[str, Message]:
        """The messages by id, in publish order."""
        return self._store.messages

    def find_message(self, message_id: str) -> Message:
        """Return what `GET /v2/messages/{id}` shows: a pending message, or one that has just finished."""
        return self._store.find_message(message_id, self.now_ms)

    def cancel(self, messages: Iterable[Message]) -> int:
        """Cancel pending *messages*: one that waits goes now, one in flight is not retried. Returns how many."""
        with self.lock:
            count = 0
            for message in list(messages):
                if not message.pending or message.cancel_requested:
                    continue
                count += 1
                message.cancel_requested = True
                self.journal.log(self.now_ms, "CANCEL_REQUESTED", message)
                if message.state is not State.ACTIVE:
                    self._finish(message, Move.CANCEL)
                    self.gates.release(message)
            return count

    @property
    def dead_letters(self) -> dict[str, DeadLetter]:
        """The dead letters by id, oldest first; a plan keeps them for a time only."""
        return self._store.dead_letters(self.now_ms)

    @property
    def retained_from_ms(self) -> int:
        """Dead letters and logs of before this time are no longer there."""
        return self._store.retained_from_ms(self.now_ms)

    def find_dead_letter(self, dlq_id: str) -> DeadLetter:
        """Return a dead letter that was neither redriven nor deleted, or refuse with 404."""
        return self._store.find_dead_letter(dlq_id, self.now_ms)

    def delete_dead_letter(self, dlq_id: str) -> DeadLetter:
        """Take a dead letter out of the queue and return it, or refuse with 404."""
        with self.lock:
            return self._store.remove_dead_letter(dlq_id, self.now_ms)

    # --- gates ---------------------------------------------------------------------------------------------

    def upsert_queue(self, name: str, *, parallelism: int | None = None, paused: bool | None = None) -> Queue:
        """Change what is given of a queue, or make it: with parallelism 1 and running, where nothing else is given."""
        with self.lock:
            quotas.check_count(self.plan, "maxParallelism", parallelism or 1)
            self._acceptance.check_queues({name})
            queue = self.gates.queue(name, self.now_ms)
            self.gates.change_queue(queue, self.now_ms, parallelism=parallelism, paused=paused)
            return queue

    def delete_queue(self, name: str) -> None:
        """Delete a queue and cancel its waiting messages; one in flight is not retried."""
        with self.lock:
            queue = self.gates.queues.get(name)
            if queue is not None:
                queue.exists = False
                self.cancel(sorted(queue.unfinished, key=lambda message: message.sequence))

    def pin(self, key: str, *, parallelism: int | None, rate: int | None, period_ms: int) -> None:
        """Fix what is given of the limits of a flow-control *key*, be it one that no message has brought yet."""
        with self.lock:
            quotas.check_parallelism(self.plan, parallelism)
            self.gates.pin(self.gates.key(key), parallelism=parallelism, rate=rate, period_ms=period_ms)


def _holds(event: Event) -> bool:
    """Tell whether what *event* announces still stands: nothing is taken off the agenda when plans change."""
    subject = event.subject
    match event.kind:
        case Kind.TICK:
            return bool(subject.next_ms == event.time_ms)
        case Kind.START:
            return subject.state in (State.CREATED, State.RETRY) and subject.due_ms == event.time_ms
        case Kind.WAKE:
            return subject.wake_ms == event.time_ms and subject.waiting and not subject.paused
    return True
