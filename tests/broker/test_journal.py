"""The journal: its caps, what was written since a mark, and what an entry says."""

from __future__ import annotations

import pytest

from qstash_fake.broker import journal as journal_module
from qstash_fake.broker.journal import Journal, Note, Step
from qstash_fake.broker.message import Outcome
from tests.shop import START_MS
from tests.times import FIRST_RETRY_S


@pytest.fixture
def small(monkeypatch):
    """A journal that keeps five entries."""
    monkeypatch.setattr(journal_module, "MAX_ENTRIES", 5)
    return Journal()


def texts(notes):
    return "".join(note.text for note in notes)


def test_the_newest_entries_are_kept_and_the_others_counted(small):
    for text in "abcdefgh":
        small.note(0, text)
    assert (texts(small), small.total, small.forgotten) == ("defgh", 8, 3)


@pytest.mark.parametrize("kind", ["notes", "steps"])
def test_a_hundredth_is_forgotten_at_once_when_there_is_a_hundredth_too_many(bench, monkeypatch, kind):
    monkeypatch.setattr(journal_module, "MAX_ENTRIES", 200)
    journal, message = Journal(), bench.publish("a")
    forgotten = []
    for _ in range(204):
        journal.note(0, "a") if kind == "notes" else journal.log(0, Step.CREATED, message)
        forgotten.append(journal.forgotten)
    assert forgotten == [0] * 201 + [2] * 2 + [4]


def test_since_a_mark_means_what_was_written_after_it(small):
    for text in "abc":
        small.note(0, text)
    mark = small.total
    assert small.since(mark) == []
    small.note(0, "d")
    assert texts(small.since(mark)) == "d"
    assert texts(small.since(0)) == "abcd"


def test_since_a_mark_that_is_forgotten_means_what_is_kept(small):
    small.note(0, "a")
    mark = small.total
    for text in "bcdefgh":
        small.note(0, text)
    assert texts(small.since(mark)) == "defgh"
    assert texts(small.since(7)) == "h"


def test_a_note_is_a_call_in_vain_only_where_it_says_that(small):
    small.note(0, "a rotation")
    small.note(0, "a refused step", in_vain=True)
    assert [(note.text, note.skipped_ticks, note.in_vain) for note in small] == [
        ("a rotation", 0, False),
        ("a refused step", 0, True),
    ]


def test_columns_since_a_mark_are_those_of_its_entries(bench):
    journal, now_ms = bench.broker.journal, bench.broker.now_ms
    bench.publish("a")
    mark = journal.total
    journal.note(now_ms, "a rotation")
    bench.advance(0)
    for since in (0, mark):
        parts = [
            (entry, None, None) if isinstance(entry, Note) else (entry.state, entry.message, entry.attempt)
            for entry in journal.since(since)
        ]
        assert list(zip(*journal.columns_since(since), strict=True)) == parts
    steps, *_ = journal.columns_since(mark + 1)
    assert list(map(str, steps)) == ["ACTIVE", "DELIVERED"]


def test_columns_since_a_mark_that_is_forgotten_have_what_is_kept(small):
    for text in "abcdefgh":
        small.note(0, text)
    assert texts(small.columns_since(1)[0]) == "defgh"
    assert texts(small.columns_since(7)[0]) == "h"


def test_entries_are_the_steps_of_messages_without_the_notes(bench):
    message = bench.publish("a")
    bench.broker.journal.note(0, "a rotation")
    bench.advance(0)
    assert [entry.message for entry in bench.broker.journal.entries()] == [message] * 3
    assert len(list(bench.broker.journal)) == 4


def test_a_message_that_fails_has_the_steps_that_the_real_one_has(bench):
    bench.answers = {"a": [500], "b": [500, 200]}
    failing, retried = bench.publish("a", retries=0), bench.publish("b")
    bench.advance(60)
    assert bench.states(failing) == ["CREATED", "ACTIVE", "ERROR", "FAILED"]
    assert bench.states(retried) == ["CREATED", "ACTIVE", "ERROR", "RETRY", "ACTIVE", "DELIVERED"]


