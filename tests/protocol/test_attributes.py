"""Attributes that are not there: which name the error gives, and what asks for names and must not be disturbed."""

from __future__ import annotations

import copy
import pickle
import traceback
from typing import Any
from unittest import mock

import pytest

from qstash_fake.protocol import attributes
from qstash_fake.protocol.attributes import NamesWhatIsMeant


class Shop(NamesWhatIsMeant):
    """A class that a test holds."""

    def __init__(self) -> None:
        self._doors = 2

    @property
    def doors(self) -> int:
        """How many doors there are."""
        return self._doors

    @property
    def broken(self) -> Any:
        """Something that cannot be read."""
        return object().nothing  # type: ignore[attr-defined]

    def open(self) -> str:
        """Open the shop."""
        return "open"

    def _cellar(self) -> None:
        """Be private."""


class Slotted(NamesWhatIsMeant):
    __slots__ = ("_price",)


class Kiosk(Shop):
    """A class of a user's."""


@pytest.fixture(autouse=True)
def meant(monkeypatch):
    monkeypatch.setattr(attributes, "MEANT", {"Shop": {"entrances": "doors", "unlock": "key.turn"}})


def error(read):
    with pytest.raises(AttributeError) as caught:
        read()
    return str(caught.value)


@pytest.mark.parametrize("kind", [Shop, Kiosk])
@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("entrances", " (did you mean doors?)"),
        ("unlock", " (did you mean key.turn?)"),
        ("door", " (did you mean doors?)"),
        ("opn", " (did you mean open?)"),
        ("windows", ""),
        ("cellar", ""),
    ],
)
def test_what_is_not_there_is_told_with_what_is_meant(kind, name, hint):
    assert error(lambda: getattr(kind(), name)) == f"{kind.__name__!r} object has no attribute {name!r}{hint}"


@pytest.mark.parametrize("name", ["_door", "__doors__", "__wrapped__", "_doors_"])
def test_names_with_an_underscore_are_left_to_python(name):
    assert error(lambda: getattr(Shop(), name)) == f"'Shop' object has no attribute {name!r}"


def test_the_error_of_a_property_is_its_own():
    assert error(lambda: Shop().broken) == "'object' object has no attribute 'nothing'"


def test_an_object_that_is_not_made_yet_is_told_so_without_an_endless_search():
    assert error(lambda: Shop.__new__(Shop).doors) == "'Shop' object has no attribute '_doors'"
    assert "_price" in error(lambda: Slotted.__new__(Slotted)._price)  # type: ignore[attr-defined]


def test_python_adds_no_suggestion_of_its_own():
    with pytest.raises(AttributeError) as caught:
        Shop().door  # type: ignore[attr-defined]  # noqa: B018 - it raises
    shown = traceback.format_exception(caught.value)[-1]
    assert shown == "AttributeError: 'Shop' object has no attribute 'door' (did you mean doors?)\n"


def test_who_asks_what_an_object_can_do_is_answered_as_before():
    shop = Shop()
    assert [hasattr(shop, name) for name in ("doors", "windows", "entrances", "__len__")] == [True, False, False, False]
    assert getattr(shop, "windows", "none") == "none"
    assert copy.copy(shop).doors == copy.deepcopy(shop).doors == pickle.loads(pickle.dumps(shop)).doors == 2
    assert not hasattr(mock.create_autospec(shop), "windows")
    assert "entrances" not in dir(shop)


def test_the_failure_ends_at_the_line_of_the_test():
    with pytest.raises(AttributeError) as caught:
        Shop().windows  # type: ignore[attr-defined]  # noqa: B018 - it raises
    assert str(caught.traceback.filter(caught)[-1].path) == __file__
