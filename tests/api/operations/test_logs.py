"""The log over the API: `/v2/events`, which the SDKs read, and `/v2/logs`, which is documented."""

import base64

import pytest

from tests.shop import JOBS, START_MS


@pytest.fixture
def told(qstash):
    """Two messages: one delivered at the second attempt, one that fails for good."""
    qstash.publish({"Upstash-Retry-Delay": "5000", "Upstash-Label": "a"}, b"body")
    qstash.attempt(503, b"later", [("x-a", "1")])
    qstash.attempt()
    qstash.publish({"Upstash-Retries": "0", "Upstash-Label": "b"})
    qstash.attempt(500)
    return qstash


DELIVERED_LATER = ["CREATED", "ACTIVE", "ERROR", "RETRY", "ACTIVE", "DELIVERED"]
FAILED_AT_ONCE = ["CREATED", "ACTIVE", "ERROR", "FAILED"]


def states(reply, key="events"):
    return [event["state"] for event in reply[key]]


def test_events_are_listed_latest_first_unless_told_otherwise(told):
    latest_first = (DELIVERED_LATER + FAILED_AT_ONCE)[::-1]
    assert states(told.json("GET", "/v2/events")) == latest_first
    assert states(told.json("GET", "/v2/events?order=earliestFirst")) == latest_first[::-1]


def test_logs_are_the_events_under_both_names(told):
    events, logs = told.json("GET", "/v2/events"), told.json("GET", "/v2/logs")
    assert list(events) == ["events"]
    assert logs == {"logs": events["events"], "events": events["events"]}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("messageId={first}", DELIVERED_LATER),
        ("messageIds={first}&messageIds={second}", DELIVERED_LATER + FAILED_AT_ONCE),
        ("messageId={first}&state=ERROR", ["ERROR"]),
        ("state=IN_PROGRESS", ["ACTIVE", "ERROR", "RETRY", "ACTIVE", "ACTIVE", "ERROR"]),
        ("state=FAILED", ["FAILED"]),
        ("state=CREATED,DELIVERED", ["CREATED", "DELIVERED", "CREATED"]),
        ("state=CANCELED", []),
        ("label=b", FAILED_AT_ONCE),
        ("host=shop.example&path=/jobs&label=b", FAILED_AT_ONCE),
        ("callerIp=127.0.0.1&callerIP=127.0.0.1&label=b", FAILED_AT_ONCE),
        (f"fromDate={START_MS}&toDate={START_MS + 4_999}", DELIVERED_LATER[:4]),
        ("messageId=msg_unknown", []),
    ],
)
def test_events_are_filtered(told, query, expected):
    first, second = told.broker.messages
    reply = told.json("GET", f"/v2/events?order=earliestFirst&{query.format(first=first, second=second)}")
    assert states(reply) == expected


@pytest.mark.parametrize("spelling", ["CANCELED", "CANCELLED"])
def test_cancelled_is_found_in_both_spellings(qstash, spelling):
    qstash.call("DELETE", f"/v2/messages/{qstash.publish().message_id}")
    assert states(qstash.json("GET", f"/v2/events?state={spelling}")) == ["CANCELED"]
    assert states(qstash.json("GET", "/v2/events")) == ["CANCELED", "CANCEL_REQUESTED", "CREATED"]


def test_a_log_entry_says_what_its_message_is(told):
    entry = told.json("GET", "/v2/events?state=CREATED&label=a")["events"][0]
    assert entry == {
        "time": START_MS,
        "messageId": next(iter(told.broker.messages)),
        "state": "CREATED",
        "url": JOBS,
        "method": "POST",
        "maxRetries": 3,
        "body": base64.b64encode(b"body").decode(),
        "callerIP": "127.0.0.1",
        "retryDelayExpr": "5000",
        "retryDelayExpression": "5000",
        "label": "a",
        "labels": ["a"],
    }


