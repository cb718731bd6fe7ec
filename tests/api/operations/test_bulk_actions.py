"""Bulk actions: what a cancel by filter leaves behind, and how it is looked up."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from tests.shop import START_MS

LATER = {"Upstash-Delay": "1h"}
WEEK_MS = 7 * 86_400_000


def cancel(qstash, query="", body=b""):
    return qstash.json("DELETE", f"/v2/messages{query}", (), body)


@pytest.mark.protocol("4.8 bulk action")
@pytest.mark.parametrize(
    ("query", "body"),
    [("?label=red&async=true", b""), ("", {"label": "red", "async": True}), ("?label=red", {"async": "true"})],
    ids=["in the query", "in the body", "in both"],
)
def test_an_async_cancel_tells_its_action_which_is_finished_at_once(qstash, query, body):
    red, other = qstash.publish(LATER | {"Upstash-Label": "red"}), qstash.publish(LATER)
    answer = cancel(qstash, query, body)
    assert answer == {"cancelled": 1, "actionId": f"{START_MS}-0"}
    assert (red.state, other.state) == ("CANCELED", "CREATED")
    assert qstash.json("GET", f"/v2/bulkActions/{answer['actionId']}") == {
        "actionId": f"{START_MS}-0",
        "kind": "cancel",
        "state": "FINISHED",
        "total": 1,
        "processed": 1,
        "createdAt": START_MS,
        "completedAt": START_MS,
        "filter": {"label": ["red"]},
    }


@pytest.mark.protocol("4.8 bulk action")
def test_a_cancel_by_filter_is_an_action_without_async_too(qstash):
    qstash.publish(LATER)
    assert cancel(qstash) == {"cancelled": 1}
    assert cancel(qstash, "?async=false&queueName=jobs&label=a&label=b") == {"cancelled": 0}
    assert [(one["total"], one["filter"]) for one in qstash.json("GET", "/v2/bulkActions")["bulkActions"]] == [
        (0, {"queueName": ["jobs"], "label": ["a", "b"]}),
        (1, {}),
    ]


@pytest.mark.protocol("4.8 bulk action")
def test_messages_that_are_named_by_their_ids_are_no_bulk_action(qstash):
    message = qstash.publish(LATER)
    assert cancel(qstash, "?async=true", {"messageIds": [message.message_id]}) == {"cancelled": 1}
    assert qstash.json("GET", "/v2/bulkActions") == {"bulkActions": []}


def test_a_value_of_async_that_is_none_cancels_nothing(qstash):
    message = qstash.publish(LATER)
    refused = qstash.refusal("DELETE", "/v2/messages?async=soon")
    assert refused == (400, "invalid async: 'soon' is not a boolean")
    assert message.pending


@pytest.mark.protocol("4.8 bulk actions are listed")
def test_actions_are_listed_newest_first_in_pages(qstash):
    for label in "abc":
        cancel(qstash, f"?label={label}")
    first = qstash.json("GET", "/v2/bulkActions?count=2")
    second = qstash.json("GET", f"/v2/bulkActions?{urlencode({'cursor': first['cursor'], 'count': 2})}")
    shown = [one["filter"]["label"] for page in (first, second) for one in page["bulkActions"]]
    assert (shown, "cursor" in second) == ([["c"], ["b"], ["a"]], False)


@pytest.mark.protocol("4.8 bulk actions are listed")
@pytest.mark.parametrize(("count", "shown"), [("", 100), ("?count=1000", 1_000), ("?count=5000", 1_000)])
def test_a_page_has_a_hundred_actions_and_a_thousand_at_most(qstash, count, shown):
    for _ in range(1_001):
        qstash.broker.cancel_in_bulk([], {})
    page = qstash.json("GET", f"/v2/bulkActions{count}")
    assert (len(page["bulkActions"]), "cursor" in page) == (shown, True)


@pytest.mark.protocol("4.8 bulk actions are listed")
def test_actions_are_listed_by_state_and_none_is_in_progress(qstash):
    cancel(qstash)
    counts = {
        query: len(qstash.json("GET", f"/v2/bulkActions?{query}")["bulkActions"])
        for query in ("state=FINISHED", "state=IN_PROGRESS", "state=IN_PROGRESS&state=FINISHED")
    }
    assert counts == {"state=FINISHED": 1, "state=IN_PROGRESS": 0, "state=IN_PROGRESS&state=FINISHED": 1}


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("state=DONE", "invalid state 'DONE': it is IN_PROGRESS or FINISHED"),
        ("label=a", "unknown filter 'label'"),
        ("count=0", "invalid count '0': it is a number from 1 to 999999999"),
    ],
)
def test_a_listing_of_actions_refuses_what_it_does_not_know(qstash, query, error):
    assert qstash.refusal("GET", f"/v2/bulkActions?{query}") == (400, error)


@pytest.mark.protocol("4.8 bulk actions are kept")
def test_an_action_is_kept_for_seven_days(qstash):
    action = cancel(qstash, "?async=true")["actionId"]
    qstash.broker.observe(START_MS + WEEK_MS)
    assert qstash.json("GET", f"/v2/bulkActions/{action}")["actionId"] == action
    qstash.broker.observe(START_MS + WEEK_MS + 1)
    assert qstash.refusal("GET", f"/v2/bulkActions/{action}") == (404, f"bulk action {action} not found")
    assert qstash.json("GET", "/v2/bulkActions") == {"bulkActions": []}
