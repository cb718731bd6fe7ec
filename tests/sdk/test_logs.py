"""Logs through the official SDK: entries, filters, order, pages, names in doubt; PROTOCOL 1.6, 4.1, 4.9 and 6."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from qstash import AsyncQStash, QStash
from qstash.log import LogFilter, LogState

from qstash_fake import QStashFake
from tests.shop import START_MS
from tests.times import FIRST_RETRY_S

pytestmark = pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z")

A, B = "https://shop.example/a", "https://api.example/b"
RETRIED_MS = START_MS + FIRST_RETRY_S * 1_000


@pytest.fixture
def history(client: QStash, qstash_fake: QStashFake) -> list[str]:
    """One message that fails, is retried and fails for good, another that is delivered; their ids."""
    qstash_fake.on(A).respond(500, text="broken")
    qstash_fake.on(B).respond(200)
    client.message.publish(url=A, body="a", retries=1, label="red,green")
    client.message.enqueue(queue="jobs", url=B, body="b", label="blue")
    qstash_fake.drain()
    return [message.message_id for message in qstash_fake.messages]


def states(logs: list[Any]) -> list[str]:
    return [log.state.value for log in logs]


def test_a_message_that_fails_is_logged_step_by_step(client: QStash, history: list[str]):
    logs = client.log.list(filter={"message_id": history[0]}).logs
    steps = ["CREATED", "ACTIVE", "ERROR", "RETRY", "ACTIVE", "ERROR", "FAILED"]
    assert states(logs[::-1]) == steps
    assert [log.time - START_MS for log in logs[::-1]] == [0] * 4 + [RETRIED_MS - START_MS] * 3
    error, retry = logs[::-1][2:4]
    assert (error.response_status, error.response_headers) == (500, {"Content-Type": ["text/plain; charset=utf-8"]})
    assert error.response_body == base64.b64encode(b"broken").decode()
    assert error.error
    assert retry.next_delivery_time == RETRIED_MS


def test_a_message_that_is_delivered_has_three_entries(client: QStash, history: list[str]):
    logs = client.log.list(filter={"message_id": history[1]}).logs
    assert states(logs[::-1]) == ["CREATED", "ACTIVE", "DELIVERED"]
    assert (logs[0].queue, logs[0].label, logs[0].body_base64) == ("jobs", "blue", "Yg==")


@pytest.mark.protocol("4.9 dates", "4.9 url filter")
@pytest.mark.usefixtures("history")
@pytest.mark.parametrize(
    ("filtered", "count"),
    [
        ({"url": A}, 7),
        ({"host": "api.example"}, 3),
        ({"path": "/a"}, 7),
        ({"queueName": "jobs"}, 3),
        ({"label": "red"}, 7),
        ({"label": ["red", "blue"]}, 10),
        ({"label": "red,blue"}, 10),
        ({"state": "IN_PROGRESS"}, 6),
        ({"state": "ACTIVE"}, 3),
        ({"state": ["FAILED", "DELIVERED"]}, 2),
        ({"state": "CANCELLED"}, 0),
        ({"state": "IN_PROGRESS", "queueName": "jobs"}, 1),
        ({"fromDate": RETRIED_MS}, 3),
        ({"toDate": START_MS}, 7),
        ({"toDate": START_MS, "state": "ERROR"}, 1),
        ({"topicName": "nobody"}, 0),
        ({"scheduleId": "nobody"}, 0),
        ({"flowControlKey": "nobody"}, 0),
        ({"callerIp": "127.0.0.1"}, 10),
    ],
)
def test_logs_are_filtered(filtered: dict[str, Any], count: int, http: Any):
    assert len(http("GET", "/v2/events", params=filtered).json()["events"]) == count


@pytest.mark.parametrize(
    "filtered",
    [
        {"state": LogState.FAILED},
        {
            "state": LogState.FAILED,
            "from_time": RETRIED_MS,
            "to_time": RETRIED_MS,
        },
        {"state": LogState.FAILED, "label": "green"},
    ],
)
def test_the_sdk_filters_by_state_date_and_label(filtered: LogFilter, client: QStash, history: list[str]):
    assert [log.message_id for log in client.log.list(filter=filtered).logs] == history[:1]


def test_the_sdk_filters_by_several_ids(client: QStash, history: list[str]):
    assert len(client.log.list(filter={"message_ids": history}).logs) == 10


@pytest.mark.protocol("4.9 unknown key")
@pytest.mark.usefixtures("history")
def test_an_unknown_filter_of_the_logs_is_refused(http: Any):
    assert http("GET", "/v2/events", params={"labeel": "x"}).status_code == 400
    assert http("GET", "/v2/events", params={"fromDate": "yesterday"}).status_code == 400


@pytest.mark.protocol("4.1 latest first")
@pytest.mark.usefixtures("history")
def test_logs_come_latest_first_unless_asked_otherwise(http: Any):
    latest = [item["time"] for item in http("GET", "/v2/events").json()["events"]]
    earliest = http("GET", "/v2/events", params={"order": "earliestFirst"}).json()["events"]
    assert latest == sorted(latest, reverse=True)
    assert [item["time"] for item in earliest] == latest[::-1]
    assert earliest[0]["state"] == "CREATED"


@pytest.mark.protocol("4.9 cursor")
@pytest.mark.usefixtures("history")
def test_a_cursor_walks_through_the_logs_until_it_is_gone(client: QStash):
    whole = client.log.list().logs
    seen, cursor = [], None
    for _ in range(4):
        page = client.log.list(cursor=cursor, count=3)
        seen += page.logs
        cursor = page.cursor
    assert seen == whole
    assert cursor is None


@pytest.mark.usefixtures("history")
def test_a_cursor_is_not_shifted_by_what_is_logged_meanwhile(client: QStash):
    first = client.log.list(count=5)
    client.message.publish(url=B, body="new", delay="1h")
    rest = client.log.list(cursor=first.cursor)
    assert len(rest.logs) == 5
    assert rest.cursor is None


@pytest.mark.protocol("1 two paths of the log")
@pytest.mark.usefixtures("history")
def test_logs_have_two_paths_and_the_documented_one_two_names(http: Any):
    events, logs = http("GET", "/v2/events").json(), http("GET", "/v2/logs").json()
    assert list(events) == ["events"]
    assert logs["logs"] == logs["events"] == events["events"]


@pytest.mark.protocol("1 two paths of the log")
def test_names_that_sources_write_differently_are_all_there(client: QStash, http: Any, qstash_fake: QStashFake):
    qstash_fake.on(A).respond(500, headers={"x-why": "broken"})
    client.message.publish(
        url=A,
        body="x",
        retries=0,
        retry_delay="15000",
        label="red,green",
        callback=B,
        callback_headers={"Forward-X": "1"},
        failure_callback=B,
        failure_callback_headers={"Forward-Y": "2"},
        timeout=30,
        flow_control={"key": "k", "parallelism": 2},
    )
    qstash_fake.on(B).respond(200)
    message_id = qstash_fake.messages[0].message_id
    shown = http("GET", f"/v2/messages/{message_id}").json()
    qstash_fake.drain()
    error = http("GET", "/v2/logs", params={"messageId": message_id, "state": "ERROR"}).json()["logs"][0]
    assert error["responseHeader"] == error["responseHeaders"] == {"X-Why": ["broken"]}
    assert error["retryDelayExpr"] == error["retryDelayExpression"] == "15000"
    assert (error["callbackHeaders"], error["failureCallbackHeaders"]) == ({"X": ["1"]}, {"Y": ["2"]})
    assert (error["label"], error["labels"]) == (shown["label"], shown["labels"]) == ("red", ["red", "green"])
    assert (error["timeout"], error["maxRetries"], error["method"]) == (30_000, 0, "POST")
    assert (error["flowControlKey"], error["parallelism"], error["period"], "rate" in error) == ("k", 2, 1, False)
    assert error["callerIP"] == shown["callerIP"] == "127.0.0.1"
    # Messages and dead letters have the singular names.
    dead = http("GET", "/v2/dlq").json()["messages"][0]
    for item in (shown, dead):
        assert (item["callbackHeader"], item["failureCallbackHeader"]) == ({"X": ["1"]}, {"Y": ["2"]})
        assert item["retryDelayExpression"] == "15000"
    assert (dead["responseHeader"], "dlqId" in dead) == ({"X-Why": ["broken"]}, True)


@pytest.mark.asyncio
async def test_logs_work_with_the_async_client_and_verbs(async_client: AsyncQStash, shop: Any, qstash_fake: QStashFake):
    await async_client.message.publish(url=A, body="x")
    await qstash_fake.drain_async()
    page = await async_client.log.list(count=2, filter={"url": A})
    assert states(page.logs) == ["DELIVERED", "ACTIVE"]
    assert states((await async_client.log.list(cursor=page.cursor)).logs) == ["CREATED"]
