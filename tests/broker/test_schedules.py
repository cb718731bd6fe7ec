"""Schedules: ticks, overwriting, pausing, triggering, skipping, and ticks that cannot publish."""

from __future__ import annotations

import pytest

from qstash_fake.broker.journal import Note
from qstash_fake.broker.url_groups import Endpoint
from qstash_fake.errors import Refused, UsageError
from tests.shop import START_S


def seconds(bench, time_ms):
    return None if time_ms is None else time_ms // 1000 - (bench.broker.now_ms // 1000 - bench.now)


def notes(bench):
    """What the journal says of schedules after their creation."""
    texts = [entry.text for entry in bench.broker.journal if isinstance(entry, Note)]
    return [text for text in texts if " was created: " not in text]


@pytest.mark.protocol("4.6 schedule fire")
def test_a_schedule_publishes_at_every_match(bench):
    bench.schedule("a", cron="*/2 * * * *")
    assert bench.advance(360) == [(120, "a"), (240, "a"), (360, "a")]


@pytest.mark.protocol("4.6 load time")
def test_the_first_tick_is_strictly_after_creation(bench):
    schedule = bench.schedule("a", cron="* * * * *")
    assert seconds(bench, schedule.next_ms) == 60
    assert bench.advance(0) == []


def test_a_tick_makes_a_message_of_its_own_that_knows_its_schedule(bench):
    schedule = bench.schedule("a", cron="* * * * *", schedule_id="nightly")
    bench.advance(120)
    first, second = bench.broker.messages.values()
    assert first.message_id != second.message_id
    assert {first.schedule_id, second.schedule_id} == {"nightly"}
    assert schedule.last_messages == [second]
    assert [seconds(bench, at) for at in (schedule.last_ms, schedule.next_ms)] == [120, 180]


@pytest.mark.protocol("4.6 schedule fire")
def test_a_delay_delays_each_message(bench):
    bench.schedule("a", cron="* * * * *", delay="10s")
    assert bench.advance(130) == [(70, "a"), (130, "a")]


@pytest.mark.protocol("4.6 to URL group/queue")
def test_a_schedule_can_fill_a_queue(bench):
    bench.takes = {"a": 90}
    bench.schedule("a", cron="* * * * *", queue_name="jobs")
    assert bench.advance(240) == [(60, "a"), (150, "a"), (240, "a")]


@pytest.mark.protocol("4.6 to URL group/queue")
def test_ticks_into_a_paused_queue_pile_up(bench):
    bench.schedule("a", cron="* * * * *", queue_name="jobs")
    bench.broker.upsert_queue("jobs", paused=True)
    assert bench.advance(180) == []
    assert bench.broker.queues["jobs"].lag == 3
    bench.broker.upsert_queue("jobs", paused=False)
    assert bench.advance(0) == [(180, "a")] * 3


@pytest.mark.protocol("4.6 pause")
def test_a_paused_schedule_does_not_tick_and_makes_nothing_up(bench):
    schedule = bench.schedule("a", cron="* * * * *")
    bench.broker.schedules.pause(schedule.schedule_id)
    assert (schedule.paused, schedule.next_ms) == (True, None)
    assert bench.advance(300) == []
    bench.broker.schedules.resume(schedule.schedule_id, bench.broker.now_ms)
    assert schedule.paused is False
    assert bench.advance(60) == [(360, "a")]


@pytest.mark.protocol("4.6 pause")
def test_the_first_tick_after_a_resume_is_strictly_later(bench):
    schedule = bench.schedule("a", cron="* * * * *")
    bench.broker.schedules.pause(schedule.schedule_id)
    bench.advance(60)
    bench.broker.schedules.resume(schedule.schedule_id, bench.broker.now_ms)
    assert bench.advance(59) == []


def test_pausing_and_resuming_before_the_tick_leaves_one_tick(bench):
    schedule = bench.schedule("a", cron="* * * * *")
    for _ in range(3):
        bench.broker.schedules.pause(schedule.schedule_id)
        bench.broker.schedules.resume(schedule.schedule_id, bench.broker.now_ms)
    assert bench.advance(60) == [(60, "a")]


def test_resuming_what_is_not_paused_changes_nothing(bench):
    schedule = bench.schedule("a", cron="@every 60s")
    bench.advance(30)
    bench.broker.schedules.resume(schedule.schedule_id, bench.broker.now_ms)
    assert bench.advance(30) == [(60, "a")]


