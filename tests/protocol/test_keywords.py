"""Keywords: what `help()` shows of a method's, and what an unknown one is answered."""

from __future__ import annotations

import inspect
from typing import Any, TypedDict, Unpack

import pytest

from qstash_fake.protocol.keywords import did_you_mean, keywords, made_by_the_fake


class Asked(TypedDict, total=False):
    colour: str
    size: int


def shop() -> Any:
    """Made in each test: a decorator does its work when a class is defined."""

    class Shop:
        @keywords()
        def __init__(self, *, name: str = "corner"):
            self.name = name

        @keywords()
        def open(self, hour: int, *, door: str = "front") -> str:
            """Open the shop."""
            return f"{self.name} {hour} {door}"

        @keywords(Asked)
        def sold(self, item: str, **asked: Unpack[Asked]) -> tuple[str, Asked]:
            return item, asked

    return Shop


def test_a_call_with_known_keywords_goes_through():
    Shop = shop()  # noqa: N806 - a class
    assert Shop(name="market").open(9, door="back") == "market 9 back"
    assert Shop().open(hour=8) == "corner 8 front"
    assert Shop().sold("tea", size=3) == ("tea", {"size": 3})


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda shop: shop().open(9, dor="back"), "open() has no dor= (did you mean door=?); it takes hour=, door="),
        (lambda shop: shop().open(9, at=7), "open() has no at=; it takes hour=, door="),
        (
            lambda shop: shop().sold("tea", color="red"),
            "sold() has no color= (did you mean colour=?); it takes item=, colour=, size=",
        ),
        (lambda shop: shop(nam="market"), "Shop() has no nam= (did you mean name=?); it takes name="),
        (lambda shop: shop().sold("tea", self=1), "sold() has no self=; it takes item=, colour=, size="),
    ],
)
def test_an_unknown_keyword_is_refused_with_all_that_there_are(call, sentence):
    with pytest.raises(TypeError) as caught:
        call(shop())
    assert str(caught.value).removeprefix("shop.<locals>.") == sentence  # where the class is defined


def test_a_word_that_is_taken_for_a_keyword_is_told_with_it():
    @keywords(meant={"gate": "door"})
    def enter(door: str = "front") -> str:
        return door

    with pytest.raises(TypeError, match=r"^enter\(\) has no gate= \(did you mean door=\?\); it takes door=$"):
        enter(gate="back")  # type: ignore[call-arg]
    assert enter(door="back") == "back"


def test_help_does_not_show_a_star_that_is_for_mistakes():
    @keywords()
    def enter(doors: list[str], *more: str) -> int:
        return len(doors) + len(more)

    assert str(inspect.signature(enter)) == "(doors: 'list[str]') -> 'int'"
    assert enter([], "back") == 1


def test_help_shows_each_keyword_in_the_place_of_the_stars():
    Shop = shop()  # noqa: N806 - a class
    assert str(inspect.signature(Shop.sold)) == "(self, item: 'str', *, colour=…, size=…) -> 'tuple[str, Asked]'"
    assert str(inspect.signature(Shop.open)) == "(self, hour: 'int', *, door: 'str' = 'front') -> 'str'"
    assert (Shop.open.__name__, Shop.open.__doc__) == ("open", "Open the shop.")


def test_a_refusal_shows_the_line_of_the_test_and_none_of_ours():
    with pytest.raises(TypeError) as caught:
        shop()().open(9, dor="back")
    assert str(caught.traceback.filter(caught)[-1].path) == __file__


def test_the_nearest_is_written_as_the_caller_writes_it():
    known = ["json", "jsons", "text"]
    assert did_you_mean("jsn", known) == " (did you mean json=?)"
    assert did_you_mean("jsn", known, "{!r}") == " (did you mean 'json'?)"
    assert did_you_mean("status", known) == ""


def test_what_the_fake_makes_shows_none_of_its_parameters():
    def init(self: object, inner: object) -> None:
        """Internal."""

    assert made_by_the_fake(init) is init
    assert (str(inspect.signature(init)), init.__doc__) == ("(self)", "Made by the fake.")
