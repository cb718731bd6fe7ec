"""Whether and when a failed message is tried again: the whole policy, on one message and one outcome."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qstash_fake.broker.message import Attempt, Message, Outcome, State
from qstash_fake.broker.retries import default_backoff_ms, wait_ms
from qstash_fake.protocol.expressions import Expression
from qstash_fake.protocol.options import Options
from tests.shop import START_MS
from tests.times import FIRST_RETRY_S, FOURTH_RETRY_S, LATER_RETRY_S, SECOND_RETRY_S, THIRD_RETRY_S

DAY_MS = 86_400_000
FAILED = Outcome(status=500)
HEADERS = ("Retry-After", "X-RateLimit-Reset", "X-RateLimit-Reset-Requests", "X-RateLimit-Reset-Tokens")


def a_message(*, attempts=1, lost=0, retries=99, retry_delay=None):
    message = Message(
        message_id="msg_1",
        sequence=1,
        url="https://shop.example/jobs",
        method="POST",
        body=b"",
        stored_headers=(),
        options=Options(retry_delay=Expression.parse(retry_delay) if retry_delay else None),
        created_ms=START_MS,
        due_ms=START_MS,
        not_before_ms=START_MS,
        max_retries=retries,
        state=State.ACTIVE,
    )
    for n in range(attempts):
        previous, retried = message.last_attempt, message.retried
        message.last_attempt = Attempt(started_ms=START_MS, retried=retried, lost=n < lost, previous=previous)
    return message


def asked(*headers):
    return Outcome(status=429, headers=headers)


# --- count ----------------------------------------------------------------------------------------


def test_the_attempt_after_the_last_retry_has_no_next():
    assert wait_ms(a_message(attempts=3, retries=3), FAILED, START_MS) is not None
    assert wait_ms(a_message(attempts=4, retries=3), FAILED, START_MS) is None


def test_no_retries_means_one_attempt():
    assert wait_ms(a_message(retries=0), FAILED, START_MS) is None


def test_a_lost_answer_uses_up_no_retry():
    message = a_message(attempts=2, lost=1, retries=1)
    assert wait_ms(message, FAILED, START_MS) == FIRST_RETRY_S * 1_000


@pytest.mark.protocol("4.2 non-retryable")
@pytest.mark.parametrize("value", ["true", "True", " TRUE "])
def test_489_with_its_header_uses_up_all_retries(value):
    outcome = Outcome(status=489, headers=(("upstash-nonretryable-ERROR", value),))
    assert wait_ms(a_message(), outcome, START_MS) is None


@pytest.mark.protocol("4.2 non-retryable")
@pytest.mark.parametrize(
    ("status", "headers"),
    [(489, ()), (489, (("Upstash-NonRetryable-Error", "false"),)), (500, (("Upstash-NonRetryable-Error", "true"),))],
)
def test_status_and_header_are_both_needed_to_use_up_all_retries(status, headers):
    assert wait_ms(a_message(), Outcome(status=status, headers=headers), START_MS) == FIRST_RETRY_S * 1_000


# --- backoff --------------------------------------------------------------------------------------


@pytest.mark.protocol("4.2 formula")
@pytest.mark.parametrize(
    ("retry_number", "seconds"),
    [
        (1, FIRST_RETRY_S),
        (2, SECOND_RETRY_S),
        (3, THIRD_RETRY_S),
        (4, FOURTH_RETRY_S),
        (5, LATER_RETRY_S),
        (6, LATER_RETRY_S),
        (10**400, LATER_RETRY_S),
    ],
)
def test_the_default_backoff_is_the_documented_row_and_ends_at_a_day(retry_number, seconds):
    assert default_backoff_ms(retry_number) == seconds * 1_000


def test_the_backoff_counts_the_attempts_that_were_made():
    assert wait_ms(a_message(attempts=1), FAILED, START_MS) == FIRST_RETRY_S * 1_000
    assert wait_ms(a_message(attempts=3), FAILED, START_MS) == THIRD_RETRY_S * 1_000


# --- expression -----------------------------------------------------------------------------------


@pytest.mark.protocol("4.2 Upstash-Retry-Delay")
def test_an_expression_is_told_how_many_retries_were_made_before():
    assert wait_ms(a_message(retry_delay="1000 * (1 + retried)"), FAILED, START_MS) == 1_000
    assert wait_ms(a_message(attempts=2, retry_delay="1000 * (1 + retried)"), FAILED, START_MS) == 2_000


@pytest.mark.protocol("4.2 Upstash-Retry-Delay")
@pytest.mark.parametrize(
    ("expression", "wait"),
    [
        ("1.9", 1),
        ("0 - 5", 0),
        ("-1 / 0", 0),
        ("0 / 0", 0),
        ("86400000", DAY_MS),
        ("86400001", DAY_MS),
        ("pow(9, pow(9, 9))", DAY_MS),
        ("pow(0, -1)", DAY_MS),
        ("pow(0 / 0, 0)", 1),
        ("pow(0 / 0, 2)", 0),
    ],
)
def test_an_expression_is_floored_and_stays_between_at_once_and_a_day(expression, wait):
    assert wait_ms(a_message(retry_delay=expression), FAILED, START_MS) == wait


# --- headers --------------------------------------------------------------------------------------


@pytest.mark.protocol("4.2 response headers that override the wait")
@pytest.mark.parametrize("name", HEADERS)
def test_each_header_counts_in_any_case(name):
    assert wait_ms(a_message(), asked((name.upper(), "7")), START_MS) == 7_000
    assert wait_ms(a_message(), asked((name.lower(), "7")), START_MS) == 7_000


@pytest.mark.protocol("4.2 precedence between these four and Retry-Delay")
def test_the_order_of_the_documentation_decides_not_the_order_of_the_answer():
    headers = [(name, str(seconds)) for seconds, name in enumerate(HEADERS, start=1)]
    assert wait_ms(a_message(), asked(*reversed(headers)), START_MS) == 1_000
    assert wait_ms(a_message(), asked(*reversed(headers[1:])), START_MS) == 2_000


def test_of_a_repeated_header_the_first_value_counts():
    assert wait_ms(a_message(), asked(("Retry-After", "1"), ("retry-after", "2")), START_MS) == 1_000


@pytest.mark.protocol("4.2 response headers that override the wait")
@pytest.mark.parametrize("value", ["soon", "86401", "1767225610", "24h1s", "Fri, 02 Jan 2026 00:00:01 GMT", "9" * 18])
def test_a_header_that_is_no_wait_or_more_than_a_day_gives_way(value):
    ignored = ("Retry-After", value)
    assert wait_ms(a_message(), asked(ignored), START_MS) == FIRST_RETRY_S * 1_000
    assert wait_ms(a_message(), asked(ignored, ("X-RateLimit-Reset", "6m5s")), START_MS) == 365_000


@pytest.mark.parametrize("value", ["0", "-5", "-5s", "Wed, 31 Dec 2025 23:59:59 GMT"])
def test_a_destination_may_ask_for_a_retry_at_once(value):
    assert wait_ms(a_message(), asked(("Retry-After", value)), START_MS) == 0


@pytest.mark.parametrize("value", ["86400", "24h", "Fri, 02 Jan 2026 00:00:00 GMT"])
def test_a_destination_may_ask_for_a_day(value):
    assert wait_ms(a_message(), asked(("Retry-After", value)), START_MS) == DAY_MS


@pytest.mark.protocol("4.2 precedence between these four and Retry-Delay")
def test_the_header_of_the_answer_goes_before_the_expression():
    assert wait_ms(a_message(retry_delay="1000"), asked(("retry-after", "7")), START_MS) == 7_000


@given(st.text(max_size=40) | st.text(alphabet="0123456789smhGTJan,: +-.", max_size=40))
def test_whatever_the_header_says_the_wait_is_between_at_once_and_a_day(value):
    wait = wait_ms(a_message(), asked(("Retry-After", value)), START_MS)
    assert wait is not None
    assert 0 <= wait <= DAY_MS
