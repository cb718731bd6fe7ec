"""Running deliveries: one generator holds the algorithm, a sync and an async driver call the applications."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from qstash_fake.broker.broker import Broker, Delivery
from qstash_fake.broker.message import Message, Outcome
from qstash_fake.delivery.answers import Answer, failed, outcome_of
from qstash_fake.delivery.exchange import Request, request_for
from qstash_fake.delivery.kinds.base import App, AsyncApp, SyncApp
from qstash_fake.delivery.kinds.functions import Fixed
from qstash_fake.delivery.kinds.swallowed import Listening
from qstash_fake.delivery.lifespans import Lifespan
from qstash_fake.delivery.mounts import Answerer, Answerers


class Call(NamedTuple):
    """A request to be sent, and who answers it."""

    app: App
    request: Request


Came = Outcome | BaseException
"""What came of a call: the outcome, or what ended it and is raised whatever the settings.

The latter is no Exception of the application's, such as a KeyboardInterrupt, or it is a mistake of a test or of ours.
"""


class Pause:
    """Between two deliveries, once in EVENTS_A_PAUSE: whoever else is on the loop may have a turn."""


EVENTS_A_PAUSE = 50  # a count, not a time, for the order of what happens must not depend on how fast it happens
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
    """How deliveries are made. *at_instant* is called with the time, unix milliseconds, just before each one."""

    broker: Broker
    answerers: Answerers
    at_instant: Callable[[int], object]
    raise_app_exceptions: bool = True
    events: int = 0
    """How many deliveries there were."""
    listening: Listening = field(default_factory=Listening)

    def close(self) -> None:
        """Give back what the deliveries have connected to."""
        self.listening.end()

    def until(self, until_ms: int, guard: Callable[[], object] = lambda: None) -> Calls:
        """Yield every call that starts at or before *until_ms*, in order; send back what came of it.

        *guard* is called before each one; if it or *at_instant* raises, or nobody answers and that is an error, that
        one has not started. What is to be raised is raised, as `Raised`, after the attempt is recorded.
        """
        self.listening.begin()
        broker = self.broker
        while True:
            with broker.lock:  # what is found first must still be first when it starts
                message = broker.next_message(until_ms)
                if message is None:
                    return
                guard()
                self.at_instant(broker.now_ms)
                delivery, answerer = _start(broker, self.answerers, message)
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
                self.at_instant(broker.now_ms)
                delivery, answerer = _start(broker, self.answerers, message)
            yield from self._deliver(broker, delivery, answerer)
            if not (lost := delivery.attempt.lost):
                return

    def _deliver(self, broker: Broker, delivery: Delivery, answerer: Answerer) -> Calls:
        try:
            if isinstance(answerer.app, Fixed):  # nobody would see the request, so none is made or signed
                came: Came | None = answerer.app.answer()
            else:
                came = yield Call(answerer.app, request_for(delivery))
        except BaseException as error:  # no request could be made, or the driver has ended without an answer
            broker.complete(delivery, failed(error))
            raise
        assert came is not None, "a driver sends what came of a call"
        if not isinstance(came, Outcome):
            broker.complete(delivery, failed(came))
            raise Raised(came)
        raised = came.exception
        broker.complete(delivery, answerer.settle(delivery.attempt, came))
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


def _start(broker: Broker, answerers: Answerers, message: Message) -> tuple[Delivery, Answerer]:
    answerer = answerers.find(message)
    delivery = broker.start(message)
    answerer.begin(delivery.attempt)
    return delivery, answerer


def _annotated(error: BaseException, message: Message, retried: int) -> BaseException:
    attempt = f"attempt {retried + 1} of {message.max_retries + 1}"
    note = f"raised by the application while qstash_fake delivered {message.message_id} to {message.url}, {attempt}"
    if note not in getattr(error, "__notes__", ()):
        error.add_note(note)
    return error


class SyncDriver:
    """Calls applications from synchronous code: WSGI in this thread, ASGI on a private loop that is made lazily."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lifespans: list[Lifespan] = []

    def run(self, calls: Calls) -> None:
        """Drive *calls* to their end.

        Calls of applications that answer on a loop come one after the other most of the time, and to start and stop
        a loop costs as much as a call: the loop goes on until one comes that needs this thread without a loop.
        """
        step = _step(calls, None)
        while not isinstance(step, Done):
            if isinstance(step, Pause):
                step = _step(calls, None)
            elif isinstance(step.app, SyncApp):
                step = _step(calls, _came_here(step.app, step.request))
            else:
                step = self._on_loop(_drive(calls, step, self._send, AsyncApp))
        if step.error is not None:
            raise step.error

    async def _send(self, app: AsyncApp, request: Request) -> Outcome:
        """Send *request* to *app*, whose lifespan is started before its first request."""
        if app.runs_lifespan and app.lifespan is None:
            lifespan = app.make_lifespan()
            with Answer() as startup:
                await lifespan.startup()
            if startup.exception is not None:
                return outcome_of(startup)  # it is started again at the next attempt
            self._lifespans.append(lifespan)
            app.lifespan = lifespan
        return outcome_of(await app.send_async(request))

    def _on_loop(self, driving: Coroutine[Any, Any, Call | Done]) -> Call | Done:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
        task = self._loop.create_task(driving)
        try:
            return self._loop.run_until_complete(task)
        except BaseException:
            if not task.done():  # Ctrl-C has stopped the loop under it: the attempt in flight fails
                task.cancel()
                self._loop.run_until_complete(task)
            raise

    def close(self) -> None:
        """Shut applications down in reverse order, cancel what they left running, close the loop."""
        loop, self._loop = self._loop, None
        if loop is None:
            return
        try:
            with ExitStack() as exits:  # what one raises does not keep the others from their shutdown
                for lifespan in self._lifespans:
                    exits.callback(lambda one: loop.run_until_complete(one.shutdown()), lifespan)
        finally:
            self._lifespans.clear()
            left = asyncio.all_tasks(loop)
            for task in left:
                task.cancel()
            if left:
                loop.run_until_complete(asyncio.wait(left))
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()


