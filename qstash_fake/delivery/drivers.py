"""The drivers of a verb: they make its calls in this thread, on a private loop, or on the running loop.

**Tasks of an application** that are left on the private loop stand still while no verb runs. Under a server they
would go on, and may publish. Hence the loop gets up to `TURNS` turns after a delivery, as long as a task runs that
the delivery has begun, and again before the verb returns. It is a count and no time: the result must not depend on
the speed of the machine.
"""

from __future__ import annotations

import asyncio
import contextvars
import warnings
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any

import anyio

from qstash_fake.broker.message import Outcome
from qstash_fake.delivery.answers import Answer, outcome_of
from qstash_fake.delivery.exchange import Request
from qstash_fake.delivery.kinds.base import App, AsyncApp, SyncApp
from qstash_fake.delivery.kinds.clients import PortalClient
from qstash_fake.delivery.lifespans import Lifespan
from qstash_fake.delivery.loops import Signal, foreign_loop_aside, loop_is_running, trio_is_running, turn
from qstash_fake.delivery.run import Call, Calls, Came, Done, Pause, Raised
from qstash_fake.delivery.watchdog import Silence, Watchdog, answered, stack_of
from qstash_fake.errors import UsageError

TURNS = 10  # the design's; a task that publishes at its next turns needs two or three
NO_LIFESPAN = (
    "the async verbs run no lifespan: if the application needs its own, deliver in a block "
    "`async with qstash_fake.lifespan(app)`"
)

Step = Call | Pause | Done
Send = Callable[[Any, Request], Coroutine[Any, Any, Outcome]]
Clients = list[tuple[Any, str | None]]
"""Test clients, each with the name of its attribute that leads to its loop."""


