"""Header names as Go spells them, and header values between bytes and text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qstash_fake.protocol.http import canonical, decode, encode, first, header_map, is_token, text, value_bytes, wire


@pytest.mark.parametrize(
    ("name", "spelled"),
    [
        ("content-type", "Content-Type"),
        ("CONTENT-TYPE", "Content-Type"),
        ("test-header", "Test-Header"),
        ("bypass-tunnel-reminder", "Bypass-Tunnel-Reminder"),
        ("x", "X"),
        ("etag", "Etag"),
        ("www-authenticate", "Www-Authenticate"),
        ("x_y-z", "X_y-Z"),
        ("-a--b-", "-A--B-"),
        ("1a-2b", "1a-2b"),
        ("", ""),
        ("no token", "no token"),
        ("caf\xe9", "caf\xe9"),
    ],
)
def test_a_name_is_spelled_as_go_does(name, spelled):
    assert canonical(name) == spelled


@given(st.text())
def test_the_spelling_of_a_spelling_is_the_same(name):
    assert canonical(canonical(name)) == canonical(name)


@pytest.mark.parametrize("name", ["a", "X-Shop", "!#$%&'*+-.^_`|~", "0"])
def test_a_token_can_be_a_header_name(name):
    assert is_token(name)


@pytest.mark.parametrize("name", ["", " ", "a b", "a:", "a\n", "\xe9", "a/b", "(a)", "a\0"])
def test_what_is_no_token_can_not(name):
    assert not is_token(name)


def test_a_map_joins_the_values_of_one_name_in_order():
    pairs = [("x-a", "1"), ("X-B", "2"), ("X-A", "3"), ("x-A", "1")]
    assert header_map(pairs) == {"X-A": ["1", "3", "1"], "X-B": ["2"]}


def test_a_map_of_nothing_is_empty():
    assert header_map([]) == {}


def test_the_first_value_of_a_name_in_any_case_is_found():
    pairs = [("X-A", "1"), ("x-a", "2")]
    assert (first(pairs, "x-a"), first(pairs, "x-b")) == ("1", None)


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("plain", "plain"),
        ("caf\xc3\xa9", "caf\xe9"),
        ("caf\xe9", "caf\xe9"),
        ("\xe6\x97\xa5", "\u65e5"),
        ("\u65e5", "\u65e5"),
    ],
)
def test_a_value_is_read_as_utf_8_where_it_is_that(value, read):
    assert text(value) == read


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_text_comes_back_from_the_wire(value):
    assert text(wire(value)) == value


def test_a_value_without_an_encoding_has_question_marks_in_its_place():
    lone = "caf\udce9 \ud83d"  # halves of surrogate pairs, which a test can write and UTF-8 cannot
    assert (wire(lone), value_bytes(lone), encode([("X", lone)])) == ("caf? ?", b"caf? ?", [(b"X", b"caf? ?")])


@given(st.lists(st.tuples(st.text("abcXYZ-", min_size=1).map(str.encode), st.binary())))
def test_headers_off_the_wire_go_back_byte_for_byte(pairs):
    assert encode(decode(pairs)) == pairs


def test_a_header_off_the_wire_is_a_character_for_each_byte():
    assert decode([(b"X-A", b"caf\xc3\xa9"), (b"x-a", b"caf\xe9")]) == (("X-A", "caf\xc3\xa9"), ("x-a", "caf\xe9"))


def test_a_value_that_is_no_bytes_goes_as_utf_8():
    assert encode([("X-A", "\u65e5"), ("X-B", "\xe9")]) == [(b"X-A", "\u65e5".encode()), (b"X-B", b"\xe9")]
