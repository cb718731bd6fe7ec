"""Cancelling, and bulk operations on messages and dead letters, by every filter; PROTOCOL 1.1, 1.5, 4.3, 4.8, 4.9."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from qstash import AsyncQStash, QStash
from qstash.errors import QStashError

from qstash_fake import QStashFake
from tests.shop import START_MS

pytestmark = pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z")

A, B = "https://shop.example/a", "https://api.example/b?x=1"

# Filter and values → the messages of `various` that it means. PROTOCOL 1.1.
FILTERS: list[tuple[dict[str, Any], set[str]]] = [
    ({"url": A}, {"plain", "flow", "cron"}),
    ({"url": "https://shop.example/"}, set()),
    ({"host": "shop.example"}, {"plain", "flow", "group", "cron"}),
    ({"path": "/b"}, {"queued"}),
    ({"topicName": "stores"}, {"group"}),
    ({"queueName": "jobs"}, {"queued"}),
    ({"scheduleId": "nightly"}, {"cron"}),
    ({"label": "red"}, {"plain", "queued"}),
    ({"flowControlKey": "key"}, {"flow"}),
    ({"callerIp": "127.0.0.1"}, {"plain", "queued", "flow", "group", "cron"}),
    ({"callerIP": "10.0.0.1"}, set()),
    ({"fromDate": START_MS + 60_000}, {"cron"}),
    ({"toDate": START_MS}, {"plain", "queued", "flow", "group"}),
    ({"fromDate": START_MS, "toDate": START_MS + 59_999}, {"plain", "queued", "flow", "group"}),
    ({"label": ["red", "blue"]}, {"plain", "queued", "flow"}),
    ({"label": "red, blue"}, {"plain", "queued", "flow"}),
    ({"label": ["red", "blue"], "url": A}, {"plain", "flow"}),
    ({"label": "red", "queueName": "jobs"}, {"queued"}),
    ({"label": "blue", "queueName": "jobs"}, set()),
    ({"LABEL": "red"}, {"plain", "queued"}),
]


@pytest.fixture
def various(client: QStash, qstash_fake: QStashFake) -> None:
    """Five messages that no two filters describe alike; each one's body is its name. None is due before 01:00."""
    client.message.publish(url=A, body="plain", label="red,green", delay="1h")
    client.queue.pause("jobs")
    client.message.enqueue(queue="jobs", url=B, body="queued", label="red")
    client.message.publish(url=A, body="flow", label="blue", flow_control={"key": "key", "rate": 1}, delay="1h")
    client.url_group.upsert_endpoints("stores", [{"url": "https://shop.example/g"}])
    client.message.publish(url_group="stores", body="group", delay="1h")
    client.schedule.create(destination=A, cron="1 0 1 1 *", body="cron", schedule_id="nightly", delay="1h")
    qstash_fake.clock.advance("1m")


def cancelled(fake: QStashFake) -> set[str]:
    return {message.text for message in fake.cancelled}


@pytest.mark.protocol("4.8 bulk", "4.9 dates", "4.9 url filter", "4.9 callerIp")
@pytest.mark.usefixtures("various")
@pytest.mark.parametrize(("query", "expected"), FILTERS)
def test_many_are_cancelled_by_each_filter_of_the_query(
    query: dict[str, Any], expected: set[str], http: Any, qstash_fake: QStashFake
):
    reply = http("DELETE", "/v2/messages", params=query)
    assert (reply.status_code, reply.json()) == (200, {"cancelled": len(expected)})
    assert cancelled(qstash_fake) == expected
    assert http("DELETE", "/v2/messages", params=query).json() == {"cancelled": 0}


@pytest.mark.protocol("4.8 bulk")
@pytest.mark.usefixtures("various")
@pytest.mark.parametrize(("body", "expected"), FILTERS)
def test_many_are_cancelled_by_each_filter_of_a_json_body(
    body: dict[str, Any], expected: set[str], http: Any, qstash_fake: QStashFake
):
    assert http("DELETE", "/v2/messages", json=body).json() == {"cancelled": len(expected)}
    assert cancelled(qstash_fake) == expected


@pytest.mark.usefixtures("various")
def test_a_json_body_wins_over_the_query(http: Any, qstash_fake: QStashFake):
    http("DELETE", "/v2/messages", params={"url": A}, json={"url": B})
    assert cancelled(qstash_fake) == {"queued"}


