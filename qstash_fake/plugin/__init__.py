"""The parts of the pytest plugin, and the names that they share: options, fixtures, and what they keep in a stash.

Every pytest run loads this module. `plugin.given`, which says what options count for a test, is loaded by such a test.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from qstash_fake.intercept.entered import Entered

MARKER = "qstash_fake"
RUNS, PLAN, REPORT = "--qstash-fake-explore", "--qstash-fake-plan", "--qstash-fake-report"
FOLDER = "qstash-fake-report"  # of the reports
FIXTURE, APP = "qstash_fake", "qstash_app"
SESSION = "qstash_fake_session"  # the fixture of the fake for wider fixtures
FAKE: pytest.StashKey[Any] = pytest.StashKey()
"""The QStashFake of a test; in the stash of the run, the fake of wider fixtures."""
PLANNED: pytest.StashKey[Any] = pytest.StashKey()
"""The plan of faults that a test is run under, an `explore.planned.Planned`."""
_ENTERED: pytest.StashKey[Entered] = pytest.StashKey()

# Option of the marker → of which type its value is in the ini option `qstash_fake_<option>`, or which words there are;
# the first word counts if nothing is said.
OPTIONS: dict[str, type | tuple[str, ...]] = {
    "start": str,
    "freeze": str,
    "unrouted": str,
    "raise_app_exceptions": bool,
    "seed": int,
    "token": str,
    "plan": str,
    "url": str,
    "region": str,
    "watchdog": str,
    "stray": ("error", "allow"),
    "unused_routes": ("allow", "error"),
    "explore": int,
    "faults": str,
}


def add_options(parser: pytest.Parser) -> None:
    """Declare the options of the ini file and of the command line."""
    group = parser.getgroup(MARKER)
    group.addoption(RUNS, type=int, metavar="N", help="run each test that has explore= under up to N plans of faults")
    group.addoption(PLAN, metavar="TEXT", help="run each test that uses qstash_fake once, under this plan of faults")
    group.addoption(
        REPORT,
        dest="qstash_fake_report",
        metavar="DIR",
        nargs="?",
        const=FOLDER,
        default=None,
        help=f"write an HTML report of the fake for each failing test into DIR, by default {FOLDER}/",
    )
    for option, kind in OPTIONS.items():
        help_text = f"qstash_fake: default of the marker's {option}="
        of_type: Any = "bool" if kind is bool else None  # mypy knows no type of the older and the newer pytest
        parser.addini(f"{MARKER}_{option}", help_text, of_type, default=None)


def add_marker(config: pytest.Config) -> None:
    """Declare the marker."""
    arguments = ", ".join(f"{option}=…" for option in OPTIONS)
    config.addinivalue_line("markers", f"{MARKER}({arguments}): how the fixture qstash_fake behaves in this test")


def check_command_line(config: pytest.Config) -> None:
    """Refuse a plan that cannot be read, and an impossible number of runs, before the run begins."""
    if (runs := config.getoption(RUNS)) is not None and runs < 0:
        raise pytest.UsageError(f"{RUNS}={runs}: give the number of runs, or 0 for none")
    if (text := config.getoption(PLAN)) is not None:
        from qstash_fake.plugin.exploring import check_plan

        check_plan(text)


def fake_of(item: pytest.Item) -> Any:
    """Return the QStashFake of a test, or the fake of the wider fixtures that it uses, or None."""
    if (own := item.stash.get(FAKE, None)) is not None:
        return own
    return item.config.stash.get(FAKE, None) if SESSION in getattr(item, "fixturenames", ()) else None


def forget_fake(item: pytest.Item) -> None:
    """Let go of the fake of a test that is over; pytest keeps tests to its end, and would keep all their fakes."""
    if FAKE in item.stash and PLANNED not in item.stash:  # a search looks at it after the last of its runs
        del item.stash[FAKE]


def may_be_explored(item: pytest.Item) -> bool:
    """Tell whether something asks for exploration of *item*; most tests end here."""
    config = item.config
    return FIXTURE in getattr(item, "fixturenames", ()) and (
        config.getoption(PLAN) is not None
        or bool(config.getini(f"{MARKER}_explore"))
        or any("explore" in marker.kwargs for marker in item.iter_markers(MARKER))
    )


def in_vain(item: pytest.Item) -> str:
    """Return a sentence on a marker that does nothing, because its test takes no fake; empty if there is none.

    Markers of classes and modules are for their tests that take one. `stray=` counts without a fake, too.
    """
    given = [marker.kwargs.keys() for marker in item.own_markers if marker.name == MARKER]
    if not given or any(keys == {"stray"} for keys in given) or FIXTURE in getattr(item, "fixturenames", ()):
        return ""
    return f"@pytest.mark.{MARKER} does nothing in {item.nodeid}: the test does not take the fixture qstash_fake"


def entered_in(config: pytest.Config) -> Entered:
    """Return the test clients that are entered in this run; watching begins when it is first asked for them."""
    if (entered := config.stash.get(_ENTERED, None)) is None:
        from qstash_fake.intercept.entered import Entered

        entered = config.stash[_ENTERED] = Entered()
        entered.start()
        config.add_cleanup(entered.stop)
    return entered
