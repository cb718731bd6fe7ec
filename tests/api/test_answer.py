"""The routing of `answer()`: which path and method belong to which operation, and what becomes of the others."""

import json
import re

import pytest

from qstash_fake.api.answer import MAX_BODY, Api
from qstash_fake.api.auth import Auth
from qstash_fake.broker.broker import Broker

SCHEMES = "invalid destination url: endpoint has invalid scheme, add http:// or https://"

# A path for every row of the table of operations that stands alone: what it answers on an account without anything.
PATHS = [
    ("POST", "/v2/publish/https://shop.example/jobs", 201),
    ("POST", "/v2/enqueue/emails/https://shop.example/jobs", 201),
    ("GET", "/v2/messages/msg_unknown", 404),
    ("DELETE", "/v2/messages/msg_unknown", 404),
    ("DELETE", "/v2/messages", 200),
    ("GET", "/v2/dlq", 200),
    ("DELETE", "/v2/dlq", 200),
    ("POST", "/v2/dlq/retry", 201),
    ("POST", "/v2/dlq/retry/1-1", 404),
    ("GET", "/v2/dlq/1-1", 404),
    ("DELETE", "/v2/dlq/1-1", 404),
    ("GET", "/v2/events", 200),
    ("GET", "/v2/logs", 200),
    ("GET", "/v2/queues", 200),
    ("GET", "/v2/queues/emails", 404),
    ("DELETE", "/v2/queues/emails", 200),
    ("POST", "/v2/queues/emails/pause", 200),
    ("POST", "/v2/queues/emails/resume", 200),
    ("GET", "/v2/schedules", 200),
    ("GET", "/v2/schedules/nightly", 404),
    ("DELETE", "/v2/schedules/nightly", 404),
    ("GET", "/v2/topics", 200),
    ("GET", "/v2/topics/emails", 404),
    ("DELETE", "/v2/topics/emails", 200),
    ("GET", "/v2/flowControl", 200),
    ("GET", "/v2/flowControl/key", 200),
    ("GET", "/v2/globalParallelism", 200),
    ("GET", "/v2/keys", 200),
    ("POST", "/v2/keys/rotate", 200),
    ("POST", "/v2/rotate", 200),
    ("GET", "/v2/readiness", 200),
    ("GET", "/v2/liveness", 200),
    ("POST", "/llm/v1/chat/completions", 200),
]


@pytest.mark.parametrize(("method", "path", "status"), PATHS)
def test_each_path_leads_to_its_operation(qstash, method, path, status):
    assert qstash.call(method, path).status == status


@pytest.mark.protocol("1 routing")
@pytest.mark.parametrize(("method", "path", "status"), PATHS)
def test_a_trailing_slash_does_not_count(qstash, method, path, status):
    assert qstash.call(method, path + "/").status == status


@pytest.mark.protocol("1 routing")
@pytest.mark.parametrize(("method", "path", "status"), PATHS)
def test_the_letters_of_a_path_match_in_any_case(qstash, method, path, status):
    fixed = re.compile(r"(?<=/)(v[0-9]|llm|chat|completions|[a-z]+control|global\w+|[a-z]{3,})(?=/|$)", re.IGNORECASE)
    destination = path.find("https:")
    head, tail = (path, "") if destination < 0 else (path[:destination], path[destination:])
    assert qstash.call(method, fixed.sub(lambda word: word[0].upper(), head) + tail).status == status


@pytest.mark.parametrize(("method", "path", "status"), PATHS)
def test_a_query_that_an_operation_does_not_know_hides_no_path(qstash, method, path, status):
    assert qstash.call(method, f"{path}?qstash_token=secret").status == status


def test_the_go_sdk_and_the_rust_sdk_find_their_spellings(qstash):
    schedule = qstash.json("POST", "/v2/Schedules/https://shop.example/jobs", {"Upstash-Cron": "* * * * *"})
    assert qstash.json("GET", f"/v2/Schedules/{schedule['scheduleId']}")["cron"] == "* * * * *"
    assert qstash.call("POST", "/v2/queues/", body={"queueName": "emails"}).status == 200


@pytest.mark.parametrize("target", ["/v2/messages/", "/V2/Messages/", "/v2/messages/?url=https://shop.example/jobs"])
def test_a_delete_of_messages_with_a_slash_is_the_bulk_operation(qstash, target):
    qstash.publish()
    assert qstash.json("DELETE", target) == {"cancelled": 1}


@pytest.mark.protocol("1 raw destination")
@pytest.mark.parametrize(
    ("rest", "url"),
    [
        ("https://shop.example/a//b", "https://shop.example/a//b"),
        ("https://shop.example/a%2Fb", "https://shop.example/a%2Fb"),
        ("https://shop.example/a/", "https://shop.example/a/"),
        ("https://shop.example", "https://shop.example"),
        ("https://shop.example?a=1&b=2", "https://shop.example?a=1&b=2"),
        ("https://shop.example/a?to=https://api.example/b?c=d", "https://shop.example/a?to=https://api.example/b?c=d"),
        ("https://shop.example/PAUSE", "https://shop.example/PAUSE"),
        ("https://shop.example/v2/publish/x", "https://shop.example/v2/publish/x"),
        ("https:/shop.example/a", "https://shop.example/a"),
        ("http:/shop.example", "http://shop.example"),
        ("HTTPS://Shop.Example/A", "HTTPS://Shop.Example/A"),
    ],
)
@pytest.mark.parametrize("before", ["/v2/publish/", "/V2/PUBLISH/", "/v2/enqueue/emails/"])
def test_the_destination_is_the_raw_rest_of_the_path(qstash, before, rest, url):
    qstash.json("POST", before + rest)
    assert [message.url for message in qstash.broker.messages.values()] == [url]


