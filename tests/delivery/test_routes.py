"""Routes: the URLs that a pattern means, which route answers, and what a route can be told to do."""

import re
from datetime import timedelta

import httpx
import pydantic
import pytest
import yarl

from qstash_fake import UsageError
from qstash_fake.broker.message import Message
from qstash_fake.delivery.mounts import Answerers
from qstash_fake.delivery.routes import url_pattern

pytestmark = pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z")

JOB = "https://shop.example/jobs/invoice"


def named(name: str):
    """Return an app that answers with its name."""
    return lambda request: httpx.Response(200, text=name)


def who_answers(fake, client, url: str) -> str:
    client.message.publish(url=url)
    fake.deliver_due()
    return str(fake.attempts[-1].body.decode())


# --- patterns -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "url", "matches"),
    [
        (JOB, JOB, True),
        (JOB, "HTTPS://SHOP.example:443/jobs/invoice", True),
        (JOB, JOB + "/", False),
        (JOB, JOB + "?copy=2", True),
        (JOB + "?copy=2", JOB + "?copy=2", True),
        (JOB + "?copy=2", JOB, False),
        (JOB + "?copy=2", JOB + "?copy=3", False),
        (JOB + "?copy=2", JOB + "?copy=2&b=1", False),
        ("https://shop.example/jobs/%69nvoice", JOB, False),
        ("https://shop.example/*", JOB, True),
        ("https://shop.example/jobs/inv*", JOB + "?copy=2", True),
        ("https://SHOP.EXAMPLE/jobs/*", JOB, True),
        ("https://shop.*", JOB, True),
        ("https://shop.example/jobs/invoice?copy=*", JOB + "?copy=2", True),
        ("https://shop.example/jobs/invoice?copy=*", JOB, False),
        ("http://shop.example/*", JOB, False),
        ("*", JOB, True),
        (re.compile(r"https://shop\.example/jobs/\w+"), JOB, True),
        (re.compile(r"https://shop\.example/jobs/\w+"), JOB + "?copy=2", False),
        (re.compile(r"/jobs/"), JOB, False),
        (re.compile(r".*/invoice(\?.*)?"), JOB + "?copy=2", True),
    ],
)
def test_what_a_pattern_matches(pattern, url, matches):
    assert url_pattern(pattern).matches(url) is matches


def test_a_pattern_that_can_match_nothing_is_refused(qstash_fake):
    with pytest.raises(UsageError, match="'/jobs/invoice' is no URL"):
        qstash_fake.on("/jobs/invoice")


@pytest.mark.parametrize("make", [httpx.URL, yarl.URL, pydantic.HttpUrl])
def test_a_url_may_be_an_object_that_shows_one(qstash_fake, client, make):
    qstash_fake.on(make(JOB)).respond(202)
    client.message.publish(url=JOB)
    qstash_fake.drain()
    assert qstash_fake.attempts[0].status == 202
    qstash_fake.assert_delivered(url=make(JOB))


def test_a_route_may_ask_for_a_method(qstash_fake, client):
    qstash_fake.on(JOB).respond(500)
    qstash_fake.on(JOB, "put").respond(200)
    client.message.publish(url=JOB, method="PUT")
    client.message.publish(url=JOB, method="POST")
    qstash_fake.deliver_due()
    assert [attempt.status for attempt in qstash_fake.attempts] == [200, 500]


# --- what routes do -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "body", "content_type"),
    [
        ({"json": {"ok": True}}, b'{"ok": true}', "application/json"),
        ({"json": []}, b"[]", "application/json"),
        ({"text": "ž"}, "ž".encode(), "text/plain; charset=utf-8"),
        ({"content": b"\xff"}, b"\xff", None),
        ({}, b"", None),
        ({"json": 1, "headers": {"content-type": "application/x"}}, b"1", "application/x"),
    ],
)
def test_respond_gives_this_answer(qstash_fake, client, answer, body, content_type):
    qstash_fake.on(JOB).respond(202, **answer)
    client.message.publish(url=JOB)
    qstash_fake.deliver_due()
    (attempt,) = qstash_fake.attempts
    assert (attempt.status, attempt.body, attempt.headers.get("Content-Type")) == (202, body, content_type)


