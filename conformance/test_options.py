"""Options of a publish, by what the message shows."""

from __future__ import annotations

import pytest

from conformance.service import LATER, Service


@pytest.mark.protocol(
    "header Upstash-Delay", "rule durations; a bare integer is seconds in a timeout and a period, refused in a delay"
)
@pytest.mark.parametrize(
    ("delay", "ms"),
    [("90m", 5_400_000), ("1d10h30m", 124_200_000), ("1.5h", 5_400_000), ("3600500ms", 3_600_500)],
)
def test_a_delay_is_a_duration_of_go_and_has_days(service: Service, delay: str, ms: int):
    message = service.published(delay=delay)
    assert message["notBefore"] - message["createdAt"] == ms


@pytest.mark.protocol("header Upstash-Not-Before")
def test_a_time_to_wait_for_goes_before_a_delay(service: Service):
    created = service.published()["createdAt"]
    at_s = created // 1000 + 7_200
    assert service.published(not_before=str(at_s))["notBefore"] == at_s * 1000


@pytest.mark.protocol("rule names are case-insensitive", "header Upstash-Method", "header Upstash-Retries")
def test_the_names_of_headers_come_in_any_case(service: Service):
    headers = {name.upper(): value for name, value in service.headers(method="PUT", retries="1").items()}
    sent = service.json("POST", f"/v2/publish/{LATER}", headers=headers)
    message = service.message(sent["messageId"])
    assert (message["method"], message["maxRetries"]) == ("PUT", 1)


@pytest.mark.protocol("4.2 default", "header Upstash-Method")
def test_what_is_not_said_is_three_retries_and_post(service: Service):
    message = service.published()
    assert (message["method"], message["maxRetries"]) == ("POST", 3)


@pytest.mark.protocol("rule every config header may also be a query parameter", "rule consumed query keys are stripped")
def test_an_option_may_stand_in_the_query_and_is_cut_out_of_the_destination(service: Service):
    query = f"a=1&upstash-delay=6h&b=2&upstash-label={service.own}"
    sent = service.json("POST", f"/v2/publish/{LATER}?{query}")
    message = service.message(sent["messageId"])
    assert (message["url"], message["label"]) == (f"{LATER}?a=1&b=2", service.own)
    assert message["notBefore"] - message["createdAt"] == 21_600_000


@pytest.mark.protocol("1 raw destination")
@pytest.mark.parametrize("rest", ["/a//b", "/a%2Fb", "?x=%20&y=https://other.example/"])
def test_a_destination_stays_as_it_is(service: Service, rest: str):
    to = f"https://conformance.example{rest}"
    message_id = service.publish(to, delay="6h")
    assert service.message(message_id)["url"] == to


@pytest.mark.protocol("header Upstash-Forward-<H>", "header Content-Type")
def test_forwarded_headers_are_shown_in_gos_spelling_and_none_is_added(service: Service):
    headers = {**service.headers(), "upstash-forward-test-header": "value"}
    sent = service.json("POST", f"/v2/publish/{LATER}", headers=headers)
    assert service.message(sent["messageId"])["header"] == {"Test-Header": ["value"]}


@pytest.mark.protocol("header Upstash-Label", "4.9 multi-value")
def test_labels_are_a_list_and_the_first_of_them(service: Service):
    message = service.published(label=f"{service.own},second")
    assert (message["label"], message["labels"]) == (service.own, [service.own, "second"])


@pytest.mark.protocol("header Upstash-Flow-Control-Value")
@pytest.mark.parametrize(
    ("value", "limits"),
    [
        ("parallelism=2", (2, None, 1)),
        ("rate=5, period=1h30m3s", (None, 5, 5_403)),
        ("Rate=20,Parallelism=10", (10, 20, 1)),
        ("rate=1,period=90", (None, 1, 90)),
    ],
)
def test_limits_are_read_and_a_period_is_a_second_unless_given(service: Service, value: str, limits: object):
    message = service.published(flow_control_key=service.own, flow_control_value=value)
    assert message["flowControlKey"] == service.own
    assert (message.get("parallelism"), message.get("rate"), message["period"]) == limits


@pytest.mark.protocol("header Upstash-Retry-Delay", "header Upstash-Callback", "header Upstash-Failure-Callback")
def test_a_message_shows_its_expression_and_its_callbacks(service: Service):
    done, failed = f"{LATER}/done", f"{LATER}/failed"
    message = service.published(retry_delay="1000 * (1 + retried)", callback=done, failure_callback=failed)
    shown = [message[name] for name in ("retryDelayExpression", "callback", "failureCallback")]
    assert shown == ["1000 * (1 + retried)", done, failed]


@pytest.mark.protocol("4.10 all of it", "header Upstash-Redact-Fields")
def test_what_is_redacted_is_shown_as_a_hash(service: Service):
    message_id = service.publish(body="secret", redact_fields="body, header[X-Key]", forward_x_key="hidden")
    message = service.message(message_id)
    shown = [message["body"], *message["header"]["X-Key"]]
    assert [one.startswith("REDACTED:") for one in shown] == [True, True]
    assert [word in str(message) for word in ("secret", "hidden")] == [False, False]


@pytest.mark.protocol("4.9 messageId")
def test_an_id_is_opaque_and_begins_with_msg(service: Service):
    message_id = service.publish()
    assert (message_id[:4], message_id[4:].isalnum()) == ("msg_", True)
