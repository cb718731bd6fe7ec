"""Every header of PROTOCOL section 2: given to `answer()`, seen in the message that comes of it."""

import json

import pytest

from tests.shop import START_MS, START_S

DONE = "https://shop.example/done"
FAILED = "https://shop.example/failed"


@pytest.mark.protocol("header Upstash-Method")
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "delete"])
def test_upstash_method_is_the_method_of_the_delivery(qstash, method):
    assert qstash.publish({"Upstash-Method": method}, b"body").method == method.upper()


@pytest.mark.protocol("header Upstash-Method")
def test_without_upstash_method_a_message_is_posted(qstash):
    assert qstash.publish().method == "POST"


@pytest.mark.protocol("header Upstash-Method")
def test_upstash_method_get_keeps_its_body(qstash):
    assert qstash.publish({"Upstash-Method": "GET"}, b"body").body == b"body"


@pytest.mark.protocol("header Content-Type")
@pytest.mark.parametrize("value", ["application/json", "text/plain; charset=latin-1", "x"])
def test_content_type_is_stored_and_sent_on(qstash, value):
    assert qstash.publish({"content-type": value}).stored_headers == (("Content-Type", value),)


@pytest.mark.protocol("header Content-Type")
def test_without_content_type_none_is_invented(qstash):
    assert qstash.publish(body=b"{}").stored_headers == ()


@pytest.mark.protocol("header Upstash-Forward-<H>")
def test_upstash_forward_is_delivered_without_its_prefix(qstash):
    headers = [("Upstash-Forward-X-Shop", "1"), ("upstash-forward-x-shop", "2"), ("UPSTASH-FORWARD-ACCEPT", "*/*")]
    stored = (("X-Shop", "1"), ("X-Shop", "2"), ("Accept", "*/*"))
    assert qstash.publish([*headers, ("X-Other", "3")]).stored_headers == stored


@pytest.mark.protocol("header Upstash-Forward-<H>")
def test_upstash_forward_authorization_reaches_the_destination(qstash):
    message = qstash.publish({"Upstash-Forward-Authorization": "Bearer theirs"})
    assert message.stored_headers == (("Authorization", "Bearer theirs"),)


@pytest.mark.protocol("header Upstash-Forward-<H>")
def test_upstash_forward_content_type_is_not_honoured(qstash):
    message = qstash.publish({"Upstash-Forward-Content-Type": "text/html", "Content-Type": "text/plain"})
    assert message.stored_headers == (("Content-Type", "text/plain"),)


@pytest.mark.parametrize("name", ["Host", "Content-Length", "Connection", "Transfer-Encoding", "TE", "Upgrade"])
def test_upstash_forward_leaves_headers_of_the_connection_alone(qstash, name):
    assert qstash.publish({f"Upstash-Forward-{name}": "1"}).stored_headers == ()


@pytest.mark.protocol("header Upstash-Header-Forward")
def test_upstash_header_forward_passes_on_all_headers_that_are_not_qstashs_own(qstash):
    incoming = {"X-Shop": "7", "Accept": "*/*", "Cookie": "a=b", "Content-Type": "text/plain"}
    own = {"Host": "qstash.upstash.io", "Content-Length": "0", "Connection": "close", "Upstash-Telemetry-Sdk": "x"}
    message = qstash.publish({"Upstash-Header-Forward": "true", **incoming, **own})
    assert dict(message.headers) == {name.lower(): value for name, value in incoming.items()}


@pytest.mark.protocol("header Upstash-Header-Forward")
def test_upstash_header_forward_does_not_pass_on_a_token_of_the_query(qstash):
    to = "https://shop.example/jobs?qstash_token=secret"
    message = qstash.publish({"Upstash-Header-Forward": "1"}, to=to)
    assert (message.stored_headers, message.url) == ((), "https://shop.example/jobs")


@pytest.mark.protocol("header Upstash-Retries")
@pytest.mark.parametrize(("text", "retries"), [("0", 0), ("3", 3), ("20", 20), ("007", 7)])
def test_upstash_retries_is_the_number_of_retries(qstash, text, retries):
    message = qstash.publish({"Upstash-Retries": text, "Upstash-Retry-Delay": "0"})
    for _ in range(retries + 1):
        assert message.pending
        qstash.attempt(500)
    assert (message.state, len(message.attempts)) == ("FAILED", retries + 1)


