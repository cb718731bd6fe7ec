"""The words of a control body: which an operation takes, and of which types.

The parameters of an operation's function are its words, their annotations the types. A parameter without a default
is needed; null is the same as not given. Knows JSON and Python's annotations, no operation.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from qstash_fake.errors import Refused

Json = dict[str, Any]

# What the types are called in an error: one value, several values.
_CALLED: Mapping[Any, tuple[str, str]] = {
    str: ("a text", "texts"),
    int: ("a whole number", "whole numbers"),
    float: ("a number", "numbers"),  # accepts whole numbers as well, as type checkers do
    bool: ("true or false", "truths"),
    list: ("a list", "lists"),
    dict: ("an object", "objects"),
}


@dataclass(frozen=True, slots=True)
class Word:
    """What one word may have: a value of the type *kind*."""

    kind: Any
    needed: bool


def words_of(function: Callable[..., Any]) -> dict[str, Word]:
    """Return the words that *function* takes after its first parameter.

    Many optional words are named by a TypedDict, `**words: Unpack[…]`.
    """
    hints = get_type_hints(function)
    words: dict[str, Word] = {}
    for one in list(inspect.signature(function).parameters.values())[1:]:
        if one.kind is one.VAR_KEYWORD:
            words |= words_in(get_args(hints[one.name])[0])
        else:
            words[one.name] = Word(hints[one.name], needed=one.default is one.empty)
    return words


def words_in(typed_dict: type) -> dict[str, Word]:
    """Return the keys of *typed_dict*, a TypedDict, as words; none of them is needed."""
    return {name: Word(kind, needed=False) for name, kind in get_type_hints(typed_dict).items()}


def checked(given: Json, words: Mapping[str, Word]) -> Json:
    """Return what *given* says in *words*, without nulls; or refuse it with 400."""
    if unknown := sorted(given.keys() - words.keys()):
        possible = f"use {', '.join(sorted(words))}" if words else "there is nothing to say"
        raise Refused(400, f"{', '.join(unknown)} means nothing here: {possible}")
    said = {name: value for name, value in given.items() if value is not None}
    for name, word in words.items():
        if name in said and not _is_a(said[name], word.kind):
            shown = json.dumps(said[name], ensure_ascii=False)
            raise Refused(400, f"{name} cannot be {shown}: it is {_called(word.kind)}")
        if name not in said and word.needed:
            raise Refused(400, f'{name} is missing: give it in a JSON body, {{"{name}": …}}')
    return said


def _is_a(value: Any, kind: Any) -> bool:
    if kind is Any:
        return True
    origin, parts = get_origin(kind) or kind, get_args(kind)
    if origin in (Union, UnionType):
        return any(_is_a(value, part) for part in parts)
    if isinstance(value, bool):
        return origin is bool  # Python counts True among the whole numbers
    if not isinstance(value, (int, float) if origin is float else origin):
        return False
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return not parts or all(_is_a(one, parts[-1]) for one in inside)


def _called(kind: Any, *, several: bool = False) -> str:
    origin, parts = get_origin(kind) or kind, get_args(kind)
    if origin in (Union, UnionType):
        return " or ".join(_called(part, several=several) for part in parts if part is not NoneType)
    called = _CALLED[origin][several]
    return called if not parts or parts[-1] is Any else f"{called} of {_called(parts[-1], several=True)}"
