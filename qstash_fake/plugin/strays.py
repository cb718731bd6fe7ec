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
from qstash_fake.plugin import fake_of

OF_A_WORKER = "qstash_fake_strays"  # in what a worker of pytest-xdist tells its controller


class Strays:
    """The guard of one run, and what fails tests, files and the run."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._guard = Guard()
        self._guard.is_allowed = self._allowed_by_ini
        self._guard.is_faked = _a_fake_is_active
        self._guard.what = "what pytest loads before the tests"
        self.outside: list[str] = []
        """A sentence for each stray call of no test and no file."""
        self._guard.start()
        config.add_cleanup(self._guard.stop)

    def of_conftests(self) -> Generator[None, None, None]:
        """Do not begin a run in which a conftest calls QStash; they are loaded at the `yield`."""
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

    def of_collection(self, collector: pytest.Collector) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Fail the collection of a file that calls QStash when it is imported, at the `yield`."""
        self.outside += self._guard.take()
        before, self._guard.what = self._guard.what, f"the collection of {collector.nodeid or 'the tests'}"
        try:
            report = yield
        finally:
            self._guard.what = before
        if strays := self._guard.take():
            fail(report, "\n".join(strays))
        return report

    def begin(self, item: pytest.Item) -> None:
        """Let out the calls that the marker of a test allows, until `end`."""
        self.outside += self._guard.take()
        self._guard.what = item.nodeid
        self._guard.is_allowed = lambda: self._allowed_by(item)

    def end(self) -> None:
        """Note that no test runs."""
        self._guard.what, self._guard.is_allowed = OUTSIDE, self._allowed_by_ini

    def judge(self, item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport) -> None:
        """Fail the *report* of a test that called QStash, wherever the exception has ended."""
        strays = self._guard.take()
        if not strays or (report.failed and call.excinfo is not None and call.excinfo.errisinstance(StrayCall)):
            return
        if report.failed:
            report.sections.append(("qstash_fake", "\n".join(strays)))
        else:
            fail(report, "\n".join(strays))
            vars(report).pop("wasxfail", None)  # an expected failure is none of these
            if fake_of(item) is not None:
                from qstash_fake.plugin import failures

                failures.show(item, report)

    def of_the_end(self, session: pytest.Session) -> Generator[None, None, None]:
        """Fail the run for calls outside of tests; others end it at the `yield`."""
        self.end()
        yield
        self.outside += self._guard.take()
        worker = getattr(self._config, "workeroutput", None)  # what pytest-xdist gives its workers
        if worker is not None:
            worker[OF_A_WORKER] = self.outside
        elif self.outside and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def tell(self, terminalreporter: Any) -> None:
        """Say what failed the run."""
        if self.outside:
            terminalreporter.section("qstash_fake", red=True, bold=True)
            for stray in self.outside:
                terminalreporter.line(stray)

    def _allowed_by_ini(self) -> bool:
        from qstash_fake.plugin import given

        return given.allows_strays(given.of_ini(self._config))

    def _allowed_by(self, item: pytest.Item) -> bool:
        from qstash_fake.plugin import given

        return given.allows_strays(given.of_test(item))


def fail(report: pytest.TestReport | pytest.CollectReport, text: str) -> None:
    """Let *report* be of a failure that *text* tells of."""
    report.outcome = "failed"
    report.longrepr = text


def _a_fake_is_active() -> bool:
    libraries = sys.modules.get("qstash_fake.intercept.libraries")  # loaded by the first fake
    return libraries is not None and libraries.is_active()
