"""The pytest plugin: its fixtures, and its hooks.

Every pytest run loads this module and what it imports at once. `plugin.order`, `plugin.fakes` and
`plugin.failures` are imported when a test needs them.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from qstash_fake.intercept import CLIENTS
from qstash_fake.intercept.importlib_bootstrap import AfterImport
from qstash_fake.plugin import hooks_in, options, strays

if TYPE_CHECKING:
    from qstash_fake.intercept.entered import Entered
    from qstash_fake.plugin.order import Order
    from qstash_fake.server.serve import LocalServer
    from qstash_fake.testing.fake import QStashFake

_ORDER: pytest.StashKey[Order] = pytest.StashKey()
_HALF_SET_UP: pytest.StashKey[list[str]] = pytest.StashKey()  # names of fixtures, the outermost first
_ENTERED: pytest.StashKey[Entered] = pytest.StashKey()  # the test clients of the run that are entered


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    options.add_options(parser)
    config = pluginmanager.get_plugin("pytestconfig")
    assert config is not None  # pytest registers it before any plugin
    # This is the earliest moment: conftest files come later, and may call QStash and enter clients.
    pluginmanager.register(strays.Strays(config), strays.NAME)
    clients = AfterImport(dict.fromkeys(CLIENTS, lambda _module: _entered(config)))
    clients.start()
    config.add_cleanup(clients.stop)


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_HALF_SET_UP] = []
    options.add_marker(config)
    options.check_command_line(config)
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
    from qstash_fake.plugin import fakes

    yield from fakes.of_test(request, _entered(request.config))


@pytest.fixture(scope="session")
def qstash_fake_session(request: pytest.FixtureRequest) -> Iterator[QStashFake]:
    """A QStash for fixtures of wider scope; the `qstash_fake` of a test answers in its place while it is there."""
    from qstash_fake.plugin import fakes

    yield from fakes.of_session(request.config, _entered(request.config))


@pytest.fixture
def qstash_server(qstash_fake: QStashFake) -> Iterator[LocalServer]:
    """The test's qstash_fake on a loopback port, for subprocesses and clients that cannot be intercepted."""
    from qstash_fake.errors import UsageError
    from qstash_fake.server.serve import beside_a_test

    with options.explained(UsageError), beside_a_test(qstash_fake) as server:
        yield server


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Bring the application, with its parameters, to test functions that need the fake."""
    if options.FIXTURE in metafunc.fixturenames:
        _order(metafunc.config).arrange(metafunc.definition)


@pytest.hookimpl(trylast=True)
def pytest_itemcollected(item: pytest.Item) -> None:
    """Do the same for other tests, such as those of unittest, and put the fake first where others came first."""
    if options.FIXTURE in getattr(item, "fixturenames", ()):
        _order(item.config).arrange(item)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    """Mount the application as soon as the fake is handed out."""
    name, half_set_up = fixturedef.argname, request.config.stash[_HALF_SET_UP]
    half_set_up.append(name)
    try:
        result = yield
    except BaseException:
        if half_set_up == [name] and _ORDER in request.config.stash:
            _order(request.config).give_up()
        raise
    finally:
        half_set_up.pop()
    if name == options.FIXTURE or _ORDER in request.config.stash:
        _order(request.config).set_up(name, request.node, result)
    return result


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
    if options.FAKE not in item.stash and (sentence := options.in_vain(item)):
        with options.explained(pytest.PytestWarning):  # where warnings are errors
            item.warn(pytest.PytestWarning(sentence))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tell of the fake in the report of a test that has one."""
    if options.fake_of(item) is None:
        return (yield)
    from qstash_fake.plugin import failures

    return (yield from failures.report(item, call))


def _order(config: pytest.Config) -> Order:
    """Return the order of fixtures in this run; made when the first test needs the fake."""
    if (order := config.stash.get(_ORDER, None)) is None:
        from qstash_fake.plugin.order import Order

        order = config.stash[_ORDER] = Order(config.stash[_HALF_SET_UP])
    return order


def _entered(config: pytest.Config) -> Entered:
    """Return the test clients that are entered in this run; watching begins when it is first asked for them."""
    if (entered := config.stash.get(_ENTERED, None)) is None:
        from qstash_fake.intercept.entered import Entered

        entered = config.stash[_ENTERED] = Entered()
        entered.start()
        config.add_cleanup(entered.stop)
    return entered


def __dir__() -> list[str]:
    return hooks_in(globals())
