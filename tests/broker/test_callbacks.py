"""Callbacks: when they are sent, what they say, and how their own options are set."""

from __future__ import annotations

import base64
import json

import pytest

from qstash_fake.broker.message import Outcome
from qstash_fake.broker.url_groups import Endpoint
from tests.world import start_next

CALLBACK = "https://shop.example/callback"
FAILED = "https://shop.example/failed"
ANSWER = Outcome(status=201, headers=(("content-type", "text/plain"), ("x-a", "1"), ("x-a", "2")), body=b"fine")


def sent_to(bench, url):
    return [message for message in bench.broker.messages.values() if message.url == url]


def bodies(bench, url):
    return [json.loads(message.body) for message in sent_to(bench, url)]


@pytest.mark.protocol("3.5 body of a callback")
def test_the_body_of_a_callback_in_the_order_of_a_real_one(bench):
    message = bench.publish("hi", callback=CALLBACK, forward_x_tenant="7", retries=2)
    bench.answers = {"hi": [ANSWER]}
    bench.advance(0)
    (callback,) = sent_to(bench, CALLBACK)
    assert callback.text == (
        '{"status":201,"header":{"Content-Type":["text/plain"],"X-A":["1","2"]},"body":"ZmluZQ==","maxRetries":2,'
        f'"sourceMessageId":"{message.message_id}","url":"https://shop.example/jobs","method":"POST",'
        '"sourceHeader":{"X-Tenant":["7"]},"sourceBody":"aGk=","notBefore":1767225600000,'
        '"createdAt":1767225600000,"callerIP":"203.0.113.7"}'
    )


def test_what_is_absent_is_left_out_and_the_rest_is_there_though_empty(bench):
    bench.publish("", callback=CALLBACK)
    bench.advance(0)
    (body,) = bodies(bench, CALLBACK)
    assert (body["body"], body["header"], body["sourceHeader"]) == ("", {}, {})
    assert not body.keys() & {"retried", "topicName", "endpointName", "sourceBody", "scheduleId", "queueName", "dlqId"}


def test_a_callback_names_group_endpoint_schedule_and_queue(bench):
    bench.broker.url_groups.upsert("news", [Endpoint(url="https://a.example", name="first")], 0)
    bench.schedule("x", to="news", cron="* * * * *", schedule_id="nightly", queue_name="jobs", callback=CALLBACK)
    bench.advance(60)
    (body,) = bodies(bench, CALLBACK)
    assert (body["topicName"], body["endpointName"]) == ("news", "first")
    assert (body["scheduleId"], body["queueName"], body["url"]) == ("nightly", "jobs", "https://a.example")


def test_times_are_those_of_the_message_in_milliseconds(bench):
    bench.advance(5)
    bench.publish("x", delay="7s", callback=CALLBACK)
    bench.advance(60)
    (body,) = bodies(bench, CALLBACK)
    assert (body["createdAt"], body["notBefore"]) == (1_767_225_605_000, 1_767_225_612_000)


@pytest.mark.protocol("3.5 each attempt")
def test_a_callback_is_sent_after_every_attempt_and_counts_the_earlier_ones(bench):
    bench.answers = {"x": [500, 500, 200]}
    bench.publish("x", retries=5, callback=CALLBACK)
    bench.advance(300)
    sent = bodies(bench, CALLBACK)
    assert [(body["status"], body.get("retried")) for body in sent] == [(500, None), (500, 1), (200, 2)]


@pytest.mark.protocol("3.5 without an answer")
def test_an_attempt_without_an_answer_has_status_zero(bench):
    bench.answers = {"x": [Outcome(error="connection refused")]}
    bench.publish("x", retries=0, callback=CALLBACK)
    bench.advance(0)
    (body,) = bodies(bench, CALLBACK)
    assert (body["status"], body["header"], body["body"]) == (0, {}, "")


@pytest.mark.protocol("3.5 each attempt")
def test_a_failure_callback_is_sent_once_and_names_the_dead_letter(bench):
    bench.answers = {"x": [500, 502]}
    message = bench.publish("x", retries=1, failure_callback=FAILED)
    bench.advance(60)
    (body,) = bodies(bench, FAILED)
    assert (body["status"], body["retried"], body["maxRetries"]) == (502, 1, 1)
    assert list(body)[-1] == "dlqId"
    assert body["dlqId"] == message.dlq_id


def test_a_delivered_message_sends_no_failure_callback(bench):
    bench.answers = {"x": [500]}
    bench.publish("x", failure_callback=FAILED)
    bench.advance(60)
    assert bodies(bench, FAILED) == []


def test_the_last_attempt_sends_both_the_callback_first(bench):
    bench.answers = {"x": [500]}
    bench.publish("x", retries=0, callback=CALLBACK, failure_callback=FAILED)
    bench.advance(0)
    assert [message.url for message in bench.broker.messages.values()][1:] == [CALLBACK, FAILED]
    assert "dlqId" not in bodies(bench, CALLBACK)[0]


def test_a_message_cancelled_in_flight_reports_its_attempt_and_no_failure(bench):
    bench.answers, bench.takes = {"x": [500]}, {"x": 10}
    message = bench.publish("x", retries=0, callback=CALLBACK, failure_callback=FAILED)
    bench.advance(1)
    bench.broker.cancel([message])
    bench.advance(60)
    assert message.state == "CANCELED"
    assert (len(sent_to(bench, CALLBACK)), len(sent_to(bench, FAILED))) == (1, 0)


