"""Flow control: windows, slots, pausing, pinning, and the queue before the key."""

from __future__ import annotations

import pytest

from qstash_fake.broker.agenda import Agenda
from qstash_fake.broker.message import Outcome
from tests.times import FIRST_RETRY_S

BACK_AT_ONCE = Outcome(status=503, headers=(("Retry-After", "0"),))


def reasons(bench):
    return {message.text: reason for message, reason in bench.broker.held().items()}


@pytest.mark.protocol("4.5 rate")
def test_a_rate_window_begins_with_a_start_and_ends_before_start_plus_period(bench):
    options = {"flow_control_key": "k", "flow_control_value": "rate=2,period=10s"}
    bench.advance(3)
    for body in "abcde":
        bench.publish(body, **options)
    assert bench.advance(60) == [(3, "a"), (3, "b"), (13, "c"), (13, "d"), (23, "e")]


@pytest.mark.protocol("4.5 rate")
def test_the_next_window_opens_with_the_first_start_after_the_last_one_ended(bench):
    options = {"flow_control_key": "k", "flow_control_value": "rate=1,period=10s"}
    bench.publish("a", **options)
    bench.publish("b", delay="17s", **options)
    bench.publish("c", delay="18s", **options)
    assert bench.advance(60) == [(0, "a"), (17, "b"), (27, "c")]


@pytest.mark.protocol("4.5 rate")
def test_the_last_millisecond_of_a_window_belongs_to_it(bench):
    bench.publish("a", flow_control_key="k", flow_control_value="rate=1,period=10s")
    bench.advance(0)
    key, start_ms = bench.broker.flow_control["k"], bench.broker.now_ms
    assert not key.is_open(start_ms + 9_999)
    assert key.is_open(start_ms + 10_000)
    assert [key.rate_count(start_ms + ms) for ms in (0, 9_999, 10_000)] == [1, 1, 0]


def test_a_period_is_one_second_unless_given(bench):
    for body in "ab":
        bench.publish(body, flow_control_key="k", flow_control_value="rate=1")
    assert bench.advance(60) == [(0, "a"), (1, "b")]


def test_what_comes_to_a_key_whose_rate_is_used_up_is_held_at_once(bench):
    options = {"flow_control_key": "k", "flow_control_value": "rate=1,period=10s"}
    bench.publish("a", **options)
    bench.advance(0)
    bench.publish("b", **options)
    assert reasons(bench) == {
        "b": "flow-control key 'k' is closed: its rate of 1 in 10s is used up until 2026-01-01T00:00:10Z"
    }


@pytest.mark.protocol("4.5 retries")
def test_a_retry_counts_against_the_rate_again(bench):
    bench.answers = {"a": [BACK_AT_ONCE]}
    bench.publish("a", flow_control_key="k", flow_control_value="rate=1,period=10s")
    assert bench.advance(60) == [(0, "a"), (10, "a")]


@pytest.mark.protocol("4.5 excess")
def test_what_waits_at_a_key_starts_in_the_order_in_which_it_became_due(bench):
    """A retry that is due later than another message waits behind it, whenever it was published."""
    options = {"flow_control_key": "k", "flow_control_value": "rate=1,period=10s"}
    bench.answers = {"a": [BACK_AT_ONCE]}
    bench.publish("x", **options)
    bench.publish("a", delay="1s", **options)
    bench.publish("b", delay="5s", **options)
    assert bench.advance(60) == [(0, "x"), (10, "a"), (20, "b"), (30, "a")]


@pytest.mark.protocol("4.5 parallelism")
def test_a_key_of_parallelism_two_has_two_in_flight(bench):
    bench.takes = {"a": 10, "b": 30, "c": 10}
    for body in "abc":
        bench.publish(body, flow_control_key="k", flow_control_value="parallelism=2")
    assert bench.advance(60) == [(0, "a"), (0, "b"), (10, "c")]


def test_a_retry_wait_leaves_the_key_to_others(bench):
    bench.answers = {"a": [503]}
    for body in "ab":
        bench.publish(body, flow_control_key="k", flow_control_value="parallelism=1")
    assert bench.advance(60) == [(0, "a"), (0, "b"), (FIRST_RETRY_S, "a")]