@pytest.mark.protocol("error invalid destination url: endpoint has invalid scheme, add http:// or https://")
@pytest.mark.parametrize("before", ["/v2/publish/", "/v2/enqueue/emails/", "/v2/schedules/"])
@pytest.mark.parametrize(
    "rest", ["https%3A%2F%2Fshop.example%2Fa", "https%3A//shop.example/a", "HTTPS%3a%2f%2fshop.example"]
)
def test_an_encoded_scheme_is_refused(qstash, before, rest):
    assert qstash.refusal("POST", before + rest, {"Upstash-Cron": "* * * * *"} if "schedules" in before else {}) == (
        400,
        SCHEMES,
    )


def test_the_name_of_a_queue_is_decoded(qstash):
    qstash.json("POST", "/v2/enqueue/e%6Dails/https://shop.example/jobs")
    assert qstash.json("GET", "/v2/queues/email%73")["name"] == "emails"


def test_pause_and_resume_come_with_three_methods(qstash):
    headers = {"Upstash-Cron": "* * * * *", "Upstash-Schedule-Id": "nightly"}
    qstash.json("POST", "/v2/schedules/https://shop.example/jobs", headers)
    for method in ("POST", "PATCH", "PUT"):
        assert qstash.call(method, "/v2/schedules/nightly/pause").status == 200
        assert qstash.json("GET", "/v2/schedules/nightly")["isPaused"] is True
        assert qstash.call(method, "/v2/schedules/nightly/resume").status == 200
        assert qstash.json("GET", "/v2/schedules/nightly")["isPaused"] is False


def test_a_destination_that_ends_in_pause_is_no_schedule_to_pause(qstash):
    created = qstash.call("POST", "/v2/schedules/https://shop.example/pause", {"Upstash-Cron": "* * * * *"})
    assert created.status == 201
    assert [schedule.destination for schedule in qstash.broker.schedules.by_id.values()] == [
        "https://shop.example/pause"
    ]


@pytest.mark.protocol("1 wrong method")
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v2/publish/https://shop.example/jobs"),
        ("PUT", "/v2/publish/https://shop.example/jobs"),
        ("GET", "/v2/enqueue/emails/https://shop.example/jobs"),
        ("GET", "/v2/batch"),
        ("GET", "/v2/messages"),
        ("POST", "/v2/messages/msg_1"),
        ("PUT", "/v2/dlq"),
        ("GET", "/v2/dlq/retry/1-1"),
        ("POST", "/v2/events"),
        ("PATCH", "/v2/queues/emails"),
        ("POST", "/v2/globalParallelism"),
        ("HEAD", "/v2/queues"),
        ("OPTIONS", "/v2/publish/https://shop.example/jobs"),
        ("get", "/v2/queues"),
    ],
)
def test_another_method_on_a_known_path_is_405_in_plain_text(qstash, method, path):
    reply = qstash.call(method, path)
    assert (reply.status, reply.body) == (405, b"Method Not Allowed")
    assert dict(reply.headers)["Content-Type"].startswith("text/plain")
    assert not qstash.api.problems


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "",
        "*",
        "/v2",
        "/v2/",
        "/v3/publish/https://shop.example",
        "/v2/publishing/x",
        "/v2/messages/a/b",
        "/v2//dlq",
    ],
)
def test_an_unknown_path_is_404_in_json(qstash, path):
    reply = qstash.call("POST", path)
    assert (reply.status, dict(reply.headers)) == (404, {"Content-Type": "application/json"})
    assert json.loads(reply.body) == {"error": f"POST {path} not found"}
    assert not qstash.api.problems


@pytest.mark.parametrize(
    "path",
    [
        "/V2/Workflows",
        "/v2/workflows/metrics",
        "/v1/publish/https://shop.example",
        "/v1/quota",
    ],
)
def test_what_is_known_and_not_simulated_is_501_and_a_problem_of_the_test(qstash, path):
    reply = qstash.call("POST", path)
    assert reply.status == 501
    assert json.loads(reply.body) == {"error": f"POST {path} is not simulated by qstash_fake"}
    assert len(qstash.api.problems) == 1
    assert f"POST {path} is not simulated by qstash_fake" in qstash.api.problems[0]


def test_an_api_other_than_the_llm_is_501(qstash):
    reply = qstash.call("POST", "/v2/publish/api/email", {"Upstash-Callback": "https://shop.example/done"})
    assert reply.status == 501
    assert len(qstash.api.problems) == 1


def test_an_error_of_our_own_is_500_and_a_problem_of_the_test(qstash, monkeypatch):
    monkeypatch.setattr(qstash.broker, "find_message", lambda _: 1 / 0)
    reply = qstash.call("GET", "/v2/messages/msg_1")
    assert reply.status == 500
    assert "ZeroDivisionError" in json.loads(reply.body)["error"]
    assert len(qstash.api.problems) == 1
    assert "Traceback" in qstash.api.problems[0]


def test_a_body_of_more_than_100_mib_is_refused_before_anything_is_made_of_it(qstash):
    status, error = qstash.refused_publish(body=bytes(MAX_BODY + 1))
    assert (status, error) == (413, "request body too large: it has more than 104857600 bytes")
    assert qstash.call("POST", "/v2/publish/https://shop.example/jobs", body=bytes(MAX_BODY)).status == 201


def test_the_broker_is_told_the_time_before_each_answer():
    broker = Broker(0)
    api = Api(broker, Auth(), lambda: broker.observe(broker.now_ms + 1_000))
    api.answer("POST", "/v2/publish/https://shop.example", [("Authorization", "Bearer secret")], b"")
    assert [message.created_ms for message in broker.messages.values()] == [1_000]
