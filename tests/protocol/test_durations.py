"""Durations: what the three grammars read, exactly, and how a duration is written for people."""

import math
from datetime import timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qstash_fake.protocol.durations import format_ms, go_duration_ms, header_ms, seconds_or_header_ms, to_ms

DAY_MS = 86_400_000


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("10s", 10_000),
        ("5m", 300_000),
        ("1d10h30m", 124_200_000),
        ("3d5h12m", 277_920_000),
        ("1h30m3s", 5_403_000),
        ("30m1h", 5_400_000),
        ("1s1s", 2_000),
        ("0s", 0),
        ("0", 0),
        ("+5s", 5_000),
        ("500ms", 500),
        ("1.5h", 5_400_000),
        ("0.0000002777777777778h", 1),
        (".5d", 43_200_000),
        ("1500us", 1),
        ("999999ns", 0),
        ("2w", 14 * DAY_MS),
        ("1mo", 30 * DAY_MS),
        ("1y1mo1m", 395 * DAY_MS + 60_000),
        (" \t50s ", 50_000),
    ],
)
def test_a_header_is_what_go_reads_with_days_weeks_months_and_years(text, ms):
    assert header_ms(text) == ms
    assert seconds_or_header_ms(text) == ms


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("90", 'time: missing unit in duration "90"'),
        ("10s5", 'time: missing unit in duration "10s5"'),
        ("five", 'time: invalid duration "five"'),
        (" ", 'time: invalid duration ""'),
        ("5 s", 'time: unknown unit " s" in duration "5 s"'),
        ("1h 30m", 'time: unknown unit "h " in duration "1h 30m"'),
        ("5S", 'time: unknown unit "S" in duration "5S"'),
        ("1mon", 'time: unknown unit "mon" in duration "1mon"'),
        ("5s\n", 'time: unknown unit "s\\x0a" in duration "5s\\x0a"'),
        ("300y", 'time: invalid duration "300y"'),
        ("-5s", 'duration "-5s" is negative'),
        ("-1ns", 'duration "-1ns" is negative'),
        ("X5s", 'time: invalid duration "X5s"'),
        ("5sX", 'time: unknown unit "sX" in duration "5sX"'),
        ("x" * 80, f'time: invalid duration "{"x" * 80}"'),
        ("x" * 81, f'time: invalid duration "{"x" * 77}..."'),
    ],
)
def test_a_header_that_is_no_duration_is_refused_in_the_words_of_go(text, refusal):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is compared as a whole
        header_ms(text)
    assert str(caught.value) == refusal


@pytest.mark.parametrize(
    ("text", "ms"), [("45", 45_000), ("0045", 45_000), (" 7\t", 7_000), ("9" * 18, int("9" * 18) * 1_000)]
)
def test_where_bare_seconds_are_read_they_are_whole(text, ms):
    assert seconds_or_header_ms(text) == ms


@pytest.mark.parametrize("text", ["1.5", "-5", "9" * 19, "\u0665", "45\v", "X45"])
def test_other_bare_numbers_are_no_seconds(text):
    with pytest.raises(ValueError, match=r"time: (missing unit in|unknown unit .* in|invalid) duration "):
        seconds_or_header_ms(text)


@pytest.mark.parametrize("read", [header_ms, seconds_or_header_ms, to_ms, go_duration_ms])
def test_numbers_of_many_digits_are_refused_without_quoting_all_of_them(read):
    with pytest.raises(ValueError, match="duration") as caught:
        read("9" * 100_000 + "s")
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("duration", "ms"),
    [
        (5, 5_000),
        (0, 0),
        (-0.0, 0),
        (1.5, 1_500),
        (0.001, 1),
        (1.001, 1_001),
        (4.35, 4_350),
        (0.0019, 1),
        (1e-9, 0),
        (1e3, 1_000_000),
        (timedelta(minutes=5), 300_000),
        (timedelta(microseconds=1_999), 1),
        (timedelta(days=365), 31_536_000_000),
        ("5m", 300_000),
        ("1h30m", 5_400_000),
        ("250ms", 250),
        ("1.5s", 1_500),
        ("1.001s", 1_001),
        ("0.1s0.2s", 300),
        ("0.9ms", 0),
        ("0.5ms0.5ms", 1),
        ("4m59s", 299_000),
        ("365d", 31_536_000_000),
        (" 1d ", 86_400_000),
        ("2w", 1_209_600_000),
        ("1mo", 2_592_000_000),
        ("1y", 31_536_000_000),
        ("1y2mo3w4d5h6m7s", 38_898_367_000),
        ("1.5w", 907_200_000),
        ("1mo1m1ms", 2_592_060_001),
        ("999us999999ns", 1),
        ("1500\u00b5s500\u03bcs", 2),
    ],
)
def test_the_python_api_takes_seconds_timedeltas_and_compounds_and_floors_them(duration, ms):
    assert to_ms(duration) == ms


