"""The pytest plugin: its fixtures, and what it adds to the report of a failing test.

At collection it imports only pytest; the fake is imported when a test asks for it.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any

import pytest

from qstash_fake.errors import QStashFakeError, UsageError
from qstash_fake.intercept.entered import Entered, told_of_clients
from qstash_fake.plugin import options, order, strays
from qstash_fake.plugin.options import explained
from qstash_fake.plugin.order import Order
from qstash_fake.plugin.strays import Strays

if TYPE_CHECKING:
    from qstash_fake.server.serve import LocalServer
    from qstash_fake.testing.fake import QStashFake

VARIABLES = ("QSTASH_URL", "QSTASH_TOKEN", "QSTASH_CURRENT_SIGNING_KEY", "QSTASH_NEXT_SIGNING_KEY")
SESSION = "qstash_fake_session"
_NOT_PASSED = pytest.StashKey[bool]()  # the test has failed, or was skipped: nothing fails it at its end
_FAKE = pytest.StashKey["QStashFake"]()  # of a test; of the run, that of wider fixtures
_IS_AT_WORK = pytest.StashKey[bool]()  # whether the fake of a test has begun in this run of it, and not ended
_ENTERED = pytest.StashKey[Entered]()  # the test clients of the run that are entered


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    options.add_options(parser)
    config = pluginmanager.get_plugin("pytestconfig")
    assert config is not None  # pytest registers it before any plugin
    pluginmanager.register(Strays(config), strays.NAME)  # the earliest moment: conftest files come later
    pluginmanager.register(Order(_mount), order.NAME)


def pytest_configure(config: pytest.Config) -> None:
    options.add_marker(config)
    options.check_command_line(config)
    config.stash[_ENTERED] = Entered()
    exits = ExitStack()
    exits.enter_context(told_of_clients(config.stash[_ENTERED]))
    config.add_cleanup(exits.close)
    if (folder := config.getoption("qstash_fake_report", None)) is not None:
        from qstash_fake.plugin import reports

        reports.configure(config, folder)


@pytest.fixture
def qstash_app() -> Any:
    """Override this fixture with the application that every delivery goes to, unless a test mounts another."""
    return None


@pytest.fixture
def qstash_fake(_qstash_begun: QStashFake) -> QStashFake:
    """An in-memory QStash that answers the official SDK and delivers when the test moves its clock."""
    return _qstash_begun  # `plugin.order` mounts qstash_app right after this


@pytest.fixture
def _qstash_begun(request: pytest.FixtureRequest) -> Iterator[QStashFake]:
    """The fake of a test, active before its other fixtures, unless somebody asks for it while the test runs."""
    if order.BEGUN not in request.node.fixturenames:
        for name in VARIABLES:
            _restore_last(request.getfixturevalue("monkeypatch"), name)
    given = options.of_ini(request.config) | options.of_marker(request.node)
    options.check_exploration(given)
    fake = _made(request.config, given)
    if (planned := request.node.stash.get(options.PLANNED, None)) is not None:
        planned.attach(fake)
    with explained(UsageError), fake:  # of verify() at the end: a failing test is not raised here
        request.node.stash[_FAKE], request.node.stash[_NOT_PASSED] = fake, False
        request.node.stash[_IS_AT_WORK] = True
        yield fake
        request.node.stash[_IS_AT_WORK] = False
        if options.word_of("unused_routes", given) == "error" and not request.node.stash[_NOT_PASSED]:
            from qstash_fake.plugin import routes

            routes.refuse_unused(fake)


@pytest.fixture(scope="session")
def qstash_fake_session(request: pytest.FixtureRequest) -> Iterator[QStashFake]:
    """A QStash for fixtures of wider scope; the `qstash_fake` of a test answers in its place while it is there."""
    from qstash_fake.testing.fake import inside

    fake = _made(request.config, options.of_ini(request.config))
    inside(fake).timekeeper.freezes_between_verbs = False  # what runs then are tests that do not know of it
    with explained(UsageError), fake:
        request.config.stash[_FAKE] = fake
        yield fake


@pytest.fixture
def qstash_server(qstash_fake: QStashFake) -> Iterator[LocalServer]:
    """The test's qstash_fake on a loopback port, for subprocesses and clients that cannot be intercepted."""
    from qstash_fake.server.serve import beside_a_test

    with explained(UsageError), beside_a_test(qstash_fake) as server:
        yield server


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Run a test that is to be explored under plans of faults; pytest runs the others."""
    if not options.may_be_explored(item):
        return None
    from qstash_fake.plugin import exploring

    return exploring.run(item, nextitem)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say what was explored; a failure has it in its own report."""
    stats = terminalreporter.stats
    told = [one for name in ("passed", "xpassed") for one in stats.get(name, ()) if getattr(one, "user_properties", ())]
    if told:
        from qstash_fake.plugin import exploring

        exploring.summarize(terminalreporter, told)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, None]:
    """Warn of a marker that does nothing; by now a test has asked for the fixture, if it asks for it at all."""
    yield  # where a warning is an error, the fixtures have ended all the same
    if _FAKE not in item.stash and (sentence := options.in_vain(item)):
        with explained(pytest.PytestWarning):  # where warnings are errors
            item.warn(pytest.PytestWarning(sentence))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep our own frames out of a failing test's traceback, and add what there is to know to its report."""
    own = item.stash.get(_FAKE, None)
    shared = item.config.stash.get(_FAKE, None) if SESSION in getattr(item, "fixturenames", ()) else None
    fake = own or shared
    if fake is None or (call.when == "setup" and not _has_happened(item, own)):
        return (yield)
    if call.excinfo is not None and not item.config.getoption("fulltrace"):
        call.excinfo = _without_own_frames(call.excinfo)
    report = yield
    if call.when == "call" and call.excinfo is not None:
        item.stash[_NOT_PASSED] = True
    planned = item.stash.get(options.PLANNED, None)
    if report.failed and (planned is None or planned.counts):  # a step of a search is shown to nobody
        from qstash_fake.plugin import routes

        report.sections.append(("qstash_fake timeline", _timeline(fake)))
        if sentence := routes.unused(fake):
            report.sections.append(("qstash_fake routes", sentence))
        if (folder := item.config.getoption("qstash_fake_report", None)) is not None:
            from qstash_fake.plugin import reports

            report.sections.append(("qstash_fake report", reports.write(item, report, fake, folder)))
    # Only now: what a unittest.TestCase has raised, pytest puts into the call while it makes the report.
    if own and call.when == "call" and call.excinfo and not call.excinfo.errisinstance(pytest.skip.Exception):
        # The test has failed; what would fail it at its end is told here, not as a second error.
        try:
            own.verify()
        except UsageError as error:
            report.sections.append(("qstash_fake", str(error)))
    return report