async def run_async(calls: Calls) -> None:
    """Drive *calls* to their end on the running loop; what may block goes to a thread.

    When it is cancelled, the attempt that is in flight fails, and no other starts.
    """
    step = await _drive(calls, _step(calls, None), send_async, App)
    assert isinstance(step, Done)
    if step.error is not None:
        raise step.error


async def _drive(
    calls: Calls, step: Call | Pause | Done, send: Callable[[Any, Request], Awaitable[Outcome]], here: Any
) -> Call | Done:
    """Make the calls from *step* on, one task each, as long as their applications are *here*; return the next step."""
    verb = asyncio.current_task()
    assert verb is not None
    cancellations = verb.cancelling()
    while not isinstance(step, Done):
        if isinstance(step, Pause):
            await asyncio.sleep(0)
            step = _step(calls, None)
            continue
        if not isinstance(step.app, here):
            return step
        try:
            came = await asyncio.create_task(_came_of(send(step.app, step.request)))
            if verb.cancelling() > cancellations:  # the application has swallowed it
                came = asyncio.CancelledError()
        except BaseException as error:  # noqa: BLE001 - the generator records it, and it is raised again
            came = error
        step = _step(calls, came)
    return step


def _step(calls: Calls, came: Came | None) -> Call | Pause | Done:
    """Tell the generator what came of its last call, and return what it wants next."""
    try:
        return calls.send(came)
    except StopIteration:
        return Done()
    except Raised as raised:
        return Done(raised.error)


async def send_async(app: App, request: Request) -> Outcome:
    """Send *request* to *app* on the running loop; what may block goes to a thread."""
    return outcome_of(await app.send_async(request))


async def _came_of(answer: Awaitable[Outcome]) -> Came:
    """Return what *answer* returns or raises: a task that raises SystemExit would end the whole loop."""
    try:
        return await answer
    except BaseException as error:  # noqa: BLE001 - see above
        return error


def _came_here(app: SyncApp, request: Request) -> Came:
    """Return what *app* answers or raises in this thread, with a context of its own."""
    try:
        return outcome_of(contextvars.copy_context().run(app.send, request))
    except BaseException as error:  # noqa: BLE001 - the generator records it, and it is raised again
        return error
