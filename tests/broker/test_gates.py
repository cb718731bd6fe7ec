"""Queues, and what all gates have in common: which due message may start, and when."""

from __future__ import annotations

from qstash_fake.broker.gates import Lane
from qstash_fake.broker.message import Outcome
from tests.world import start_next

CALLBACK = "https://shop.example/callback"


def reasons(bench):
    return {message.text: reason for message, reason in bench.gates.held().items()}


# --- queues ------------------------------------------------------------------------------------------------


def test_a_queue_starts_its_messages_one_after_the_other_in_publish_order(bench):
    bench.takes = {"a": 10, "b": 10, "c": 10}
    for body in "abc":
        bench.publish(body, queue_name="jobs")
    assert bench.advance(60) == [(0, "a"), (10, "b"), (20, "c")]


def test_the_head_of_a_queue_blocks_it_through_all_its_retries(bench):
    bench.answers = {"a": [503, 503, 200]}
    bench.publish("a", queue_name="jobs")
    bench.publish("b", queue_name="jobs")
    assert bench.advance(300) == [(0, "a"), (12, "a"), (160, "a"), (160, "b")]


def test_a_dead_head_gives_way_to_the_next(bench):
    bench.answers = {"a": [500]}
    bench.publish("a", queue_name="jobs", retries=0)
    bench.publish("b", queue_name="jobs")
    assert bench.advance(0) == [(0, "a"), (0, "b")]


def test_a_slot_is_held_until_the_callback_is_terminal(bench):
    bench.publish("a", queue_name="jobs", callback=CALLBACK, callback_delay="30s")
    bench.publish("b", queue_name="jobs")
    started = bench.advance(60)
    assert [(at, body[:1]) for at, body in started] == [(0, "a"), (30, "{"), (30, "b")]


def test_a_slot_is_held_by_the_callback_of_a_callback(bench):
    bench.publish(
        "a",
        queue_name="jobs",
        callback=CALLBACK,
        callback_delay="5s",
        callback_callback=CALLBACK,
        callback_callback_delay="5s",
    )
    bench.publish("b", queue_name="jobs")
    assert [(at, body[:1]) for at, body in bench.advance(60)] == [(0, "a"), (5, "{"), (10, "{"), (10, "b")]


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
    assert [(at, body[:1]) for at, body in bench.advance(60)] == [(12, "{"), (12, "b")]


def test_the_retry_of_a_head_does_not_wait_for_its_callback(bench):
    bench.answers = {"a": [503]}
    bench.publish("a", queue_name="jobs", callback=CALLBACK, callback_delay="1h")
    assert bench.advance(60) == [(0, "a"), (12, "a")]


def test_cancelling_the_last_holder_frees_the_slot(bench):
    bench.publish("a", queue_name="jobs", callback=CALLBACK, callback_delay="1h")
    bench.publish("b", queue_name="jobs")
    assert bench.advance(60) == [(0, "a")]
    bench.broker.cancel([message for message in bench.broker.messages.values() if message.url == CALLBACK])
    assert bench.advance(0) == [(60, "b")]


def test_a_queue_of_parallelism_two_has_two_heads(bench):
    bench.gates.change_queue(bench.gates.queue("jobs", 0), 0, parallelism=2)
    bench.takes = dict.fromkeys("abcd", 10)
    bench.takes["b"] = 30
    for body in "abcd":
        bench.publish(body, queue_name="jobs")
    assert bench.advance(60) == [(0, "a"), (0, "b"), (10, "c"), (20, "d")]


def test_raising_the_parallelism_starts_what_waits(bench):
    bench.takes = dict.fromkeys("ab", 10)
    bench.publish("a", queue_name="jobs")
    bench.publish("b", queue_name="jobs")
    assert bench.advance(1) == [(0, "a")]
    bench.gates.change_queue(bench.gates.queues["jobs"], bench.broker.now_ms, parallelism=2)
    assert bench.advance(1) == [(1, "b")]


def test_lowering_the_parallelism_lets_what_has_started_go_on_and_starts_no_more(bench):
    bench.gates.change_queue(bench.gates.queue("jobs", 0), 0, parallelism=2)
    bench.takes = {"a": 10, "b": 20, "c": 10}
    for body in "abc":
        bench.publish(body, queue_name="jobs")
    assert bench.advance(1) == [(0, "a"), (0, "b")]
    bench.gates.change_queue(bench.gates.queues["jobs"], bench.broker.now_ms, parallelism=1)
    assert bench.advance(60) == [(20, "c")]


