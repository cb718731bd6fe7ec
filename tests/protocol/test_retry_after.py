"""The wait that an app asks for in the headers of a failed response."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qstash_fake.protocol.retry_after import HEADERS, wait_ms

NOW_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z, a Thursday
DAY_MS = 86_400_000


@pytest.mark.parametrize(
    ("value", "wait"),
    [
        ("0", 0),
        ("10", 10_000),
        (" 10 ", 10_000),
        ("86400", DAY_MS),
        ("6m5s", 365_000),
        ("1.5h", 5_400_000),
        ("24h", DAY_MS),
        ("20ms", 20),
        ("0s", 0),
        ("Thu, 01 Jan 2026 00:00:30 GMT", 30_000),
        ("Fri, 02 Jan 2026 00:00:00 GMT", DAY_MS),
        ("Wed, 31 Dec 2025 23:59:59 GMT", 0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("-5", 0),
        ("-5s", 0),
    ],
)
def test_a_value_is_seconds_a_date_or_a_go_duration(value, wait):
    assert wait_ms([("Retry-After", value)], NOW_MS) == wait


@pytest.mark.parametrize("value", ["86401", "1767225610", "24h1s", "Fri, 02 Jan 2026 00:00:01 GMT", "9" * 18])
def test_a_wait_of_more_than_a_day_is_ignored(value):
    assert wait_ms([("X-RateLimit-Reset", value)], NOW_MS) is None


@pytest.mark.parametrize(
    "value",
    [
        "",
        "soon",
        "1.5",
        "1d",
        "10 s",
        "٣",
        "9" * 5_000,
        "Thu, 32 Jan 2026 00:00:30 GMT",
    ],
)
def test_a_value_that_cannot_be_read_is_ignored(value):
    assert wait_ms([("Retry-After", value)], NOW_MS) is None


def test_without_any_of_the_headers_there_is_no_wait():
    assert wait_ms([("Content-Type", "text/plain"), ("X-RateLimit-Remaining", "0")], NOW_MS) is None


@pytest.mark.parametrize("name", HEADERS)
def test_each_header_counts_in_any_case(name):
    assert wait_ms([(name.upper(), "7")], NOW_MS) == 7_000
    assert wait_ms([(name.lower(), "7")], NOW_MS) == 7_000


def test_the_order_of_the_documentation_decides_not_the_order_of_the_response():
    headers = [(name, str(seconds)) for seconds, name in enumerate(HEADERS, start=1)]
    assert wait_ms(reversed(headers), NOW_MS) == 1_000
    assert wait_ms(reversed(headers[1:]), NOW_MS) == 2_000


def test_an_ignored_header_gives_way_to_the_next_usable_one():
    headers = [
        ("Retry-After", "soon"),
        ("X-RateLimit-Reset", "1767225610"),
        ("X-RateLimit-Reset-Requests", "6m5s"),
    ]
    assert wait_ms(headers, NOW_MS) == 365_000


def test_of_a_repeated_header_the_first_value_counts():
    assert wait_ms([("Retry-After", "1"), ("retry-after", "2")], NOW_MS) == 1_000


def test_a_date_is_exact_to_the_millisecond_of_now():
    assert wait_ms([("Retry-After", "Thu, 01 Jan 2026 00:00:30 GMT")], NOW_MS + 250) == 29_750


@given(st.text(max_size=40) | st.text(alphabet="0123456789smhGTJan,: +-.", max_size=40))
def test_no_value_raises(value):
    wait = wait_ms([("Retry-After", value)], NOW_MS)
    assert wait is None or 0 <= wait <= DAY_MS
