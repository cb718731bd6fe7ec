"""What nobody means: it is refused in a sentence, or does what Go's libraries make of it; it never breaks the fake."""

import json
from urllib.parse import quote

import pytest

from tests.shop import JOBS

MANY_DIGITS = "9" * 5_000  # Python refuses to read so many


def item(**fields):
    return json.dumps([{"destination": JOBS} | fields]).encode()


# --- JSON --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[1,]",
        b"{'a': 1}",
        b"nul",
        b"\x00",
        b"[NaN]",
        b"[Infinity]",
        b"[-Infinity]",
        b"[1e999]",
        b"[01]",
        b'["\x01"]',
        b'["\xff"]',
        b'["\\x41"]',
        b"\xef\xbb\xbf[]",
        "[]".encode("utf-16"),
        "[]".encode("utf-32-le"),
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b"[" * 500 + b"]" * 500,
        b'{"a":' * 500 + b"1" + b"}" * 500,
        f"[{MANY_DIGITS}]".encode(),
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v2/batch"),
        ("POST", "/v2/queues"),
        ("POST", "/v2/topics/partners/endpoints"),
        ("DELETE", "/v2/topics/partners/endpoints"),
        ("PATCH", "/v2/topics/partners"),
        ("DELETE", "/v2/messages"),
        ("DELETE", "/v2/dlq"),
        ("POST", "/v2/dlq/retry"),
        ("POST", "/llm/v1/chat/completions"),
    ],
)
def test_what_is_no_json_is_refused(qstash, method, path, body):
    status, error = qstash.refusal(method, path, (), body)
    assert (status, error[:19]) == (400, "invalid JSON body: ")
    assert len(error) < 300


@pytest.mark.parametrize("body", [b"[]", b"1", b'"text"', b"true"])
@pytest.mark.parametrize(("method", "path"), [("POST", "/v2/queues"), ("PATCH", "/v2/topics/a"), ("DELETE", "/v2/dlq")])
def test_json_that_is_no_object_is_refused(qstash, method, path, body):
    kind = type(json.loads(body)).__name__
    assert qstash.refusal(method, path, (), body) == (400, f"invalid JSON body: expected an object, got {kind}")


def test_half_a_surrogate_pair_becomes_the_replacement_character_as_in_go(qstash):
    endpoints = b'{"endpoints":[{"url":"https://shop.example/\\ud800","name":"a\\udfffb \\ud83d\\ude00"}]}'
    qstash.call("POST", "/v2/topics/partners/endpoints", (), endpoints)
    (endpoint,) = qstash.json("GET", "/v2/topics/partners")["endpoints"]
    assert endpoint == {"url": "https://shop.example/\ufffd", "name": "a\ufffdb \U0001f600"}


def test_half_a_surrogate_pair_in_a_batch_is_delivered_as_the_replacement_character(qstash):
    qstash.json("POST", "/v2/batch", (), b'[{"destination":"https://shop.example/jobs","body":"a\\ud800"}]')
    (message,) = qstash.broker.messages.values()
    assert message.body == "a\ufffd".encode()


def test_the_last_of_two_equal_keys_counts_as_in_go(qstash):
    qstash.call("POST", "/v2/queues", (), b'{"queueName":"one","queueName":"two","parallelism":1}')
    assert list(qstash.broker.queues) == ["two"]


# --- batches -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["destination", "body", "queue"])
@pytest.mark.parametrize("value", [0, 1, False, True, [], ["a"], {}, {"a": 1}, 1.5])
def test_a_field_of_a_batch_item_that_is_no_text_is_refused_and_not_taken_for_empty(qstash, field, value):
    reply = qstash.call("POST", "/v2/batch", (), item(**{field: value}))
    error = "destination, body and queue of a batch item are texts"
    assert (reply.status, json.loads(reply.body)) == (400, {"error": error})


@pytest.mark.parametrize("value", [0, False, [], "", "Upstash-Delay: 1s", ["Upstash-Delay"]])
def test_headers_of_a_batch_item_that_are_no_object_are_refused(qstash, value):
    reply = qstash.call("POST", "/v2/batch", (), item(headers=value))
    assert reply.status == 400
    assert b"headers of a batch item are an object" in reply.body