def test_rate_and_parallelism_both_hold(bench):
    bench.takes = {"a": 25}
    for body in "abc":
        bench.publish(body, flow_control_key="k", flow_control_value="rate=1,parallelism=1,period=10s")
    assert bench.advance(60) == [(0, "a"), (25, "b"), (35, "c")]


@pytest.mark.protocol("4.5 scope")
def test_a_key_is_one_whatever_the_destinations_and_two_keys_do_not_wait_for_each_other(bench):
    bench.publish("a", flow_control_key="k", flow_control_value="rate=1,period=1m")
    bench.publish("b", "https://shop.example/other", flow_control_key="k", flow_control_value="rate=1,period=1m")
    bench.publish("c", flow_control_key="l", flow_control_value="rate=1,period=1m")
    assert bench.advance(0) == [(0, "a"), (0, "c")]


@pytest.mark.protocol("4.5 with a queue")
def test_a_head_at_a_closed_key_blocks_its_queue_and_holds_no_key_slot(bench):
    bench.takes = {"x": 30}
    bench.publish("x", flow_control_key="k", flow_control_value="parallelism=1")
    bench.publish("a", queue_name="jobs", flow_control_key="k", flow_control_value="parallelism=1")
    bench.publish("b", queue_name="jobs")
    assert bench.advance(29) == [(0, "x")]
    assert bench.broker.flow_control["k"].in_flight == 1
    assert bench.broker.flow_control["k"].waiting == 1
    assert bench.advance(31) == [(30, "a"), (30, "b")]


@pytest.mark.protocol("4.5 with a queue")
def test_the_queue_comes_before_the_key(bench):
    bench.takes = {"a": 30, "x": 5}
    bench.publish("a", queue_name="jobs")
    bench.publish("b", queue_name="jobs", flow_control_key="k", flow_control_value="parallelism=1")
    assert bench.advance(1) == [(0, "a")]
    bench.publish("x", flow_control_key="k", flow_control_value="parallelism=1")
    assert bench.advance(60) == [(1, "x"), (30, "b")]


@pytest.mark.protocol("4.5 config change")
def test_the_limits_of_the_latest_message_hold_for_those_that_wait(bench):
    for body in "abc":
        bench.publish(body, flow_control_key="k", flow_control_value="rate=1,period=1m")
    assert bench.advance(1) == [(0, "a")]
    bench.publish("d", flow_control_key="k", flow_control_value="rate=3,period=1m")
    assert bench.advance(1) == [(1, "b"), (1, "c")]


@pytest.mark.protocol("4.5 config change")
def test_a_limit_that_the_latest_message_does_not_name_is_gone(bench):
    bench.publish("a", flow_control_key="k", flow_control_value="rate=1,period=1m")
    bench.publish("b", flow_control_key="k", flow_control_value="parallelism=5")
    assert bench.advance(0) == [(0, "a"), (0, "b")]


def test_a_longer_period_does_not_bring_an_ended_window_back(bench):
    bench.publish("a", flow_control_key="k", flow_control_value="rate=1,period=1s")
    bench.advance(30)
    bench.publish("b", flow_control_key="k", flow_control_value="rate=1,period=1m")
    bench.publish("c", flow_control_key="k", flow_control_value="rate=1,period=1m")
    assert bench.advance(100) == [(30, "b"), (90, "c")]


def test_a_shorter_period_ends_the_open_window_sooner(bench):
    bench.publish("a", flow_control_key="k", flow_control_value="rate=1,period=1h")
    bench.publish("b", flow_control_key="k", flow_control_value="rate=1,period=1h")
    assert bench.advance(5) == [(0, "a")]
    bench.publish("c", flow_control_key="k", flow_control_value="rate=1,period=10s")
    assert bench.advance(60) == [(10, "b"), (20, "c")]


def test_a_key_says_until_when_its_rate_is_used_up(bench):
    for body in "abc":
        bench.publish(body, flow_control_key="k", flow_control_value="rate=2,period=1m,parallelism=9")
    bench.advance(5)
    reason = "flow-control key 'k' is closed: its rate of 2 in 1m is used up until 2026-01-01T00:01:00Z"
    assert reasons(bench) == {"c": reason}


