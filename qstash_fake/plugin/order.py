"""When the fake begins and when the application is mounted, among the fixtures of a test.

The fake is the first fixture of function scope, and therefore the last to end: an application that publishes in its
lifespan does so inside the fake. The application comes as late as it can, because `qstash_app` may need a client, which
may need settings. It is resolved and mounted when the first fixture, or the test, asks for `qstash_fake`. From then
on there can be deliveries.

Two fixtures make that possible. `_qstash_begun` begins the fake and is moved to the front. `qstash_fake` stands where
it was asked for and hands the fake out. It does not ask for `qstash_app`, which may ask for `qstash_fake` in turn, by
itself or by a client. Instead:

1. `qstash_app` is added to the fixtures of a test before pytest looks for parameters, which it may have. Where there
   are parameters, pytest drops it again, because nobody asks for it. Hence it is added once more to the collected test.
2. Right after `qstash_fake` is there, `qstash_app` is asked for and mounted. A fixture that needs both is set up on the
   way. Only a fixture that is half set up, and asked for the fake in its own body, cannot be set up on the way. If
   `qstash_app` needs it, mounting waits until it is complete.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from qstash_fake.plugin import hooks_in

NAME = "qstash_fake_order"
_SCOPES = ("session", "package", "module", "class", "function")  # in which order pytest sets up
FAKE, BEGUN, APP = "qstash_fake", "_qstash_begun", "qstash_app"


class Order:
    """The hooks that put the fixtures in their places, in one run."""

    def __init__(self) -> None:
        self._missing: list[str] | None = None
        """The private names of pytest that are missing; looked for when the first test needs them."""
        self._half_set_up: list[str] = []
        self._to_be_mounted: list[tuple[Any, Any]] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Bring the application, with its parameters, to test functions that need the fake."""
        if FAKE in metafunc.fixturenames:
            self._arrange(metafunc.definition)

    @pytest.hookimpl(trylast=True)
    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """Do the same for other tests, such as those of unittest, and put the fake first where others came first."""
        if FAKE in getattr(item, "fixturenames", ()):
            self._arrange(item)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, object, object]:
        """Mount the application as soon as the fake is handed out."""
        name = fixturedef.argname
        self._half_set_up.append(name)
        try:
            result = yield
        finally:
            self._half_set_up.pop()
        if name == FAKE:
            self._to_be_mounted.append((request.node, result))
        if self._to_be_mounted:
            item, fake = self._to_be_mounted[-1]
            if not self._half_set_up or _needed_by_app(item).isdisjoint(self._half_set_up):
                from qstash_fake.plugin import fakes

                self._to_be_mounted.pop()
                fakes.mount(fake, item._request.getfixturevalue(APP))
        return result

    def __dir__(self) -> list[str]:
        return hooks_in(vars(Order))

    def _arrange(self, node: Any) -> None:
        if self._missing is None:
            self._missing = missing_names(node.session)
        if self._missing:
            raise pytest.UsageError(
                f"pytest {pytest.__version__} has no {' and no '.join(self._missing)}, which the fixture qstash_fake "
                "needs to come before other fixtures: use another version of pytest"
            )
        info = node._fixtureinfo  # shared by all tests that differ in parameters only
        if APP not in info.names_closure:
            _add_app(node, info)
        scopes = {name: those[-1].scope for name, those in info.name2fixturedefs.items()}
        info.names_closure.sort(key=lambda name: (_SCOPES.index(scopes.get(name, "function")), name != BEGUN))


def missing_names(session: pytest.Session) -> list[str]:
    """Return the names of pytest that are needed here and that this pytest does not have."""
    from _pytest import fixtures

    info = getattr(fixtures, "FuncFixtureInfo", None)
    found = {
        "Session._fixturemanager": hasattr(session, "_fixturemanager"),
        "FixtureManager.getfixtureclosure": hasattr(fixtures.FixtureManager, "getfixtureclosure"),
        **{f"FuncFixtureInfo.{name}": hasattr(info, name) for name in _OF_THE_INFO},
        "Function._fixtureinfo": assigns(pytest.Function, "__init__", "_fixtureinfo"),
        "Function._request": assigns(pytest.Function, "_initrequest", "_request"),
    }
    return [name for name, is_there in found.items() if not is_there]


_OF_THE_INFO = ("names_closure", "name2fixturedefs")


def assigns(owner: type, method: str, name: str) -> bool:
    """Tell whether *method* of *owner* gives instances an attribute *name*."""
    code = getattr(getattr(owner, method, None), "__code__", None)
    return code is not None and name in code.co_names


def _add_app(node: Any, info: Any) -> None:
    # A name that a test is parametrized with may have no definition; to look for one would fail.
    given = {name for name in info.names_closure if name not in info.name2fixturedefs}
    names, definitions = node.session._fixturemanager.getfixtureclosure(node, (APP,), given)
    info.names_closure.extend(name for name in names if name not in info.names_closure)
    for name, those in definitions.items():
        info.name2fixturedefs.setdefault(name, those)


def _needed_by_app(item: Any) -> set[str]:
    names, _ = item.session._fixturemanager.getfixtureclosure(item, (APP,), set())
    return set(names)
