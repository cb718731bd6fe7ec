"""The hooks of exploration: which tests are run under plans of faults, and the summary of what was tried.

Each test of a run passes here; what it takes to explore one, `explore.item`, is imported when the first asks for it.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from qstash_fake.errors import UsageError
from qstash_fake.plugin.options import MARKER, explained, of_ini, of_marker

if TYPE_CHECKING:
    from qstash_fake.explore.planned import Planned
    from qstash_fake.testing.fake import QStashFake

NAME = "qstash_fake_exploring"
RUNS, PLAN = "--qstash-fake-explore", "--qstash-fake-plan"
_PLANNED: pytest.StashKey[Planned] = pytest.StashKey()


def add_options(parser: pytest.Parser) -> None:
    """Declare what the command line takes."""
    group = parser.getgroup("qstash_fake")
    group.addoption(
        RUNS, type=int, metavar="N", help="run each test that has explore= under up to N plans of faults; 0: none"
    )
    group.addoption(PLAN, metavar="TEXT", help="run each test that uses qstash_fake once, under this plan of faults")


def check_command_line(config: pytest.Config) -> None:
    """Refuse to begin with a plan that cannot be read, or with a number of runs that cannot be."""
    if (runs := config.getoption(RUNS)) is not None and runs < 0:
        raise pytest.UsageError(f"{RUNS}={runs}: give the number of runs, or 0 for none")
    if (text := config.getoption(PLAN)) is not None:
        from qstash_fake.explore.plans import parse

        try:
            parse(text)
        except UsageError as error:
            raise pytest.UsageError(f"{PLAN}: {error}") from None


def attach(item: pytest.Item | pytest.Collector, fake: QStashFake) -> None:
    """Let the plan that *item* is run under bend the deliveries of *fake*, if there is one."""
    planned = item.stash.get(_PLANNED, None)
    if planned is not None:
        planned.attach(fake)


def check(options: dict[str, Any]) -> None:
    """Fail for options of an exploration that cannot be."""
    with explained(UsageError, TypeError, ValueError, where=f"@pytest.mark.{MARKER}: "):
        asked_runs(options)


def asked_runs(options: dict[str, Any]) -> int:
    """Return how many runs *options* ask for, 0 for no exploration; raise for what cannot be."""
    runs = options.get("explore", 0)
    if isinstance(runs, bool) or not isinstance(runs, int) or runs < 0:
        raise ValueError(f"explore={runs!r}: give the number of runs, such as 100, or 0 for none")
    if "faults" in options:
        from qstash_fake.explore.plans import kinds_of

        kinds_of(options["faults"])
    return runs


class Exploring:
    """The hooks of exploration, in one run of pytest."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._told: dict[str, list[str]] = {}
        """What tests that hold have told, by the name of the property."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        """Run *item* under plans, if that is asked for."""
        if "qstash_fake" not in getattr(item, "fixturenames", ()):
            return None
        text, options = self._config.getoption(PLAN), self._options(item)
        runs = 0 if options is None else self._runs(options)
        if options is None or (text is None and runs == 0):
            return None
        from qstash_fake.explore.item import Scenario
        from qstash_fake.explore.plans import DEFAULT, kinds_of

        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        scenario, kinds = Scenario(item, nextitem, _PLANNED), kinds_of(options.get("faults", DEFAULT))
        try:
            if text is None:
                reports = scenario.explore(runs, kinds, options.get("seed", 0))
            else:
                reports = scenario.run_again(text, kinds)
        finally:
            with suppress(KeyError):
                del item.stash[_PLANNED]
        for report in reports:
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note what was tried, for the summary; a failure has it in its own report."""
        for name, text in report.user_properties:
            if str(name).startswith("qstash_fake_explored"):
                self._told.setdefault(name, []).append(f"{report.nodeid}: {text}")

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say what was explored and holds; with -v of each test, without it of those that may need more runs."""
        if not self._told:
            return
        from qstash_fake.explore.item import EXPLORED, IN_PART, SECTION

        whole, in_part = self._told.get(EXPLORED, []), self._told.get(IN_PART, [])
        terminalreporter.section(SECTION)
        if whole:
            terminalreporter.line(f"{_tests(len(whole))} under every single fault, and under what else was tried")
            for line in whole if terminalreporter.verbosity > 0 else ():
                terminalreporter.line(f"  {line}")
        if in_part:
            terminalreporter.line(f"{_tests(len(in_part))} under what was tried; more runs try more ({RUNS}=N)")
            for line in in_part:
                terminalreporter.line(f"  {line}")

    def _options(self, item: pytest.Item) -> dict[str, Any] | None:
        """Return the options of *item* where they may ask for exploration; None if they do not, or are wrong.

        What is wrong with them is told by the set-up of the fixture.
        """
        asked = self._config.getoption(PLAN) is not None or self._config.getini(f"{MARKER}_explore")
        if not asked and not any("explore" in marker.kwargs for marker in item.iter_markers(MARKER)):
            return None
        with suppress(UsageError, TypeError, ValueError, pytest.fail.Exception):
            options = of_ini(self._config) | of_marker(item)
            asked_runs(options)
            return options
        return None

    def _runs(self, options: dict[str, Any]) -> int:
        """Return in how many runs to explore; what the command line says counts for tests that are explored at all."""
        asked, given = asked_runs(options), self._config.getoption(RUNS)
        return given if asked and given is not None else asked


def _tests(count: int) -> str:
    return f"{count} test{'s hold' if count != 1 else ' holds'}"