class SyncDriver:
    """Calls applications from synchronous code: WSGI in this thread, ASGI on a private loop that is made lazily.

    *limit_ms* is what the watchdog gives a delivery on the loop, a startup and a shutdown; 0 is no limit.
    """

    def __init__(self, limit_ms: int) -> None:
        self.limit_ms = limit_ms
        self._watchdog = Watchdog(limit_ms)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lifespans: list[tuple[AsyncApp, Lifespan]] = []
        self.clients: Clients = []
        """The test clients that are entered: each runs the lifespan of its application on its own loop.
        Whoever watches the clients puts a list here, and keeps it."""
        self._begun: list[asyncio.Task[Any]] = []
        """The tasks that have begun since the last turns were given."""
        self._left: set[asyncio.Task[Any]] = set()
        """The tasks of applications that were still running after their turns."""

    def run(self, calls: Calls) -> None:
        """Drive *calls* to their end.

        Most of the time, calls of applications that answer on a loop follow each other, and to start and stop a loop
        costs as much as a call. Hence the loop goes on until a call needs this thread without a loop.
        """
        each: Any = {"watchdog": self._watchdog, "after_each": self._give_turns}
        with foreign_loop_aside():
            step = _step(calls, None)
            while not isinstance(step, Done):
                if isinstance(step, Pause):
                    step = _step(calls, None)
                elif isinstance(step.app, SyncApp):
                    step = _step(calls, _came_here(step.app, step.request, self.limit_ms))
                else:
                    step = self._on_loop(_drive(calls, step, self._send, AsyncApp, **each))
            self._begun = [task for task in self._left if not task.done()]
            self._left.clear()
            if self._begun:
                self._on_loop(self._give_turns())
        if step.error is not None:
            raise step.error

    async def _send(self, app: AsyncApp, request: Request) -> Outcome:
        """Send *request* to *app*; its lifespan is started before its first request."""
        if app.runs_lifespan and (client := self._client_of(app)) is not None:
            return outcome_of(await client.send_async(request))
        if app.runs_lifespan and app.lifespan is None:
            lifespan = app.make_lifespan()
            attempt = asyncio.current_task()
            # A startup has its own limit. If the attempt's ended first, the application's side would be left running.
            self._watchdog.watch(None)
            with Answer() as startup:
                await lifespan.startup(self.limit_ms)
            self._watchdog.watch(attempt)
            if isinstance(startup.exception, UsageError):
                raise startup.exception
            if startup.exception is not None:
                return outcome_of(startup)  # it is started again at the next attempt
            self._lifespans.append((app, lifespan))
            app.lifespan = lifespan
            self._begun = [task for task in self._begun if task is not lifespan.task]
        return outcome_of(await app.send_async(request))

    def client_enters(self, client: Any) -> None:
        """End the lifespan of the application of *client*, which is about to start one.

        A lifespan keeps things in its application that belong to its loop, and the application has one place for them.
        Of two lifespans at once, each would wait in its shutdown for what the other has made.
        """
        ours = [(app, lifespan) for app, lifespan in self._lifespans if lifespan.app is client.app]
        if self._loop is not None and not loop_is_running():
            with foreign_loop_aside():
                for app, lifespan in ours:
                    self._lifespans.remove((app, lifespan))
                    app.lifespan = None
                    self._loop.run_until_complete(lifespan.shutdown(self.limit_ms))

    def _client_of(self, app: AsyncApp) -> AsyncApp | None:
        """Return what answers for *app* while a client of it is entered, None if none is."""
        for client, portal in self.clients:
            if client.app is app.app:
                return app if portal is None else PortalClient(client, portal)
        return None

    async def _give_turns(self) -> None:
        """Give the tasks that have begun up to TURNS turns."""
        for _ in range(TURNS):
            if all(task.done() for task in self._begun):
                break
            await asyncio.sleep(0)
        self._left.update(task for task in self._begun if not task.done())
        self._begun.clear()

    def _begin(self, loop: asyncio.AbstractEventLoop, work: Any, **options: Any) -> asyncio.Task[Any]:
        task = asyncio.Task(work, loop=loop, **options)
        self._begun.append(task)
        return task

    def _on_loop(self, driving: Coroutine[Any, Any, Any]) -> Any:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._loop.set_task_factory(self._begin)
        task = asyncio.Task(driving, loop=self._loop)
        try:
            return self._loop.run_until_complete(task)
        except BaseException:
            if not task.done():  # Ctrl-C has stopped the loop under it: the attempt in flight fails
                task.cancel()
                self._loop.run_until_complete(task)
            raise

    def close(self) -> None:
        """Shut applications down in reverse order, cancel what they left running, with a warning, close the loop."""
        if self._loop is None:
            return
        names: list[str] = []
        with foreign_loop_aside():
            try:
                self._on_loop(self._end(names))
            finally:
                self._loop.close()
                self._loop = None
        if names:
            tasks = f"{len(names)} task{'s' * (len(names) > 1)}"
            warnings.warn(
                f"the application has left {tasks} running, which the end of the fake has cancelled: "
                f"{', '.join(names)}. Let a handler wait for them, or the shutdown of the lifespan cancel them",
                RuntimeWarning,
                stacklevel=2,
            )

    async def _end(self, names: list[str]) -> None:
        """End all that is on the loop; *names* takes the names of tasks that are left. One run: each costs its own."""
        loop = asyncio.get_running_loop()
        try:
            async with AsyncExitStack() as exits:  # an error of one does not keep the others from their shutdown
                for _, lifespan in self._lifespans:
                    exits.push_async_callback(lifespan.shutdown, self.limit_ms)
        finally:
            for app, _ in self._lifespans:
                app.lifespan = None
            self._lifespans.clear()
            left = asyncio.all_tasks() - {asyncio.current_task()}
            names += sorted(_name(task) for task in left if not task.cancelling())  # the others were told to end
            for task in left:
                task.cancel()
            if left:
                await asyncio.wait(left, timeout=self.limit_ms / 1000 or None)
            await loop.shutdown_asyncgens()
            await loop.shutdown_default_executor()


async def run_async(calls: Calls, limit_ms: int) -> None:
    """Drive *calls* to their end on the running loop; calls that may block go to a thread.

    When it is cancelled, the attempt that is in flight fails, and no other starts.
    """
    if trio_is_running():
        step: Step = await _drive_on_trio(calls, limit_ms)
    else:
        step = await _drive(calls, _step(calls, None), _send_without_lifespan, App, watchdog=Watchdog(limit_ms))
    assert isinstance(step, Done)
    if step.error is not None:
        raise step.error


