"""Which event loop runs the caller, and how a loop that does not run it is set aside.

**A foreign loop.** Playwright's sync API runs a loop in a greenlet of the test's thread. asyncio says "running" for
the whole thread, also while that greenlet waits and the test goes on in another one. The call stack tells the two
apart: a loop that runs this code has its `run_forever` in the stack of this greenlet, or of one that waits for it. A
loop that is not written in Python leaves no frame there, and is taken for one that runs this code.
"""

from __future__ import annotations

import asyncio
import contextvars
import sys
from asyncio import tasks
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread


def loop_is_running() -> bool:
    """Tell whether an event loop of asyncio or trio runs the caller."""
    if trio_is_running():
        return True
    loop = asyncio._get_running_loop()
    return loop is not None and _runs_the_caller(loop)


def trio_is_running() -> bool:
    """Tell whether the caller is a task of trio. Imports nothing."""
    trio = sys.modules.get("trio")
    if trio is None:
        return False
    if hasattr(trio.lowlevel, "in_trio_task"):  # 0.27; to ask for a task and be refused costs thirty times that
        return bool(trio.lowlevel.in_trio_task())
    try:
        trio.lowlevel.current_task()
    except RuntimeError:
        return False
    return True


@contextmanager
def foreign_loop_aside() -> Iterator[None]:
    """Let other loops run in this context, although asyncio says that one runs in this thread.

    Django's ORM and asyncio itself refuse to work where a loop is said to run.
    """
    loop = asyncio._get_running_loop()
    if loop is None or _runs_the_caller(loop):
        yield
        return
    task = asyncio.current_task(loop)
    if task is not None:
        tasks._leave_task(loop, task)
    asyncio._set_running_loop(None)
    try:
        yield
    finally:
        asyncio._set_running_loop(loop)
        if task is not None:
            tasks._enter_task(loop, task)


class Signal:
    """What code on a loop waits for, asyncio's or trio's. An event is made where somebody waits: it costs as a call."""

    __slots__ = ("_event", "_is_set")

    def __init__(self) -> None:
        self._is_set = False
        self._event: anyio.Event | None = None

    def set(self) -> None:
        """Let all go on that wait; from now on nobody has to."""
        self._is_set = True
        if self._event is not None:
            self._event.set()

    def is_set(self) -> bool:
        """Tell whether it was set."""
        return self._is_set

    async def wait(self) -> None:
        """Wait until it is set."""
        if not self._is_set:
            self._event = self._event or anyio.Event()
            await self._event.wait()


async def turn() -> None:
    """Let everything else on the loop have a turn."""
    if trio_is_running():
        await anyio.lowlevel.checkpoint()
    else:
        await asyncio.sleep(0)


def start_task(work: Callable[[], Coroutine[Any, Any, None]]) -> Task:
    """Start *work* beside the caller, in a copy of its context, on the loop that runs."""
    if trio_is_running():
        return _TrioTask(work)
    return asyncio.create_task(work())


async def in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    """Return what *function* returns in a worker thread, with a copy of the context; cancelling does not stop it."""
    if trio_is_running():
        return await anyio.to_thread.run_sync(function, *arguments, abandon_on_cancel=True)
    return await asyncio.to_thread(function, *arguments)


class _TrioTask:
    """A task of trio as an asyncio.Task is: it can be cancelled, and be awaited."""

    def __init__(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._scope = anyio.CancelScope()
        self._ended = anyio.Event()
        self._coro: Coroutine[Any, Any, None] | None = None
        trio = sys.modules["trio"]
        trio.lowlevel.spawn_system_task(self._run, work, context=contextvars.copy_context())

    def cancel(self) -> None:
        self._scope.cancel()

    def get_coro(self) -> Coroutine[Any, Any, None] | None:
        return self._coro

    def __await__(self) -> Any:
        return self._ended.wait().__await__()

    async def _run(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            with self._scope:
                self._coro = work()
                await self._coro
        finally:
            self._ended.set()


Task = asyncio.Task[None] | _TrioTask


def _runs_the_caller(loop: asyncio.AbstractEventLoop) -> bool:
    greenlet = sys.modules.get("greenlet")
    code = getattr(type(loop).run_forever, "__code__", None)  # None: not written in Python
    if greenlet is None or code is None:
        return True
    frame: FrameType | None = sys._getframe()
    current = greenlet.getcurrent()
    while True:
        while frame is not None:
            if frame.f_code is code:
                return True
            frame = frame.f_back
        current = current.parent
        if current is None:
            return False
        frame = current.gr_frame
