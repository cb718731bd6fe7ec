"""Schedules through the official SDK: options, life, ticks, states; PROTOCOL 1.3 and 4.6."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from qstash import AsyncQStash, QStash
from qstash.errors import QStashError
from qstash.schedule import ScheduleState

from qstash_fake import QStashFake
from tests.shop import START_MS

pytestmark = pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z")

DESTINATION = "https://shop.example/report"


def test_a_schedule_shows_every_option_it_was_created_with(client: QStash, qstash_fake: QStashFake):
    schedule_id = client.schedule.create_json(
        destination=DESTINATION,
        cron="*/10 * * * * ",
        body={"report": "sales"},
        method="PUT",
        headers={"X-Shop": "berlin"},
        callback_headers={"Forward-X-Back": "b"},
        failure_callback_headers={"Forward-X-Fail": "f"},
        retries=2,
        retry_delay="1000 * (1 + retried)",
        callback="https://shop.example/back",
        failure_callback="https://shop.example/fail",
        delay="10s",
        timeout=30,
        schedule_id="nightly.report-1",
        queue="reports",
        flow_control={"key": "reports", "parallelism": 2, "rate": 3, "period": "1m"},
        label="night",
    )
    schedule = client.schedule.get(schedule_id)
    assert schedule_id == schedule.schedule_id == "nightly.report-1"
    assert schedule.cron == "*/10 * * * *"
    assert (schedule.destination, schedule.method, schedule.created_at) == (DESTINATION, "PUT", START_MS)
    assert schedule.body == '{"report": "sales"}'
    assert schedule.headers == {"Content-Type": ["application/json"], "X-Shop": ["berlin"]}
    assert schedule.callback_headers == {"X-Back": ["b"]}
    assert schedule.failure_callback_headers == {"X-Fail": ["f"]}
    assert (schedule.retries, schedule.retry_delay_expression) == (2, "1000 * (1 + retried)")
    assert (schedule.callback, schedule.failure_callback) == ("https://shop.example/back", "https://shop.example/fail")
    assert (schedule.delay, schedule.timeout, schedule.queue, schedule.label) == (10, 30, "reports", "night")
    assert schedule.flow_control is not None
    assert (schedule.flow_control.key, schedule.flow_control.parallelism) == ("reports", 2)
    assert (schedule.flow_control.rate, schedule.flow_control.period) == (3, 60)
    assert schedule.paused is False
    assert schedule.caller_ip == "127.0.0.1"
    assert qstash_fake.assert_scheduled(cron="*/10 * * * *", destination=DESTINATION).schedule_id == schedule_id


def test_a_schedule_without_options_shows_the_defaults_and_nothing_empty(client: QStash, http: Any):
    schedule_id = client.schedule.create(destination=DESTINATION, cron="0 12 * * *")
    assert http("GET", f"/v2/schedules/{schedule_id}").json() == {
        "scheduleId": schedule_id,
        "cron": "0 12 * * *",
        "destination": DESTINATION,
        "createdAt": START_MS,
        "method": "POST",
        "retries": 3,
        "isPaused": False,
        "callerIP": "127.0.0.1",
        "callerIp": "127.0.0.1",
        "nextScheduleTime": START_MS + 12 * 3_600_000,
    }
    assert schedule_id.startswith("scd_")


@pytest.mark.protocol("4.6 schedule fire")
def test_a_tick_delivers_a_message_of_its_own(client: QStash, shop: Any, qstash_fake: QStashFake):
    schedule_id = client.schedule.create(
        destination=DESTINATION, cron="* * * * *", body="go", content_type="text/plain", headers={"X-Shop": "berlin"}
    )
    qstash_fake.clock.advance("2m")
    first, second = shop.received
    assert (first.body, first.headers["x-shop"], first.headers["content-type"]) == (b"go", "berlin", "text/plain")
    assert first.headers["upstash-schedule-id"] == second.headers["upstash-schedule-id"] == schedule_id
    assert first.headers["upstash-message-id"] != second.headers["upstash-message-id"]
    assert first.headers["upstash-caller-ip"] == "127.0.0.1"
    ticks = [message.created_at for message in qstash_fake.messages]
    assert ticks == [datetime(2026, 1, 1, 0, 1, tzinfo=UTC), datetime(2026, 1, 1, 0, 2, tzinfo=UTC)]


@pytest.mark.protocol("4.6 lastScheduleTime / nextScheduleTime")
def test_a_schedule_reports_its_last_and_next_tick_and_what_became_of_it(
    client: QStash, shop: Any, qstash_fake: QStashFake
):
    schedule_id = client.schedule.create(destination=DESTINATION, cron="*/5 * * * *", retries=0)
    assert client.schedule.get(schedule_id).last_schedule_time is None
    qstash_fake.clock.advance("5m")
    shown = client.schedule.get(schedule_id)
    assert (shown.last_schedule_time, shown.next_schedule_time) == (START_MS + 300_000, START_MS + 600_000)
    assert shown.last_schedule_states == {qstash_fake.messages[0].message_id: ScheduleState.SUCCESS}
    shop.statuses["/report"] = 500
    qstash_fake.clock.advance("5m")
    shown = client.schedule.get(schedule_id)
    assert shown.last_schedule_states == {qstash_fake.messages[1].message_id: ScheduleState.FAIL}
    schedule = qstash_fake.schedules[schedule_id]
    assert schedule.last_at == datetime(2026, 1, 1, 0, 10, tzinfo=UTC)
    assert schedule.next_at == datetime(2026, 1, 1, 0, 15, tzinfo=UTC)


def test_a_message_that_waits_for_its_retry_is_in_progress(client: QStash, shop: Any, qstash_fake: QStashFake):
    shop.statuses["/report"] = 500
    schedule_id = client.schedule.create(destination=DESTINATION, cron="0 1 * * *")
    qstash_fake.clock.advance("1h")
    states = client.schedule.get(schedule_id).last_schedule_states
    assert states == {qstash_fake.messages[0].message_id: ScheduleState.IN_PROGRESS}


@pytest.mark.protocol("4.6 pause")
def test_a_paused_schedule_makes_up_for_nothing(client: QStash, shop: Any, qstash_fake: QStashFake):
    schedule_id = client.schedule.create(destination=DESTINATION, cron="0 * * * *")
    client.schedule.pause(schedule_id)
    assert client.schedule.get(schedule_id).paused is True
    qstash_fake.clock.advance("3h30m")
    assert shop.received == []
    client.schedule.resume(schedule_id)
    assert client.schedule.get(schedule_id).paused is False
    assert qstash_fake.schedules[schedule_id].next_at == datetime(2026, 1, 1, 4, tzinfo=UTC)
    qstash_fake.clock.advance("30m")
    assert len(shop.received) == 1


@pytest.mark.parametrize("verb", ["POST", "PATCH", "PUT"])
def test_pause_and_resume_take_every_verb_that_clients_use(verb: str, client: QStash, http: Any):
    schedule_id = client.schedule.create(destination=DESTINATION, cron="0 * * * *")
    assert http(verb, f"/v2/schedules/{schedule_id}/pause").status_code == 200
    assert client.schedule.get(schedule_id).paused is True
    assert http(verb, f"/v2/schedules/{schedule_id}/resume").status_code == 200
    assert client.schedule.get(schedule_id).paused is False


@pytest.mark.protocol("4.6 overwrite")
def test_an_overwritten_schedule_keeps_its_id_and_creation_and_is_all_new_else(
    client: QStash, shop: Any, qstash_fake: QStashFake
):
    client.schedule.create(
        destination=DESTINATION, cron="* * * * *", body="old", retries=0, label="old", schedule_id="mine"
    )
    held = qstash_fake.schedules["mine"]
    qstash_fake.clock.advance("1m")
    client.schedule.pause("mine")
    client.schedule.create(destination="https://shop.example/new", cron="0 * * * *", schedule_id="mine")
    shown = client.schedule.get("mine")
    assert (shown.created_at, shown.paused) == (START_MS, False)
    assert (shown.body, shown.retries, shown.label, shown.cron) == (None, 3, None, "0 * * * *")
    assert (shown.last_schedule_time, shown.last_schedule_states) == (None, None)
    assert qstash_fake.schedules["mine"] is held
    assert [schedule.schedule_id for schedule in client.schedule.list()] == ["mine"]


def test_a_deleted_schedule_ticks_no_more_and_is_unknown(client: QStash, shop: Any, qstash_fake: QStashFake):
    schedule_id = client.schedule.create(destination=DESTINATION, cron="* * * * *")
    client.schedule.delete(schedule_id)
    qstash_fake.clock.advance("5m")
    assert shop.received == []
    assert client.schedule.list() == []
    with pytest.raises(QStashError, match=r"status: 404.*not found"):
        client.schedule.get(schedule_id)
    with pytest.raises(QStashError, match="status: 404"):
        client.schedule.delete(schedule_id)


def test_publish_with_a_cron_creates_a_schedule(http: Any, qstash_fake: QStashFake):
    reply = http("POST", f"/v2/publish/{DESTINATION}", headers={"Upstash-Cron": "0 9 * * 1-5"}, content=b"x")
    assert reply.status_code == 201
    schedule = qstash_fake.assert_scheduled(cron="0 9 * * 1-5", destination=DESTINATION)
    assert reply.json() == {"scheduleId": schedule.schedule_id}
    assert qstash_fake.messages == []


def test_enqueue_with_a_cron_is_refused(http: Any, qstash_fake: QStashFake):
    reply = http("POST", f"/v2/enqueue/jobs/{DESTINATION}", headers={"Upstash-Cron": "0 9 * * 1-5"})
    assert reply.status_code == 400
    assert "Upstash-Cron" in reply.json()["error"]
    assert not qstash_fake.schedules


@pytest.mark.protocol("4.6 to URL group/queue")
def test_a_schedule_of_a_url_group_reaches_each_endpoint(client: QStash, shop: Any, qstash_fake: QStashFake):
    client.url_group.upsert_endpoints(
        "stores", [{"url": "https://shop.example/a"}, {"url": "https://shop.example/b", "name": "b"}]
    )
    client.schedule.create(destination="stores", cron="* * * * *")
    qstash_fake.clock.advance("1m")
    assert shop.paths == ["/a", "/b"]
    assert shop.received[0].headers["upstash-topic-name"] == "stores"
    (shown,) = client.schedule.list()
    states = {message_id: state.value for message_id, state in (shown.last_schedule_states or {}).items()}
    assert states == {message.message_id: "SUCCESS" for message in qstash_fake.messages}


def test_a_schedule_of_a_group_that_is_gone_says_so_and_makes_no_message(
    client: QStash, shop: Any, qstash_fake: QStashFake
):
    client.url_group.upsert_endpoints("stores", [{"url": "https://shop.example/a"}])
    schedule_id = client.schedule.create(destination="stores", cron="* * * * *")
    qstash_fake.clock.advance("1m")
    client.url_group.delete("stores")
    qstash_fake.clock.advance("1m")
    shown = client.schedule.get(schedule_id)
    assert shown.error == "topic stores not found"
    assert shown.last_schedule_states is None
    assert len(qstash_fake.messages) == 1


def test_trigger_stores_a_message_even_while_paused(client: QStash, shop: Any, qstash_fake: QStashFake):
    schedule_id = client.schedule.create(destination=DESTINATION, cron="0 0 1 1 *", body="now")
    client.schedule.pause(schedule_id)
    (message,) = qstash_fake.schedules[schedule_id].trigger()
    assert message in qstash_fake.pending
    assert shop.received == []
    qstash_fake.deliver_due()
    assert shop.bodies == ["now"]
    assert message.schedule_id == schedule_id


def test_a_day_that_never_comes_never_fires(client: QStash, qstash_fake: QStashFake):
    schedule_id = client.schedule.create(destination=DESTINATION, cron="0 0 30 2 *")
    assert qstash_fake.schedules[schedule_id].next_at is None
    assert client.schedule.get(schedule_id).next_schedule_time is None
    qstash_fake.clock.advance("366d")
    assert qstash_fake.messages == []


def test_a_cron_in_a_time_zone_ticks_at_its_local_time(client: QStash, qstash_fake: QStashFake):
    schedule_id = client.schedule.create(destination=DESTINATION, cron="CRON_TZ=America/New_York 0 4 * * *")
    assert client.schedule.get(schedule_id).cron == "CRON_TZ=America/New_York 0 4 * * *"
    assert qstash_fake.schedules[schedule_id].next_at == datetime(2026, 1, 1, 9, tzinfo=UTC)


@pytest.mark.protocol("4.6 auto-pause after repeated 401s")
def test_answers_of_401_pause_nothing(client: QStash, shop: Any, qstash_fake: QStashFake):
    shop.statuses["/report"] = 401
    schedule_id = client.schedule.create(destination=DESTINATION, cron="* * * * *", retries=0)
    qstash_fake.clock.advance("30m")
    assert len(shop.received) == 30
    assert client.schedule.get(schedule_id).paused is False


@pytest.mark.asyncio
async def test_schedules_work_with_the_async_client_and_verbs(
    async_client: AsyncQStash, shop: Any, qstash_fake: QStashFake
):
    schedule_id = await async_client.schedule.create_json(destination=DESTINATION, cron="* * * * *", body={"n": 1})
    await qstash_fake.clock.advance_async("1m")
    await async_client.schedule.pause(schedule_id)
    await qstash_fake.clock.advance_to_async("2026-01-01T00:03:00Z")
    assert shop.bodies == ['{"n": 1}']
    await async_client.schedule.resume(schedule_id)
    await qstash_fake.clock.advance_to_next_async()
    assert len(shop.received) == 2
    assert (await async_client.schedule.get(schedule_id)).last_schedule_time == START_MS + 240_000
    await async_client.schedule.delete(schedule_id)
    assert await async_client.schedule.list() == []
