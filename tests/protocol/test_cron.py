"""The cron grammar and its instants, against robfig's rules, croniter and a walk through every minute."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from croniter import croniter
from freezegun import freeze_time
from hypothesis import given
from hypothesis import strategies as st

from qstash_fake.protocol.cron import Cron

MINUTE_S = 60
HOUR_S = 3_600
DAY_S = 86_400
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def ms(text: str) -> int:
    """Unix milliseconds of an ISO time; UTC unless it says otherwise."""
    at = datetime.fromisoformat(text)
    return ((at if at.tzinfo else at.replace(tzinfo=UTC)) - EPOCH) // timedelta(milliseconds=1)


def firings(text: str, after: str, count: int) -> list[str]:
    """The first *count* firings after *after*, as ISO times in UTC."""
    cron, at_ms, times = Cron.parse(text), ms(after), []
    for _ in range(count):
        found_ms = cron.next_after(at_ms)
        if found_ms is None:
            break
        at_ms = found_ms
        times.append((EPOCH + timedelta(milliseconds=at_ms)).strftime("%Y-%m-%dT%H:%M:%SZ"))
    return times


# The grammar.


@pytest.mark.parametrize(
    "text",
    [
        "* * * * *",
        "? ? ? ? ?",
        "0 4 * * *",
        "*/5 9-17 * * 1-5",
        "5/15 * * * *",
        "1-30/7 * * * *",
        "0 0 1,15 * MON",
        "0 0 1 JAN-Mar sun-SAT",
        "+5 * * * *",
        "05 0007 * * *",
        "1,,2 * * * *",
        ", * * * *",
        "*-nonsense * * * *",
        "*/99999999999 * * * *",
        "\t0\u00a04 *\u3000* * ",
        "@yearly",
        "@annually",
        "@monthly",
        "@weekly",
        "@daily",
        "@midnight",
        "@hourly",
        "@every 5m",
        "@every 1h30m10s",
        "@every 1.5h",
        "@every .5m",
        "@every 10µs",
        "@every 0",
        "@every -5m",
        "CRON_TZ=America/New_York 0 4 * * *",
        "TZ=Europe/Berlin   0 4 * * *",
        "TZ= 0 4 * * *",
        "TZ=UTC @daily",
        "TZ=Local 0 4 * * *",
        "CRON_TZ=Asia/Kolkata @every 5m",
    ],
)
def test_accepted(text):
    assert Cron.parse(text) == Cron.parse(text)


ATOI = 'failed to parse int from {0}: strconv.Atoi: parsing "{0}": {1}'.format


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty spec string"),
        (" \t ", "empty spec string"),
        ("* * * *", "expected exactly 5 fields, found 4: [* * * *]"),
        ("0 * * * * *", "expected exactly 5 fields, found 6: [0 * * * * *]"),
        ("every day", "expected exactly 5 fields, found 2: [every day]"),
        ("60 * * * *", "end of range (60) above maximum (59): 60"),
        ("* 24 * * *", "end of range (24) above maximum (23): 24"),
        ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
        ("* * 32 * *", "end of range (32) above maximum (31): 32"),
        ("* * * 0 *", "beginning of range (0) below minimum (1): 0"),
        ("* * * 13 *", "end of range (13) above maximum (12): 13"),
        ("* * * * 7", "end of range (7) above maximum (6): 7"),
        ("30-10 * * * *", "beginning of range (30) beyond end of range (10): 30-10"),
        ("* * * * fri-mon", "beginning of range (5) beyond end of range (1): fri-mon"),
        ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
        ("*/2/3 * * * *", "too many slashes: */2/3"),
        ("*/0 * * * *", "step of range should be a positive number: */0"),
        ("*/-0 * * * *", "step of range should be a positive number: */-0"),
        ("*/-5 * * * *", "negative number (-5) not allowed: -5"),
        ("60/2 * * * *", "beginning of range (60) beyond end of range (59): 60/2"),
        ("5,70 61 * * *", "end of range (70) above maximum (59): 70"),
        ("a * * * *", ATOI("a", "invalid syntax")),
        ("-5 * * * *", ATOI("", "invalid syntax")),
        ("5- * * * *", ATOI("", "invalid syntax")),
        ("*/ * * * *", ATOI("", "invalid syntax")),
        ("** * * * *", ATOI("**", "invalid syntax")),
        ("1_0 * * * *", ATOI("1_0", "invalid syntax")),
        ("\u0661 * * * *", ATOI("\u0661", "invalid syntax")),  # a digit, to int()
        ("1.5 * * * *", ATOI("1.5", "invalid syntax")),
        ("0x1 * * * *", ATOI("0x1", "invalid syntax")),
        ('" * * * *', 'failed to parse int from ": strconv.Atoi: parsing "\\"": invalid syntax'),
        ("\\ * * * *", 'failed to parse int from \\: strconv.Atoi: parsing "\\\\": invalid syntax'),
        ("9999999999999999999 * * * *", ATOI("9999999999999999999", "value out of range")),
        ("jan * * * *", ATOI("jan", "invalid syntax")),
        ("* * * mon *", ATOI("mon", "invalid syntax")),
        ("* * * */feb *", ATOI("feb", "invalid syntax")),
        ("* * * january *", ATOI("january", "invalid syntax")),
        ("0 0 L * *", ATOI("L", "invalid syntax")),
        ("0 0 15W * *", ATOI("15W", "invalid syntax")),
        ("0 0 * * 1#2", ATOI("1#2", "invalid syntax")),
        ("H * * * *", ATOI("H", "invalid syntax")),
        ("@reboot", "unrecognized descriptor: @reboot"),
        ("@Daily", "unrecognized descriptor: @Daily"),
        ("@daily 5", "unrecognized descriptor: @daily 5"),
        ("@every", "unrecognized descriptor: @every"),
        ("@every five", 'failed to parse duration @every five: time: invalid duration "five"'),
        ("@every  5m", 'failed to parse duration @every  5m: time: invalid duration " 5m"'),
        ("@every 5", 'failed to parse duration @every 5: time: missing unit in duration "5"'),
        ("@every 1h5", 'failed to parse duration @every 1h5: time: missing unit in duration "1h5"'),
        ("@every 1d", 'failed to parse duration @every 1d: time: unknown unit "d" in duration "1d"'),
        ("@every 5m x", 'failed to parse duration @every 5m x: time: unknown unit "m x" in duration "5m x"'),
        ("@every -", 'failed to parse duration @every -: time: invalid duration "-"'),
        ("@every 9999999h", 'failed to parse duration @every 9999999h: time: invalid duration "9999999h"'),
        ("TZ=Mars/Base 0 4 * * *", "provided bad location Mars/Base: unknown time zone Mars/Base"),
        ("CRON_TZ=America 0 4 * * *", "provided bad location America: unknown time zone America"),
        ("TZ=./UTC 0 4 * * *", "provided bad location ./UTC: unknown time zone ./UTC"),
        ("TZ=../UTC 0 4 * * *", "provided bad location ../UTC: time: invalid location name"),
        ("TZ=/UTC 0 4 * * *", "provided bad location /UTC: time: invalid location name"),
        ("TZ=\\UTC 0 4 * * *", "provided bad location \\UTC: time: invalid location name"),
        ("TZ=UTC", "expected exactly 5 fields, found 0: []"),
        ("TZ=UTC * * *", "expected exactly 5 fields, found 3: [* * *]"),
        ("cron_tz=UTC 0 4 * * *", "expected exactly 5 fields, found 6: [cron_tz=UTC 0 4 * * *]"),
    ],
)
def test_refused_in_the_words_of_the_service(text, reason):
    with pytest.raises(ValueError, match=r"^Invalid cron expression ") as refused:
        Cron.parse(text)
    assert str(refused.value) == f"Invalid cron expression {reason}"


@given(st.text() | st.text(alphabet="*?,-/0123456789 @TZ=monjan", max_size=30))
def test_any_text_is_a_cron_or_is_refused_in_those_words(text):
    refusal, cron = "", None
    try:
        cron = Cron.parse(text)
    except ValueError as refused:
        refusal = str(refused)
    if cron is None:
        assert refusal.startswith("Invalid cron expression ")
    else:
        assert (cron.next_after(0) or 1) > 0


def test_a_number_too_long_for_python_is_out_of_range():
    with pytest.raises(ValueError, match=r"value out of range$"):
        Cron.parse(f"{'9' * 10_000} * * * *")


def test_the_text_is_kept_trimmed_and_with_its_zone():
    assert Cron.parse("*/10 * * * * ").text == "*/10 * * * *"
    assert Cron.parse(" CRON_TZ=America/New_York 0 4 * * *").text == "CRON_TZ=America/New_York 0 4 * * *"


def test_equal_by_text():
    cron = Cron.parse("0 0 * * *")
    cron.next_after(0)
    assert cron == Cron.parse(" 0 0 * * *")
    assert hash(cron) == hash(Cron.parse("0 0 * * *"))
    assert cron != Cron.parse("@daily")
    assert repr(cron) == "Cron(text='0 0 * * *')"


# The instants.


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("* * * * *", ["2026-01-01T00:01:00Z", "2026-01-01T00:02:00Z"]),
        ("50/5 * * * *", ["2026-01-01T00:50:00Z", "2026-01-01T00:55:00Z", "2026-01-01T01:50:00Z"]),
        ("0 22-23/1,3 * * *", ["2026-01-01T03:00:00Z", "2026-01-01T22:00:00Z", "2026-01-01T23:00:00Z"]),
        ("5,,5 0 * * *", ["2026-01-01T00:05:00Z", "2026-01-02T00:05:00Z"]),
        ("0 0 31 * *", ["2026-01-31T00:00:00Z", "2026-03-31T00:00:00Z", "2026-05-31T00:00:00Z"]),
        ("0 0 29 2 *", ["2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"]),
        ("0 12 * feb sun", ["2026-02-01T12:00:00Z", "2026-02-08T12:00:00Z"]),
        ("@yearly", ["2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z"]),
        ("@annually", ["2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z"]),
        ("@monthly", ["2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"]),
        ("@weekly", ["2026-01-04T00:00:00Z", "2026-01-11T00:00:00Z"]),
        ("@daily", ["2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z"]),
        ("@midnight", ["2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z"]),
        ("@hourly", ["2026-01-01T01:00:00Z", "2026-01-01T02:00:00Z"]),
    ],
)
def test_fires_strictly_after(text, expected):
    assert firings(text, "2026-01-01T00:00:00Z", len(expected)) == expected


@pytest.mark.parametrize(
    ("text", "days"),
    [
        # The 13th, and Fridays: 2 9 13 16 23 30 of January 2026. A star on either side means both must match.
        ("0 0 13 * 5", [2, 9, 13, 16, 23, 30]),
        ("0 0 13 * *", [13]),
        ("0 0 13 * ?", [13]),
        ("0 0 13 * */1", [13]),
        ("0 0 13 * 5,*", [13]),
        ("0 0 * * 5", [2, 9, 16, 23, 30]),
        ("0 0 */1 * 5", [2, 9, 16, 23, 30]),
        ("0 0 ?/1 * 5", [2, 9, 16, 23, 30]),
        # A step above one takes the star away: then either side is enough.
        ("0 0 */15 * 5", [1, 2, 9, 16, 23, 30, 31]),
        ("0 0 */2 * 5", sorted([*range(1, 32, 2), 2, 16, 30])),
        ("0 0 13 * */6", [3, 4, 10, 11, 13, 17, 18, 24, 25, 31]),
        ("0 0 */15 * *", [1, 16, 31]),
        # All days written out are no star.
        ("0 0 1-31 * 5", list(range(1, 32))),
        ("0 0 13 * 0-6", list(range(1, 32))),
        ("0 0 1-31/1 * 5", list(range(1, 32))),
        ("0 0 13 * 0-6/1", list(range(1, 32))),
        ("0 0 13 * sun-sat/1", list(range(1, 32))),
        ("0 0 */15 * 0-6", list(range(1, 32))),
        # Commas alone are a side that never matches.
        ("0 0 , * 5", [2, 9, 16, 23, 30]),
        ("0 0 13 * ,", [13]),
        ("0 0 * * 5-5", [2, 9, 16, 23, 30]),
        ("0 0 , * *", []),
        ("0 0 * * ,", []),
    ],
)
def test_the_star_decides_how_day_and_weekday_combine(text, days):
    cron = Cron.parse(text)
    start_ms = ms("2026-01-01")
    found = [
        day
        for day in range(1, 32)
        if cron.next_after(start_ms + (day - 1) * DAY_S * 1_000 - 1) == start_ms + (day - 1) * DAY_S * 1_000
    ]
    assert found == days


@pytest.mark.parametrize(
    "text",
    ["0 0 30 2 *", "0 0 31 4,6,9,11 *", ", * * * *", "* , * * *", "* * * , *", "0 0 , * ,"],
)
@pytest.mark.parametrize("zone", ["", "CRON_TZ=Europe/Berlin "])
def test_what_never_comes_is_none(zone, text):
    cron = Cron.parse(zone + text)
    assert cron.next_after(ms("2026-01-01")) is None
    assert cron.next_after(ms("1999-12-31T23:59:59.999")) is None


def test_an_impossible_day_leaves_the_weekday():
    assert firings("0 0 30 2 1", "2026-01-01", 2) == ["2026-02-02T00:00:00Z", "2026-02-09T00:00:00Z"]


@pytest.mark.parametrize("zone", ["", "CRON_TZ=America/New_York "])
def test_gives_up_after_five_years(zone):
    cron = Cron.parse(f"{zone}0 12 29 2 *")
    assert cron.next_after(ms("2096-02-29T18:00:00")) is None
    assert cron.next_after(ms("2098-12-31T12:00:00")) is None
    found_ms = cron.next_after(ms("2099-01-02T00:00:00"))
    assert found_ms == ms("2104-02-29T12:00:00" + ("-05:00" if zone else "Z"))
    assert cron.next_after(ms("2098-12-31T12:00:00")) is None


def test_five_years_are_counted_on_the_clock_of_the_zone():
    tokyo = Cron.parse("CRON_TZ=Asia/Tokyo 0 12 29 2 *")
    new_year_ms = ms("2099-01-01T00:00:00+09:00")
    assert tokyo.next_after(new_year_ms - 1_001) is None
    assert tokyo.next_after(new_year_ms - 1_000) == ms("2104-02-29T12:00:00+09:00")


@pytest.mark.parametrize("zone", ["", "TZ=Asia/Tokyo ", "TZ=America/New_York "])
@pytest.mark.parametrize("after", ["9999-10-01T00:00", "9999-12-15T00:00", "9999-12-31T23:59"])
def test_nothing_fires_after_the_year_9999(zone, after):
    assert Cron.parse(f"{zone}0 0 1 1 *").next_after(ms(after)) is None
    assert Cron.parse(f"{zone}0 0 29 2 *").next_after(ms(after)) is None
    assert Cron.parse(f"{zone}0 0 30 2 *").next_after(ms(after)) is None


@pytest.mark.parametrize("zone", ["", "TZ=Asia/Tokyo ", "TZ=America/New_York "])
def test_everything_fires_until_then(zone):
    hourly = Cron.parse(f"{zone}0 * * * *")
    assert hourly.count_between(ms("9999-12-29T00:00"), ms("9999-12-31T12:00")) == 60


@pytest.mark.parametrize(
    ("text", "delay_ms"),
    [
        ("@every 90m", 5_400_000),
        ("@every 1h30m10s", 5_410_000),
        ("@every 1.5s", 1_000),
        ("@every 2999ms", 2_000),
        ("@every 1ns", 1_000),
        ("@every 0", 1_000),
        ("@every -5m", 1_000),
        ("TZ=Asia/Tokyo @every 24h", 86_400_000),
    ],
)
def test_every_counts_whole_seconds_from_the_previous_firing(text, delay_ms):
    every = Cron.parse(text)
    assert every.next_after(1_000_000) == 1_000_000 + delay_ms
    assert every.next_after(1_000_999) == 1_000_000 + delay_ms


def test_count_between_leaves_out_the_start_and_includes_the_end():
    hourly, start_ms, end_ms = Cron.parse("@hourly"), ms("2026-01-01T00:00:00"), ms("2026-01-01T03:00:00")
    assert hourly.count_between(start_ms, end_ms) == 3
    assert hourly.count_between(start_ms - 1, end_ms - 1) == 3
    assert hourly.count_between(end_ms, start_ms) == 0
    assert Cron.parse("0 0 30 2 *").count_between(start_ms, end_ms) == 0


def test_count_between_counts_no_further_than_a_bound(monkeypatch):
    monkeypatch.setattr("qstash_fake.protocol.cron.MAX_COUNTED", 2)
    assert Cron.parse("@hourly").count_between(ms("2026-01-01"), ms("9999-01-01")) == 2


# Zones and summer time.


@pytest.mark.parametrize(
    ("text", "after", "expected"),
    [
        # New York, 8 March 2026: 02:00 to 03:00 do not exist.
        ("TZ=America/New_York 30 2 * * *", "2026-03-07T12:00", ["2026-03-09T06:30:00Z"]),
        ("TZ=America/New_York 0 3 * * *", "2026-03-07T12:00", ["2026-03-08T07:00:00Z"]),
        (
            "TZ=America/New_York 0 */2 8 3 *",
            "2026-03-08T04:59",
            ["2026-03-08T05:00:00Z", "2026-03-08T08:00:00Z"],
        ),
        # New York, 1 November 2026: 01:00 to 02:00 come twice.
        ("TZ=America/New_York 30 1 1 11 *", "2026-10-01", ["2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z"]),
        ("TZ=America/New_York 0 1 1 11 *", "2026-10-01", ["2026-11-01T05:00:00Z", "2026-11-01T06:00:00Z"]),
        ("TZ=America/New_York 0 2 1 11 *", "2026-10-01", ["2026-11-01T07:00:00Z"]),
        # London has no offset in winter; on 29 March 2026 01:00 to 02:00 do not exist.
        ("TZ=Europe/London 30 1 * * *", "2026-03-27T12:00", ["2026-03-28T01:30:00Z", "2026-03-30T00:30:00Z"]),
        # Lord Howe, 5 April 2026: half an hour, 01:30 to 02:00, comes twice.
        ("TZ=Australia/Lord_Howe 45 1 5 4 *", "2026-04-01", ["2026-04-04T14:45:00Z", "2026-04-04T15:15:00Z"]),
        # Kathmandu is 5:45 ahead; Apia had no 30 December 2011.
        ("TZ=Asia/Kathmandu 0 0 * * *", "2026-01-01", ["2026-01-01T18:15:00Z"]),
        ("TZ=Pacific/Apia 0 12 * * *", "2011-12-29T21:00", ["2011-12-29T22:00:00Z", "2011-12-30T22:00:00Z"]),
        # Cairo skips midnight itself.
        ("TZ=Africa/Cairo 0 0 * * *", "2026-04-22T12:00", ["2026-04-22T22:00:00Z", "2026-04-24T21:00:00Z"]),
        # Monrovia was 44 minutes 30 seconds behind until 1972.
        ("TZ=Africa/Monrovia 0 0 * * *", "1971-06-01", ["1971-06-01T00:44:30Z"]),
        ("TZ= 0 4 * * *", "2026-07-01", ["2026-07-01T04:00:00Z"]),
        ("TZ=Local 0 4 * * *", "2026-07-01", ["2026-07-01T04:00:00Z"]),
        ("TZ=Asia/Tokyo @daily", "2026-07-01", ["2026-07-01T15:00:00Z"]),
    ],
)
def test_fires_on_the_clock_of_its_zone(text, after, expected):
    assert firings(text, after, len(expected)) == expected


def test_a_firing_is_a_whole_number():
    assert repr(Cron.parse("TZ=Asia/Kolkata @daily").next_after(0)) == "66600000"


DayRule = Callable[[int, int, int, int], bool]  # month, day, weekday (0 is Sunday), hour

ZONES = ["America/New_York", "Europe/Berlin", "Asia/Kolkata", "Australia/Sydney", "Australia/Lord_Howe"]
SLOT_S = 30 * MINUTE_S  # in these zones an hour of the wall clock begins, ends or is cut at :00 or :30 UTC only
WALK_START_S, WALK_END_S = 1_735_689_600, 1_798_761_600  # 2025 and 2026

# Each cron with its meaning, written again: which hours of which days, and which minutes.
WALKED: list[tuple[str, DayRule, set[int]]] = [
    ("30 2 * * *", lambda month, day, weekday, hour: hour == 2, {30}),
    ("15,45 1-3 * * *", lambda month, day, weekday, hour: 1 <= hour <= 3, {15, 45}),
    ("*/20 */6 * * 0", lambda month, day, weekday, hour: weekday == 0 and hour % 6 == 0, {0, 20, 40}),
    ("0 0 1,15 * mon", lambda month, day, weekday, hour: hour == 0 and (day in (1, 15) or weekday == 1), {0}),
    (
        "59 23 28-31 3,4,10,11 *",
        lambda month, day, weekday, hour: hour == 23 and day >= 28 and month in (3, 4, 10, 11),
        {59},
    ),
    (
        "10 1 */2 * */3",
        lambda month, day, weekday, hour: hour == 1 and (day % 2 == 1 or weekday % 3 == 0),
        {10},
    ),
    ("0 2 29 3 *", lambda month, day, weekday, hour: hour == 2 and (month, day) == (3, 29), {0}),
]
DENSE: list[tuple[str, DayRule, set[int]]] = [
    ("* * * * *", lambda month, day, weekday, hour: True, set(range(60))),
    ("*/7 * * * *", lambda month, day, weekday, hour: True, set(range(0, 60, 7))),
    ("3/9 1,2 * * *", lambda month, day, weekday, hour: hour in (1, 2), set(range(3, 60, 9))),
]


@cache
def slots(zone: str) -> list[tuple[int, int, int, int, int, int]]:
    """Every half hour of the walk: its start in unix seconds; month, day, weekday, hour and minute there."""
    tz = ZoneInfo(zone)
    found = []
    for start_s in range(WALK_START_S, WALK_END_S, SLOT_S):
        local = datetime.fromtimestamp(start_s, tz)
        found.append((start_s, local.month, local.day, local.isoweekday() % 7, local.hour, local.minute))
    return found


def walk(zone: str, rule: DayRule, minutes: set[int], start_s: int, end_s: int) -> Iterator[int]:
    """Every firing in [start_s, end_s), in unix seconds, by looking at every minute."""
    for slot_s, month, day, weekday, hour, first_minute in slots(zone):
        if start_s <= slot_s < end_s and rule(month, day, weekday, hour):
            for minute in range(30):
                if first_minute + minute in minutes:
                    yield slot_s + minute * MINUTE_S


def fired(text: str, start_s: int, end_s: int) -> list[int]:
    """Every firing in [start_s, end_s), in unix seconds, according to the module."""
    cron, found = Cron.parse(text), []
    at_ms = cron.next_after(start_s * 1_000 - 1)
    while at_ms is not None and at_ms < end_s * 1_000:
        found.append(at_ms // 1_000)
        at_ms = cron.next_after(at_ms)
    return found


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(("text", "rule", "minutes"), WALKED, ids=[text for text, _, _ in WALKED])
def test_two_years_are_those_of_a_walk_through_every_minute(zone, text, rule, minutes):
    expected = list(walk(zone, rule, minutes, WALK_START_S, WALK_END_S))
    assert fired(f"CRON_TZ={zone} {text}", WALK_START_S, WALK_END_S) == expected


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(("text", "rule", "minutes"), DENSE, ids=[text for text, _, _ in DENSE])
def test_the_days_around_every_change_of_offset_are_those_of_the_walk(zone, text, rule, minutes):
    tz = ZoneInfo(zone)
    offsets = [(slot_s, datetime.fromtimestamp(slot_s, tz).utcoffset()) for slot_s, *_ in slots(zone)]
    changes = [later_s for (_, before), (later_s, after) in pairwise(offsets) if before != after]
    assert len(changes) == (0 if zone == "Asia/Kolkata" else 4)
    for change_s in changes or [WALK_START_S + 90 * DAY_S]:
        start_s, end_s = change_s - 2 * DAY_S, change_s + 2 * DAY_S
        assert fired(f"TZ={zone} {text}", start_s, end_s) == list(walk(zone, rule, minutes, start_s, end_s))


@given(
    st.sampled_from(["Asia/Gaza", "Africa/Casablanca", "America/Boa_Vista", "Antarctica/Troll", *ZONES]),
    st.integers(0, 4_102_444_800_000),  # 1970 to 2100
    st.sampled_from([(m, h) for m in (0, 30, 59) for h in (0, 1, 2, 3, 23)]),
)
def test_a_daily_time_comes_when_the_wall_clock_shows_it(zone, after_ms, time):
    minute, hour = time
    tz = ZoneInfo(zone)
    after_s = after_ms // 1_000
    day = datetime.fromtimestamp(after_s, tz).date()
    # All readings of the time on the days around, kept if the wall clock really shows them.
    readings = [
        datetime(*(day + timedelta(days=shift)).timetuple()[:3], hour, minute, fold=fold, tzinfo=tz)
        for shift in range(-1, 4)
        for fold in (0, 1)
    ]
    shown = {
        int(reading.timestamp())
        for reading in readings
        if reading.astimezone(UTC).astimezone(tz).replace(tzinfo=None) == reading.replace(tzinfo=None)
    }
    expected_s = min(at_s for at_s in shown if at_s > after_s)
    assert Cron.parse(f"TZ={zone} {minute} {hour} * * *").next_after(after_ms) == expected_s * 1_000


# Against a walk through the calendar, since croniter finds our days; then against croniter, where both agree.


def values(low: int, high: int) -> st.SearchStrategy[set[int]]:
    """Values of a field; an empty set stands for its star."""
    return st.sets(st.integers(low, high), max_size=4)


@given(values(1, 31), values(1, 12), values(0, 6), st.integers(0, 50_000))
def test_days_are_those_of_a_walk_through_the_calendar(days, months, weekdays, after_day):
    text = " ".join(",".join(map(str, field)) or "*" for field in (days, months, weekdays))
    start = (EPOCH + timedelta(days=after_day)).date()

    def matches(day: date) -> bool:
        by_day, by_weekday = day.day in days, day.isoweekday() % 7 in weekdays
        if months and day.month not in months:
            return False
        if days and weekdays:
            return by_day or by_weekday
        return (by_day or not days) and (by_weekday or not weekdays)

    walked = (start + timedelta(days=shift) for shift in range(1, 6 * 366))
    expected = next((day for day in walked if day.year <= start.year + 5 and matches(day)), None)
    expected_ms = None if expected is None else (expected - EPOCH.date()).days * DAY_S * 1_000
    assert Cron.parse(f"0 0 {text}").next_after(after_day * DAY_S * 1_000) == expected_ms


def items(low: int, high: int) -> st.SearchStrategy[str]:
    value = st.integers(low, high)
    # To croniter a weekday range such as 3-3 is the whole week; to robfig it is one day.
    bounds = st.tuples(value, value).map(sorted).filter(lambda pair: pair[0] < pair[1])
    step = st.integers(1, high - low)
    return st.one_of(
        value.map(str),
        bounds.map(lambda pair: f"{pair[0]}-{pair[1]}"),
        st.tuples(bounds, step).map(lambda pair: f"{pair[0][0]}-{pair[0][1]}/{pair[1]}"),
        st.integers(2, high - low).map(lambda size: f"*/{size}"),
    )


def fields(low: int, high: int) -> st.SearchStrategy[str]:
    return st.just("*") | st.lists(items(low, high), min_size=1, max_size=4).map(",".join)


# Day or weekday is a star (the walk above has both restricted): beside a `*/2`, croniter takes for a star
# what only adds up to all weekdays, such as `0-6`, and then wants both to match.
DATES = st.one_of(
    st.tuples(fields(1, 31), fields(1, 12), st.just("*")),
    st.tuples(st.just("*"), fields(1, 12), fields(0, 6)),
)
EXPRESSIONS = st.tuples(fields(0, 59), fields(0, 23), DATES.map(" ".join)).map(" ".join)
INSTANTS = st.integers(0, 4_000_000_000)


@given(EXPRESSIONS, INSTANTS)
def test_agrees_with_croniter(text, after_s):
    cron, oracle, at_s = Cron.parse(text), croniter(text, after_s), after_s
    for _ in range(5):
        found_ms = cron.next_after(at_s * 1_000)
        if found_ms is None:
            assert not list(croniter(text, at_s, max_years_between_matches=5).all_next())[:1]
            break
        at_s = found_ms // 1_000
        assert at_s == oracle.get_next(float)


@given(EXPRESSIONS, INSTANTS, st.sampled_from(["", "TZ=America/New_York ", "TZ=Australia/Lord_Howe "]))
def test_what_was_asked_before_changes_no_answer(text, after_s, zone):
    used = Cron.parse(zone + text)
    for shift_s in (0, 300 * DAY_S, 299 * DAY_S, -300 * DAY_S, HOUR_S, 0):
        at_ms = (after_s + shift_s) * 1_000
        assert used.next_after(at_ms) == Cron.parse(zone + text).next_after(at_ms)


def test_threads_that_share_a_cron_get_the_answers_of_one():
    text = "CRON_TZ=America/New_York 15,45 1-3 * * 0,6"
    shared = Cron.parse(text)
    starts = [WALK_START_S + day * 5 * DAY_S for day in range(120)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda start_s: shared.next_after(start_s * 1_000), starts))
    assert found == [Cron.parse(text).next_after(start_s * 1_000) for start_s in starts]


@pytest.mark.parametrize("frozen", ["2026-03-08T06:59:59Z", "1999-12-31T23:59:59Z"])
def test_frozen_time_changes_nothing(frozen):
    asked = [
        (f"{zone}{text}", after)
        for zone in ("", "CRON_TZ=America/New_York ", "CRON_TZ=Australia/Lord_Howe ")
        for text in ("*/5 * * * *", "30 2 * * *", "0 0 29 2 *", "0 0 13 * 5", "@every 5m", "0 0 30 2 *")
        for after in ("2026-03-06T00:00:00", "2026-04-04T14:00:00", "2096-03-01T00:00:00")
    ]
    free = [firings(text, after, 3) for text, after in asked]
    with freeze_time(frozen, tz_offset=3):
        assert [firings(text, after, 3) for text, after in asked] == free
