"""Numbered things in order: what is there, from any number on."""

from hypothesis import given
from hypothesis import strategies as st

from qstash_fake.broker.arrivals import Arrivals
from tests.world import instructions


def arrivals(count):
    made: Arrivals[str] = Arrivals()
    for number in range(count):
        made.add(10 * number, f"thing {number}")
    return made


def test_things_are_read_from_a_number_on_in_either_direction():
    there = arrivals(5)
    assert list(there.after(10)) == ["thing 2", "thing 3", "thing 4"]
    assert list(there.before(30)) == ["thing 2", "thing 1", "thing 0"]
    assert list(there.after(None)) == list(there.before(None))[::-1] == [f"thing {number}" for number in range(5)]


def test_a_number_whose_thing_has_gone_still_says_where_to_begin():
    there = arrivals(5)
    there.remove(20)
    assert list(there.after(20)) == ["thing 3", "thing 4"]
    assert list(there.before(20)) == ["thing 1", "thing 0"]
    assert list(there.after(25)) == ["thing 3", "thing 4"]


def test_what_comes_after_all_have_gone_is_there():
    there = arrivals(1)
    there.remove(0)
    there.add(10, "thing 1")
    assert list(there.after(None)) == list(there.before(None)) == ["thing 1"]


@given(st.integers(0, 12), st.data())
def test_whatever_goes_the_rest_keeps_its_order(count, data):
    there, expected = arrivals(count), {10 * number: f"thing {number}" for number in range(count)}
    while expected:
        gone = data.draw(st.sampled_from(sorted(expected)))
        there.remove(gone)
        del expected[gone]
        at = data.draw(st.integers(-5, 10 * count))
        assert list(there.after(at)) == [thing for number, thing in expected.items() if number > at]
        assert list(there.before(at)) == [thing for number, thing in expected.items() if number < at][::-1]
        assert next(there.after(None), None) == next(iter(expected.values()), None)
        assert len(there) == len(expected)


def test_taking_all_away_from_either_end_or_in_any_order_costs_what_is_taken():
    def drain(count, pick):
        there = arrivals(count)
        numbers = pick([10 * number for number in range(count)])

        def work():
            for number in numbers:
                next(there.after(None))
                next(there.before(None))
                there.remove(number)

        return instructions(work)

    for pick in (list, lambda n: n[::-1], lambda n: n[1::2] + n[::2], lambda n: n[len(n) // 2 :] + n[: len(n) // 2]):
        assert drain(1600, pick) < 5 * drain(400, pick)  # over all that is gone each time, it would be 16 times


def test_what_has_gone_from_the_middle_is_not_stepped_over_for_ever():
    def read(count):
        there = arrivals(count)
        for number in range(1, count - 1):
            there.remove(10 * number)
        return instructions(lambda: list(there.after(None)))

    assert read(1000) < 2 * read(10)
