"""Deduplication: what counts as a repetition, and for how long."""

from __future__ import annotations

import pytest

from qstash_fake.broker.deduplication import Deduplication, deduplication_key
from qstash_fake.broker.journal import Note
from qstash_fake.broker.url_groups import Endpoint
from qstash_fake.protocol.options import parse_options
from qstash_fake.protocol.publish import parse_publish
from tests.shop import JOBS, START_MS


def key(body=b"x", to=JOBS, **headers):
    headers = {"content_based_deduplication": "true", **headers}
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
    upstash = [(name if name == "content-type" else f"Upstash-{name}", value) for name, value in pairs]
    request = parse_publish(to, upstash, body, caller_ip="")
    return deduplication_key(request, request.options)


def test_a_publish_that_asks_for_none_has_no_key():
    assert key(content_based_deduplication="false") is None


@pytest.mark.protocol("4.7 scope")
def test_an_id_is_the_key_whatever_is_sent_where():
    assert key(deduplication_id="a") == key(b"other", "https://api.example", deduplication_id="a", queue_name="jobs")
    assert key(deduplication_id="a") != key(deduplication_id="b")


@pytest.mark.protocol("4.7 both headers given")
def test_an_id_wins_over_the_content():
    assert key(deduplication_id="a") == key(deduplication_id="a", content_based_deduplication="false")
    assert key(deduplication_id="a") != key()


@pytest.mark.protocol("4.7 content hash inputs")
def test_equal_content_is_a_repetition_whatever_else_differs():
    assert key() == key(retries="5", delay="1m", label="late", callback="https://shop.example/callback")


def test_a_method_that_is_named_is_no_other_than_the_same_by_default():
    assert key() == key(method="POST")


@pytest.mark.protocol("4.7 content hash inputs")
@pytest.mark.parametrize(
    "other",
    [
        {"body": b"y"},
        {"to": "https://shop.example/other"},
        {"method": "PUT"},
        {"content_type": "text/plain"},
        {"forward_x_tenant": "7"},
        {"queue_name": "jobs"},
    ],
    ids=lambda other: next(iter(other)),
)
def test_other_content_is_no_repetition(other):
    assert key() != key(**other)


@pytest.mark.protocol("4.7 content hash inputs")
def test_forwarded_headers_count_in_any_order_and_case():
    one = parse_publish(
        JOBS,
        [("Upstash-Content-Based-Deduplication", "1"), ("Upstash-Forward-A", "1"), ("upstash-forward-b", "2")],
        b"",
        caller_ip="",
    )
    other = parse_publish(
        JOBS,
        [("Upstash-Forward-B", "2"), ("Upstash-Forward-a", "1"), ("Upstash-Content-Based-Deduplication", "1")],
        b"",
        caller_ip="",
    )
    assert deduplication_key(one, one.options) == deduplication_key(other, other.options)


@pytest.mark.protocol("4.7 window")
def test_the_window_is_ten_minutes_without_its_end():
    known = Deduplication[str]()
    known.register("k", ["a"], 1_000)
    assert known.find("k", 1_000) == ["a"]
    assert known.find("k", 600_999) == ["a"]
    assert known.find("k", 601_000) is None


def test_the_first_key_ends_before_the_second():
    known = Deduplication[str](window_ms=100)
    known.register("a", ["1"], 0)
    known.register("b", ["2"], 50)
    assert (known.find("a", 100), known.find("b", 100)) == (None, ["2"])


def test_a_repetition_gets_the_first_message_and_makes_none(bench):
    first = bench.broker.publish(bench.request("a", deduplication_id="once"))
    again = bench.broker.publish(bench.request("b", deduplication_id="once"))
    assert (first.deduplicated, again.deduplicated) == (False, True)
    assert first.items[0].message_id == again.items[0].message_id
    assert [message.text for message in bench.broker.messages.values()] == ["a"]
    assert len(bench.broker.journal.entries()) == 1


def test_a_repetition_is_noted_as_a_call_in_vain(bench):
    message = bench.publish("a", deduplication_id="once")
    bench.advance(60)
    bench.publish("b", deduplication_id="once")
    (note,) = (entry for entry in bench.broker.journal if isinstance(entry, Note))
    assert (note.time_ms, note.in_vain) == (START_MS + 60_000, True)
    assert note.text == f"a publish to {JOBS} is a duplicate of {message.message_id[:10]}… and made no message"


@pytest.mark.protocol("4.7 after delivery/cancel")
def test_a_delivered_message_still_blocks_its_id(bench):
    bench.publish("a", deduplication_id="once")
    bench.advance(599)
    assert bench.broker.publish(bench.request("b", deduplication_id="once")).deduplicated
    bench.advance(1)
    assert not bench.broker.publish(bench.request("c", deduplication_id="once")).deduplicated


@pytest.mark.protocol("4.7 after delivery/cancel")
def test_a_cancelled_message_still_blocks_its_id(bench):
    bench.broker.cancel([bench.publish("a", deduplication_id="once")])
    assert bench.broker.publish(bench.request("b", deduplication_id="once")).deduplicated


@pytest.mark.protocol("4.7 window")
def test_a_repetition_does_not_open_the_window_anew(bench):
    bench.publish("a", deduplication_id="once")
    bench.advance(500)
    bench.broker.publish(bench.request("b", deduplication_id="once"))
    bench.advance(100)
    assert not bench.broker.publish(bench.request("c", deduplication_id="once")).deduplicated


@pytest.mark.protocol("4.6 URL group + dedup")
def test_a_group_is_replayed_as_a_whole_as_it_was(bench):
    groups = bench.broker.url_groups
    groups.upsert("news", [Endpoint(url="https://a.example"), Endpoint(url="https://b.example")], 0)
    first = bench.broker.publish(bench.request("x", to="news", deduplication_id="once"))
    groups.upsert("news", [Endpoint(url="https://c.example")], 0)
    again = bench.broker.publish(bench.request("x", to="news", deduplication_id="once"))
    assert [item.url for item in again.items] == ["https://a.example", "https://b.example"]
    assert [item.message_id for item in again.items] == [item.message_id for item in first.items]
    assert all(item.deduplicated for item in again.items)


def test_a_group_asks_for_deduplication_by_its_defaults(bench):
    groups = bench.broker.url_groups
    groups.upsert("news", [Endpoint(url="https://a.example")], 0)
    groups.set_defaults("news", parse_options([("Upstash-Content-Based-Deduplication", "true")]), 0)
    assert [bench.broker.publish(bench.request(body, to="news")).deduplicated for body in "aab"] == [False, True, False]


def test_a_refused_publish_registers_nothing(new_bench):
    bench = new_bench(plan="free")
    for _ in range(1_000):
        bench.publish("x")
    with pytest.raises(Exception, match="Exceeded daily rate limit"):
        bench.publish("a", deduplication_id="once")
    bench.advance(86_400)
    assert not bench.broker.publish(bench.request("a", deduplication_id="once")).deduplicated


@pytest.mark.protocol("4.7 schedules")
def test_what_a_schedule_publishes_is_never_deduplicated(bench):
    bench.schedule("a", cron="* * * * *", deduplication_id="once")
    assert bench.advance(120) == [(60, "a"), (120, "a")]


def test_a_redrive_is_never_deduplicated(bench):
    bench.answers = {"a": [500, 500]}
    message = bench.publish("a", deduplication_id="once", retries=0)
    bench.advance(0)
    again = bench.broker.redrive(message.dlq_id)
    assert again is not message
    assert bench.advance(0) == [(0, "a")]
