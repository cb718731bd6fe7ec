"""What lasts: queues, schedules, URL groups, flow-control keys, signing keys."""

from __future__ import annotations

import pytest

from conformance.service import LATER, Service

NEVER = "0 0 30 2 *"  # the 30th of February: it is valid, and never fires
YEARLY = "0 3 1 1 *"


@pytest.mark.protocol("1 six keys of a queue", "4.4 upsert", "4.4 pause / resume", "1 routing")
def test_a_queue_is_made_paused_changed_and_deleted(service: Service):
    queue = f"/v2/queues/{service.own}"
    service.made.append(queue)
    assert service.call("POST", "/v2/queues/", json={"queueName": service.own, "paused": True}).is_success
    shown = service.json("GET", queue)
    assert shown.keys() == {"name", "parallelism", "createdAt", "updatedAt", "lag", "paused"}
    assert (shown["parallelism"], shown["lag"], shown["paused"]) == (1, 0, True)
    for _ in range(2):
        assert service.call("POST", f"{queue}/resume").is_success
    service.call("POST", "/v2/queues", json={"queueName": service.own, "parallelism": 2})
    shown = service.json("GET", queue.replace("queues", "Queues"))
    assert (shown["parallelism"], shown["paused"]) == (2, False)
    assert service.call("DELETE", queue).is_success
    assert service.call("GET", queue).status_code == 404


@pytest.mark.protocol("4.4 lag", "4.4 pause / resume")
def test_a_paused_queue_takes_messages_and_counts_them(service: Service):
    queue = f"/v2/queues/{service.own}"
    service.made.append(queue)
    service.call("POST", "/v2/queues", json={"queueName": service.own, "paused": True})
    headers = {"Upstash-Label": service.own}
    ids = [service.json("POST", f"/v2/enqueue/{service.own}/{LATER}", headers=headers)["messageId"] for _ in range(2)]
    assert service.message(ids[0])["queueName"] == service.own
    assert service.json("GET", queue)["lag"] == 2
    assert service.json("DELETE", f"/v2/messages?queueName={service.own}") == {"cancelled": 2}


def schedule(service: Service, **options: str) -> str:
    """Make the schedule that is called as all else of this test, and return its path."""
    path = f"/v2/schedules/{service.own}"
    service.made.append(path)
    headers = {**service.headers("", **options), "Upstash-Schedule-Id": service.own}
    sent = service.json("POST", f"/v2/schedules/{LATER}", headers=headers)
    assert sent == {"scheduleId": service.own}
    return path


@pytest.mark.protocol("header Upstash-Cron", "header Upstash-Schedule-Id")
def test_a_schedule_shows_what_it_was_made_with(service: Service):
    shown = service.json("GET", schedule(service, cron=YEARLY, retries="2", delay="10s", timeout="30s"))
    assert (shown["scheduleId"], shown["cron"], shown["destination"]) == (service.own, YEARLY, LATER)
    assert (shown["retries"], shown["delay"], shown["method"], shown["isPaused"]) == (2, 10, "POST", False)


@pytest.mark.protocol("4.6 overwrite")
def test_an_overwritten_schedule_is_back_to_its_defaults(service: Service):
    path = schedule(service, cron=YEARLY, retries="1", method="PUT")
    schedule(service, cron=NEVER)
    shown = service.json("GET", path)
    assert (shown["cron"], shown["retries"], shown["method"]) == (NEVER, 3, "POST")


@pytest.mark.protocol("1 verbs of schedules")
@pytest.mark.parametrize("verb", ["POST", "PATCH"])
def test_a_schedule_is_paused_and_resumed(service: Service, verb: str):
    path = schedule(service, cron=YEARLY)
    paused = []
    for how in ("pause", "resume"):
        assert service.call(verb, f"{path}/{how}").is_success
        paused.append(service.json("GET", path)["isPaused"])
    assert paused == [True, False]


@pytest.mark.protocol("4.6 schedule fire", "3.1 schedule and group")
def test_a_schedule_fires_at_its_minute(service: Service):
    place = service.virtual_place("the next minute")
    headers = {"Upstash-Cron": "* * * * *", "Upstash-Schedule-Id": service.own, "Upstash-Label": service.own}
    service.made.append(f"/v2/schedules/{service.own}")
    service.json("POST", f"/v2/schedules/{place.url}/tick", headers=headers)
    service.advance("1m")
    assert place.received[0].headers["Upstash-Schedule-Id"] == service.own


@pytest.mark.protocol("4.6 URL group publish", "1 every documented operation")
def test_a_publish_to_a_group_makes_a_message_for_each_endpoint_in_their_order(service: Service):
    group, endpoints = f"/v2/topics/{service.own}", [{"url": f"{LATER}/1", "name": "First one"}, {"url": f"{LATER}/2"}]
    service.made.append(group)
    assert service.call("POST", f"{group}/endpoints", json={"endpoints": endpoints}).is_success
    shown = service.json("GET", group)
    assert (shown["name"], [one["url"] for one in shown["endpoints"]]) == (service.own, [f"{LATER}/1", f"{LATER}/2"])
    sent = service.json("POST", f"/v2/publish/{service.own}", headers=service.headers())
    assert [one["url"] for one in sent] == [f"{LATER}/1", f"{LATER}/2"]
    assert service.message(sent[0]["messageId"])["topicName"] == service.own
    service.call("DELETE", f"{group}/endpoints", json={"endpoints": [{"name": "First one"}]})
    assert [one["url"] for one in service.json("GET", group)["endpoints"]] == [f"{LATER}/2"]
    assert [service.call("DELETE", group).is_success for _ in range(2)] == [True, True]


@pytest.mark.protocol("1 idle key")
def test_a_key_that_nobody_has_used_is_idle(service: Service):
    shown = service.json("GET", f"/v2/flowControl/{service.own}")
    assert (shown["waitListSize"], shown["parallelismCount"], shown["rateCount"]) == (0, 0, 0)


@pytest.mark.protocol("4.5 pin", "4.5 unpin", "4.5 pause")
def test_a_key_is_pinned_and_paused_and_let_go(service: Service):
    key = f"/v2/flowControl/{service.own}"
    service.publish(flow_control_key=service.own, flow_control_value="parallelism=1")
    assert service.call("POST", f"{key}/pin?parallelism=3&rate=5&period=60").is_success
    shown = service.json("GET", key)
    assert [shown[name] for name in ("parallelismMax", "rateMax", "ratePeriod")] == [3, 5, 60]
    assert [shown["isPinnedParallelism"], shown["isPinnedRate"]] == [True, True]
    service.call("POST", f"{key}/unpin?parallelism=true&rate=true")
    service.call("POST", f"{key}/pause")
    shown = service.json("GET", key)
    service.call("POST", f"{key}/resume")
    assert [shown["isPinnedRate"], shown["isPaused"], service.json("GET", key)["isPaused"]] == [False, True, False]


@pytest.mark.protocol("1 every documented operation", "4.5 globalParallelism")
def test_signing_keys_and_the_parallelism_of_the_account_are_shown(service: Service):
    keys = service.json("GET", "/v2/keys")
    assert [keys[name].startswith("sig_") for name in ("current", "next")] == [True, True]
    assert all(isinstance(count, int) for count in service.json("GET", "/v2/globalParallelism").values())
