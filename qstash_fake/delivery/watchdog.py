"""The watchdog: a call that has not answered after a time, in real time, is given up; the error shows where it waits.

**Ticks, no deadline.** The time is cut into `TICKS` ticks, and the next tick is set when the last one comes. A
debugger, and code that blocks its thread, stop the loop. Such a stop counts as one tick, however long it lasts, and
code that was stopped in a debugger is not given up as soon as it goes on. One timer watches all calls of a verb: each
call sets the count of ticks back, which costs next to nothing. A limit is exceeded by a tick at most.
"""

from __future__ import annotations

import asyncio
import gc
import inspect
import sys
import traceback
from collections import defaultdict
from collections.abc import Iterator
from types import AsyncGeneratorType, CoroutineType, FrameType, GeneratorType
from typing import Any, NamedTuple

import anyio

from qstash_fake.delivery.loops import Signal, turn
from qstash_fake.errors import UsageError
from qstash_fake.protocol.durations import Duration, format_ms, to_ms

LIMIT = "30s"  # assumed: no handler in a test takes longer, and nobody waits longer for a test that hangs
TICKS = 10
# What debuggers trace with. pytest-timeout, KNOWN_DEBUGGING_MODULES.
DEBUGGERS = ("pydevd", "bdb", "pydevd_frame_evaluator")


class Silence(NamedTuple):
    """A call was given up after *limit_ms* without an answer; *stack* is where it waited."""

    limit_ms: int
    stack: str

    def sentence(self, who: str) -> str:
        """Say that *who* did not answer, where it waited, and what to do."""
        limit = format_ms(self.limit_ms)
        return (
            f"{who} within {limit} of real time, the watchdog's limit, and was cancelled where it waited:\n{self.stack}"
            f"\nIf it needs longer, raise the limit with watchdog=, such as watchdog='5m'; watchdog=0 waits for ever"
        )


def limit_to_ms(watchdog: Duration) -> int:
    """Return the milliseconds that `watchdog=` says; 0 is off."""
    if watchdog == "0":
        return 0
    try:
        return to_ms(watchdog)
    except (TypeError, ValueError) as error:
        raise UsageError(f"watchdog={watchdog!r} is no limit: {error}; 0 turns the watchdog off") from None


