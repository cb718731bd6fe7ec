"""The option `--qstash-fake-report`: an HTML file for each failing test, and an index of them.

Each process of a run writes the files of its own tests. Their names come from the ids of the tests, hence all of them
differ. The process that leads the run removes the files of the run before, and writes the index of the files it finds.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from qstash_fake.plugin import PLANNED, REPORT

if TYPE_CHECKING:
    from qstash_fake.testing.fake import QStashFake
    from qstash_fake.testing.saving import Failure

_WRITTEN = pytest.StashKey[tuple["QStashFake", list["Failure"]]]()
"""The failures of a test in its run with this fake: its own, and that of its tear-down."""
INDEX = "index.html"
NAME = "qstash_fake reports"
MAX_NAME = 80  # characters of a file's name before its hash; file systems end at 255 bytes


def configure(config: pytest.Config, given: str) -> None:
    """Begin a run whose reports go to the folder that is *given*: each process knows it, and the first empties it."""
    folder = (config.invocation_params.dir / given).resolve()
    config.option.qstash_fake_report = str(folder)  # pytest-xdist hands the options on to its workers
    if hasattr(config, "workerinput"):
        return
    _check(folder, given)
    config.pluginmanager.register(_Index(folder), NAME)


def write(item: pytest.Item, report: pytest.TestReport, fake: QStashFake, folder: str) -> str:
    """Write the report of a test that has failed as *report* says into *folder*; return what to tell of it."""
    from qstash_fake.testing.fake import inside
    from qstash_fake.testing.saving import save_report

    if (before := item.stash.get(_WRITTEN, None)) is None or before[0] is not fake:
        before = item.stash[_WRITTEN] = fake, []
    try:
        before[1].append(_failure(item, report))
        path = save_report(inside(fake), Path(folder) / _name_of(item.nodeid), item.nodeid, _joined(before[1]))
    except Exception as error:  # noqa: BLE001 - raised here, it would end the whole run
        return f"cannot be written: {error!r}"
    here = item.config.invocation_params.dir.resolve()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


class _Index:
    """Removes the reports of the run before, and writes the index of this one's."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._problem = ""

    def pytest_sessionstart(self) -> None:
        from qstash_fake.page.report import is_ours

        try:
            if (index := self._folder / INDEX).exists() and not is_ours(index):
                raise pytest.UsageError(f"{REPORT} would write over {index}, which is not its own: name another folder")
            for path in self._folder.glob("*.html"):
                if is_ours(path):
                    path.unlink(missing_ok=True)
        except OSError as error:
            raise pytest.UsageError(f"{REPORT} cannot use the folder {self._folder}: {error}") from None

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        from qstash_fake.page import report

        try:
            if saved := report.saved_in(self._folder):
                (self._folder / INDEX).write_text(report.index(saved), encoding="utf-8")
        except OSError as error:  # raised here, it would hide what the run has told
            self._problem = f"qstash_fake reports: no index of them can be written: {error}"

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._problem:
            terminalreporter.write_line(self._problem)
        elif (index := self._folder / INDEX).is_file():
            terminalreporter.write_line(f"qstash_fake reports: {index}")


def _check(folder: Path, given: str) -> None:
    """Refuse a folder that was meant as the path of tests: an option with a value takes the word behind it."""
    has_tests = folder.is_dir() and any(folder.glob("*.py"))
    if "::" in given or folder.is_file() or has_tests:
        raise pytest.UsageError(
            f"{REPORT} takes {given!r} for the folder of its reports: write {REPORT}=DIR, or put it behind the tests"
        )


def _failure(item: pytest.Item, report: pytest.TestReport) -> Failure:
    """Return why a test has failed, as pytest tells it, and under which plan of faults."""
    from qstash_fake.testing.saving import Failure

    crash = getattr(report.longrepr, "reprcrash", None)
    text = report.longreprtext
    summary = next(iter((crash.message if crash is not None else text).splitlines()), "")
    if report.when != "call":
        summary = f"{report.when}: {summary}"
    planned = item.stash.get(PLANNED, None)
    if planned is not None and planned.plan:
        from qstash_fake.explore import story

        record = planned.record()
        summary, text = f"under {record}: {summary}", f"{story.under(record)}\n\n{text}"
    return Failure(summary, text)


def _joined(failures: list[Failure]) -> Failure:
    first, *_ = failures
    return first._replace(text="\n\n".join(one.text for one in failures))


def _name_of(nodeid: str) -> str:
    readable = re.sub(r"[^\w.-]+", "-", nodeid)[-MAX_NAME:].strip("-")
    return f"{readable}-{hashlib.sha256(nodeid.encode()).hexdigest()[:8]}.html"
