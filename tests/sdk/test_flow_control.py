"""Flow control through the official SDK: windows, slots, pins, pauses; PROTOCOL 1.8 and 4.5."""

from __future__ import annotations

from typing import Any

import pytest
from qstash import AsyncQStash, QStash
from qstash.errors import QStashError

from qstash_fake import QStashFake
from tests.shop import JOBS, START_S

pytestmark = pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z")


def publish(client: QStash, *bodies: str, key: str = "k", url: str = JOBS, **limits: Any) -> None:
    flow_control: Any = {"key": key, **limits}
    for body in bodies:
        client.message.publish(url=url, body=body, flow_control=flow_control)


@pytest.mark.protocol("4.5 rate")
def test_at_most_rate_messages_start_in_a_window(client: QStash, shop: Any, qstash_fake: QStashFake):
    publish(client, "a", "b", "c", "d", "e", rate=2, period="10s")
    qstash_fake.drain()
    starts = [round((attempt.at - qstash_fake.attempts[0].at).total_seconds()) for attempt in qstash_fake.attempts]
    assert starts == [0, 0, 10, 10, 20]


def test_the_window_of_a_key_is_shown_with_its_start(client: QStash, shop: Any, qstash_fake: QStashFake):
    publish(client, "a", rate=1, period="10s")
    qstash_fake.clock.advance("17s")
    publish(client, "b", "c", rate=1, period="10s")
    qstash_fake.deliver_due()
    info = client.flow_control.get("k")
    assert (info.rate_period_start, info.rate_count, info.wait_list_size) == (START_S + 17, 1, 1)


@pytest.mark.protocol("4.5 parallelism")
def test_at_most_parallelism_attempts_are_in_flight(client: QStash, shop: Any, qstash_fake: QStashFake):
    qstash_fake.on(JOBS).takes("5s")
    publish(client, "a", "b", "c", parallelism=2)
    qstash_fake.deliver_due()
    info = client.flow_control.get("k")
    assert (shop.bodies, info.parallelism_count, info.wait_list_size) == (["a", "b"], 2, 1)
    qstash_fake.clock.advance("5s")
    assert shop.bodies == ["a", "b", "c"]


@pytest.mark.protocol("4.5 pause")
def test_a_paused_key_holds_what_it_accepts(client: QStash, shop: Any, qstash_fake: QStashFake):
    publish(client, "a", parallelism=1)
    client.flow_control.pause("k")
    assert client.flow_control.get("k").is_paused is True
    report = qstash_fake.drain()
    assert shop.received == []
    assert report.held == {"flow-control key 'k' is paused": 1}
    client.flow_control.resume("k")
    qstash_fake.deliver_due()
    assert shop.bodies == ["a"]


@pytest.mark.protocol("4.5 config change", "4.5 pin", "4.5 unpin")
def test_pinned_limits_ignore_what_messages_bring_until_unpinned(client: QStash, shop: Any, qstash_fake: QStashFake):
    client.flow_control.pin("k", {"parallelism": 1, "rate": 2, "period": 60})
    publish(client, "a", "b", "c", parallelism=9, rate=9, period="1s")
    info = client.flow_control.get("k")
    assert (info.parallelism_max, info.rate_max, info.rate_period) == (1, 2, 60)
    assert (info.is_pinned_parallelism, info.is_pinned_rate) == (True, True)
    qstash_fake.deliver_due()
    assert shop.bodies == ["a", "b"]
    client.flow_control.unpin("k", {"parallelism": True, "rate": True})
    info = client.flow_control.get("k")
    assert (info.parallelism_max, info.rate_max, info.is_pinned_parallelism, info.is_pinned_rate) == (
        1,
        2,
        False,
        False,
    )
    publish(client, "d", parallelism=9, rate=9, period="1s")
    info = client.flow_control.get("k")
    assert (info.parallelism_max, info.rate_max, info.rate_period) == (9, 9, 1)
    qstash_fake.deliver_due()
    assert shop.bodies == ["a", "b", "c", "d"]


@pytest.mark.protocol("4.5 pin")
def test_a_pin_of_one_limit_leaves_the_other_to_the_messages(client: QStash):
    client.flow_control.pin("k", {"parallelism": 1})
    publish(client, "a", parallelism=9, rate=9, period="5s")
    info = client.flow_control.get("k")
    assert (info.parallelism_max, info.is_pinned_parallelism) == (1, True)
    assert (info.rate_max, info.rate_period, info.is_pinned_rate) == (9, 5, False)


@pytest.mark.protocol("4.5 resetRate")
@pytest.mark.parametrize("path", ["resetRate", "reset"])
def test_reset_rate_ends_the_window_at_once(path: str, client: QStash, http: Any, shop: Any, qstash_fake: QStashFake):
    publish(client, "a", "b", rate=1, period="1h")
    qstash_fake.deliver_due()
    assert client.flow_control.get("k").rate_count == 1
    assert http("POST", f"/v2/flowControl/k/{path}").status_code == 200
    assert client.flow_control.get("k").rate_count == 0
    qstash_fake.deliver_due()
    assert shop.bodies == ["a", "b"]


