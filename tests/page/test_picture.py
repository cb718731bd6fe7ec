"""The picture: what the page draws, redacted, and cheap to take again when little has changed."""

from __future__ import annotations

import json

import jwt

from qstash_fake.broker.message import Outcome
from qstash_fake.delivery.exchange import request_for
from qstash_fake.testing.picture import PREVIEW, clipped, detail, picture, run
from tests.broker.bench import Bench
from tests.broker.test_callbacks import sent_to
from tests.shop import JOBS, START_MS
from tests.workflows import URL, marks
from tests.world import start_next


def test_a_row_shows_waits_attempts_and_where_it_stands():
    bench = Bench()
    bench.answers, bench.takes = {"a": [503]}, {"a": 2}
    message = bench.publish("a", delay="5s", label="invoice", queue_name="jobs")
    bench.advance(9)
    (row,) = picture(bench.broker)["messages"]
    assert row == {
        "id": message.message_id,
        "number": 1,
        "url": JOBS,
        "method": "POST",
        "state": "RETRY",
        "created": START_MS,
        "due": START_MS + 19_000,
        "first_due": START_MS + 5_000,
        "retries": 3,
        "body": "a",
        "queue": "jobs",
        "labels": ["invoice"],
        "attempts": [{"due": START_MS + 5_000, "at": START_MS + 5_000, "took": 2_000, "retried": 0, "status": 503}],
    }


def test_an_attempt_knows_how_long_a_gate_held_it():
    bench = Bench()
    bench.takes = {"first": 30}
    bench.publish("first", queue_name="jobs")
    bench.publish("second", queue_name="jobs")
    bench.advance(60)
    second = picture(bench.broker)["messages"][1]["attempts"][0]
    assert (second["due"], second["at"]) == (START_MS, START_MS + 30_000)


def test_what_reports_on_a_message_and_what_is_published_again_name_their_source():
    bench = Bench()
    bench.answers = {"x": [500]}
    message = bench.publish("x", retries=0, failure_callback="https://shop.example/failed")
    bench.advance(0)
    assert picture(bench.broker)["dead"] == {message.message_id: message.dlq_id}
    again = bench.broker.redrive(message.dlq_id or "")
    (report,) = sent_to(bench, "https://shop.example/failed")
    assert {report.source_id, again.source_id} == {message.message_id}
    assert picture(bench.broker)["dead"] == {}


def test_a_second_picture_brings_only_what_has_changed():
    bench = Bench()
    quiet, late = bench.publish("quiet", delay="1h"), bench.publish("late", delay="5s")
    number = bench.broker.journal.total
    nothing = picture(bench.broker, number)
    assert (nothing["messages"], nothing["total"], nothing["whole"]) == ([], 2, False)
    bench.advance(5)
    new = bench.publish("new")
    changed = picture(bench.broker, number)
    assert [row["id"] for row in changed["messages"]] == [late.message_id, new.message_id]
    assert next(row["id"] for row in picture(bench.broker)["messages"]) == quiet.message_id


def test_the_newest_messages_can_be_asked_for():
    bench = Bench()
    for body in "abc":
        bench.publish(body)
    taken = picture(bench.broker, newest=2)
    assert ([row["body"] for row in taken["messages"]], taken["total"]) == (["b", "c"], 3)


def test_schedules_show_their_next_ticks_and_none_while_paused():
    bench = Bench()
    schedule = bench.schedule("tick", cron="0 * * * *", schedule_id="hourly")
    (shown,) = picture(bench.broker)["schedules"]
    assert shown["ticks"] == [START_MS + hour * 3_600_000 for hour in (1, 2, 3)]
    bench.broker.pause_schedule(schedule.schedule_id)
    assert picture(bench.broker)["schedules"][0]["ticks"] == []


def test_notes_of_the_journal_are_shown():
    bench = Bench()
    bench.schedule("tick", cron="* * * * *", schedule_id="s")
    bench.publish("x", delay="90s")
    bench.drain()
    assert picture(bench.broker)["notes"][1:] == [{"at": START_MS + 90_000, "text": "schedule s skipped 1 tick"}]


def test_runs_show_their_steps_and_where_they_stand():
    bench = Bench()
    request = bench.request(
        "payload", URL, **{name.removeprefix("Upstash-"): v for name, v in marks(init=True).items()}
    )
    bench.broker.publish(request)
    taken = picture(bench.broker)
    (shown,) = taken["runs"]
    assert (shown["workflowRunId"], shown["standing"]) == ("wfr_1", "step 1: due now")
    assert [step["stepName"] for step in shown["steps"][0]["steps"]] == ["init"]
    assert (taken["messages"][0]["run"], taken["messages"][0]["part"]) == ("wfr_1", "start of run wfr_1…")
    assert run(bench.broker.workflows.by_id["wfr_1"], bench.broker.now_ms) == shown


def test_a_detail_has_answers_and_the_claims_that_were_signed():
    bench = Bench()
    bench.publish("hello", forward_x_tenant="7", retries=0)
    delivery = start_next(bench.broker)
    sent = request_for(delivery)
    answer = Outcome(status=500, headers=(("X-Why", "no"),), body=b"broken", exception=KeyError("secret"))
    bench.broker.complete(delivery, answer)
    shown = detail(delivery.message)
    (attempt,) = shown["attempts"]
    assert (shown["body"], shown["bytes"], shown["header"]) == ("hello", 5, {"X-Tenant": ["7"]})
    assert (attempt["body"], attempt["header"], attempt["raised"]) == ("broken", {"X-Why": ["no"]}, "KeyError")
    signature = dict(sent.headers)["Upstash-Signature"]
    signed = jwt.decode(signature, options={"verify_signature": False})
    in_virtual_time = {"iat": START_MS // 1000, "exp": START_MS // 1000 + 300}  # the bench freezes no clock
    assert attempt["claims"] == signed | in_virtual_time


def test_nothing_that_is_redacted_is_shown():
    bench = Bench()
    bench.answers = {"secret": [Outcome(status=500, exception=ValueError("secret 4111"))]}
    hidden = "body, header[X-Card]"
    message = bench.publish(
        "secret", callback="https://shop.example/cb", redact_fields=hidden, forward_x_card="4111", retries=0
    )
    bench.advance(0)
    text = json.dumps([picture(bench.broker), *(detail(one) for one in bench.broker.messages.values())])
    assert "secret" not in text
    assert "4111" not in text
    assert text.count("REDACTED:") > 2
    assert detail(message)["attempts"][0]["raised"] == "ValueError"


def test_taking_a_picture_changes_nothing():
    bench = Bench()
    bench.schedule("tick", cron="* * * * *", schedule_id="s")
    bench.publish("a", queue_name="jobs", delay="1s")
    before = json.dumps(picture(bench.broker))
    assert json.dumps(picture(bench.broker)) == before
    assert bench.advance(60) == [(1, "a"), (60, "tick")]


def test_a_body_in_a_row_is_its_beginning_on_one_line():
    bench = Bench()
    bench.publish("one\n\ntwo " + "x" * 500)
    (row,) = picture(bench.broker)["messages"]
    assert row["body"].startswith("one two xxx")
    assert len(row["body"]) == PREVIEW


def test_a_text_that_is_cut_says_how_long_it_was():
    assert clipped({"a": ["x" * 12, 7]}, 10) == {"a": ["x" * 10 + "… (cut: 12 characters)", 7]}
    assert clipped("x" * 12, None) == "x" * 12