@pytest.mark.protocol("header Upstash-Retries")
def test_without_upstash_retries_there_are_three(qstash):
    assert qstash.publish().max_retries == 3
    assert qstash.publish({"Upstash-Retries": ""}).max_retries == 3


@pytest.mark.protocol("header Upstash-Retry-Delay")
def test_upstash_retry_delay_is_the_wait_before_each_retry(qstash):
    message = qstash.publish({"Upstash-Retry-Delay": "pow(2, retried) * 1000"})
    waits = []
    for _ in range(3):
        before_ms = message.due_ms
        qstash.attempt(500)
        waits.append(message.due_ms - before_ms)
    assert waits == [1_000, 2_000, 4_000]


@pytest.mark.protocol("header Upstash-Delay")
def test_upstash_delay_is_the_time_until_the_first_attempt(qstash):
    message = qstash.publish({"Upstash-Delay": "1h30m"})
    assert (message.due_ms - START_MS, message.not_before_ms) == (5_400_000, message.due_ms)


@pytest.mark.protocol("header Upstash-Not-Before")
def test_upstash_not_before_wins_over_upstash_delay(qstash):
    message = qstash.publish({"Upstash-Delay": "1h", "Upstash-Not-Before": str(START_S + 60)})
    assert message.due_ms == START_MS + 60_000


@pytest.mark.protocol("header Upstash-Not-Before")
@pytest.mark.parametrize("text", ["0", "1", str(START_S - 1), str(START_S)])
def test_upstash_not_before_in_the_past_is_now(qstash, text):
    assert qstash.publish({"Upstash-Not-Before": text}).due_ms == START_MS


@pytest.mark.parametrize(("decimals", "ms"), [(".5", 500), (".025", 25), (".0009999", 0)])
def test_upstash_not_before_takes_fractions_of_a_second(qstash, decimals, ms):
    assert qstash.publish({"Upstash-Not-Before": f"{START_S + 60}{decimals}"}).due_ms == START_MS + 60_000 + ms


@pytest.mark.parametrize("text", ["1767225600000", "253402300800"])
def test_upstash_not_before_in_milliseconds_is_refused(qstash, text):
    assert qstash.refused_publish({"Upstash-Not-Before": text}) == (
        400,
        f"invalid Upstash-Not-Before header: {text} is beyond the year 9999; it takes unix seconds, not milliseconds",
    )


@pytest.mark.protocol("header Upstash-Not-Before")
def test_upstash_not_before_may_be_the_last_second_that_there_is(qstash):
    message = qstash.publish({"Upstash-Not-Before": "253402300799"})
    assert message.due_at.isoformat() == "9999-12-31T23:59:59+00:00"


@pytest.mark.protocol("header Upstash-Timeout")
def test_upstash_timeout_is_the_time_an_attempt_may_take(qstash):
    assert qstash.publish({"Upstash-Timeout": "30s"}).timeout_ms == 30_000
    assert qstash.publish().timeout_ms is None


@pytest.mark.protocol("header Upstash-Timeout")
def test_upstash_timeout_can_not_be_longer_than_the_plans(make_qstash):
    assert make_qstash(plan="free").publish({"Upstash-Timeout": "15m"}).timeout_ms == 900_000
    assert make_qstash(plan="free").refused_publish({"Upstash-Timeout": "901"})[0] == 400


@pytest.mark.protocol("header Upstash-Deduplication-Id")
def test_upstash_deduplication_id_makes_one_message_of_two(qstash):
    first = qstash.publish({"Upstash-Deduplication-Id": "order-7"}, b"first")
    reply = qstash.call("POST", "/v2/publish/https://api.example/other", {"Upstash-Deduplication-Id": "order-7"})
    assert reply.status == 202
    assert json.loads(reply.body) == {"messageId": first.message_id, "deduplicated": True}
    assert list(qstash.broker.messages.values()) == [first]
    assert first.deduplication_id == "order-7"


@pytest.mark.protocol("header Upstash-Content-Based-Deduplication")
def test_upstash_content_based_deduplication_makes_one_message_of_two_that_are_alike(qstash):
    headers = {"Upstash-Content-Based-Deduplication": "true", "Content-Type": "a", "Upstash-Forward-X": "1"}
    first = qstash.publish(headers, b"body")
    again = qstash.call("POST", "/v2/publish/https://shop.example/jobs", {**headers, "X-Trace": "2"}, b"body")
    assert (again.status, json.loads(again.body)["messageId"]) == (202, first.message_id)


