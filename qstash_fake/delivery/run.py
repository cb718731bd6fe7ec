"""Running deliveries: one generator holds the algorithm, a sync and an async driver call the applications."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from qstash_fake.broker.broker import Broker, Delivery
from qstash_fake.broker.message import Message, Outcome
from qstash_fake.delivery.apps import App, Asgi, Fixed
from qstash_fake.delivery.asgi import Lifespan
from qstash_fake.delivery.exchange import Request, request_for
from qstash_fake.delivery.targets import Target, Targets

T = TypeVar("T")


class Call(NamedTuple):
    """A request to be sent, and who answers it."""

    target: Target
    request: Request


@dataclass(slots=True)
class Deliveries:
    """How deliveries are made. *at_instant* is called with the time, unix milliseconds, just before each one."""

    broker: Broker
    targets: Targets
    at_instant: Callable[[int], object]
    raise_app_exceptions: bool = True

    def until(self, until_ms: int, guard: Callable[[], object] = lambda: None) -> Generator[Call, Outcome, None]:
        """Yield every call that starts at or before *until_ms*, in order; send back what came of it.

        *guard* is called before each one; if it or *at_instant* raises, that one has not started.
        What the application raised is raised here after its outcome is recorded; so is anything else that ends
        the call, such as a KeyboardInterrupt, which counts as a failed attempt.
        """

        def before_start() -> None:
            guard()
            self.at_instant(self.broker.now_ms)

        while (started := start_next(self.broker, self.targets, until_ms, before_start)) is not None:
            delivery, target = started
            try:
                if isinstance(target.app, Fixed):  # nobody would see the request, so none is made or signed
                    outcome = target.app.answer()
                else:
                    outcome = yield Call(target, request_for(delivery))
            except BaseException as error:
                self.broker.complete(delivery, Outcome(status=500, exception=error))
                raise
            self.broker.complete(delivery, target.settle(delivery.message, outcome))
            if outcome.exception is not None and self.raise_app_exceptions:
                raise _annotated(outcome.exception, delivery.message, delivery.attempt.retried)


def start_next(
    broker: Broker, targets: Targets, until_ms: int, before_start: Callable[[], object] = lambda: None
) -> tuple[Delivery, Target] | None:
    """Start the first delivery due at or before *until_ms* and return it with who answers it; None if there is none.

    If *before_start* raises, or nobody answers and that is an error, nothing has started.
    """
    with broker.lock:  # what is found first must still be first when it starts
        message = broker.next_message(until_ms)
        if message is None:
            return None
        before_start()
        target = targets.find(message)
        delivery = broker.start(message)
        target.begin(delivery.attempt)
        return delivery, target


def _annotated(error: BaseException, message: Message, retried: int) -> BaseException:
    attempt = f"attempt {retried + 1} of {message.max_retries + 1}"
    note = f"raised by the application while qstash_fake delivered {message.message_id} to {message.url}, {attempt}"
    if note not in getattr(error, "__notes__", ()):
        error.add_note(note)
    return error


class SyncDriver:
    """Calls applications from synchronous code: WSGI in this thread, ASGI on a private loop that is made lazily."""

    def __init__(self, targets: Targets) -> None:
        self._targets = targets
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lifespans: list[tuple[Lifespan, asyncio.Task[None]]] = []

    def run(self, calls: Generator[Call, Outcome, None]) -> None:
        """Drive *calls* to their end."""
        answer: Outcome | BaseException | None = None
        while (call := _step(calls, answer)) is not None:
            try:
                answer = self._send(call.target.app, call.request)
            except BaseException as error:  # noqa: BLE001 - the generator records it and raises it again
                answer = error

    def _send(self, app: App, request: Request) -> Outcome:
        if app.is_async and not getattr(app, "is_django", False):
            if isinstance(app, Asgi):
                self._start_lifespan(app)
            outcome: Outcome = self._on_loop(app.send(request))
            return outcome
        send: Callable[[Request], Outcome] = app.send
        if app.is_async:
            from asgiref.sync import async_to_sync

            send = async_to_sync(app.send)
        return contextvars.copy_context().run(send, request)

    def _start_lifespan(self, app: Asgi) -> None:
        mount = next((mount for mount in self._targets.mounts if mount.app is app), None)
        if mount is None or not mount.runs_lifespan or app.lifespan is not None:
            return
        lifespan = Lifespan(app.app)
        task = self._private_loop().create_task(lifespan.run())
        self._on_loop(lifespan.startup())  # one that fails is tried again at the next attempt
        self._lifespans.append((lifespan, task))
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
                for lifespan, task in self._lifespans:
                    exits.callback(_shut_down, loop, lifespan, task)
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


def _shut_down(loop: asyncio.AbstractEventLoop, lifespan: Lifespan, task: asyncio.Task[None]) -> None:
    loop.run_until_complete(lifespan.shutdown())
    loop.run_until_complete(task)


async def run_async(calls: Generator[Call, Outcome, None]) -> None:
    """Drive *calls* to their end on the running loop, one task a delivery; what may block goes to a thread."""
    answer: Outcome | BaseException | None = None
    while (call := _step(calls, answer)) is not None:
        try:
            answer = await send_async(call.target.app, call.request)
        except BaseException as error:  # noqa: BLE001 - the generator records it and raises it again
            answer = error


def _step(calls: Generator[Call, Outcome, None], answer: Outcome | BaseException | None) -> Call | None:
    """Hand *answer* to the generator and return its next call, None at its end."""
    try:
        return calls.throw(answer) if isinstance(answer, BaseException) else calls.send(answer)  # type: ignore[arg-type]
    except StopIteration:
        return None


def send_async(app: App, request: Request) -> Awaitable[Outcome]:
    """Send *request* to *app* on the running loop; what may block goes to a thread."""
    if app.is_async:
        return asyncio.create_task(app.send(request))
    if app.in_thread:
        return asyncio.to_thread(app.send, request)
    return asyncio.create_task(_inline(app, request))


async def _inline(app: App, request: Request) -> Outcome:
    outcome: Outcome = app.send(request)
    return outcome
