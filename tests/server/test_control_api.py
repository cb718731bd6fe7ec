"""The control API: a test in any language moves the clock, reads what happened and says how things answer."""

import signal
import socket
import threading
from datetime import datetime, timedelta

import httpx
import pytest

from tests.server.waits import WITHIN_S, eventually

SHOP = "https://shop.example/jobs"
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


@pytest.fixture
def long_verb(serving):
    """A server that moves its clock through 30 million deliveries, which a route answers, and the open connection."""
    with serving("--clock", "virtual") as running:
        running.control("routes", url="*", status=200)
        answer = running.client.post(f"/v2/schedules/{SHOP}", headers={"upstash-cron": "@every 1s"})
        assert answer.status_code == 201, answer.text
        begun = running.state["now"]
        with socket.create_connection(running.address, timeout=WITHIN_S) as connection:
            connection.sendall(running.raw("POST", "/_fake/advance", b'{"duration": "365d"}'))
            eventually(lambda: running.state["now"] > begun, "the first second")
            yield running, connection


def test_others_are_answered_while_a_verb_makes_many_deliveries(long_verb):
    running, _ = long_verb
    before = len(running.state["messages"])
    assert running.publish(SHOP, delay="400d")
    assert running.client.get("/v2/keys").status_code == 200
    assert running.client.post("/_fake/advance", json={"duration": 1}).status_code == 409
    assert running.client.post("/_fake/reset").json() == {
        "error": "the clock is moving: reset when the verb that moves it has ended"
    }
    eventually(lambda: len(running.state["messages"]) > before, "more deliveries")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_ends_a_server_whose_verb_makes_many_deliveries(long_verb, number, status):
    running, connection = long_verb
    running.process.send_signal(number)
    assert running.process.wait(WITHIN_S) == status
    assert connection.recv(100).startswith(b"HTTP/1.1 503 ")


def test_a_verb_of_many_deliveries_ends_when_its_client_hangs_up(long_verb):
    running, connection = long_verb
    connection.close()
    eventually(lambda: running.client.post("/_fake/reset").status_code == 200, "the end of it")


def test_lines_are_printed_while_a_verb_is_under_way(still, destination):
    printed = threading.Event()
    destination.handle = lambda request: 200 if request.path == "/first" or printed.wait(WITHIN_S) else 500
    first = still.publish(f"{destination.url}/first")
    still.publish(f"{destination.url}/second")
    moving = threading.Thread(target=still.control, args=("deliver-due",))
    moving.start()
    eventually(lambda: [line for line in still.lines if f"  {first[:12]}…  " in line], "the line")
    printed.set()
    moving.join()


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


def test_a_handler_cannot_move_the_clock(still, destination):
    answers = list[httpx.Response]()

    def handle(request):
        urls = (f"{still.url}/_fake/{path}" for path in ("advance-to-next", "reset"))
        answers.extend(httpx.post(url, headers=still.client.headers, trust_env=False, timeout=WITHIN_S) for url in urls)
        return 200

    destination.handle = handle
    still.publish(destination.url)
    assert len(still.control("deliver-due")["delivered"]) == 1
    assert [answer.status_code for answer in answers] == [409, 409]
    assert answers[0].json() == {"error": "the clock is moving already: what answers a delivery cannot move the clock"}


def test_a_destination_that_never_answers_takes_its_time_out_of_virtual_time(still, destination):
    answered = threading.Event()
    destination.handle = lambda request: 200 if answered.wait(WITHIN_S) else 500
    still.publish(destination.url, timeout="1s", retries="0")
    assert still.control("deliver-due")["dead"] == []
    answered.set()
    assert still.control("advance", duration="999ms")["dead"] == []
    assert len(still.control("advance", duration="1ms")["dead"]) == 1
    assert still.state["messages"][0]["attempts"][0]["error"] == "timeout"


def test_a_verb_ends_when_its_client_hangs_up_and_the_next_one_goes_on_from_there(still, destination):
    given_up = list[bool]()

    def handle(request):
        if len(destination.received) == 1:
            given_up.append(request.is_given_up())
        return 200

    destination.handle = handle
    still.publish(destination.url, retries="1", retry_delay="60000", delay="1m")
    still.publish(f"{destination.url}/later", delay="2m")
    before = still.state["now"]
    with socket.create_connection(still.address) as connection:
        connection.sendall(still.raw("POST", "/_fake/advance", b'{"duration": "1h"}'))
        destination.wait_for(1)
    eventually(lambda: given_up == [True], "the end of the delivery")
    eventually(lambda: still.client.post("/_fake/advance", json={"duration": 0}).status_code == 200, "the end of it")
    state = still.state
    assert moment(state["now"]) - moment(before) == timedelta(minutes=1)
    assert [len(message["attempts"]) for message in state["messages"]] == [1, 0]
    assert len(still.control("advance", duration="1m")["delivered"]) == 2


def test_reset_forgets_everything_but_the_time(still):
    still.publish(SHOP)
    still.control("routes", url=SHOP, status=200)
    still.control("fail", kind=500, times=3)
    now = still.control("advance", duration="1h")["now"]
    assert still.control("reset") == {"now": now}
    state = still.state
    assert [state[name] for name in ("messages", "pending", "dead_letters", "schedules", "queues")] == [[]] * 5
    assert still.client.get("/_fake/routes").json() == {"routes": []}
    assert still.client.get("/v2/keys").status_code == 200


