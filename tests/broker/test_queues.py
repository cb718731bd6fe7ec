"""Queues: which of their messages may start, and when."""

from __future__ import annotations

import pytest

from qstash_fake.broker.message import Outcome
from tests.times import FIRST_RETRY_S, SECOND_RETRY_S
from tests.world import start_next

CALLBACK = "https://shop.example/callback"


def reasons(bench):
    return {message.text: reason for message, reason in bench.broker.held().items()}


@pytest.mark.protocol("4.4 order")
def test_a_queue_starts_its_messages_one_after_the_other_in_publish_order(bench):
    bench.takes = {"a": 10, "b": 10, "c": 10}
    for body in "abc":
        bench.publish(body, queue_name="jobs")
    assert bench.advance(60) == [(0, "a"), (10, "b"), (20, "c")]


@pytest.mark.protocol("4.4 order")
def test_the_head_of_a_queue_blocks_it_through_all_its_retries(bench):
    bench.answers = {"a": [503, 503, 200]}
    bench.publish("a", queue_name="jobs")
    bench.publish("b", queue_name="jobs")
    assert bench.advance(300) == [
        (0, "a"),
        (FIRST_RETRY_S, "a"),
        (FIRST_RETRY_S + SECOND_RETRY_S, "a"),
        (FIRST_RETRY_S + SECOND_RETRY_S, "b"),
    ]


@pytest.mark.protocol("4.4 order")
def test_a_dead_head_gives_way_to_the_next(bench):
    bench.answers = {"a": [500]}
    bench.publish("a", queue_name="jobs", retries=0)
    bench.publish("b", queue_name="jobs")
    assert bench.advance(0) == [(0, "a"), (0, "b")]


@pytest.mark.protocol("4.4 order")
def test_a_slot_is_held_until_the_callback_is_terminal(bench):
    bench.takes = {CALLBACK: 30}
    bench.publish("a", queue_name="jobs", callback=CALLBACK)
    bench.publish("b", queue_name="jobs")
    started = bench.advance(60)
    assert [(at, body[:1]) for at, body in started] == [(0, "a"), (0, "{"), (30, "b")]


def test_a_slot_is_held_by_the_callback_of_a_callback(bench):
    bench.takes = {CALLBACK: 5}
    bench.publish("a", queue_name="jobs", callback=CALLBACK, callback_callback=CALLBACK)
    bench.publish("b", queue_name="jobs")
    assert [(at, body[:1]) for at, body in bench.advance(60)] == [(0, "a"), (0, "{"), (5, "{"), (10, "b")]


@pytest.mark.protocol("4.4 order")
def test_a_slot_is_held_through_the_retries_of_a_failure_callback(bench):
    bench.answers = {"a": [500]}
    bench.publish(
        "a", queue_name="jobs", retries=0, failure_callback="https://shop.example/failed", failure_callback_retries=1
    )
    bench.publish("b", queue_name="jobs")
    report = start_next(bench.broker)
    bench.broker.complete(report, Outcome(status=500))
    report = start_next(bench.broker)
    bench.broker.complete(report, Outcome(status=500))
    assert report.message.url == "https://shop.example/failed"
    assert [(at, body[:1]) for at, body in bench.advance(60)] == [(FIRST_RETRY_S, "{"), (FIRST_RETRY_S, "b")]


def test_the_retry_of_a_head_does_not_wait_for_its_callback(bench):
    bench.answers, bench.takes = {"a": [503]}, {CALLBACK: 3_600}
    bench.publish("a", queue_name="jobs", callback=CALLBACK)
    assert [(at, body[:1]) for at, body in bench.advance(60)] == [
        (0, "a"),
        (0, "{"),
        (FIRST_RETRY_S, "a"),
        (FIRST_RETRY_S, "{"),
    ]


