"""The JSON of each kind of value, whole and literal. Messages, dead letters and logs: operations/"""

import json

import pytest

from tests.shop import JOBS, START_MS
from tests.world import start_next

LIMITS = {"Upstash-Flow-Control-Key": "partner-api.1"}


def wait(qstash, ms):
    qstash.broker.observe(qstash.broker.now_ms + ms)


def get(qstash, path):
    return qstash.json("GET", path)


def test_json_is_compact_and_not_escaped(qstash):
    qstash.call("POST", "/v2/topics/partners/endpoints", (), {"endpoints": [{"url": JOBS, "name": "Büro 1"}]})
    assert (
        qstash.call("GET", "/v2/topics/partners").body
        == (
            '{"name":"partners","createdAt":1767225600000,"updatedAt":1767225600000,'
            '"endpoints":[{"url":"https://shop.example/jobs","name":"Büro 1"}]}'
        ).encode()
    )


# --- what a publish answers ----------------------------------------------------------------------------------


def test_a_publish_answers_one_object(qstash):
    answer = qstash.json("POST", f"/v2/publish/{JOBS}")
    assert answer == {"messageId": next(iter(qstash.broker.messages))}


def test_a_publish_to_a_group_answers_an_array_in_the_order_of_its_endpoints(qstash):
    endpoints = {"endpoints": [{"url": f"{JOBS}/2"}, {"url": f"{JOBS}/1", "name": "first"}]}
    qstash.call("POST", "/v2/topics/partners/endpoints", (), endpoints)
    header = {"Upstash-Deduplication-Id": "order-7"}
    new = qstash.json("POST", "/v2/publish/partners", header)
    two, one = qstash.broker.messages
    assert new == [{"messageId": two, "url": f"{JOBS}/2"}, {"messageId": one, "url": f"{JOBS}/1"}]
    assert qstash.json("POST", "/v2/publish/partners", header) == [item | {"deduplicated": True} for item in new]


def test_a_batch_answers_in_item_order_an_object_for_a_url_and_an_array_for_a_group(qstash):
    qstash.call("POST", "/v2/topics/partners/endpoints", (), {"endpoints": [{"url": f"{JOBS}/1"}]})
    again = {"destination": JOBS, "headers": {"upstash-deduplication-id": "order-7"}}
    answer = qstash.json("POST", "/v2/batch", (), [{"destination": "partners"}, again, again])
    one, two = qstash.broker.messages
    assert answer == [
        [{"messageId": one, "url": f"{JOBS}/1"}],
        {"messageId": two},
        {"messageId": two, "deduplicated": True},
    ]


@pytest.mark.parametrize(
    ("item", "status", "error"),
    [
        ({"destination": "nobody"}, 404, "topic nobody not found"),
        (7, 400, "expected an object, got 7"),
        (
            {"destination": JOBS, "headers": {"Upstash-Delay": "604801s"}},
            400,
            "quota maxDelay exceeded, current limit: 604800",
        ),
        ({"destination": JOBS, "body": "x" * 1_048_577}, 412, "quota maxMessageSize exceeded, current limit: 1048576"),
    ],
)
def test_a_refused_batch_answers_one_object_with_the_refusal_of_the_item(make_qstash, item, status, error):
    qstash = make_qstash(plan="free")
    reply = qstash.call("POST", "/v2/batch", (), [{"destination": JOBS}, item, {"destination": JOBS}])
    assert (reply.status, json.loads(reply.body)) == (status, {"error": error})
    assert not qstash.broker.messages


# --- queues, URL groups ----------------------------------------------------------------------------------------


@pytest.mark.protocol("1 six keys of a queue")
def test_a_queue_has_exactly_six_keys(qstash):
    qstash.call("POST", f"/v2/enqueue/orders/{JOBS}")
    wait(qstash, 1_000)
    qstash.call("POST", "/v2/queues", (), {"queueName": "orders", "parallelism": 3, "paused": True})
    queue = {
        "name": "orders",
        "parallelism": 3,
        "createdAt": START_MS,
        "updatedAt": START_MS + 1_000,
        "lag": 1,
        "paused": True,
    }
    assert get(qstash, "/v2/queues/orders") == queue
    assert get(qstash, "/v2/queues") == [queue]


def test_an_endpoint_without_a_name_has_no_name(qstash):
    qstash.call("POST", "/v2/topics/partners/endpoints", (), {"endpoints": [{"url": JOBS, "name": ""}]})
    wait(qstash, 1_000)
    qstash.call("POST", "/v2/topics/partners/endpoints", (), {"endpoints": [{"url": f"{JOBS}/2", "name": "two"}]})
    assert get(qstash, "/v2/topics") == [
        {
            "name": "partners",
            "createdAt": START_MS,
            "updatedAt": START_MS + 1_000,
            "endpoints": [{"url": JOBS}, {"url": f"{JOBS}/2", "name": "two"}],
        }
    ]


# --- schedules -------------------------------------------------------------------------------------------------


