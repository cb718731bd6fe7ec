"""Instants as unix milliseconds, datetimes, ISO texts and HTTP dates."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime

import freezegun
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qstash_fake.protocol.moments import LAST_MS, http_date_ms, iso, moment_to_ms, to_datetime

NEW_YEAR_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z, a Thursday

instants = st.integers(min_value=-2_000_000_000_000, max_value=LAST_MS)


@given(instants)
def test_an_instant_comes_back_from_a_datetime_and_from_iso_text(at_ms):
    assert moment_to_ms(to_datetime(at_ms)) == at_ms
    assert moment_to_ms(iso(to_datetime(at_ms))) == at_ms


def test_a_datetime_is_aware_utc_and_ends_with_the_year_9999():
    assert to_datetime(NEW_YEAR_MS + 250) == datetime(2026, 1, 1, 0, 0, 0, 250_000, tzinfo=UTC)
    assert to_datetime(LAST_MS + 1) == to_datetime(LAST_MS) == datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)


def test_the_last_datetime_is_the_last_millisecond_of_the_year_9999():
    assert LAST_MS == 253_402_300_799_999
    assert moment_to_ms("9999-12-31T23:59:59.999Z") == moment_to_ms(datetime.max.replace(tzinfo=UTC)) == LAST_MS
    assert to_datetime(LAST_MS - 1) == datetime(9999, 12, 31, 23, 59, 59, 998_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("after_ms", "text"),
    [(0, "2026-01-01T00:00:00Z"), (12_000, "2026-01-01T00:00:12Z"), (12_045, "2026-01-01T00:00:12.045Z")],
)
def test_iso_text_is_as_short_as_it_is_exact(after_ms, text):
    assert iso(to_datetime(NEW_YEAR_MS + after_ms)) == text


@pytest.mark.parametrize(
    "moment",
    [
        "2026-01-01T00:00:00Z",
        "2026-01-01",
        "2026-01-01T00:00:00",
        "2026-01-01T01:30:00+01:30",
        "2026-01-01T00:00:00.000999Z",
        datetime(2025, 12, 31, 23, tzinfo=timezone(timedelta(hours=-1))),
    ],
)
def test_these_are_the_new_year(moment):
    assert moment_to_ms(moment) == NEW_YEAR_MS


@pytest.mark.parametrize(
    ("moment", "error", "sentence"),
    [
        ("tomorrow", ValueError, "'tomorrow' is no ISO 8601 time such as '2026-01-01T09:00:00Z'"),
        (
            datetime(2026, 1, 1),  # noqa: DTZ001 - naive on purpose
            ValueError,
            "datetime.datetime(2026, 1, 1, 0, 0) is naive: give it a time zone, such as tzinfo=UTC",
        ),
        (7, TypeError, "7 is neither a datetime nor an ISO 8601 text"),
    ],
)
def test_what_is_no_moment_is_refused_with_a_sentence(moment, error, sentence):
    with pytest.raises(error) as refusal:
        moment_to_ms(moment)
    assert str(refusal.value) == sentence


@given(st.text())
def test_a_text_is_a_moment_or_a_value_error(text):
    with suppress(ValueError):
        moment_to_ms(text)


@pytest.mark.parametrize(
    "text",
    [
        "Thu, 01 Jan 2026 00:00:00 GMT",
        "thu, 1 jan 2026 00:00:00 gmt",
        "01 Jan 2026 00:00:00 UTC",
        "Mon, 01 Jan 2026 00:00:00 GMT",
        "Thu, 01 Jan 2026 01:00:00 +0100",
        "Wed, 31 Dec 2025 22:30:00 -0130",
    ],
)
def test_these_http_dates_are_the_new_year(text):
    assert http_date_ms(text) == NEW_YEAR_MS


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-01-01T00:00:30Z",
        "Thu, 01 Jan 2026 24:00:00 GMT",
        "Thu, 01 Jan 2026 00:00:30",
        "Thu, 01 Jan 2026 00:00:30 CEST",
        "Thursday, 01-Jan-26 00:00:30 GMT",
    ],
)
def test_another_form_is_no_http_date(text):
    assert http_date_ms(text) is None


@pytest.mark.parametrize("day", ["32 Jan 2026", "29 Feb 2026", "00 Jan 2026", "01 Jan 0000"])
def test_a_day_that_never_was_is_a_value_error(day):
    with pytest.raises(ValueError, match=r"day|year"):
        http_date_ms(f"Thu, {day} 00:00:30 GMT")


@given(st.integers(min_value=-2_000_000_000, max_value=100_000_000_000))
def test_every_date_that_the_standard_library_writes_is_read(seconds):
    then = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    for text in (format_datetime(then), format_datetime(then, usegmt=True)):
        assert http_date_ms(text) == seconds * 1_000


@pytest.mark.parametrize("frozen_at", ["1999-12-31T23:59:59", "2026-01-01", "2040-02-29"])
def test_a_frozen_application_time_changes_no_instant(frozen_at):
    with freezegun.freeze_time(frozen_at, tz_offset=5):
        assert http_date_ms("Thu, 01 Jan 2026 00:00:00 GMT") == NEW_YEAR_MS
        assert moment_to_ms("2026-01-01") == NEW_YEAR_MS
        assert iso(to_datetime(NEW_YEAR_MS)) == "2026-01-01T00:00:00Z"
