"""The fakes of the plugin's fixtures. Imported when the first test asks for one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from qstash_fake import plugin
from qstash_fake.errors import QStashFakeError, UsageError
from qstash_fake.intercept.entered import Entered
from qstash_fake.plugin import given, routes
from qstash_fake.plugin.given import explained
from qstash_fake.testing.environment import VARIABLES
from qstash_fake.testing.fake import QStashFake, inside

NOT_PASSED = pytest.StashKey[bool]()
"""Whether the test has failed, or was skipped: nothing fails it at its end."""
_IS_AT_WORK = pytest.StashKey[bool]()  # whether the fake of a test has begun in this run of it, and not ended


def of_test(request: pytest.FixtureRequest, clients: Entered) -> Iterator[QStashFake]:
    """Yield the fake of a test at work, active before its other fixtures, unless somebody asks for it in the test."""
    node = request.node
    if plugin.BEGUN not in node.fixturenames:
        for name in VARIABLES:
            _restore_last(request.getfixturevalue("monkeypatch"), name)
    asked = given.of_test(node)
    given.check_exploration(asked)
    fake = _made(asked, clients)
    if (planned := node.stash.get(plugin.PLANNED, None)) is not None:
        planned.attach(fake)
    with explained(UsageError), fake:  # of verify() at the end: a failing test is not raised here
        node.stash[plugin.FAKE], node.stash[NOT_PASSED] = fake, False
        node.stash[_IS_AT_WORK] = True
        yield fake
        node.stash[_IS_AT_WORK] = False
        if given.word_of("unused_routes", asked) == "error" and not node.stash[NOT_PASSED]:
            routes.refuse_unused(fake)


def of_session(config: pytest.Config, clients: Entered) -> Iterator[QStashFake]:
    """Yield the fake for fixtures of wider scope, at work."""
    fake = _made(given.of_ini(config), clients)
    inside(fake).timekeeper.freezes_between_verbs = False  # tests that do not know of it run then
    with explained(UsageError), fake:
        config.stash[plugin.FAKE] = fake
        yield fake


def mount(fake: QStashFake, app: Any) -> None:
    """Mount the application that `qstash_app` has returned, if it has."""
    if app is not None:
        with explained(UsageError):
            fake.mount(app)


def has_begun(item: pytest.Item) -> bool:
    """Tell whether something has happened with the fake of *item*; one of an earlier run of it is none."""
    fake: QStashFake | None = item.stash.get(plugin.FAKE, None)
    return fake is not None and item.stash.get(_IS_AT_WORK, False) and inside(fake).broker.journal.total > 0


def _made(asked: dict[str, Any], clients: Entered) -> QStashFake:
    """Return a fake with the options that are *asked* for; it knows the *clients* that wider fixtures have entered."""
    arguments = given.of_the_fake(asked)
    shown = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    with explained(QStashFakeError, TypeError, ValueError, where=f"qstash_fake({shown}): "):
        fake = QStashFake(**arguments)
    inside(fake).know(clients)
    inside(fake).tells_timeline = False  # the report has it as a section
    return fake


def _restore_last(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Have a monkeypatch that was there before us, and ends after us, restore a variable to what it is now."""
    before = os.environ.get(name)
    monkeypatch.setenv(name, before or "")
    if before is None:
        del os.environ[name]