@pytest.mark.protocol("header Upstash-Content-Based-Deduplication")
@pytest.mark.parametrize(
    ("to", "headers", "body"),
    [
        ("https://shop.example/other", {}, b"body"),
        ("https://shop.example/jobs", {}, b"other"),
        ("https://shop.example/jobs", {"Content-Type": "b"}, b"body"),
        ("https://shop.example/jobs", {"Upstash-Forward-X": "2"}, b"body"),
        ("https://shop.example/jobs", {"Upstash-Method": "PUT"}, b"body"),
    ],
)
def test_upstash_content_based_deduplication_keeps_what_differs(qstash, to, headers, body):
    common = {"Upstash-Content-Based-Deduplication": "True", "Content-Type": "a", "Upstash-Forward-X": "1"}
    qstash.publish(common, b"body")
    qstash.publish({**common, **headers}, body, to=to)


@pytest.mark.protocol("header Upstash-Callback", "header Upstash-Failure-Callback")
def test_upstash_callback_and_upstash_failure_callback_are_urls(qstash):
    message = qstash.publish({"Upstash-Callback": DONE, "Upstash-Failure-Callback": "https:/shop.example/failed"})
    assert (message.callback, message.failure_callback) == (DONE, FAILED)


CALLBACK_FAMILY = {
    "Method": "PUT",
    "Retries": "1",
    "Retry-Delay": "5000",
    "Timeout": "7s",
    "Forward-X-Shop": "7",
    "Flow-Control-Key": "key",
    "Flow-Control-Value": "rate=5",
    "Failure-Callback": "https://shop.example/sorry",
}


@pytest.mark.protocol("header Upstash-Callback-<X>", "header Upstash-Failure-Callback-<X>")
@pytest.mark.parametrize(("prefix", "url"), [("Upstash-Callback", DONE), ("Upstash-Failure-Callback", FAILED)])
def test_the_family_of_a_callback_configures_its_message(qstash, prefix, url):
    family = {f"{prefix}-{name}": value for name, value in CALLBACK_FAMILY.items()}
    source = qstash.publish({prefix: url, **family, "Upstash-Retries": "0"})
    qstash.attempt(500)
    callback = list(qstash.broker.messages.values())[-1]
    assert (callback.url, callback.method, callback.max_retries, callback.timeout_ms) == (url, "PUT", 1, 7_000)
    assert (callback.due_ms - START_MS, callback.headers["x-shop"]) == (0, "7")
    assert callback.options.retry_delay.text == "5000"
    assert (callback.options.flow_control.key, callback.options.flow_control.rate) == ("key", 5)
    assert callback.failure_callback == "https://shop.example/sorry"
    assert (source.method, source.max_retries, source.stored_headers) == ("POST", 0, ())


@pytest.mark.parametrize("family", ["Callback", "Failure-Callback", "Callback-Failure-Callback", "Callback-Callback"])
@pytest.mark.parametrize(("name", "value"), [("Delay", "10m"), ("Delay", "0s"), ("Not-Before", "0")])
def test_a_callback_is_never_delayed(qstash, family, name, value):
    refusal = (400, f"Upstash-{family}-{name} can not be used: callbacks can not be delayed")
    assert qstash.refused_publish({"Upstash-Callback": DONE, f"upstash-{family}-{name}": value}) == refusal


@pytest.mark.protocol("header Upstash-Callback-<X>")
def test_a_callback_has_the_retries_of_its_message_unless_told_otherwise(qstash):
    qstash.publish({"Upstash-Callback": DONE, "Upstash-Retries": "7"})
    qstash.attempt()
    assert [message.max_retries for message in qstash.broker.messages.values()] == [7, 7]


@pytest.mark.protocol("header Upstash-Queue-Name")
@pytest.mark.parametrize("endpoint", ["publish", "schedules"])
def test_upstash_queue_name_is_the_queue_of_what_is_made(qstash, endpoint):
    headers = {"Upstash-Queue-Name": "emails", **({"Upstash-Cron": "* * * * *"} if endpoint == "schedules" else {})}
    qstash.json("POST", f"/v2/{endpoint}/https://shop.example/jobs", headers)
    for schedule in qstash.broker.schedules.by_id.values():
        schedule.trigger()
    assert [message.queue for message in qstash.broker.messages.values()] == ["emails"]


