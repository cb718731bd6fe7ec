"""The record of calls: all of them, each with what it was answered and what it made, and no secret in it."""

from datetime import UTC, datetime

import pytest

from qstash_fake.api import calls as calls_module
from qstash_fake.api.view import ApiView
from qstash_fake.broker.views import Message, view_of
from qstash_fake.errors import ConnectionDropped
from tests.shop import JOBS

PUBLISH = f"/v2/publish/{JOBS}"


@pytest.fixture
def api(qstash):
    return ApiView(qstash.api)


def test_a_call_says_when_what_and_how_it_ended(qstash, api):
    qstash.broker.observe(qstash.broker.now_ms + 1_500)
    message = qstash.publish()
    (call,) = api.calls
    assert (call.at, call.method, call.path) == (datetime(2026, 1, 1, 0, 0, 1, 500_000, UTC), "POST", PUBLISH)
    assert (call.status, call.error, call.messages) == (201, None, (view_of(Message, message),))
    assert repr(call) == f"<ApiCall 2026-01-01T00:00:01.500000 POST {PUBLISH} 201>"


def test_a_call_has_the_messages_that_it_made_in_their_order(qstash, api):
    endpoints = {"endpoints": [{"url": f"{JOBS}/1"}, {"url": f"{JOBS}/2"}]}
    qstash.call("POST", "/v2/topics/shops/endpoints", (), endpoints)
    qstash.call("POST", "/v2/publish/shops")
    qstash.call("POST", "/v2/batch", (), [{"destination": f"{JOBS}/3"}, {"destination": "shops"}])
    assert [[message.url[-1] for message in call.messages] for call in api.calls] == [[], ["1", "2"], ["3", "1", "2"]]


def test_a_redrive_has_the_message_that_it_made(qstash, api):
    dead = qstash.dead_letter()
    qstash.call("POST", f"/v2/dlq/retry/{dead}")
    assert api.calls[-1].messages == (view_of(Message, list(qstash.broker.messages.values())[-1]),)


def test_a_repetition_is_a_call_that_made_nothing(qstash, api):
    for _ in range(2):
        qstash.call("POST", PUBLISH, {"Upstash-Deduplication-Id": "order-7"})
    assert [(call.status, len(call.messages)) for call in api.calls] == [(201, 1), (202, 0)]


@pytest.mark.parametrize(
    ("asked", "status", "error"),
    [
        (("POST", f"{PUBLISH}/a b"), 400, "invalid destination url: 'https://shop.example/jobs/a b' "),
        (("GET", "/v2/queues/nobody"), 404, "queue nobody not found"),
        (("POST", "/v2/nowhere"), 404, "POST /v2/nowhere not found"),
        (("GET", "/v2/batch"), 405, "Method Not Allowed"),
        (("POST", "/v1/wait/event"), 501, "POST /v1/wait/event is not simulated by qstash_fake"),
    ],
)
def test_a_refused_call_says_why(qstash, api, asked, status, error):
    qstash.call(*asked)
    (call,) = api.calls
    assert (call.method, call.path, call.status, call.messages) == (*asked, status, ())
    assert call.error.startswith(error)
    assert repr(call).endswith(f" {' '.join(asked)} {status} {call.error}>")


def test_a_call_that_is_not_let_in_is_a_call(qstash, api):
    qstash.api.answer("POST", PUBLISH, [], b"")
    (call,) = api.calls
    assert (call.status, call.error) == (401, "unable to authenticate: invalid token")


def test_faults_are_calls_and_a_dropped_connection_has_no_status(qstash, api):
    api.fail("burst")
    qstash.call("POST", PUBLISH)
    api.drop_connection()
    with pytest.raises(ConnectionDropped):
        qstash.call("POST", PUBLISH)
    assert [(call.status, call.error, call.messages) for call in api.calls] == [
        (429, "Exceeded burst rate limit.", ()),
        (0, "qstash_fake was told to drop this connection", ()),
    ]


def test_an_error_of_our_own_is_a_call(qstash, api, monkeypatch):
    monkeypatch.setattr(qstash.broker, "find_message", lambda _: 1 / 0)
    qstash.call("GET", "/v2/messages/msg_1")
    assert [(call.status, call.error) for call in api.calls] == [
        (500, "qstash_fake failed: ZeroDivisionError('division by zero')")
    ]


def test_neither_tokens_nor_queries_are_shown(make_qstash):
    qstash = make_qstash(token="secret")
    api = ApiView(qstash.api)
    for target in (
        f"{PUBLISH}?key=hidden&qstash_token=secret",
        f"{PUBLISH}/a b?key=hidden&qstash_token=secret",
        "/v2/queues?qstash_token=wrong-secret",
    ):
        qstash.api.answer("POST", target, [], b"")
    qstash.call("GET", "/v2/nowhere?key=hidden")
    assert [call.status for call in api.calls] == [201, 400, 401, 404]
    shown = repr(api.calls) + "".join(f"{call.path} {call.error}" for call in api.calls)
    assert "hidden" not in shown
    assert "secret" not in shown
    assert "invalid destination url: 'https://shop.example/jobs/a b?…'" in shown


def test_the_newest_calls_are_kept(make_qstash, monkeypatch):
    monkeypatch.setattr(calls_module, "MAX_CALLS", 3)
    qstash = make_qstash()
    for name in "abcde":
        qstash.call("GET", f"/v2/queues/{name}")
    assert [call.path for call in ApiView(qstash.api).calls] == [f"/v2/queues/{name}" for name in "cde"]


def test_calls_are_a_snapshot_that_nothing_can_change(qstash, api):
    qstash.publish()
    calls = api.calls
    qstash.publish()
    assert (len(calls), len(api.calls)) == (1, 2)
    with pytest.raises(AttributeError):
        calls[0].status = 500


def test_a_reset_forgets_them(qstash, api):
    qstash.publish()
    qstash.api.reset()
    assert api.calls == []
