"""The life of a message: which state follows which, and what an outcome means.

Everything that decides about states lives here. It changes nothing but the state of a message, and knows no queue,
no agenda and no connection.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from qstash_fake.broker import retries
from qstash_fake.broker.message import Message, Outcome, State


class Move(Enum):
    """What can happen to a message."""

    START = auto()
    SUCCEED = auto()
    ERR = auto()
    GIVE_UP = auto()
    CANCEL = auto()


TRANSITIONS: dict[State, dict[Move, State]] = {
    State.CREATED: {Move.START: State.ACTIVE, Move.CANCEL: State.CANCELED},
    State.ACTIVE: {
        Move.SUCCEED: State.DELIVERED,
        Move.ERR: State.RETRY,
        Move.GIVE_UP: State.FAILED,
        Move.CANCEL: State.CANCELED,
    },
    State.RETRY: {Move.START: State.ACTIVE, Move.CANCEL: State.CANCELED},
    State.DELIVERED: {},
    State.FAILED: {},
    State.CANCELED: {},
}


def move(message: Message, what: Move) -> None:
    """Bring *message* into the state that follows; a move the table does not know is a bug of ours."""
    following = TRANSITIONS[message.state].get(what)
    if following is None:
        raise AssertionError(f"{message!r} cannot {what.name}")
    message.state = following


@dataclass(frozen=True, slots=True)
class Delivered:
    """The destination answered 2xx."""


@dataclass(frozen=True, slots=True)
class RetryAt:
    """The attempt failed; the next one is due at *at_ms*."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class Failed:
    """The attempt failed and no other follows."""


@dataclass(frozen=True, slots=True)
class Canceled:
    """The attempt failed and the message was cancelled while it ran."""


Verdict = Delivered | RetryAt | Failed | Canceled


def judge(message: Message, outcome: Outcome, now_ms: int) -> Verdict:
    """Return what *outcome*, the end of the running attempt at *now_ms*, means for *message*."""
    if outcome.success:
        return Delivered()
    if message.cancel_requested:
        return Canceled()
    wait_ms = retries.wait_ms(message, outcome, now_ms)
    return Failed() if wait_ms is None else RetryAt(now_ms + wait_ms)
