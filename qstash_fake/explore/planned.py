"""A plan at work on one fake: it makes its faults happen, and records which others were possible.

A fault belongs to a point, and happens once at most: the first time that the point is reached and the fault is possible
there. `lost` and `down` are not possible at a message's last attempt, `swap` neither inside a queue nor where nothing
else is due at the instant. A fault that never becomes possible is left over; `Record.left_over` names it.

An attempt goes through three places, always in this order. Each place asks only for its own faults:

1. `admit`, before anything has changed: `late` plans another start, `swap` lets another message go first.
2. `is_unreachable` and `doubles`, at the start: `down` takes the application away, `twice` sends the attempt again.
3. `lose`, a condition between the answer and its consequences: `lost` turns any answer into none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from itertools import takewhile
from typing import NamedTuple

from qstash_fake.broker.broker import Broker
from qstash_fake.broker.journal import Follower, LogEntry, Step
from qstash_fake.broker.message import Attempt, Message, Outcome
from qstash_fake.delivery.conditions import ALWAYS
from qstash_fake.explore.plans import (
    DEFAULT,
    KINDS,
    NEED_A_RETRY,
    OF_A_PUBLISH,
    PLAIN,
    Fault,
    Plan,
    Point,
    place_of,
    text_of,
)
from qstash_fake.protocol.durations import format_ms
from qstash_fake.testing.fake import QStashFake, inside

LOST = "the answer was lost on its way"


class Place(NamedTuple):
    """Where points find a message: it is number *number* of the messages to *path*."""

    host: str
    path: str
    number: int


class Met(NamedTuple):
    """A point that the run has reached: an attempt of *message*, or its publish for *attempt* 0."""

    message: Message
    place: Place
    attempt: int
    may_swap: bool


class Fired(NamedTuple):
    """A fault that has come to pass, in words."""

    fault: Fault
    words: str


class Record(NamedTuple):
    """What one run was like under its plan."""

    plan: Plan
    possible: tuple[Fault, ...]
    """Each single fault that could have come to pass besides, in the order in which they are to be tried."""
    fired: tuple[Fired, ...]

    @property
    def left_over(self) -> Plan:
        """The faults of the plan that did not come to pass."""
        fired = {one.fault for one in self.fired}
        return tuple(fault for fault in self.plan if fault not in fired)

    def __str__(self) -> str:
        """Return the plan as text, its faults in the order in which they came to pass."""
        return text_of((*(one.fault for one in self.fired), *self.left_over))


class Planned:
    """The faults of *plan* on one fake; a `Disturbance` of its broker. *counts*: the run is no step of a search."""

    def __init__(self, plan: Plan = PLAIN, *, counts: bool = True) -> None:
        self.plan = plan
        self.counts = counts
        self._waiting = list(plan)
        self._fired: list[Fired] = []
        self._met: dict[tuple[Message, int], Met] = {}
        self._places: dict[Message, Place] = {}
        self._counts: Counter[tuple[str, str]] = Counter()
        self._aside: dict[Message, Message] = {}
        """Messages that wait until another has started, which is the value."""
        self._may_swap: set[Message] = set()
        self._lost: set[tuple[str, str]] = set()
        """Where the publish went, as host and path, whose answer was lost just now."""

    def attach(self, fake: QStashFake) -> None:
        """Bend the deliveries of *fake* from now on."""
        held = inside(fake)
        self.join(held.broker)
        held.targets.is_unreachable = self.is_unreachable
        held.targets.conditions = (*ALWAYS, self.lose)

    def detach(self, fake: QStashFake) -> None:
        """Let the deliveries of *fake* be as they are without a plan; the record stays."""
        held = inside(fake)
        held.broker.disturbance = held.targets.is_unreachable = None
        held.targets.conditions = ALWAYS

    def join(self, broker: Broker) -> None:
        """Follow *broker*, from its first message on; the counts go on from a broker that was followed before."""
        self._broker = broker
        broker.disturbance = self
        self._follower = Follower(broker.journal, 0)

    def record(self, kinds: Iterable[str] = DEFAULT) -> Record:
        """Return which faults of the plan have happened, and which of *kinds* were possible besides."""
        if not self._met:  # perhaps it never had a broker: the set-up of a test may have failed
            return Record(self.plan, (), tuple(self._fired))
        with self._broker.lock:
            shared = self._shared_paths()
            possible = [
                Fault(kind, _point(met, shared))
                for kind in kinds
                for met in self._met.values()
                if _POSSIBLE.get(kind, _always)(met) and not self._is_disturbed(met)
            ]
            return Record(self.plan, tuple(possible), tuple(self._fired))

    # --- before a start -------------------------------------------------------------------------------------------

    def admit(self, message: Message) -> Message | None:
        """Return the message that starts now in the place of *message*; None if it starts later."""
        if (other := self._aside.get(message)) is not None:
            if self._next_besides(message, after=other) is other:
                return self.admit(other)
            del self._aside[message]  # it was cancelled or paused, has started by hand, or was put off itself
        if (fault := self._next(message, *_LATE)) is not None:
            by_ms = KINDS[fault.kind].put_off_ms
            self._fire(fault, message)
            self._broker.put_off(message, by_ms)
            return None
        if message.queue is not None:
            return message
        other = self._next_besides(message)
        if other is None:
            return message
        self._may_swap.add(message)
        if (fault := self._next(message, "swap")) is None:
            return message
        self._fire(fault, message, other)
        self._aside[message] = other
        return self.admit(other)

    def _next_besides(self, message: Message, after: Message | None = None) -> Message | None:
        """Return what could start now without *message* and without all that wait for others, except *after*."""
        return self._broker.admission.first_besides({message, *self._aside} - {after}, self._broker.now_ms)

    # --- at a start -----------------------------------------------------------------------------------------------

    def is_unreachable(self, message: Message) -> bool:
        """Tell whether the attempt of *message* that starts now reaches nobody."""
        return self._next(message, "down") is not None

    def doubles(self, message: Message) -> bool:
        """Note that an attempt of *message* starts; tell whether it is sent twice."""
        self._aside = {waiting: other for waiting, other in self._aside.items() if other is not message}
        met = Met(message, self._place(message), message.retried + 1, message in self._may_swap)
        self._may_swap.discard(message)
        self._met[message, met.attempt] = met
        if (fault := self._next(message, "down")) is not None:
            self._fire(fault, message)
        if (fault := self._next(message, "twice")) is None:
            return False
        self._fire(fault, message)
        return True

    # --- at an answer ---------------------------------------------------------------------------------------------

    def lose(self, message: Message, attempt: Attempt, outcome: Outcome) -> Outcome:
        """Lose the *outcome* of an attempt: a condition of deliveries."""
        if attempt.lost or (fault := self._next(message, "lost", attempt=attempt.retried + 1)) is None:
            return outcome
        self._fire(fault, message, attempt=attempt.retried + 1)
        return Outcome(error=LOST, duration_ms=outcome.duration_ms, exception=outcome.exception)

    def loses_answer(self, accepted_before: int) -> bool:
        """Tell whether the answer to a publish is lost; it made the messages after the first *accepted_before*.

        A publish to the same URL right after a lost one is the client's next try, and no point. Otherwise the search
        would lose each try in turn, and the client, which waits in real time between them, would give up.
        """
        self._number()
        loses, tried_again, self._lost = False, self._lost, set[tuple[str, str]]()
        for message in list(takewhile(lambda one: one.sequence > accepted_before, reversed(self._places))):
            place = self._places[message]
            if place[:2] not in tried_again:
                self._met[message, 0] = Met(message, place, 0, may_swap=False)
            if (fault := self._next(message, OF_A_PUBLISH, attempt=0)) is not None:
                self._fire(fault, message, attempt=0)
                self._lost.add(place[:2])
                loses = True
        return loses

    # --- points ---------------------------------------------------------------------------------------------------

    def _number(self) -> None:
        """Give the messages that were made since the last call their places."""
        for entry in self._follower.take():
            if isinstance(entry, LogEntry) and entry.state is Step.CREATED:
                self._give_place(entry.message)

    def _give_place(self, message: Message) -> Place:
        place = place_of(message.url)
        self._counts[place] += 1
        self._places[message] = given = Place(*place, self._counts[place])
        return given

    def _place(self, message: Message) -> Place:
        self._number()
        return self._places.get(message) or self._give_place(message)  # the journal may have forgotten it

    def _next(self, message: Message, *kinds: str, attempt: int | None = None) -> Fault | None:
        """Return the fault of one of *kinds* that waits for this *attempt* of *message*, by default for its next."""
        if not self._waiting:
            return None
        number = message.retried + 1 if attempt is None else attempt
        place = self._place(message)
        for fault in self._waiting:
            is_here = fault.kind in kinds and fault.point.is_at(*place, number)
            if is_here and not (fault.kind in NEED_A_RETRY and number > message.max_retries):
                return fault
        return None

    def _fire(
        self, fault: Fault, message: Message, other: Message | None = None, *, attempt: int | None = None
    ) -> None:
        """Note that *fault* happens now, in the journal too, where the timeline shows it."""
        now_ms = self._broker.now_ms
        said = {
            "attempt": message.retried + 1 if attempt is None else attempt,
            "who": self._who(message),
            "at": f"at +{format_ms(now_ms - self._broker.journal.zero_ms)}",
            "other": "" if other is None else self._who(other),
        }
        kind = KINDS[fault.kind]
        self._waiting.remove(fault)
        self._fired.append(Fired(fault, kind.words.format(**said)))
        self._broker.journal.note(now_ms, f"FAULT {fault}: {kind.mark.format(**said)}")

    def _who(self, message: Message) -> str:
        place = self._place(message)
        which = f" (message {place.number})" if self._counts[place[:2]] > 1 else ""
        return f"{message.method} {message.url}{which}"

    def _shared_paths(self) -> frozenset[str]:
        """Return the paths that several hosts share."""
        paths = Counter(path for _, path in self._counts)
        return frozenset(path for path, hosts in paths.items() if hosts > 1)

    def _is_disturbed(self, met: Met) -> bool:
        """Tell whether a fault of the plan stands at this point already."""
        return any(fault.point.is_at(*met.place, met.attempt) for fault in self.plan)


_LATE = tuple(kind for kind, what in KINDS.items() if what.put_off_ms)


def _point(met: Met, shared: frozenset[str]) -> Point:
    host, path, number = met.place
    return Point(path, number, met.attempt, host if path in shared else "")


def _always(met: Met) -> bool:
    return met.attempt > 0


def _has_a_retry(met: Met) -> bool:
    return 0 < met.attempt <= met.message.max_retries


def _was_answered(met: Met) -> bool:
    """Tell whether losing the answer makes a difference: an attempt that has failed is repeated anyway."""
    answers = [one.outcome for one in met.message.attempts if not one.lost and one.retried + 1 == met.attempt]
    return _has_a_retry(met) and any(outcome is not None and outcome.success for outcome in answers)


# When a fault of a kind was possible at a point; kinds that are not here are possible at any attempt.
_POSSIBLE: Mapping[str, Callable[[Met], bool]] = {
    "lost": _was_answered,
    "down": _has_a_retry,
    "swap": lambda met: met.may_swap,
    OF_A_PUBLISH: lambda met: met.attempt == 0,
}