def test_a_plain_schedule_shows_what_it_has_and_no_empty_field(qstash):
    answer = qstash.json("POST", f"/v2/schedules/{JOBS}", {"Upstash-Cron": " */10 * * * * "})
    (schedule_id,) = qstash.broker.schedules.by_id
    assert answer == {"scheduleId": schedule_id}
    assert schedule_id.startswith("scd_")
    assert get(qstash, f"/v2/schedules/{schedule_id}") == {
        "scheduleId": schedule_id,
        "cron": "*/10 * * * *",
        "destination": JOBS,
        "createdAt": START_MS,
        "method": "POST",
        "retries": 3,
        "isPaused": False,
        "callerIP": "127.0.0.1",
        "callerIp": "127.0.0.1",
        "nextScheduleTime": START_MS + 600_000,
    }


def test_a_schedule_with_everything_shows_every_field(qstash):
    headers = {
        "Upstash-Cron": "CRON_TZ=Europe/Berlin 0 4 * * *",
        "Upstash-Schedule-Id": "nightly",
        "Upstash-Queue-Name": "orders",
        "Upstash-Method": "PUT",
        "Upstash-Retries": "0",
        "Upstash-Delay": "1m10s",
        "Upstash-Timeout": "30",
        "Upstash-Retry-Delay": "1000 * (1 + retried)",
        "Upstash-Label": "invoices, july",
        "Content-Type": "application/json",
        "upstash-forward-test-header": "a",
        "Upstash-Callback": f"{JOBS}/done",
        "Upstash-Callback-Forward-Step": "2",
        "Upstash-Failure-Callback": f"{JOBS}/failed",
        "Upstash-Failure-Callback-Forward-Step": "3",
        "Upstash-Flow-Control-Key": "partner-api",
        "Upstash-Flow-Control-Value": "rate=10, period=1h30m3s",
    }
    assert qstash.json("POST", f"/v2/schedules/{JOBS}", headers, b'{"order":7}') == {"scheduleId": "nightly"}
    assert get(qstash, "/v2/schedules") == [
        {
            "scheduleId": "nightly",
            "cron": "CRON_TZ=Europe/Berlin 0 4 * * *",
            "destination": JOBS,
            "createdAt": START_MS,
            "method": "PUT",
            "retries": 0,
            "isPaused": False,
            "header": {"Content-Type": ["application/json"], "Test-Header": ["a"]},
            "body": '{"order":7}',
            "delay": 70,
            "timeout": 30,
            "callback": f"{JOBS}/done",
            "failureCallback": f"{JOBS}/failed",
            "callbackHeader": {"Step": ["2"]},
            "failureCallbackHeader": {"Step": ["3"]},
            "queueName": "orders",
            "callerIP": "127.0.0.1",
            "callerIp": "127.0.0.1",
            "retryDelayExpression": "1000 * (1 + retried)",
            "nextScheduleTime": START_MS + 3 * 3_600_000,
            "label": "invoices",
            "labels": ["invoices", "july"],
            "flowControlKey": "partner-api",
            "rate": 10,
            "period": 5403,
        }
    ]


def test_a_schedule_that_has_ticked_shows_when_and_what_became_of_it(qstash):
    qstash.call("POST", f"/v2/schedules/{JOBS}", {"Upstash-Cron": "* * * * *", "Upstash-Schedule-Id": "often"})
    wait(qstash, 60_000)
    delivery = start_next(qstash.broker)
    shown = get(qstash, "/v2/schedules/often")
    assert (shown["lastScheduleTime"], shown["nextScheduleTime"]) == (START_MS + 60_000, START_MS + 120_000)
    assert shown["lastScheduleStates"] == {delivery.message.message_id: "IN_PROGRESS"}


def test_a_paused_schedule_has_no_next_time(qstash):
    qstash.call("POST", f"/v2/schedules/{JOBS}", {"Upstash-Cron": "* * * * *", "Upstash-Schedule-Id": "often"})
    qstash.call("PATCH", "/v2/schedules/often/pause")
    shown = get(qstash, "/v2/schedules/often")
    assert shown["isPaused"] is True
    assert "nextScheduleTime" not in shown


def test_a_schedule_whose_group_is_gone_says_so(qstash):
    qstash.call("POST", "/v2/topics/partners/endpoints", (), {"endpoints": [{"url": JOBS}]})
    qstash.call("POST", "/v2/schedules/partners", {"Upstash-Cron": "* * * * *", "Upstash-Schedule-Id": "often"})
    qstash.call("DELETE", "/v2/topics/partners")
    wait(qstash, 60_000)
    assert qstash.broker.next_message(qstash.broker.now_ms) is None
    assert get(qstash, "/v2/schedules/often")["error"] == "topic partners not found"


# --- flow control ----------------------------------------------------------------------------------------------


