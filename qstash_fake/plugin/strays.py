"""The guard in a pytest run: what fails after a stray call.

A call that is stopped raises, and is recorded too, because the exception may end in a thread, a background task, a
500 or an expected failure. A test during which a call was recorded fails, and the collection of a file likewise.
Outside of both the run fails. While conftest files are imported, it does not begin.
"""

from __future__ import annotations

import sys
from collections.abc import Generator
from typing import Any

import pytest

from qstash_fake.intercept.guard import OUTSIDE, Guard, StrayCall
from qstash_fake.plugin import hooks_in
from qstash_fake.plugin.options import fake_of, of_ini, of_marker, word_of

NAME = "qstash_fake_strays"
_OF_A_WORKER = "qstash_fake_strays"  # in what a worker of pytest-xdist tells its controller


class Strays:
    """The guard of one run, and the hooks that fail tests, files and the run."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._guard = Guard()
        self._guard.is_allowed = self._allowed_by_ini
        self._guard.is_faked = _a_fake_is_active
        self._guard.what = "what pytest loads before the tests"
        self._outside: list[str] = []
        self._guard.start()
        config.add_cleanup(self._guard.stop)

    # --- before there is a test -----------------------------------------------------------------------------------

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_load_initial_conftests(self) -> Generator[None, None, None]:
        """Do not begin a run in which a conftest calls QStash."""
        self._guard.what = "a conftest"
        try:
            yield
        except BaseException as error:
            if strays := self._guard.take():
                raise pytest.UsageError("\n".join(strays)) from error
            raise
        if strays := self._guard.take():
            raise pytest.UsageError("\n".join(strays))
        self._guard.what = OUTSIDE

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Fail the collection of a file that calls QStash when it is imported."""
        self._outside += self._guard.take()
        before, self._guard.what = self._guard.what, f"the collection of {collector.nodeid or 'the tests'}"
        try:
            report = yield
        finally:
            self._guard.what = before
        if strays := self._guard.take():
            report.outcome = "failed"
            report.longrepr = "\n".join(strays)
        return report

    # --- tests ----------------------------------------------------------------------------------------------------

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Let out the calls that the marker of a test allows, while the test lasts."""
        self._outside += self._guard.take()
        guard, before = self._guard, (self._guard.what, self._guard.is_allowed)
        guard.what = item.nodeid
        guard.is_allowed = lambda: self._allowed_by(item)
        try:
            return (yield)
        finally:
            guard.what, guard.is_allowed = before

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Fail a test that called QStash, wherever the exception has ended."""
        report = yield
        strays = self._guard.take()
        if not strays or (report.failed and call.excinfo is not None and call.excinfo.errisinstance(StrayCall)):
            return report
        if report.failed:
            report.sections.append(("qstash_fake", "\n".join(strays)))
        else:
            report.outcome = "failed"
            report.longrepr = "\n".join(strays)
            vars(report).pop("wasxfail", None)  # an expected failure is none of these
            if fake_of(item) is not None:
                from qstash_fake.plugin import failures

                failures.show(item, report)
        return report

    # --- outside of any test --------------------------------------------------------------------------------------

    @pytest.hookimpl(wrapper=True, trylast=True)  # before the summary, and before a worker says good-bye
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, None, None]:
        """Fail the run for calls outside of tests."""
        yield
        self._outside += self._guard.take()
        worker = getattr(self._config, "workeroutput", None)  # what pytest-xdist gives its workers
        if worker is not None:
            worker[_OF_A_WORKER] = self._outside
        elif self._outside and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take what a worker of pytest-xdist has found; one that crashed says nothing."""
        self._outside += getattr(node, "workeroutput", {}).get(_OF_A_WORKER, [])

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say what failed the run."""
        if self._outside:
            terminalreporter.section("qstash_fake", red=True, bold=True)
            for stray in self._outside:
                terminalreporter.line(stray)

    def __dir__(self) -> list[str]:
        return hooks_in(vars(Strays))

    # --- options --------------------------------------------------------------------------------------------------

    def _allowed_by_ini(self) -> bool:
        return _is_allowed(of_ini(self._config))

    def _allowed_by(self, item: pytest.Item) -> bool:
        return _is_allowed(of_ini(self._config) | of_marker(item))


def _is_allowed(options: dict[str, Any]) -> bool:
    return word_of("stray", options) == "allow"


def _a_fake_is_active() -> bool:
    libraries = sys.modules.get("qstash_fake.intercept.libraries")  # loaded by the first fake
    return libraries is not None and libraries.is_active()
