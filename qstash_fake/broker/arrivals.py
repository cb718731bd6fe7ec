"""Arrivals: numbered things in the order in which they came, some of which have gone.

Reading from any number on costs what is read, and a thing that goes costs the same wherever it stands.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Arrivals(Generic[T]):
    """Things by number; numbers only rise.

    A dict cannot be read from its middle on, and a list cannot lose its middle cheaply. Here the dict says what is
    there, and the list of numbers says where to begin. A number stays in the list when its thing goes, unless it
    stands at one of the two ends: a client that deletes page by page, from either end, must not step over all the
    gone numbers again for each page. When half of the list is gone, the list is made again. That costs one more step
    for each thing that goes.
    """

    def __init__(self) -> None:
        self._things: dict[int, T] = {}
        self._numbers: list[int] = []
        self._start = 0  # what stands before it in the list is gone

    def __len__(self) -> int:
        return len(self._things)

    def add(self, number: int, thing: T) -> None:
        """Let *thing* arrive under *number*, which is higher than all before it."""
        self._things[number] = thing
        self._numbers.append(number)

    def remove(self, number: int) -> None:
        """Let what arrived under *number* go."""
        del self._things[number]
        numbers, things = self._numbers, self._things
        while self._start < len(numbers) and numbers[self._start] not in things:
            self._start += 1
        while len(numbers) > self._start and numbers[-1] not in things:
            numbers.pop()
        if len(numbers) > 2 * len(things):
            numbers[:] = things
            self._start = 0

    def after(self, number: int | None) -> Iterator[T]:
        """Yield what came after *number*, None for everything; the oldest first."""
        start = self._start if number is None else max(self._start, bisect_right(self._numbers, number))
        for place in range(start, len(self._numbers)):
            if (one := self._numbers[place]) in self._things:
                yield self._things[one]

    def before(self, number: int | None) -> Iterator[T]:
        """Yield what came before *number*, None for everything; the newest first."""
        end = len(self._numbers) if number is None else bisect_left(self._numbers, number)
        for place in range(end - 1, self._start - 1, -1):
            if (one := self._numbers[place]) in self._things:
                yield self._things[one]