def test_a_deleted_schedule_does_not_tick_and_its_messages_go_on(bench):
    schedule = bench.schedule("a", cron="* * * * *", delay="30s")
    bench.advance(60)
    bench.broker.schedules.delete(schedule.schedule_id)
    assert bench.advance(300) == [(90, "a")]
    assert schedule.next_ms is None


@pytest.mark.protocol("4.6 overwrite")
def test_overwriting_keeps_id_and_creation_and_replaces_the_rest(bench):
    old = bench.schedule("a", cron="* * * * *", schedule_id="nightly", retries=7)
    bench.advance(60)
    new = bench.schedule("b", cron="*/5 * * * *", schedule_id="nightly")
    assert (new.schedule_id, seconds(bench, new.created_ms)) == ("nightly", 0)
    assert (new.request.body, new.request.options.retries, new.cron) == (b"b", None, "*/5 * * * *")
    assert (new.last_ms, new.last_messages) == (None, [])
    assert bench.broker.schedules.by_id == {"nightly": old}


@pytest.mark.protocol("4.6 overwrite")
def test_the_old_cron_of_an_overwritten_schedule_ticks_no_more(bench):
    bench.schedule("a", cron="* * * * *", schedule_id="nightly")
    bench.schedule("b", cron="*/5 * * * *", schedule_id="nightly")
    assert bench.advance(300) == [(300, "b")]


@pytest.mark.protocol("4.6 overwrite")
def test_overwriting_unpauses(bench):
    bench.schedule("a", cron="* * * * *", schedule_id="nightly")
    bench.broker.schedules.pause("nightly")
    schedule = bench.schedule("b", cron="* * * * *", schedule_id="nightly")
    assert not schedule.paused
    assert bench.advance(60) == [(60, "b")]


def test_a_trigger_stores_one_message_and_delivers_nothing(bench):
    schedule = bench.schedule("a", cron="0 0 1 1 *")
    (message,) = schedule.trigger()
    assert (message.state, message.attempts) == ("CREATED", [])
    assert schedule.last_messages == [message]
    assert bench.advance(0) == [(0, "a")]


def test_a_trigger_works_while_paused_and_moves_no_tick(bench):
    schedule = bench.schedule("a", cron="* * * * *")
    bench.broker.schedules.pause(schedule.schedule_id)
    schedule.trigger()
    assert bench.advance(120) == [(0, "a")]
    assert schedule.paused


@pytest.mark.protocol("4.6 to URL group/queue")
def test_a_group_is_looked_up_at_each_tick(bench):
    groups = bench.broker.url_groups
    groups.upsert("news", [Endpoint(url="https://a.example")], 0)
    bench.schedule("x", to="news", cron="* * * * *")
    groups.upsert("news", [Endpoint(url="https://b.example")], 0)
    bench.advance(60)
    assert [message.url for message in bench.broker.messages.values()] == ["https://a.example", "https://b.example"]


def test_a_group_that_is_gone_sets_the_error_and_makes_no_message(bench):
    groups = bench.broker.url_groups
    groups.upsert("news", [Endpoint(url="https://a.example")], 0)
    schedule = bench.schedule("x", to="news", cron="* * * * *", schedule_id="s")
    del groups.by_name["news"]
    assert bench.advance(60) == []
    assert schedule.error == "topic news not found"
    note = [entry for entry in bench.broker.journal if isinstance(entry, Note)][-1]
    assert (note.text, seconds(bench, note.time_ms)) == ("schedule s made no message: topic news not found", 60)
    groups.upsert("news", [Endpoint(url="https://a.example")], 0)
    assert bench.advance(60) == [(120, "x")]
    assert schedule.error is None


def test_what_a_schedule_publishes_takes_neither_id_nor_time_from_its_creation(bench):
    bench.schedule(
        "a", cron="* * * * *", deduplication_id="once", content_based_deduplication="true", not_before=START_S + 3_600
    )
    assert bench.advance(60) == [(60, "a")]
    (message,) = bench.broker.messages.values()
    options = message.options
    assert (options.deduplication_id, options.content_based_deduplication, options.not_before_ms) == (None, None, None)


def test_a_group_that_is_unknown_is_refused_at_creation(bench):
    with pytest.raises(Refused, match="topic news not found"):
        bench.schedule("x", to="news", cron="* * * * *")
    assert bench.broker.schedules.by_id == {}


def test_ticks_that_are_passed_over_are_counted_and_not_made_up(bench):
    schedule = bench.schedule("a", cron="* * * * *", schedule_id="s")
    bench.publish("b", delay="150s")
    assert bench.drain() == [(150, "b")]
    assert notes(bench) == ["schedule s skipped 2 ticks"]
    assert seconds(bench, schedule.next_ms) == 180