@pytest.mark.parametrize(
    "duration",
    [
        -1,
        -0.0001,
        timedelta(microseconds=-1),
        "-5m",
        math.nan,
        math.inf,
        -math.inf,
        True,
        False,
        "",
        "  ",
        "5",
        *("5x", "m", "1.s", ".5s", "1h 30m", "5M", "٣s"),
        *(10**18, 10**5_000, -(10**5_000), 1e300),
    ],
    ids=lambda duration: str(type(duration).__name__),
)
def test_a_value_that_is_no_duration_is_refused_with_a_sentence(duration):
    with pytest.raises(ValueError, match=r"duration .*(:|,|has) ."):
        to_ms(duration)


@pytest.mark.parametrize("duration", [None, b"5m", [5], 5j])
def test_a_value_of_another_type_is_a_type_error_that_names_the_type(duration):
    with pytest.raises(TypeError, match=type(duration).__name__):
        to_ms(duration)


@given(
    st.lists(
        st.tuples(
            st.integers(min_value=0, max_value=300),  # Go ends at 292 years
            st.integers(min_value=0, max_value=999),
            st.sampled_from(["ns", "us", "\u00b5s", "\u03bcs", "ms", "s", "m", "h", "d", "w", "mo"]),
        ),
        min_size=1,
        max_size=3,
    )
)
def test_a_text_means_the_same_in_the_python_api_as_in_a_header(parts):
    text = "".join(f"{whole}.{decimals:03}{unit}" for whole, decimals, unit in parts)
    # Go drops what is less than a nanosecond, part by part.
    assert to_ms(text) - header_ms(text) in (0, 1)


@given(st.integers(min_value=0, max_value=10**12))
def test_seconds_with_three_decimals_never_lose_a_millisecond(ms):
    assert to_ms(ms / 1_000) == ms


@given(st.integers(min_value=0, max_value=10**9), st.integers(min_value=0, max_value=999_999))
def test_a_timedelta_and_the_same_number_as_text_agree(seconds, micros):
    assert to_ms(timedelta(seconds=seconds, microseconds=micros)) == to_ms(f"{seconds}.{micros:06}s")


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "0s"),
        (250, "250ms"),
        (12_000, "12s"),
        (148_000, "2m28s"),
        (86_400_000, "1d"),
        (90_061_001, "1d1h1m1s1ms"),
        (-12_000, "-12s"),
    ],
)
def test_a_duration_is_written_in_the_shortest_compound(ms, text):
    assert format_ms(ms) == text


