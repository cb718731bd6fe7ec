"""The pytest plugin: its fixtures, and its hooks.

Every pytest run loads this module and what it imports at once. `plugin.order`, `plugin.fakes` and
`plugin.failures` are imported when a test needs them.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from qstash_fake import plugin
from qstash_fake.intercept import CLIENTS
from qstash_fake.intercept.importlib_bootstrap import AfterImport
from qstash_fake.plugin.strays import Strays, fail

if TYPE_CHECKING:
    from qstash_fake.plugin.order import Order
    from qstash_fake.server.serve import LocalServer
    from qstash_fake.testing.fake import QStashFake

_ORDER: pytest.StashKey[Order] = pytest.StashKey()
_HALF_SET_UP: pytest.StashKey[list[str]] = pytest.StashKey()  # names of fixtures, the outermost first
_STRAYS: pytest.StashKey[Strays] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    plugin.add_options(parser)
    config = pluginmanager.get_plugin("pytestconfig")
    assert config is not None  # pytest registers it before any plugin
    # This is the earliest moment: conftest files come later, and may call QStash and enter clients.
    config.stash[_STRAYS] = Strays(config)
    clients = AfterImport(dict.fromkeys(CLIENTS, lambda _module: plugin.entered_in(config)))
    clients.start()
    config.add_cleanup(clients.stop)


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_HALF_SET_UP] = []
    plugin.add_marker(config)
    plugin.check_command_line(config)
    if hasattr(config.pluginmanager.hook, "pytest_testnodedown"):  # of pytest-xdist
        from qstash_fake.plugin.workers import Workers

        config.pluginmanager.register(Workers(config.stash[_STRAYS]), "qstash_fake_workers")
    if (folder := config.getoption("qstash_fake_report", None)) is not None:
        from qstash_fake.plugin import reports

        reports.configure(config, folder)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, None, None]:
    """Do not begin a run in which a conftest calls QStash."""
    yield from early_config.stash[_STRAYS].of_conftests()


@pytest.fixture
def qstash_app() -> Any:
    """Override this fixture with the application that every delivery goes to, unless a test mounts another."""
    return None


@pytest.fixture
def qstash_fake(request: pytest.FixtureRequest) -> QStashFake:
    """An in-memory QStash that answers the official SDK and delivers when the test moves its clock."""
    from qstash_fake.plugin import fakes

    return fakes.of_test(request)  # `plugin.order` mounts qstash_app right after this


@pytest.fixture(scope="session")
def qstash_fake_session(request: pytest.FixtureRequest) -> Iterator[QStashFake]:
    """A QStash for fixtures of wider scope; the `qstash_fake` of a test answers in its place while it is there."""
    from qstash_fake.plugin import fakes

    yield from fakes.of_session(request.config)


@pytest.fixture
def qstash_server(qstash_fake: QStashFake) -> Iterator[LocalServer]:
    """The test's qstash_fake on a loopback port, for subprocesses and clients that cannot be intercepted."""
    from qstash_fake.errors import UsageError
    from qstash_fake.plugin.given import explained
    from qstash_fake.server.serve import beside_a_test

    with explained(UsageError), beside_a_test(qstash_fake) as server:
        yield server


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Fail the collection of a file that calls QStash when it is imported."""
    return (yield from collector.config.stash[_STRAYS].of_collection(collector))


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Bring the application, with its parameters, to test functions that need the fake."""
    if plugin.FIXTURE in metafunc.fixturenames:
        _order(metafunc.config).offer_app(metafunc.definition)


@pytest.hookimpl(trylast=True)
def pytest_itemcollected(item: pytest.Item) -> None:
    """Do the same for other tests, such as those of unittest, and let the fake begin before their fixtures."""
    if plugin.FIXTURE in getattr(item, "fixturenames", ()):
        _order(item.config).arrange(item)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    """Begin the fake before the first fixture of its test; mount the application as soon as the fake is handed out."""
    name, half_set_up = fixturedef.argname, request.config.stash[_HALF_SET_UP]
    if (order := request.config.stash.get(_ORDER, None)) is not None:
        order.before(fixturedef, request)
    half_set_up.append(name)
    try:
        result = yield
    except BaseException:
        if half_set_up == [name] and _ORDER in request.config.stash:
            _order(request.config).give_up()
        raise
    finally:
        half_set_up.pop()
    if name == plugin.FIXTURE or _ORDER in request.config.stash:
        _order(request.config).set_up(name, request.node, result)
    return result


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Run a test that is to be explored under plans of faults; pytest runs the others."""
    if not plugin.may_be_explored(item):
        return None
    from qstash_fake.plugin import exploring

    return exploring.run(item, nextitem)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let out the calls to QStash that the marker of a test allows: from here on, in each run of it."""
    item.config.stash[_STRAYS].begin(item)


@pytest.hookimpl(wrapper=True, trylast=True)  # before the summary, and before a worker says good-bye
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, None, None]:
    """Fail the run for calls to QStash outside of tests."""
    yield from session.config.stash[_STRAYS].of_the_end(session)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say what was explored, and what failed the run; a failing test has it in its own report."""
    stats = terminalreporter.stats
    told = [one for name in ("passed", "xpassed") for one in stats.get(name, ()) if getattr(one, "user_properties", ())]
    if told:
        from qstash_fake.plugin import exploring

        exploring.summarize(terminalreporter, told)
    config.stash[_STRAYS].tell(terminalreporter)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tell of the fake in the report of a test that has one, fail it for stray calls, warn of a marker in vain."""
    if call.excinfo is not None and plugin.fake_of(item) is not None:
        from qstash_fake.plugin import failures

        failures.before_report(item, call)
    report = yield
    # Only now: pytest puts the exception of a unittest.TestCase into the call while it makes the report.
    if (call.excinfo is not None or report.failed) and plugin.fake_of(item) is not None:
        from qstash_fake.plugin import failures

        failures.after_report(item, call, report)
    strays = item.config.stash[_STRAYS]
    strays.judge(item, call, report)
    if call.when == "teardown":
        # By now a test has asked for the fixture, if it asks for it at all.
        if plugin.FAKE not in item.stash and (sentence := plugin.in_vain(item)):
            try:
                item.warn(pytest.PytestWarning(sentence))
            except pytest.PytestWarning:  # warnings are errors
                if report.failed:
                    report.sections.append(("qstash_fake", sentence))
                else:
                    fail(report, sentence)
        plugin.forget_fake(item)
        strays.end()
    return report


def _order(config: pytest.Config) -> Order:
    """Return the order of fixtures in this run; made when the first test needs the fake."""
    if (order := config.stash.get(_ORDER, None)) is None:
        from qstash_fake.plugin.order import Order

        order = config.stash[_ORDER] = Order(config.stash[_HALF_SET_UP])
    return order


def __dir__() -> list[str]:
    """Return what pytest looks for in a plugin: it looks at every name that is listed here."""
    return [name for name in globals() if name.startswith(("pytest_", "qstash_"))]
