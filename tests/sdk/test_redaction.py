"""Redaction: hashed wherever a message is shown, never where it is delivered; PROTOCOL 4.10."""

from __future__ import annotations

import base64
import json
from hashlib import sha256
from typing import Any

import pytest
from qstash import AsyncQStash, QStash

from qstash_fake import QStashFake

pytestmark = [pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z"), pytest.mark.protocol("4.10 all of it")]

JOB, BACK = "https://shop.example/job", "https://shop.example/back"
SECRET = "card 4711"
HASHED = f"REDACTED:{sha256(SECRET.encode()).hexdigest()}"
REDACT: Any = {"body": True, "header": ["X-Secret"]}


def publish(client: QStash, **options: Any) -> None:
    client.message.publish(
        url=JOB, body=SECRET, headers={"X-Secret": SECRET, "X-Open": "open"}, redact=REDACT, **options
    )


def test_a_message_is_shown_hashed_and_delivered_as_it_is(client: QStash, shop: Any, qstash_fake: QStashFake):
    publish(client)
    (message,) = qstash_fake.messages
    shown = client.message.get(message.message_id)
    assert (shown.body, shown.headers) == (HASHED, {"X-Secret": [HASHED], "X-Open": ["open"]})
    assert (message.text, message.headers["x-secret"]) == (SECRET, SECRET)
    qstash_fake.drain()
    assert (shop.bodies, shop.received[0].headers["x-secret"]) == ([SECRET], SECRET)


def test_all_headers_are_hashed_if_none_is_named(client: QStash, qstash_fake: QStashFake):
    client.message.publish(url=JOB, body="open", headers={"X-Secret": SECRET}, redact={"header": True})
    shown = client.message.get(qstash_fake.messages[0].message_id)
    assert (shown.body, shown.headers) == ("open", {"X-Secret": [HASHED]})


@pytest.mark.parametrize("fields", ["body, headers[x-secret]", "BODY,Header[X-SECRET]", "headers,body"])
def test_both_spellings_redact_in_any_case(fields: str, http: Any):
    headers = {"Upstash-Redact-Fields": fields, "Upstash-Forward-X-Secret": SECRET}
    message_id = http("POST", f"/v2/publish/{JOB}", headers=headers, content=SECRET).json()["messageId"]
    shown = http("GET", f"/v2/messages/{message_id}").json()
    assert (shown["body"], shown["header"]) == (HASHED, {"X-Secret": [HASHED]})


def test_an_unknown_field_is_refused(http: Any):
    reply = http("POST", f"/v2/publish/{JOB}", headers={"Upstash-Redact-Fields": "url"})
    assert reply.status_code == 400


def test_logs_show_it_hashed(client: QStash, shop: Any, http: Any, qstash_fake: QStashFake):
    publish(client)
    qstash_fake.drain()
    for log in client.log.list().logs:
        assert log.body_base64 == base64.b64encode(HASHED.encode()).decode()
        assert log.headers == {"X-Secret": [HASHED], "X-Open": ["open"]}
    assert {(entry.body, entry.headers["x-secret"]) for entry in qstash_fake.logs} == {(HASHED.encode(), HASHED)}


@pytest.mark.protocol("4.3 retry")
def test_the_dead_letter_queue_shows_it_hashed_and_redrives_it_as_it_is(
    client: QStash, shop: Any, http: Any, qstash_fake: QStashFake
):
    qstash_fake.on(JOB).respond(500).times(1)
    publish(client, retries=0)
    qstash_fake.drain()
    (dead,) = client.dlq.list().messages
    assert (dead.body, dead.headers) == (HASHED, {"X-Secret": [HASHED], "X-Open": ["open"]})
    assert client.dlq.get(dead.dlq_id) == dead
    message_id = http("POST", f"/v2/dlq/retry/{dead.dlq_id}").json()["messageId"]
    assert client.message.get(message_id).body == HASHED
    qstash_fake.drain()
    assert (shop.bodies, shop.received[0].headers["x-secret"]) == ([SECRET], SECRET)


def test_schedules_show_it_hashed_and_produce_it_as_it_is(
    client: QStash, shop: Any, http: Any, qstash_fake: QStashFake
):
    schedule_id = client.schedule.create(
        destination=JOB, cron="* * * * *", body=SECRET, headers={"X-Secret": SECRET}, redact=REDACT
    )
    shown = client.schedule.get(schedule_id)
    assert (shown.body, shown.headers) == (HASHED, {"X-Secret": [HASHED]})
    assert SECRET not in http("GET", "/v2/schedules").text
    qstash_fake.clock.advance("1m")
    assert shop.bodies == [SECRET]
    assert client.message.get(qstash_fake.messages[0].message_id).body == HASHED


def test_callbacks_bring_it_as_it_is_and_are_shown_hashed(client: QStash, shop: Any, qstash_fake: QStashFake):
    publish(client, callback=BACK)
    qstash_fake.drain()
    report = json.loads(shop.at("/back")[0].body)
    assert base64.b64decode(report["sourceBody"]).decode() == report["sourceHeader"]["X-Secret"][0] == SECRET
    (shown,) = client.log.list(filter={"url": BACK}, count=1).logs
    assert base64.b64decode(shown.body_base64 or "").startswith(b"REDACTED:")


def test_the_timeline_and_the_report_of_a_failure_do_not_show_it(client: QStash, qstash_fake: QStashFake):
    publish(client)
    assert SECRET not in qstash_fake.timeline()
    assert SECRET not in repr(qstash_fake.messages[0])
    asked: list[dict[str, Any]] = [
        {"json": {"n": 1}},
        {"body": "another"},
        {"headers": {"X-Secret": "another"}},
        {"url": "https://shop.example/other"},
        {"times": 2},
    ]
    for wanted in asked:
        with pytest.raises(AssertionError) as failure:
            qstash_fake.assert_published(**wanted)
        assert SECRET not in str(failure.value)
    for check in (qstash_fake.assert_nothing_published, qstash_fake.assert_idle, qstash_fake.assert_delivered):
        with pytest.raises(AssertionError) as failure:
            check()
        assert SECRET not in str(failure.value)


def test_a_json_body_that_is_redacted_is_not_shown_in_a_difference(client: QStash, qstash_fake: QStashFake):
    client.message.publish_json(url=JOB, body={"card": SECRET}, redact={"body": True})
    with pytest.raises(AssertionError) as failure:
        qstash_fake.assert_published(json={"card": "another"})
    assert SECRET not in str(failure.value)
    assert qstash_fake.assert_published(json={"card": SECRET}).json() == {"card": SECRET}


@pytest.mark.asyncio
async def test_redaction_works_with_the_async_client_and_verbs(
    async_client: AsyncQStash, shop: Any, qstash_fake: QStashFake
):
    await async_client.message.publish(url=JOB, body=SECRET, redact={"body": True})
    assert (await async_client.message.get(qstash_fake.messages[0].message_id)).body == HASHED
    await qstash_fake.drain_async()
    assert shop.bodies == [SECRET]
