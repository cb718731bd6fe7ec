"""Running deliveries: one generator holds the algorithm, a sync and an async driver call the applications."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine, Generator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from qstash_fake.broker.broker import Broker, Delivery
from qstash_fake.broker.message import Message, Outcome
from qstash_fake.delivery.answers import Answer, failed, outcome_of
from qstash_fake.delivery.exchange import Request, request_for
from qstash_fake.delivery.kinds.base import App, AsyncApp, SyncApp
from qstash_fake.delivery.kinds.functions import Fixed
from qstash_fake.delivery.kinds.swallowed import Listening
from qstash_fake.delivery.lifespans import Lifespan
from qstash_fake.delivery.mounts import Answerer, Answerers

T = TypeVar("T")


class Call(NamedTuple):
    """A request to be sent, and who answers it."""

    answerer: Answerer
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

        *guard* is called before each one; if it or *at_instant* raises, that one has not started. What is to be
        raised is raised, as `Raised`, after the attempt is recorded; an attempt that was ended counts as failed.
        """

        self.listening.begin()

        def before_start() -> None:
            guard()
            self.at_instant(self.broker.now_ms)

        while (started := start_next(self.broker, self.answerers, until_ms, before_start)) is not None:
            delivery, answerer = started
            try:
                if isinstance(answerer.app, Fixed):  # nobody would see the request, so none is made or signed
                    came: Came | None = answerer.app.answer()
                else:
                    came = yield Call(answerer, request_for(delivery))
            except BaseException as error:  # no request could be made, or the driver has ended without an answer
                self.broker.complete(delivery, failed(error))
                raise
            assert came is not None, "a driver sends what came of a call"
            if not isinstance(came, Outcome):
                self.broker.complete(delivery, failed(came))
                raise Raised(came)
            raised = came.exception
            self.broker.complete(delivery, answerer.settle(delivery.attempt, came))
            if raised is not None and self.raise_app_exceptions:
                raise Raised(_annotated(raised, delivery.message, delivery.attempt.retried))
            self.events += 1
            if self.events % EVENTS_A_PAUSE == 0:
                yield PAUSE


def start_next(
    broker: Broker, answerers: Answerers, until_ms: int, before_start: Callable[[], object] = lambda: None
) -> tuple[Delivery, Answerer] | None:
    """Start the first delivery due at or before *until_ms* and return it with who answers it; None if there is none.

    If *before_start* raises, or nobody answers and that is an error, nothing has started.
    """
    with broker.lock:  # what is found first must still be first when it starts
        message = broker.next_message(until_ms)
        if message is None:
            return None
        before_start()
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
        """Drive *calls* to their end."""
        came: Came | None = None
        while (call := _step(calls, came)) is not None:
            if isinstance(call, Pause):
                continue
            try:
                came = self._send(call.answerer.app, call.request)
            except BaseException as error:  # noqa: BLE001 - the generator records it, and it is raised again
                came = error

    def _send(self, app: App, request: Request) -> Came:
        if isinstance(app, SyncApp):
            return outcome_of(contextvars.copy_context().run(app.send, request))
        if app.runs_lifespan and app.lifespan is None:
            with Answer() as startup:
                self._start_lifespan(app)
            if startup.exception is not None:
                return outcome_of(startup)
        return self._on_loop(_came_of(app, request))

    def _start_lifespan(self, app: AsyncApp) -> None:
        lifespan = app.make_lifespan()
        self._on_loop(lifespan.startup())  # one that fails is tried again at the next attempt
        self._lifespans.append(lifespan)
        app.lifespan = lifespan

    def _on_loop(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self._private_loop().run_until_complete(coroutine)  # as a task, in a copy of the context

    def _private_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
        return self._loop

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
    """Drive *calls* to their end on the running loop, one task a delivery; what may block goes to a thread.

    When it is cancelled, the attempt that is in flight fails, and no other starts.
    """
    verb = asyncio.current_task()
    assert verb is not None
    cancellations = verb.cancelling()
    came: Came | None = None
    while (call := _step(calls, came)) is not None:
        if isinstance(call, Pause):
            await asyncio.sleep(0)
            continue
        try:
            came = await asyncio.create_task(_came_of(call.answerer.app, call.request))
            if verb.cancelling() > cancellations:  # the application has swallowed it
                came = asyncio.CancelledError()
        except BaseException as error:  # noqa: BLE001 - the generator records it, and it is raised again
            came = error


def _step(calls: Calls, came: Came | None) -> Call | Pause | None:
    """Tell the generator what came of its last call and return the next one, None at its end; raise what it brings."""
    try:
        return calls.send(came)
    except StopIteration:
        return None
    except Raised as raised:
        error = raised.error
    raise error


async def send_async(app: App, request: Request) -> Outcome:
    """Send *request* to *app* on the running loop; what may block goes to a thread."""
    return outcome_of(await app.send_async(request))


async def _came_of(app: App, request: Request) -> Came:
    """Return what `send_async` returns or raises: a task that raises SystemExit would end the whole loop."""
    try:
        return await send_async(app, request)
    except BaseException as error:  # noqa: BLE001 - see above
        return error
