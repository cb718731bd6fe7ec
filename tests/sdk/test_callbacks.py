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


@pytest.mark.protocol("3.5 messages of their own")
def test_callbacks_have_logs_of_their_own(client: QStash, shop: Any, qstash_fake: QStashFake):
    publish(client, callback=BACK)
    qstash_fake.drain()
    logs = client.log.list(filter={"url": BACK}).logs
    assert [log.state.value for log in logs] == ["DELIVERED", "ACTIVE", "CREATED"]


@pytest.mark.asyncio
async def test_callbacks_work_with_the_async_client_and_verbs(
    async_client: AsyncQStash, shop: Any, qstash_fake: QStashFake
):
    shop.statuses["/job"] = 500
    await async_client.message.publish_json(url=JOB, body={}, retries=1, callback=BACK, failure_callback=FAIL)
    await qstash_fake.drain_async()
    assert shop.paths == ["/job", "/back", "/job", "/back", "/fail"]