def test_respond_takes_one_body_only(qstash_fake):
    with pytest.raises(UsageError, match="one of json=, text= and content="):
        qstash_fake.on(JOB).respond(json={}, text="x")


@pytest.mark.parametrize("status", [0, 99, 1000, "200"])
def test_respond_takes_http_statuses_only(qstash_fake, status):
    with pytest.raises(UsageError, match="the status is an HTTP status"):
        qstash_fake.on(JOB).respond(status)


def test_respond_with_gives_one_answer_after_the_other_then_way_to_the_app(qstash_fake, client):
    qstash_fake.mount(named("app"))
    answers = [503, {"status": 429, "text": "slow"}, httpx.Response(500, headers={"X-A": "1"}, content=b"own")]
    qstash_fake.on(JOB).respond_with(answers)
    client.message.publish(url=JOB)
    qstash_fake.drain()
    assert [(attempt.status, attempt.body) for attempt in qstash_fake.attempts] == [
        (503, b""),
        (429, b"slow"),
        (500, b"own"),
        (200, b"app"),
    ]
    assert qstash_fake.attempts[2].headers["X-A"] == "1"


@pytest.mark.parametrize(
    ("given", "right"),
    [
        ((503, 200), "[503, 200]"),
        ((503,), "[503]"),
        (({"status": 429}, 200), "[{'status': 429}, 200]"),
        (([503], 200), "[503, 200]"),
    ],
)
def test_respond_with_takes_a_list_and_says_which(qstash_fake, given, right):
    written = ", ".join(map(repr, given))
    with pytest.raises(UsageError) as raised:
        qstash_fake.on(JOB).respond_with(*given)
    assert str(raised.value) == (f"respond_with({written}) is not one list of answers: write respond_with({right})")


def test_respond_with_refuses_what_is_no_answer(qstash_fake):
    with pytest.raises(UsageError, match="respond_with takes statuses, dicts"):
        qstash_fake.on(JOB).respond_with(["503"])


@pytest.mark.parametrize(
    ("then", "status", "error"),
    [
        (lambda route: route.respond(201), 201, None),
        (lambda route: route.respond(202).respond(201), 201, None),
        (lambda route: route.refuse_connection(), 0, "connection refused"),
        (lambda route: route.time_out(), 0, "timeout"),
    ],
)
def test_what_is_told_after_a_list_is_answered_from_its_end_on_and_the_route_is_never_spent(
    qstash_fake, client, then, status, error
):
    qstash_fake.mount(named("app"))
    then(qstash_fake.on(JOB).respond_with([503, 502]))
    client.message.publish(url=JOB, timeout="10s")
    client.message.publish(url=JOB, delay="1d", retries=0)
    qstash_fake.drain()
    answers = [(attempt.status, attempt.error) for attempt in qstash_fake.attempts]
    assert answers[:3] == [(503, None), (502, None), (status, error)]
    assert set(answers[2:]) == {(status, error)}


def test_a_new_list_takes_the_place_of_what_was_told_before(qstash_fake, client):
    qstash_fake.mount(named("app"))
    qstash_fake.on(JOB).respond_with([503]).respond(500).respond_with([502])
    client.message.publish(url=JOB)
    qstash_fake.drain()
    assert [attempt.status for attempt in qstash_fake.attempts] == [502, 200]


def test_times_does_not_begin_a_list_again(qstash_fake, client):
    qstash_fake.mount(named("app"))
    route = qstash_fake.on(JOB).respond_with([500, 501, 502])
    client.message.publish(url=JOB)
    qstash_fake.deliver_due()
    route.times(1)
    qstash_fake.drain()
    assert [attempt.status for attempt in qstash_fake.attempts] == [500, 501, 200]