def test_null_is_no_value(qstash):
    reply = qstash.call("POST", "/v2/batch", (), item(headers=None, body=None, queue=None))
    assert reply.status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Upstash-Forward-A\r\nEvil": "1"},
        {"X\r\nEvil: 1": "1", "Upstash-Header-Forward": "true"},
        {"Upstash-Forward-A": "1\r\nEvil: 1"},
        {"Upstash-Forward-A": "1\nEvil: 1"},
        {"Upstash-Forward-A": "1\x00"},
        {"Upstash-Forward-A": ["1", "2\r"]},
        {"X": "1\r\nEvil: 1", "Upstash-Header-Forward": "true"},
        {"Content-Type": "text/plain\r\nEvil: 1"},
        {"Upstash-Callback-Forward-A": "1\r\nEvil: 1", "Upstash-Callback": JOBS},
        {"Upstash-Callback": f"{JOBS}\r\nEvil: 1"},
        {"": "1"},
        {"Upstash Delay": "1s"},
        {"Upstash-Forward-A:": "1"},
        {"Upstash-Forward-\u00e9": "1"},
    ],
)
def test_a_header_of_a_batch_item_smuggles_nothing_in(qstash, headers):
    reply = qstash.call("POST", "/v2/batch", (), item(headers=headers))
    assert reply.status == 400
    assert not qstash.broker.messages


@pytest.mark.parametrize("headers", [{"X-A\r\nEvil": "1"}, {"Upstash-Forward-A": "1\n"}, {"Upstash-Retries": {"a": 1}}])
def test_a_default_header_of_a_url_group_smuggles_nothing_in(qstash, headers):
    assert qstash.refusal("PATCH", "/v2/topics/partners", (), {"headers": headers})[0] == 400
    assert not qstash.broker.url_groups.by_name


@pytest.mark.parametrize(
    "query", ["upstash-forward-a=1%0d%0aEvil:%201", "upstash-forward-a%0d%0aEvil=1", "upstash-label=%00"]
)
def test_a_query_parameter_smuggles_nothing_in(qstash, query):
    reply = qstash.call("POST", f"/v2/publish/{JOBS}?{query}")
    forwarded = [pair for message in qstash.broker.messages.values() for pair in message.stored_headers]
    assert reply.status == 400 or not any(c in name + value for name, value in forwarded for c in "\r\n")


# --- numbers -----------------------------------------------------------------------------------------------------

NO_COUNT = ["-1", "0", "+1", "1.0", "1e2", " 1", "0x10", "1_0", "\u0661", "\u00b2", "", MANY_DIGITS, "1" + "0" * 30]


@pytest.mark.parametrize("value", ["true", "[]", '"2"', "2.0", "1e1", "0", "-1", "4294967296", "null, null"])
def test_the_parallelism_of_a_queue_is_a_positive_integer_and_nothing_like_it(qstash, value):
    status, _ = qstash.refusal("POST", "/v2/queues", (), f'{{"queueName":"orders","parallelism":{value}}}'.encode())
    assert status == 400
    assert not qstash.broker.queues


@pytest.mark.parametrize("value", [0, 1, "true", [], {}])
def test_paused_is_a_boolean_and_nothing_like_it(qstash, value):
    body = {"queueName": "orders", "paused": value}
    assert qstash.refusal("POST", "/v2/queues", (), body)[0] == 400


@pytest.mark.parametrize("path", ["/v2/dlq", "/v2/logs", "/v2/events"])
@pytest.mark.parametrize("count", [*filter(None, NO_COUNT), "1001", "000000001" + MANY_DIGITS])
def test_a_count_is_a_number_from_one_to_a_thousand(qstash, path, count):
    assert qstash.refusal("GET", f"{path}?count={quote(count)}")[0] == 400


@pytest.mark.parametrize("value", [True, -1, 1.5, {}, [[1]], "\u0661", 501])
def test_a_count_in_a_body_is_no_better(qstash, value):
    dead = qstash.dead_letter()
    assert qstash.refusal("DELETE", "/v2/dlq", (), {"count": value})[0] == 400
    assert list(qstash.broker.dead_letters) == [dead]