async def _drive(
    calls: Calls,
    step: Step,
    send: Send,
    here: Any,
    *,
    watchdog: Watchdog,
    after_each: Callable[[], Awaitable[None]] | None = None,
) -> Call | Done:
    """Make the calls from *step* on, one task each, as long as their applications are *here*; return the next step.

    The loop is asyncio's. A call that has not come to its end within the limit of *watchdog* is cancelled.
    """
    verb = asyncio.current_task()
    assert verb is not None
    cancellations = verb.cancelling()
    try:
        while not isinstance(step, Done):
            if isinstance(step, Pause):
                await asyncio.sleep(0)
                step = _step(calls, None)
                continue
            if not isinstance(step.app, here):
                return step
            try:
                task = asyncio.create_task(_came_of(send(step.app, step.request)))
                watchdog.watch(task)
                came = await task
                if watchdog.silence is not None and verb.cancelling() == cancellations:
                    came = watchdog.silence
                cancelled = isinstance(came, asyncio.CancelledError)  # tells anyio's scopes who has cancelled it
                if verb.cancelling() > cancellations and not cancelled:  # the application has swallowed it
                    came = asyncio.CancelledError()
                if after_each is not None:
                    await after_each()
            except BaseException as error:  # noqa: BLE001 - the generator records it, and it is raised again
                came = error
            step = _step(calls, came)
    finally:
        watchdog.rest()
    return step


async def _drive_on_trio(calls: Calls, limit_ms: int) -> Done:
    """Do what `_drive` does on a loop of trio: each call has its own nursery, hence a task."""
    step = _step(calls, None)
    while not isinstance(step, Done):
        if isinstance(step, Pause):
            await turn()
            step = _step(calls, None)
        else:
            step = _step(calls, await _came_on_trio(_send_without_lifespan(step.app, step.request), limit_ms))
    return step


async def _came_on_trio(answer: Coroutine[Any, Any, Outcome], limit_ms: int) -> Came:
    came: list[Came] = []
    ended = Signal()

    async def child() -> None:
        came.append(await _came_of(answer))
        ended.set()

    try:
        async with anyio.create_task_group() as group:
            group.start_soon(child)
            if not await answered(ended, limit_ms):
                silence = Silence(limit_ms, stack_of(answer))
                group.cancel_scope.cancel()
                return silence
    except BaseException as error:  # noqa: BLE001 - the generator records it, and it is raised again
        return error
    return came[0]


def _step(calls: Calls, came: Came | None) -> Step:
    """Give the generator the result of its last call, and return what it wants next."""
    try:
        return calls.send(came)
    except StopIteration:
        return Done()
    except Raised as raised:
        return Done(raised.error)


async def send_async(app: App, request: Request) -> Outcome:
    """Send *request* to *app* on the running loop; a call that may block goes to a thread."""
    return outcome_of(await app.send_async(request))


async def _send_without_lifespan(app: App, request: Request) -> Outcome:
    """Do what `send_async` does. A note on an exception says that nobody runs the lifespan of *app*."""
    outcome = outcome_of(await app.send_async(request))
    error = outcome.exception
    if error is not None and isinstance(app, AsyncApp) and app.runs_lifespan and app.lifespan is None:
        error.add_note(NO_LIFESPAN)
    return outcome


async def _came_of(answer: Awaitable[Outcome]) -> Came:
    """Return what *answer* returns or raises; raised in a task, a SystemExit would end the whole loop."""
    try:
        return await answer
    except BaseException as error:  # noqa: BLE001 - see above
        return error


def _came_here(app: SyncApp, request: Request, limit_ms: int) -> Came:
    """Return what *app* answers or raises in this thread, in a new context."""
    try:
        reply = contextvars.copy_context().run(app.send_watched, request, limit_ms)
        return reply if isinstance(reply, Silence) else outcome_of(reply)
    except BaseException as error:  # noqa: BLE001 - the generator records it, and it is raised again
        return error


def _name(task: asyncio.Task[Any]) -> str:
    """Return what the function of *task* is called, and where it is."""
    work: Any = task.get_coro()
    code = getattr(work, "cr_code", None)  # a coroutine that is not written in Python has none
    return work.__qualname__ if code is None else f"{work.__qualname__} ({code.co_filename}:{code.co_firstlineno})"