def test_a_flow_control_key_shows_every_field_always(qstash):
    qstash.call("POST", "/v2/flowControl/partner-api.1/pause")
    assert get(qstash, "/v2/flowControl/partner-api.1") == {
        "flowControlKey": "partner-api.1",
        "waitListSize": 0,
        "parallelismMax": 0,
        "parallelismCount": 0,
        "rateMax": 0,
        "rateCount": 0,
        "ratePeriod": 1,
        "ratePeriodStart": 0,
        "isPaused": True,
        "isPinnedParallelism": False,
        "isPinnedRate": False,
    }


@pytest.mark.protocol("1 idle key")
@pytest.mark.parametrize(("path", "key"), [("unused", "unused"), ("a/b", "a/b"), ("obs:live", "obs:live")])
def test_a_key_that_nobody_has_used_is_shown_idle_and_not_kept(qstash, path, key):
    shown = get(qstash, f"/v2/flowControl/{path}")
    assert shown == {
        "flowControlKey": key,
        "waitListSize": 0,
        "parallelismMax": 0,
        "parallelismCount": 0,
        "rateMax": 0,
        "rateCount": 0,
        "ratePeriod": 1,
        "ratePeriodStart": 0,
        "isPaused": False,
        "isPinnedParallelism": False,
        "isPinnedRate": False,
    }
    assert get(qstash, "/v2/flowControl") == []


def test_a_flow_control_key_counts_what_waits_runs_and_has_started(qstash):
    headers = LIMITS | {"Upstash-Flow-Control-Value": "parallelism=1, rate=5, period=1m"}
    qstash.publish(headers)
    qstash.publish(headers)
    wait(qstash, 500)
    start_next(qstash.broker)
    assert qstash.broker.next_message(qstash.broker.now_ms) is None
    assert get(qstash, "/v2/flowControl") == [
        {
            "flowControlKey": "partner-api.1",
            "waitListSize": 1,
            "parallelismMax": 1,
            "parallelismCount": 1,
            "rateMax": 5,
            "rateCount": 1,
            "ratePeriod": 60,
            "ratePeriodStart": START_MS // 1_000,  # whole unix seconds
            "isPaused": False,
            "isPinnedParallelism": False,
            "isPinnedRate": False,
        }
    ]


def test_a_pinned_key_says_what_is_pinned(qstash):
    qstash.call("POST", "/v2/flowControl/k/pin?rate=7&period=3600")
    shown = get(qstash, "/v2/flowControl/k")
    assert (shown["rateMax"], shown["ratePeriod"]) == (7, 3600)
    assert (shown["isPinnedRate"], shown["isPinnedParallelism"]) == (True, False)


def test_global_parallelism_counts_what_is_in_flight(make_qstash):
    qstash = make_qstash(plan="free")
    qstash.publish()
    start_next(qstash.broker)
    assert get(qstash, "/v2/globalParallelism") == {"parallelismMax": 10, "parallelismCount": 1}


# --- keys, counts, errors --------------------------------------------------------------------------------------


def test_the_signing_keys_are_those_of_the_dev_server(qstash):
    assert get(qstash, "/v2/keys") == {
        "current": "sig_7kYjw48mhY7kAjqNGcy6cr29RJ6r",
        "next": "sig_5ZB6DVzB1wjE8S6rZ7eenA8Pdnhs",
    }


def test_a_rotation_answers_the_keys_after_it(qstash):
    rotated = qstash.json("POST", "/v2/keys/rotate")
    assert rotated["current"] == "sig_5ZB6DVzB1wjE8S6rZ7eenA8Pdnhs"
    assert rotated == get(qstash, "/v2/keys")


@pytest.mark.parametrize(
    ("method", "path", "answer"),
    [
        ("DELETE", "/v2/messages", {"cancelled": 0}),
        ("DELETE", "/v2/dlq", {"deleted": 0}),
        ("POST", "/v2/dlq/retry", {"responses": [], "cursor": ""}),  # this one alone ends so
        ("GET", "/v2/dlq", {"messages": []}),
        ("GET", "/v2/events", {"events": []}),
        ("GET", "/v2/logs", {"logs": [], "events": []}),
        ("GET", "/v2/queues", []),
        ("GET", "/v2/schedules", []),
        ("GET", "/v2/topics", []),
        ("GET", "/v2/flowControl", []),
        ("GET", "/v2/readiness", {"ready": True}),
        ("GET", "/v2/liveness", {"live": True}),
    ],
)
def test_where_there_is_nothing_the_answer_says_so(qstash, method, path, answer):
    assert qstash.json(method, path) == answer


def test_an_error_is_an_object_with_one_key(qstash):
    reply = qstash.call("GET", "/v2/queues/unknown")
    assert reply.headers == (("Content-Type", "application/json"),)
    assert reply.body == b'{"error":"queue unknown not found"}'


def test_header_maps_have_canonical_names_and_lists_of_values(qstash):
    message = qstash.publish(
        [("upstash-forward-BYPASS-tunnel-reminder", "1"), ("Upstash-Forward-x", "2"), ("upstash-forward-X", "3")]
    )
    assert get(qstash, f"/v2/messages/{message.message_id}")["header"] == {
        "Bypass-Tunnel-Reminder": ["1"],
        "X": ["2", "3"],
    }