def test_refuse_connection_fails_at_once_without_an_answer(qstash_fake, client):
    qstash_fake.on(JOB).refuse_connection()
    client.message.publish(url=JOB, retries=0)
    qstash_fake.deliver_due()
    (attempt,) = qstash_fake.attempts
    assert (attempt.status, attempt.error, attempt.duration) == (0, "connection refused", timedelta(0))


@pytest.mark.parametrize(("timeout", "seconds"), [("10s", 10), (None, 900)])
def test_time_out_lasts_the_messages_timeout_else_fifteen_minutes(qstash_fake, client, timeout, seconds):
    qstash_fake.on(JOB).time_out()
    client.message.publish(url=JOB, timeout=timeout, retries=0)
    qstash_fake.drain()
    (attempt,) = qstash_fake.attempts
    assert (attempt.status, attempt.error, attempt.duration) == (0, "timeout", timedelta(seconds=seconds))


def test_takes_alone_keeps_the_answer_of_the_app(qstash_fake, client):
    qstash_fake.mount(named("app"))
    qstash_fake.on(JOB).takes("30s")
    client.message.publish(url=JOB)
    qstash_fake.drain()
    (attempt,) = qstash_fake.attempts
    assert (attempt.body, attempt.duration) == (b"app", timedelta(seconds=30))


def test_takes_goes_with_an_answer_of_its_own(qstash_fake, client):
    qstash_fake.on(JOB).respond(201).takes(1.5)
    client.message.publish(url=JOB)
    qstash_fake.drain()
    (attempt,) = qstash_fake.attempts
    assert (attempt.status, attempt.duration) == (201, timedelta(seconds=1.5))


def test_a_route_is_spent_after_times(qstash_fake, client):
    qstash_fake.mount(named("app"))
    qstash_fake.on(JOB).respond(503).times(2)
    client.message.publish(url=JOB)
    qstash_fake.drain()
    assert [attempt.status for attempt in qstash_fake.attempts] == [503, 503, 200]


def test_times_zero_is_spent_at_once_and_less_is_no_number_of_times(qstash_fake, client):
    qstash_fake.mount(named("app"))
    qstash_fake.on(JOB).respond(503).times(0)
    assert who_answers(qstash_fake, client, JOB) == "app"
    with pytest.raises(ValueError, match="is negative"):
        qstash_fake.on(JOB).times(-1)


def test_times_ends_a_list_early(qstash_fake, client):
    qstash_fake.mount(named("app"))
    qstash_fake.on(JOB).respond_with([500, 501, 502]).times(1)
    client.message.publish(url=JOB)
    qstash_fake.drain()
    assert [attempt.status for attempt in qstash_fake.attempts] == [500, 200]


def test_the_newest_route_wins_and_spent_gives_way_to_the_next_older_then_to_the_app(qstash_fake, client):
    qstash_fake.mount(named("app"))
    qstash_fake.on(JOB).respond_with([500])
    qstash_fake.on("https://shop.example/*").respond(501).times(1)
    qstash_fake.on(re.compile(".*invoice")).respond_with([502])
    client.message.publish(url=JOB)
    qstash_fake.drain()
    assert [attempt.status for attempt in qstash_fake.attempts] == [502, 501, 500, 200]


def test_age_alone_decides_between_routes_for_a_url_with_its_query_without_it_and_for_more(qstash_fake, client):
    qstash_fake.on("https://shop.example/jobs/*").respond_with([500])
    qstash_fake.on(f"{JOB}?id=7").respond_with([501])
    qstash_fake.on(JOB).respond_with([502])
    qstash_fake.on(f"{JOB}?id=8").respond_with([503])
    qstash_fake.on("*").respond_with([504])
    qstash_fake.on("HTTPS://SHOP.example:443/jobs/invoice?id=7").respond_with([201])
    for _ in range(6):
        client.message.publish(url=f"{JOB}?id=7", retries=0)
    qstash_fake.mount(named("app"))
    qstash_fake.drain()
    assert [attempt.status for attempt in qstash_fake.attempts] == [201, 504, 502, 501, 500, 200]