@pytest.mark.protocol("4.9 multi-value")
@pytest.mark.usefixtures("various")
def test_ids_are_cancelled_as_a_list_as_csv_and_as_repeated_keys(client: QStash, http: Any, qstash_fake: QStashFake):
    ids = [message.message_id for message in qstash_fake.messages]
    assert client.message.cancel_many([ids[0]]) == 1
    assert http("DELETE", "/v2/messages", params={"messageIds": ids[1:3]}).json() == {"cancelled": 2}
    assert http("DELETE", "/v2/messages", params={"messageIds": ",".join(ids)}).json() == {"cancelled": 2}
    assert qstash_fake.pending == []


@pytest.mark.protocol("4.8 counts", "4.8 empty list")
@pytest.mark.usefixtures("various")
@pytest.mark.parametrize(
    "cancel",
    [
        lambda client, http: client.message.cancel_all(),
        lambda client, http: client.message.cancel_many([]),
        lambda client, http: http("DELETE", "/v2/messages/", content=b"{}").json()["cancelled"],
    ],
    ids=["cancel_all", "an empty list", "an empty object"],
)
def test_everything_is_cancelled(cancel: Callable[[QStash, Any], int], client: QStash, http: Any):
    assert cancel(client, http) == 5
    assert cancel(client, http) == 0


@pytest.mark.protocol("4.8 bulk", "4.11 list count")
@pytest.mark.usefixtures("various")
@pytest.mark.parametrize("count", ["2", "0", "501", "many"])
def test_a_count_changes_nothing_about_what_is_cancelled(count: str, http: Any):
    assert http("DELETE", "/v2/messages", params={"count": count}).json() == {"cancelled": 5}


@pytest.mark.protocol("4.9 unknown key")
@pytest.mark.usefixtures("various")
@pytest.mark.parametrize("given", [{"params": {"labeel": "x"}}, {"json": {"labeel": "x"}}, {"json": ["x"]}])
def test_an_unknown_filter_cancels_nothing(given: dict[str, Any], http: Any, qstash_fake: QStashFake):
    assert http("DELETE", "/v2/messages", **given).status_code == 400
    assert qstash_fake.cancelled == []


@pytest.mark.protocol("4.8 single")
def test_one_message_is_cancelled_and_gone(client: QStash, shop: Any, http: Any, qstash_fake: QStashFake):
    client.message.publish(url=A, body="x", delay="1h")
    (message,) = qstash_fake.messages
    reply = http("DELETE", f"/v2/messages/{message.message_id}")
    assert (reply.status_code, reply.json()) == (202, {"cancelled": 1})
    assert message.state == "CANCELED"
    with pytest.raises(QStashError, match="status: 404"):
        client.message.get(message.message_id)
    with pytest.raises(QStashError, match="status: 404"):
        client.message.cancel(message.message_id)
    qstash_fake.drain()
    assert shop.received == []
    assert [log.state.value for log in client.log.list().logs] == ["CANCELED", "CANCEL_REQUESTED", "CREATED"]


@pytest.mark.protocol("4.3 entry created", "4.8 single", "4.8 counts")
def test_a_message_in_flight_is_cancelled_to_the_extent_that_it_is_not_retried(
    client: QStash, shop: Any, qstash_fake: QStashFake
):
    qstash_fake.on(A).respond(500).takes("10s")
    client.message.publish(url=A, body="x", failure_callback="https://shop.example/fail")
    qstash_fake.deliver_due()
    (message,) = qstash_fake.messages
    assert client.message.cancel_all() == 1
    qstash_fake.drain()
    states = [entry.state for entry in qstash_fake.logs]
    assert states == ["CREATED", "ACTIVE", "CANCEL_REQUESTED", "ERROR", "CANCELED"]
    assert (message.state, qstash_fake.dlq, shop.received) == ("CANCELED", [], [])


@pytest.mark.protocol("4.8 counts")
def test_a_message_that_waits_for_its_retry_counts_as_pending(client: QStash, qstash_fake: QStashFake):
    qstash_fake.on(A).respond(500)
    client.message.publish(url=A, body="x")
    qstash_fake.deliver_due()
    assert client.message.cancel_all() == 1
    assert qstash_fake.pending == []


# --- dead letters ------------------------------------------------------------------------------------------


