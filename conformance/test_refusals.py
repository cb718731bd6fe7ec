"""Refusals, in QStash's own words where they are known."""

from __future__ import annotations

import pytest

from conformance.service import LATER, Service


@pytest.mark.protocol(
    "error invalid destination url: endpoint has invalid scheme, add http:// or https://", "1 raw destination"
)
@pytest.mark.parametrize("to", ["ftp://conformance.example", "https%3A%2F%2Fconformance.example"])
def test_a_destination_without_a_scheme_of_the_web(service: Service, to: str):
    status, words = service.refusal("POST", f"/v2/publish/{to}")
    assert (status, words) == (400, "invalid destination url: endpoint has invalid scheme, add http:// or https://")


@pytest.mark.protocol("error topic <name> not found")
def test_a_group_that_does_not_exist(service: Service):
    status, words = service.refusal("POST", f"/v2/publish/{service.own}")
    assert (status in (400, 404), words) == (True, f"topic {service.own} not found")


@pytest.mark.protocol("error a non-empty destination must be provided")
def test_a_publish_without_a_destination(service: Service):
    assert service.refusal("POST", "/v2/publish/") == (400, "a non-empty destination must be provided")


@pytest.mark.protocol("error unable to authenticate: invalid token")
def test_a_call_without_a_token(service: Service):
    status, words = service.refusal("GET", "/v2/queues", headers={"Authorization": "Bearer"})
    assert (status, words.startswith("unable to authenticate")) == (401, True)


@pytest.mark.protocol("error DeduplicationId cannot contain ':'")
def test_a_deduplication_id_with_a_colon(service: Service):
    assert service.refused_publish(deduplication_id="a:b") == (400, "DeduplicationId cannot contain ':'")


@pytest.mark.protocol("error Upstash-Not-Before/Upstash-Delay can not be used with enqueue")
def test_a_delay_in_a_queue(service: Service):
    path, headers = f"/v2/enqueue/{service.own}/{LATER}", {"Upstash-Delay": "1h"}
    service.made.append(f"/v2/queues/{service.own}")
    assert service.refusal("POST", path, headers=headers)[1] == (
        "Upstash-Not-Before/Upstash-Delay can not be used with enqueue"
    )


@pytest.mark.protocol("error Invalid cron expression")
@pytest.mark.parametrize("cron", ["", "soon", "* * * *", "61 * * * *"])
def test_a_cron_that_is_none(service: Service, cron: str):
    headers = {"Upstash-Cron": cron, "Upstash-Schedule-Id": service.own}
    service.made.append(f"/v2/schedules/{service.own}")
    status, words = service.refusal("POST", f"/v2/schedules/{LATER}", headers=headers)
    assert (status, words.lower().startswith("invalid cron expression")) == (400, True)


@pytest.mark.protocol("error 404 bodies")
@pytest.mark.parametrize(
    "path", ["/v2/messages/msg_{own}", "/v2/schedules/{own}", "/v2/queues/{own}", "/v2/dlq/0-{own}"]
)
def test_what_is_not_there(service: Service, path: str):
    assert service.refusal("GET", path.format(own=service.own))[0] == 404


@pytest.mark.protocol("error invalid queue / schedule id")
def test_a_queue_whose_name_has_a_blank(service: Service):
    assert service.refusal("POST", "/v2/queues", json={"queueName": f"{service.own} x"})[0] == 400


@pytest.mark.protocol("error flowControlKey must be alphanumeric, hyphen, underscore, or period")
def test_a_flow_control_key_with_a_colon(service: Service):
    words = "flowControlKey must be alphanumeric, hyphen, underscore, or period"
    assert service.refused_publish(flow_control_key="obs:live", flow_control_value="rate=1") == (400, words)


@pytest.mark.protocol("header Upstash-Label")
def test_a_label_with_a_colon(service: Service):
    assert service.refused_publish(label="team:a")[0] == 400


@pytest.mark.protocol("error invalid Upstash-Delay header: time: missing unit in duration")
def test_a_delay_without_a_unit(service: Service):
    words = 'invalid Upstash-Delay header: time: missing unit in duration "90"'
    assert service.refused_publish(delay="90") == (400, words)


@pytest.mark.protocol("error Upstash-Flow-Control-Value should be either rate=X or parallelism=Y")
def test_limits_that_cannot_be_read(service: Service):
    _, words = service.refused_publish(flow_control_key=service.own, flow_control_value="speed=1")
    assert words == (
        "Upstash-Flow-Control-Value should be either rate=X or parallelism=Y, or both as comma-separated values"
    )


@pytest.mark.protocol("header Upstash-Callback-<X>")
def test_a_callback_that_is_delayed(service: Service):
    assert service.refused_publish(callback=LATER, callback_delay="5s")[0] == 400


@pytest.mark.protocol("1 wrong method")
def test_a_method_that_a_path_does_not_have(service: Service):
    answer = service.call("DELETE", "/v2/keys")
    assert (answer.status_code, answer.text.strip()) == (405, "Method Not Allowed")


@pytest.mark.protocol("4.9 unknown key")
def test_a_filter_that_does_not_exist(service: Service):
    assert service.call("DELETE", f"/v2/messages?labeel={service.own}").status_code >= 400


@pytest.mark.protocol("4.6 batch")
def test_a_batch_with_one_wrong_item_is_refused_as_a_whole_as_an_object(service: Service):
    good = {"destination": LATER, "headers": service.headers()}
    wrong = {"destination": "ftp://conformance.example", "headers": {}}
    status, words = service.refusal("POST", "/v2/batch", json=[good, wrong])
    assert (status, "invalid scheme" in words) == (400, True)
    assert service.json("DELETE", f"/v2/messages?label={service.own}") == {"cancelled": 0}
