"""The agenda: the order of events, what no longer holds, and ticks that can be left out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qstash_fake.broker.agenda import Agenda, Event, Rank

FOR_EVER = 1 << 60


class Named:
    """A subject with a name, and the rank and the place of its event."""

    def __init__(self, name, rank=Rank.START, place=0):
        self.name, self.rank, self.place = name, rank, place
        self.valid = True
        self.lapsed_ms = None


class OfNamed(Event[Named]):
    def __init__(self, rank):
        setattr(self, "rank", rank)  # noqa: B010 - of the class elsewhere; one class stands for all ranks here

    def place(self, subject):
        return subject.place

    def holds(self, at_ms, subject):
        return subject.valid

    def lapse(self, at_ms, subject):
        subject.lapsed_ms = at_ms


EVENTS = {rank: OfNamed(rank) for rank in Rank}


def put(agenda, at_ms, named):
    agenda.put(at_ms, EVENTS[named.rank], named)


def taken(agenda, **options):
    """Empty *agenda* and return the names of what stood on it."""
    names = []
    while (due := agenda.pop_due(FOR_EVER, **options)) is not None:
        names.append(due[2].name)
    return names


def test_events_come_in_the_order_of_their_time():
    agenda = Agenda()
    for time_ms in (30, 10, 20):
        put(agenda, time_ms, Named(time_ms))
    assert taken(agenda) == [10, 20, 30]


def test_what_no_longer_holds_brings_nothing_of_the_next_millisecond_forward():
    agenda = Agenda()
    put(agenda, 11, Named("first of all", Rank.END))
    dropped = Named("dropped", Rank.END)
    put(agenda, 10, dropped)
    dropped.valid = False
    assert agenda.pop_due(10) is None
    assert agenda.pop_due(11) is not None


def test_at_one_instant_an_end_comes_before_a_tick_before_a_start_before_a_wake():
    agenda = Agenda()
    for rank in (Rank.WAKE, Rank.START, Rank.TICK, Rank.END):
        put(agenda, 5, Named(rank.name, rank))
    assert taken(agenda) == ["END", "TICK", "START", "WAKE"]


@pytest.mark.parametrize("rank", Rank)
def test_a_rank_of_an_event_is_no_part_of_its_time(rank):
    agenda, named = Agenda(), Named("a", rank)
    put(agenda, 5, named)
    assert agenda.pop_due(9) == (5, EVENTS[rank], named)


def test_equal_events_come_in_the_order_in_which_they_were_put():
    agenda = Agenda()
    for name in "cab":
        put(agenda, 5, Named(name))
    assert taken(agenda) == ["c", "a", "b"]


def test_a_lower_place_comes_first_among_events_of_one_rank_at_one_instant():
    agenda = Agenda()
    put(agenda, 5, Named("second", Rank.TICK, place=1))
    put(agenda, 5, Named("first", Rank.TICK, place=0))
    assert taken(agenda) == ["first", "second"]


def test_an_event_comes_when_its_time_has_come_and_brings_that_time():
    agenda, named = Agenda(), Named("a")
    put(agenda, 5, named)
    assert agenda.pop_due(4) is None
    assert agenda.pop_due(9) == (5, EVENTS[Rank.START], named)
    assert agenda.pop_due(9) is None


def test_looking_when_something_happens_removes_nothing():
    agenda = Agenda()
    put(agenda, 5, Named("a"))
    assert (agenda.next_ms(), agenda.next_ms()) == (5, 5)
    assert taken(agenda) == ["a"]


def test_what_no_longer_holds_is_dropped_and_told_so():
    agenda, first = Agenda(), Named("a")
    put(agenda, 5, first)
    put(agenda, 7, Named("b"))
    first.valid = False
    assert agenda.next_ms() == 7
    assert first.lapsed_ms == 5


def test_ticks_can_be_left_out():
    agenda = Agenda()
    put(agenda, 1, Named("tick", Rank.TICK))
    put(agenda, 5, Named("start"))
    assert agenda.next_ms(ticks=False) == 5
    assert taken(agenda, ticks=False) == ["start"]
    assert taken(agenda) == ["tick"]


def test_a_tick_is_due_from_its_own_time_on():
    agenda = Agenda()
    put(agenda, 1, Named("start"))
    assert not agenda.tick_is_due(9)
    put(agenda, 5, Named("tick", Rank.TICK))
    assert (agenda.tick_is_due(4), agenda.tick_is_due(5)) == (False, True)


def test_an_empty_agenda_has_nothing_to_come():
    assert Agenda().next_ms() is None
    assert Agenda().pop_due(FOR_EVER, ticks=False) is None


def test_an_event_that_does_not_say_what_happens_is_a_mistake():
    with pytest.raises(AssertionError, match="does not say what happens"):
        Event[str]().happen("a")


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(Rank), st.integers(0, 2)), max_size=30))
def test_two_heaps_give_the_order_of_one_sorted_list(events):
    agenda = Agenda()
    for number, (time_ms, rank, place) in enumerate(events):
        put(agenda, time_ms, Named(number, rank, place))
    assert taken(agenda) == sorted(range(len(events)), key=lambda number: (*events[number], number))