# Filter → the dead letters of `dead` that it means. PROTOCOL 1.5.
DEAD_FILTERS: list[tuple[dict[str, Any], set[str]]] = [
    ({"url": A}, {"plain", "cron"}),
    ({"topicName": "stores"}, {"group"}),
    ({"queueName": "jobs"}, {"queued"}),
    ({"scheduleId": "nightly"}, {"cron"}),
    ({"label": ["red", "blue"]}, {"plain", "queued", "group"}),
    ({"flowControlKey": "key"}, {"plain"}),
    ({"responseStatus": 503}, {"queued"}),
    ({"responseStatus": "503", "label": "blue"}, set()),
    ({"callerIp": "127.0.0.1"}, {"plain", "queued", "group", "cron"}),
    ({"fromDate": START_MS + 60_000}, {"cron"}),
    ({"toDate": START_MS + 59_999}, {"plain", "queued", "group"}),
]


@pytest.fixture
def dead(client: QStash, qstash_fake: QStashFake) -> None:
    """Four dead letters, three from 00:00 and one from 00:01; each one's body is its name."""
    qstash_fake.on("https://*").respond(500, text="broken")
    qstash_fake.on(B).respond(503)
    client.message.publish(url=A, body="plain", label="red", flow_control={"key": "key", "rate": 9}, retries=0)
    client.message.enqueue(queue="jobs", url=B, body="queued", label="red", retries=0)
    client.url_group.upsert_endpoints("stores", [{"url": "https://shop.example/g"}])
    client.message.publish(url_group="stores", body="group", label="blue", retries=0)
    client.schedule.create(destination=A, cron="1 0 1 1 *", body="cron", schedule_id="nightly", retries=0)
    qstash_fake.clock.advance("1m")


def bodies(fake: QStashFake) -> set[str]:
    return {letter.message.text for letter in fake.dlq}


@pytest.mark.usefixtures("dead")
@pytest.mark.parametrize(("query", "expected"), DEAD_FILTERS)
def test_dead_letters_are_listed_and_deleted_by_each_filter(
    query: dict[str, Any], expected: set[str], http: Any, qstash_fake: QStashFake
):
    listed = http("GET", "/v2/dlq", params=query).json()
    assert {item["body"] for item in listed["messages"]} == expected
    before = bodies(qstash_fake)
    assert http("DELETE", "/v2/dlq", params=query).json() == {"deleted": len(expected)}
    assert bodies(qstash_fake) == before - expected


@pytest.mark.usefixtures("dead")
@pytest.mark.parametrize(("query", "expected"), DEAD_FILTERS)
def test_dead_letters_are_retried_by_each_filter(
    query: dict[str, Any], expected: set[str], http: Any, qstash_fake: QStashFake
):
    before = len(qstash_fake.messages)
    reply = http("POST", "/v2/dlq/retry", params=query)
    assert (reply.status_code, reply.json()["cursor"]) == (201, "")
    new = qstash_fake.messages[before:]
    assert [item["messageId"] for item in reply.json()["responses"]] == [message.message_id for message in new]
    assert {message.text for message in new} == expected
    assert bodies(qstash_fake) & expected == set()


@pytest.mark.protocol("4.9 multi-value")
@pytest.mark.usefixtures("dead")
def test_dead_letters_are_named_by_repeated_ids_csv_or_a_json_body(client: QStash, http: Any, qstash_fake: QStashFake):
    ids = [letter.dlq_id for letter in qstash_fake.dlq]
    assert [item["dlqId"] for item in http("GET", "/v2/dlq", params={"dlqIds": ids[:2]}).json()["messages"]] == ids[:2]
    assert client.dlq.delete_many([ids[0], "1-999"]) == 1
    assert http("DELETE", "/v2/dlq", params={"dlqIds": ",".join(ids[:2])}).json() == {"deleted": 1}
    assert http("POST", "/v2/dlq/retry", params={"dlqIds": ids}).json()["responses"] != []
    assert qstash_fake.dlq == []
    assert http("DELETE", "/v2/dlq", params={"dlqIds": ids}).json() == {"deleted": 0}


@pytest.mark.protocol("4.9 unknown key", "4.9 url filter")
@pytest.mark.usefixtures("dead")
@pytest.mark.parametrize("query", [{"labeel": "x"}, {"host": "shop.example"}, {"path": "/a"}])
@pytest.mark.parametrize(("method", "path"), [("GET", "/v2/dlq"), ("DELETE", "/v2/dlq"), ("POST", "/v2/dlq/retry")])
def test_unknown_filters_of_dead_letters_are_refused(
    method: str, path: str, query: dict[str, str], http: Any, qstash_fake: QStashFake
):
    assert http(method, path, params=query).status_code == 400
    assert len(qstash_fake.dlq) == 4


