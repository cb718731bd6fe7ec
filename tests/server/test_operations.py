"""The control API: a test in any language moves the clock, reads what happened and says how things answer."""

import threading
from datetime import datetime, timedelta

import pytest

from tests.server.waits import WITHIN_S, eventually
from tests.shop import JOBS
from tests.workflows import a_wait, marks

moment = datetime.fromisoformat


def test_nothing_moves_until_it_is_told_to(still, destination):
    still.publish(destination.url)
    before = still.state
    assert (before["pending"], destination.received) == ([before["messages"][0]["messageId"]], [])
    assert before["next_due"] == before["now"]
    still.control("deliver-due")
    assert len(destination.received) == 1
    assert (still.state["now"], still.state["pending"]) == (before["now"], [])


def test_advance_delivers_what_falls_due_on_the_way(still, destination):
    start = still.state["now"]
    still.publish(destination.url, b"late", delay="5m")
    assert still.control("advance", duration="4m59s")["attempts"] == []
    report = still.control("advance", duration=1)
    assert destination.bodies == [b"late"]
    assert report["summary"].startswith("1 attempt, 1 delivered, 0 dead; now ")
    assert report["now"][:10] >= start[:10]
    (attempt,) = report["attempts"]
    assert (attempt["url"], attempt["status"], attempt["retried"]) == (destination.url, 200, 0)
    assert report["delivered"] == [attempt["messageId"]]


def test_each_delivery_of_a_verb_is_one_line(still, destination):
    message_id = still.publish(f"{destination.url}/lines")
    still.control("deliver-due")
    shown = f"  {message_id[:12]}…  POST {destination.url}/lines  attempt 1 of 4  200  in 0s"
    eventually(lambda: [line for line in still.lines if line.endswith(shown)], "the line")


def test_advance_to_goes_to_an_instant(still):
    assert still.control("advance-to", time="2099-01-01T00:00:00Z")["now"] == "2099-01-01T00:00:00Z"
    answer = still.client.post("/_fake/advance-to", json={"time": "2098-01-01"})
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("cannot advance to 2098-01-01T00:00:00Z: it is 2099-01-01T00:00:00Z")


def test_advance_to_next_goes_from_event_to_event(still, destination):
    destination.handle = lambda request: 503
    still.publish(destination.url)
    assert [len(still.control("advance-to-next")["attempts"]) for _ in range(2)] == [1, 1]
    assert still.state["messages"][0]["attempts"][1]["retried"] == 1


def test_advance_takes_units(still):
    start = still.state["now"]
    now = still.control("advance", days=1, hours=2, milliseconds=0.5)["now"]
    assert moment(now) - moment(start) == timedelta(days=1, hours=2)


def test_advance_until_a_message_has_ended(still, destination):
    destination.handle = lambda request: 503 if len(destination.received) == 1 else 200
    message_id = still.publish(destination.url, retry_delay="60000")
    later = still.publish(destination.url, delay="1h")
    report = still.control("advance-until", message=message_id)
    assert (report["delivered"], len(report["attempts"])) == ([message_id], 2)
    answer = still.client.post("/_fake/advance-until", json={"message": later, "limit": "1m"})
    assert answer.status_code == 400
    assert still.message(later)["state"] == "CREATED"


def test_drain_delivers_until_nothing_is_left(still, destination):
    destination.handle = lambda request: 503
    message_id = still.publish(destination.url)
    report = still.control("drain")
    assert (len(report["attempts"]), report["dead"]) == (4, [message_id])
    assert still.state["dead_letters"][0]["responseStatus"] == 503


def test_an_endless_drain_ends_with_a_sentence(still, destination):
    destination.handle = lambda request: 200 if still.publish(destination.url) else 500
    still.publish(destination.url)
    answer = still.client.post("/_fake/drain", json={"limit": 5})
    assert answer.status_code == 409
    assert answer.json()["error"].startswith("drain() has created more than 5 messages and is not done")


def test_schedules_fire_when_the_clock_passes(still, destination):
    headers = {"upstash-cron": "0 0 * * *", "upstash-schedule-id": "nightly"}
    assert still.client.post(f"/v2/schedules/{destination.url}", headers=headers).status_code == 201
    assert [schedule["scheduleId"] for schedule in still.state["schedules"]] == ["nightly"]
    report = still.control("advance", duration="1d")
    assert len(report["fired"]) == 1
    assert destination.received[0].headers["upstash-schedule-id"] == "nightly"


def test_a_handler_may_publish_while_the_clock_moves(still, destination):
    def handle(request):
        if request.path == "/first":
            still.publish(f"{destination.url}/second")
        return 200

    destination.handle = handle
    still.publish(f"{destination.url}/first")
    assert len(still.control("advance", duration="1s")["delivered"]) == 2