class Watchdog:
    """Watches tasks of one asyncio loop, one at a time. `rest` ends the timer."""

    __slots__ = ("_giving_up", "_left", "_limit_ms", "_task", "_timer", "silence")

    def __init__(self, limit_ms: int) -> None:
        self._limit_ms = limit_ms
        self._left = 0
        self._giving_up: asyncio.Task[None] | None = None  # kept, because a loop does not keep its tasks
        self._task: asyncio.Task[Any] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.silence: Silence | None = None
        """Why the task was cancelled; None if it was not, or not by the watchdog."""

    def watch(self, task: asyncio.Task[Any] | None) -> None:
        """Watch *task* from now on, and no other; None is no task."""
        self._task, self.silence = task, None
        self._left = TICKS + 1  # the first tick may come at once
        if self._timer is None and self._limit_ms:
            self._set()

    def rest(self) -> None:
        """Watch nothing from now on."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._task = None

    def _set(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._limit_ms / 1000 / TICKS, self._tick)

    def _tick(self) -> None:
        task = self._task
        if task is None or task.done() or is_debugged():
            self._left = TICKS + 1
        else:
            self._left -= 1
            if self._left <= 0:  # at each tick from now on: the application may swallow the first cancellation
                self._giving_up = asyncio.create_task(self._give_up(task))
        self._set()

    async def _give_up(self, task: asyncio.Task[Any]) -> None:
        """Cancel *task*. It runs in a task, for outside of one anyio does not list tasks."""
        if task is self._task and not task.done():
            self.silence = self.silence or Silence(self._limit_ms, stack_of(task))
            task.cancel()


async def answered(event: Signal, limit_ms: int) -> bool:
    """Wait for *event*, on any loop, and tell whether it came in time; 0 is no limit."""
    if event.is_set():
        return True
    if not limit_ms:
        await event.wait()
        return True
    await turn()  # most answer within one turn, and a scope costs more than that
    if event.is_set():
        return True
    left = TICKS
    while left:
        with anyio.move_on_after(limit_ms / 1000 / TICKS):
            await event.wait()
            return True
        left = TICKS if is_debugged() else left - 1
    return False


def is_debugged() -> bool:
    """Tell whether a debugger is attached, as pytest-timeout tells it."""
    trace = sys.gettrace()
    if trace is not None:
        module = inspect.getmodule(trace) or inspect.getmodule(type(trace))
        parts = module.__name__.split(".") if module else []
        if any(part.startswith(DEBUGGERS) for part in parts):
            return True
    if sys.version_info >= (3, 12):  # debuggers may register there and trace nothing
        return sys.monitoring.get_tool(sys.monitoring.DEBUGGER_ID) is not None
    return False


def stack_of(task: Any) -> str:
    """Return the stack where *task*, of asyncio or trio, waits, and of the tasks it waits for; outermost first.

    Our own frames, which lead to the application, are left out.
    """
    own = __name__.partition(".")[0] + "."
    parts = []
    coroutines = [_coroutine(task), *_below(task)]
    for coroutine in coroutines:
        frames = list(_frames(coroutine))
        coroutines += _waited_for(frames)
        names = [str(frame.f_globals.get("__name__")).startswith(own) for frame in frames]
        first = names.index(False) if False in names else len(frames)
        summary = traceback.StackSummary.extract((frame, frame.f_lineno) for frame in frames[first:] or frames)
        parts.append("".join(summary.format()).rstrip())
    return "\n  and, in a task that it has started:\n".join(dict.fromkeys(parts))


def _coroutine(task: Any) -> Any:
    return task.get_coro() if hasattr(task, "get_coro") else task  # a task of asyncio, or a coroutine


def _below(task: Any) -> Iterator[Any]:
    """Yield the coroutines of the tasks that *task*, and each of these, has started in task groups of anyio."""
    started = defaultdict(list)
    for one in anyio.get_running_tasks():
        started[one.parent_id].append(one)
    ids = [one.id for group in started.values() for one in group if one.coro is _coroutine(task)]
    while ids:
        for one in started[ids.pop()]:
            ids.append(one.id)
            yield one.coro


def _waited_for(frames: list[FrameType]) -> list[Any]:
    """Return the coroutines of the tasks for which the innermost of *frames* waits, if it is in `asyncio.wait`."""
    inner = frames[-1] if frames else None
    if inner is None or inner.f_code.co_name != "_wait" or inner.f_globals is not vars(asyncio.tasks):
        return []
    waited = inner.f_locals.get("fs", ())
    return [one.get_coro() for one in waited if isinstance(one, asyncio.Task) and not one.done()]


def _frames(awaited: Any) -> Iterator[FrameType]:
    """Yield the frames of the coroutine *awaited*, of the one that it awaits, and of all that follow."""
    while awaited is not None:
        if isinstance(awaited, CoroutineType):
            frame, inner = awaited.cr_frame, awaited.cr_await
        elif isinstance(awaited, GeneratorType):
            frame, inner = awaited.gi_frame, awaited.gi_yieldfrom
        elif isinstance(awaited, AsyncGeneratorType):
            frame, inner = awaited.ag_frame, awaited.ag_await
        elif isinstance(awaited, asyncio.Task):
            frame, inner = None, awaited.get_coro()
        else:  # an object without a frame, which holds what it waits for: an `anext()`, or the way into a future
            known = (CoroutineType, GeneratorType, AsyncGeneratorType, asyncio.Task)
            frame, inner = None, next((one for one in gc.get_referents(awaited) if isinstance(one, known)), None)
        if frame is not None:
            yield frame
        awaited = inner
