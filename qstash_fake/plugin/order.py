"""When the fake begins and when the application is mounted, among the fixtures of a test.

The fake begins before the first fixture of function scope, and therefore ends last: an application that publishes in
its lifespan does so inside the fake. The application comes as late as it can, because `qstash_app` may need a client,
which may need settings. It is resolved and mounted when the first fixture, or the test, asks for `qstash_fake`. From
then on there can be deliveries.

`qstash_fake` hands out the fake that has begun. It does not ask for `qstash_app`, which may ask for `qstash_fake` in
turn, by itself or by a client. Instead:

1. `qstash_app` is added to the fixtures of a test before pytest looks for parameters, which it may have. Where there
   are parameters, pytest drops it again, because nobody asks for it. Hence it is added once more to the collected test,
   unless nobody has overridden it and the test does not take it itself: then there is nothing to mount.
2. Right after `qstash_fake` is there, `qstash_app` is asked for and mounted. A fixture that needs both is set up on the
   way. Only a fixture that is half set up, and asked for the fake in its own body, cannot be set up on the way. If
   `qstash_app` needs it, mounting waits until it is complete.

A test may ask for `qstash_fake` only while it runs. The fake then begins there, and ends before what was there already.
"""

from __future__ import annotations

from typing import Any

import pytest

from qstash_fake.plugin import APP, FIXTURE

_BEGINS = pytest.StashKey[bool]()  # of a test: its fake begins before its fixtures
_PLUGIN = "qstash_fake.pytest_plugin"  # where the fixtures are that tests may override
_SCOPES = ("session", "package", "module", "class", "function")  # in which order pytest sets up


class Order:
    """The order of fixtures in one run, which *half_set_up* names while they are set up, the outermost first."""

    def __init__(self, half_set_up: list[str]) -> None:
        self._missing: list[str] | None = None
        """The private names of pytest that are missing; looked for when the first test needs them."""
        self._half_set_up = half_set_up
        self._to_be_mounted: list[tuple[Any, Any]] = []

    def before(self, definition: pytest.FixtureDef[Any], request: Any) -> None:
        """Begin the fake of a test before its first fixture, which is the one of *definition*."""
        if request.scope == "function" and _BEGINS in request.node.stash:
            from qstash_fake.plugin import fakes

            try:
                fakes.begin(request.node)
            except BaseException as error:
                # As if that fixture had raised it: one that was never called, pytest could not end.
                definition.cached_result = (None, definition.cache_key(request), (error, error.__traceback__))
                raise

    def set_up(self, name: str, item: Any, result: object) -> None:
        """Mount the application as soon as the fake is handed out: the fixture called *name* is now complete."""
        if name == FIXTURE and _has_app(item):
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

    def offer_app(self, node: Any) -> None:
        """Bring the application to a test function that needs the fake, before pytest looks for its parameters."""
        self._check(node.session)
        if APP not in node._fixtureinfo.names_closure:
            _add_app(node, node._fixtureinfo)

    def arrange(self, item: Any) -> None:
        """Bring the application to a collected test that needs the fake, and let the fake begin before its fixtures."""
        self._check(item.session)
        info = item._fixtureinfo  # shared by all tests that differ in parameters only
        if APP not in info.names_closure:
            _add_app(item, info)
        if APP not in info.argnames and all(map(_is_ours, info.name2fixturedefs[APP])):
            info.names_closure.remove(APP)
        first, *overriding = info.name2fixturedefs[FIXTURE]
        if _is_ours(first) and all(FIXTURE in definition.argnames for definition in overriding):
            item.stash[_BEGINS] = True

    def _check(self, session: pytest.Session) -> None:
        if self._missing is None:
            self._missing = missing_names(session)
        if self._missing:
            raise pytest.UsageError(
                f"pytest {pytest.__version__} has no {' and no '.join(self._missing)}, which the fixture qstash_fake "
                "needs to come before other fixtures: use another version of pytest"
            )


def missing_names(session: pytest.Session) -> list[str]:
    """Return the names of pytest that are needed here and that this pytest does not have."""
    from _pytest import fixtures

    info = getattr(fixtures, "FuncFixtureInfo", None)
    found = {
        "Session._fixturemanager": hasattr(session, "_fixturemanager"),
        "FixtureManager.getfixtureclosure": hasattr(fixtures.FixtureManager, "getfixtureclosure"),
        **{f"FuncFixtureInfo.{name}": hasattr(info, name) for name in _OF_THE_INFO},
        **{f"FixtureDef.{name}": assigns(pytest.FixtureDef, "__init__", name) for name in _OF_A_DEFINITION},
        "FixtureDef.cache_key": hasattr(pytest.FixtureDef, "cache_key"),
        "Function._fixtureinfo": assigns(pytest.Function, "__init__", "_fixtureinfo"),
        "Function._request": assigns(pytest.Function, "_initrequest", "_request"),
    }
    return [name for name, is_there in found.items() if not is_there]


_OF_THE_INFO = ("argnames", "names_closure", "name2fixturedefs")
_OF_A_DEFINITION = ("func", "argnames", "cached_result")


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
    scopes = {name: those[-1].scope for name, those in info.name2fixturedefs.items()}
    info.names_closure.sort(key=lambda name: _SCOPES.index(scopes.get(name, "function")))


def _is_ours(definition: pytest.FixtureDef[Any]) -> bool:
    return getattr(definition.func, "__module__", None) == _PLUGIN


def _has_app(node: Any) -> bool:
    """Tell whether there may be an application to ask for: not for a fake that a fixture of wider scope hands out."""
    is_test = isinstance(node, pytest.Item)
    return is_test and not (_BEGINS in node.stash and APP not in node.fixturenames)


def _needed_by_app(item: Any) -> set[str]:
    names, _ = item.session._fixturemanager.getfixtureclosure(item, (APP,), set())
    return set(names)
