"""The broker: publish, complete, cancel, duplicates, and what it forgets."""

from __future__ import annotations

import threading

import pytest

from qstash_fake.broker import bulk_actions, store
from qstash_fake.broker.message import Outcome
from qstash_fake.broker.views import attempt_of
from qstash_fake.errors import Refused, UsageError
from tests.times import FIRST_RETRY_S
from tests.world import start_next

FAILED = "https://shop.example/failed"


# --- time ----------------------------------------------------------------------------------------------------


def test_time_never_goes_back(bench):
    bench.broker.observe(bench.broker.now_ms + 5_000)
    bench.broker.observe(bench.broker.now_ms - 1_000)
    assert bench.now == 5
    assert bench.broker.next_message(bench.broker.now_ms - 5_000) is None
    assert bench.now == 5


def test_what_is_due_exactly_at_the_end_starts(bench):
    bench.publish("a", delay="5s")
    assert bench.advance(4) == []
    assert bench.advance(1) == [(5, "a")]


def test_the_time_of_each_start_is_its_own(bench):
    bench.publish("a", delay="7s")
    bench.publish("b", delay="3s")
    assert bench.advance(60) == [(3, "b"), (7, "a")]


def test_a_time_not_to_deliver_before_wins_over_a_delay_and_may_be_past(bench):
    bench.publish("a", delay="1h", not_before=1_767_225_609)
    past = bench.publish("b", delay="1h", not_before=5)
    assert past.due_ms == past.created_ms
    assert bench.advance(60) == [(0, "b"), (9, "a")]


def test_the_llm_api_needs_a_callback(bench):
    with pytest.raises(Refused, match=r"^a callback is required for api/llm$"):
        bench.publish("a", to="api/llm")


def test_an_attempt_that_takes_time_ends_when_that_has_passed(bench):
    bench.takes = {"a": 30}
    message = bench.publish("a")
    bench.advance(29)
    assert (message.state, message.attempts[0].outcome) == ("ACTIVE", None)
    bench.advance(1)
    assert (message.state, message.attempts[0].status) == ("DELIVERED", 200)


def test_the_wait_for_a_retry_begins_at_the_end_of_the_attempt(bench):
    asked = Outcome(status=503, headers=(("Retry-After", "7"),))
    bench.answers, bench.takes = {"a": [500, asked]}, {"a": 30}
    bench.publish("a")
    assert bench.advance(120) == [(0, "a"), (30 + FIRST_RETRY_S, "a"), (60 + FIRST_RETRY_S + 7, "a")]


def test_the_next_event_is_an_end_a_due_time_or_a_tick(bench):
    start_ms = bench.broker.now_ms
    assert bench.broker.next_event_ms() is None
    bench.schedule("tick", cron="* * * * *")
    assert bench.broker.next_event_ms() == start_ms + 60_000
    assert bench.broker.next_event_ms(ticks=False) is None
    bench.takes = {"a": 25}
    bench.publish("a", delay="10s")
    assert bench.broker.next_event_ms() == start_ms + 10_000
    bench.advance(10)
    assert bench.broker.next_event_ms() == start_ms + 35_000


def test_what_is_due_is_the_next_event_now(bench):
    bench.publish("a")
    assert bench.broker.next_event_ms() == bench.broker.now_ms


def test_a_message_that_is_next_has_not_started(bench):
    message = bench.publish("a")
    for _ in range(2):
        assert bench.broker.next_message(bench.broker.now_ms) is message
        assert (message.state, message.attempts) == ("CREATED", [])
    assert bench.advance(0) == [(0, "a")]


def test_a_message_that_is_put_off_starts_that_much_later_and_keeps_its_place_in_its_queue(bench):
    bench.advance(10)
    first = bench.publish("a", queue_name="jobs")
    bench.publish("b", queue_name="jobs")
    assert bench.broker.next_message(bench.broker.now_ms) is first
    bench.broker.put_off(first, 5_000)
    assert bench.advance(4) == []
    assert bench.advance(1) == [(15, "a"), (15, "b")]


def test_an_attempt_shows_whether_it_is_in_flight_and_what_came_of_it(bench):
    message = bench.publish("a")
    shown = f"<Attempt retried=0 of {message.message_id[:12]}… "
    delivery = start_next(bench.broker)
    assert repr(delivery.attempt) == "<Attempt retried=0 in flight>"
    assert repr(attempt_of(message, delivery.attempt)) == f"{shown}in flight>"
    bench.broker.complete(delivery, Outcome(error="timeout"))
    bench.broker.observe(bench.broker.now_ms)
    assert repr(delivery.attempt) == "<Attempt retried=0 timeout>"
    assert repr(attempt_of(message, delivery.attempt)) == f"{shown}timeout>"
    other = bench.publish("b")
    bench.advance(0)
    assert repr(other.attempts[0]) == "<Attempt retried=0 200>"


