"""Plans as text, both ways, and what is said of a text that is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qstash_fake.errors import UsageError
from qstash_fake.explore.plans import (
    DEFAULT,
    FAMILIES,
    KINDS,
    OF_A_PUBLISH,
    Fault,
    Point,
    kinds_of,
    parse,
    place_of,
    text_of,
)

ALL = "twice, lost, swap, down, late1h, late1m, publish_lost"
PATHS = st.text(st.characters(codec="ascii", exclude_characters="?\\", min_codepoint=33), max_size=8).map("/".__add__)
HOSTS = st.sampled_from(["shop.example", "localhost:8000", "[::1]:80"])


@st.composite
def faults(draw):
    kind = draw(st.sampled_from(sorted(KINDS)))
    host, path = place_of(f"https://{draw(HOSTS)}{draw(PATHS)}")
    attempt = 0 if kind == OF_A_PUBLISH else draw(st.integers(1, 9))
    return Fault(kind, Point(path, draw(st.integers(1, 99)), attempt, draw(st.sampled_from(["", host]))))


@given(st.lists(faults(), max_size=4, unique=True))
def test_a_plan_is_read_as_it_was_written(plan):
    assert parse(text_of(plan)) == tuple(plan)


def test_a_plan_reads_like_this():
    assert text_of(parse(" lost@/jobs/invoice#1.1 + publish_lost@shop.example/jobs#2")) == (
        "lost@/jobs/invoice#1.1+publish_lost@shop.example/jobs#2"
    )
    assert parse("") == parse(" ") == ()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "late@/jobs#1.1",
            f"'late@/jobs#1.1' is no fault: it begins with one of {ALL} and `@`",
        ),
        ("twice", "'twice' names no point of a run: it reads like twice@/jobs/invoice#1.1"),
        ("twice@/jobs", "'twice@/jobs' names no point of a run: it reads like twice@/jobs/invoice#1.1"),
        ("twice@/jobs#0.1", "'twice@/jobs#0.1' names no point of a run: it reads like twice@/jobs/invoice#1.1"),
        pytest.param(
            f"twice@/jobs#{'9' * 5000}.1",
            f"'twice@/jobs#{'9' * 5000}.1' names no point of a run: it reads like twice@/jobs/invoice#1.1",
            id="a number that Python refuses to read",
        ),
        ("twice@/jobs#1", "'twice@/jobs#1' names no point of a run: it reads like twice@/jobs/invoice#1.1"),
        (
            "publish_lost@/jobs#1.1",
            "'publish_lost@/jobs#1.1' names no point of a run: it reads like publish_lost@/jobs/invoice#1",
        ),
        (
            "twice@/jobs#1.1+",
            f"'' is no fault: it begins with one of {ALL} and `@`",
        ),
        (
            "lost@/jobs#1.1+twice@/jobs#1.1+lost@/jobs#1.1",
            "lost@/jobs#1.1 stands in the plan twice: a fault comes to pass once, so name it once",
        ),
    ],
)
def test_a_text_that_is_no_plan_is_told_with_an_example(text, problem):
    with pytest.raises(UsageError) as raised:
        parse(text)
    assert str(raised.value) == problem


def test_faults_are_named_one_by_one_or_as_a_family():
    assert kinds_of("late, twice") == kinds_of(["late", "twice"]) == ("twice", "late1h", "late1m")
    assert kinds_of(DEFAULT) == ("twice", "lost", "swap", "down", "late1h", "late1m")
    assert set(FAMILIES["late"]) < set(KINDS)


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (
            "thrice",
            f"faults='thrice': there is no such fault, use some of {ALL}, late",
        ),
        ("", "faults= names no fault: leave it out for all that need no real time"),
        (None, "faults=None: give the names of faults, such as ('twice', 'lost')"),
    ],
)
def test_faults_that_there_are_not_are_told(names, problem):
    with pytest.raises(UsageError) as raised:
        kinds_of(names)
    assert str(raised.value) == problem