def test_only_schedules_that_would_have_ticked_are_passed_over(bench):
    bench.schedule("a", cron="* * * * *", schedule_id="paused")
    bench.broker.schedules.pause("paused")
    bench.schedule("a", cron="0 0 1 1 *", schedule_id="yearly")
    bench.schedule("a", cron="* * * * *", schedule_id="s")
    bench.publish("b", delay="150s")
    bench.drain()
    (note,) = (entry for entry in bench.broker.journal if isinstance(entry, Note) and entry.skipped_ticks)
    assert (note.text, note.skipped_ticks, seconds(bench, note.time_ms)) == ("schedule s skipped 2 ticks", 2, 150)


def test_a_tick_at_the_instant_to_which_a_drain_goes_is_passed_over(bench):
    bench.schedule("a", cron="* * * * *", schedule_id="s")
    bench.publish("b", delay="60s")
    assert bench.drain() == [(60, "b")]
    assert notes(bench) == ["schedule s skipped 1 tick"]


def test_the_states_of_the_last_tick_use_the_words_of_the_api(bench):
    bench.broker.url_groups.upsert("news", [Endpoint(url=f"https://{n}.example") for n in "abc"], 0)
    schedule = bench.schedule("x", to="news", cron="* * * * *", retries=0)
    bench.answers = {"x": [200, 500, 500]}
    bench.advance(60)
    assert list(schedule.last_states.values()) == ["SUCCESS", "FAIL", "FAIL"]
    schedule.trigger()
    assert list(schedule.last_states.values()) == ["IN_PROGRESS"] * 3


def test_a_cron_that_never_matches_has_no_next_tick(bench):
    assert bench.schedule("a", cron="0 0 30 2 *").next_ms is None
    assert bench.broker.next_event_ms() is None


def test_the_journal_says_what_becomes_of_a_schedule(bench):
    bench.schedule("a", cron="0 9 * * *", schedule_id="s")
    bench.advance(60)
    bench.schedule("a", to="https://shop.example/night", cron="0 0 30 2 *", schedule_id="s")
    bench.schedule("a", cron="0 8 * * *", schedule_id="s")
    bench.broker.pause_schedule("s")
    bench.broker.resume_schedule("s")
    bench.broker.delete_schedule("s")
    assert [(seconds(bench, entry.time_ms), entry.text) for entry in bench.broker.journal] == [
        (0, "schedule s was created: 0 9 * * * → https://shop.example/jobs, next at 2026-01-01T09:00:00Z"),
        (60, "schedule s was changed: 0 0 30 2 * → https://shop.example/night"),
        (60, "schedule s was changed: 0 8 * * * → https://shop.example/jobs, next at 2026-01-01T08:00:00Z"),
        (60, "schedule s was paused"),
        (60, "schedule s was resumed, next at 2026-01-01T08:00:00Z"),
        (60, "schedule s was deleted"),
    ]


@pytest.mark.parametrize("operation", ["find", "delete", "pause"])
def test_an_unknown_schedule_is_refused(bench, operation):
    with pytest.raises(Refused, match="schedule nightly not found") as refused:
        getattr(bench.broker.schedules, operation)("nightly")
    assert refused.value.status == 404


def test_ticks_of_one_instant_come_in_the_order_in_which_their_schedules_were_created(bench):
    for name in "abc":
        bench.schedule(name, cron="0 12 * * *", schedule_id=name)
    for name in "cba":  # planned after the others, and still the first
        bench.schedule(name, cron="* * * * *", schedule_id=name)
    bench.broker.pause_schedule("b")
    bench.broker.resume_schedule("b")
    assert bench.advance(60) == [(60, "a"), (60, "b"), (60, "c")]


def test_a_schedule_of_before_a_reset_fires_no_more(bench):
    schedule = bench.schedule("a", cron="* * * * *", schedule_id="nightly")
    bench.broker.retire()
    with pytest.raises(UsageError, match=r"^schedule nightly: from before reset\(\), which has forgotten it"):
        bench.broker.trigger(schedule)
    assert not bench.broker.messages


def test_a_pause_or_a_resume_that_changes_nothing_is_no_line_of_the_timeline(bench):
    bench.schedule("a", cron="0 9 * * *", schedule_id="s")
    bench.broker.resume_schedule("s")
    bench.broker.pause_schedule("s")
    bench.broker.pause_schedule("s")
    notes = [entry.text for entry in bench.broker.journal if isinstance(entry, Note)]
    assert [text.partition(":")[0] for text in notes] == ["schedule s was created", "schedule s was paused"]