@pytest.mark.protocol("header Upstash-Schedule-Id")
def test_upstash_schedule_id_creates_and_overwrites(qstash):
    headers = {"Upstash-Schedule-Id": "Nightly_1.0-a", "Upstash-Cron": "0 4 * * *"}
    created = qstash.json("POST", "/v2/schedules/https://shop.example/jobs", headers)
    assert created == {"scheduleId": "Nightly_1.0-a"}
    qstash.json("POST", "/v2/schedules/https://shop.example/jobs", {**headers, "Upstash-Cron": "0 5 * * *"})
    assert [schedule.cron for schedule in qstash.broker.schedules.by_id.values()] == ["0 5 * * *"]


@pytest.mark.protocol("header Upstash-Cron")
@pytest.mark.parametrize("cron", ["*/10 * * * *", "CRON_TZ=America/New_York 0 4 * * *", "@daily"])
def test_upstash_cron_makes_a_schedule_of_a_publish(qstash, cron):
    reply = qstash.call("POST", "/v2/publish/https://shop.example/jobs", {"Upstash-Cron": f" {cron} "}, b"body")
    (schedule,) = qstash.broker.schedules.by_id.values()
    assert (reply.status, json.loads(reply.body)) == (201, {"scheduleId": schedule.schedule_id})
    assert (schedule.cron, schedule.request.body) == (cron, b"body")
    assert not qstash.broker.messages


@pytest.mark.protocol("header Upstash-Label")
@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("one", ("one",)),
        ("label_1,label_2", ("label_1", "label_2")),
        (" a , B-1._ ,", ("a", "B-1._")),
        (",", ()),
    ],
)
def test_upstash_label_is_a_list(qstash, text, labels):
    assert qstash.publish({"Upstash-Label": text}).labels == labels


@pytest.mark.protocol(
    "error flowControlKey must be alphanumeric, hyphen, underscore, or period", "header Upstash-Label"
)
@pytest.mark.parametrize("text", ["team:a", "my label", "good,a/b", "\xc3\xa9t\xc3\xa9", "a\tb"])
def test_upstash_label_is_alphanumeric_hyphen_underscore_or_period(qstash, text):
    refusal = (400, "label must be alphanumeric, hyphen, underscore, or period")
    assert qstash.refused_publish({"Upstash-Label": text}) == refusal


@pytest.mark.protocol("header Upstash-Flow-Control-Key", "header Upstash-Flow-Control-Value")
@pytest.mark.parametrize(
    ("value", "limits"),
    [
        ("parallelism=3", (3, None, 1_000)),
        ("rate=10, period=1m, parallelism=5", (5, 10, 60_000)),
        ("Rate=20,PARALLELISM=10", (10, 20, 1_000)),
        ("rate = 1 ,period = 90", (None, 1, 90_000)),
        ("rate=1,period=7d", (None, 1, 604_800_000)),
    ],
)
def test_upstash_flow_control_key_and_value_are_limits(qstash, value, limits):
    message = qstash.publish({"Upstash-Flow-Control-Key": " My_key-1.0 ", "Upstash-Flow-Control-Value": value})
    flow_control = message.options.flow_control
    assert (flow_control.parallelism, flow_control.rate, flow_control.period_ms) == limits
    assert flow_control.key == "My_key-1.0"
    assert list(qstash.broker.flow_control) == ["My_key-1.0"]


@pytest.mark.protocol("header Upstash-Flow-Control-Key", "header Upstash-Flow-Control-Value")
@pytest.mark.parametrize(
    "headers",
    [
        {"Upstash-Flow-Control-Key": "key"},
        {"Upstash-Flow-Control-Key": "key", "Upstash-Flow-Control-Value": ""},
        {"Upstash-Flow-Control-Value": "rate=1"},
        {"Upstash-Flow-Control-Key": " ", "Upstash-Flow-Control-Value": "rate=1"},
    ],
)
def test_upstash_flow_control_key_and_value_go_together(qstash, headers):
    status, error = qstash.refused_publish(headers)
    missing = "Key" if "rate=1" in headers.values() else "Value"
    assert (status, error) == (
        400,
        f"Upstash-Flow-Control-{missing} is missing: a flow-control key and its value go together",
    )
    assert not qstash.broker.flow_control


@pytest.mark.protocol(
    "error flowControlKey must be alphanumeric, hyphen, underscore, or period", "header Upstash-Flow-Control-Key"
)
@pytest.mark.parametrize("key", ["obs:live", "a b", "a/b", "caf\xc3\xa9", "a,b"])
def test_upstash_flow_control_key_is_alphanumeric_hyphen_underscore_or_period(qstash, key):
    refusal = (400, "flowControlKey must be alphanumeric, hyphen, underscore, or period")
    assert qstash.refused_publish({"Upstash-Flow-Control-Key": key, "Upstash-Flow-Control-Value": "rate=1"}) == refusal