@pytest.mark.protocol("3.5 messages of their own")
def test_a_callback_has_the_retries_of_its_message_unless_it_names_its_own(bench):
    bench.answers = {"x": [500]}
    bench.publish("x", retries=0, callback=CALLBACK, failure_callback=FAILED, failure_callback_retries=7)
    bench.advance(0)
    assert [message.max_retries for message in sent_to(bench, CALLBACK) + sent_to(bench, FAILED)] == [0, 7]


def test_a_callback_is_a_json_post_unless_its_family_says_otherwise(bench):
    bench.publish("x", method="PUT", callback=CALLBACK)
    bench.publish("y", callback=CALLBACK, callback_method="PATCH", callback_forward_x_key="v")
    bench.advance(0)
    one, other = sent_to(bench, CALLBACK)
    assert (one.method, dict(one.stored_headers)) == ("POST", {"Content-Type": "application/json"})
    assert (other.method, dict(other.stored_headers)) == (
        "PATCH",
        {"Content-Type": "application/json", "X-Key": "v"},
    )


def test_a_family_sets_timeout_and_flow_control_of_the_callback(bench):
    bench.publish(
        "x",
        callback=CALLBACK,
        callback_timeout="5s",
        callback_flow_control_key="k",
        callback_flow_control_value="rate=2,period=1m",
    )
    bench.advance(0)
    (callback,) = sent_to(bench, CALLBACK)
    assert callback.options.timeout_ms == 5_000
    assert (bench.broker.flow_control["k"].rate, bench.broker.flow_control["k"].period_ms) == (2, 60_000)


def test_the_body_of_a_callback_is_utf_8(bench):
    bench.publish("x", callback=CALLBACK, label="l", forward_x_city="Zürich")
    bench.advance(0)
    (callback,) = sent_to(bench, CALLBACK)
    assert '"sourceHeader":{"X-City":["Zürich"]}'.encode() in callback.body


def test_a_callback_inherits_nothing_of_its_message_but_who_called(bench):
    options = {"forward_x_key": "v", "label": "l", "queue_name": "jobs", "deduplication_id": "d", "timeout": "9s"}
    bench.publish("x", callback=CALLBACK, **options)
    bench.advance(0)
    (callback,) = sent_to(bench, CALLBACK)
    assert (callback.queue, callback.schedule_id, callback.labels) == (None, None, ())
    assert (callback.deduplication_id, callback.options.timeout_ms, callback.callback) == (None, None, None)
    assert (callback.options.redaction, callback.caller_ip) == (None, "203.0.113.7")
    assert "x-key" not in callback.headers


def test_a_callback_stands_in_no_queue_even_if_its_family_names_one(bench):
    bench.publish("x", callback=CALLBACK, callback_queue_name="jobs", callback_schedule_id="nightly")
    bench.advance(0)
    (callback,) = sent_to(bench, CALLBACK)
    assert (callback.queue, callback.schedule_id, bench.broker.queues) == (None, None, {})


def test_a_failure_callback_of_a_callback_reports_that_callback(bench):
    nested = "https://shop.example/nested"
    bench.publish("x", callback=CALLBACK, callback_retries=0, callback_failure_callback=nested)
    first = start_next(bench.broker)
    bench.broker.complete(first, Outcome(status=200))
    second = start_next(bench.broker)
    bench.broker.complete(second, Outcome(status=500, body=b"no"))
    (callback,) = sent_to(bench, CALLBACK)
    (body,) = bodies(bench, nested)
    assert (body["sourceMessageId"], body["url"], body["status"]) == (callback.message_id, CALLBACK, 500)
    assert base64.b64decode(body["sourceBody"]) == callback.body


def test_a_callback_of_a_callback_ends_where_the_headers_end(bench):
    nested = "https://shop.example/nested"
    bench.publish("x", callback=CALLBACK, callback_callback=nested, callback_callback_forward_x_depth="2")
    bench.advance(0)
    assert [len(sent_to(bench, url)) for url in (CALLBACK, nested)] == [1, 1]
    assert sent_to(bench, nested)[0].headers["x-depth"] == "2"


def test_callbacks_of_a_failure_callback_are_a_family_of_their_own(bench):
    nested = "https://shop.example/nested"
    bench.answers = {"x": [500]}
    bench.publish("x", retries=0, failure_callback=FAILED, failure_callback_callback=nested)
    bench.advance(0)
    assert [len(sent_to(bench, url)) for url in (FAILED, nested)] == [1, 1]


@pytest.mark.protocol("4.3 failed callbacks")
def test_a_callback_that_fails_for_good_is_a_dead_letter(bench):
    bench.publish("x", callback=CALLBACK, callback_retries=0)
    bench.broker.complete(start_next(bench.broker), Outcome(status=200))
    bench.broker.complete(start_next(bench.broker), Outcome(status=500))
    assert [dead.message.url for dead in bench.broker.dead_letters.values()] == [CALLBACK]


def test_the_callback_of_a_redacted_message_is_shown_redacted_and_sent_whole(bench):
    bench.publish("secret", callback=CALLBACK, redact_fields="body")
    bench.advance(0)
    (callback,) = sent_to(bench, CALLBACK)
    assert base64.b64decode(json.loads(callback.body)["sourceBody"]) == b"secret"
    assert callback.redaction.redact_body(callback.body).startswith(b"REDACTED:")
