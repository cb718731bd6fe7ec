"""The life of a message: the transition table, row by row, and what an outcome means."""

from __future__ import annotations

import itertools

import pytest

from qstash_fake.broker.lifecycle import TRANSITIONS, Canceled, Delivered, Failed, Move, RetryAt, judge, move
from qstash_fake.broker.message import PENDING, Attempt, Message, Outcome, State
from qstash_fake.protocol.options import Options
from qstash_fake.protocol.retry_delay import RetryDelay

NOW_MS = 1_767_225_600_000

ALLOWED = {
    ("CREATED", "START"): "ACTIVE",
    ("CREATED", "CANCEL"): "CANCELED",
    ("RETRY", "START"): "ACTIVE",
    ("RETRY", "CANCEL"): "CANCELED",
    ("ACTIVE", "SUCCEED"): "DELIVERED",
    ("ACTIVE", "ERR"): "RETRY",
    ("ACTIVE", "GIVE_UP"): "FAILED",
    ("ACTIVE", "CANCEL"): "CANCELED",
}


def a_message(state=State.ACTIVE, *, attempts=1, retries=3, retry_delay=None):
    message = Message(
        message_id="msg_1",
        sequence=1,
        url="https://shop.example/jobs",
        method="POST",
        body=b"",
        stored_headers=(),
        options=Options(retry_delay=RetryDelay.parse(retry_delay) if retry_delay else None),
        created_ms=NOW_MS,
        due_ms=NOW_MS,
        not_before_ms=NOW_MS,
        max_retries=retries,
        state=state,
    )
    message.attempts = [Attempt(message=message, started_ms=NOW_MS, retried=n) for n in range(attempts)]
    return message


@pytest.mark.parametrize(("state", "what"), list(itertools.product(State, Move)), ids=str)
def test_a_move_leads_where_the_table_says_or_is_a_bug(state, what):
    message = a_message(state)
    following = ALLOWED.get((state.name, what.name))
    if following is None:
        with pytest.raises(AssertionError, match=f"cannot {what.name}"):
            move(message, what)
        assert message.state is state
    else:
        move(message, what)
        assert message.state == following


def test_what_is_not_pending_is_final():
    assert {state for state, moves in TRANSITIONS.items() if not moves} == set(State) - PENDING


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_any_2xx_is_a_delivery(status):
    assert judge(a_message(), Outcome(status=status), NOW_MS) == Delivered()


@pytest.mark.parametrize("status", [0, 100, 199, 300, 302, 404, 489, 500])
def test_everything_else_is_tried_again(status):
    assert judge(a_message(), Outcome(status=status), NOW_MS) == RetryAt(NOW_MS + 12_000)


@pytest.mark.parametrize(
    ("attempts", "seconds"), [(1, 12), (2, 148), (3, 1_808), (4, 22_026), (5, 86_400), (20, 86_400)]
)
def test_the_default_wait_grows_to_a_day(attempts, seconds):
    message = a_message(attempts=attempts, retries=99)
    assert judge(message, Outcome(status=500), NOW_MS) == RetryAt(NOW_MS + seconds * 1000)


def test_the_attempt_after_the_last_retry_fails_for_good():
    assert isinstance(judge(a_message(attempts=3), Outcome(status=500), NOW_MS), RetryAt)
    assert judge(a_message(attempts=4), Outcome(status=500), NOW_MS) == Failed()


def test_no_retries_means_one_attempt():
    assert judge(a_message(retries=0), Outcome(status=500), NOW_MS) == Failed()


def test_a_lost_answer_is_no_attempt_of_its_own():
    message = a_message(attempts=2, retries=1)
    message.attempts[0].lost = True
    assert judge(message, Outcome(status=500), NOW_MS) == RetryAt(NOW_MS + 12_000)


@pytest.mark.parametrize("value", ["true", "True", " TRUE "])
def test_489_with_its_header_fails_at_once(value):
    outcome = Outcome(status=489, headers=(("upstash-nonretryable-ERROR", value),))
    assert judge(a_message(), outcome, NOW_MS) == Failed()


@pytest.mark.parametrize(
    ("status", "headers"),
    [(489, ()), (489, (("Upstash-NonRetryable-Error", "false"),)), (500, (("Upstash-NonRetryable-Error", "true"),))],
)
def test_status_and_header_are_both_needed_to_fail_at_once(status, headers):
    assert isinstance(judge(a_message(), Outcome(status=status, headers=headers), NOW_MS), RetryAt)


def test_a_cancelled_message_in_flight_is_delivered_or_cancelled():
    message = a_message(attempts=4)
    message.cancel_requested = True
    assert judge(message, Outcome(status=200), NOW_MS) == Delivered()
    assert judge(message, Outcome(status=500), NOW_MS) == Canceled()


def test_the_retry_delay_of_the_first_retry_is_told_that_none_was_made():
    outcome = Outcome(status=500)
    assert judge(a_message(retry_delay="1000 * (1 + retried)"), outcome, NOW_MS) == RetryAt(NOW_MS + 1_000)
    second = a_message(attempts=2, retry_delay="1000 * (1 + retried)")
    assert judge(second, outcome, NOW_MS) == RetryAt(NOW_MS + 2_000)


def test_the_word_of_the_destination_wins_over_the_retry_delay():
    outcome = Outcome(status=429, headers=(("retry-after", "7"),))
    assert judge(a_message(retry_delay="1000"), outcome, NOW_MS) == RetryAt(NOW_MS + 7_000)


def test_a_destination_may_ask_for_a_retry_at_once():
    outcome = Outcome(status=429, headers=(("Retry-After", "0"),))
    assert judge(a_message(), outcome, NOW_MS) == RetryAt(NOW_MS)
