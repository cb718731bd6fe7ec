"""Messages that wait: deduplication, batches, cancelling, the log."""

from __future__ import annotations

import pytest

from conformance.service import LATER, Service


@pytest.mark.protocol("4.7 duplicate reply", "header Upstash-Deduplication-Id")
def test_a_second_publish_with_the_same_id_is_told_the_first(service: Service):
    path, headers = f"/v2/publish/{LATER}", service.headers(deduplication_id=service.own)
    first, second = (service.call("POST", path, headers=headers) for _ in range(2))
    assert [first.status_code, second.status_code] == [201, 202]
    assert second.json() == {"messageId": first.json()["messageId"], "deduplicated": True}


@pytest.mark.protocol("header Upstash-Content-Based-Deduplication", "4.7 content hash inputs")
def test_equal_content_is_one_message_and_another_header_another(service: Service):
    options = {"content_based_deduplication": "true", "body": service.own}
    ids = [service.publish(**options), service.publish(**options), service.publish(**options, forward_x="1")]
    assert (ids[0] == ids[1], ids[0] == ids[2]) == (True, False)


@pytest.mark.protocol("4.6 batch")
def test_a_batch_mixes_a_url_and_a_queue(service: Service):
    service.made.append(f"/v2/queues/{service.own}")
    service.call("POST", "/v2/queues", json={"queueName": service.own, "paused": True})
    queued = {"destination": LATER, "queue": service.own, "headers": {"upstash-label": service.own}, "body": None}
    sent = service.json("POST", "/v2/batch", json=[{"destination": LATER, "headers": service.headers()}, queued])
    assert [service.message(one["messageId"]).get("queueName") for one in sent] == [None, service.own]


@pytest.mark.protocol("4.8 single")
def test_one_message_is_cancelled_and_then_not_there(service: Service):
    path = f"/v2/messages/{service.publish()}"
    answer = service.call("DELETE", path)
    assert (answer.status_code, answer.json()) == (202, {"cancelled": 1})
    service.until(lambda: service.call("GET", path).status_code == 404, "the end of the message")


@pytest.mark.protocol("4.8 bulk", "4.9 dates")
def test_everything_that_matches_is_cancelled_whatever_count_says(service: Service):
    first, _, _ = [service.published() for _ in range(3)]
    filters = f"label={service.own}&fromDate={first['createdAt']}&url={LATER}"
    assert service.json("DELETE", f"/v2/messages?{filters}&flowControlKey={service.own}") == {"cancelled": 0}
    assert service.json("DELETE", f"/v2/messages?{filters}&count=1")["cancelled"] == 3
    assert service.json("DELETE", f"/v2/messages?{filters}&count=1")["cancelled"] == 0


@pytest.mark.protocol("1 lists of a bulk operation", "4.8 bulk")
def test_ids_are_cancelled_from_the_query_and_from_json(service: Service):
    ids = [service.publish() for _ in range(4)]
    assert service.json("DELETE", f"/v2/messages?messageIds={ids[0]}&messageIds={ids[1]}") == {"cancelled": 2}
    assert service.json("DELETE", "/v2/messages", json={"messageIds": ids[1:3]})["cancelled"] == 1


def action(service: Service, action_id: str) -> dict[str, object]:
    shown: dict[str, object] = service.json("GET", f"/v2/bulkActions/{action_id}")
    return shown


@pytest.mark.protocol("4.8 bulk action", "4.8 bulk actions are listed")
def test_a_cancel_in_the_background_is_an_action_that_comes_to_its_end(service: Service):
    service.publish()
    action_id = service.json("DELETE", f"/v2/messages?label={service.own}&async=true")["actionId"]
    service.until(lambda: action(service, action_id)["state"] == "FINISHED", "the end of the action")
    shown = action(service, action_id)
    assert (shown["kind"], shown["total"], shown["processed"]) == ("cancel", 1, 1)
    assert shown["filter"] == {"label": [service.own]}
    listed = service.json("GET", "/v2/bulkActions?state=FINISHED")["bulkActions"]
    assert action_id in [one["actionId"] for one in listed]


@pytest.mark.protocol("1 two paths of the log", "4.1 latest first", "1 trimBody and groupBy")
def test_a_message_is_in_the_log_under_both_paths_and_by_message(service: Service):
    message_id = service.publish(body="hello")
    service.until(lambda: service.states(message_id) != [], "the log")
    events = service.json("GET", f"/v2/events?messageId={message_id}")["events"]
    logs = service.json("GET", f"/v2/logs?messageId={message_id}&trimBody=0")["logs"]
    grouped = service.json("GET", f"/v2/logs?label={service.own}&groupBy=messageId")["messages"]
    assert [one["state"] for one in events] == [one["state"] for one in logs] == ["CREATED"]
    assert [one["messageId"] for one in grouped] == [message_id]


@pytest.mark.protocol("4.1 one L", "4.9 multi-value")
def test_a_cancelled_message_says_so_in_the_log(service: Service):
    message_id = service.publish()
    service.call("DELETE", f"/v2/messages/{message_id}")
    service.until(lambda: "CANCEL_REQUESTED" in service.states(message_id), "the log")
    assert set(service.states(message_id)) <= {"CREATED", "CANCEL_REQUESTED", "CANCELED"}


@pytest.mark.protocol("4.6 delay")
def test_a_delay_ends_to_the_second(service: Service):
    place = service.virtual_place("a delay of ten minutes")
    service.publish(f"{place.url}/jobs", delay="10m")
    service.advance("9m59s")
    assert place.received == []
    service.advance("1s")
    assert len(place.received) == 1