def test_state_shows_all_there_is(still):
    still.client.post("/v2/queues", json={"queueName": "bills", "paused": True})
    still.client.post("/v2/topics/all/endpoints", json={"endpoints": [{"url": SHOP}]})
    still.client.post(f"/v2/enqueue/bills/{SHOP}", content=b"held")
    still.publish(SHOP, flow_control_key="shop", flow_control_value="rate=1", label="invoice", redact_fields="body")
    still.control("routes", url=SHOP, status=200)
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
    still.publish(SHOP, delay="5m")
    answer = still.client.get("/_fake/timeline")
    assert answer.headers["content-type"].startswith("text/plain")
    assert f"POST {SHOP}" in answer.text


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
    still.control("routes", url=SHOP, **answer)
    still.publish(SHOP, retries="1" if len(attempts) > 1 else "0")
    still.control("drain")
    (message,) = still.state["messages"]
    assert [(attempt["status"], attempt["error"]) for attempt in message["attempts"]] == attempts


def test_what_a_route_answers_reaches_the_dead_letter(still):
    still.control("routes", url=SHOP, status=500, json={"why": "é"}, headers={"X-Why": "no"})
    still.publish(SHOP, retries="0")
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
        ({"url": SHOP}, "say what the route answers: headers, json, refuse_connection, respond_with, status, "),
        ({"url": SHOP, "status": 200, "time_out": True}, "a route answers in one way"),
        ({"url": SHOP, "status": "200"}, 'status cannot be "200": it is a whole number'),
        ({"url": SHOP, "status": 99}, "respond(99): the status is an HTTP status"),
        ({"url": SHOP, "status": 200, "takes": "soon"}, "invalid duration 'soon'"),
        ({"url": SHOP, "status": 200, "takes": -1}, "a duration cannot be negative"),
        ({"url": SHOP, "status": 200, "times": -1}, "times cannot be -1"),
        ({"url": SHOP, "status": 200, "headers": {"a": 1}}, 'headers cannot be {"a": 1}: it is an object of texts'),
        (
            {"url": SHOP, "respond_with": [True]},
            "respond_with cannot be [true]: it is a list of whole numbers or objects",
        ),
        ({"url": SHOP, "respond_with": [{"body": "x"}]}, "body means nothing here: use headers, json, status, text"),
        ({"url": SHOP, "answer": 503}, "answer means nothing here: use headers, json, method, "),
        ({"url": SHOP, "json": 1, "text": "2"}, "respond takes one of json=, text= and content="),
    ],
)
def test_a_route_that_makes_no_sense_is_refused_and_not_made(still, given, error):
    answer = still.client.post("/_fake/routes", json=given)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(error)
    still.publish(SHOP, retries="0")
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


@pytest.mark.parametrize("path", ["advance", "advance-to", "advance-to-next", "deliver-due", "drain"])
def test_a_real_clock_cannot_be_moved(server, path):
    answer = server.client.post(f"/_fake/{path}", json={"duration": "5m"} if path == "advance" else {})
    assert answer.status_code == 409
    assert answer.json() == {"error": "this server's clock is real and cannot be moved: start it with --clock virtual"}


@pytest.mark.parametrize(
    ("operation", "body", "status", "error"),
    [
        ("POST advance", "", 400, 'duration is missing: give it in a JSON body, {"duration": …}'),
        ("POST advance", "5m", 400, "invalid JSON body: "),
        ("POST advance", '["5m"]', 400, "invalid JSON body: expected an object, got list"),
        ("POST advance", '{"by": "5m"}', 400, "by means nothing here: use duration"),
        (
            "POST advance",
            '{"duration": true}',
            400,
            "duration cannot be true: it is a text or a number",
        ),
        ("POST advance", '{"duration": "5 minutes"}', 400, "invalid duration '5 minutes'"),
        ("POST advance", '{"duration": "99999999d"}', 400, "cannot advance beyond the year 9999"),
        ("POST advance-to", '{"time": "noon"}', 400, "'noon' is no ISO 8601 time"),
        ("POST drain", '{"limit": 1.5}', 400, "limit cannot be 1.5: it is a whole number"),
        ("POST reset", '{"all": 1}', 400, "all means nothing here: there is nothing to say"),
        ("GET advance", "", 405, "GET /_fake/advance is not possible: use POST"),
        ("PUT routes", "", 405, "PUT /_fake/routes is not possible: use POST or GET or DELETE"),
        ("GET nothing", "", 404, "/_fake/nothing not found: there is /_fake/advance, /_fake/advance-to, "),
        ("GET ", "", 404, "/_fake/ not found: there is "),
    ],
)
def test_what_is_not_understood_is_refused_with_a_sentence(still, operation, body, status, error):
    before = still.state["now"]
    method, _, path = operation.partition(" ")
    answer = still.client.request(method, f"/_fake/{path}", content=body)
    assert answer.status_code == status
    assert answer.json()["error"].startswith(error)
    assert still.state["now"] == before


def test_the_control_api_asks_for_a_token(still):
    answer = httpx.get(f"{still.url}/_fake/state", trust_env=False, timeout=WITHIN_S)
    assert (answer.status_code, answer.json()) == (401, {"error": "unable to authenticate: invalid token"})
    assert httpx.get(f"{still.url}/_fake/state?qstash_token=x", trust_env=False, timeout=WITHIN_S).status_code == 200


@pytest.mark.parametrize("path", ["/_fake/reset", "/v2/publish/http://127.0.0.1:1/"])
def test_a_body_has_a_limit_and_the_token_counts_before_it_is_read(still, path):
    def blanks():
        for _ in range(101):
            yield b" " * 1024 * 1024

    answer = still.client.post(path, content=blanks())
    assert (answer.status_code, answer.json()) == (
        413,
        {"error": "request body too large: it has more than 104857600 bytes"},
    )
    assert still.state["messages"] == []
    with socket.create_connection(still.address, timeout=WITHIN_S) as connection:
        # Half a request: an answer comes only if nobody waits for the rest.
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n"
        connection.sendall(head.encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 401 ")
