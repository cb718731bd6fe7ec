"""The stand-alone server with a real clock: what is published is delivered, by itself, when it is due."""

import re
import threading
from contextlib import closing

import httpx
import pytest
from qstash import QStash, Receiver

from qstash_fake.protocol.durations import to_ms
from tests.server.waits import WITHIN_S, eventually

HANG_UP = 0


def test_a_published_message_is_delivered_at_once_and_signed(server, destination):
    environment = server.environment
    client = QStash(environment["QSTASH_TOKEN"], base_url=environment["QSTASH_URL"])
    with closing(client.http._client):  # the SDK leaves that to the end of the process
        client.message.publish_json(url=f"{destination.url}/jobs?x=1", body={"order": 7}, headers={"X-Shop": "main"})
    (request,) = destination.wait_for(1)
    assert (request.method, request.path, request.body) == ("POST", "/jobs?x=1", b'{"order": 7}')
    assert request.headers["x-shop"] == "main"
    assert request.headers["user-agent"] == "Upstash-QStash"
    Receiver(environment["QSTASH_CURRENT_SIGNING_KEY"], environment["QSTASH_NEXT_SIGNING_KEY"]).verify(
        body=request.body.decode(), signature=request.headers["upstash-signature"], url=f"{destination.url}/jobs?x=1"
    )


def test_nothing_of_httpx_reaches_the_destination(server, destination):
    server.publish(f"{destination.url}/jobs", b"{}")
    (request,) = destination.wait_for(1)
    assert set(request.headers) == {
        "host",
        "user-agent",
        "upstash-message-id",
        "upstash-retried",
        "upstash-signature",
        "upstash-caller-ip",
        "upstash-region",
        "accept-encoding",
        "content-length",
    }


def test_a_delayed_message_waits(server, destination):
    delayed = server.publish(f"{destination.url}/later", delay="1h")
    server.publish(f"{destination.url}/now")
    destination.wait_for(1)
    assert server.message(delayed)["state"] == "CREATED"
    assert [request.path for request in destination.received] == ["/now"]


def test_a_failed_delivery_is_retried_at_its_time(server, destination):
    answers = iter([503, 200])
    destination.handle = lambda request: next(answers)
    message = server.settled(server.publish(destination.url, retry_delay="50"))
    assert [attempt["status"] for attempt in message["attempts"]] == [503, 200]
    assert [request.headers["upstash-retried"] for request in destination.received] == ["0", "1"]


def test_a_message_that_fails_for_good_is_a_dead_letter(server, destination):
    destination.handle = lambda request: 500
    message_id = server.publish(destination.url, retries="1", retry_delay="1")
    assert server.settled(message_id)["state"] == "FAILED"
    (dead,) = server.client.get("/v2/dlq").json()["messages"]
    assert (dead["messageId"], dead["responseStatus"]) == (message_id, 500)


def test_a_redriven_dead_letter_is_delivered(server, destination):
    destination.handle = lambda request: 500
    server.settled(server.publish(destination.url, b"again", retries="0"))
    (dead,) = server.client.get("/v2/dlq").json()["messages"]
    destination.handle = lambda request: 200
    answer = server.client.post(f"/v2/dlq/retry/{dead['dlqId']}")
    assert server.settled(answer.json()["messageId"])["state"] == "DELIVERED"
    assert destination.bodies == [b"again", b"again"]


def test_deliveries_go_on_side_by_side(server, destination):
    together = threading.Barrier(3, timeout=WITHIN_S)
    destination.handle = lambda request: 200 if together.wait() >= 0 else 500
    messages = [server.publish(destination.url, retries="0") for _ in range(3)]
    assert [server.settled(message)["state"] for message in messages] == ["DELIVERED"] * 3


def test_a_queue_delivers_one_after_the_other_in_order(server, destination):
    inside, overlaps = list[bytes](), list[list[bytes]]()

    def handle(request):
        overlaps.append(list(inside))
        inside.append(request.body)
        threading.Event().wait(0.02)  # long enough for another one to come in
        inside.remove(request.body)
        return 503 if len(overlaps) == 1 else 200

    destination.handle = handle
    for body in (b"1", b"2", b"3"):
        answer = server.client.post(
            f"/v2/enqueue/bills/{destination.url}", content=body, headers={"upstash-retry-delay": "20"}
        )
        assert answer.status_code == 201
    destination.wait_for(4)
    assert destination.bodies == [b"1", b"1", b"2", b"3"]
    assert overlaps == [[], [], [], []]


