"""How a call of the control API becomes an operation, how long it lasts, and what is refused."""

import signal
import socket
import threading
from datetime import datetime, timedelta

import httpx
import pytest

from tests.server.waits import WITHIN_S, eventually
from tests.shop import JOBS

moment = datetime.fromisoformat


@pytest.fixture
def long_verb(serving):
    """A server that moves its clock through 30 million deliveries, which a route answers, and the open connection."""
    with serving("--clock", "virtual") as running:
        running.control("routes", url="*", status=200)
        answer = running.client.post(f"/v2/schedules/{JOBS}", headers={"upstash-cron": "@every 1s"})
        assert answer.status_code == 201, answer.text
        begun = running.state["now"]
        with socket.create_connection(running.address, timeout=WITHIN_S) as connection:
            connection.sendall(running.raw("POST", "/_fake/advance", b'{"duration": "365d"}'))
            eventually(lambda: running.state["now"] > begun, "the first second")
            yield running, connection


def test_others_are_answered_while_a_verb_makes_many_deliveries(long_verb):
    running, _ = long_verb
    before = len(running.state["messages"])
    assert running.publish(JOBS, delay="400d")
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
    assert answers[0].json() == {"error": "the clock is moving already: a handler of a delivery cannot move the clock"}


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


@pytest.mark.parametrize("path", ["advance", "advance-to", "advance-to-next", "deliver-due", "drain"])
def test_a_real_clock_cannot_be_moved(server, path):
    answer = server.client.post(f"/_fake/{path}", json={"duration": "5m"} if path == "advance" else {})
    assert answer.status_code == 409
    assert answer.json() == {"error": "this server's clock is real and cannot be moved: start it with --clock virtual"}


@pytest.mark.parametrize(
    ("operation", "body", "status", "error"),
    [
        ("POST advance", "", 400, 'say how far: {"duration": "5m"}, {"duration": 300} or {"minutes": 5}'),
        ("POST advance", '{"duration": 1, "days": 1}', 400, "say how far: "),
        ("POST advance", '{"days": "1"}', 400, 'days cannot be "1": it is a number'),
        ("POST advance-to", "", 400, 'time is missing: give it in a JSON body, {"time": …}'),
        ("POST advance-until", '{"message": "msg_1"}', 404, "no message has the id msg_1"),
        ("POST advance", "5m", 400, "invalid JSON body: "),
        ("POST advance", '["5m"]', 400, "invalid JSON body: expected an object, got list"),
        ("POST advance", '{"by": "5m"}', 400, "by means nothing here: use days, duration, hours, "),
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
        ("POST ", "", 404, "/_fake/ not found: there is "),
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
