"""A test of pytest as a scenario: it runs again and again, and is reported to the session once.

pytest's own protocol makes each run, without logging it. Before each run the item is put back to its first state: the
instance of a class, markers and properties that a run has added, captured output. Fixtures of a wider scope stay,
because each run names the test's own parent as the next item. Only the run that counts, which is the last, names the
real next item.

No plugin hears the hooks that a run calls itself, such as those of subtests and `--pdb`, before the run that counts.
The warnings of the other runs are dropped.
"""

from __future__ import annotations

import os
import shlex
import warnings
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from qstash_fake.explore import story
from qstash_fake.explore.planned import Planned, Record
from qstash_fake.explore.plans import PLAIN, Plan, parse, text_of
from qstash_fake.explore.search import Found, Trial, Verdict, search

Reports = Sequence[pytest.TestReport]
SECTION = "qstash_fake exploration"
# What the reports of a test that holds have as a property: it holds under every single fault, under every one of the
# kinds that it names, or under a part of them.
EXPLORED, OF_ITS_KINDS, IN_PART = (
    "qstash_fake_explored",
    "qstash_fake_explored_of_its_kinds",
    "qstash_fake_explored_in_part",
)
_TOLD_MEANWHILE = ("pytest_runtest_logreport", "pytest_exception_interact")


