"""The options of the marker `qstash_fake` and of the ini file: which there are, and which count for a test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

MARKER = "qstash_fake"
RUNS, PLAN, REPORT = "--qstash-fake-explore", "--qstash-fake-plan", "--qstash-fake-report"
FOLDER = "qstash-fake-report"  # of the reports
FIXTURE, BEGUN, APP = "qstash_fake", "_qstash_begun", "qstash_app"  # see `order`
SESSION = "qstash_fake_session"  # the fixture of the fake for wider fixtures
FAKE: pytest.StashKey[Any] = pytest.StashKey()
"""The QStashFake of a test; in the stash of the run, the fake of wider fixtures."""
PLANNED: pytest.StashKey[Any] = pytest.StashKey()
"""The plan of faults that a test is run under, an `explore.planned.Planned`."""
_OF_INI: pytest.StashKey[dict[str, Any]] = pytest.StashKey()  # each test asks, and the file does not change

# Option → its words; the first is what counts if nothing is said.
WORDS = {"stray": ("error", "allow"), "unused_routes": ("allow", "error")}


def fake_of(item: pytest.Item) -> Any:
    """Return the QStashFake of a test, or the fake of the wider fixtures that it uses, or None."""
    if (own := item.stash.get(FAKE, None)) is not None:
        return own
    return item.config.stash.get(FAKE, None) if SESSION in getattr(item, "fixturenames", ()) else None


def word_of(option: str, options: dict[str, Any]) -> str:
    """Return what *options* say of *option*, or raise ValueError for an unknown word."""
    words = WORDS[option]
    word: str = options.get(option, words[0])
    if word not in words:
        raise ValueError(f"{option}={word!r} is unknown: use one of {', '.join(map(repr, words))}")
    return word


def _word(option: str) -> Callable[[str], str]:
    return lambda text: word_of(option, {option: text})


# Option of the marker → what makes its value of the text of the ini option `qstash_fake_<option>`; None: pytest does.
OPTIONS: dict[str, Callable[[str], Any] | None] = {
    "start": str,
    "freeze": str,
    "unrouted": str,
    "raise_app_exceptions": None,
    "seed": int,
    "token": str,
    "plan": str,
    "url": str,
    "region": str,
    "watchdog": str,
    "stray": _word("stray"),
    "unused_routes": _word("unused_routes"),
    "explore": int,
    "faults": str,
}
OF_THE_PLUGIN = (*WORDS, "explore", "faults")  # the others are arguments of QStashFake


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
    for option, parse in OPTIONS.items():
        help_text = f"qstash_fake: default of the marker's {option}="
        if parse is None:
            parser.addini(f"{MARKER}_{option}", help_text, type="bool", default=None)
        else:
            parser.addini(f"{MARKER}_{option}", help_text, default=None)


def check_command_line(config: pytest.Config) -> None:
    """Refuse a plan that cannot be read, and an impossible number of runs, before the run begins."""
    if (runs := config.getoption(RUNS)) is not None and runs < 0:
        raise pytest.UsageError(f"{RUNS}={runs}: give the number of runs, or 0 for none")
    if (text := config.getoption(PLAN)) is not None:
        from qstash_fake.plugin.exploring import check_plan

        check_plan(text)


def may_be_explored(item: pytest.Item) -> bool:
    """Tell whether something asks for exploration of *item*; most tests end here."""
    config = item.config
    return FIXTURE in getattr(item, "fixturenames", ()) and (
        config.getoption(PLAN) is not None
        or bool(config.getini(f"{MARKER}_explore"))
        or any("explore" in marker.kwargs for marker in item.iter_markers(MARKER))
    )


def check_exploration(options: dict[str, Any]) -> None:
    """Fail for impossible options of exploration."""
    if "explore" in options or "faults" in options:
        from qstash_fake.errors import UsageError
        from qstash_fake.plugin.exploring import asked_runs

        with explained(UsageError, TypeError, ValueError, where=f"@pytest.mark.{MARKER}: "):
            asked_runs(options)


def add_marker(config: pytest.Config) -> None:
    """Declare the marker."""
    arguments = ", ".join(f"{option}=…" for option in OPTIONS)
    config.addinivalue_line("markers", f"{MARKER}({arguments}): how the fixture qstash_fake behaves in this test")


def of_ini(config: pytest.Config) -> dict[str, Any]:
    """Return the options that the ini file sets."""
    if _OF_INI not in config.stash:
        config.stash[_OF_INI] = {
            option: value for option in OPTIONS if (value := _ini(config, option)) not in (None, "")
        }
    return config.stash[_OF_INI]


def of_marker(node: pytest.Item | pytest.Collector) -> dict[str, Any]:
    """Return the options that the markers of *node*, its class and its module set; the closest counts."""
    options: dict[str, Any] = {}
    for marker in reversed(list(node.iter_markers(MARKER))):
        unknown = sorted(marker.kwargs.keys() - OPTIONS.keys())
        if marker.args or unknown:
            wrong = _unknown(unknown) if unknown else f"no keyword for {marker.args[0]!r}"
            known = ", ".join(f"{option}=" for option in OPTIONS)
            pytest.fail(f"@pytest.mark.{MARKER}: {wrong}; it takes {known}", pytrace=False)
        options |= marker.kwargs
    with explained(ValueError, where=f"@pytest.mark.{MARKER}: "):
        for option in WORDS:
            word_of(option, options)
    return options


def in_vain(item: pytest.Item) -> str:
    """Return a sentence on a marker that does nothing, because its test takes no fake; empty if there is none.

    Markers of classes and modules are for their tests that take one. `stray=` counts without a fake, too.
    """
    given = [marker.kwargs.keys() for marker in item.own_markers if marker.name == MARKER]
    if not given or any(keys == {"stray"} for keys in given) or FIXTURE in getattr(item, "fixturenames", ()):
        return ""
    return f"@pytest.mark.{MARKER} does nothing in {item.nodeid}: the test does not take the fixture qstash_fake"


def _unknown(names: list[str]) -> str:
    from qstash_fake.protocol.keywords import did_you_mean

    return f"unknown {', '.join(f'{name}={did_you_mean(name, OPTIONS)}' for name in names)}"


def of_the_fake(options: dict[str, Any]) -> dict[str, Any]:
    """Return the *options* that are arguments of QStashFake."""
    return {option: value for option, value in options.items() if option not in OF_THE_PLUGIN}


@contextmanager
def explained(*kinds: type[Exception], where: str = "") -> Iterator[None]:
    """Fail with the sentence of an exception of these *kinds*, without its traceback."""
    try:
        yield
    except kinds as error:
        raise pytest.fail.Exception(f"{where}{error}", pytrace=False) from None


def _ini(config: pytest.Config, option: str) -> Any:
    with explained(ValueError, pytest.UsageError, where=f"ini option {MARKER}_{option}: "):
        value = config.getini(f"{MARKER}_{option}")
        parse = OPTIONS[option]
        return parse(value) if parse and value not in (None, "") else value
