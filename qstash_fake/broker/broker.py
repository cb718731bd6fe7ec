"""The broker: publish · next_delivery · complete. Everything that becomes of a message passes through here.

It is told the time, which never goes back, asked for the next delivery, and told the outcome. It calls no user
code, reads no clock and opens no connection. One lock, never held over a delivery, makes it safe for threads.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from threading import RLock
from typing import NamedTuple

from qstash_fake.broker import callbacks, limits
from qstash_fake.broker.agenda import Agenda, Event, Kind
from qstash_fake.broker.deduplication import Deduplication, deduplication_key
from qstash_fake.broker.fanout import Target, fan_out, headers_of, redriven_headers
from qstash_fake.broker.gates import Gates
from qstash_fake.broker.ids import Ids
from qstash_fake.broker.journal import Journal
from qstash_fake.broker.keys import DEV_CURRENT_KEY, DEV_NEXT_KEY, SigningKeys
from qstash_fake.broker.lifecycle import Canceled, Delivered, Failed, Move, RetryAt, judge, move
from qstash_fake.broker.message import DEFAULT_RETRIES, Attempt, DeadLetter, Message, Outcome, State
from qstash_fake.broker.schedules import Schedule, Schedules
from qstash_fake.broker.store import Store
from qstash_fake.broker.url_groups import UrlGroups
from qstash_fake.protocol.headers import Headers
from qstash_fake.protocol.options import NO_OPTIONS, Options
from qstash_fake.protocol.publish import PublishRequest


class Published(NamedTuple):
    """What one publish made for one URL; *deduplicated* if it is an earlier message's."""

    message_id: str
    url: str
    deduplicated: bool = False