def test_a_key_says_how_many_deliveries_take_up_its_parallelism(bench):
    bench.takes = {"a": 10, "b": 20}
    for body in "abc":
        bench.publish(body, flow_control_key="k", flow_control_value="rate=9,parallelism=2")
    bench.advance(5)
    assert reasons(bench) == {"c": "flow-control key 'k' is closed: 2 deliveries are in flight, its parallelism is 2"}
    bench.publish("d", flow_control_key="k", flow_control_value="rate=9,parallelism=1")
    bench.advance(5)
    reason = "flow-control key 'k' is closed: 1 delivery is in flight, its parallelism is 1"
    assert reasons(bench) == {"c": reason, "d": reason}


@pytest.mark.protocol("4.5 pause")
def test_a_paused_key_starts_nothing_until_it_is_resumed(bench):
    bench.publish("a", flow_control_key="k", flow_control_value="parallelism=1")
    bench.broker.pause_key("k")
    assert bench.advance(60) == []
    assert reasons(bench) == {"a": "flow-control key 'k' is paused"}
    bench.broker.resume_key("k")
    assert bench.broker.flow_control["k"].paused is False
    assert bench.advance(0) == [(60, "a")]


@pytest.mark.protocol("4.5 pause")
def test_the_window_of_a_paused_key_goes_on_running(bench):
    for body in "ab":
        bench.publish(body, flow_control_key="k", flow_control_value="rate=1,period=1m")
    assert bench.advance(0) == [(0, "a")]
    bench.broker.pause_key("k")
    bench.advance(90)
    bench.broker.resume_key("k")
    assert bench.advance(0) == [(90, "b")]


@pytest.mark.parametrize("look", [True, False], ids=["looked at while paused", "not looked at"])
def test_a_key_resumed_within_its_window_opens_when_that_ends(bench, look):
    for body in "ab":
        bench.publish(body, flow_control_key="k", flow_control_value="rate=1,period=10s")
    bench.advance(1)
    bench.broker.pause_key("k")
    if look:
        assert bench.broker.next_event_ms() is None
    bench.broker.resume_key("k")
    assert bench.drain() == [(10, "b")]


def test_a_message_that_comes_after_the_only_one_waiting_was_cancelled_is_woken(bench):
    options = {"flow_control_key": "k", "flow_control_value": "rate=1,period=10s"}
    bench.publish("a", **options)
    cancelled = bench.publish("b", **options)
    bench.advance(1)
    bench.broker.cancel([cancelled])
    assert bench.broker.next_event_ms() is None
    bench.publish("c", **options)
    assert bench.drain() == [(10, "c")]


@pytest.mark.protocol("4.5 pin")
def test_a_pinned_rate_ignores_what_later_messages_bring(bench):
    key = bench.broker.admission.keys.get_or_make("k")
    bench.broker.pin("k", parallelism=None, rate=1, period_ms=10_000)
    for body in "ab":
        bench.publish(body, flow_control_key="k", flow_control_value="rate=9,parallelism=4,period=1s")
    assert (key.rate, key.period_ms, key.parallelism) == (1, 10_000, 4)
    assert bench.advance(60) == [(0, "a"), (10, "b")]


@pytest.mark.protocol("4.5 pin")
def test_a_pinned_parallelism_ignores_what_later_messages_bring(bench):
    key = bench.broker.admission.keys.get_or_make("k")
    bench.broker.pin("k", parallelism=1, rate=None, period_ms=1_000)
    bench.takes = {"a": 10}
    for body in "ab":
        bench.publish(body, flow_control_key="k", flow_control_value="rate=9,parallelism=4,period=1m")
    assert (key.rate, key.period_ms, key.parallelism) == (9, 60_000, 1)
    assert bench.advance(60) == [(0, "a"), (10, "b")]


@pytest.mark.protocol("4.5 pin")
def test_pinning_starts_the_count_of_the_window_anew(bench):
    for body in "abc":
        bench.publish(body, flow_control_key="k", flow_control_value="rate=1,period=1m")
    assert bench.advance(5) == [(0, "a")]
    bench.broker.pin("k", parallelism=None, rate=1, period_ms=60_000)
    assert bench.advance(100) == [(5, "b"), (65, "c")]


