"""Which options count for a test: those of its markers, and for the others those of the ini file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from qstash_fake.plugin import MARKER, OPTIONS

_OF_INI: pytest.StashKey[dict[str, Any]] = pytest.StashKey()  # each test asks, and the file does not change
_WORDS = {option: words for option, words in OPTIONS.items() if isinstance(words, tuple)}
_OF_THE_PLUGIN = (*_WORDS, "explore", "faults")  # the others are arguments of QStashFake


def of_test(item: pytest.Item) -> dict[str, Any]:
    """Return the options that count for *item*."""
    return of_ini(item.config) | of_marker(item)


def of_ini(config: pytest.Config) -> dict[str, Any]:
    """Return the options that the ini file sets."""
    if _OF_INI not in config.stash:
        config.stash[_OF_INI] = {option: value for option in OPTIONS if (value := _ini(config, option)) is not None}
    return config.stash[_OF_INI]


def of_marker(node: pytest.Item | pytest.Collector) -> dict[str, Any]:
    """Return the options that the markers of *node*, its class and its module set; the closest counts."""
    options: dict[str, Any] = {}
    markers = list(node.iter_markers(MARKER))
    if not markers:
        return options
    for marker in reversed(markers):
        unknown = sorted(marker.kwargs.keys() - OPTIONS.keys())
        if marker.args or unknown:
            wrong = _unknown(unknown) if unknown else f"no keyword for {marker.args[0]!r}"
            known = ", ".join(f"{option}=" for option in OPTIONS)
            pytest.fail(f"@pytest.mark.{MARKER}: {wrong}; it takes {known}", pytrace=False)
        options |= marker.kwargs
    with explained(ValueError, where=f"@pytest.mark.{MARKER}: "):
        for option in _WORDS:
            word_of(option, options)
    return options


def word_of(option: str, options: dict[str, Any]) -> str:
    """Return what *options* say of *option*, or raise ValueError for an unknown word."""
    words = _WORDS[option]
    word: str = options.get(option, words[0])
    if word not in words:
        raise ValueError(f"{option}={word!r} is unknown: use one of {', '.join(map(repr, words))}")
    return word


def allows_strays(options: dict[str, Any]) -> bool:
    """Tell whether calls to QStash are let out."""
    return word_of("stray", options) == "allow"


def of_the_fake(options: dict[str, Any]) -> dict[str, Any]:
    """Return the *options* that are arguments of QStashFake."""
    return {option: value for option, value in options.items() if option not in _OF_THE_PLUGIN}


def check_exploration(options: dict[str, Any]) -> None:
    """Fail for impossible options of exploration."""
    if "explore" in options or "faults" in options:
        from qstash_fake.errors import UsageError
        from qstash_fake.plugin.exploring import asked_runs

        with explained(UsageError, TypeError, ValueError, where=f"@pytest.mark.{MARKER}: "):
            asked_runs(options)


@contextmanager
def explained(*kinds: type[Exception], where: str = "") -> Iterator[None]:
    """Fail with the sentence of an exception of these *kinds*, without its traceback."""
    try:
        yield
    except kinds as error:
        raise pytest.fail.Exception(f"{where}{error}", pytrace=False) from None


def _ini(config: pytest.Config, option: str) -> Any:
    with explained(ValueError, pytest.UsageError, where=f"ini option {MARKER}_{option}: "):
        value, kind = config.getini(f"{MARKER}_{option}"), OPTIONS[option]
        if value in (None, ""):
            return None
        return word_of(option, {option: value}) if isinstance(kind, tuple) else kind(value)


def _unknown(names: list[str]) -> str:
    from qstash_fake.protocol.keywords import did_you_mean

    return f"unknown {', '.join(f'{name}={did_you_mean(name, OPTIONS)}' for name in names)}"
