"""Workflows in the broker: what no plan cuts, and what a delivery of a run costs."""

from functools import partial

import pytest

from qstash_fake import UsageError
from qstash_fake.broker.broker import Broker
from qstash_fake.broker.workflow import store
from qstash_fake.broker.workflow.runs import RunMove
from qstash_fake.errors import Refused
from qstash_fake.protocol.options import NO_OPTIONS, parse_options
from qstash_fake.protocol.publish import parse_publish
from tests.workflows import URL, a_step, complete, marks
from tests.world import instructions, start_next

START_MS = 1_767_225_600_000


def publish(broker, headers, body=b""):
    return broker.publish(parse_publish(URL, list(headers.items()), body, caller_ip=""))


@pytest.mark.protocol("W answers are not cut")
def test_a_failure_function_is_told_an_answer_that_is_larger_than_a_plan_stores():
    broker = Broker(START_MS, plan="free")
    publish(broker, {**marks(init=True), "Upstash-Retries": "0", "Upstash-Failure-Callback": URL})
    complete(broker, start_next(broker), 500, b"x" * 2_000_000)
    assert len(start_next(broker).content.body) > 4 / 3 * 2_000_000


def start_and_return(broker, run_id):
    publish(broker, marks(run_id, init=True))
    broker.workflows.finish(broker.workflows.by_id[run_id], None)


def test_of_runs_that_have_ended_the_last_are_kept(monkeypatch):
    monkeypatch.setattr(store, "MAX_ENDED", 2)
    broker = Broker(START_MS)
    publish(broker, marks("wfr_goes_on", init=True))
    for number in range(4):
        start_and_return(broker, f"wfr_{number}")
    assert list(broker.workflows.by_id) == ["wfr_goes_on", "wfr_2", "wfr_3"]
    assert [run.run_id for run in broker.workflows.all] == ["wfr_goes_on", "wfr_2", "wfr_3"]


def test_of_two_runs_with_one_id_the_newer_keeps_it_when_the_older_is_forgotten(monkeypatch):
    monkeypatch.setattr(store, "MAX_ENDED", 1)
    broker = Broker(START_MS)
    start_and_return(broker, "wfr_1")
    start_and_return(broker, "wfr_1")
    assert list(broker.workflows.all) == [broker.workflows.by_id["wfr_1"]]


def test_an_ended_run_is_kept_as_long_as_its_dead_letter_and_its_delivery_in_flight(monkeypatch):
    monkeypatch.setattr(store, "MAX_ENDED", 1)
    broker = Broker(START_MS)
    publish(broker, {**marks("wfr_failed", init=True), "Upstash-Retries": "0"})
    complete(broker, start_next(broker), 500)
    publish(broker, marks("wfr_in_flight", init=True))
    delivery = start_next(broker)
    broker.workflows.finish(broker.workflows.by_id["wfr_in_flight"], None)
    for number in range(4):
        start_and_return(broker, f"wfr_{number}")
    assert list(broker.workflows.by_id)[:2] == ["wfr_failed", "wfr_in_flight"]
    complete(broker, delivery)
    broker.delete_dead_letter(*broker.dead_letters)
    for number in range(4, 8):
        start_and_return(broker, f"wfr_{number}")
    assert not {"wfr_failed", "wfr_in_flight"} & set(broker.workflows.by_id)


def test_a_run_of_before_a_reset_is_not_resumed():
    broker = Broker(START_MS)
    publish(broker, {**marks(init=True), "Upstash-Retries": "0"})
    complete(broker, start_next(broker), 500)
    (dead,) = broker.dead_letters.values()
    broker.retire()
    with pytest.raises(UsageError, match=rf"^dead letter {dead.dlq_id}: from before reset\(\)"):
        broker.workflows.resume_all([dead], NO_OPTIONS, from_start=False)
    assert len(broker.workflows.all) == len(broker.dead_letters) == 1


def deliver_plainly(count):
    """Deliver *count* messages, each published during the one before."""
    broker = Broker(START_MS)
    publish(broker, {"Upstash-Forward-X": "1"}, b"payload")
    for number in range(count):
        delivery = start_next(broker)
        publish(broker, {"Upstash-Forward-X": "1"}, a_step(number + 1))
        complete(broker, delivery)


