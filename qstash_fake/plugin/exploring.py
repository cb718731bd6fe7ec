"""Exploration of tests: which of them are run under plans of faults, and the summary of what was tried.

Imported when the first test asks for exploration; before that, `plugin` and `pytest_plugin` are enough.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import pluggy
import pytest

from qstash_fake.errors import UsageError
from qstash_fake.plugin import PLAN, PLANNED, RUNS, fake_of, forget_fake
from qstash_fake.plugin.given import of_test
from qstash_fake.plugin.order import assigns


def run(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Run *item* under plans, and report one run to the session; None if *item* is not to be explored."""
    from qstash_fake.explore.plans import DEFAULT, kinds_of

    if (asked := _asked(item)) is None:
        return None
    options, runs = asked
    text = item.config.getoption(PLAN)
    if text is None and runs == 0:
        return None
    from qstash_fake.explore.item import Scenario  # needs names of pytest that `_asked` has looked for

    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    scenario, kinds = Scenario(item, nextitem, PLANNED), kinds_of(options.get("faults", DEFAULT))
    try:
        if text is None:
            reports = scenario.explore(runs, kinds, options.get("seed", 0))
        else:
            reports = scenario.run_again(text, kinds)
        if fake_of(item) is not None:
            from qstash_fake.plugin import failures

            for report in reports:  # one that has passed may fail by what the search says of it
                failures.show(item, report)
    finally:
        with suppress(KeyError):
            del item.stash[PLANNED]
        forget_fake(item)
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def summarize(terminalreporter: Any, reports: Iterable[pytest.TestReport]) -> None:
    """Say what was explored and holds: with -v each test, without it only tests that may need more runs."""
    from qstash_fake.explore.item import EXPLORED, IN_PART, OF_ITS_KINDS, SECTION

    told: dict[str, list[str]] = {EXPLORED: [], OF_ITS_KINDS: [], IN_PART: []}
    for report in reports:
        for name, text in report.user_properties:
            if name in told:
                told[name].append(f"  {report.nodeid}: {text}")
    if not any(told.values()):
        return
    terminalreporter.section(SECTION)
    for kind, which in ((EXPLORED, ""), (OF_ITS_KINDS, " of the kinds that faults= names")):
        if whole := told[kind]:
            terminalreporter.line(
                f"{_tests(len(whole))} under every single fault{which}, and under what else was tried"
            )
            for line in whole if terminalreporter.verbosity > 0 else ():
                terminalreporter.line(line)
    if in_part := told[IN_PART]:
        terminalreporter.line(f"{_tests(len(in_part))} under what was tried; more runs try more ({RUNS}=N)")
        for line in in_part:
            terminalreporter.line(line)


def check_plan(text: str) -> None:
    """Raise pytest.UsageError for a plan of the command line that cannot be read."""
    from qstash_fake.explore.plans import parse

    try:
        parse(text)
    except UsageError as error:
        raise pytest.UsageError(f"{PLAN}: {error}") from None


def asked_runs(options: dict[str, Any]) -> int:
    """Return how many runs *options* ask for, 0 for no exploration; raise for options that cannot be."""
    from qstash_fake.explore.plans import kinds_of

    runs = options.get("explore", 0)
    if isinstance(runs, bool) or not isinstance(runs, int) or runs < 0:
        raise ValueError(f"explore={runs!r}: give the number of runs, such as 100, or 0 for none")
    if "faults" in options:
        kinds_of(options["faults"])
    if runs and (missing := missing_names()):
        raise UsageError(
            f"this pytest has no {' and no '.join(missing)}, which exploration needs: use another version of pytest "
            "and pluggy, or explore=0"
        )
    return runs


def missing_names() -> list[str]:
    """Return the private names of pytest and pluggy that exploration needs and that are not there."""
    from _pytest import runner

    found = {
        # A list that the hook itself calls: a property would give a copy, and nothing would be silent.
        "HookCaller._hookimpls": inspect.ismemberdescriptor(getattr(pluggy.HookCaller, "_hookimpls", None)),
        "runtestprotocol": hasattr(runner, "runtestprotocol"),
        "Item._report_sections": assigns(pytest.Item, "__init__", "_report_sections"),
    }
    return [name for name, is_there in found.items() if not is_there]


def _asked(item: pytest.Item) -> tuple[dict[str, Any], int] | None:
    """Return the options of *item* and in how many runs to explore it; None if they are wrong.

    The command line counts for tests that are explored anyway. The set-up of the fixture says what is wrong.
    """
    with suppress(UsageError, TypeError, ValueError, pytest.fail.Exception):
        options = of_test(item)
        asked, ordered = asked_runs(options), item.config.getoption(RUNS)
        return options, ordered if asked and ordered is not None else asked
    return None


def _tests(count: int) -> str:
    return f"{count} test{'s hold' if count != 1 else ' holds'}"
