"""Admission: what the gates of queues, keys and the account have in common, and what reading leaves alone."""

from __future__ import annotations

import itertools
import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qstash_fake.broker.lanes import Gate, Lane
from qstash_fake.broker.message import Content, Outcome
from qstash_fake.errors import UsageError
from tests.broker.bench import Bench
from tests.world import start_next


def test_a_closed_gate_is_asked_once_for_a_thousand_messages(bench):
    key, asked = bench.broker.admission.keys.get_or_make("k"), []

    class Asked(Gate):
        def is_open(self, now_ms):
            asked.append(now_ms)
            return key.is_open(now_ms)

    key.lane.gate = Asked()
    for _ in range(1000):
        bench.publish(flow_control_key="k", flow_control_value="parallelism=1")
    bench.broker.pause_key("k")
    assert bench.advance(1) == []
    assert (len(asked), key.waiting) == (1, 1000)


def test_a_message_that_comes_back_to_a_lane_stands_there_by_its_new_due_time(bench):
    lane = Lane(Gate())
    first, second = bench.publish("a", delay="4s"), bench.publish("b", delay="5s")
    lane.add(first)
    lane.add(second)
    lane.remove(first)
    first.due_ms += 9_000
    lane.add(first)
    assert lane.head() is second


def test_what_only_waits_for_somebody_to_deliver_it_is_not_held(bench):
    bench.publish("a")
    bench.publish("b", queue_name="jobs")
    bench.broker.upsert_queue("jobs", paused=True)
    assert bench.broker.next_event_ms() == bench.broker.now_ms
    assert list(bench.broker.held().values()) == ["queue 'jobs' is paused"]


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
    assert {message.text: reason for message, reason in bench.broker.held().items()} == {
        "free": "the account's parallelism is used up",
        "key": "the account's parallelism is used up",
        "queued": "the account's parallelism is used up",
        "paused": "queue 'still' is paused",
    }
    assert bench.broker.held_counts() == {"the account's parallelism is used up": 3, "queue 'still' is paused": 1}


def test_what_has_been_cancelled_is_not_among_those_that_come_back(bench):
    cancelled, second, _ = (bench.publish(body) for body in "abc")
    bench.broker.cancel([cancelled])
    first = bench.broker.admission.first_besides([cancelled, second], bench.broker.now_ms)
    assert (first.text, bench.advance(0)) == ("c", [(0, "b"), (0, "c")])


# --- one message, let pass before its time -------------------------------------------------------------------


def test_a_message_that_is_let_pass_starts_before_its_time(bench):
    first, later = bench.publish("a", delay="1h"), bench.publish("b", delay="2h")
    bench.broker.make_due(later)
    delivery = bench.broker.start(later)
    bench.broker.complete(delivery, Outcome(status=200))
    assert (later.state, first.state, bench.now) == ("DELIVERED", "CREATED", 0)
    assert bench.advance(7200) == [(3600, "a")]


def test_a_retry_is_let_pass_as_well(bench):
    bench.answers = {"a": [503, 200]}
    message = bench.publish("a")
    bench.advance(0)
    bench.broker.make_due(message)
    assert bench.advance(0) == [(0, "a")]
    assert message.state == "DELIVERED"


def test_a_message_that_nothing_holds_passes_its_queue_and_its_key(bench):
    held = {"queue_name": "jobs", "flow_control_key": "k", "flow_control_value": "rate=1,period=60s"}
    message = bench.publish("a", delay="1h", **held)
    bench.broker.make_due(message)
    assert bench.advance(0) == [(0, "a")]
    later = bench.publish("b", delay="1h", **held)
    with pytest.raises(
        UsageError, match="is held: flow-control key 'k' is closed: its rate of 1 in 1m is used up until"
    ):
        bench.broker.make_due(later)
    bench.advance(60)
    bench.broker.make_due(later)
    assert bench.advance(0) == [(60, "b")]


def test_messages_without_a_gate_pass_each_other(bench):
    bench.publish("a")
    second = bench.publish("b")
    bench.broker.make_due(second)
    assert bench.broker.start(second).message.text == "b"


def test_what_would_start_if_some_were_not_there_is_told_and_changes_nothing(bench):
    first, second, late = bench.publish("a"), bench.publish("b"), bench.publish("c", delay="1h")
    admission, now_ms = bench.broker.admission, bench.broker.now_ms
    assert admission.first_besides([first, late], now_ms) is second
    assert admission.first_besides([first, second], now_ms) is None
    assert admission.first_besides([], now_ms) is first
    assert bench.advance(3600) == [(0, "a"), (0, "b"), (3600, "c")]


def test_what_would_start_if_some_were_not_there_waits_for_its_key(bench):
    limited = {"flow_control_key": "k", "flow_control_value": "rate=1,period=60s"}
    bench.publish("a", **limited)
    assert bench.advance(0) == [(0, "a")]
    first, waits = bench.publish("b"), bench.publish("c", **limited)
    assert bench.broker.admission.first_besides([first], bench.broker.now_ms) is None
    bench.broker.observe(bench.broker.now_ms + 60_000)
    assert bench.broker.next_event_ms() == bench.broker.now_ms
    assert bench.broker.admission.first_besides([first], bench.broker.now_ms) is waits