def test_an_attempt_knows_when_it_was_due_though_a_gate_held_it(bench):
    bench.takes = {"a": 10}
    bench.publish("a", queue_name="jobs")
    held = bench.publish("b", queue_name="jobs", delay="3s")
    bench.advance(10)
    (attempt,) = held.attempts
    assert (attempt.due_ms - held.created_ms, attempt.started_ms - held.created_ms) == (3_000, 10_000)


def test_an_attempt_cannot_end_twice(bench):
    bench.publish("a")
    delivery = start_next(bench.broker)
    bench.broker.complete(delivery, Outcome(status=200))
    with pytest.raises(AssertionError, match="has ended already"):
        bench.broker.complete(delivery, Outcome(status=200))


def test_a_delivery_is_signed_with_the_key_current_at_the_attempt(bench):
    bench.publish("a")
    bench.publish("b")
    first = start_next(bench.broker)
    keys = bench.broker.signing_keys
    current, following = keys.current, keys.next
    keys.rotate()
    second = start_next(bench.broker)
    assert (first.signing_key, second.signing_key) == (current, following)
    assert keys.next not in (current, following)
    assert first.token_id != second.token_id
    assert current not in repr(keys)


def test_publishing_from_many_threads_loses_nothing(bench):
    threads = [threading.Thread(target=lambda: [bench.publish("a") for _ in range(50)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(bench.broker.messages) == bench.broker.accepted == 200
    assert [message.sequence for message in bench.broker.messages.values()] == list(range(1, 201))


# --- cancel --------------------------------------------------------------------------------------------------


def test_a_waiting_message_leaves_at_once(bench):
    message = bench.publish("a", delay="1h")
    assert bench.broker.cancel([message]) == 1
    assert bench.states(message) == ["CREATED", "CANCEL_REQUESTED", "CANCELED"]
    assert bench.broker.next_event_ms() is None
    with pytest.raises(Refused, match=f"message {message.message_id} not found"):
        bench.broker.find_message(message.message_id)


def test_a_message_that_waits_for_its_retry_leaves_at_once(bench):
    bench.answers = {"a": [500]}
    message = bench.publish("a")
    bench.advance(1)
    bench.broker.cancel([message])
    assert bench.advance(86_400) == []
    assert message.state == "CANCELED"


@pytest.mark.parametrize(
    ("status", "states"),
    [
        (200, ["CREATED", "ACTIVE", "CANCEL_REQUESTED", "DELIVERED"]),
        (500, ["CREATED", "ACTIVE", "CANCEL_REQUESTED", "ERROR", "CANCELED"]),
    ],
)
def test_a_message_in_flight_finishes_its_attempt_and_is_not_retried(bench, status, states):
    bench.answers, bench.takes = {"a": [status]}, {"a": 10}
    message = bench.publish("a", failure_callback=FAILED)
    bench.advance(1)
    assert bench.broker.cancel([message]) == 1
    assert message.pending
    assert bench.advance(86_400) == []
    assert bench.states(message) == states
    assert (bench.broker.dead_letters, len(bench.broker.messages)) == ({}, 1)


def test_what_is_cancelled_in_bulk_is_numbered(bench):
    actions = [bench.broker.cancel_in_bulk([bench.publish(body)], {"label": [body]}) for body in "ab"]
    assert [action.action_id for action in actions] == ["1767225600000-0", "1767225600000-1"]
    assert [(action.total, action.filter) for action in actions] == [(1, {"label": ["a"]}), (1, {"label": ["b"]})]


def test_the_oldest_bulk_actions_are_forgotten(monkeypatch):
    monkeypatch.setattr(bulk_actions, "MAX_ACTIONS", 2)
    actions = bulk_actions.BulkActions()
    for total in range(3):
        actions.add(total, {}, 0)
    assert [action.total for action in actions.newest(None, 0)] == [2, 1]


def test_cancelling_again_counts_nothing(bench):
    bench.takes = {"a": 10}
    waiting, in_flight, done = bench.publish("b", delay="1h"), bench.publish("a"), bench.publish("c")
    bench.advance(1)
    assert bench.broker.cancel([waiting, in_flight, done]) == 2
    assert bench.broker.cancel([waiting, in_flight, done]) == 0


def test_what_has_ended_does_not_keep_those_behind_it_from_being_cancelled(bench):
    done, waiting = bench.publish("a"), bench.publish("b", delay="1h")
    bench.advance(0)
    assert bench.broker.cancel([done, waiting]) == 1
    assert (done.state, waiting.state) == ("DELIVERED", "CANCELED")


def test_a_cancelled_head_gives_way_to_the_next_of_its_queue(bench):
    bench.answers = {"a": [500]}
    message = bench.publish("a", queue_name="jobs")
    bench.publish("b", queue_name="jobs")
    assert bench.advance(1) == [(0, "a")]
    bench.broker.cancel([message])
    assert bench.advance(0) == [(1, "b")]


def test_deleting_a_queue_cancels_what_waits_in_it_and_the_retries_of_its_head(bench):
    bench.answers, bench.takes = {"a": [500]}, {"a": 10}
    head, waiting, delayed = (
        bench.publish("a", queue_name="jobs"),
        bench.publish("b", queue_name="jobs"),
        bench.publish("c", queue_name="jobs", delay="1h"),
    )
    other = bench.publish("d", queue_name="mail", delay="1h")
    bench.advance(1)
    bench.broker.delete_queue("jobs")
    assert [message.state for message in (head, waiting, delayed, other)] == [
        "ACTIVE",
        "CANCELED",
        "CANCELED",
        "CREATED",
    ]
    bench.advance(60)
    assert head.state == "CANCELED"
    assert list(bench.broker.queues) == ["mail"]


def test_deleting_an_unknown_queue_changes_nothing(bench):
    bench.broker.delete_queue("jobs")
    assert bench.broker.queues == {}


# --- duplicates --------------------------------------------------------------------------------------------------


def test_a_duplicate_is_sent_at_the_same_instant_and_only_its_answer_counts(bench):
    bench.answers = {"a": [500, 200]}
    message = bench.publish("a")
    bench.broker.duplicate_next(lambda url: True)
    assert bench.advance(60) == [(0, "a"), (0, "a")]
    assert [(attempt.retried, attempt.lost, attempt.status) for attempt in message.attempts] == [
        (0, True, 500),
        (0, False, 200),
    ]
    assert bench.states(message) == ["CREATED", "ACTIVE", "ACTIVE", "DELIVERED"]


def test_the_second_answer_of_a_duplicate_decides_though_the_first_was_good(bench):
    bench.answers = {"a": [200, 500]}
    bench.publish("a")
    bench.broker.duplicate_next(lambda url: True)
    assert bench.advance(60) == [(0, "a"), (0, "a"), (FIRST_RETRY_S, "a")]


def test_both_deliveries_of_a_duplicate_have_tokens_of_their_own(bench):
    bench.publish("a")
    bench.broker.duplicate_next(lambda url: True)
    first, second = (start_next(bench.broker) for _ in range(2))
    assert first.message is second.message
    assert first.token_id != second.token_id
    assert [attempt.number for attempt in first.message.attempts] == [0, 1]


def test_a_duplicate_takes_one_slot(bench):
    bench.takes = {"a": 10}
    for body in "ab":
        bench.publish(
            body, queue_name="jobs", flow_control_key="k", flow_control_value="parallelism=1,rate=2,period=1h"
        )
    bench.broker.duplicate_next(lambda url: True)
    assert bench.advance(60) == [(0, "a"), (0, "a"), (10, "b")]
    assert (bench.broker.admission.in_flight, bench.broker.flow_control["k"].in_flight) == (0, 0)


def test_a_duplicate_is_of_the_next_attempt_that_matches_and_of_one_only(bench):
    bench.broker.duplicate_next(lambda url: url == "https://shop.example/b")
    for body in "abb":
        bench.publish(body, to=f"https://shop.example/{body}")
    assert bench.advance(60) == [(0, "a"), (0, "b"), (0, "b"), (0, "b")]
    assert [len(message.attempts) for message in bench.broker.messages.values()] == [1, 2, 1]


# --- what is shown, and what is forgotten ------------------------------------------------------------------------


def test_a_finished_message_is_shown_for_ten_seconds(bench):
    message = bench.publish("a")
    bench.advance(0)
    bench.broker.observe(bench.broker.now_ms + 9_999)
    assert bench.broker.find_message(message.message_id) is message
    bench.broker.observe(bench.broker.now_ms + 1)
    with pytest.raises(Refused) as refused:
        bench.broker.find_message(message.message_id)
    assert (refused.value.status, refused.value.error) == (404, f"message {message.message_id} not found")


def test_a_pending_message_is_shown_however_old(bench):
    message = bench.publish("a", delay="365d")
    bench.advance(364 * 86_400)
    assert bench.broker.find_message(message.message_id) is message


def test_the_oldest_finished_messages_are_forgotten_but_not_the_pending_or_dead(bench, monkeypatch):
    monkeypatch.setattr(store, "MAX_DONE", 3)
    bench.answers = {"dead": [500]}
    bench.publish("waiting", delay="1d")
    for body in ("dead", *"abcde"):
        bench.publish(body, retries=0)
    bench.advance(0)
    assert [message.text for message in bench.broker.messages.values()] == ["waiting", "dead", "c", "d", "e"]
    assert bench.broker.accepted == 7


def test_equal_seeds_give_equal_ids(new_bench):
    one, same, other = new_bench(seed=3), new_bench(seed=3), new_bench(seed=4)
    assert one.publish().message_id == same.publish().message_id != other.publish().message_id


def test_without_a_seed_it_is_zero(new_bench):
    assert new_bench().publish().message_id == new_bench(seed=0).publish().message_id


@pytest.mark.parametrize(("region", "home"), [("us-east-1", "us-east-1"), (None, "eu-central-1")])
def test_a_delivery_comes_from_the_region_of_the_account(new_bench, region, home):
    bench = new_bench(region=region)
    bench.publish()
    assert start_next(bench.broker).region == home


def test_a_message_that_only_its_dead_letter_kept_goes_with_it(bench, monkeypatch):
    monkeypatch.setattr(store, "MAX_DONE", 3)
    bench.answers = {"x": [500], "y": [500]}
    for body in ("x", "y", "a", "b", "c", "d"):
        bench.publish(body, retries=0)
        bench.advance(0)
    assert [message.text for message in bench.broker.messages.values()] == ["x", "y", "b", "c", "d"]
    first, second = list(bench.broker.dead_letters)
    bench.broker.delete_dead_letter(first)
    assert [message.text for message in bench.broker.messages.values()] == ["y", "b", "c", "d"]
    bench.broker.redrive(second)
    assert [message.text for message in bench.broker.messages.values()] == ["b", "c", "d", "y"]


def test_two_attempts_that_are_both_sent_twice_are_each_sent_twice(bench):
    first, second = bench.publish("a"), bench.publish("b", delay="1h")
    for _ in range(2):
        bench.broker.duplicate_next(lambda url: True)
    lost = start_next(bench.broker)
    bench.broker.make_due(second)
    also_lost = bench.broker.start(second)
    assert (lost.attempt.lost, also_lost.attempt.lost) == (True, True)
    assert bench.advance(0) == [(0, "a"), (0, "b")]
    assert [message.state for message in (first, second)] == ["DELIVERED", "DELIVERED"]
    assert [len(message.attempts) for message in (first, second)] == [2, 2]


def test_the_first_signing_keys_are_those_that_are_given(new_bench):
    keys = new_bench(signing_keys=lambda: ("sig_first", "sig_second")).broker.signing_keys
    assert (keys.current, keys.next) == ("sig_first", "sig_second")


def test_signing_keys_of_before_a_reset_are_not_rotated(bench):
    before = bench.broker.signing_keys.current
    bench.broker.retire()
    with pytest.raises(UsageError, match=r"^these signing keys: from before reset\(\)"):
        bench.broker.rotate_keys()
    assert bench.broker.signing_keys.current == before


# --- disturbances --------------------------------------------------------------------------------------------


class Bends:
    """Lets the newest message start first, puts each off once by ten seconds, and sends the first attempt twice."""

    def __init__(self, broker):
        self.broker, self.put_off, self.asked = broker, set(), []

    def admit(self, message):
        self.asked.append(message.text)
        newest = max((one for one in self.broker.messages.values() if one.lane), key=lambda one: one.sequence)
        if newest in self.put_off:
            return newest
        self.put_off.add(newest)
        self.broker.put_off(newest, 10_000)
        return None

    def doubles(self, message):
        return message.text == "b"


def test_a_disturbance_says_what_starts_and_when_and_what_is_sent_twice(bench):
    bench.broker.disturbance = Bends(bench.broker)
    bench.publish("a")
    bench.publish("b")
    assert bench.advance(60) == [(10, "b"), (10, "b"), (10, "a")]
    assert set(bench.broker.disturbance.asked) == {"a"}  # b, which is younger, is never next
