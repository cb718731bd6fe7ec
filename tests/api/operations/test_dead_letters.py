"""The dead letter queue over the API: look-up, listing, retry, delete."""

import json

import pytest

from qstash_fake.broker.message import Outcome
from tests.shop import JOBS, START_MS
from tests.world import start_next


def test_a_dead_letter_shows_its_message_and_the_last_answer(qstash):
    message = qstash.publish({"Upstash-Retries": "0", "Content-Type": "text/plain", "Upstash-Label": "a"}, b"body")
    qstash.attempt(404, b"404 Not Found", [("content-type", "text/plain"), ("x-a", "1"), ("X-A", "2")])
    expected = {
        "messageId": message.message_id,
        "url": JOBS,
        "method": "POST",
        "header": {"Content-Type": ["text/plain"]},
        "body": "body",
        "maxRetries": 0,
        "notBefore": START_MS,
        "createdAt": START_MS,
        "callerIP": "127.0.0.1",
        "label": "a",
        "labels": ["a"],
        "dlqId": message.dlq_id,
        "responseStatus": 404,
        "responseHeader": {"Content-Type": ["text/plain"], "X-A": ["1", "2"]},
        "responseBody": "404 Not Found",
    }
    assert qstash.json("GET", f"/v2/dlq/{message.dlq_id}") == expected
    assert qstash.json("GET", "/v2/dlq") == {"messages": [expected]}


def test_the_id_of_a_dead_letter_is_its_time_and_a_number(qstash):
    assert [qstash.dead_letter(), qstash.dead_letter()] == [f"{START_MS}-0", f"{START_MS}-1"]


def test_an_answer_that_is_no_utf_8_is_shown_in_base64(qstash):
    dlq_id = qstash.dead_letter(answer=b"\xff\xfe")
    shown = qstash.json("GET", f"/v2/dlq/{dlq_id}")
    assert shown["responseBodyBase64"] == "//4="
    assert "responseBody" not in shown


def test_without_an_answer_the_status_is_zero_and_the_error_is_told(qstash):
    message = qstash.publish({"Upstash-Retries": "0"})
    qstash.broker.complete(start_next(qstash.broker, START_MS), Outcome(error="connection refused"))
    shown = qstash.json("GET", f"/v2/dlq/{message.dlq_id}")
    assert (shown["responseStatus"], shown["error"]) == (0, "connection refused")
    assert "responseBody" not in shown


@pytest.mark.protocol("1 trimBody and groupBy")
@pytest.mark.parametrize(
    ("trim", "body", "answer"),
    [("4", "caf", "later"[:4]), ("5", "caf\xe9", "later"), ("0", None, None), ("", "caf\xe9", "later")],
)
def test_trim_body_cuts_the_bodies_of_dead_letters_and_halves_no_character(qstash, trim, body, answer):
    qstash.dead_letter(body="caf\xe9".encode(), answer=b"later")
    (dead,) = qstash.json("GET", f"/v2/dlq?trimBody={trim}")["messages"]
    assert (dead.get("body"), dead.get("responseBody")) == (body, answer)


def test_trim_body_cuts_bytes_that_are_no_text(qstash):
    qstash.dead_letter(body=b"\xff\xfe\xfd", answer=b"\xff")
    (dead,) = qstash.json("GET", "/v2/dlq?trimBody=2")["messages"]
    assert (dead["bodyBase64"], dead["responseBodyBase64"]) == ("//4=", "/w==")


@pytest.mark.parametrize("method", ["DELETE", "POST"])
def test_trim_body_is_for_listings_alone(qstash, method):
    qstash.dead_letter()
    path = "/v2/dlq" if method == "DELETE" else "/v2/dlq/retry"
    assert qstash.refusal(method, f"{path}?trimBody=0") == (400, "unknown filter 'trimBody'")
    assert qstash.refusal("GET", "/v2/dlq?trimBody=x") == (400, "invalid trimBody 'x': it is a number of bytes")


def test_a_deleted_dead_letter_is_gone(qstash):
    dlq_id = qstash.dead_letter()
    assert qstash.call("DELETE", f"/v2/dlq/{dlq_id}").status == 200
    assert qstash.call("DELETE", f"/v2/dlq/{dlq_id}").status == 404
    assert qstash.call("GET", f"/v2/dlq/{dlq_id}").status == 404
    assert qstash.json("GET", "/v2/dlq") == {"messages": []}