@given(st.integers(min_value=0, max_value=10**12))
def test_what_is_written_for_people_reads_back_as_the_same_duration(ms):
    assert to_ms(format_ms(ms)) == ms
    assert header_ms(format_ms(ms)) == ms


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("6m5s", 365_000),
        ("1.5h", 5_400_000),
        ("0", 0),
        ("+0", 0),
        ("-0", 0),
        ("0s", 0),
        ("1s", 1_000),
        ("250ms", 250),
        ("1500us", 1),
        ("1500\u00b5s", 1),
        ("1500\u03bcs", 1),
        ("999999ns", 0),
        ("-1.5ms", -2),
        ("-1h", -3_600_000),
        ("+5s", 5_000),
        (".5s", 500),
        ("1.s", 1_000),
        ("39h9m14.425s", 140_954_425),
        ("2562047h47m16.854775807s", 9_223_372_036_854),
        ("9223372036854775807ns", 9_223_372_036_854),
        ("0" * 5_000 + "5s", 5_000),
    ],
)
def test_a_go_duration_is_read_as_go_reads_it(text, ms):
    assert go_duration_ms(text) == ms


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("", 'time: invalid duration ""'),
        ("3", 'time: missing unit in duration "3"'),
        ("-", 'time: invalid duration "-"'),
        ("+", 'time: invalid duration "+"'),
        ("s", 'time: invalid duration "s"'),
        (".", 'time: invalid duration "."'),
        ("-.", 'time: invalid duration "-."'),
        (".s", 'time: invalid duration ".s"'),
        ("+.s", 'time: invalid duration "+.s"'),
        ("1d", 'time: unknown unit "d" in duration "1d"'),
        ("1e3s", 'time: unknown unit "e" in duration "1e3s"'),
        ("1 s", 'time: unknown unit " s" in duration "1 s"'),
        (" 1s", 'time: invalid duration " 1s"'),
        ("--1s", 'time: invalid duration "--1s"'),
        ("1s-1s", 'time: unknown unit "s-" in duration "1s-1s"'),
        ("1S", 'time: unknown unit "S" in duration "1S"'),
        ("1.2.3s", 'time: missing unit in duration "1.2.3s"'),
        ("\u0663s", 'time: invalid duration "\\xd9\\xa3s"'),
        ("\ud800", 'time: invalid duration "\\xed\\xa0\\x80"'),
        ("X", 'time: invalid duration "X"'),
        ("~\x7f\x80", 'time: invalid duration "~\x7f\\xc2\\x80"'),
        ("\x1f ", 'time: invalid duration "\\x1f "'),
        ('1"\\', 'time: unknown unit "\\"\\\\" in duration "1\\"\\\\"'),
        ("2562047h47m16.854775808s", 'time: invalid duration "2562047h47m16.854775808s"'),
        ("99999999999999999999ns", 'time: invalid duration "99999999999999999999ns"'),
        ("10000000000000000000x", 'time: invalid duration "10000000000000000000x"'),
    ],
)
def test_what_go_refuses_is_refused_in_the_words_of_go(text, refusal):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is compared as a whole
        go_duration_ms(text)
    assert str(caught.value) == refusal


GO_UNITS_NS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 10**9, "m": 60 * 10**9, "h": 3_600 * 10**9}
PARTS = st.tuples(
    st.integers(min_value=0, max_value=10**6), st.text("0123456789", max_size=12), st.sampled_from(list(GO_UNITS_NS))
)


@given(st.sampled_from(["", "+", "-"]), st.lists(PARTS, min_size=1, max_size=5))
def test_a_go_duration_is_the_sum_of_its_parts(sign, parts):
    text = sign + "".join(f"{whole}.{decimals}{unit}" for whole, decimals, unit in parts)
    exact_ns = sum(Fraction(f"{whole}.{decimals or 0}") * GO_UNITS_NS[unit] for whole, decimals, unit in parts)
    # a part loses what is less than a nanosecond, and the sum then what is less than a millisecond
    assert abs(go_duration_ms(text) - (-exact_ns if sign == "-" else exact_ns) / 1_000_000) <= 1


@given(st.text(alphabet="0123456789.smhdnuwoy-+ \u00b5e", max_size=12) | st.text(max_size=12))
def test_any_text_is_read_or_refused_with_a_value_error(text):
    for read in (header_ms, seconds_or_header_ms, to_ms, go_duration_ms):
        try:
            assert isinstance(read(text), int)
        except ValueError:
            continue


@given(st.floats(min_value=0, max_value=1e17))
def test_a_float_means_the_decimal_number_it_prints_as(seconds):
    assert to_ms(seconds) == math.floor(Fraction(repr(seconds)) * 1_000)


@pytest.mark.parametrize("seconds", [10**18, float(10**18), -(10**18)])
def test_a_number_of_more_than_eighteen_digits_is_refused(seconds):
    with pytest.raises(ValueError, match=r"^a duration has at most 18 digits of seconds$"):
        to_ms(seconds)


@pytest.mark.parametrize(("text", "shown"), [("soon", "soon"), ("x" * 80, "x" * 80), ("x" * 81, "x" * 77 + "...")])
def test_a_text_that_is_no_duration_is_shown_and_cut_where_it_is_long(text, shown):
    with pytest.raises(ValueError, match=r"^invalid duration ") as caught:
        to_ms(text)
    assert str(caught.value).startswith(f"invalid duration '{shown}': write numbers with the units")
