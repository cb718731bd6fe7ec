"""How a value differs from the one that was asked for, and how values are shown. Knows JSON; not messages."""

from __future__ import annotations

import json as jsonlib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

MAX_TEXT = 200  # characters of a value that a failure shows

ABSENT: Any = object()
"""Stands for a value that is not there: None is a JSON value."""


def json_test(wanted: Any, *, subset: bool = True) -> Callable[[Any], bool]:
    """Return the function that tells whether a value matches *wanted*: a subset for objects, equality otherwise.

    Without *subset* objects must be equal too, as inside a list. *wanted* is taken to pieces here, once.
    """
    if isinstance(wanted, Mapping):
        parts = [(key, json_test(value, subset=subset)) for key, value in wanted.items()]

        def is_object(actual: Any) -> bool:
            if not isinstance(actual, dict):
                return bool(wanted == actual)  # never, unless it is a matcher that is a mapping
            if not subset and len(actual) != len(parts):
                return False
            for key, test in parts:  # noqa: SIM110 - all() takes twice as long
                if key not in actual or not test(actual[key]):
                    return False
            return True

        return is_object
    if isinstance(wanted, list | tuple):
        tests = [json_test(value, subset=False) for value in wanted]

        def is_list(actual: Any) -> bool:
            if not isinstance(actual, list):
                return bool(wanted == actual)
            return len(actual) == len(tests) and all(test(value) for test, value in zip(tests, actual, strict=True))

        return is_list
    return lambda actual: bool(wanted == actual) and not _is_boolean_and_number(wanted, actual)


def json_difference(wanted: Any, actual: Any) -> str | None:
    """Return the first place where *actual* differs, None if it matches."""
    for path, place_wanted, place_actual in _json_differences(wanted, actual, "", subset=True):
        if place_actual is ABSENT:
            return f"{path}: expected {as_json(place_wanted)}, there is none"
        if place_wanted is ABSENT:
            return f"{path}: not expected, got {as_json(place_actual)}"
        difference = unlike(as_json(place_wanted), as_json(place_actual))
        return f"{path}: {difference}" if path else difference
    return None


def _json_differences(wanted: Any, actual: Any, path: str, *, subset: bool) -> Iterator[tuple[str, Any, Any]]:
    """Yield the places that differ, each with the value that was asked for and the one that is there, or ABSENT."""
    if isinstance(wanted, Mapping) and isinstance(actual, Mapping):
        for key in [*wanted, *(key for key in actual if key not in wanted and not subset)]:
            place = f"{path}.{key}"
            if key in wanted and key in actual:
                yield from _json_differences(wanted[key], actual[key], place, subset=subset)
            else:
                yield place, wanted.get(key, ABSENT), actual.get(key, ABSENT)
    elif isinstance(wanted, (list, tuple)) and isinstance(actual, list) and len(wanted) == len(actual):
        for index, pair in enumerate(zip(wanted, actual, strict=True)):
            yield from _json_differences(*pair, f"{path}[{index}]", subset=False)
    elif wanted != actual or _is_boolean_and_number(wanted, actual):
        yield path, wanted, actual


def _is_boolean_and_number(one: Any, other: Any) -> bool:
    """Tell whether two values are equal for Python and different in JSON: True and 1."""
    return (
        isinstance(one, int | float) and isinstance(other, int | float) and (type(one) is bool) != (type(other) is bool)
    )


def unlike(wanted: str, actual: str) -> str:
    """Say how two texts differ; of long ones, from where on."""
    pairs = enumerate(zip(wanted, actual, strict=False))
    same = next((index for index, (one, other) in pairs if one != other), min(len(wanted), len(actual)))
    if max(len(wanted), len(actual)) <= MAX_TEXT or same < MAX_TEXT // 2:
        return f"expected {cut(wanted)}, got {cut(actual)}"
    start = same - 20  # a little of what is equal, to find the place
    return f"from character {same} on expected …{cut(wanted[start:])}, got …{cut(actual[start:])}"


def show(value: Any) -> str:
    """Return *value* as it stands in code, a regex between slashes, a function by its name."""
    if isinstance(value, re.Pattern):
        return f"/{value.pattern}/"
    if callable(value):
        return str(getattr(value, "__qualname__", value)).rpartition(".<locals>.")[2]
    return cut(repr(value))


def as_json(value: Any) -> str:
    """Return *value* as JSON; parts that JSON does not know stand as in code."""
    try:
        return jsonlib.dumps(value, ensure_ascii=False, default=repr)
    except (TypeError, ValueError):
        return repr(value)


def as_text(body: bytes) -> str:
    """Return *body* as text, bytes that are not UTF-8 with backslashes."""
    return body.decode("utf-8", "backslashreplace")


def cut(text: str) -> str:
    """Return *text*, or its beginning and its length."""
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}… ({len(text)} characters)"
