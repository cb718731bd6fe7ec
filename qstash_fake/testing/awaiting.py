"""Async verbs that nobody awaits: Python runs nothing of them, and the test would pass for the wrong reason.

A call of an async verb makes a coroutine. It is kept here until it begins to run; one that never does is reported.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Concatenate, NamedTuple, ParamSpec, Protocol, TypeVar

from qstash_fake.delivery.loops import loop_is_running
from qstash_fake.testing.running import INSIDE


def spelled(verb: str) -> str:
    """Return *verb* as a test calls it, such as `qstash_fake.clock.advance_async`."""
    return f"qstash_fake.{'clock.' if verb.startswith('advance') else ''}{verb}"


def name_here(verb: str) -> str:
    """Return the name of *verb* that works for the test: on an event loop of its own, the async one."""
    return f"{verb}_async" if _names_async() else verb


def call_here(verb: str, argument: str = "") -> str:
    """Return the call of *verb* that works for the test."""
    return f"{'await ' if _names_async() else ''}{spelled(name_here(verb))}({argument})"


def _names_async() -> bool:
    """Tell of which kind the verbs of the test are: a sync verb may deliver on a loop, yet its test has none."""
    inside = INSIDE.get()
    return inside[-1].is_async if inside else loop_is_running()


class _Call(NamedTuple):
    verb: str
    place: str
    coroutine: Coroutine[Any, Any, Any]

    @property
    def has_begun(self) -> bool:
        return inspect.getcoroutinestate(self.coroutine) != inspect.CORO_CREATED


class Calls:
    """The calls of async verbs of one fake that have not begun to run."""

    def __init__(self) -> None:
        self._made: list[_Call] = []

    def note(self, verb: str, place: str, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Keep a call until it runs."""
        self._made = [*(one for one in self._made if not one.has_begun), _Call(verb, place, coroutine)]

    def forgotten(self) -> list[str]:
        """Return a sentence on each call that has done nothing."""
        return [
            f"{one.verb}() was called without await at {one.place}, and did nothing: "
            f"write `await {spelled(one.verb)}(…)`"
            for one in self._made
            if not one.has_begun
        ]

    def drop(self) -> None:
        """Forget the calls that have done nothing; from now on they cannot run."""
        made, self._made = self._made, []
        for one in made:
            if not one.has_begun:
                one.coroutine.close()


class _Verbs(Protocol):
    @property
    def calls(self) -> Calls: ...


class _Owner(Protocol):
    @property
    def _verbs(self) -> _Verbs: ...


O = TypeVar("O", bound=_Owner)  # noqa: E741 - of whom the verb is
P = ParamSpec("P")
R = TypeVar("R")


def awaited(
    verb: Callable[Concatenate[O, P], Coroutine[Any, Any, R]],
) -> Callable[Concatenate[O, P], Coroutine[Any, Any, R]]:
    """Note each call of *verb*, a coroutine function of an object that has verbs."""

    @functools.wraps(verb)
    def call(owner: O, /, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:
        coroutine = verb(owner, *args, **kwargs)
        caller = sys._getframe(1)
        place = f"{Path(caller.f_code.co_filename).name}:{caller.f_lineno}"
        owner._verbs.calls.note(verb.__name__, place, coroutine)
        return coroutine

    if sys.version_info >= (3, 12):
        inspect.markcoroutinefunction(call)
    return call