def test_flow_control_lets_as_many_in_as_it_says(server, destination):
    together = threading.Barrier(2, timeout=WITHIN_S)
    inside, most = [], []

    def handle(request):
        inside.append(request)
        most.append(len(inside))
        together.wait()
        inside.remove(request)
        return 200

    destination.handle = handle
    limits = {"flow_control_key": "shop", "flow_control_value": "parallelism=2"}
    messages = [server.publish(destination.url, retries="0", **limits) for _ in range(6)]
    assert [server.settled(message)["state"] for message in messages] == ["DELIVERED"] * 6
    assert max(most) == 2


def test_a_handler_may_publish(server, destination):
    def handle(request):
        if request.path == "/first":
            server.publish(f"{destination.url}/second")
        return 200

    destination.handle = handle
    server.publish(f"{destination.url}/first")
    assert [request.path for request in destination.wait_for(2)] == ["/first", "/second"]


def test_a_callback_is_delivered(server, destination):
    server.publish(f"{destination.url}/jobs", callback=f"{destination.url}/done")
    assert [request.path for request in destination.wait_for(2)] == ["/jobs", "/done"]


@pytest.mark.protocol("3.1 what counts as success")
def test_redirects_are_not_followed(server, destination):
    destination.handle = lambda request: (302, {"location": f"{destination.url}/elsewhere"})
    message = server.settled(server.publish(f"{destination.url}/jobs", retries="0"))
    assert (message["state"], message["attempts"][0]["status"]) == ("FAILED", 302)
    assert [request.path for request in destination.received] == ["/jobs"]


def test_a_destination_elsewhere_is_refused_with_a_sentence(server):
    message = server.settled(server.publish("https://api.example/jobs", retries="0"))
    (attempt,) = message["attempts"]
    assert attempt["status"] == 0
    assert attempt["error"] == (
        "api.example is not this machine, and nothing was sent: map it with "
        "--route https://api.example=http://localhost:3000, or let everything out with --allow-external"
    )


def test_broken_destinations_do_not_stop_the_others(server, destination):
    destination.handle = lambda request: 200 if request.path == "/fine" else HANG_UP
    broken = ["http://127.0.0.1:1/nobody", "http://127.0.0.1:0/", "http://[::1]:1/%zz", f"{destination.url}/hangs-up"]
    messages = [server.publish(url, retries="0") for url in broken]
    fine = server.publish(f"{destination.url}/fine")
    assert server.settled(fine)["state"] == "DELIVERED"
    for message_id in messages:
        message = server.settled(message_id)
        assert (message["state"], message["attempts"][0]["status"]) == ("FAILED", 0)
        assert message["attempts"][0]["error"]


def test_each_delivery_is_one_line(server, destination):
    destination.handle = lambda request: 503
    message_id = server.publish(f"{destination.url}/lines", retries="1", retry_delay="1")
    server.settled(message_id)

    def lines():
        return [line for line in server.lines if "/lines" in line]

    eventually(lambda: len(lines()) == 2, "the second line")
    time, rest = lines()[1].split("  ", 1)
    assert time.endswith("Z")
    assert rest.startswith(f"{message_id[:12]}…  POST {destination.url}/lines  attempt 2 of 2  503  in ")


def test_a_message_cancelled_in_flight_is_not_retried(server, destination):
    cancelled = threading.Event()
    destination.handle = lambda request: 500 if cancelled.wait(WITHIN_S) else 200
    message_id = server.publish(destination.url, retry_delay="1")
    destination.wait_for(1)
    assert server.client.delete(f"/v2/messages/{message_id}").status_code == 202
    cancelled.set()
    assert server.settled(message_id)["state"] == "CANCELED"
    assert len(destination.received) == 1


def test_a_reset_while_a_delivery_is_under_way_is_refused_and_forgets_nothing(server, destination):
    answered = threading.Event()
    destination.handle = lambda request: 200 if answered.wait(WITHIN_S) else 500
    message_id = server.publish(destination.url)
    destination.wait_for(1)
    refused = server.client.post("/_fake/reset")
    assert (refused.status_code, refused.json()) == (
        409,
        {"error": f"a delivery to {destination.url} is under way: reset when it has ended"},
    )
    answered.set()
    assert server.settled(message_id)["state"] == "DELIVERED"
    server.control("reset")
    assert server.state["messages"] == []


def test_a_reset_waits_for_a_handler_that_is_about_to_answer_and_nothing_new_begins(server, destination):
    answered = threading.Event()
    destination.handle = lambda request: 200 if answered.wait(WITHIN_S) else 500
    for body in (b"1", b"2"):
        server.client.post(f"/v2/enqueue/bills/{destination.url}", content=body)
    destination.wait_for(1)
    threading.Timer(0.05, answered.set).start()
    server.control("reset")
    assert (server.state["messages"], destination.bodies) == ([], [b"1"])


