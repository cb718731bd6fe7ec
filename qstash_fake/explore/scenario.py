"""`explore`: exploration without pytest. A scenario is a function that gets a new fake for each run."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterable
from typing import Any

from qstash_fake.errors import UsageError
from qstash_fake.explore import story
from qstash_fake.explore.planned import Planned, Record
from qstash_fake.explore.plans import DEFAULT, Plan, kinds_of, parse, text_of
from qstash_fake.explore.search import Found, Trial, Verdict, search
from qstash_fake.testing.fake import QStashFake, inside

_PASS_ON = (KeyboardInterrupt, SystemExit, GeneratorExit)


def explore(
    scenario: Callable[[QStashFake], Any],
    runs: int = 100,
    faults: str | Iterable[str] = DEFAULT,
    *,
    only: str | None = None,
    **options: Any,
) -> Found:
    """Run *scenario* under up to *runs* plans of *faults*, and raise what it raises under the smallest that breaks it.

    *scenario* is given a new QStashFake, made with *options* and active, for each run; a coroutine function is run
    on a new loop. The exception has notes: the plan in words, how to run it again, the timeline of that run. *only* is
    a plan out of such a note: it runs once, and there is no search. The result says what was tried.
    """
    kinds = kinds_of(faults)
    if only is not None:
        return _run_again(scenario, parse(only), kinds, options)
    if runs < 1:
        raise UsageError(f"runs={runs}: give the number of runs, the plain one included")
    errors: dict[Plan, BaseException] = {}

    def run(plan: Plan) -> Trial:
        error, record, _ = _once(scenario, plan, kinds, options)
        if error is not None:
            errors[plan] = error
        return Trial(error is not None, record.possible)

    found = search(run, runs=runs, seed=options.get("seed", 0), kinds=kinds)
    if found.verdict is Verdict.HOLDS:
        return found
    if found.verdict is Verdict.FAILS_ANYWAY:
        raise errors[()]
    if found.verdict is Verdict.DOES_NOT_REPEAT:
        raise AssertionError(story.DOES_NOT_REPEAT.format(what="the scenario", runs=found.runs)) from errors[()]
    error, record, timeline = _once(scenario, found.plan, kinds, options)
    if error is None:
        raise AssertionError(story.NOT_REPRODUCIBLE.format(what="the scenario", plan=text_of(found.plan)))
    raise _told(error, record, timeline, found)


def _run_again(
    scenario: Callable[[QStashFake], Any], plan: Plan, kinds: tuple[str, ...], options: dict[str, Any]
) -> Found:
    error, record, timeline = _once(scenario, plan, kinds, options)
    if error is not None:
        raise _told(error, record, timeline, None)
    if record.left_over:
        raise UsageError(story.does_not_fit("the scenario", record))
    found = Found(1, kinds, singles=len(record.possible))
    found.tried[len(plan)] += 1
    return found


def _once(
    scenario: Callable[[QStashFake], Any], plan: Plan, kinds: tuple[str, ...], options: dict[str, Any]
) -> tuple[BaseException | None, Record, str]:
    """Run *scenario* once under *plan*; return what it raised, the record and the timeline."""
    fake, planned, raised = QStashFake(**options), Planned(plan), None
    inside(fake).tells_timeline = False  # the notes have it
    planned.attach(fake)
    try:
        with fake:
            result = scenario(fake)
            if inspect.iscoroutine(result):
                asyncio.run(result)
    except _PASS_ON:
        raise
    except BaseException as error:  # noqa: BLE001 - pytest's own failures are no Exceptions
        raised = error
    return raised, planned.record(kinds), "" if raised is None else fake.timeline()


def _told(error: BaseException, record: Record, timeline: str, found: Found | None) -> BaseException:
    again = f'explore(scenario, only="{record}")'
    error.add_note(story.broken("the scenario", record, again, found))
    error.add_note(timeline)
    return error
