"""What follows when an attempt ends: a verdict, then reactions, in order; a new consequence is a function and a row.

The verdict is found before anything changes: whatever an outcome looks like, either nothing of the end has happened or
all of it happens. `ORDINARY` is what follows for a plain message. A message that is part of something larger brings its
own `Following`: the last word on the verdict, and its reactions beside some of these. Every reaction is given the
broker and the end of the attempt. The order of the rows is part of the law:

1. The gates of the attempt are free before anything else: what the other reactions publish may use them.
2. The state, and with it the log, comes before the callbacks: a callback of a failure names its dead letter.
3. Callbacks come before the slot is given back: they hold it, too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from qstash_fake.broker import callbacks
from qstash_fake.broker.agenda import Event, Rank
from qstash_fake.broker.journal import STEPS, Step
from qstash_fake.broker.lifecycle import Canceled, Delivered, Failed, Move, RetryAt, Verdict, judge, move
from qstash_fake.broker.message import Attempt, Message, Outcome

if TYPE_CHECKING:
    from qstash_fake.broker.account import Account
    from qstash_fake.broker.broker import Broker
    from qstash_fake.protocol.publish import PublishRequest


class Ending(NamedTuple):
    """An attempt of *message* that is going to end with *outcome*."""

    message: Message
    attempt: Attempt
    outcome: Outcome


class Ended(NamedTuple):
    """The end of an attempt of *message*, and what it means."""

    message: Message
    attempt: Attempt
    outcome: Outcome
    verdict: Verdict


class End(Event[Ending]):
    """A running attempt ends."""

    rank = Rank.END

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def happen(self, subject: Ending) -> None:
        message, attempt, outcome = subject
        broker = self._broker
        assert attempt.outcome is None, f"{attempt!r} has ended already"
        following = ORDINARY if message.part is None else message.part.following
        outcome, verdict = following.amend(message, outcome, judge(message, outcome, broker.now_ms))
        if broker.plan is not None and following is ORDINARY:  # assumed: what a workflow is told is never cut
            outcome = outcome._replace(stored_bytes=broker.plan.message_size)
        attempt.outcome, ended = outcome, Ended(message, attempt, outcome, verdict)
        for react in following.reactions:
            react(broker, ended)


Reaction = Callable[["Broker", Ended], None]


class Following(NamedTuple):
    """What follows when an attempt ends: the last word on outcome and verdict, then the reactions, in order."""

    amend: Callable[[Message, Outcome, Verdict], tuple[Outcome, Verdict]]
    reactions: tuple[Reaction, ...]


def as_judged(message: Message, outcome: Outcome, verdict: Verdict) -> tuple[Outcome, Verdict]:
    """Leave both as they are."""
    return outcome, verdict


def free_gates(broker: Broker, ended: Ended) -> None:
    """Let others start in the place of the attempt."""
    broker.admission.end(ended.message)


def bury(broker: Broker, ended: Ended) -> None:
    """Make the dead letter, before the log and the reports that name it."""
    if isinstance(ended.verdict, Failed):
        broker.store.add_dead_letter(ended.message, broker.now_ms, broker)


def change_state(broker: Broker, ended: Ended) -> None:
    """Log an error, then deliver, retry, cancel or give up, as the verdict says."""
    message, attempt = ended.message, ended.attempt
    if not isinstance(ended.verdict, Delivered):
        broker.journal.log(broker.now_ms, Step.ERROR, message, attempt)
    match ended.verdict:
        case Delivered():
            finish(broker, message, Move.SUCCEED, attempt)
        case Canceled():
            finish(broker, message, Move.CANCEL, attempt)
        case Failed():
            finish(broker, message, Move.GIVE_UP, attempt)
        case RetryAt(at_ms):  # pragma: no branch - there is no other verdict
            move(message, Move.ERR)
            message.due_ms = at_ms
            broker.journal.log(broker.now_ms, Step.RETRY, message, attempt, at_ms)
            broker.admission.plan(message, broker.now_ms)


def call_back(broker: Broker, ended: Ended) -> None:
    """Publish the report of the attempt, if one was asked for; of a cancelled message too (assumed)."""
    report(broker, ended.message, callbacks.callback_request(ended.message, ended.outcome))


def call_back_failure(broker: Broker, ended: Ended) -> None:
    """Publish the report of the dead letter that the message has become, if one was asked for."""
    if isinstance(ended.verdict, Failed):
        report(broker, ended.message, callbacks.failure_callback_request(ended.message, ended.outcome))


def give_slot_back(broker: Broker, ended: Ended) -> None:
    """Give the place in the queue back, if the message is terminal and no callback holds it."""
    if not ended.message.pending:
        broker.admission.finished(ended.message)


ORDINARY = Following(as_judged, (free_gates, bury, change_state, call_back, call_back_failure, give_slot_back))


def finish(broker: Account, message: Message, how: Move, attempt: Attempt | None = None) -> None:
    """Bring *message* into a terminal state, log that, and remember it for a time."""
    move(message, how)
    message.finished_ms = broker.now_ms
    broker.journal.log(broker.now_ms, STEPS[message.state], message, attempt)
    broker.store.finished(message)


def report(broker: Broker, source: Message, request: PublishRequest | None) -> None:
    """Publish a callback of *source*; it holds the source's place in a queue as well."""
    if request is None:
        return
    message = broker.acceptance.publish_callback(request, broker.now_ms)
    message.slot, message.source_id = source.slot, source.message_id
    if message.slot:
        message.slot.holders += 1