@pytest.mark.parametrize("value", [True, 0, -1, 1.5, {}, [[1]], "\u0661", 501])
def test_a_bulk_cancel_ignores_a_count_whatever_it_is(qstash, value):
    qstash.publish()
    assert qstash.json("DELETE", "/v2/messages", (), {"count": value}) == {"cancelled": 1}


@pytest.mark.parametrize("name", ["parallelism", "rate"])
@pytest.mark.parametrize("value", [*filter(None, NO_COUNT), "000000000001" + MANY_DIGITS, "2147483648"])
def test_a_limit_that_is_pinned_is_a_positive_integer(qstash, name, value):
    assert qstash.refusal("POST", f"/v2/flowControl/k/pin?{name}={quote(value)}")[0] == 400
    assert not qstash.broker.flow_control


@pytest.mark.parametrize("name", ["fromDate", "toDate"])
@pytest.mark.parametrize("value", ["-1", "yesterday", "2026-01-01", "1.5", "%D9%A1", MANY_DIGITS])
def test_a_date_is_unix_milliseconds(qstash, name, value):
    assert qstash.refusal("GET", f"/v2/logs?{name}={value}")[0] == 400


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("/v2/dlq?responseStatus={}", "abc"),
        ("/v2/dlq?responseStatus={}", "5xx"),
        ("/v2/dlq?responseStatus={}", "500,-1"),
        ("/v2/logs?state={}", "DONE"),
        ("/v2/logs?state={}", "error"),
        ("/v2/dlq?order={}", "latestfirst"),
        ("/v2/logs?order={}", "desc"),
    ],
)
def test_a_value_that_can_never_match_is_refused(qstash, path, value):
    assert qstash.refusal("GET", path.format(value))[0] == 400


@pytest.mark.parametrize(
    "cursor", ["x", "1", "-1", "1-", "-", "1-1-1", "garbage-5", "1-%D9%A1", "1-" + "9" * 19, "1-1 "]
)
@pytest.mark.parametrize("path", ["/v2/dlq", "/v2/logs"])
def test_a_cursor_is_one_that_was_given_out(qstash, path, cursor):
    assert qstash.refusal("GET", f"{path}?cursor={cursor}")[0] == 400


def test_a_cursor_past_the_end_finds_nothing(qstash):
    qstash.dead_letter()
    assert qstash.json("GET", "/v2/dlq?cursor=1767225600000-999999") == {"messages": []}


@pytest.mark.parametrize("name", ["cursor", "order", "trimBody"])
def test_what_a_cancellation_would_ignore_is_refused(qstash, name):
    message = qstash.publish()
    assert qstash.refusal("DELETE", f"/v2/messages?{name}=1-1") == (400, f"unknown filter {name!r}")
    assert message.pending


@pytest.mark.parametrize("value", [{"a": 1}, [["a"]], True, [True], {}])
def test_a_filter_is_a_text_or_a_list_of_texts(qstash, value):
    message = qstash.publish()
    assert qstash.refusal("DELETE", "/v2/messages", (), {"label": value})[0] == 400
    assert message.pending


# --- names and paths ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["%00", "a%00b", "%0A", "a%2Fb", "%FF", "%ED%A0%80", "\u00e9", "a b", "%", "%zz", "a" + "%20"]
)
@pytest.mark.parametrize(
    "path", ["/v2/queues/{}/pause", "/v2/enqueue/{}/https://shop.example", "/v2/topics/{}/endpoints"]
)
def test_a_name_has_only_letters_digits_hyphen_period_and_underscore(qstash, path, name):
    assert qstash.refusal("POST", path.format(name), (), {"endpoints": [{"url": JOBS}]})[0] == 400


ODD_NAMES = ["%00", "%FF", "%ED%A0%80", "\ud800", "a" * 100_000, "%2F%2F", "..", "%2e%2e"]


