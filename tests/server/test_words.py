"""The parameters of an operation's function are the words of its body."""

from typing import Any, TypedDict, Unpack

import pytest

from qstash_fake.errors import Refused
from qstash_fake.server.words import checked, words_of


class More(TypedDict, total=False):
    ratio: float
    tags: list[str | int]
    names: dict[str, str]
    anything: Any


def operation(session: object, url: str, limit: int = 10, wait: bool = False, **more: Unpack[More]) -> None:
    """Say nothing."""


WORDS = words_of(operation)


def test_the_words_are_the_parameters_without_the_first():
    assert {name: word.needed for name, word in WORDS.items()} == {
        "url": True,
        "limit": False,
        "wait": False,
        "ratio": False,
        "tags": False,
        "names": False,
        "anything": False,
    }


def test_what_is_said_comes_back_and_null_says_nothing():
    said = {"url": "x", "limit": 3, "wait": True, "ratio": 2, "tags": ["a", 1], "names": {"a": "b"}, "anything": [None]}
    assert checked(said, WORDS) == said
    assert checked({"url": "x", "limit": None}, WORDS) == {"url": "x"}


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({}, 'url is missing: give it in a JSON body, {"url": …}'),
        ({"url": None}, 'url is missing: give it in a JSON body, {"url": …}'),
        ({"url": 1}, "url cannot be 1: it is a text"),
        ({"url": "x", "limit": True}, "limit cannot be true: it is a whole number"),
        ({"url": "x", "limit": 1.0}, "limit cannot be 1.0: it is a whole number"),
        ({"url": "x", "wait": 1}, "wait cannot be 1: it is true or false"),
        ({"url": "x", "ratio": "é"}, 'ratio cannot be "é": it is a number'),
        ({"url": "x", "tags": "a"}, 'tags cannot be "a": it is a list of texts or whole numbers'),
        ({"url": "x", "tags": [False]}, "tags cannot be [false]: it is a list of texts or whole numbers"),
        ({"url": "x", "names": {"a": 1}}, 'names cannot be {"a": 1}: it is an object of texts'),
        (
            {"url": "x", "b": 1, "a": 1},
            "a, b means nothing here: use anything, limit, names, ratio, tags, url, wait",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused_with_a_sentence(given, error):
    with pytest.raises(Refused) as refused:
        checked(given, WORDS)
    assert (refused.value.status, refused.value.error) == (400, error)