@dataclass(frozen=True, slots=True)
class Publication:
    """What a publish made: one item, or one for each endpoint of a URL group."""

    items: Sequence[Published]
    to_group: bool

    @property
    def deduplicated(self) -> bool:
        return bool(self.items) and all(item.deduplicated for item in self.items)


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
        self.plan = limits.PLANS[plan] if plan else None
        self.agenda = Agenda()
        self.gates = Gates(lambda key, at_ms: self.agenda.put(at_ms, Kind.WAKE, key))
        self.gates.parallelism = self.plan.parallelism if self.plan else None
        self.journal = Journal()
        self.signing_keys = SigningKeys(*signing_keys, self.ids.signing_key)
        self.url_groups = UrlGroups()
        self.schedules = Schedules(self.agenda, self.journal, self._publish_scheduled)
        self._store = Store(self.plan.retention_ms if self.plan else None)
        self.deduplication: Deduplication[Published] = Deduplication()
        self._daily = limits.DailyLimit(self.plan.messages_per_day if self.plan else None)
        self.accepted = 0
        """How many messages there ever were."""
        self._duplicate_next: list[Callable[[str], bool]] = []
        self._second: Message | None = None

    # --- publishing ----------------------------------------------------------------------------------------

    def observe(self, now_ms: int) -> None:
        """Note that it is *now_ms*; time never goes back."""
        with self.lock:
            self.now_ms = max(self.now_ms, now_ms)

    def check(self, request: PublishRequest) -> int:
        """Refuse *request* if `publish` would; change nothing. Returns how many messages it asks for."""
        with self.lock:
            return len(self._targets(request))

    def check_daily(self, count: int) -> None:
        """Refuse if *count* more messages exceed the plan's daily limit; count nothing."""
        with self.lock:
            self._daily.check(count, self.now_ms)

    def publish(self, request: PublishRequest) -> Publication:
        """Accept *request*: limits, fan-out, deduplication, one message for each URL. Delivers nothing."""
        with self.lock:
            targets = self._targets(request)
            to_group = bool(request.destination.group)
            # A group's default headers may ask for deduplication as well.
            key = deduplication_key(dataclasses.replace(request, options=targets[0].options) if to_group else request)
            if key and (earlier := self.deduplication.find(key, self.now_ms)):
                return Publication([item._replace(deduplicated=True) for item in earlier], to_group)
            self._daily.take(len(targets), self.now_ms)
            items = [Published(m.message_id, m.url) for m in self._accept(request, targets)]
            if key:
                self.deduplication.register(key, items, self.now_ms)
            return Publication(items, to_group)

    def redrive(self, dlq_id: str, overrides: Options = NO_OPTIONS) -> Message:
        """Publish a dead letter again as a new message, due now, *overrides* over its options; the entry goes."""
        with self.lock:
            message = self.find_dead_letter(dlq_id).message
            options = overrides.over(dataclasses.replace(message.options, delay_ms=None, not_before_ms=None))
            limits.check_message(self.plan, options, message.body, self.now_ms)
            self._daily.take(1, self.now_ms)
            self.delete_dead_letter(dlq_id)
            return self._create(
                Target(message.url, options, message.endpoint_name),
                body=message.body,
                headers=redriven_headers(message.stored_headers, overrides),
                caller_ip=message.caller_ip,
                url_group=message.url_group,
                api=message.api,
                schedule_id=message.schedule_id,
            )

    def _targets(self, request: PublishRequest) -> list[Target]:
        """Return what *request* fans out to, or refuse it."""
        targets = fan_out(request, self.url_groups)
        options = targets[0].options
        limits.check_message(self.plan, options, request.body, self.now_ms)
        if options.queue and options.queue not in self.gates.queues:
            limits.check_count(self.plan, "maxQueues", len(self.gates.queues) + 1)
        return targets

    def _accept(
        self, request: PublishRequest, targets: Iterable[Target], *, schedule_id: str | None = None
    ) -> list[Message]:
        return [
            self._create(
                target,
                body=request.body,
                headers=(request.incoming if target.options.header_forward else ()) + headers_of(target.options),
                caller_ip=request.caller_ip,
                url_group=request.destination.group or None,
                api=request.destination.api or None,
                schedule_id=schedule_id,
            )
            for target in targets
        ]

    def _create(
        self,
        target: Target,
        *,
        body: bytes,
        headers: Headers,
        caller_ip: str,
        url_group: str | None = None,
        api: str | None = None,
        schedule_id: str | None = None,
    ) -> Message:
        options = target.options
        due_ms = limits.first_due_ms(options, self.now_ms)
        self.accepted += 1
        message = Message(
            message_id=self.ids.message(),
            sequence=self.accepted,
            url=target.url,
            method=options.method or "POST",
            body=body,
            stored_headers=headers,
            options=options,
            created_ms=self.now_ms,
            due_ms=due_ms,
            not_before_ms=due_ms,
            max_retries=DEFAULT_RETRIES if options.retries is None else options.retries,
            timeout_ms=options.timeout_ms
            if options.timeout_ms is not None or self.plan is None
            else self.plan.timeout_ms,
            caller_ip=caller_ip,
            url_group=url_group,
            endpoint_name=target.endpoint_name,
            api=api,
            schedule_id=schedule_id,
            queue=options.queue,
        )
        if options.queue:
            self.gates.queue(options.queue, self.now_ms).unfinished.add(message)
        if options.flow_control:
            self.gates.limit_key(options.flow_control, self.now_ms)
        self.messages[message.message_id] = message
        self.journal.log(self.now_ms, State.CREATED, message, next_delivery_ms=due_ms if due_ms > self.now_ms else None)
        self.agenda.put(due_ms, Kind.START, message)
        return message

    # --- schedules -----------------------------------------------------------------------------------------

    def schedule(self, request: PublishRequest) -> Schedule:
        """Create or replace the schedule that *request*, which has a cron, asks for; its first tick comes later."""
        with self.lock:
            # A schedule is created once; what it produces is never deduplicated.
            options = dataclasses.replace(
                request.options, deduplication_id=None, content_based_deduplication=None, not_before_ms=None
            )
            request = dataclasses.replace(request, options=options)
            self._targets(request)
            schedule_id = request.options.schedule_id or self.ids.schedule()
            if schedule_id not in self.schedules.by_id:
                limits.check_count(self.plan, "maxSchedules", len(self.schedules.by_id) + 1)
            return self.schedules.put(schedule_id, request, self.now_ms)

    def skip_ticks(self, until_ms: int) -> None:
        """Pass over the schedule ticks up to and including *until_ms*."""
        with self.lock:
            self.schedules.skip(until_ms)

    def _publish_scheduled(self, schedule: Schedule) -> list[Message]:
        with self.lock:
            targets = self._targets(schedule.request)
            self._daily.take(len(targets), self.now_ms)
            messages = self._accept(schedule.request, targets, schedule_id=schedule.schedule_id)
            schedule.last_messages = messages
            return messages

    # --- delivering ----------------------------------------------------------------------------------------

    def next_delivery(self, until_ms: int, before_start: Callable[[Message], object] | None = None) -> Delivery | None:
        """Move time to the first delivery that starts at or before *until_ms* and start it; None if there is none.

        *before_start* is called with the message; if it raises, nothing has started and the message is still first.
        """
        with self.lock:
            while True:
                self._settle()
                message = self._second or self.gates.first(self.now_ms)
                if message is not None:
                    if before_start is not None:
                        before_start(message)
                    return self._start(message)
                event = self._next_event()
                if event is None or event.time_ms > until_ms:
                    return None
                self.now_ms = max(self.now_ms, event.time_ms)

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
        self.dead_letters[dead.dlq_id] = dead
        self._finish(message, Move.GIVE_UP, attempt)

    def _report(self, source: Message, request: PublishRequest | None) -> None:
        """Publish a callback of *source*; it holds the source's place in a queue as well."""
        if request is None:
            return
        self._daily.add(1, self.now_ms)  # callbacks count, but nobody is there to be told of a refusal
        for message in self._accept(request, [Target(request.destination.url, request.options)]):
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
            self.find_dead_letter(dlq_id)
            return self.dead_letters.pop(dlq_id)

    def delete_queue(self, name: str) -> None:
        """Delete a queue and cancel its waiting messages; one in flight is not retried."""
        with self.lock:
            queue = self.gates.queues.get(name)
            if queue is not None:
                queue.exists = False
                self.cancel(sorted(queue.unfinished, key=lambda message: message.sequence))


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

