"""The life of a message: the transition table, row by row, and what an outcome means."""

from __future__ import annotations

import itertools

import pytest

from qstash_fake.broker.lifecycle import TRANSITIONS, Canceled, Delivered, Failed, Move, RetryAt, judge, move
from qstash_fake.broker.message import PENDING, Attempt, Message, Outcome, State
from tests.shop import START_MS
from tests.times import FIRST_RETRY_S

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


def a_message(state=State.ACTIVE, *, attempts=1, retries=3):
    message = Message(
        message_id="msg_1",
        sequence=1,
        url="https://shop.example/jobs",
        method="POST",
        body=b"",
        stored_headers=(),
        created_ms=START_MS,
        due_ms=START_MS,
        not_before_ms=START_MS,
        max_retries=retries,
        state=state,
    )
    for n in range(attempts):
        message.last_attempt = Attempt(started_ms=START_MS, retried=n, previous=message.last_attempt)
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


@pytest.mark.parametrize("status", [200, 201, 202, 204, 226, 299])
def test_any_2xx_is_a_delivery_even_one_that_asks_for_a_retry(status):
    assert judge(a_message(), Outcome(status=status), START_MS) == Delivered()
    assert judge(a_message(), Outcome(status=status, headers=(("Retry-After", "7"),)), START_MS) == Delivered()


@pytest.mark.parametrize("status", [0, 100, 199, 300, 301, 304, 307, 400, 401, 404, 489, 500, 503, 599])
def test_everything_else_is_tried_again(status):
    assert judge(a_message(), Outcome(status=status), START_MS) == RetryAt(START_MS + FIRST_RETRY_S * 1_000)


def test_a_date_that_an_answer_asks_for_counts_from_the_end_of_the_attempt():
    asked = Outcome(status=503, headers=(("Retry-After", "Thu, 01 Jan 2026 00:00:30 GMT"),))
    assert judge(a_message(), asked, START_MS + 10_000) == RetryAt(START_MS + 30_000)


def test_the_attempt_after_the_last_retry_fails_for_good():
    assert isinstance(judge(a_message(attempts=3), Outcome(status=500), START_MS), RetryAt)
    assert judge(a_message(attempts=4), Outcome(status=500), START_MS) == Failed()


def test_a_cancelled_message_in_flight_is_delivered_or_cancelled():
    message = a_message(attempts=4)
    message.cancel_requested = True
    assert judge(message, Outcome(status=200), START_MS) == Delivered()
    assert judge(message, Outcome(status=500), START_MS) == Canceled()
