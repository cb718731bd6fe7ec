"""The value of `Retry-After` and its kin."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qstash_fake.protocol.retry_after import wait_ms

pytestmark = pytest.mark.protocol("4.2 response headers that override the wait")

NOW_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z, a Thursday


@pytest.mark.parametrize(
    ("value", "wait"),
    [
        ("0", 0),
        ("10", 10_000),
        (" 10\t", 10_000),
        ("-5", -5_000),
        ("1767225610", 1_767_225_610_000),
        ("6m5s", 365_000),
        ("1.5h", 5_400_000),
        ("20ms", 20),
        ("-5s", -5_000),
        ("Thu, 01 Jan 2026 00:00:30 GMT", 30_000),
        ("Wed, 31 Dec 2025 23:59:59 GMT", -1_000),
    ],
)
def test_a_value_is_seconds_a_date_or_a_go_duration(value, wait):
    assert wait_ms(value, NOW_MS) == wait


def test_a_date_is_exact_to_the_millisecond_of_now():
    assert wait_ms("Thu, 01 Jan 2026 00:00:30 GMT", NOW_MS + 250) == 29_750


@pytest.mark.parametrize(
    "value",
    [
        "",
        "soon",
        "1.5",
        "1d",
        "10 s",
        "10\n",
        "\v10",
        "X10",
        "٣",
        "9" * 5_000,
        "Thu, 32 Jan 2026 00:00:30 GMT",
        "2026-01-01T00:00:30Z",
    ],
)
def test_a_value_that_cannot_be_read_says_nothing(value):
    assert wait_ms(value, NOW_MS) is None


@given(st.text(max_size=40) | st.text(alphabet="0123456789smhGTJan,: +-.", max_size=40))
def test_no_value_raises(value):
    assert wait_ms(value, NOW_MS) is None or isinstance(wait_ms(value, NOW_MS), int)