def test_what_a_route_takes_passes_in_real_time(server):
    server.control("routes", url="https://shop.example/slow", status=200, takes="50ms")
    server.control("routes", url="https://shop.example/slower", status=200, takes="1h")
    slow, slower = (server.publish(f"https://shop.example/{name}") for name in ("slow", "slower"))
    assert server.settled(slow)["state"] == "DELIVERED"
    assert server.message(slower)["state"] == "ACTIVE"
    took = re.compile(r"POST https://shop\.example/slow  attempt 1 of 4  200  in (.*)")
    (found,) = eventually(lambda: [match for line in server.lines if (match := took.search(line))], "the line")
    assert to_ms(found[1]) >= 50


def test_a_prefix_is_delivered_to_the_url_it_is_mapped_to(serving, destination):
    route = f"https://shop.example/api={destination.url}/local/"
    with serving("--route", route) as running:
        environment = running.environment
        running.publish("https://SHOP.example/api/jobs?x=%2F", b"{}", method="PUT")
        (request,) = destination.wait_for(1)
        assert (request.method, request.path) == ("PUT", "/local/jobs?x=%2F")
        assert request.headers["host"] == destination.url.removeprefix("http://")
        assert request.headers["x-forwarded-host"] == "SHOP.example"
        assert request.headers["x-forwarded-proto"] == "https"
        Receiver(environment["QSTASH_CURRENT_SIGNING_KEY"], environment["QSTASH_NEXT_SIGNING_KEY"]).verify(
            body="{}", signature=request.headers["upstash-signature"], url="https://SHOP.example/api/jobs?x=%2F"
        )
        elsewhere = running.settled(running.publish("https://shop.example/apixyz", retries="0"))
        assert "is not this machine" in elsewhere["attempts"][0]["error"]


def test_a_dropped_connection_breaks_without_an_answer(server):
    server.control("drop-connection", times=2)
    for _ in range(2):
        with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
            server.client.get("/v2/keys")
    assert server.client.get("/v2/keys").status_code == 200


@pytest.mark.parametrize("path", ["/v2/publish/http://127.0.0.1:1/", "/_fake/reset"])
def test_a_web_page_from_elsewhere_is_refused(server, path):
    origins = [("origin", "http://localhost"), ("origin", "https://evil.example")]
    for headers in ({"origin": "https://evil.example"}, {"origin": "null"}, {"host": "evil.example:8080"}, origins):
        answer = server.client.post(path, headers=headers)
        assert answer.status_code == 403, headers
        assert "are refused" in answer.json()["error"]
    assert server.state["messages"] == []


def test_a_page_of_this_machine_is_let_in(server):
    headers = {"origin": "http://localhost:3000", "host": "localhost"}
    assert server.client.get("/v2/keys", headers=headers).status_code == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_an_image_on_a_page_of_another_origin_changes_nothing(server, site):
    before = server.client.get("/v2/keys").json()
    headers = {"sec-fetch-site": site, "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}
    answer = httpx.get(
        f"{server.url}/v2/keys/rotate?qstash_token=x", headers=headers, trust_env=False, timeout=WITHIN_S
    )
    assert (answer.status_code, answer.json()) == (
        403,
        {"error": f"requests of web pages from elsewhere are refused, and this one is {site}"},
    )
    assert server.client.get("/v2/keys").json() == before


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_what_the_user_opens_in_a_browser_is_let_in(server, site):
    assert server.client.get("/v2/keys", headers={"sec-fetch-site": site}).status_code == 200


def test_any_token_is_let_in_unless_some_are_named(server, serving):
    assert server.client.get("/v2/queues", headers={"authorization": "Bearer x"}).status_code == 200
    assert httpx.get(f"{server.url}/v2/queues", trust_env=False, timeout=WITHIN_S).status_code == 401
    with serving("--token", "one", "--token", "two", "--read-only-token", "three", token="one") as running:
        for token, get, post in (("one", 200, 200), ("two", 200, 200), ("three", 200, 403), ("four", 401, 401)):
            headers = {"authorization": f"Bearer {token}"}
            assert running.client.get("/v2/queues", headers=headers).status_code == get
            assert running.client.get("/_fake/state", headers=headers).status_code == get
            assert running.client.post("/v2/queues", json={"queueName": "q"}, headers=headers).status_code == post
            assert running.client.post("/_fake/reset", headers=headers).status_code == post


def test_two_servers_give_different_ids(server, serving):
    with serving() as running:
        assert running.publish("http://127.0.0.1:1/", delay="1h") != server.publish("http://127.0.0.1:1/", delay="1h")


def test_the_plan_counts(serving):
    with serving("--plan", "free") as running:
        answer = running.client.post("/v2/publish/https://shop.example/", headers={"upstash-delay": "8d"})
        assert (answer.status_code, answer.json()["error"]) == (400, "quota maxDelay exceeded, current limit: 604800")