@pytest.mark.protocol("4.9 cursor")
@pytest.mark.usefixtures("dead")
def test_a_cursor_walks_through_the_dead_letters_until_it_is_gone(client: QStash, qstash_fake: QStashFake):
    ids, cursor = [], None
    for _ in range(4):
        page = client.dlq.list(cursor=cursor, count=1)
        ids += [message.dlq_id for message in page.messages]
        cursor = page.cursor
    assert ids == [letter.dlq_id for letter in qstash_fake.dlq]
    assert cursor is None


@pytest.mark.protocol("4.3 bulk retry/delete")
@pytest.mark.usefixtures("dead")
def test_a_cursor_still_leads_on_after_its_page_was_deleted(http: Any, qstash_fake: QStashFake):
    deleted, cursor = [], ""
    while True:
        reply = http("DELETE", "/v2/dlq", params={"count": 3} | ({"cursor": cursor} if cursor else {})).json()
        deleted.append(reply["deleted"])
        if "cursor" not in reply:
            break
        cursor = reply["cursor"]
    assert deleted == [3, 1]
    assert qstash_fake.dlq == []


@pytest.mark.protocol("4.3 bulk retry/delete", "4.9 cursor", "4.11 list count")
@pytest.mark.usefixtures("dead")
def test_bulk_retry_goes_on_with_its_cursor_and_ends_with_an_empty_one(http: Any):
    first = http("POST", "/v2/dlq/retry", params={"count": 3}).json()
    second = http("POST", "/v2/dlq/retry", params={"count": 3, "cursor": first["cursor"]}).json()
    assert (len(first["responses"]), len(second["responses"]), second["cursor"]) == (3, 1, "")
    assert first["cursor"] != ""
    assert http("POST", "/v2/dlq/retry", params={"count": 101}).status_code == 400


@pytest.mark.protocol("4.3 default order")
@pytest.mark.usefixtures("dead")
def test_dead_letters_come_earliest_first_unless_asked_otherwise(http: Any):
    earliest = [item["body"] for item in http("GET", "/v2/dlq").json()["messages"]]
    latest = [item["body"] for item in http("GET", "/v2/dlq", params={"order": "latestFirst"}).json()["messages"]]
    assert (earliest[-1], latest) == ("cron", earliest[::-1])
    assert http("GET", "/v2/dlq", params={"order": "random"}).status_code == 400
    assert http("GET", "/v2/dlq", params={"cursor": "?"}).status_code == 400


@pytest.mark.protocol("4.3 fields")
def test_a_dead_letter_shows_the_message_and_the_last_answer(client: QStash, http: Any, qstash_fake: QStashFake):
    qstash_fake.on(A).respond_with([500, {"status": 404, "text": "404 Not Found", "headers": {"x-why": "gone"}}])
    client.message.publish(url=A, body="x", retries=1, retry_delay="1000", label="red")
    qstash_fake.drain()
    (letter,) = qstash_fake.dlq
    shown = client.dlq.get(letter.dlq_id)
    assert (shown.dlq_id, shown.message_id) == (letter.dlq_id, letter.message.message_id)
    assert (shown.response_status, shown.response_body) == (404, "404 Not Found")
    assert shown.response_headers == {"Content-Type": ["text/plain; charset=utf-8"], "X-Why": ["gone"]}
    assert shown.created_at == START_MS
    assert (shown.max_retries, shown.retry_delay_expression, shown.label) == (1, "1000", "red")
    assert letter.dlq_id == f"{START_MS + 1_000}-0"
    assert http("GET", "/v2/dlq").json() == {"messages": [http("GET", f"/v2/dlq/{letter.dlq_id}").json()]}


def test_a_body_that_is_no_text_is_shown_as_base64(client: QStash, qstash_fake: QStashFake):
    qstash_fake.on(A).respond(500, content=b"\xff\x00")
    client.message.publish(url=A, body=b"\xfe", retries=0)
    qstash_fake.drain()
    shown = client.dlq.list().messages[0]
    assert (shown.body, shown.body_base64) == (None, "/g==")
    assert (shown.response_body, shown.response_body_base64) == (None, "/wA=")