def test_an_error_has_the_answer_and_a_retry_the_time_of_the_next_attempt(told):
    error, retry = (told.json("GET", f"/v2/events?label=a&state={state}")["events"][0] for state in ("ERROR", "RETRY"))
    assert (error["responseStatus"], error["responseBody"]) == (503, base64.b64encode(b"later").decode())
    assert error["responseHeader"] == error["responseHeaders"] == {"X-A": ["1"]}
    assert error["error"] == "destination answered 503"
    assert retry["nextDeliveryTime"] == START_MS + 5_000
    assert "responseStatus" not in retry


def test_a_delayed_message_says_when_it_is_due(qstash):
    qstash.publish({"Upstash-Delay": "1h"})
    assert qstash.json("GET", "/v2/logs")["logs"][0]["nextDeliveryTime"] == START_MS + 3_600_000


def test_the_pages_of_the_events_join_without_gap_or_overlap_while_more_happens(told):
    pages = []
    page = told.json("GET", "/v2/events?count=4")
    while True:
        pages += states(page)
        if "cursor" not in page:
            break
        told.publish({"Upstash-Delay": "1h"})
        page = told.json("GET", f"/v2/events?count=4&cursor={page['cursor']}")
    assert pages == (DELIVERED_LATER + FAILED_AT_ONCE)[::-1]


def test_without_a_count_a_page_of_the_events_holds_a_thousand_and_one_of_the_logs_a_hundred(qstash):
    for _ in range(1001):
        qstash.publish({"Upstash-Delay": "1h"})
    events, logs = qstash.json("GET", "/v2/events"), qstash.json("GET", "/v2/logs")
    assert (len(events["events"]), "cursor" in events) == (1_000, True)
    assert (len(logs["logs"]), "cursor" in logs) == (100, True)


@pytest.mark.protocol("1 trimBody and groupBy")
@pytest.mark.parametrize(
    ("trim", "body", "answer"),
    [("", b"body", b"later"), ("9", b"body", b"later"), ("3", b"bod", b"lat"), ("0", None, None)],
)
def test_trim_body_cuts_the_bodies_of_the_logs_to_that_many_bytes(told, trim, body, answer):
    (error,) = told.json("GET", f"/v2/logs?label=a&state=ERROR&trimBody={trim}")["logs"]
    shown = [error.get("body"), error.get("responseBody")]
    assert shown == [base64.b64encode(cut).decode() if cut else None for cut in (body, answer)]


@pytest.mark.protocol("1 trimBody and groupBy")
def test_logs_are_grouped_by_message_in_the_order_of_the_page(told):
    first, second = told.broker.messages
    earliest = told.json("GET", "/v2/logs?groupBy=messageId&order=earliestFirst")
    assert [(group["messageId"], states(group)) for group in earliest["messages"]] == [
        (first, DELIVERED_LATER),
        (second, FAILED_AT_ONCE),
    ]
    latest = told.json("GET", "/v2/logs?groupBy=messageId&trimBody=0&count=5")
    assert [(group["messageId"], states(group)) for group in latest["messages"]] == [
        (second, FAILED_AT_ONCE[::-1]),
        (first, DELIVERED_LATER[:-2:-1]),
    ]
    assert set(latest) == {"cursor", "messages"}
    assert "body" not in latest["messages"][1]["events"][0]


@pytest.mark.parametrize("query", ["trimBody=-1", "trimBody=x", "trimBody=1e3", "groupBy=url", "groupBy=messageid"])
def test_a_way_to_show_the_logs_that_is_unknown_is_refused(told, query):
    name, _, value = query.partition("=")
    status, error = told.refusal("GET", f"/v2/logs?{query}")
    assert (status, error.split(":")[0]) == (400, f"invalid {name} {value!r}")
    assert told.refusal("GET", f"/v2/events?{query}") == (400, f"unknown filter {name!r}")


@pytest.mark.parametrize(
    "query", ["stat=ERROR", "count=1001", "count=-1", "order=latest", "fromDate=now", "cursor=a-b"]
)
def test_a_filter_of_the_logs_that_is_unknown_is_refused(told, query):
    assert told.call("GET", f"/v2/logs?{query}").status == 400