def test_a_route_can_be_told_to_answer_otherwise(qstash_fake, client):
    route = qstash_fake.on(JOB).time_out()
    client.message.publish(url=JOB, retries=0, timeout="10s")
    qstash_fake.drain()
    route.respond_with([503, 200])
    client.message.publish(url=JOB, retries=1)
    qstash_fake.drain()
    assert [(attempt.status, attempt.duration) for attempt in qstash_fake.attempts] == [
        (0, timedelta(seconds=10)),
        (503, timedelta(0)),
        (200, timedelta(0)),
    ]


def test_calls_are_the_attempts_that_came_to_the_route(qstash_fake, client):
    qstash_fake.mount(named("app"))
    watched = qstash_fake.on("https://shop.example/*")  # no answer of its own: the app's
    answering = qstash_fake.on(JOB).respond_with([500])
    client.message.publish(url=JOB)
    client.message.publish(url="https://other.example/")
    qstash_fake.drain()
    first, other, second = qstash_fake.attempts
    assert answering.calls == [first]
    assert watched.calls == [second]
    assert (watched.called, watched.call_count) == (True, 1)
    assert (qstash_fake.on(JOB).called, qstash_fake.on(JOB).call_count) == (False, 0)
    assert (second.retried, other.message.url) == (1, "https://other.example/")


def test_a_route_keeps_the_newest_of_many_calls_each_with_its_message(qstash_fake, client, monkeypatch):
    monkeypatch.setattr("qstash_fake.delivery.routes.MAX_DONE", 2)
    route = qstash_fake.on("https://shop.example/*").respond(200)
    for number in range(3):
        client.message.publish(url=f"https://shop.example/{number}")
    qstash_fake.drain()
    assert route.calls == qstash_fake.attempts[1:]
    assert [call.message.url for call in route.calls] == ["https://shop.example/1", "https://shop.example/2"]
    assert route.call_count == 3


def test_routes_can_be_built_in_one_chain(qstash_fake):
    route = qstash_fake.on(JOB)
    assert route.respond(200).takes("1s").times(3).respond_with([200]).refuse_connection().time_out() is route


def test_message_and_pattern_agree_on_what_a_regex_matches():
    message = Message(
        message_id="msg_1",
        sequence=1,
        url=JOB + "?copy=2",
        method="POST",
        body=b"",
        stored_headers=(),
        created_ms=0,
        due_ms=0,
        not_before_ms=0,
        max_retries=3,
    )
    answerers = Answerers()
    route = answerers.on(re.compile(r".*\?copy=\d"), None).respond(200)
    assert answerers.find(message).routes == (route,)


def test_a_route_that_answers_with_nothing_is_refused(qstash_fake):
    with pytest.raises(UsageError, match="at least one status"):
        qstash_fake.on(JOB).respond_with([])


def test_the_content_type_of_an_answer_leaves_its_other_headers(qstash_fake, client):
    qstash_fake.on(JOB).respond(500, json={}, headers={"X-Shop": "7"})
    client.message.publish(url=JOB, retries=0)
    qstash_fake.deliver_due()
    headers = client.dlq.list().messages[0].response_headers
    assert {name.lower(): values for name, values in headers.items()} == {
        "content-type": ["application/json"],
        "x-shop": ["7"],
    }


def test_calls_of_several_messages_name_each_its_own(qstash_fake, client):
    route = qstash_fake.on("https://shop.example/*").respond(200)
    for name in ("first", "second"):
        client.message.publish(url=f"https://shop.example/{name}")
    qstash_fake.deliver_due()
    assert [call.message.url for call in route.calls] == ["https://shop.example/first", "https://shop.example/second"]