def test_a_transport_error_is_a_dead_letter_of_status_0(client: QStash, http: Any, qstash_fake: QStashFake):
    qstash_fake.on(A).refuse_connection()
    client.message.publish(url=A, body="x", retries=0)
    qstash_fake.drain()
    assert client.dlq.list().messages[0].response_status == 0
    assert http("GET", "/v2/dlq", params={"responseStatus": 0}).json()["messages"] != []


def test_a_dead_letter_is_deleted_once(client: QStash, qstash_fake: QStashFake):
    qstash_fake.on(A).respond(500)
    client.message.publish(url=A, body="x", retries=0)
    qstash_fake.drain()
    (letter,) = qstash_fake.dlq
    client.dlq.delete(letter.dlq_id)
    with pytest.raises(QStashError, match="status: 404"):
        client.dlq.delete(letter.dlq_id)


@pytest.mark.protocol("4.3 retry")
def test_a_retry_takes_override_headers(client: QStash, shop: Any, http: Any, qstash_fake: QStashFake):
    qstash_fake.on(A).respond(500).times(4)
    client.message.publish(url=A, body="x", headers={"X-Kept": "k", "X-Changed": "old"}, label="red")
    qstash_fake.drain()
    (letter,) = qstash_fake.dlq
    overrides = {"Upstash-Retries": "0", "Upstash-Forward-X-Changed": "new", "Upstash-Delay": "5s"}
    reply = http("POST", f"/v2/dlq/retry/{letter.dlq_id}", headers=overrides)
    new = qstash_fake.messages[-1]
    assert (reply.status_code, reply.json()) == (201, {"messageId": new.message_id})
    assert (new.max_retries, new.labels, new.due_at - new.created_at) == (0, ("red",), timedelta(seconds=5))
    qstash_fake.drain()
    (received,) = shop.received
    assert (received.headers["x-kept"], received.headers.getlist("x-changed")) == ("k", ["new"])
    assert received.headers["upstash-retried"] == "0"
    assert http("POST", f"/v2/dlq/retry/{letter.dlq_id}").status_code == 404


@pytest.mark.usefixtures("dead")
def test_a_bulk_retry_takes_override_headers_too(http: Any, qstash_fake: QStashFake):
    http("POST", "/v2/dlq/retry", params={"label": "red"}, headers={"Upstash-Retries": "7"})
    assert {message.text: message.max_retries for message in qstash_fake.pending} == {"plain": 7, "queued": 7}


@pytest.mark.protocol("4.3 retry")
@pytest.mark.usefixtures("dead")
def test_a_retry_keeps_queue_key_group_schedule_and_creates_anew(http: Any, qstash_fake: QStashFake):
    ids = {letter.message.message_id for letter in qstash_fake.dlq}
    http("POST", "/v2/dlq/retry")
    new = {message.text: message for message in qstash_fake.pending}
    assert new["queued"].queue == "jobs"
    assert http("GET", f"/v2/messages/{new['plain'].message_id}").json()["flowControlKey"] == "key"
    assert (new["group"].url_group, new["cron"].schedule_id) == ("stores", "nightly")
    assert {message.created_at.timestamp() * 1000 for message in new.values()} == {START_MS + 60_000}
    assert ids.isdisjoint(message.message_id for message in new.values())


@pytest.mark.asyncio
async def test_cancel_and_dead_letters_work_with_the_async_client_and_verbs(
    async_client: AsyncQStash, async_http: Any, shop: Any, qstash_fake: QStashFake
):
    shop.statuses["/a"] = 500
    for number in range(3):
        await async_client.message.publish(url=A, body=str(number), retries=0, delay=number)
    ids = [message.message_id for message in qstash_fake.messages]
    await async_client.message.cancel(ids[0])
    assert await async_client.message.cancel_many([ids[0], ids[1]]) == 1
    await qstash_fake.drain_async()
    (letter,) = (await async_client.dlq.list()).messages
    assert (await async_client.dlq.get(letter.dlq_id)).body == "2"
    reply = await async_http.post("https://qstash.upstash.io/v2/dlq/retry", params={"dlqIds": letter.dlq_id})
    assert len(reply.json()["responses"]) == 1
    assert await async_client.message.cancel_all() == 1
    assert await async_client.dlq.delete_many([letter.dlq_id]) == 0
