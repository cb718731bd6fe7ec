"""The report of a failing test that has a fake. Imported when the first such test is reported.

A phase fails in one of three ways: by itself, by the guard after a stray call, and by exploration after what several
runs have shown together. Each of the three asks `show` for the sections, and a report is given them once.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from types import TracebackType

import pytest

from qstash_fake import plugin
from qstash_fake.errors import QStashFakeError, UsageError
from qstash_fake.plugin import reports, routes
from qstash_fake.plugin.fakes import NOT_PASSED, has_begun
from qstash_fake.testing.fake import QStashFake

TIMELINE = "qstash_fake timeline"
OWN = "qstash_fake"
LOOPS = ("asyncio", "trio")  # uvloop's frames are not Python's


def before_report(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """Keep our own frames out of the traceback of a phase that has raised, unless the user wants to see all frames."""
    # The option belongs to pytest's terminal, and `-p no:terminal` takes both away.
    if (
        call.excinfo is not None
        and not _is_too_early(item, call.when)
        and not item.config.getoption("fulltrace", False)
    ):
        call.excinfo = _without_own_frames(call.excinfo)


def after_report(item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport) -> None:
    """Add what there is to know to the *report* of a phase that has raised or failed."""
    show(item, report)
    if call.when != "call" or call.excinfo is None:
        return
    item.stash[NOT_PASSED] = True
    own: QStashFake | None = item.stash.get(plugin.FAKE, None)
    if own and not call.excinfo.errisinstance(pytest.skip.Exception):
        # The test has failed already: the problems of its end are added here, and are no second error.
        try:
            own.verify()
        except UsageError as error:
            report.sections.append(("qstash_fake", str(error)))


def show(item: pytest.Item, report: pytest.TestReport) -> None:
    """Add timeline, unused routes and the path of the HTML file to *report* if it has failed and has none yet."""
    planned = item.stash.get(plugin.PLANNED, None)
    is_step = planned is not None and not planned.counts  # of a search: shown to nobody
    is_shown = any(title == TIMELINE for title, _ in report.sections)
    if not report.failed or is_step or is_shown or _is_too_early(item, report.when):
        return
    fake: QStashFake = plugin.fake_of(item)
    report.sections.append((TIMELINE, _timeline(fake)))
    if sentence := routes.unused(fake):
        report.sections.append(("qstash_fake routes", sentence))
    if (folder := item.config.getoption("qstash_fake_report", None)) is not None:
        report.sections.append(("qstash_fake report", reports.write(item, report, fake, folder)))


def _is_too_early(item: pytest.Item, when: str | None) -> bool:
    """Tell whether *when* is the set-up, and nothing has happened with a fake so far."""
    return when == "setup" and not has_begun(item)


def _timeline(fake: QStashFake) -> str:
    try:
        return fake.timeline()
    except Exception as error:  # noqa: BLE001 - raised here, it would end the whole run
        return f"cannot be shown: {error!r}"


def _without_own_frames(excinfo: pytest.ExceptionInfo[BaseException]) -> pytest.ExceptionInfo[BaseException]:
    """Return *excinfo* without the frames of this package, unless it ends in them by a mistake of our own."""
    everything = list(_frames(excinfo.tb))
    theirs = list(_not_own(everything))
    on_purpose = isinstance(excinfo.value, (QStashFakeError, AssertionError, TypeError, ValueError))
    if not theirs or not (on_purpose or everything[-1] is theirs[-1]):
        return excinfo
    shown = None
    for frame in reversed(theirs):
        shown = TracebackType(shown, frame.tb_frame, frame.tb_lasti, frame.tb_lineno)
    assert shown is not None
    return pytest.ExceptionInfo.from_exc_info((excinfo.type, excinfo.value, shown))


def _frames(tb: TracebackType | None) -> Iterator[TracebackType]:
    while tb is not None:
        yield tb
        tb = tb.tb_next


def _not_own(frames: list[TracebackType]) -> Iterator[TracebackType]:
    """Yield the *frames* that are neither ours nor of a loop that runs between ours: a verb delivers on one."""
    blocks = [(package, list(block)) for package, block in itertools.groupby(frames, _package)]
    packages = [None, *(package for package, _ in blocks), None]
    for number, (package, block) in enumerate(blocks):
        is_between = packages[number] == packages[number + 2] == OWN
        if package != OWN and not (package in LOOPS and is_between):
            yield from block


def _package(frame: TracebackType) -> str:
    return str(frame.tb_frame.f_globals.get("__name__")).partition(".")[0]
