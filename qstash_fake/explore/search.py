"""The search for the smallest plan that breaks a scenario. Knows no fake and no pytest: a run is a function.

The order: the plain run; every plan of one fault; then plans of two, of three and more, in an order that comes from the
seed. A plan of n + 1 faults is one of n faults that was tried and one more fault that was possible in *its* run: after
a lost answer there is a second attempt, which the plain run does not have. Equal seeds give equal searches.

A plan that breaks the scenario is not blamed at once. State may outlive a run: hence the plain run is repeated first,
and if it fails now, no plan is named. Then the plan is shrunk: faults are left out as long as the rest still breaks
it.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from qstash_fake.explore.plans import DEFAULT, PLAIN, Fault, Plan

CANDIDATES = 20  # drawn for each run that is left: several draws may name the same plan


@dataclass(frozen=True, slots=True)
class Trial:
    """The result of one run: whether it broke, and which single faults were possible beside its plan."""

    broke: bool
    possible: Sequence[Fault] = ()


Run = Callable[[Plan], Trial]


class Verdict(Enum):
    """What a search has found."""

    HOLDS = auto()
    """No plan that was tried breaks the scenario."""
    FAILS_ANYWAY = auto()
    """The plain run breaks, hence nothing was explored."""
    BREAKS = auto()
    """A plan breaks it."""
    DOES_NOT_REPEAT = auto()
    """The plain run held at first and broke when it was repeated."""


@dataclass(slots=True)
class Found:
    """The result of a search: the *verdict*, the smallest *plan* for BREAKS, and what was covered."""

    limit: int
    kinds: tuple[str, ...] = DEFAULT
    """The kinds of faults that were looked for."""
    verdict: Verdict = Verdict.HOLDS
    plan: Plan = PLAIN
    singles: int = 0
    """How many single faults there are."""
    tried: Counter[int] = field(default_factory=Counter)
    """Number of faults → how many plans with so many faults were tried; the plain run has none."""
    afterwards: int = 0
    """How many runs it took to confirm and to shrink."""
    exhausted: bool = False
    """Whether there was no other plan to try."""

    @property
    def runs(self) -> int:
        """How many runs the search took, without those that confirm and shrink."""
        return self.tried.total()

    @property
    def is_narrowed(self) -> bool:
        """Whether kinds were left out that are tried by default."""
        return not set(DEFAULT) <= set(self.kinds)

    def __str__(self) -> str:
        """Return what was covered, in words."""
        if not self.tried[0]:  # nothing was searched: a plan was asked for
            (size,) = self.tried
            return f"1 run, under a plan of {size} fault{'s' * (size != 1)}"
        parts = ["the plain run"]
        of = f" of {', '.join(self.kinds)}" if self.is_narrowed else ""
        if self.singles:
            every = "the one single fault" if self.singles == 1 else f"all {self.singles} single faults"
            some = f"{self.tried[1]} of {self.singles} single fault{'s' * (self.singles != 1)}"
            parts.append(f"{every if self.tried[1] == self.singles else some}{of}")
        else:
            parts.append(f"and no fault{of} is possible")
        parts += [
            f"{count} plan{'s' * (count != 1)} of {size} faults"
            for size, count in sorted(self.tried.items())
            if size > 1
        ]
        all_of_them = ", all that there are" if self.exhausted else ""
        words = f"{self.runs} of at most {self.limit} runs{all_of_them}: {', '.join(parts)}"
        return words + (f"; {self.afterwards} more to confirm and to shrink" if self.afterwards else "")


def search(run: Run, *, runs: int, seed: int = 0, kinds: tuple[str, ...] = DEFAULT) -> Found:
    """Search in at most *runs* runs for a plan that breaks *run*; to confirm and to shrink it takes a few more.

    *kinds* are the kinds of the faults that *run* calls possible, for the words of the result.
    """
    found = Found(runs, kinds)
    first = run(PLAIN)
    found.tried[0] += 1
    if first.broke:
        found.verdict = Verdict.FAILS_ANYWAY
        return found
    found.singles = len(first.possible)
    held: dict[frozenset[Fault], tuple[Plan, Trial]] = {frozenset(): (PLAIN, first)}
    for plan in _plans(held, random.Random(seed), runs):
        if found.runs >= runs:
            return found
        trial = run(plan)
        found.tried[len(plan)] += 1
        if trial.broke:
            _blame(plan, run, held.keys(), found)
            return found
        held[frozenset(plan)] = plan, trial
    found.exhausted = True
    return found


def _plans(held: dict[frozenset[Fault], tuple[Plan, Trial]], chance: random.Random, runs: int) -> Iterator[Plan]:
    """Yield the plans to be tried; *held* grows meanwhile by the plans that were tried and did not break."""
    _, first = held[frozenset()]
    for fault in first.possible:
        yield (fault,)
    size = 1
    while parents := [(plan, trial) for plan, trial in held.values() if len(plan) == size and trial.possible]:
        for plan in _extended(parents, chance, runs):
            if frozenset(plan) not in held:
                yield plan
        size += 1


def _extended(parents: Sequence[tuple[Plan, Trial]], chance: random.Random, runs: int) -> Iterator[Plan]:
    """Yield the plans of *parents*, each with one fault more, in any order: all of them, or far more than *runs*."""
    ends, total = [], 0
    for _, trial in parents:
        total += len(trial.possible)
        ends.append(total)
    for index in chance.sample(range(total), min(total, CANDIDATES * runs)):
        at = bisect_right(ends, index)
        plan, trial = parents[at]
        yield (*plan, trial.possible[index - ends[at]])  # counted from the end of its parent, backwards


def _blame(plan: Plan, run: Run, held: Iterable[frozenset[Fault]], found: Found) -> None:
    """Confirm that it is *plan* that breaks *run*, and shrink it."""
    found.afterwards += 1
    if run(PLAIN).broke:
        found.verdict = Verdict.DOES_NOT_REPEAT
        return
    found.verdict, found.plan = Verdict.BREAKS, _shrunk(plan, run, set(held), found)


def _shrunk(plan: Plan, run: Run, held: set[frozenset[Fault]], found: Found) -> Plan:
    for left_out in plan:
        smaller = tuple(fault for fault in plan if fault != left_out)
        if frozenset(smaller) in held:
            continue
        found.afterwards += 1
        if run(smaller).broke:
            return _shrunk(smaller, run, held, found)
        held.add(frozenset(smaller))
    return plan