def test_what_holds_a_message_is_said_and_it_keeps_its_time(bench):
    bench.broker.pause_key("k")
    message = bench.publish("a", delay="1h", flow_control_key="k", flow_control_value="parallelism=1")
    with pytest.raises(UsageError, match=r"is held: flow-control key 'k' is paused$"):
        bench.broker.make_due(message)
    bench.broker.resume_key("k")
    assert bench.advance(7200) == [(3600, "a")]


def test_a_message_behind_the_head_of_its_queue_does_not_pass_it(bench):
    bench.publish("a", queue_name="jobs")
    behind = bench.publish("b", queue_name="jobs")
    with pytest.raises(UsageError, match=r"is held: others come first in queue 'jobs'$"):
        bench.broker.make_due(behind)
    assert bench.advance(0) == [(0, "a"), (0, "b")]


def test_a_message_does_not_pass_another_that_was_due_before_it_at_their_key(bench):
    bench.broker.upsert_queue("jobs", parallelism=2)
    first, second = (bench.publish(body, flow_control_key="k", flow_control_value="rate=9,period=1m") for body in "ab")
    with pytest.raises(UsageError, match=f"{re.escape(repr(first))} comes first$"):
        bench.broker.make_due(second)
    assert bench.advance(0) == [(0, "a"), (0, "b")]


def test_a_message_that_is_refused_gives_its_slot_back(bench):
    bench.broker.pause_key("k")
    late = bench.publish("a", delay="1h", queue_name="jobs", flow_control_key="k", flow_control_value="parallelism=1")
    with pytest.raises(UsageError, match="is held"):
        bench.broker.make_due(late)
    bench.publish("b", queue_name="jobs")
    assert bench.advance(0) == [(0, "b")]


def test_a_retry_that_is_refused_keeps_its_slot(bench):
    bench.answers = {"a": [503]}
    retry = bench.publish("a", queue_name="jobs", flow_control_key="k", flow_control_value="parallelism=1")
    bench.advance(0)
    bench.broker.pause_key("k")
    with pytest.raises(UsageError, match="is held"):
        bench.broker.make_due(retry)
    bench.publish("b", queue_name="jobs")
    assert bench.advance(0) == []


def test_a_message_in_flight_and_one_that_has_ended_are_not_let_pass(bench):
    bench.takes = {"a": 10}
    message = bench.publish("a")
    bench.advance(0)
    with pytest.raises(UsageError, match="is in flight: let its attempt end first"):
        bench.broker.make_due(message)
    bench.advance(10)
    with pytest.raises(UsageError, match="has ended: there is no attempt left to deliver"):
        bench.broker.make_due(message)


# --- reading -------------------------------------------------------------------------------------------------


def busy_bench(new_bench, paused):
    """Four kinds of waiting: behind a slot, behind a key, in a paused queue, not due yet; and two that are free."""
    bench = new_bench()
    bench.takes = {"head": 60, "runs": 60}
    bench.publish("head", queue_name="jobs")
    bench.publish("runs", flow_control_key="k", flow_control_value="parallelism=1")
    bench.advance(0)
    bench.publish("second", queue_name="jobs")
    bench.publish("waits", flow_control_key="k", flow_control_value="parallelism=1")
    bench.publish("late", delay="1h")
    bench.publish("free")
    bench.schedule("tick", cron="* * * * *")
    bench.broker.upsert_queue("still", paused=paused)
    bench.publish("paused?", queue_name="still")
    return bench


READS = {
    "next": lambda broker: broker.next_event_ms(),
    "held": lambda broker: {message.text: reason for message, reason in broker.held().items()},
    "counts": lambda broker: broker.held_counts(),
    "slots": lambda broker: {name: queue.slots_taken for name, queue in broker.queues.items()},
}


@given(st.lists(st.sampled_from(sorted(READS)), max_size=8), st.booleans())
def test_reading_in_any_order_changes_nothing_that_is_read(reads, paused):
    untouched, read = busy_bench(Bench, paused), busy_bench(Bench, paused)
    for name in reads:
        READS[name](read.broker)
    expected = {name: look(untouched.broker) for name, look in READS.items() if name != "slots"}
    assert {name: look(read.broker) for name, look in READS.items() if name != "slots"} == expected
    assert read.advance(120) == untouched.advance(120)


def test_a_read_runs_no_schedule(bench):
    bench.schedule("tick", cron="* * * * *")
    bench.broker.observe(bench.broker.now_ms + 90_000)
    assert bench.broker.next_event_ms() == bench.broker.now_ms
    assert bench.broker.next_event_ms(ticks=False) is None
    assert bench.broker.held() == {}
    assert not bench.broker.messages


@pytest.mark.parametrize("paused", [True, False])
def test_held_messages_are_counted_as_they_are_listed(paused):
    broker = busy_bench(Bench, paused).broker
    assert broker.held_counts() == dict(Counter(broker.held().values()))


# --- what an attempt delivers --------------------------------------------------------------------------------


def test_what_a_message_delivers_is_computed_when_an_attempt_starts(bench):
    message, number = bench.publish("a"), itertools.count(1)
    message.content_at_start = lambda: Content((("X-Number", str(n := next(number))),), f"list {n}".encode())
    contents = []
    for status in (503, 200):
        bench.broker.observe(bench.broker.next_event_ms())
        delivery = start_next(bench.broker)
        contents.append(delivery.content)
        bench.broker.complete(delivery, Outcome(status=status))
    assert contents == [((("X-Number", "1"),), b"list 1"), ((("X-Number", "2"),), b"list 2")]
