"""Filters: alternatives within one, all of them together, and names and values that are refused."""

from __future__ import annotations

import pytest

from qstash_fake.broker.filters import DEAD_LETTERS, LOGS, MESSAGES, parse_filter
from qstash_fake.broker.url_groups import Endpoint
from qstash_fake.errors import Refused
from tests.shop import START_MS

SHOP, API = "https://shop.example:8443/jobs?x=1", "https://api.example"


@pytest.fixture
def some(bench):
    bench.broker.url_groups.upsert("news", [Endpoint(url="https://news.example/in")], 0)
    bench.publish("a", SHOP, label="one,two", queue_name="jobs")
    bench.broker.observe(bench.broker.now_ms + 1_000)
    bench.publish("b", API, label="two", flow_control_key="k", flow_control_value="rate=1")
    bench.broker.observe(bench.broker.now_ms + 1_000)
    bench.publish("c", "news", retries=0)
    bench.schedule("d", API, cron="* * * * *", schedule_id="nightly")
    bench.broker.schedules.by_id["nightly"].trigger()
    return bench


def found(bench, **given):
    wanted = parse_filter(
        {name: value if isinstance(value, list) else [value] for name, value in given.items()}, MESSAGES
    )
    return "".join(message.text for message in bench.broker.messages.values() if wanted.message(message))


@pytest.mark.parametrize(
    ("given", "bodies"),
    [
        ({}, "abcd"),
        ({"topicName": "news"}, "c"),
        ({"queueName": "jobs"}, "a"),
        ({"scheduleId": "nightly"}, "d"),
        ({"url": SHOP}, "a"),
        ({"url": API}, "bd"),
        ({"url": "https://shop.example:8443/jobs"}, ""),
        ({"host": "shop.example:8443"}, "a"),
        ({"path": "/jobs"}, "a"),
        ({"path": "/"}, "bd"),
        ({"label": "two"}, "ab"),
        ({"label": "one"}, "a"),
        ({"flowControlKey": "k"}, "b"),
        ({"callerIp": "203.0.113.7"}, "abcd"),
        ({"callerIP": "203.0.113.8"}, ""),
        ({"api": "llm"}, ""),
    ],
    ids=str,
)
def test_each_filter_compares_what_it_is_named_for(some, given, bodies):
    assert found(some, **given) == bodies


def test_values_of_one_filter_are_alternatives_repeated_or_separated_by_commas(some):
    assert found(some, queueName=["jobs", "mail"]) == "a"
    assert found(some, label="one, nothing") == "a"
    ids = list(some.broker.messages)
    assert found(some, messageIds=[ids[0], ids[2]]) == "ac"
    assert found(some, messageIds=f"{ids[0]},{ids[2]}") == "ac"


def test_a_filter_in_two_spellings_is_one(some):
    assert found(some, queueName="jobs", QUEUENAME="mail") == "a"
    assert found(some, queueName="mail", QUEUENAME="jobs") == "a"


def test_a_value_with_commas_of_its_own_matches_as_a_whole(bench):
    bench.publish("a", "https://shop.example/x,y")
    assert found(bench, url="https://shop.example/x,y") == "a"


def test_different_filters_must_all_hold(some):
    assert found(some, label="two", queueName="jobs") == "a"
    assert found(some, label="one", flowControlKey="k") == ""


def test_dates_are_those_of_the_creation_both_inclusive(some):
    assert found(some, fromDate=str(START_MS + 1_000)) == "bcd"
    assert found(some, toDate=str(START_MS + 1_000)) == "ab"
    assert found(some, fromDate=str(START_MS + 1_000), toDate=str(START_MS + 1_000)) == "b"
    assert found(some, fromDate=str(START_MS + 1_001), toDate=str(START_MS + 1_999)) == ""
    assert found(some, toDate="9" * 18) == "abcd"


@pytest.mark.parametrize("value", ["yesterday", "-1", "1.5", "", "9" * 19])
def test_a_date_that_is_no_time_in_milliseconds_is_refused(value):
    with pytest.raises(Refused, match=f"^invalid fromDate: '{value}' is not a time in unix milliseconds$"):
        parse_filter({"fromDate": [value]}, MESSAGES)


@pytest.mark.parametrize(
    ("name", "known"),
    [("labeel", MESSAGES), ("host", DEAD_LETTERS), ("path", DEAD_LETTERS), ("dlqIds", MESSAGES), ("state", MESSAGES)],
)
def test_an_unknown_filter_is_refused(name, known):
    with pytest.raises(Refused, match=f"unknown filter '{name}'"):
        parse_filter({name: ["x"]}, known)


def test_dead_letters_are_found_by_id_status_and_what_their_message_says(some):
    some.answers = {"a": [503] * 4, "c": [404]}
    some.advance(86_400)
    dead = list(some.broker.dead_letters.values())

    def found_dead(**given):
        wanted = parse_filter({name: [value] for name, value in given.items()}, DEAD_LETTERS)
        return "".join(one.message.text for one in dead if wanted.dead_letter(one))

    assert found_dead() == "ca"
    assert found_dead(responseStatus="404") == "c"
    assert found_dead(responseStatus="503,404") == "ca"
    assert found_dead(dlqIds=dead[1].dlq_id) == "a"
    assert found_dead(topicName="news") == "c"
    assert found_dead(responseStatus="404", queueName="jobs") == ""
    assert found_dead(source="workflow") == ""


def test_the_date_of_a_dead_letter_is_that_of_its_arrival(bench):
    bench.answers = {"a": [500, 500]}
    bench.publish("a", retries=1, retry_delay="12000")
    bench.advance(60)
    (dead,) = bench.broker.dead_letters.values()
    arrived = 1_767_225_612_000
    assert parse_filter({"fromDate": [str(arrived)]}, DEAD_LETTERS).dead_letter(dead)
    assert not parse_filter({"toDate": [str(arrived - 1)]}, DEAD_LETTERS).dead_letter(dead)


@pytest.mark.parametrize(
    ("state", "states"),
    [
        ("CREATED", ["CREATED", "CREATED", "CREATED"]),
        ("IN_PROGRESS", ["ACTIVE", "ERROR", "RETRY", "ACTIVE", "ERROR"]),
        ("ERROR,RETRY", ["ERROR", "RETRY", "ERROR"]),
        ("FAILED", ["FAILED"]),
        ("CANCELED", ["CANCELED"]),
        ("CANCELLED", ["CANCELED"]),
        ("CANCELLED,FAILED", ["CANCELED", "FAILED"]),
        ("CANCEL_REQUESTED", ["CANCEL_REQUESTED"]),
        ("", []),
    ],
)
def test_log_entries_are_found_by_state(bench, state, states):
    bench.answers, bench.takes = {"a": [500, 500]}, {"a": 1}
    bench.broker.cancel([bench.publish("b", delay="1h")])
    bench.publish("a", retries=1, retry_delay="12000")
    bench.advance(14)
    bench.publish("c")
    wanted = parse_filter({"state": [state]}, LOGS)
    assert [str(entry.state) for entry in bench.broker.journal.entries() if wanted.log(entry)] == states


def test_the_date_of_a_log_entry_is_its_own(bench):
    bench.publish("a", delay="10s")
    bench.advance(10)
    wanted = parse_filter({"fromDate": ["1767225610000"]}, LOGS)
    assert [str(entry.state) for entry in bench.broker.journal.entries() if wanted.log(entry)] == [
        "ACTIVE",
        "DELIVERED",
    ]