def test_lowering_the_parallelism_takes_the_place_from_a_head_that_waits_at_its_key(bench):
    queue = bench.gates.queue("jobs", 0)
    bench.gates.change_queue(queue, 0, parallelism=2)
    bench.takes = {"a": 60}
    bench.publish("a", queue_name="jobs")
    bench.publish("b", queue_name="jobs", flow_control_key="k", flow_control_value="parallelism=1")
    bench.gates.pause_key(bench.gates.keys["k"], paused=True)
    assert bench.advance(1) == [(0, "a")]
    bench.gates.change_queue(queue, bench.broker.now_ms, parallelism=1)
    bench.gates.pause_key(bench.gates.keys["k"], paused=False)
    assert bench.advance(100) == [(60, "b")]


def test_heads_that_lose_their_place_keep_their_order(bench):
    queue = bench.gates.queue("jobs", 0)
    bench.gates.change_queue(queue, 0, parallelism=3)
    bench.takes = {"a": 60}
    bench.publish("a", queue_name="jobs")
    for body, key in (("b", "k1"), ("c", "k2")):
        bench.publish(body, queue_name="jobs", flow_control_key=key, flow_control_value="parallelism=1")
        bench.gates.pause_key(bench.gates.keys[key], paused=True)
    assert bench.advance(1) == [(0, "a")]
    bench.gates.change_queue(queue, bench.broker.now_ms, parallelism=1)
    bench.gates.pause_key(bench.gates.keys["k2"], paused=False)
    assert bench.advance(99) == []
    bench.gates.pause_key(bench.gates.keys["k1"], paused=False)
    assert bench.advance(100) == [(100, "b"), (100, "c")]


def test_the_last_head_that_has_not_started_loses_its_place_first(bench):
    queue = bench.gates.queue("jobs", 0)
    bench.gates.change_queue(queue, 0, parallelism=3)
    bench.takes = {"a": 60, "b": 60}
    bench.publish("a", queue_name="jobs")
    for body, key in (("b", "k1"), ("c", "k2")):
        bench.publish(body, queue_name="jobs", flow_control_key=key, flow_control_value="parallelism=1")
        bench.gates.pause_key(bench.gates.keys[key], paused=True)
    bench.advance(1)
    bench.gates.change_queue(queue, bench.broker.now_ms, parallelism=2)
    for key in ("k2", "k1"):
        bench.gates.pause_key(bench.gates.keys[key], paused=False)
        bench.advance(1)
    assert bench.advance(100) == [(60, "c")]


def test_a_paused_queue_keeps_its_order(bench):
    bench.publish("a", queue_name="jobs")
    bench.gates.change_queue(bench.gates.queues["jobs"], 0, paused=True)
    bench.publish("b", queue_name="jobs")
    assert bench.advance(60) == []
    assert reasons(bench) == {"a": "queue 'jobs' is paused", "b": "queue 'jobs' is paused"}
    bench.gates.change_queue(bench.gates.queues["jobs"], 0, paused=False)
    assert bench.advance(0) == [(60, "a"), (60, "b")]


def test_a_paused_queue_holds_the_retry_of_its_head(bench):
    bench.answers = {"a": [503]}
    bench.publish("a", queue_name="jobs")
    assert bench.advance(1) == [(0, "a")]
    bench.gates.change_queue(bench.gates.queues["jobs"], 0, paused=True)
    assert bench.advance(60) == []
    bench.gates.change_queue(bench.gates.queues["jobs"], 0, paused=False)
    assert bench.advance(0) == [(61, "a")]


def test_what_is_in_flight_finishes_while_the_queue_is_paused(bench):
    bench.takes = {"a": 10}
    message = bench.publish("a", queue_name="jobs")
    assert bench.advance(1) == [(0, "a")]
    bench.gates.change_queue(bench.gates.queues["jobs"], 0, paused=True)
    bench.advance(10)
    assert message.state == "DELIVERED"


def test_a_head_that_waits_at_its_key_does_not_start_while_the_queue_is_paused(bench):
    bench.publish("a", queue_name="jobs", flow_control_key="k", flow_control_value="parallelism=1")
    key = bench.gates.keys["k"]
    bench.gates.pause_key(key, paused=True)
    assert bench.advance(1) == []
    bench.gates.change_queue(bench.gates.queues["jobs"], 0, paused=True)
    bench.gates.pause_key(key, paused=False)
    assert bench.advance(1) == []
    bench.gates.change_queue(bench.gates.queues["jobs"], 0, paused=False)
    assert bench.advance(1) == [(2, "a")]


