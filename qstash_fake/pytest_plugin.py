"""The pytest plugin: the fixtures `qstash_fake` and `qstash_app`, the marker, the ini options, the report section.

At collection it imports only pytest; the fake is imported when a test asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from qstash_fake.fake import QStashFake

MARKER = "qstash_fake"

# Option of the marker → what the ini option `qstash_fake_<option>` makes of its text. `start`, `seed` and `token`
# are here as well: one table, one rule.
OPTIONS: dict[str, Callable[[str], Any]] = {
    "start": str,
    "freeze": str,
    "unrouted": str,
    "raise_app_exceptions": lambda text: _boolean(text),  # noqa: PLW0108 - defined below
    "seed": int,
    "token": str,
    "plan": str,
}
_FAKE = pytest.StashKey["QStashFake"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    for option in OPTIONS:
        parser.addini(f"{MARKER}_{option}", f"qstash_fake: default of the marker's {option}=", default="")


def pytest_configure(config: pytest.Config) -> None:
    arguments = ", ".join(f"{option}=…" for option in OPTIONS)
    config.addinivalue_line("markers", f"{MARKER}({arguments}): how the fixture qstash_fake behaves in this test")


@pytest.fixture
def qstash_app() -> Any:
    """Override this fixture with the application that every delivery goes to, unless a test mounts another."""
    return None


@pytest.fixture
def qstash_fake(request: pytest.FixtureRequest, qstash_app: Any) -> Iterator[QStashFake]:
    """An in-memory QStash that answers the official SDK and delivers when the test moves its clock."""
    from qstash_fake.fake import QStashFake

    with QStashFake(**_options(request)) as fake:
        if qstash_app is not None:
            fake.mount(qstash_app)
        request.node.stash[_FAKE] = fake
        yield fake


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the timeline to the report of a test that fails."""
    report = yield
    fake = item.stash.get(_FAKE, None)
    if fake is not None and report.failed and call.when != "setup":
        report.sections.append(("qstash_fake timeline", fake.timeline()))
    return report


def _options(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return the options of the closest marker over those of the ini file."""
    options = {}
    for option, parse in OPTIONS.items():
        if text := request.config.getini(f"{MARKER}_{option}"):
            try:
                options[option] = parse(text)
            except ValueError as error:
                raise pytest.UsageError(f"ini option {MARKER}_{option}: {error}") from None
    for marker in reversed(list(request.node.iter_markers(MARKER))):
        unknown = sorted(marker.kwargs.keys() - OPTIONS.keys())
        if marker.args or unknown:
            wrong = f"unknown {', '.join(unknown)}" if unknown else "positional arguments"
            raise pytest.UsageError(f"@pytest.mark.{MARKER}: {wrong}; it takes {', '.join(f'{o}=' for o in OPTIONS)}")
        options |= marker.kwargs
    return options


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(f"{text!r} is neither true nor false")
    return text.lower() == "true"
