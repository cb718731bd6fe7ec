"""The agenda: the order of events, and ticks that can be left out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from qstash_fake.broker.agenda import Agenda, Kind


def taken(agenda, **options):
    """Empty *agenda* and return what stood on it."""
    subjects = []
    while (event := agenda.peek(**options)) is not None:
        subjects.append(event.subject)
        agenda.drop(event)
    return subjects


def test_events_come_in_the_order_of_their_time():
    agenda = Agenda()
    for time_ms in (30, 10, 20):
        agenda.put(time_ms, Kind.START, time_ms)
    assert taken(agenda) == [10, 20, 30]


def test_at_one_instant_an_end_comes_before_a_tick_before_a_start_before_a_wake():
    agenda = Agenda()
    for kind in (Kind.WAKE, Kind.START, Kind.TICK, Kind.END):
        agenda.put(5, kind, kind.name)
    assert taken(agenda) == ["END", "TICK", "START", "WAKE"]


def test_equal_events_come_in_the_order_in_which_they_were_put():
    agenda = Agenda()
    for name in "cab":
        agenda.put(5, Kind.START, name)
    assert taken(agenda) == ["c", "a", "b"]


def test_peeking_removes_nothing():
    agenda = Agenda()
    agenda.put(5, Kind.START, "a")
    assert agenda.peek() == agenda.peek()
    assert taken(agenda) == ["a"]


def test_ticks_can_be_left_out():
    agenda = Agenda()
    agenda.put(1, Kind.TICK, "tick")
    agenda.put(5, Kind.START, "start")
    assert taken(agenda, ticks=False) == ["start"]
    assert taken(agenda) == ["tick"]


def test_an_empty_agenda_has_nothing_to_come():
    assert Agenda().peek() is None
    assert Agenda().peek(ticks=False) is None


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(Kind)), max_size=30))
def test_two_heaps_give_the_order_of_one_sorted_list(events):
    agenda = Agenda()
    for number, (time_ms, kind) in enumerate(events):
        agenda.put(time_ms, kind, number)
    assert taken(agenda) == sorted(range(len(events)), key=lambda number: (*events[number], number))