def test_a_destination_that_never_answers_takes_its_time_out_of_virtual_time(still, destination):
    answered = threading.Event()
    destination.handle = lambda request: 200 if answered.wait(WITHIN_S) else 500
    still.publish(destination.url, timeout="1s", retries="0")
    assert still.control("deliver-due")["dead"] == []
    answered.set()
    assert still.control("advance", duration="999ms")["dead"] == []
    assert len(still.control("advance", duration="1ms")["dead"]) == 1
    assert still.state["messages"][0]["attempts"][0]["error"] == "timeout"


def test_reset_forgets_everything_but_the_time(still):
    still.publish(JOBS)
    still.control("routes", url=JOBS, status=200)
    still.control("fail", kind=500, times=3)
    now = still.control("advance", duration="1h")["now"]
    assert still.control("reset") == {"now": now}
    state = still.state
    assert [state[name] for name in ("messages", "pending", "dead_letters", "schedules", "queues")] == [[]] * 5
    assert still.client.get("/_fake/routes").json() == {"routes": []}
    assert still.client.get("/v2/keys").status_code == 200


def test_state_shows_all_there_is(still):
    still.client.post("/v2/queues", json={"queueName": "bills", "paused": True})
    still.client.post("/v2/topics/all/endpoints", json={"endpoints": [{"url": JOBS}]})
    still.client.post(f"/v2/enqueue/bills/{JOBS}", content=b"held")
    still.publish(JOBS, flow_control_key="shop", flow_control_value="rate=1", label="invoice", redact_fields="body")
    still.control("routes", url=JOBS, status=200)
    still.control("deliver-due")
    state = still.state
    held, delivered = state["messages"]
    assert (held["state"], held["body"], held["queueName"]) == ("CREATED", "held", "bills")
    assert (delivered["state"], delivered["labels"]) == ("DELIVERED", ["invoice"])
    assert state["held"] == {held["messageId"]: "queue 'bills' is paused"}
    assert [queue["name"] for queue in state["queues"]] == ["bills"]
    assert [group["name"] for group in state["url_groups"]] == ["all"]
    assert [key["flowControlKey"] for key in state["flow_control"]] == ["shop"]


def test_the_timeline_is_text(still):
    still.publish(JOBS, delay="5m")
    answer = still.client.get("/_fake/timeline")
    assert answer.headers["content-type"].startswith("text/plain")
    assert f"POST {JOBS}" in answer.text


@pytest.mark.parametrize(
    ("answer", "attempts"),
    [
        ({"status": 418, "text": "no"}, [(418, None)]),
        ({"json": {"paid": True}}, [(200, None)]),
        ({"respond_with": [503, {"status": 200, "headers": {"X-A": "b"}}]}, [(503, None), (200, None)]),
        ({"time_out": True}, [(0, "timeout")]),
        ({"refuse_connection": True}, [(0, "connection refused")]),
        ({"status": 200, "takes": "2s"}, [(200, None)]),
    ],
)
def test_a_route_answers_as_it_is_told(still, answer, attempts):
    still.control("routes", url=JOBS, **answer)
    still.publish(JOBS, retries="1" if len(attempts) > 1 else "0")
    still.control("drain")
    (message,) = still.state["messages"]
    assert [(attempt["status"], attempt["error"]) for attempt in message["attempts"]] == attempts


def test_what_a_route_answers_reaches_the_dead_letter(still):
    still.control("routes", url=JOBS, status=500, json={"why": "é"}, headers={"X-Why": "no"})
    still.publish(JOBS, retries="0")
    still.control("drain")
    (dead,) = still.state["dead_letters"]
    assert dead["responseBody"] == '{"why": "\\u00e9"}'
    assert dead["responseHeader"] == {"Content-Type": ["application/json"], "X-Why": ["no"]}


def test_routes_are_listed_with_their_calls_and_deleted(still, destination):
    made = still.control("routes", url=f"{destination.url}/*", method="POST", status=503, times=1)
    assert made == {
        "url": f"{destination.url}/*",
        "method": "POST",
        "status": 503,
        "times": 1,
        "calls": 0,
        "spent": False,
    }
    still.publish(f"{destination.url}/a", retries="0")
    still.publish(f"{destination.url}/b", retries="0")
    still.control("deliver-due")
    assert [request.path for request in destination.received] == ["/b"]
    assert still.client.get("/_fake/routes").json() == {"routes": [made | {"calls": 1, "spent": True}]}
    assert still.client.delete("/_fake/routes").json() == {"deleted": 1}
    assert still.client.get("/_fake/routes").json() == {"routes": []}