UNPARSABLE = "Upstash-Flow-Control-Value should be either rate=X or parallelism=Y, or both as comma-separated values"


@pytest.mark.protocol(
    "error Upstash-Flow-Control-Value should be either rate=X or parallelism=Y", "header Upstash-Flow-Control-Value"
)
@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("rate", UNPARSABLE),
        ("rate=", UNPARSABLE),
        ("rate=-1", UNPARSABLE),
        ("rate=x", UNPARSABLE),
        ("rate=1.5", UNPARSABLE),
        ("rate=1,,", UNPARSABLE),
        ("period=1s", UNPARSABLE),
        ("speed=1", UNPARSABLE),
        ("7", UNPARSABLE),
        ("rate=0", "invalid Upstash-Flow-Control-Value header: '0' is less than 1"),
        ("rate=1,period=8d", "invalid Upstash-Flow-Control-Value header: '8d' is not between a second and a week"),
        (
            "rate=1,period=9ms",
            "invalid Upstash-Flow-Control-Value header: '9ms' is not between a second and a week",
        ),
        ("rate=1,period=x", 'invalid Upstash-Flow-Control-Value header: time: invalid duration "x"'),
    ],
)
def test_upstash_flow_control_value_sets_a_rate_or_a_parallelism(qstash, value, error):
    headers = {"Upstash-Flow-Control-Key": "key", "Upstash-Flow-Control-Value": value}
    assert qstash.refused_publish(headers) == (400, error)
    assert not qstash.broker.flow_control


@pytest.mark.protocol("header Upstash-Redact-Fields")
@pytest.mark.parametrize("text", ["body, header[Authorization]", "BODY,headers[authorization]"])
def test_upstash_redact_fields_hides_what_is_shown_and_nothing_that_is_sent(qstash, text):
    headers = {"Upstash-Redact-Fields": text, "Upstash-Forward-Authorization": "theirs", "Upstash-Forward-X": "1"}
    message = qstash.publish(headers, b"body")
    shown = qstash.json("GET", f"/v2/messages/{message.message_id}")
    assert shown["body"].startswith("REDACTED:")
    assert shown["header"]["Authorization"][0].startswith("REDACTED:")
    assert shown["header"]["X"] == ["1"]
    assert (message.body, message.headers["authorization"]) == (b"body", "theirs")


@pytest.mark.protocol("header Upstash-Telemetry-<X>")
def test_upstash_telemetry_is_ignored(qstash):
    names = [f"Upstash-Telemetry-{name}" for name in ("Sdk", "Platform", "Runtime", "Framework")]
    message = qstash.publish({"Upstash-Header-Forward": "true", **dict.fromkeys(names, "x")})
    assert message.stored_headers == ()


@pytest.mark.protocol("header Upstash-Workflow-<X>")
@pytest.mark.parametrize("prefix", ["Upstash-", "upstash-"])
def test_upstash_workflow_headers_start_a_run(qstash, prefix):
    headers = {f"{prefix}Workflow-RunId": "wfr_1", f"{prefix}Workflow-Init": "true"}
    assert qstash.call("POST", "/v2/publish/https://shop.example", headers).status == 201
    assert list(qstash.broker.workflows.by_id) == ["wfr_1"]


def test_upstash_workflow_headers_that_are_forwarded_are_the_destinations(qstash):
    message = qstash.publish({"Upstash-Forward-Upstash-Workflow-RunId": "wfr_1"})
    assert message.stored_headers == (("Upstash-Workflow-Runid", "wfr_1"),)


@pytest.mark.protocol("header Authorization")
def test_authorization_is_never_forwarded(qstash):
    assert qstash.publish({"Upstash-Header-Forward": "true"}).stored_headers == ()


@pytest.mark.protocol("header Upstash-Feature-Set", "header Upstash-Unknown")
@pytest.mark.parametrize("name", ["Upstash-Unknown", "Upstash-", "Upstash", "Upstash-Feature-Set", "Upstash-Callback-"])
def test_an_unknown_upstash_header_is_ignored(qstash, name):
    message = qstash.publish({name: "x"})
    assert (message.stored_headers, message.max_retries, message.callback) == ((), 3, None)
