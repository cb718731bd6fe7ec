"""Messages over the API: publish statuses, look-up, cancel."""

import json

import pytest

from qstash_fake.broker.message import Outcome
from tests.shop import JOBS, START_MS
from tests.world import start_next

PUBLISH = f"/v2/publish/{JOBS}"

# --- publish -----------------------------------------------------------------------------------------------------


def test_a_publish_is_201_with_the_id_of_the_message(qstash):
    reply = qstash.call("POST", PUBLISH, body=b"body")
    (message,) = qstash.broker.messages.values()
    assert (reply.status, json.loads(reply.body)) == (201, {"messageId": message.message_id})
    assert dict(reply.headers) == {"Content-Type": "application/json"}


def test_a_duplicate_is_202_with_the_id_of_the_first(qstash):
    headers = {"Upstash-Deduplication-Id": "order-7"}
    first = json.loads(qstash.call("POST", PUBLISH, headers).body)
    again = qstash.call("POST", PUBLISH, headers)
    assert (again.status, json.loads(again.body)) == (202, {**first, "deduplicated": True})


def test_ten_minutes_later_it_is_no_duplicate(qstash):
    headers = {"Upstash-Deduplication-Id": "order-7"}
    qstash.call("POST", PUBLISH, headers)
    qstash.broker.observe(START_MS + 599_999)
    assert qstash.call("POST", PUBLISH, headers).status == 202
    qstash.broker.observe(START_MS + 600_000)
    assert qstash.call("POST", PUBLISH, headers).status == 201


def test_an_enqueue_is_201_and_a_duplicate_of_it_202(qstash):
    headers = {"Upstash-Deduplication-Id": "order-7"}
    statuses = [qstash.call("POST", f"/v2/enqueue/emails/{JOBS}", headers).status for _ in range(2)]
    assert statuses == [201, 202]


def test_a_body_is_kept_byte_for_byte(qstash):
    body = bytes(range(256))
    assert qstash.publish(body=body).body == body


# --- look-up -----------------------------------------------------------------------------------------------------


def test_a_plain_message_shows_what_it_has_and_no_empty_field(qstash):
    message = qstash.publish()
    assert qstash.json("GET", f"/v2/messages/{message.message_id}") == {
        "messageId": message.message_id,
        "url": JOBS,
        "method": "POST",
        "maxRetries": 3,
        "notBefore": START_MS,
        "createdAt": START_MS,
        "callerIP": "127.0.0.1",
    }


def test_a_message_with_everything_shows_every_field(qstash):
    qstash.call("POST", "/v2/topics/shops/endpoints", body={"endpoints": [{"url": JOBS, "name": "First endpoint"}]})
    qstash.json(
        "POST",
        "/v2/publish/shops",
        {
            "Upstash-Method": "PUT",
            "Content-Type": "text/plain",
            "Upstash-Forward-test-header": "test-value",
            "Upstash-Delay": "1h",
            "Upstash-Retries": "5",
            "Upstash-Retry-Delay": "1000 * (1 + retried)",
            "Upstash-Timeout": "30s",
            "Upstash-Callback": "https://shop.example/done",
            "Upstash-Callback-Forward-X-Done": "1",
            "Upstash-Failure-Callback": "https://shop.example/failed",
            "Upstash-Failure-Callback-Forward-X-Failed": "2",
            "Upstash-Queue-Name": "emails",
            "Upstash-Label": "first, second",
            "Upstash-Flow-Control-Key": "key",
            "Upstash-Flow-Control-Value": "rate=10, parallelism=2, period=1h30m3s",
        },
        b"caf\xc3\xa9",
    )
    (message,) = qstash.broker.messages.values()
    assert qstash.json("GET", f"/v2/messages/{message.message_id}") == {
        "messageId": message.message_id,
        "url": JOBS,
        "topicName": "shops",
        "endpointName": "First endpoint",
        "method": "PUT",
        "header": {"Content-Type": ["text/plain"], "Test-Header": ["test-value"]},
        "body": "caf\xe9",
        "maxRetries": 5,
        "notBefore": START_MS + 3_600_000,
        "createdAt": START_MS,
        "callback": "https://shop.example/done",
        "callbackHeader": {"X-Done": ["1"]},
        "failureCallback": "https://shop.example/failed",
        "failureCallbackHeader": {"X-Failed": ["2"]},
        "queueName": "emails",
        "callerIP": "127.0.0.1",
        "retryDelayExpression": "1000 * (1 + retried)",
        "label": "first",
        "labels": ["first", "second"],
        "flowControlKey": "key",
        "rate": 10,
        "parallelism": 2,
        "period": 5_403,
    }


