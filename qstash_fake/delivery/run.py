"""Running deliveries: one generator holds the algorithm; `drivers` call the applications."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import NamedTuple

from qstash_fake.broker.broker import Broker, Delivery
from qstash_fake.broker.message import Message, Outcome
from qstash_fake.delivery.answers import failed
from qstash_fake.delivery.encodings import understood
from qstash_fake.delivery.exchange import Request, request_for
from qstash_fake.delivery.kinds.base import App
from qstash_fake.delivery.kinds.functions import Fixed
from qstash_fake.delivery.kinds.swallowed import Listening
from qstash_fake.delivery.mounts import Answerer, Answerers
from qstash_fake.delivery.watchdog import Silence
from qstash_fake.errors import UsageError
from qstash_fake.protocol.durations import format_ms


class Call(NamedTuple):
    """A request to be sent, and who answers it."""

    app: App
    request: Request


Came = Outcome | Silence | BaseException
"""The result of a call: the outcome, the end by the watchdog, or an error that is raised whatever the settings are.

Such an error is no Exception, as KeyboardInterrupt is none, or it is a mistake of the test or of ours.
"""


class Pause:
    """Between two deliveries, once in EVENTS_A_PAUSE: other tasks of the loop may have a turn."""


EVENTS_A_PAUSE = 50  # a count and no time: the order of events must not depend on the speed of the machine
PAUSE = Pause()

Calls = Generator[Call | Pause, Came | None, None]


class Done(NamedTuple):
    """All calls are made; *error* is what the verb raises."""

    error: BaseException | None = None


class Raised(Exception):  # noqa: N818 - an envelope, no error
    """Brings *error* out of the generators of a verb; a StopIteration as such would end them instead."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(error)
        self.error = error


@dataclass(slots=True)
class Deliveries:
    """How deliveries are made. *at_instant* is told the time, unix milliseconds, before an application is called."""

    broker: Broker
    answerers: Answerers
    at_instant: Callable[[int], object]
    raise_app_exceptions: bool = True
    holds_key: Callable[[str], bool] = lambda _: True
    """Tells whether an application finds this signing key where its settings are. Asked if it answers 401."""
    events: int = 0
    """How many deliveries there were."""
    listening: Listening = field(default_factory=Listening)

    def close(self) -> None:
        """Disconnect what the deliveries have connected to."""
        self.listening.end()

    def until(self, until_ms: int, guard: Callable[[], object] = lambda: None) -> Calls:
        """Yield every call that starts at or before *until_ms*, in order; take back its result.

        *guard* is called before each one. If it or *at_instant* raises, or nobody answers and that is an error, the
        call has not started. Any other error is raised, as `Raised`, after the attempt is recorded.
        """
        self.listening.begin()
        broker = self.broker
        while True:
            with broker.lock:  # the message that is found first must still be first when it starts
                message = broker.next_message(until_ms)
                if message is None:
                    return
                guard()
                delivery, answerer = _start(broker, self.answerers, message, self.at_instant)
            yield from self._deliver(broker, delivery, answerer)

    def only(self, message: Message) -> Calls:
        """Yield the call of the next attempt of *message*, due or not; UsageError says what keeps it from starting.

        Nothing has changed then. An attempt that `duplicate_next` sends twice is sent twice here.
        """
        self.listening.begin()
        broker, lost = self.broker, False
        while True:
            with broker.lock:
                if not lost:
                    if message.pending:
                        self.answerers.find(message)  # if nobody answers, the message keeps its due time
                    broker.make_due(message)
                delivery, answerer = _start(broker, self.answerers, message, self.at_instant)
            yield from self._deliver(broker, delivery, answerer)
            if not (lost := delivery.attempt.lost):
                return

    def _deliver(self, broker: Broker, delivery: Delivery, answerer: Answerer) -> Calls:
        try:
            if isinstance(answerer.app, Fixed):  # nobody would see the request: none is made or signed
                came: Came | None = answerer.app.outcome
            else:
                came = yield Call(answerer.app, request_for(delivery))
        except BaseException as error:  # no request could be made, or the driver has ended without an answer
            broker.complete(delivery, failed(error))
            raise
        assert came is not None, "a driver sends what came of a call"
        if isinstance(came, Outcome):
            came = understood(came, delivery.content.headers)
        if isinstance(came, Silence):
            words = f"no answer within {format_ms(came.limit_ms)} of real time"
            broker.complete(delivery, Outcome(error=words))
            attempt = _attempt(delivery.message, delivery.attempt.retried)
            raise Raised(UsageError(came.sentence(f"{delivery.message.url} did not answer {attempt}")))
        if not isinstance(came, Outcome):
            broker.complete(delivery, failed(came))
            raise Raised(came)
        if came.status == HTTPStatus.UNAUTHORIZED:  # now: a test may set the keys of a later attempt
            delivery.attempt.unknown_key = not self.holds_key(delivery.signing_key)
        raised = came.exception
        broker.complete(delivery, answerer.settle(delivery.message, delivery.attempt, came))
        if raised is not None and self.raise_app_exceptions:
            raise Raised(_annotated(raised, delivery.message, delivery.attempt.retried))
        self.events += 1
        if self.events % EVENTS_A_PAUSE == 0:
            yield PAUSE


def start_next(broker: Broker, answerers: Answerers, until_ms: int) -> tuple[Delivery, Answerer] | None:
    """Start the first delivery due at or before *until_ms* and return it with who answers it; None if there is none.

    If nobody answers and that is an error, nothing has started.
    """
    with broker.lock:
        message = broker.next_message(until_ms)
        return None if message is None else _start(broker, answerers, message)


def _start(
    broker: Broker, answerers: Answerers, message: Message, at_instant: Callable[[int], object] | None = None
) -> tuple[Delivery, Answerer]:
    answerer = answerers.find(message)
    if at_instant is not None and not isinstance(answerer.app, Fixed):  # a fixed answer reads no clock
        at_instant(broker.now_ms)
    delivery = broker.start(message)
    answerer.begin(message, delivery.attempt)
    return delivery, answerer


def _annotated(error: BaseException, message: Message, retried: int) -> BaseException:
    attempt = _attempt(message, retried)
    note = f"raised by the application while qstash_fake delivered {message.message_id} to {message.url}, {attempt}"
    if note not in getattr(error, "__notes__", ()):
        error.add_note(note)
    return error


def _attempt(message: Message, retried: int) -> str:
    return f"attempt {retried + 1} of {message.max_retries + 1}"