def deliver_steps(count):
    """Do the same in one run."""
    broker = Broker(START_MS)
    publish(broker, {**marks(init=True), "Upstash-Forward-X": "1"}, b"payload")
    for number in range(count):
        delivery = start_next(broker)
        publish(broker, {**marks(), "Upstash-Feature-Set": "WF_TriggerOnConfig"}, a_step(number + 1))
        complete(broker, delivery)


def test_a_delivery_of_a_run_costs_no_more_than_twice_a_plain_one():
    deliver_plainly(1)
    deliver_steps(1)
    assert instructions(lambda: deliver_steps(5)) < 2 * instructions(lambda: deliver_plainly(5))


def test_the_cost_of_a_step_does_not_grow_with_those_before_it():
    deliver_steps(1)
    few, many = (instructions(partial(deliver_steps, count)) for count in (10, 100))
    assert many < 11 * few


def test_a_callback_that_belongs_to_a_run_which_is_not_there_is_a_plain_message():
    broker = Broker(START_MS)
    callback = {"Upstash-Callback": URL, "Upstash-Callback-Workflow-RunId": "wfr_gone"}
    broker.publish(parse_publish("https://shop.example/jobs", list(callback.items()), b"", caller_ip=""))
    complete(broker, start_next(broker))
    report = start_next(broker).message
    assert (report.url, report.part, list(broker.workflows.by_id)) == (URL, None, [])


def test_a_run_goes_on_under_a_new_id_when_its_dead_letter_is_redriven():
    broker = Broker(START_MS)
    publish(broker, marks(init=True))
    first = start_next(broker)
    publish(broker, {**marks(), "Upstash-Retries": "0"}, a_step(1))
    complete(broker, first)
    complete(broker, start_next(broker), 500)
    (dlq_id,) = broker.dead_letters
    again = broker.redrive(dlq_id, parse_options([("Upstash-Retries", "5")]))
    failed, resumed = broker.workflows.all
    assert (resumed.messages, again.body, again.max_retries) == ([again], a_step(1), 5)
    assert failed.run_id == "wfr_1" != resumed.run_id
    assert not broker.dead_letters


def test_a_tick_starts_a_run_unless_one_of_its_id_goes_on():
    broker = Broker(START_MS)
    headers = {**marks(init=True), "Upstash-Cron": "* * * * *"}
    schedule = broker.schedule(parse_publish(URL, list(headers.items()), b"", caller_ip=""))
    started = broker.trigger(schedule)
    (run,) = broker.workflows.all
    assert started == run.messages
    assert len(started) == 1
    assert broker.trigger(schedule) == []


@pytest.mark.protocol("4.11 messages/day")
def test_a_start_counts_as_one_message_of_the_day():
    broker = Broker(START_MS, plan="free")
    plain = parse_publish(URL, [], b"", caller_ip="")
    broker.publish_all([plain] * 998)
    publish(broker, marks(init=True))
    broker.publish(plain)
    with pytest.raises(Refused, match="Exceeded daily rate limit"):
        publish(broker, marks("wfr_2", init=True))


def test_a_move_that_a_run_cannot_make_is_a_bug():
    broker = Broker(START_MS)
    start_and_return(broker, "wfr_1")
    run = broker.workflows.by_id["wfr_1"]
    with pytest.raises(AssertionError, match="cannot RETURN"):
        run.move(RunMove.RETURN, START_MS)


def test_a_workflow_is_started_and_appended_to_at_a_url():
    broker = Broker(START_MS)
    with pytest.raises(Refused, match=r"^a workflow is published to a URL$") as refused:
        broker.publish(parse_publish("a-group", list(marks(init=True).items()), b"", caller_ip=""))
    assert refused.value.status == 400


def test_what_is_published_to_a_run_is_published_to_its_url_also_when_it_is_there_already():
    broker = Broker(START_MS)
    starts = [publish(broker, marks(init=True)).items for _ in range(2)]
    steps = [publish(broker, marks(), a_step(1)).items for _ in range(2)]
    for made in (starts, steps):
        assert [(item.url, item.deduplicated) for (item,) in made] == [(URL, False), (URL, True)]
