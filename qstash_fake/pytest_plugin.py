"""The pytest plugin: three fixtures, the marker, the ini options, the report section.

At collection it imports only pytest; the fake is imported when a test asks for it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any

import pytest

from qstash_fake.errors import QStashFakeError, UsageError

if TYPE_CHECKING:
    from qstash_fake.server.serve import LocalServer
    from qstash_fake.testing.fake import QStashFake

MARKER = "qstash_fake"

# Option of the marker → what makes its value of the text of the ini option `qstash_fake_<option>`; None: pytest does.
OPTIONS: dict[str, Callable[[str], Any] | None] = {
    "start": str,
    "freeze": str,
    "unrouted": str,
    "raise_app_exceptions": None,
    "seed": int,
    "token": str,
    "plan": str,
    "url": str,
}
VARIABLES = ("QSTASH_URL", "QSTASH_TOKEN", "QSTASH_CURRENT_SIGNING_KEY", "QSTASH_NEXT_SIGNING_KEY")
_FAKE = pytest.StashKey["QStashFake"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    for option, parse in OPTIONS.items():
        help_text = f"qstash_fake: default of the marker's {option}="
        if parse is None:
            parser.addini(f"{MARKER}_{option}", help_text, type="bool", default=None)
        else:
            parser.addini(f"{MARKER}_{option}", help_text, default=None)


def pytest_configure(config: pytest.Config) -> None:
    arguments = ", ".join(f"{option}=…" for option in OPTIONS)
    config.addinivalue_line("markers", f"{MARKER}({arguments}): how the fixture qstash_fake behaves in this test")


@pytest.fixture
def qstash_app() -> Any:
    """Override this fixture with the application that every delivery goes to, unless a test mounts another."""
    return None


@pytest.fixture
def qstash_fake(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, qstash_app: Any
) -> Iterator[QStashFake]:
    """An in-memory QStash that answers the official SDK and delivers when the test moves its clock."""
    from qstash_fake.testing.fake import QStashFake

    for name in VARIABLES:
        _restore_last(monkeypatch, name)
    options = _options(request)
    given = ", ".join(f"{name}={value!r}" for name, value in options.items())
    with _explained(QStashFakeError, TypeError, ValueError, where=f"qstash_fake({given}): "):
        fake = QStashFake(**options)
    with _explained(UsageError), fake:  # of mount(), and of verify() at the end: a failing test is not raised here
        request.node.stash[_FAKE] = fake
        if qstash_app is not None:
            fake.mount(qstash_app)
        yield fake


@pytest.fixture
def qstash_server(qstash_fake: QStashFake) -> Iterator[LocalServer]:
    """The test's qstash_fake on a loopback port, for subprocesses and clients that cannot be intercepted."""
    from qstash_fake.server.serve import beside_a_test

    with _explained(UsageError), beside_a_test(qstash_fake) as server:
        yield server


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep our own frames out of a failing test's traceback, and add what there is to know to its report."""
    fake = item.stash.get(_FAKE, None)
    if fake is None or call.when == "setup":
        return (yield)
    if call.excinfo is not None and not item.config.getoption("fulltrace"):
        call.excinfo = _without_own_frames(call.excinfo)
    report = yield
    if report.failed:
        report.sections.append(("qstash_fake timeline", _timeline(fake)))
    # Only now: what a unittest.TestCase has raised, pytest puts into the call while it makes the report.
    if call.when == "call" and call.excinfo is not None and not call.excinfo.errisinstance(pytest.skip.Exception):
        # The test has failed; what would fail it at its end is told here, not as a second error.
        try:
            fake.verify()
        except UsageError as error:
            report.sections.append(("qstash_fake", str(error)))
    return report


def _timeline(fake: QStashFake) -> str:
    try:
        return fake.timeline()
    except Exception as error:  # noqa: BLE001 - raised here, it would end the whole run
        return f"cannot be shown: {error!r}"


@contextmanager
def _explained(*kinds: type[Exception], where: str = "") -> Iterator[None]:
    """Fail with the sentence of an exception of these *kinds*, without the way that led there."""
    try:
        yield
    except kinds as error:
        raise pytest.fail.Exception(f"{where}{error}", pytrace=False) from None


def _restore_last(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Have the test's own monkeypatch, whose last act comes after ours, restore a variable to what it is now."""
    before = os.environ.get(name)
    monkeypatch.setenv(name, before or "")
    if before is None:
        del os.environ[name]


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


def _options(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return the options of the closest marker over those of the ini file."""
    options = {}
    for option, parse in OPTIONS.items():
        with _explained(ValueError, pytest.UsageError, where=f"ini option {MARKER}_{option}: "):
            value = request.config.getini(f"{MARKER}_{option}")
            if value not in (None, ""):
                options[option] = parse(value) if parse else value
    for marker in reversed(list(request.node.iter_markers(MARKER))):
        unknown = [f"{name}=" for name in sorted(marker.kwargs.keys() - OPTIONS.keys())]
        if marker.args or unknown:
            wrong = f"unknown {', '.join(unknown)}" if unknown else f"no keyword for {marker.args[0]!r}"
            known = ", ".join(f"{option}=" for option in OPTIONS)
            pytest.fail(f"@pytest.mark.{MARKER}: {wrong}; it takes {known}", pytrace=False)
        options |= marker.kwargs
    return options
