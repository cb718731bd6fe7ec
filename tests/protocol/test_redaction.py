"""Redaction: what `Upstash-Redact-Fields` hides, and how a hidden value looks."""

import dataclasses
from hashlib import sha256

import pytest

from qstash_fake.protocol.http import decode
from qstash_fake.protocol.redaction import NOTHING, Redaction

pytestmark = pytest.mark.protocol("4.10 all of it")

HELLO = "REDACTED:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"  # printf hello | sha256sum
HEADERS = [("Authorization", "hello"), ("X-Team", "blue"), ("authorization", "hello")]


@pytest.mark.parametrize(
    ("text", "redaction"),
    [
        ("body", Redaction(body=True)),
        ("header", Redaction(all_headers=True)),
        ("headers", Redaction(all_headers=True)),
        ("body, headers", Redaction(body=True, all_headers=True)),
        (
            "body, header[Authorization]",
            Redaction(body=True, header_names=frozenset({"authorization"})),
        ),
        (
            "header[A],headers[b] , HEADER[ A ]",
            Redaction(header_names=frozenset({"a", "b"})),
        ),
        ("BODY,body", Redaction(body=True)),
        ("header[X],header", Redaction(all_headers=True, header_names=frozenset({"x"}))),
        ("", NOTHING),
        (" , ", NOTHING),
    ],
)
def test_the_fields_are_a_list_of_body_header_and_header_names_in_any_case(text, redaction):
    assert Redaction.parse(text) == redaction


@pytest.mark.parametrize(
    "text",
    [
        "url",
        "body[x]",
        "header[]",
        "header[",
        "header]",
        "header[a][b]",
        "header[a b]",
        "bodies",
        "header[é]",
    ],
)
def test_an_unknown_field_is_refused_by_name(text):
    with pytest.raises(ValueError, match="cannot redact") as caught:
        Redaction.parse(f"body, {text}")
    assert repr(text) in str(caught.value)


def test_a_redacted_body_is_shown_as_its_sha256():
    assert Redaction(body=True).redact_body(b"hello") == HELLO.encode()


def test_an_empty_body_has_nothing_to_hide():
    assert Redaction(body=True).redact_body(b"") == b""


def test_a_body_that_is_not_redacted_is_shown_as_it_is():
    assert Redaction(all_headers=True).redact_body(b"hello") == b"hello"


def test_only_the_named_header_is_hidden_whatever_its_case():
    shown = Redaction.parse("header[AUTHORIZATION]").redact_headers(HEADERS)
    assert shown == (("Authorization", HELLO), ("X-Team", "blue"), ("authorization", HELLO))


def test_all_headers_are_hidden_without_a_name():
    shown = Redaction.parse("headers").redact_headers(HEADERS)
    assert [name for name, _ in shown] == ["Authorization", "X-Team", "authorization"]
    assert all(value.startswith("REDACTED:") and len(value) == 73 for _, value in shown)


def test_a_header_of_any_text_can_be_hidden():
    ((_, shown),) = Redaction(all_headers=True).redact_headers([("X", "caf\u00e9 \udc80 \ud800")])
    assert shown.startswith("REDACTED:")


def test_nothing_hides_nothing():
    assert NOTHING.redact_body(b"hello") == b"hello"
    assert NOTHING.redact_headers(HEADERS) == tuple(HEADERS)


def test_a_redaction_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        NOTHING.body = True  # type: ignore[misc]


@pytest.mark.parametrize("sent", ["caf\xe9".encode(), b"caf\xe9", b"\xff"])
def test_the_hash_of_a_header_is_that_of_the_bytes_that_are_sent(sent):
    (shown,) = Redaction(all_headers=True).redact_headers(decode([(b"X-Team", sent)]))
    assert shown == ("X-Team", f"REDACTED:{sha256(sent).hexdigest()}")


@pytest.mark.parametrize(("text", "hides"), [("", False), ("body", True), ("header", True), ("header[X-Key]", True)])
def test_a_redaction_tells_whether_it_hides_anything(text, hides):
    assert bool(Redaction.parse(text)) is hides
