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

from typing import Any

import pytest

from qstash_fake.plugin import APP, BEGUN, FIXTURE

_SCOPES = ("session", "package", "module", "class", "function")  # in which order pytest sets up


class Order:
    """The order of fixtures in one run, which *half_set_up* names while they are set up, the outermost first."""

    def __init__(self, half_set_up: list[str]) -> None:
        self._missing: list[str] | None = None
        """The private names of pytest that are missing; looked for when the first test needs them."""
        self._half_set_up = half_set_up
        self._to_be_mounted: list[tuple[Any, Any]] = []

    def set_up(self, name: str, item: Any, result: object) -> None:
        """Mount the application as soon as the fake is handed out: the fixture called *name* is now complete."""
        if name == FIXTURE:
            self._to_be_mounted.append((item, result))
        if self._to_be_mounted:
            item, fake = self._to_be_mounted[-1]
            if not self._half_set_up or _needed_by_app(item).isdisjoint(self._half_set_up):
                from qstash_fake.plugin import fakes

                self._to_be_mounted.pop()
                fakes.mount(fake, item._request.getfixturevalue(APP))

    def give_up(self) -> None:
        """Mount nothing: the fixture that had to be complete first has failed, and its test with it."""
        self._to_be_mounted.clear()

    def arrange(self, node: Any) -> None:
        """Bring the application to a test that needs the fake, and put the fake first."""
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