class Heard:
    """A plugin that hears the failures of subtests, which a run logs before its own reports."""

    def __init__(self) -> None:
        self.broke = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a failure."""
        self.broke = self.broke or report.failed


class Scenario:
    """One test, and its state before the first run; *key* is where its fixture finds the plan."""

    def __init__(self, item: pytest.Item, nextitem: pytest.Item | None, key: pytest.StashKey[Planned]) -> None:
        self._item = item
        self._nextitem = nextitem
        self._key = key
        self._kinds: tuple[str, ...] = ()
        self._seconds: dict[str | None, float] = defaultdict(float)
        """What all runs have taken so far, by phase."""
        self._own: list[tuple[list[Any], list[Any]]] = [
            (item.user_properties, list(item.user_properties)),
            (item.own_markers, list(item.own_markers)),
        ]

    def explore(self, runs: int, kinds: tuple[str, ...], seed: int) -> Reports:
        """Search for the smallest plan that breaks the test; return the reports of the run that counts.

        Their durations are those of all runs.
        """
        self._kinds = kinds
        first: list[tuple[Reports, Record]] = []

        def run(plan: Plan) -> Trial:
            reports, record, broke = self._run(plan, self._item.parent, counts=False)
            if not first:
                first.append((reports, record))
            skipped = plan == PLAIN and not all(report.passed for report in reports) and not _only_unexpected(reports)
            return Trial(broke or skipped, record.possible)

        with _unheard(self._item.config):
            found = search(run, runs=runs, seed=seed, kinds=kinds)
        reports, record, broke = self._run(found.plan, self._nextitem)
        self._tell(found, *first[0], reports, record, broke=broke)
        self._tell_time(reports)
        return reports

    def run_again(self, text: str, kinds: tuple[str, ...]) -> Reports:
        """Run the test once, under the plan that *text* says; a plan that does not fit fails it."""
        self._kinds = kinds
        reports, record, broke = self._run(parse(text), self._nextitem)
        if broke:
            self._explain(reports, record, None)
        elif record.left_over and all(report.passed for report in reports):
            _fail(reports, story.does_not_fit(self._item.name, record))
        return reports

    def _tell(
        self, found: Found, first: Reports, plain: Record, reports: Reports, record: Record, *, broke: bool
    ) -> None:
        """Add to *reports* what the search has found; *first* and *plain* are those of its first run."""
        name = self._item.name
        match found.verdict:
            case Verdict.BREAKS if broke:
                self._explain(reports, record, found)
            case Verdict.BREAKS:
                _fail(reports, story.NOT_REPRODUCIBLE.format(what=name, plan=text_of(found.plan)))
            case Verdict.DOES_NOT_REPEAT:
                _fail(reports, story.DOES_NOT_REPEAT.format(what=name, runs=found.runs))
            case Verdict.HOLDS if broke:
                _fail(reports, story.DOES_NOT_REPEAT.format(what=name, runs=found.runs))
            case Verdict.HOLDS:
                every = OF_ITS_KINDS if found.is_narrowed else EXPLORED
                kind = every if found.tried[1] == found.singles else IN_PART
                text = f"{found}{story.no_swap(plain, self._kinds)}"
                for report in reports:
                    report.user_properties = [*report.user_properties, (kind, text)]
            case Verdict.FAILS_ANYWAY if not broke and any(_broke(report) for report in first):
                failed = next(report for report in first if _broke(report))
                _fail(reports, f"{story.FAILED_AT_FIRST.format(what=name)}\n\n{failed.longreprtext}")

    def _tell_time(self, reports: Reports) -> None:
        """Let each of *reports* last as long as its phase in all runs; the first takes a phase that has no report."""
        for report in reports:
            report.duration = self._seconds.pop(report.when)
        reports[0].duration += sum(self._seconds.values())

    def _explain(self, reports: Reports, record: Record, found: Found | None) -> None:
        """Add to the report that failed what the plan is, and how it is run again."""
        again = f"pytest {shlex.quote(_seen_from_here(self._item))} --qstash-fake-plan={shlex.quote(str(record))}"
        text = story.broken(self._item.name, record, again, found)
        report = next((report for report in reports if _broke(report)), None)
        if report is None:  # a subtest has failed, and has told its own failure
            _fail(reports, text)
            return
        report.sections.insert(0, (SECTION, text))
        crash: Any = getattr(report.longrepr, "reprcrash", None)
        if record.plan and crash is not None:  # what the short summary shows of the failure
            crash.message = f"under {record}: {crash.message}"

    # --- one run ----------------------------------------------------------------------------------------------

    def _run(self, plan: Plan, nextitem: Any, *, counts: bool = True) -> tuple[Reports, Record, bool]:
        """Run the test once under *plan*; return its reports, what the plan has met, and whether the test broke."""
        item, planned, heard = self._item, Planned(plan, counts=counts), Heard()
        self._renew()
        item.stash[self._key] = planned
        item.config.pluginmanager.register(heard)
        try:
            reports = runtestprotocol(item, log=False, nextitem=nextitem)
        finally:
            item.config.pluginmanager.unregister(heard)
        for report in reports:
            self._seconds[report.when] += report.duration
        return reports, planned.record(self._kinds), heard.broke or any(_broke(report) for report in reports)

    def _renew(self) -> None:
        """Make the item as it was before its first run."""
        for name in ("_instance", "_obj"):  # otherwise a test of a class sees what the run before has left on `self`
            vars(self._item).pop(name, None)
        for live, before in self._own:
            live[:] = before
        self._item._report_sections.clear()
        with suppress(ImportError):  # pytest 9 counts the failures of subtests by test
            from _pytest.subtests import failed_subtests_key

            self._item.config.stash[failed_subtests_key].clear()


@contextmanager
def _unheard(config: pytest.Config) -> Iterator[None]:
    """Keep what runs log meanwhile from all plugins that are there now, and drop warnings."""
    with ExitStack() as exits:
        exits.enter_context(warnings.catch_warnings(record=True))
        for name in _TOLD_MEANWHILE:
            hooks = getattr(config.hook, name)._hookimpls  # the public way leaves out no plugin of conftests
            exits.callback(hooks.__setitem__, slice(None), list(hooks))
            hooks.clear()
        yield


def _seen_from_here(item: pytest.Item) -> str:
    """Return the id of *item* as pytest accepts it in the folder where it was started."""
    file, colons, inside = item.nodeid.partition("::")
    config = item.config
    if config.invocation_params.dir != config.rootpath:
        with suppress(ValueError):  # another drive
            file = os.path.relpath(config.rootpath / file, config.invocation_params.dir)
    return f"{file}{colons}{inside}"


def _broke(report: pytest.TestReport) -> bool:
    """Tell whether the test has failed in itself, expected or not: an expected failure is judged afterwards."""
    if hasattr(report, "wasxfail"):
        return report.skipped
    return report.failed and not _is_strict_xpass(report)


def _only_unexpected(reports: Reports) -> bool:
    """Tell whether all is well, except that a test has passed which was expected to fail."""
    return all(report.passed or _is_strict_xpass(report) for report in reports)


def _is_strict_xpass(report: pytest.TestReport) -> bool:
    return report.failed and str(report.longrepr).startswith("[XPASS(strict)]")


def _fail(reports: Reports, text: str) -> None:
    """Let the test fail with *text*; if it has failed already, add *text* as a section."""
    failed = next((report for report in reports if report.failed), None)
    if failed is not None:
        failed.sections.insert(0, (SECTION, text))
        return
    report = next((report for report in reports if report.when == "call"), reports[-1])
    report.outcome, report.longrepr = "failed", text
    vars(report).pop("wasxfail", None)