@pytest.mark.parametrize("name", ODD_NAMES)
@pytest.mark.parametrize("path", ["/v2/messages/{}", "/v2/dlq/{}", "/v2/schedules/{}", "/v2/{}"])
def test_what_is_not_there_is_not_found_whatever_it_is_called(qstash, path, name):
    assert qstash.refusal("GET", path.format(name))[0] == 404


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_flow_control_key_can_be_looked_up_whatever_it_is_called(qstash, name):
    assert qstash.json("GET", f"/v2/flowControl/{name}")["parallelismCount"] == 0


@pytest.mark.parametrize("target", ["", "?", "*", "//v2/keys", "/v2//keys", "/v2/keys/../keys", "/v2/keys\n", "\x00"])
def test_a_path_that_is_only_like_another_is_not_found(qstash, target):
    assert qstash.refusal("GET", target)[0] == 404


@pytest.mark.parametrize("name", ["a" * 100_000, "key with spaces", "k/pause", "\u00fc", "%2525"])
def test_a_flow_control_key_may_be_any_text(qstash, name):
    path = f"/v2/flowControl/{quote(name, safe='')}"
    qstash.call("POST", f"{path}/pause")
    assert qstash.json("GET", path)["flowControlKey"] == name


@pytest.mark.parametrize(
    "endpoint",
    [
        {"url": 0, "name": "one"},
        {"url": [], "name": "one"},
        {"url": JOBS, "name": 0},
        {"url": JOBS, "name": False},
        {"url": "", "name": ""},
        {},
        None,
        JOBS,
        {"url": "shop.example"},
        {"url": "https://"},
        {"url": f"{JOBS}\n"},
    ],
)
@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_an_endpoint_is_a_url_and_perhaps_a_name(qstash, method, endpoint):
    body = {"endpoints": [{"url": JOBS}, endpoint]}
    assert qstash.refusal(method, "/v2/topics/partners/endpoints", (), body)[0] == 400
    assert not qstash.broker.url_groups.by_name


def test_a_url_group_has_no_cron_by_default(qstash):
    body = {"headers": {"Upstash-Cron": "* * * * *"}}
    assert qstash.refusal("PATCH", "/v2/topics/partners", (), body)[0] == 400


# --- retries of dead letters ------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/v2/dlq/retry/{}", "/v2/dlq/retry"])
def test_a_retry_takes_its_overrides_from_the_query_as_a_publish_does(qstash, path):
    dead = qstash.dead_letter()
    assert qstash.call("POST", f"{path.format(dead)}?upstash-retries=7&upstash-label=again").status == 201
    *_, message = qstash.broker.messages.values()
    assert (message.max_retries, message.labels) == (7, ("again",))


def test_a_header_of_a_retry_wins_over_its_query(qstash):
    dead = qstash.dead_letter()
    qstash.call("POST", f"/v2/dlq/retry/{dead}?upstash-retries=7", {"Upstash-Retries": "1"})
    *_, message = qstash.broker.messages.values()
    assert message.max_retries == 1


@pytest.mark.parametrize("headers", [{"Upstash-Cron": "* * * * *"}, {"Upstash-Schedule-Id": "nightly"}])
def test_a_retry_is_no_schedule(qstash, headers):
    dead = qstash.dead_letter()
    assert qstash.refusal("POST", f"/v2/dlq/retry/{dead}", headers)[0] == 400
    assert list(qstash.broker.dead_letters) == [dead]


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_only_a_retry_takes_options_in_its_query(qstash, method):
    assert qstash.refusal(method, "/v2/dlq?upstash-retries=7") == (400, "unknown filter 'upstash-retries'")


# --- durations ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["Upstash-", "Upstash-Callback-"])
@pytest.mark.parametrize("timeout", ["367d", "8761h", "999999999999999999", "31536001"])
def test_a_timeout_longer_than_a_year_is_refused(qstash, prefix, timeout):
    status, error = qstash.refused_publish({f"{prefix}Timeout": timeout})
    assert (status, error) == (400, f"invalid {prefix}Timeout header: {timeout} is longer than a year")


def test_a_timeout_of_a_year_is_accepted(qstash):
    assert qstash.publish({"Upstash-Timeout": "365d"}).options.timeout_ms == 365 * 86_400_000
