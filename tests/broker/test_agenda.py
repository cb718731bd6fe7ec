"""The agenda: the order of events, what no longer holds, and ticks that can be left out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qstash_fake.broker.agenda import Agenda, Event, Rank

FOR_EVER = 1 << 60


class Named(Event):
    """An event with a name, of any rank and place."""

    def __init__(self, name, rank=Rank.START, place=0):
        self.name, self._place = name, place
        setattr(self, "rank", rank)  # noqa: B010 - of the class elsewhere; one class stands for all ranks here
        self.valid = True
        self.lapsed_ms = None

    @property
    def place(self):
        return self._place

    def holds(self, at_ms):
        return self.valid

    def lapse(self, at_ms):
        self.lapsed_ms = at_ms


def taken(agenda, **options):
    """Empty *agenda* and return the names of what stood on it."""
    names = []
    while (due := agenda.pop_due(FOR_EVER, **options)) is not None:
        names.append(due[1].name)
    return names


def test_events_come_in_the_order_of_their_time():
    agenda = Agenda()
    for time_ms in (30, 10, 20):
        agenda.put(time_ms, Named(time_ms))
    assert taken(agenda) == [10, 20, 30]


def test_what_no_longer_holds_brings_nothing_of_the_next_millisecond_forward():
    agenda = Agenda()
    agenda.put(11, Named("first of all", Rank.END))
    dropped = Named("dropped", Rank.END)
    agenda.put(10, dropped)
    dropped.valid = False
    assert agenda.pop_due(10) is None
    assert agenda.pop_due(11) is not None


def test_at_one_instant_an_end_comes_before_a_tick_before_a_start_before_a_wake():
    agenda = Agenda()
    for rank in (Rank.WAKE, Rank.START, Rank.TICK, Rank.END):
        agenda.put(5, Named(rank.name, rank))
    assert taken(agenda) == ["END", "TICK", "START", "WAKE"]


def test_equal_events_come_in_the_order_in_which_they_were_put():
    agenda = Agenda()
    for name in "cab":
        agenda.put(5, Named(name))
    assert taken(agenda) == ["c", "a", "b"]


def test_a_lower_place_comes_first_among_events_of_one_rank_at_one_instant():
    agenda = Agenda()
    agenda.put(5, Named("second", Rank.TICK, place=1))
    agenda.put(5, Named("first", Rank.TICK, place=0))
    assert taken(agenda) == ["first", "second"]


def test_an_event_comes_when_its_time_has_come_and_brings_that_time():
    agenda, event = Agenda(), Named("a")
    agenda.put(5, event)
    assert agenda.pop_due(4) is None
    assert agenda.pop_due(9) == (5, event)
    assert agenda.pop_due(9) is None


def test_looking_when_something_happens_removes_nothing():
    agenda = Agenda()
    agenda.put(5, Named("a"))
    assert (agenda.next_ms(), agenda.next_ms()) == (5, 5)
    assert taken(agenda) == ["a"]


def test_what_no_longer_holds_is_dropped_and_told_so():
    agenda, first = Agenda(), Named("a")
    agenda.put(5, first)
    agenda.put(7, Named("b"))
    first.valid = False
    assert agenda.next_ms() == 7
    assert first.lapsed_ms == 5


def test_ticks_can_be_left_out():
    agenda = Agenda()
    agenda.put(1, Named("tick", Rank.TICK))
    agenda.put(5, Named("start"))
    assert agenda.next_ms(ticks=False) == 5
    assert taken(agenda, ticks=False) == ["start"]
    assert taken(agenda) == ["tick"]


def test_a_tick_is_due_from_its_own_time_on():
    agenda = Agenda()
    agenda.put(1, Named("start"))
    assert not agenda.tick_is_due(9)
    agenda.put(5, Named("tick", Rank.TICK))
    assert (agenda.tick_is_due(4), agenda.tick_is_due(5)) == (False, True)


def test_an_empty_agenda_has_nothing_to_come():
    assert Agenda().next_ms() is None
    assert Agenda().pop_due(FOR_EVER, ticks=False) is None


def test_an_event_that_does_not_say_what_happens_is_a_mistake():
    with pytest.raises(AssertionError, match="does not say what happens"):
        Event().happen(5)


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(Rank), st.integers(0, 2)), max_size=30))
def test_two_heaps_give_the_order_of_one_sorted_list(events):
    agenda = Agenda()
    for number, (time_ms, rank, place) in enumerate(events):
        agenda.put(time_ms, Named(number, rank, place))
    assert taken(agenda) == sorted(range(len(events)), key=lambda number: (*events[number], number))