def test_a_message_of_a_schedule_names_it(qstash):
    headers = {"Upstash-Cron": "* * * * *", "Upstash-Schedule-Id": "nightly"}
    qstash.json("POST", f"/v2/schedules/{JOBS}", headers)
    (message,) = qstash.broker.schedules.by_id["nightly"].trigger()
    assert qstash.json("GET", f"/v2/messages/{message.message_id}")["scheduleId"] == "nightly"


def test_a_message_to_the_llm_names_the_api(qstash):
    message = qstash.publish({"Upstash-Callback": "https://shop.example/done"}, to="api/llm")
    shown = qstash.json("GET", f"/v2/messages/{message.message_id}")
    assert (shown["api"], shown["url"]) == ("llm", "https://qstash.upstash.io/llm/v1/chat/completions")


def test_a_body_that_is_no_utf_8_is_shown_in_base64(qstash):
    message = qstash.publish(body=b"\xff\xfe")
    shown = qstash.json("GET", f"/v2/messages/{message.message_id}")
    assert shown["bodyBase64"] == "//4="
    assert "body" not in shown


def test_a_header_in_utf_8_is_shown_as_text(qstash):
    message = qstash.publish([("Upstash-Forward-X", "caf\xc3\xa9"), ("Upstash-Forward-Y", "caf\xe9")])
    shown = qstash.json("GET", f"/v2/messages/{message.message_id}")
    assert shown["header"] == {"X": ["caf\xe9"], "Y": ["caf\xe9"]}


def test_the_period_of_a_flow_control_key_is_a_second_unless_told_otherwise(qstash):
    headers = {"Upstash-Flow-Control-Key": "key", "Upstash-Flow-Control-Value": "parallelism=1"}
    message = qstash.publish(headers)
    shown = qstash.json("GET", f"/v2/messages/{message.message_id}")
    assert (shown["parallelism"], shown["period"]) == (1, 1)
    assert "rate" not in shown


def test_the_caller_is_the_address_that_published(qstash):
    headers = [("Authorization", "Bearer secret")]
    reply = qstash.api.answer("POST", PUBLISH, headers, b"", caller_ip="203.0.113.7")
    assert qstash.json("GET", f"/v2/messages/{json.loads(reply.body)['messageId']}")["callerIP"] == "203.0.113.7"


def test_a_delivered_message_is_shown_for_ten_seconds_more(qstash):
    message = qstash.publish()
    qstash.attempt()
    qstash.broker.observe(START_MS + 9_999)
    assert qstash.call("GET", f"/v2/messages/{message.message_id}").status == 200
    qstash.broker.observe(START_MS + 10_000)
    assert qstash.call("GET", f"/v2/messages/{message.message_id}").status == 404


# --- cancel ------------------------------------------------------------------------------------------------------


def test_to_delete_a_message_is_202_and_counts_one(qstash):
    message = qstash.publish({"Upstash-Delay": "1h"})
    reply = qstash.call("DELETE", f"/v2/messages/{message.message_id}")
    assert (reply.status, json.loads(reply.body)) == (202, {"cancelled": 1})
    assert message.state == "CANCELED"


@pytest.mark.parametrize("body", [b"", b"{}"])
def test_a_deleted_message_is_not_found_by_another_delete_or_get(qstash, body):
    path = f"/v2/messages/{qstash.publish().message_id}"
    assert qstash.call("DELETE", path, body=body).status == 202
    assert qstash.call("DELETE", path, body=body).status == 404
    assert qstash.call("GET", path).status == 404


def test_a_delivered_message_can_not_be_deleted(qstash):
    message = qstash.publish()
    qstash.attempt()
    assert qstash.call("DELETE", f"/v2/messages/{message.message_id}").status == 404
    assert message.state == "DELIVERED"


def test_a_message_in_flight_is_deleted_when_its_attempt_fails(qstash):
    message = qstash.publish()
    delivery = start_next(qstash.broker, START_MS)
    assert qstash.call("DELETE", f"/v2/messages/{message.message_id}").status == 202
    assert message.state == "ACTIVE"
    qstash.broker.complete(delivery, Outcome(status=500))
    assert message.state == "CANCELED"
    assert not qstash.broker.dead_letters