def test_cancelling_the_last_holder_frees_the_slot(bench):
    bench.answers = {CALLBACK: [500]}
    bench.publish("a", queue_name="jobs", callback=CALLBACK, callback_retry_delay="3600000")
    bench.publish("b", queue_name="jobs")
    assert [(at, body[:1]) for at, body in bench.advance(60)] == [(0, "a"), (0, "{")]
    bench.broker.cancel([message for message in bench.broker.messages.values() if message.url == CALLBACK])
    assert bench.advance(0) == [(60, "b")]


@pytest.mark.protocol("4.4 parallelism N")
def test_a_queue_of_parallelism_two_has_two_heads(bench):
    bench.broker.upsert_queue("jobs", parallelism=2)
    bench.takes = dict.fromkeys("abcd", 10)
    bench.takes["b"] = 30
    for body in "abcd":
        bench.publish(body, queue_name="jobs")
    assert bench.advance(60) == [(0, "a"), (0, "b"), (10, "c"), (20, "d")]


@pytest.mark.protocol("4.4 upsert")
def test_raising_the_parallelism_starts_what_waits(bench):
    bench.takes = dict.fromkeys("ab", 10)
    bench.publish("a", queue_name="jobs")
    bench.publish("b", queue_name="jobs")
    assert bench.advance(1) == [(0, "a")]
    bench.broker.upsert_queue("jobs", parallelism=2)
    assert bench.advance(1) == [(1, "b")]


def test_lowering_the_parallelism_lets_what_has_started_go_on_and_starts_no_more(bench):
    bench.broker.upsert_queue("jobs", parallelism=2)
    bench.takes = {"a": 10, "b": 20, "c": 10}
    for body in "abc":
        bench.publish(body, queue_name="jobs")
    assert bench.advance(1) == [(0, "a"), (0, "b")]
    bench.broker.upsert_queue("jobs", parallelism=1)
    assert bench.advance(60) == [(20, "c")]


def test_lowering_the_parallelism_takes_the_place_from_a_head_that_waits_at_its_key(bench):
    bench.broker.upsert_queue("jobs", parallelism=2)
    bench.takes = {"a": 60}
    bench.publish("a", queue_name="jobs")
    bench.publish("b", queue_name="jobs", flow_control_key="k", flow_control_value="parallelism=1")
    bench.broker.pause_key("k")
    assert bench.advance(1) == [(0, "a")]
    bench.broker.upsert_queue("jobs", parallelism=1)
    bench.broker.resume_key("k")
    assert bench.advance(100) == [(60, "b")]


def test_heads_that_lose_their_place_keep_their_order(bench):
    bench.broker.upsert_queue("jobs", parallelism=3)
    bench.takes = {"a": 60}
    bench.publish("a", queue_name="jobs")
    for body, key in (("b", "k1"), ("c", "k2")):
        bench.publish(body, queue_name="jobs", flow_control_key=key, flow_control_value="parallelism=1")
        bench.broker.pause_key(key)
    assert bench.advance(1) == [(0, "a")]
    bench.broker.upsert_queue("jobs", parallelism=1)
    bench.broker.resume_key("k2")
    assert bench.advance(99) == []
    bench.broker.resume_key("k1")
    assert bench.advance(100) == [(100, "b"), (100, "c")]


def test_the_last_head_that_has_not_started_loses_its_place_first(bench):
    bench.broker.upsert_queue("jobs", parallelism=3)
    bench.takes = {"a": 60, "b": 60}
    bench.publish("a", queue_name="jobs")
    for body, key in (("b", "k1"), ("c", "k2")):
        bench.publish(body, queue_name="jobs", flow_control_key=key, flow_control_value="parallelism=1")
        bench.broker.pause_key(key)
    bench.advance(1)
    bench.broker.upsert_queue("jobs", parallelism=2)
    for key in ("k2", "k1"):
        bench.broker.resume_key(key)
        bench.advance(1)
    assert bench.advance(100) == [(60, "c")]


@pytest.mark.protocol("4.4 pause / resume")
def test_a_paused_queue_keeps_its_order(bench):
    bench.publish("a", queue_name="jobs")
    bench.broker.upsert_queue("jobs", paused=True)
    bench.publish("b", queue_name="jobs")
    assert bench.advance(60) == []
    assert reasons(bench) == {"a": "queue 'jobs' is paused", "b": "queue 'jobs' is paused"}
    bench.broker.upsert_queue("jobs", paused=False)
    assert bench.advance(0) == [(60, "a"), (60, "b")]


