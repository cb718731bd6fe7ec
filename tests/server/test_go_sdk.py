"""The requests of the official Go SDK, and what it reads of the answers, over HTTP.

There is no Go here: each call is the request that the SDK makes, by what is known of it. It has paths of its own
(`/v2/Schedules`, `/v2/rotate`), sends filters of bulk operations as JSON, pauses with PATCH, writes `"queue": ""` for
no queue, and reads `error` out of every refusal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.protocol("1 calls of the Go SDK")

SHOP = "https://shop.example"
JSON = {"Content-Type": "application/json"}


class GoError(Exception):
    """What the SDK returns for a status from 400 on: the text under `error`."""


@dataclass
class Go:
    """What the SDK does with a call: headers in Go's spelling, a body as JSON, an answer read as JSON if it is used."""

    http: httpx.Client

    def call(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> httpx.Response:
        as_json = {} if body is None else {"json": body}
        response = self.http.request(method, path, headers={**(JSON if as_json else {}), **(headers or {})}, **as_json)
        if response.status_code >= 400:
            raise GoError(response.json()["error"])
        return response

    def read(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
        return self.call(method, path, body, headers).json()

    def dead_letter(self, server: Any, text: str) -> str:
        server.control("routes", url=f"{SHOP}/*", status=500)
        self.http.post(f"/v2/publish/{SHOP}/jobs", content=text, headers={"Upstash-Retries": "0"}).raise_for_status()
        server.control("drain")
        dlq_id: str = self.read("GET", "/v2/dlq?count=1&order=latestFirst")["messages"][0]["dlqId"]
        return dlq_id


@pytest.fixture
def go(still):
    return Go(still.client)


def test_it_publishes_and_reads_the_message(go):
    headers = {"Upstash-Method": "PUT", "Upstash-Delay": "3d5h12m", "Upstash-Forward-Test-Header": "test-value"}
    message_id = go.read("POST", f"/v2/publish/{SHOP}/jobs", headers=headers)["messageId"]
    message = go.read("GET", f"/v2/messages/{message_id}")
    assert message["header"] == {"Test-Header": ["test-value"]}
    assert (message["url"], message["method"], message["maxRetries"]) == (f"{SHOP}/jobs", "PUT", 3)
    assert message["notBefore"] - message["createdAt"] == 277_920_000
    assert not message.keys() & {"body", "topicName", "queueName", "scheduleId", "callback"}


def test_it_publishes_once_for_one_deduplication_id(go):
    headers = {"Upstash-Deduplication-Id": "order-7"}
    first, second = (go.read("POST", f"/v2/publish/{SHOP}/jobs", {"order": 7}, headers) for _ in range(2))
    assert second == {"messageId": first["messageId"], "deduplicated": True}


def test_it_publishes_to_a_url_group_and_reads_an_array(go):
    endpoints = [{"url": f"{SHOP}/1", "name": "First endpoint"}, {"url": f"{SHOP}/2", "name": "Second endpoint"}]
    go.call("DELETE", "/v2/topics/go")  # its tests do so first
    go.call("POST", "/v2/topics/go/endpoints", {"endpoints": endpoints})
    assert [one["url"] for one in go.read("POST", "/v2/publish/go", {"n": 1})] == [f"{SHOP}/1", f"{SHOP}/2"]
    assert [one["url"] for one in go.read("POST", "/v2/enqueue/orders/go", {"n": 2})] == [f"{SHOP}/1", f"{SHOP}/2"]
    group = go.read("GET", "/v2/topics/go")
    assert (group["name"], group["endpoints"], group["createdAt"] <= group["updatedAt"]) == ("go", endpoints, True)
    assert [one["name"] for one in go.read("GET", "/v2/topics")] == ["go"]
    go.call("DELETE", "/v2/topics/go/endpoints", {"endpoints": [{"name": "First endpoint"}, {"url": f"{SHOP}/2"}]})
    with pytest.raises(GoError, match="topic go not found"):
        go.call("GET", "/v2/topics/go")


@pytest.mark.parametrize(
    ("destination", "error"),
    [("nobody", "topic nobody not found"), ("", "a non-empty destination must be provided")],
)
def test_it_is_told_in_json_why_a_destination_is_refused(go, destination, error):
    with pytest.raises(GoError, match=f"^{error}$"):
        go.call("POST", f"/v2/publish/{destination}", {})


def test_it_sends_batches_with_an_empty_queue_for_none(go):
    plain = {"destination": f"{SHOP}/jobs", "headers": {"Upstash-Delay": "5s"}, "body": "one", "queue": ""}
    queued = {"destination": f"{SHOP}/jobs", "headers": {"Upstash-Forward-X": "1"}, "body": "two", "queue": "orders"}
    sent = [go.read("GET", f"/v2/messages/{one['messageId']}") for one in go.read("POST", "/v2/batch", [plain, queued])]
    assert [(one["body"], one.get("queueName"), one.get("header")) for one in sent] == [
        ("one", None, None),
        ("two", "orders", {"X": ["1"]}),
    ]


def test_it_cancels_one_some_and_all(go):
    def publish():
        return go.read("POST", f"/v2/publish/{SHOP}/jobs", None, {"Upstash-Delay": "1h"})["messageId"]

    one, two, three, _, _ = [publish() for _ in range(5)]
    assert go.call("DELETE", f"/v2/messages/{one}").status_code == 202
    assert go.read("DELETE", "/v2/messages", {"messageIds": [two, three]}) == {"cancelled": 2}
    assert go.read("DELETE", "/v2/messages") == {"cancelled": 2}
    with pytest.raises(GoError, match=f"message {one} not found"):
        go.call("GET", f"/v2/messages/{one}")


def test_it_reads_and_deletes_dead_letters(go, still):
    first, second, third = (go.dead_letter(still, text) for text in "abc")
    dead = go.read("GET", f"/v2/dlq/{first}")
    assert (dead["dlqId"], dead["body"], dead["responseStatus"]) == (first, "a", 500)
    listed = go.read("GET", "/v2/dlq?count=2")
    assert [one["body"] for one in listed["messages"]] == ["a", "b"]
    assert [one["body"] for one in go.read("GET", f"/v2/dlq?cursor={listed['cursor']}")["messages"]] == ["c"]
    go.call("DELETE", f"/v2/dlq/{first}")
    assert go.read("DELETE", "/v2/dlq", {"dlqIds": [first, second, third]}) == {"deleted": 2}
    with pytest.raises(GoError, match=f"dlq message {first} not found"):
        go.call("DELETE", f"/v2/dlq/{first}")


def test_it_reads_four_hundred_entries_of_the_log_in_one_call(go, still):
    still.control("routes", url=f"{SHOP}/*", status=500)
    go.call("POST", "/v2/batch", [{"destination": f"{SHOP}/jobs", "headers": {"Upstash-Retries": "0"}}] * 100)
    still.control("drain")
    events = go.read("GET", "/v2/events")
    assert (len(events["events"]), "cursor" in events) == (400, False)
    states = [one["state"] for one in events["events"]]
    assert {state: states.count(state) for state in states} == {
        "CREATED": 100, "ACTIVE": 100, "ERROR": 100, "FAILED": 100,
    }  # fmt: skip
    assert len(go.read("GET", "/v2/events?state=FAILED&count=10")["events"]) == 10


def test_it_makes_and_reads_schedules_under_a_path_in_capitals(go):
    headers = {"Upstash-Cron": "1 1 1 1 1", "Upstash-Forward-Test-Header": "test-value"}
    schedule_id = go.read("POST", f"/v2/Schedules/{SHOP}/tick", {"ping": "pong"}, headers)["scheduleId"]
    schedule = go.read("GET", f"/v2/Schedules/{schedule_id}")
    assert (schedule["scheduleId"], schedule["cron"], schedule["destination"]) == (
        schedule_id, "1 1 1 1 1", f"{SHOP}/tick",
    )  # fmt: skip
    assert schedule["header"] == {"Content-Type": ["application/json"], "Test-Header": ["test-value"]}
    paused = []
    for verb in ("pause", "resume"):
        go.call("PATCH", f"/v2/schedules/{schedule_id}/{verb}")
        paused.append(go.read("GET", f"/v2/Schedules/{schedule_id}")["isPaused"])
    assert paused == [True, False]
    assert [one["scheduleId"] for one in go.read("GET", "/v2/schedules")] == [schedule_id]
    go.call("DELETE", f"/v2/schedules/{schedule_id}")
    with pytest.raises(GoError, match=f"schedule {schedule_id} not found"):
        go.call("GET", f"/v2/Schedules/{schedule_id}")


def test_it_keeps_queues(go):
    go.call("POST", "/v2/queues", {"queueName": "orders", "parallelism": 2, "paused": True})
    queue = go.read("GET", "/v2/queues/orders")
    assert (queue["name"], queue["parallelism"], queue["lag"], queue["paused"]) == ("orders", 2, 0, True)
    go.call("POST", "/v2/queues/orders/resume")
    assert [one["paused"] for one in go.read("GET", "/v2/queues")] == [False]
    go.call("POST", "/v2/queues/orders/pause")
    assert "messageId" in go.read("POST", f"/v2/enqueue/orders/{SHOP}/jobs", {"n": 1})
    assert go.read("GET", "/v2/queues/orders")["lag"] == 1
    go.call("DELETE", "/v2/queues/orders")
    with pytest.raises(GoError, match="queue orders not found"):
        go.call("GET", "/v2/queues/orders")


def test_it_rotates_the_signing_keys_under_a_path_of_its_own(go):
    before = go.read("GET", "/v2/keys")
    after = go.read("POST", "/v2/rotate")
    assert (after["current"], go.read("GET", "/v2/keys")) == (before["next"], after)


def test_it_is_told_in_json_that_its_token_is_wrong(go):
    with pytest.raises(GoError, match=r"^unable to authenticate: invalid token$"):
        go.call("GET", "/v2/keys", None, {"Authorization": "Bearer"})