def test_each_step_has_its_time_and_the_status_of_its_attempt(bench):
    bench.answers, bench.takes = {"a": [503, 200], "b": [500]}, {"a": 2, "b": 1}
    bench.publish("a", retry_delay="5000")
    bench.publish("b", retries=0)
    bench.advance(60)
    steps = [
        (entry.message.text, (entry.time_ms - START_MS) // 1000, str(entry.state), entry.status)
        for entry in bench.broker.journal.entries()
    ]
    assert [step[1:] for step in steps if step[0] == "a"] == [
        (0, "CREATED", None),
        (0, "ACTIVE", 503),
        (2, "ERROR", 503),
        (2, "RETRY", 503),
        (7, "ACTIVE", 200),
        (9, "DELIVERED", 200),
    ]
    assert [step[1:] for step in steps if step[0] == "b"] == [
        (0, "CREATED", None),
        (0, "ACTIVE", 500),
        (1, "ERROR", 500),
        (1, "FAILED", 500),
    ]


def test_a_cancellation_in_flight_is_logged_with_the_answer_that_came(bench):
    message = bench.publish("a")
    delivery = bench.broker.start(bench.broker.next_message(bench.broker.now_ms))
    bench.broker.cancel([message])
    bench.broker.complete(delivery, Outcome(status=500))
    bench.broker.observe(bench.broker.now_ms)
    assert [(str(entry.state), entry.status) for entry in bench.broker.journal.entries()] == [
        ("CREATED", None),
        ("ACTIVE", 500),
        ("CANCEL_REQUESTED", None),
        ("ERROR", 500),
        ("CANCELED", 500),
    ]


def test_an_error_entry_says_what_went_wrong(bench):
    bench.answers = {"a": [503], "b": [Outcome(error="timeout")]}
    bench.publish("a", retries=0)
    bench.publish("b", retries=0)
    bench.advance(0)
    entries = bench.broker.journal.entries()
    assert [(e.state, e.error) for e in entries if e.error] == [
        ("ERROR", "destination answered 503"),
        ("ERROR", "timeout"),
    ]


def test_the_next_delivery_stands_where_a_delivery_is_still_to_come(bench):
    bench.answers = {"a": [503]}
    bench.publish("a", delay="5s")
    bench.publish("b")
    bench.advance(60)
    planned = {
        (entry.message.text, str(entry.state)): (entry.next_delivery_ms - START_MS) // 1000
        for entry in bench.broker.journal.entries()
        if entry.next_delivery_ms is not None
    }
    assert planned == {("a", "CREATED"): 5, ("a", "RETRY"): 5 + FIRST_RETRY_S}


def test_entries_show_redacted_what_the_message_hides(bench):
    bench.publish("secret", redact_fields="body, header[X-Key]", forward_x_key="v", forward_x_other="w")
    (entry,) = bench.broker.journal.entries()
    assert entry.body.startswith(b"REDACTED:")
    assert entry.headers["x-key"].startswith("REDACTED:")
    assert entry.headers["x-other"] == "w"


def test_an_entry_gives_its_times_as_aware_utc(bench):
    bench.publish("a", delay="1500s")
    (entry,) = bench.broker.journal.entries()
    assert entry.at.isoformat() == "2026-01-01T00:00:00+00:00"
    assert entry.next_delivery_at.isoformat() == "2026-01-01T00:25:00+00:00"
    assert entry.status is None


def test_a_follower_is_given_each_entry_once(small):
    small.note(0, "a")
    follower = small.follow()
    assert follower.take() == []
    for text in "bc":
        small.note(0, text)
    assert texts(follower.take()) == "bc"
    assert follower.take() == []


def test_a_follower_that_comes_too_late_is_given_what_is_kept(small):
    follower = small.follow()
    for text in "abcdefgh":
        small.note(0, text)
    assert texts(follower.take()) == "defgh"
    small.note(0, "i")
    assert texts(follower.take()) == "i"


def test_entries_are_read_from_a_number_on_in_either_direction(small):
    for text in "abcdefgh":
        small.note(0, text)
    assert [(number, entry.text) for number, entry in small.newest()] == list(
        zip(range(7, 2, -1), "hgfed", strict=True)
    )
    assert [entry.text for _, entry in small.newest(before=5)] == ["e", "d"]
    assert [entry.text for _, entry in small.newest(before=1)] == []
    assert [entry.text for _, entry in small.oldest(after=5)] == ["g", "h"]
    assert [entry.text for _, entry in small.oldest(after=0)] == ["d", "e", "f", "g", "h"]


def test_times_for_people_count_from_where_the_clock_started_else_from_the_first_entry_ever(small):
    assert small.zero_ms == 0
    for at_ms in range(100, 108):
        small.note(at_ms, "a note")
        assert small.zero_ms == 100
    assert small.forgotten == 3
    small.start_ms = 40
    assert small.zero_ms == 40
