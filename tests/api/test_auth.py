"""Who may call the API."""

import json

import pytest

from qstash_fake.api.auth import Auth
from qstash_fake.errors import Refused

REFUSAL = (401, {"error": "unable to authenticate: invalid token"})


def status_and_json(reply):
    return reply.status, json.loads(reply.body)


def test_any_token_is_let_in_unless_one_is_named(make_qstash):
    api = make_qstash().api
    assert api.answer("GET", "/v2/queues", [("Authorization", "Bearer anything")], b"").status == 200


@pytest.mark.protocol("error unable to authenticate: invalid token")
@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("Authorization", "")],
        [("Authorization", "Bearer")],
        [("Authorization", "Bearer ")],
        [("Authorization", "Basic c2VjcmV0")],
        [("X-Authorization", "Bearer secret")],
    ],
)
def test_a_call_without_a_token_is_refused_even_if_any_token_would_do(make_qstash, headers):
    assert status_and_json(make_qstash().api.answer("GET", "/v2/queues", headers, b"")) == REFUSAL


@pytest.mark.protocol("error unable to authenticate: invalid token")
@pytest.mark.parametrize("given", ["wrong", "secre", "secrets", "SECRET", "s\xe9cret"])
def test_a_token_other_than_the_one_named_is_refused(make_qstash, given):
    api = make_qstash(token="secret").api
    assert status_and_json(api.answer("GET", "/v2/queues", [("Authorization", f"Bearer {given}")], b"")) == REFUSAL


@pytest.mark.parametrize("header", ["Bearer secret", "bearer secret", "BEARER secret", "Bearer  secret "])
def test_the_scheme_is_read_in_any_case_and_blanks_around_the_token_do_not_count(make_qstash, header):
    api = make_qstash(token="secret").api
    assert api.answer("GET", "/v2/queues", [("authorization", header)], b"").status == 200


@pytest.mark.protocol("rule every config header may also be a query parameter")
@pytest.mark.parametrize(
    "target",
    [
        "/v2/queues?qstash_token=secret",
        "/v2/queues/?qstash_token=s%65cret",
        "/v2/publish/https://shop.example/jobs?qstash_token=secret",
        "/v2/publish/https://shop.example/jobs?to=https://a.example/?b=1&qstash_token=secret",
        "/v2/publish/https://shop.example/jobs?to=https://a.example/?qstash_token=secret",
    ],
)
def test_the_token_may_stand_in_the_query(make_qstash, target):
    method = "POST" if "publish" in target else "GET"
    assert make_qstash(token="secret").api.answer(method, target, [], b"").status in (200, 201)


def test_each_of_several_tokens_is_let_in(make_qstash):
    api = make_qstash(token=["first", "second"]).api
    statuses = [
        api.answer("GET", "/v2/queues", [("Authorization", f"Bearer {token}")], b"").status
        for token in ("first", "second", "third")
    ]
    assert statuses == [200, 200, 401]


@pytest.mark.protocol("4.11 read-only token")
def test_a_read_only_token_may_get_and_nothing_else(make_qstash):
    client = make_qstash(token="full", read_only="reader")
    headers = [("Authorization", "Bearer reader")]
    assert client.api.answer("GET", "/v2/queues", headers, b"").status == 200
    for method, target in [
        ("POST", "/v2/publish/https://shop.example/jobs"),
        ("DELETE", "/v2/messages"),
        ("PATCH", "/v2/schedules/nightly/pause"),
    ]:
        assert client.api.answer(method, target, headers, b"").status == 403
    assert not client.broker.messages


@pytest.mark.parametrize("target", ["/v2/nowhere", "/v2/workflows/runs", "/v2/messages/msg_1"])
def test_who_may_not_call_learns_nothing_about_the_paths(make_qstash, target):
    client = make_qstash(token="secret")
    assert status_and_json(client.api.answer("GET", target, [("Authorization", "Bearer wrong")], b"")) == REFUSAL
    assert not client.api.problems


def test_tokens_are_not_shown():
    assert "secret" not in repr(Auth("secret", read_only=["reader-secret"]))


def test_the_empty_text_is_no_token_though_it_be_named():
    with pytest.raises(Refused, match="unable to authenticate"):
        Auth("").check("GET", [("Authorization", "Bearer ")], "")


@pytest.mark.parametrize("target", ["/v2/keys/rotate", "/v2/Keys/Rotate/"])
def test_a_read_only_token_does_not_rotate_the_keys_with_a_get(make_qstash, target):
    api = make_qstash().api
    api.auth = Auth(None, "reader")
    assert api.answer("GET", target, [("Authorization", "Bearer reader")], b"").status == 403
    assert api.answer("GET", target, [("Authorization", "Bearer writer")], b"").status == 200
