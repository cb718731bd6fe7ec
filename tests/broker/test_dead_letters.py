"""Dead letters: what they keep, and what a redrive makes of one."""

from __future__ import annotations

import pytest

from qstash_fake.broker.message import Outcome
from qstash_fake.broker.url_groups import Endpoint
from qstash_fake.errors import Refused, UsageError
from qstash_fake.protocol.options import parse_options
from tests.shop import START_S

CALLBACK = "https://shop.example/callback"
FAILED = "https://shop.example/failed"


def a_dead_letter(bench, body="x", **options):
    bench.answers = {body: [503]}
    message = bench.publish(body, retries=0, **options)
    bench.advance(0)
    return bench.broker.dead_letters[message.dlq_id]


def test_a_redriven_message_is_new_and_due_now_with_all_that_the_old_one_had(bench):
    dead = a_dead_letter(
        bench,
        "secret",
        method="PUT",
        not_before=START_S,
        queue_name="jobs",
        flow_control_key="k",
        flow_control_value="rate=5",
        callback=CALLBACK,
        failure_callback=FAILED,
        label="one",
        redact_fields="body",
        forward_x_key="v",
    )
    bench.advance(100)
    message = dead.redrive()
    old = dead.message
    assert message.message_id != old.message_id == message.source_id
    assert (message.created_ms, message.due_ms) == (old.created_ms + 100_000, old.created_ms + 100_000)
    assert message.retried == 0
    same = ("url", "method", "body", "stored_headers", "queue", "labels", "callback", "failure_callback", "max_retries")
    assert message.caller_ip == "203.0.113.7"
    assert [getattr(message, name) for name in same] == [getattr(old, name) for name in same]
    assert (message.body, message.options.flow_control) == (b"secret", old.options.flow_control)
    assert (old.state, bench.broker.dead_letters) == ("FAILED", {})


def test_a_redriven_message_goes_to_the_tail_of_its_queue(bench):
    dead = a_dead_letter(bench, "a", queue_name="jobs")
    bench.takes = {"b": 10, "c": 10}
    bench.publish("b", queue_name="jobs")
    bench.publish("c", queue_name="jobs")
    dead.redrive()
    assert bench.advance(60) == [(0, "b"), (10, "c"), (20, "a")]


def test_a_redriven_message_does_not_wait_for_its_first_delay_again(bench):
    bench.answers = {"x": [500]}
    message = bench.publish("x", retries=0, delay="1h")
    bench.advance(3_600)
    bench.broker.redrive(message.dlq_id)
    assert bench.advance(0) == [(3_600, "x")]


def test_a_redrive_keeps_group_endpoint_and_schedule(bench):
    bench.broker.url_groups.upsert("news", [Endpoint(url="https://a.example", name="first")], 0)
    bench.schedule("x", to="news", cron="* * * * *", schedule_id="nightly", retries=0)
    bench.answers = {"x": [500]}
    bench.advance(60)
    (dead,) = bench.broker.dead_letters.values()
    message = dead.redrive()
    assert (message.url_group, message.endpoint_name, message.schedule_id) == ("news", "first", "nightly")


def test_a_redriven_call_of_the_llm_api_is_still_one(bench):
    bench.answers = {"x": [500]}
    message = bench.publish("x", to="api/llm", callback=CALLBACK, retries=0)
    bench.advance(0)
    assert bench.broker.redrive(message.dlq_id).api == "llm"


def test_headers_given_with_a_redrive_win(bench):
    dead = a_dead_letter(bench, forward_x_key="old", forward_x_other="kept", not_before=START_S)
    overrides = parse_options([("Upstash-Retries", "5"), ("Upstash-Delay", "9s"), ("Upstash-Forward-X-Key", "new")])
    message = bench.broker.redrive(dead.dlq_id, overrides)
    assert (message.max_retries, message.due_ms - message.created_ms) == (5, 9_000)
    assert sorted(message.stored_headers) == [("X-Key", "new"), ("X-Other", "kept")]


@pytest.mark.parametrize(
    ("header", "refusal"),
    [(("Upstash-Retries", "1000"), "quota maxRetries exceeded"), (("Upstash-Timeout", "1h"), "quota timeout exceeded")],
)
def test_a_redrive_that_is_refused_leaves_the_dead_letter(new_bench, header, refusal):
    bench = new_bench(plan="free")
    dead = a_dead_letter(bench)
    with pytest.raises(Refused, match=refusal):
        bench.broker.redrive(dead.dlq_id, parse_options([header]))
    assert list(bench.broker.dead_letters) == [dead.dlq_id]


def test_a_second_redrive_raises(bench):
    dead = a_dead_letter(bench)
    dead.redrive()
    with pytest.raises(UsageError, match=f"dead letter {dead.dlq_id} .* is no longer in the DLQ"):
        dead.redrive()
    assert len(bench.broker.messages) == 2


def test_a_deleted_dead_letter_is_gone(bench):
    dead = a_dead_letter(bench)
    bench.broker.delete_dead_letter(dead.dlq_id)
    for operation in (bench.broker.delete_dead_letter, bench.broker.find_dead_letter, bench.broker.redrive):
        with pytest.raises(Refused, match=f"dlq message {dead.dlq_id} not found"):
            operation(dead.dlq_id)


def test_a_dead_letter_has_the_last_answer(bench):
    bench.answers = {"x": [Outcome(status=500, body=b"first"), Outcome(status=502, body=b"last")]}
    bench.publish("x", retries=1)
    bench.advance(60)
    (dead,) = bench.broker.dead_letters.values()
    assert (dead.response_status, dead.response_body) == (502, b"last")


def test_a_redriven_message_can_die_again(bench):
    dead = a_dead_letter(bench)
    bench.answers = {"x": [500]}
    again = dead.redrive()
    bench.advance(0)
    assert [one.message for one in bench.broker.dead_letters.values()] == [again]


def test_a_dead_letter_of_before_a_reset_is_not_redriven(bench):
    bench.answers = {"a": [500]}
    bench.publish("a", retries=0)
    bench.advance(0)
    (dlq_id,) = bench.broker.dead_letters
    bench.broker.retire()
    with pytest.raises(UsageError, match=rf"^dead letter {dlq_id}: from before reset\(\)"):
        bench.broker.redrive(dlq_id)
    assert list(bench.broker.dead_letters) == [dlq_id]


def test_the_ids_of_dead_letters_sort_like_their_arrival(bench):
    bench.answers = {"a": [500], "b": [500], "c": [500]}
    for body, delay in (("a", "0s"), ("b", "0s"), ("c", "2s")):
        bench.publish(body, retries=0, delay=delay)
    bench.advance(2)
    assert list(bench.broker.dead_letters) == ["1767225600000-0", "1767225600000-1", "1767225602000-2"]


@pytest.mark.parametrize(("latest_first", "beyond"), [(True, "ba"), (False, "de")])
def test_dead_letters_are_listed_from_one_on_in_both_directions(bench, latest_first, beyond):
    bench.answers = {body: [500] for body in "abcde"}
    dead = {body: bench.publish(body, retries=0) for body in "abcde"}
    bench.advance(0)
    third = bench.broker.dead_letters[dead["c"].dlq_id].number
    listed = bench.broker.dead_letters_beyond(third, latest_first=latest_first)
    assert "".join(one.message.text for one in listed) == beyond