@pytest.mark.protocol("4.5 unpin")
def test_unpinned_limits_stay_until_a_message_brings_others(bench):
    key = bench.broker.admission.keys.get_or_make("k")
    bench.broker.pin("k", parallelism=2, rate=1, period_ms=10_000)
    bench.broker.unpin("k", parallelism=True, rate=True)
    assert (key.parallelism, key.rate, key.period_ms) == (2, 1, 10_000)
    bench.publish("a", flow_control_key="k", flow_control_value="rate=5")
    assert (key.parallelism, key.rate, key.period_ms) == (None, 5, 1_000)


@pytest.mark.protocol("4.5 unpin")
def test_unpinning_pins_nothing_that_was_not_pinned(bench):
    key = bench.broker.admission.keys.get_or_make("k")
    bench.broker.unpin("k", parallelism=False, rate=False)
    assert (key.pinned_parallelism, key.pinned_rate) == (False, False)


@pytest.mark.protocol("4.5 unpin")
def test_unpinning_one_limit_leaves_the_other_pinned(bench):
    key = bench.broker.admission.keys.get_or_make("k")
    bench.broker.pin("k", parallelism=2, rate=1, period_ms=10_000)
    bench.broker.unpin("k", parallelism=True, rate=False)
    assert (key.pinned_parallelism, key.pinned_rate) == (False, True)
    bench.broker.unpin("k", parallelism=False, rate=True)
    assert (key.pinned_parallelism, key.pinned_rate) == (False, False)


@pytest.mark.protocol("4.5 resetRate")
def test_resetting_the_rate_ends_the_window_now(bench):
    for body in "abc":
        bench.publish(body, flow_control_key="k", flow_control_value="rate=1,period=1m")
    assert bench.advance(5) == [(0, "a")]
    bench.broker.reset_rate("k")
    assert bench.advance(100) == [(5, "b"), (65, "c")]


def test_a_key_holds_back_those_that_wait_while_it_is_closed_and_nobody_while_it_is_open(bench):
    for body in "abc":
        bench.publish(body, flow_control_key="k", flow_control_value="rate=1,period=10s")
    bench.advance(0)
    key, start_ms = bench.broker.flow_control["k"], bench.broker.now_ms
    assert (key.held_back(start_ms + 9_999), key.held_back(start_ms + 10_000)) == (2, 0)


def test_a_key_asks_once_for_each_window_to_be_woken(bench):
    for body in "ab":
        bench.publish(body, flow_control_key="k", flow_control_value="rate=1,period=10s")
    bench.advance(0)
    key, asked = bench.broker.flow_control["k"], []
    key.wake_ms, key.agenda = None, Agenda()
    key.agenda.put = lambda at_ms, event, subject: asked.append(at_ms)
    for second in range(3):
        key.found_closed(bench.broker.now_ms + second * 1_000)
    assert asked == [bench.broker.now_ms + 10_000]


def test_a_reset_window_counts_no_start(bench):
    bench.publish("a", flow_control_key="k", flow_control_value="rate=3,period=10s")
    bench.advance(0)
    bench.broker.reset_rate("k")
    key = bench.broker.flow_control["k"]
    assert (key.window_start_ms, key.started_in_window) == (None, 0)


def test_the_end_of_a_window_is_the_next_event_only_while_somebody_waits_for_it(bench):
    bench.publish("a", flow_control_key="k", flow_control_value="rate=1,period=10s")
    bench.advance(0)
    assert bench.broker.next_event_ms() is None
    bench.publish("b", flow_control_key="k", flow_control_value="rate=1,period=10s")
    bench.advance(0)
    assert bench.broker.next_event_ms() == bench.broker.now_ms + 10_000


def test_a_key_that_nobody_has_used_is_shown_idle(bench):
    key = bench.broker.look_up_key("idle")
    assert (key.key, key.waiting, key.in_flight, key.parallelism, key.rate) == ("idle", 0, 0, None, None)
    assert not bench.broker.flow_control