def test_two_queues_do_not_wait_for_each_other(bench):
    bench.takes = {"a": 60}
    bench.publish("a", queue_name="jobs")
    bench.publish("b", queue_name="mail")
    assert bench.advance(0) == [(0, "a"), (0, "b")]


def test_lag_counts_the_messages_that_are_not_terminal(bench):
    bench.answers = {"a": [503]}
    for body in "ab":
        bench.publish(body, queue_name="jobs")
    bench.publish("c", queue_name="jobs", delay="1h")
    queue = bench.gates.queues["jobs"]
    lags = [queue.lag]
    for seconds in (1, 60, 3600):
        bench.advance(seconds)
        lags.append(queue.lag)
    assert lags == [3, 3, 1, 0]


def test_a_deleted_queue_is_made_again_with_parallelism_one_and_running(bench):
    bench.gates.change_queue(bench.gates.queue("jobs", 5), 5, parallelism=7, paused=True)
    bench.broker.delete_queue("jobs")
    assert bench.gates.queues == {}
    bench.publish("a", queue_name="jobs")
    queue = bench.gates.queues["jobs"]
    assert (queue.parallelism, queue.paused, queue.created_ms) == (1, False, bench.broker.now_ms)


def test_a_message_in_flight_keeps_its_slot_when_its_queue_is_deleted_and_made_again(bench):
    bench.takes = {"a": 10}
    bench.publish("a", queue_name="jobs")
    assert bench.advance(1) == [(0, "a")]
    bench.broker.delete_queue("jobs")
    bench.publish("b", queue_name="jobs")
    assert bench.advance(20) == [(10, "b")]


# --- all gates ---------------------------------------------------------------------------------------------


def test_a_closed_gate_is_asked_once_for_a_thousand_messages(bench):
    key, asked = bench.gates.key("k"), []

    def is_open(now_ms):
        asked.append(now_ms)
        return key.is_open(now_ms)

    key.lane.is_open = is_open
    for _ in range(1000):
        bench.publish(flow_control_key="k", flow_control_value="parallelism=1")
    bench.gates.pause_key(key, paused=True)
    assert bench.advance(1) == []
    assert (len(asked), key.waiting) == (1, 1000)


def test_a_message_that_comes_back_to_a_lane_stands_there_by_its_new_due_time(bench):
    lane = Lane(lambda now_ms: True)
    first, second = bench.publish("a"), bench.publish("b", delay="5s")
    lane.add(first)
    lane.add(second)
    lane.discard(first)
    first.due_ms += 9_000
    lane.add(first)
    assert lane.head() == (second.due_ms, second.sequence, second)


def test_what_only_waits_for_somebody_to_deliver_it_is_not_held(bench):
    bench.publish("a")
    bench.publish("b", queue_name="jobs")
    bench.gates.change_queue(bench.gates.queues["jobs"], 0, paused=True)
    assert bench.broker.next_event_ms() == bench.broker.now_ms
    assert list(bench.gates.held(bench.broker.now_ms).values()) == ["queue 'jobs' is paused"]


def test_the_parallelism_of_the_account_holds_over_all_messages(new_bench):
    bench = new_bench(plan="free")
    bench.takes = dict.fromkeys(map(str, range(12)), 10)
    for number in range(12):
        bench.publish(str(number))
    assert [at for at, _ in bench.advance(60)] == [0] * 10 + [10] * 2


def test_one_instant_starts_messages_of_all_lanes_in_the_order_of_due_time_and_publish(bench):
    bench.publish("a", delay="5s")
    bench.publish("b", queue_name="jobs", delay="5s")
    bench.publish("c", flow_control_key="k", flow_control_value="parallelism=9", delay="5s")
    bench.publish("d", delay="4s")
    bench.publish("e", queue_name="mail", delay="5s")
    assert bench.advance(5) == [(4, "d"), (5, "a"), (5, "b"), (5, "c"), (5, "e")]


def test_who_waits_for_the_account_is_said_to_wait_for_that(new_bench):
    bench = new_bench(plan="free")
    for number in range(10):
        bench.takes[str(number)] = 60
        bench.publish(str(number))
    bench.publish("free")
    bench.publish("key", flow_control_key="k", flow_control_value="parallelism=1")
    bench.publish("queued", queue_name="jobs")
    bench.publish("paused", queue_name="still")
    bench.broker.upsert_queue("still", paused=True)
    bench.advance(1)
    assert {message.text: reason for message, reason in bench.gates.held(bench.broker.now_ms).items()} == {
        "free": "the account's parallelism is used up",
        "key": "the account's parallelism is used up",
        "queued": "the account's parallelism is used up",
        "paused": "queue 'still' is paused",
    }