def test_takes_alone_keeps_the_answer_of_the_application(still, destination):
    still.control("routes", url=destination.url, takes="30s")
    still.publish(destination.url)
    assert still.control("advance", duration="29s")["delivered"] == []
    assert len(still.control("advance", duration="1s")["delivered"]) == 1
    assert len(destination.received) == 1


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({}, 'url is missing: give it in a JSON body, {"url": …}'),
        (
            {"url": "shop", "status": 200},
            "'shop' is no URL: it begins with http:// or https://, or is a compiled regex",
        ),
        ({"url": JOBS}, "say what the route answers: headers, json, refuse_connection, respond_with, status, "),
        ({"url": JOBS, "status": 200, "time_out": True}, "a route answers in one way"),
        ({"url": JOBS, "status": "200"}, 'status cannot be "200": it is a whole number'),
        ({"url": JOBS, "status": 99}, "respond(99): the status is an HTTP status"),
        ({"url": JOBS, "status": 200, "takes": "soon"}, "invalid duration 'soon'"),
        ({"url": JOBS, "status": 200, "takes": -1}, "a duration cannot be negative"),
        ({"url": JOBS, "status": 200, "times": -1}, "times cannot be -1"),
        ({"url": JOBS, "status": 200, "headers": {"a": 1}}, 'headers cannot be {"a": 1}: it is an object of texts'),
        (
            {"url": JOBS, "respond_with": [True]},
            "respond_with cannot be [true]: it is a list of whole numbers or objects",
        ),
        ({"url": JOBS, "respond_with": [{"body": "x"}]}, "body means nothing here: use headers, json, status, text"),
        ({"url": JOBS, "answer": 503}, "answer means nothing here: use headers, json, method, "),
        ({"url": JOBS, "json": 1, "text": "2"}, "respond takes one of json=, text= and content="),
    ],
)
def test_a_route_that_makes_no_sense_is_refused_and_not_made(still, given, error):
    answer = still.client.post("/_fake/routes", json=given)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(error)
    still.publish(JOBS, retries="0")
    still.control("deliver-due")
    assert "is not this machine" in still.state["messages"][0]["attempts"][0]["error"]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ('{"url": "https://shop.example", "json": NaN}', "invalid JSON body: NaN is not JSON"),
        ('{"url": "https://shop.example", "json": {"a": [-Infinity]}}', "invalid JSON body: -Infinity is not JSON"),
        ('{"url": "https://shop.example", "json": 1e400}', "invalid JSON body: 1e400 is out of range"),
        (
            f'{{"url": "https://shop.example", "json": {"[" * 101}{"]" * 101}}}',
            "invalid JSON body: it is nested deeper",
        ),
    ],
)
def test_a_route_of_what_is_no_json_is_refused_and_not_made(still, body, error):
    answer = still.client.post("/_fake/routes", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(error)
    assert still.client.get("/_fake/routes").json() == {"routes": []}


def test_half_a_surrogate_pair_is_the_replacement_character_as_in_the_api(still):
    body = '{"url": "https://shop.example/\\ud800", "headers": {"X-A": "\\ud800"}, "json": "\\ud83d\\ude00"}'
    made = still.client.post("/_fake/routes", content=body).json()
    assert (made["url"], made["headers"], made["json"]) == (
        "https://shop.example/\ufffd",
        {"X-A": "\ufffd"},
        "\U0001f600",
    )
    assert still.client.get("/_fake/routes").json() == {"routes": [made]}


def test_the_api_fails_as_it_is_told(still):
    still.control("fail", kind="daily")
    still.control("fail", kind=503, times=2)
    answers = [still.client.get("/v2/queues") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [429, 503, 503, 200]
    assert answers[0].headers["ratelimit-limit"] == "1000"
    assert still.client.post("/_fake/fail", json={"kind": "soft"}).status_code == 400


def test_the_next_attempt_is_sent_twice(still, destination):
    still.control("duplicate-next", url=f"{destination.url}/b")
    for path in ("a", "b"):
        still.publish(f"{destination.url}/{path}")
    report = still.control("deliver-due")
    assert [request.path for request in destination.received] == ["/a", "/b", "/b"]
    assert [attempt["lost"] for attempt in report["attempts"]] == [False, True, False]


def test_runs_of_workflows_are_shown_and_notified(still, destination):
    flow = f"{destination.url}/flow"
    destination.handle = lambda request: (200, {"Upstash-Workflow-Sdk-Version": "1"})
    still.client.post(f"/v2/publish/{flow}", headers=marks("wfr_1", init=True), content=b"payload")
    still.client.post("/v2/wait/approved", headers=marks("wfr_1"), json=a_wait())
    still.control("deliver-due")
    (run,) = still.client.get("/_fake/workflows").json()["runs"]
    assert (run["workflowRunId"], run["workflowState"]) == ("wfr_1", "RUN_STARTED")
    assert run["standing"].startswith("step 1 'approval' waits for event 'approved' until ")
    assert still.control("notify", event_id="other") == {"woken": []}
    assert still.control("notify", event_id="approved", data={"by": "ada"}) == {"woken": ["wfr_1"]}
    refused = still.client.post("/_fake/notify", json={"event_id": "approved", "run_id": "wfr_0"})
    assert (refused.status_code, refused.json()) == (
        400,
        {"error": "workflow run wfr_0 not found; the runs are: wfr_1"},
    )