def test_a_retried_dead_letter_is_a_new_message_with_the_old_content(qstash):
    headers = {"Upstash-Forward-X": "1", "Content-Type": "text/plain", "Upstash-Method": "PUT", "Upstash-Delay": "1h"}
    dlq_id = qstash.dead_letter(headers, b"body")
    old = next(iter(qstash.broker.messages.values()))
    reply = qstash.call("POST", f"/v2/dlq/retry/{dlq_id}")
    new = list(qstash.broker.messages.values())[-1]
    assert (reply.status, json.loads(reply.body)) == (201, {"messageId": new.message_id})
    assert new.message_id != old.message_id
    assert (new.url, new.method, new.body, new.stored_headers) == (old.url, "PUT", b"body", old.stored_headers)
    assert (new.max_retries, new.due_ms, new.state) == (0, START_MS + 3_600_000, "CREATED")  # due now: no second delay
    assert qstash.call("POST", f"/v2/dlq/retry/{dlq_id}").status == 404
    assert qstash.call("DELETE", f"/v2/dlq/{dlq_id}").status == 404


def test_headers_override_what_a_retried_dead_letter_was(qstash):
    dlq_id = qstash.dead_letter({"Upstash-Forward-X": "1", "Upstash-Forward-Y": "1", "Upstash-Label": "old"})
    overrides = {"Upstash-Retries": "7", "Upstash-Delay": "1m", "Upstash-Forward-X": "2", "Upstash-Label": "new"}
    qstash.json("POST", f"/v2/dlq/retry/{dlq_id}", {**overrides, "Content-Type": "application/json", "X-Other": "3"})
    new = list(qstash.broker.messages.values())[-1]
    assert (new.max_retries, new.due_ms - START_MS, new.labels) == (7, 60_000, ("new",))
    assert dict(new.headers) == {"y": "1", "x": "2"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"Upstash-Retries": "x"}, 400), ({"Upstash-Delay": "3000000d"}, 400), ({"Upstash-Workflow-RunId": "wfr_1"}, 400)],
)
def test_a_dead_letter_stays_if_its_overrides_are_refused(qstash, headers, status):
    dlq_id = qstash.dead_letter()
    assert qstash.call("POST", f"/v2/dlq/retry/{dlq_id}", headers).status == status
    assert qstash.call("GET", f"/v2/dlq/{dlq_id}").status == 200
    assert len(qstash.broker.messages) == 1


def test_dead_letters_are_listed_earliest_first_unless_told_otherwise(qstash):
    ids = [qstash.dead_letter() for _ in range(3)]
    assert [one["dlqId"] for one in qstash.json("GET", "/v2/dlq")["messages"]] == ids
    assert [one["dlqId"] for one in qstash.json("GET", "/v2/dlq?order=latestFirst")["messages"]] == ids[::-1]


def test_a_cursor_turns_the_page_and_there_is_none_on_the_last(qstash):
    ids = [qstash.dead_letter() for _ in range(5)]
    pages: list[list[str]] = []
    cursor = ""
    while not pages or cursor:
        page = qstash.json("GET", f"/v2/dlq?count=2&cursor={cursor}")
        pages.append([one["dlqId"] for one in page["messages"]])
        cursor = page.get("cursor", "")
    assert pages == [ids[:2], ids[2:4], ids[4:]]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("messageId={first}", [0]),
        ("url=https://shop.example/jobs", [0, 1]),
        ("responseStatus=503", [1]),
        ("label=b", [1]),
        ("LABEL=a,b", [0, 1]),
        ("label=a&label=b", [0, 1]),
        ("label=a&responseStatus=503", []),
        (f"fromDate={START_MS}&toDate={START_MS}", [0, 1]),
        (f"fromDate={START_MS + 1}", []),
        ("source=workflow", []),
    ],
)
def test_dead_letters_are_filtered(qstash, query, found):
    ids = [qstash.dead_letter({"Upstash-Label": label}, status=status) for label, status in [("a", 500), ("b", 503)]]
    first = next(iter(qstash.broker.messages))
    listed = qstash.json("GET", f"/v2/dlq?{query.format(first=first)}")["messages"]
    assert [ids.index(one["dlqId"]) for one in listed] == found


@pytest.mark.parametrize("query", ["labeel=x", "host=shop.example", "path=/jobs", "count=0", "order=up", "cursor=x"])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_filter_of_dead_letters_that_is_unknown_is_refused(qstash, method, query):
    qstash.dead_letter()
    assert qstash.call(method, f"/v2/dlq?{query}").status == 400
    assert len(qstash.broker.dead_letters) == 1