def test_a_paused_queue_that_is_given_another_parallelism_stays_paused(bench):
    queue = bench.broker.upsert_queue("jobs", paused=True)
    bench.broker.upsert_queue("jobs", parallelism=2)
    assert (queue.parallelism, queue.paused) == (2, True)


@pytest.mark.protocol("4.4 pause / resume")
def test_a_paused_queue_holds_the_retry_of_its_head(bench):
    bench.answers = {"a": [503]}
    bench.publish("a", queue_name="jobs")
    assert bench.advance(1) == [(0, "a")]
    bench.broker.upsert_queue("jobs", paused=True)
    assert bench.advance(60) == []
    bench.broker.upsert_queue("jobs", paused=False)
    assert bench.advance(0) == [(61, "a")]


@pytest.mark.protocol("4.4 pause / resume")
def test_what_is_in_flight_finishes_while_the_queue_is_paused(bench):
    bench.takes = {"a": 10}
    message = bench.publish("a", queue_name="jobs")
    assert bench.advance(1) == [(0, "a")]
    bench.broker.upsert_queue("jobs", paused=True)
    bench.advance(10)
    assert message.state == "DELIVERED"


def test_a_head_that_waits_at_its_key_does_not_start_while_the_queue_is_paused(bench):
    bench.publish("a", queue_name="jobs", flow_control_key="k", flow_control_value="parallelism=1")
    bench.broker.pause_key("k")
    assert bench.advance(1) == []
    bench.broker.upsert_queue("jobs", paused=True)
    bench.broker.resume_key("k")
    assert bench.advance(1) == []
    bench.broker.upsert_queue("jobs", paused=False)
    assert bench.advance(1) == [(2, "a")]


def test_two_queues_do_not_wait_for_each_other(bench):
    bench.takes = {"a": 60}
    bench.publish("a", queue_name="jobs")
    bench.publish("b", queue_name="mail")
    assert bench.advance(0) == [(0, "a"), (0, "b")]


@pytest.mark.protocol("4.4 lag")
def test_lag_counts_the_messages_that_are_not_terminal(bench):
    bench.answers = {"a": [503]}
    for body in "ab":
        bench.publish(body, queue_name="jobs")
    bench.publish("c", queue_name="jobs", delay="1h")
    queue = bench.broker.queues["jobs"]
    lags = [queue.lag]
    for seconds in (1, 60, 3600):
        bench.advance(seconds)
        lags.append(queue.lag)
    assert lags == [3, 3, 1, 0]


def test_a_queue_knows_when_it_was_made_and_changed(bench):
    bench.advance(3)
    queue = bench.broker.upsert_queue("jobs")
    made_ms = bench.broker.now_ms
    bench.advance(4)
    bench.broker.upsert_queue("jobs", parallelism=2)
    assert (queue.created_ms, queue.updated_ms) == (made_ms, made_ms + 4_000)


def test_a_deleted_queue_is_made_again_with_parallelism_one_and_running(bench):
    bench.broker.upsert_queue("jobs", parallelism=7, paused=True)
    bench.broker.delete_queue("jobs")
    assert bench.broker.queues == {}
    bench.publish("a", queue_name="jobs")
    queue, now_ms = bench.broker.queues["jobs"], bench.broker.now_ms
    assert (queue.parallelism, queue.paused, queue.created_ms, queue.updated_ms) == (1, False, now_ms, now_ms)


def test_a_message_in_flight_keeps_its_slot_when_its_queue_is_deleted_and_made_again(bench):
    bench.takes = {"a": 10}
    bench.publish("a", queue_name="jobs")
    assert bench.advance(1) == [(0, "a")]
    bench.broker.delete_queue("jobs")
    bench.publish("b", queue_name="jobs")
    assert bench.advance(20) == [(10, "b")]
