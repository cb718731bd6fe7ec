"""The report of a failing test that has a fake. Imported when the first of them is reported."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from types import TracebackType

import pytest

from qstash_fake.errors import QStashFakeError, UsageError
from qstash_fake.plugin import options, reports, routes
from qstash_fake.plugin.fakes import NOT_PASSED, has_begun
from qstash_fake.testing.fake import QStashFake


def report(
    item: pytest.Item, call: pytest.CallInfo[None], shared: QStashFake | None
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep our own frames out of the traceback, and add what there is to know to the report that is yielded for.

    *shared* is the fake of wider fixtures, for a test that has none of its own.
    """
    own: QStashFake | None = item.stash.get(options.FAKE, None)
    fake = own or shared
    if fake is None or (call.when == "setup" and not has_begun(item)):
        return (yield)
    if call.excinfo is not None and not item.config.getoption("fulltrace"):
        call.excinfo = _without_own_frames(call.excinfo)
    report = yield
    if call.when == "call" and call.excinfo is not None:
        item.stash[NOT_PASSED] = True
    planned = item.stash.get(options.PLANNED, None)
    if report.failed and (planned is None or planned.counts):  # a step of a search is shown to nobody
        report.sections.append(("qstash_fake timeline", _timeline(fake)))
        if sentence := routes.unused(fake):
            report.sections.append(("qstash_fake routes", sentence))
        if (folder := item.config.getoption("qstash_fake_report", None)) is not None:
            report.sections.append(("qstash_fake report", reports.write(item, report, fake, folder)))
    # Only now: what a unittest.TestCase has raised, pytest puts into the call while it makes the report.
    if own and call.when == "call" and call.excinfo and not call.excinfo.errisinstance(pytest.skip.Exception):
        # The test has failed; what would fail it at its end is told here, not as a second error.
        try:
            own.verify()
        except UsageError as error:
            report.sections.append(("qstash_fake", str(error)))
    return report


def _timeline(fake: QStashFake) -> str:
    try:
        return fake.timeline()
    except Exception as error:  # noqa: BLE001 - raised here, it would end the whole run
        return f"cannot be shown: {error!r}"


def _without_own_frames(excinfo: pytest.ExceptionInfo[BaseException]) -> pytest.ExceptionInfo[BaseException]:
    """Return *excinfo* without the frames of this package, unless it ends in them by a mistake of our own."""
    everything = list(_frames(excinfo.tb))
    theirs = [frame for frame in everything if not _is_own(frame)]
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


def _is_own(frame: TracebackType) -> bool:
    return str(frame.tb_frame.f_globals.get("__name__")).startswith("qstash_fake.")
