"""In what a value differs from the one that was asked for, and how that is put."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qstash_fake.testing.differences import as_json, cut, json_difference, json_test, show, unlike


@pytest.mark.parametrize(
    ("wanted", "actual", "difference"),
    [
        ({}, {"a": 1}, None),
        ({"a": {"b": 1}}, {"a": {"b": 1, "c": 2}, "d": 3}, None),
        ({"a": 1}, {"b": 1}, ".a: expected 1, there is none"),
        ({"a": None}, {}, ".a: expected null, there is none"),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, ".a.b: expected 1, got 2"),
        ({"a": "7"}, {"a": 7}, '.a: expected "7", got 7'),
        ({"a": True}, {"a": 1}, ".a: expected true, got 1"),
        ({"a": 0}, {"a": False}, ".a: expected 0, got false"),
        ({"a": [1, True]}, {"a": [1, 1]}, ".a[1]: expected true, got 1"),
        ({"a": 1}, {"a": 1.0}, None),
        ({"a": (1, 2)}, {"a": [1, 2]}, None),
        ([1, 2], [1, 2], None),
        ([1], [1, 2], "expected [1], got [1, 2]"),
        ([{"a": 1}], [{"a": 1, "b": 2}], "[0].b: not expected, got 2"),
        ([{"a": {}}], [{"a": {"b": None}}], "[0].a.b: not expected, got null"),
        ({}, [], "expected {}, got []"),
        (None, None, None),
        (None, {}, "expected null, got {}"),
    ],
)
def test_json_is_a_subset_for_objects_and_equal_otherwise(wanted, actual, difference):
    assert json_difference(wanted, actual) == difference
    assert json_test(wanted)(actual) is (difference is None)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 1) | st.floats(0, 1) | st.text("a", max_size=1),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=6,
)


@given(VALUES, VALUES)
def test_a_value_matches_just_when_there_is_no_difference(wanted, actual):
    assert json_test(wanted)(actual) is (json_difference(wanted, actual) is None)


def test_long_texts_are_shown_from_where_they_differ():
    wanted, actual = "a" * 250 + "x", "a" * 250 + "y"
    assert unlike(wanted, actual) == f"from character 250 on expected …{'a' * 20}x, got …{'a' * 20}y"
    assert unlike("x" + wanted, actual) == f"expected x{'a' * 199}… (252 characters), got {'a' * 200}… (251 characters)"
    assert unlike("a", "b") == "expected a, got b"


def test_values_are_shown_as_in_code():
    assert show("7") == "'7'"
    assert show(7) == "7"
    assert show(re.compile("a+")) == "/a+/"
    assert show(cut) == "cut"
    assert as_json({1: "é", "when": {2}}) == '{"1": "é", "when": "{2}"}'
    assert as_json({(1, 2): 3}) == "{(1, 2): 3}"
