"""The fakes of the plugin's fixtures. Imported when the first test asks for one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from qstash_fake import plugin
from qstash_fake.errors import QStashFakeError, UsageError
from qstash_fake.plugin import given, routes
from qstash_fake.plugin.given import explained
from qstash_fake.testing.environment import VARIABLES
from qstash_fake.testing.fake import QStashFake, inside

NOT_PASSED = pytest.StashKey[bool]()
"""Whether the test has failed, or was skipped: nothing fails it at its end."""
_IS_AT_WORK = pytest.StashKey[bool]()  # whether the fake of a test has begun in this run of it, and not ended


def of_test(request: pytest.FixtureRequest) -> QStashFake:
    """Return the fake of a test. It begins here if the test asks for it only while it runs."""
    item = request.node
    if not item.stash.get(_IS_AT_WORK, False):
        for name in VARIABLES:
            _restore_last(request.getfixturevalue("monkeypatch"), name)
        begin(item)
    fake: QStashFake = item.stash[plugin.FAKE]
    return fake


def begin(item: pytest.Item) -> None:
    """Begin the fake of a test, unless it has begun, or nothing is set up; it ends with what the test has set up."""
    if not (item.stash.get(_IS_AT_WORK, False) or item.config.getoption("setupplan", False)):
        working = _at_work(item)
        working.__enter__()
        item.addfinalizer(lambda: working.__exit__(None, None, None))


@contextmanager
def _at_work(item: pytest.Item) -> Iterator[None]:
    asked = given.of_test(item)
    given.check_exploration(asked)
    fake = _made(asked, item.config)
    if (planned := item.stash.get(plugin.PLANNED, None)) is not None:
        planned.attach(fake)
    with explained(UsageError), fake:  # of verify() at the end: a failing test is not raised here
        item.stash[plugin.FAKE], item.stash[NOT_PASSED] = fake, False
        item.stash[_IS_AT_WORK] = True
        yield
        item.stash[_IS_AT_WORK] = False
        if given.word_of("unused_routes", asked) == "error" and not item.stash[NOT_PASSED]:
            routes.refuse_unused(fake)


def of_session(config: pytest.Config) -> Iterator[QStashFake]:
    """Yield the fake for fixtures of wider scope, at work."""
    fake = _made(given.of_ini(config), config)
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


def _made(asked: dict[str, Any], config: pytest.Config) -> QStashFake:
    """Return a fake with the options that are *asked* for; it knows the clients that wider fixtures have entered."""
    arguments = given.of_the_fake(asked)
    shown = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    with explained(QStashFakeError, TypeError, ValueError, where=f"qstash_fake({shown}): "):
        fake = QStashFake(**arguments)
    inside(fake).know(plugin.entered_in(config))
    inside(fake).tells_timeline = False  # the report has it as a section
    return fake


def _restore_last(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Have a monkeypatch that was there before us, and ends after us, restore a variable to what it is now."""
    before = os.environ.get(name)
    monkeypatch.setenv(name, before or "")
    if before is None:
        del os.environ[name]
