"""The broker: publish · next_message · start · complete. Everything that becomes of a message passes through here.

It is told the time, which never goes back, asked for the next message, and told the outcome. It calls no user
code, reads no clock and opens no connection. One lock, never held over a delivery, makes it safe for threads.

Reading changes nothing that can be seen. A message whose time has come stands at its gates, and a free slot belongs to
the first that waits for it, from that instant on, whether or not anybody has looked. `_look` brings the state to that
form. A method that reads what waits, or when something happens next, calls it first; a second call finds nothing to do.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from qstash_fake.broker.acceptance import Publication
from qstash_fake.broker.account import Account
from qstash_fake.broker.bulk_actions import BulkAction, BulkActions
from qstash_fake.broker.dead_letters import DeadLetter
from qstash_fake.broker.disturbance import Disturbance
from qstash_fake.broker.ids import token_id
from qstash_fake.broker.journal import Step
from qstash_fake.broker.keys import dev_keys
from qstash_fake.broker.lifecycle import Move, move
from qstash_fake.broker.message import Attempt, Content, Message, Outcome, State
from qstash_fake.broker.reactions import End, Ending, finish
from qstash_fake.errors import UsageError
from qstash_fake.protocol.options import NO_OPTIONS, Options
from qstash_fake.protocol.publish import PublishRequest


@dataclass(slots=True, kw_only=True, eq=False)
class Delivery:
    """What is to be sent now, signed with *signing_key*; `Broker.complete` takes the outcome."""

    message: Message
    attempt: Attempt
    content: Content
    signing_key: str
    region: str
    """Where it is sent from, such as `us-east-1`."""

    @property
    def token_id(self) -> str:
        """The `jti` of its signature, another one for each attempt."""
        return token_id(self.message.message_id, self.attempt.number)


class Broker(Account):
    """An account that delivers; the values are those of an Account."""

    def __init__(
        self,
        now_ms: int,
        *,
        seed: int = 0,
        plan: str | None = None,
        region: str | None = None,
        signing_keys: Callable[[], tuple[str, str]] = dev_keys,
    ) -> None:
        super().__init__(now_ms, seed=seed, plan=plan, region=region, signing_keys=signing_keys)
        self.disturbance: Disturbance | None = None
        self._end = End(self)
        self._duplicate_next: list[Callable[[str], bool]] = []
        self.bulk_actions = BulkActions()
        self._again: deque[Message] = deque()
        """Messages in flight whose attempt is sent a second time, at once."""

    @property
    def accepted(self) -> int:
        """How many messages there ever were."""
        return self.acceptance.count

    # --- publishing ----------------------------------------------------------------------------------------

    def publish(self, request: PublishRequest) -> Publication:
        """Accept *request*: quotas, fan-out, deduplication, one message for each URL. Delivers nothing."""
        with self.lock:
            return self.acceptance.publish(request, self.now_ms)

    def publish_all(self, requests: Iterable[PublishRequest]) -> list[Publication]:
        """Accept *requests* in order, all of them or none."""
        with self.lock:
            return self.acceptance.publish_all(requests, self.now_ms)

    def redrive(self, dlq_id: str, overrides: Options = NO_OPTIONS) -> Message:
        """Publish a dead letter again as a new message, due now, *overrides* over its options; the entry goes."""
        (message,) = self.redrive_all([dlq_id], overrides)
        return message

    def redrive_all(self, dlq_ids: Iterable[str], overrides: Options = NO_OPTIONS) -> list[Message]:
        """Redrive dead letters in order, all of them or none."""
        with self.lock:
            dead = [self.find_dead_letter(dlq_id) for dlq_id in dict.fromkeys(dlq_ids)]
            for one in dead:
                self.refuse_if_retired(f"dead letter {one.dlq_id}")
            messages = self.acceptance.publish_again((one.message for one in dead), overrides, self.now_ms)
            for one, message in zip(dead, messages, strict=True):
                message.source_id = one.message.message_id
                self.store.remove_dead_letter(one)
            return messages

    # --- delivering ----------------------------------------------------------------------------------------

    def next_message(self, until_ms: int) -> Message | None:
        """Move time to the first start at or before *until_ms* and return its message; None if there is none.

        Nothing has started yet: until `start`, the message stays first.
        """
        with self.lock:
            while True:
                self._settle()
                if self._again:
                    return self._again[0]
                message = self.admission.first(self.now_ms)
                if message is not None and self.disturbance is not None:
                    message = self.disturbance.admit(message)
                    if message is None:
                        continue
                if message is not None:
                    return message
                next_ms = self.agenda.next_ms()
                if next_ms is None or next_ms > until_ms:
                    return None
                self.now_ms = max(self.now_ms, next_ms)

    def start(self, message: Message) -> Delivery:
        """Start the next attempt of *message*, which `next_message` or `make_due` has just let pass."""
        with self.lock:
            lost = False
            if self._again and message is self._again[0]:
                self._again.popleft()
            else:
                self.admission.start(message, self.now_ms)
                move(message, Move.START)
                for matches in self._duplicate_next:
                    if matches(message.url):
                        self._duplicate_next.remove(matches)
                        lost = True
                        break
                if self.disturbance is not None:
                    lost = self.disturbance.doubles(message) or lost
                if lost:
                    self._again.append(message)
            previous = message.last_attempt
            attempt = message.last_attempt = Attempt(
                started_ms=self.now_ms,
                retried=message.retried,
                lost=lost,
                due_ms=message.due_ms,
                number=0 if previous is None else previous.number + 1,
                previous=previous,
            )
            self.journal.log(self.now_ms, Step.ACTIVE, message, attempt)
            return Delivery(
                message=message,
                attempt=attempt,
                content=message.content,
                signing_key=self.signing_keys.current,
                region=self.home,
            )

    def complete(self, delivery: Delivery, outcome: Outcome) -> None:
        """Take the *outcome* of a delivery; it ends when its duration has passed, at once if that is now."""
        with self.lock:
            attempt = delivery.attempt
            if attempt.lost:
                attempt.outcome = outcome
                return
            ending, end_ms = Ending(delivery.message, attempt, outcome), attempt.started_ms + outcome.duration_ms
            if end_ms <= self.now_ms:
                self._end.happen(ending)
            else:
                self.agenda.put(end_ms, self._end, ending)

    def make_due(self, message: Message) -> None:
        """Let the next attempt of *message* be due now and pass its gates; UsageError says what holds it."""
        with self.lock:
            self._look()
            if message.state is State.ACTIVE:
                raise UsageError(f"{message!r} is in flight: let its attempt end first")
            if not message.pending:
                raise UsageError(f"{message!r} has ended: there is no attempt left to deliver")
            if (reason := self.admission.let_pass(message, self.now_ms)) is not None:
                raise UsageError(f"{message!r} is held: {reason}")

    def put_off(self, message: Message, by_ms: int) -> None:
        """Let *message*, which is next, start *by_ms* milliseconds later; in a queue it keeps its place."""
        with self.lock:
            self.admission.lanes.leave(message)
            message.due_ms = self.now_ms + by_ms
            self.admission.plan(message, self.now_ms)

    def next_event_ms(self, *, ticks: bool = True) -> int | None:
        """Return when the next thing happens, held messages left out; None if nothing will by itself."""
        with self.lock:
            if ticks and self.agenda.tick_is_due(self.now_ms):
                return self.now_ms
            self._settle(ticks=False)
            if self._again or self.admission.first(self.now_ms) is not None:
                return self.now_ms
            next_ms = self.agenda.next_ms(ticks=ticks)
            return None if next_ms is None else max(self.now_ms, next_ms)

    def held(self) -> dict[Message, str]:
        """Return the messages that are due but held, each with what holds it; first those that were due first.

        Messages at an open gate are left out: they only wait for somebody to deliver them.
        """
        with self.lock:
            self._look()
            return self.admission.held(self.now_ms)

    def held_counts(self) -> dict[str, int]:
        """Return how many messages are held, by what holds them."""
        with self.lock:
            self._look()
            return self.admission.held_counts(self.now_ms)

    def duplicate_next(self, matches: Callable[[str], bool]) -> None:
        """Start the next attempt for a URL that *matches* twice; the first answer is lost."""
        with self.lock:
            self._duplicate_next.append(matches)

    def _settle(self, *, ticks: bool = True) -> None:
        """Let every event happen that is due."""
        while (due := self.agenda.pop_due(self.now_ms, ticks=ticks)) is not None:
            _, event, subject = due
            event.happen(subject)

    def _look(self) -> None:
        """Bring what is due to its gates and give out free slots; stop at a tick, which a read must not run."""
        if not self.agenda.tick_is_due(self.now_ms):
            self._settle(ticks=False)
            self.admission.first(self.now_ms)

    # --- messages and dead letters -------------------------------------------------------------------------

    @property
    def messages(self) -> dict[str, Message]:
        """The messages by id, in publish order."""
        return self.store.messages

    def find_message(self, message_id: str) -> Message:
        """Return what `GET /v2/messages/{id}` shows: a pending message, or one that has just finished."""
        return self.store.find_message(message_id, self.now_ms)

    def cancel(self, messages: Iterable[Message]) -> int:
        """Cancel pending *messages* and return how many.

        One that waits goes now (assumed), one in flight is not retried.
        """
        with self.lock:
            count = 0
            for message in list(messages):
                if not message.pending or message.cancel_requested:
                    continue
                count += 1
                message.cancel_requested = True
                self.journal.log(self.now_ms, Step.CANCEL_REQUESTED, message)
                if message.state is not State.ACTIVE:
                    finish(self, message, Move.CANCEL)
                    self.admission.finished(message)
            return count

    def cancel_in_bulk(self, messages: Iterable[Message], meant: Mapping[str, list[str]]) -> BulkAction:
        """Cancel pending *messages*, which the filter *meant* has selected, and note it as a bulk action."""
        with self.lock:
            return self.bulk_actions.add(self.cancel(messages), meant, self.now_ms)

    def delete_queue(self, name: str) -> None:
        """Delete a queue and cancel its waiting messages (assumed); one in flight is not retried."""
        with self.lock:
            queue = self.queues.get(name)
            if queue is not None:
                queue.exists = False
                self.cancel(sorted(queue.unfinished, key=lambda message: message.sequence))

    @property
    def dead_letters(self) -> dict[str, DeadLetter]:
        """The dead letters by id, oldest first; a plan keeps them for a time only."""
        return self.store.dead_letters(self.now_ms)

    def dead_letters_beyond(self, number: int | None, *, latest_first: bool) -> Iterator[DeadLetter]:
        """Yield the dead letters that come after *number* in this order, None: all of them; costs what is taken.

        The one with that *number* may be gone.
        """
        return self.store.dead_letters_beyond(number, self.now_ms, latest_first=latest_first)

    @property
    def retained_from_ms(self) -> int:
        """Log entries of before this time are no longer there."""
        return 0 if self.plan is None else self.now_ms - self.plan.logs_ms

    def find_dead_letter(self, dlq_id: str) -> DeadLetter:
        """Return a dead letter that was neither redriven nor deleted, or refuse with 404."""
        return self.store.find_dead_letter(dlq_id, self.now_ms)

    def delete_dead_letter(self, dlq_id: str) -> DeadLetter:
        """Take a dead letter out of the queue and return it, or refuse with 404."""
        with self.lock:
            dead = self.find_dead_letter(dlq_id)
            self.store.remove_dead_letter(dead)
            return dead