def _has_happened(item: pytest.Item, fake: QStashFake | None) -> bool:
    """Tell whether something has happened with the *fake* of a set-up; one of an earlier run of *item* is none."""
    from qstash_fake.testing.fake import inside

    return fake is not None and item.stash.get(_IS_AT_WORK, False) and inside(fake).broker.journal.total > 0


def _mount(fake: QStashFake, app: Any) -> None:
    if app is not None:
        with explained(UsageError):
            fake.mount(app)


def _made(config: pytest.Config, given: dict[str, Any]) -> QStashFake:
    """Return a fake with the options that are *given*; it knows the clients that wider fixtures have entered."""
    from qstash_fake.testing.fake import QStashFake, inside

    arguments = options.of_the_fake(given)
    shown = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    with explained(QStashFakeError, TypeError, ValueError, where=f"qstash_fake({shown}): "):
        fake = QStashFake(**arguments)
    inside(fake).know(config.stash[_ENTERED])
    inside(fake).tells_timeline = False  # the report has it as a section
    return fake


def _timeline(fake: QStashFake) -> str:
    try:
        return fake.timeline()
    except Exception as error:  # noqa: BLE001 - raised here, it would end the whole run
        return f"cannot be shown: {error!r}"


def _restore_last(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Have a monkeypatch that was there before us, and ends after us, restore a variable to what it is now."""
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
