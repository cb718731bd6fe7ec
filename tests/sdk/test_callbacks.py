"""Callbacks and failure callbacks: when, what, to whom, how configured; PROTOCOL 2, 3.5 and 4.3."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from qstash import AsyncQStash, QStash
from qstash.errors import QStashError
from qstash.message import PublishResponse

from qstash_fake import QStashFake
from tests.shop import START_MS

pytestmark = pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z")

JOB, BACK, FAIL = (f"https://shop.example/{path}" for path in ("job", "back", "fail"))


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def publish(client: QStash, **options: Any) -> str:
    given: dict[str, Any] = {"body": "hello", "retries": 0} | options
    response = client.message.publish(url=JOB, **given)
    assert isinstance(response, PublishResponse)
    return response.message_id


def test_a_callback_reports_the_answer_key_for_key(client: QStash, shop: Any, qstash_fake: QStashFake):
    qstash_fake.on(JOB).respond(201, text="done", headers={"x-answer": "42"})
    message_id = publish(
        client, content_type="text/plain", headers={"X-Order": "7"}, method="PUT", callback=BACK, retries=3
    )
    qstash_fake.deliver_due()
    (callback,) = shop.received
    assert list(json.loads(callback.body).items()) == [
        ("status", 201),
        ("header", {"Content-Type": ["text/plain; charset=utf-8"], "X-Answer": ["42"]}),
        ("body", b64("done")),
        ("maxRetries", 3),
        ("sourceMessageId", message_id),
        ("url", JOB),
        ("method", "PUT"),
        ("sourceHeader", {"Content-Type": ["text/plain"], "X-Order": ["7"]}),
        ("sourceBody", b64("hello")),
        ("notBefore", START_MS),
        ("createdAt", START_MS),
        ("callerIP", "127.0.0.1"),
    ]
    assert (callback.method, callback.headers["content-type"]) == ("POST", "application/json")
    assert callback.headers["upstash-message-id"] != message_id
    assert callback.headers["upstash-retried"] == "0"


def test_a_callback_names_group_queue_schedule_and_the_number_of_the_retry(
    client: QStash, shop: Any, qstash_fake: QStashFake
):
    client.url_group.upsert_endpoints("stores", [{"url": JOB, "name": "main"}])
    client.schedule.create(
        destination="stores",
        cron="* * * * *",
        schedule_id="s1",
        queue="jobs",
        delay="5s",
        retry_delay="12000",
        callback=BACK,
        body=b"x",
    )
    qstash_fake.on(JOB).respond(500).times(1)
    qstash_fake.clock.advance("1m17s")
    body = json.loads(shop.at("/back")[1].body)
    assert (body["topicName"], body["endpointName"]) == ("stores", "main")
    assert (body["queueName"], body["scheduleId"], body["retried"]) == ("jobs", "s1", 1)
    assert (body["createdAt"], body["notBefore"]) == (START_MS + 60_000, START_MS + 65_000)


def test_a_callback_follows_every_attempt(client: QStash, shop: Any, qstash_fake: QStashFake):
    qstash_fake.on(JOB).respond_with([500, 503])
    publish(client, callback=BACK, retries=2)
    qstash_fake.drain()
    reports = [json.loads(one.body) for one in shop.at("/back")]
    assert [(report["status"], report.get("retried")) for report in reports] == [(500, None), (503, 1), (200, 2)]


def test_a_failure_callback_comes_once_at_the_end_with_the_dead_letter(
    client: QStash, shop: Any, qstash_fake: QStashFake
):
    qstash_fake.on(JOB).respond_with([500, 503])
    message_id = publish(client, failure_callback=FAIL, retries=1)
    qstash_fake.drain()
    (report,) = [json.loads(one.body) for one in shop.received]
    (dead,) = qstash_fake.dlq
    assert (report["status"], report["retried"], report["maxRetries"]) == (503, 1, 1)
    assert (report["dlqId"], report["sourceMessageId"]) == (dead.dlq_id, message_id)
    assert list(report)[-1] == "dlqId"


def test_a_success_calls_no_failure_callback(client: QStash, shop: Any, qstash_fake: QStashFake):
    publish(client, callback=BACK, failure_callback=FAIL)
    qstash_fake.drain()
    assert shop.paths == ["/job", "/back"]


def test_the_last_failure_reports_to_both(client: QStash, shop: Any, qstash_fake: QStashFake):
    shop.statuses["/job"] = 500
    publish(client, callback=BACK, failure_callback=FAIL)
    qstash_fake.drain()
    assert shop.paths == ["/job", "/back", "/fail"]
    assert "dlqId" not in json.loads(shop.at("/back")[0].body)


def test_without_an_answer_the_callback_says_status_0(client: QStash, shop: Any, qstash_fake: QStashFake):
    qstash_fake.on(JOB).refuse_connection()
    publish(client, callback=BACK, body=None)
    qstash_fake.drain()
    report = json.loads(shop.at("/back")[0].body)
    assert (report["status"], report["header"], report["body"]) == (0, {}, "")
    assert "sourceBody" not in report


def test_the_callback_family_configures_the_callback(client: QStash, shop: Any, qstash_fake: QStashFake):
    publish(
        client,
        callback=BACK,
        callback_headers={
            "Method": "PUT",
            "Retries": "1",
            "Retry-Delay": "5000",
            "Timeout": "20s",
            "Forward-X-Back": "b",
            "Upstash-Callback-Forward-X-More": "m",
            "Flow-Control-Key": "backs",
            "Flow-Control-Value": "rate=1",
        },
        retries=5,
    )
    qstash_fake.on(BACK).respond(500).times(1)
    qstash_fake.drain()
    callback = qstash_fake.assert_published(url=BACK, method="PUT")
    assert callback.max_retries == 1
    assert [round((attempt.at - callback.created_at).total_seconds()) for attempt in callback.attempts] == [0, 5]
    assert (shop.at("/back")[0].headers["x-back"], shop.at("/back")[0].headers["x-more"]) == ("b", "m")
    assert list(qstash_fake.flow_control) == ["backs"]


def test_a_delayed_callback_is_refused(client: QStash, qstash_fake: QStashFake):
    with pytest.raises(QStashError, match="Upstash-Callback-Delay can not be used: callbacks can not be delayed"):
        publish(client, callback=BACK, callback_headers={"Delay": "10m"})
    assert qstash_fake.messages == []


def test_the_failure_family_configures_the_failure_callback_alone(client: QStash, shop: Any, qstash_fake: QStashFake):
    shop.statuses["/job"] = 500
    publish(
        client,
        callback=BACK,
        failure_callback=FAIL,
        failure_callback_headers={"Method": "PATCH", "Forward-X-Fail": "f"},
    )
    qstash_fake.drain()
    back, fail = shop.at("/back")[0], shop.at("/fail")[0]
    assert (back.method, fail.method) == ("POST", "PATCH")
    assert ("x-fail" in back.headers, fail.headers["x-fail"]) == (False, "f")


def test_a_callback_retries_as_often_as_its_message_unless_told(client: QStash, shop: Any, qstash_fake: QStashFake):
    publish(client, callback=BACK, failure_callback=FAIL, retries=1)
    qstash_fake.on(JOB).respond(500)
    shop.statuses |= {"/back": 500, "/fail": 500}
    qstash_fake.drain()
    assert {dead.message.url: len(dead.message.attempts) for dead in qstash_fake.dlq} == {JOB: 2, BACK: 2, FAIL: 2}


@pytest.mark.protocol("4.3 failed callbacks")
def test_a_failed_callback_is_a_dead_letter_of_its_own(client: QStash, shop: Any, qstash_fake: QStashFake):
    shop.statuses["/back"] = 500
    publish(client, callback=BACK)
    qstash_fake.drain()
    (dead,) = client.dlq.list().messages
    assert (dead.url, dead.response_status) == (BACK, 500)
    assert [message.url for message in qstash_fake.delivered] == [JOB]


def test_a_callback_can_have_a_failure_callback_of_its_own(client: QStash, shop: Any, qstash_fake: QStashFake):
    shop.statuses["/back"] = 500
    message_id = publish(
        client,
        callback=BACK,
        callback_headers={"Failure-Callback": FAIL, "Failure-Callback-Forward-X-Nested": "n", "Retries": "0"},
    )
    qstash_fake.drain()
    (failure,) = shop.at("/fail")
    report = json.loads(failure.body)
    assert (report["url"], report["status"], failure.headers["x-nested"]) == (BACK, 500, "n")
    source = json.loads(base64.b64decode(report["sourceBody"]))
    assert source["sourceMessageId"] == message_id


def test_callbacks_have_logs_of_their_own(client: QStash, shop: Any, qstash_fake: QStashFake):
    publish(client, callback=BACK)
    qstash_fake.drain()
    logs = client.log.list(filter={"url": BACK}).logs
    assert [log.state.value for log in logs] == ["DELIVERED", "ACTIVE", "CREATED"]


def test_a_callback_that_is_no_url_is_refused(http: Any, qstash_fake: QStashFake):
    for name in ("Upstash-Callback", "Upstash-Failure-Callback"):
        reply = http("POST", f"/v2/publish/{JOB}", headers={name: "shop.example/back"})
        assert reply.status_code == 400
        assert "invalid scheme" in reply.json()["error"]
    assert qstash_fake.messages == []


@pytest.mark.asyncio
async def test_callbacks_work_with_the_async_client_and_verbs(
    async_client: AsyncQStash, shop: Any, qstash_fake: QStashFake
):
    shop.statuses["/job"] = 500
    await async_client.message.publish_json(url=JOB, body={}, retries=1, callback=BACK, failure_callback=FAIL)
    await qstash_fake.drain_async()
    assert shop.paths == ["/job", "/back", "/job", "/back", "/fail"]