def test_every_documented_field_is_always_there(client: QStash, http: Any, shop: Any, qstash_fake: QStashFake):
    publish(client, "a", parallelism=3)
    assert http("GET", "/v2/flowControl/k").json() == {
        "flowControlKey": "k",
        "waitListSize": 0,
        "parallelismMax": 3,
        "parallelismCount": 0,
        "rateMax": 0,
        "rateCount": 0,
        "ratePeriod": 1,
        "ratePeriodStart": 0,
        "isPaused": False,
        "isPinnedParallelism": False,
        "isPinnedRate": False,
    }


def test_the_list_is_searched_by_a_part_of_the_key(client: QStash, http: Any):
    for key in ("user-1", "user-2", "tenant"):
        publish(client, "a", key=key, rate=1)
    assert [one["flowControlKey"] for one in http("GET", "/v2/flowControl").json()] == ["user-1", "user-2", "tenant"]
    found = http("GET", "/v2/flowControl", params={"search": "er-2"}).json()
    assert [one["flowControlKey"] for one in found] == ["user-2"]


def test_a_key_that_nobody_has_used_is_shown_idle(client: QStash):
    info = client.flow_control.get("nobody")
    assert (info.key, info.wait_list_size, info.parallelism_count, info.rate_count) == ("nobody", 0, 0, 0)


@pytest.mark.protocol("4.5 globalParallelism")
def test_the_global_parallelism_counts_what_is_in_flight(client: QStash, shop: Any, qstash_fake: QStashFake):
    qstash_fake.on(JOBS).takes("5s")
    publish(client, "a", parallelism=5)
    client.message.publish(url=JOBS, body="b")
    qstash_fake.deliver_due()
    assert client.flow_control.get_global_parallelism().parallelism_count == 2
    qstash_fake.clock.advance("5s")
    info = client.flow_control.get_global_parallelism()
    assert (info.parallelism_count, info.parallelism_max) == (0, 0)


@pytest.mark.protocol("4.5 globalParallelism", "4.11 parallelism")
@pytest.mark.qstash_fake(plan="free")
def test_the_global_parallelism_of_a_plan_bounds_all_keys_together(client: QStash, shop: Any, qstash_fake: QStashFake):
    qstash_fake.on(JOBS).takes("5s")
    for number in range(12):
        client.message.publish(url=JOBS, body=str(number))
    qstash_fake.deliver_due()
    info = client.flow_control.get_global_parallelism()
    assert (info.parallelism_count, info.parallelism_max, len(shop.received)) == (10, 10, 10)
    qstash_fake.drain()
    assert len(shop.received) == 12


@pytest.mark.protocol("4.11 flow-control period")
def test_a_period_longer_than_a_week_is_refused(client: QStash, http: Any):
    with pytest.raises(QStashError, match="status: 400"):
        publish(client, "a", rate=1, period="8d")
    publish(client, "a", rate=1, period="7d")
    assert http("POST", "/v2/flowControl/k/pin", params={"rate": 1, "period": 604_801}).status_code == 400
    assert client.flow_control.get("k").rate_period == 604_800


def test_the_limits_are_shown_on_the_message(client: QStash, qstash_fake: QStashFake):
    publish(client, "a", parallelism=3)
    publish(client, "b", key="r", rate=1, period="1h30m3s")
    first, second = (client.message.get(message.message_id).flow_control for message in qstash_fake.messages)
    assert first is not None
    assert second is not None
    assert (first.key, first.parallelism, first.rate, first.period) == ("k", 3, None, 1)
    assert (second.key, second.parallelism, second.rate, second.period) == ("r", None, 1, 5403)


@pytest.mark.asyncio
async def test_flow_control_works_with_the_async_client_and_verbs(
    async_client: AsyncQStash, shop: Any, qstash_fake: QStashFake
):
    for body in ("a", "b", "c"):
        await async_client.message.publish(url=JOBS, body=body, flow_control={"key": "k", "rate": 1, "period": "10s"})
    await qstash_fake.deliver_due_async()
    assert (await async_client.flow_control.get("k")).wait_list_size == 2
    await async_client.flow_control.reset_rate("k")
    await qstash_fake.deliver_due_async()
    assert shop.bodies == ["a", "b"]
    await async_client.flow_control.pause("k")
    await qstash_fake.clock.advance_async("1h")
    assert shop.bodies == ["a", "b"]
    await async_client.flow_control.resume("k")
    await async_client.flow_control.pin("k", {"rate": 5, "period": 1})
    await async_client.flow_control.unpin("k", {"rate": True})
    await qstash_fake.drain_async()
    assert shop.bodies == ["a", "b", "c"]
    assert (await async_client.flow_control.get_global_parallelism()).parallelism_count == 0


def test_a_period_pinned_without_a_rate_is_refused(client: QStash):
    with pytest.raises(QStashError, match=r"400.*period is that of a rate"):
        client.flow_control.pin("key", {"parallelism": 1, "period": 60})
