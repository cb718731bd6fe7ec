"""Deliveries, to a destination on this machine: requests, signatures, what follows from the answer."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from typing import Any

import jwt
import pytest

from conformance.destination import Answer, Destination
from conformance.service import Service

GZIP = (("Content-Encoding", "gzip"),)


def delivered(service: Service, path: str = "/jobs", *, count: int = 1, **options: str) -> tuple[str, Destination]:
    """Publish to *path* of the destination and wait for *count* deliveries there; return the message's id, too."""
    place = service.place()
    message_id = service.publish(f"{place.url}{path}", **options)
    service.until(lambda: len(place.received) >= count, f"delivery {count}")
    return message_id, place


def ended(service: Service, message_id: str, state: str) -> list[str]:
    """Wait until a message is in *state*, and return the states it has had."""
    service.until(lambda: state in service.states(message_id), f"the state {state}")
    return service.states(message_id)


def dead_letter(service: Service, answer: Answer, body: str = "") -> Any:
    """Publish a message that gets this answer, and return its dead letter."""
    service.place().answer = lambda received: answer
    message_id, _ = delivered(service, retries="0", body=body)
    ended(service, message_id, "FAILED")
    listed = f"/v2/dlq?messageId={message_id}"
    service.until(lambda: service.json("GET", listed)["messages"] != [], "the dead letter")
    return service.json("GET", listed)["messages"][0]


@pytest.mark.protocol("3.1 own headers", "3.1 method and body", "3.1 gzip", "3.1 region")
def test_a_delivery_says_what_it_is(service: Service):
    message_id, place = delivered(service, path="/jobs?x=1", method="PUT", body="{ }", forward_x_shop="main")
    (request,) = place.received
    headers = request.headers
    assert (request.method, request.url, request.body) == ("PUT", f"{place.url}/jobs?x=1", b"{ }")
    assert (headers["User-Agent"], headers["Upstash-Message-Id"]) == ("Upstash-QStash", message_id)
    assert (headers["Upstash-Retried"], headers["X-Shop"], headers["Accept-Encoding"]) == ("0", "main", "gzip")
    assert [name in headers for name in ("Upstash-Caller-Ip", "Content-Type", "Authorization")] == [True, False, False]


@pytest.mark.protocol("3.2 token", "3.2 claims", "3.2 body claim", "3.2 key of the attempt")
def test_a_delivery_is_signed_with_the_current_key(service: Service):
    _, place = delivered(service, path="/jobs?x=1", body="hello")
    token = place.received[0].headers["Upstash-Signature"]
    key = service.json("GET", "/v2/keys")["current"]
    claims = jwt.decode(token, key, algorithms=["HS256"], issuer="Upstash", leeway=10, options={"verify_iat": False})
    assert list(jwt.get_unverified_header(token)) == ["alg", "typ"]
    assert list(claims) == ["aud", "body", "exp", "iat", "iss", "jti", "nbf", "sub"]
    assert (claims["aud"], claims["nbf"], claims["exp"] - claims["iat"]) == ("", 0, 300)
    assert claims["sub"] == f"{place.url}/jobs?x=1"
    assert claims["body"] == base64.urlsafe_b64encode(hashlib.sha256(b"hello").digest()).decode()


@pytest.mark.protocol("4.1 three entries of a success")
def test_a_success_is_created_active_delivered(service: Service):
    message_id, _ = delivered(service)
    assert ended(service, message_id, "DELIVERED") == ["CREATED", "ACTIVE", "DELIVERED"]


@pytest.mark.protocol("4.1 four entries of a failure", "4.3 entry created", "4.3 fields")
def test_a_failure_without_retries_is_a_dead_letter_with_the_answer(service: Service):
    dead = dead_letter(service, Answer(503, b"broken", (("X-Why", "test"),)), body="hello")
    assert service.states(dead["messageId"]) == ["CREATED", "ACTIVE", "ERROR", "FAILED"]
    assert (dead["body"], dead["responseStatus"], dead["responseBody"]) == ("hello", 503, "broken")
    assert dead["responseHeader"]["X-Why"] == ["test"]


@pytest.mark.protocol("4.3 retry", "4.3 bulk retry/delete")
def test_a_dead_letter_is_retried_as_a_new_message_once(service: Service):
    dead = dead_letter(service, Answer(500))
    service.place().answer = lambda received: Answer()
    path = f"/v2/dlq/{dead['dlqId']}"
    again = service.json("POST", f"/v2/dlq/retry?dlqIds={dead['dlqId']}")
    assert (len(again["responses"]), again["cursor"]) == (1, "")
    assert again["responses"][0]["messageId"] != dead["messageId"]
    assert [service.call("GET", path).status_code, service.call("DELETE", path).status_code] == [404, 404]


@pytest.mark.protocol("3.1 what counts as success")
def test_a_redirect_is_not_followed_and_fails(service: Service):
    place = service.place()
    dead = dead_letter(service, Answer(307, b"", (("Location", f"{place.url}/elsewhere"),)))
    assert (dead["responseStatus"], len(place.received)) == (307, 1)


@pytest.mark.protocol("4.2 response headers that override the wait", "4.2 Upstash-Retried", "4.1 retry")
def test_an_answer_may_ask_for_a_retry_at_once(service: Service):
    place = service.place()
    place.answer = lambda received: Answer(200 if len(place.received) > 1 else 503, b"", (("Retry-After", "0"),))
    message_id, _ = delivered(service, count=2)
    assert [one.headers["Upstash-Retried"] for one in place.received] == ["0", "1"]
    assert [one.headers["Upstash-Message-Id"] for one in place.received] == [message_id] * 2
    assert ended(service, message_id, "DELIVERED") == ["CREATED", "ACTIVE", "ERROR", "RETRY", "ACTIVE", "DELIVERED"]


@pytest.mark.protocol("4.2 non-retryable")
def test_status_489_with_its_header_ends_all_retries(service: Service):
    service.place().answer = lambda received: Answer(489, b"", (("Upstash-NonRetryable-Error", "true"),))
    message_id, place = delivered(service, retries="3")
    ended(service, message_id, "FAILED")
    assert len(place.received) == 1


@pytest.mark.protocol("4.2 default", "4.2 formula", "4.2 jitter")
def test_three_retries_wait_longer_and_longer(service: Service):
    place = service.virtual_place("the waits before three retries")
    place.answer = lambda received: Answer(500)
    service.publish(f"{place.url}/jobs")
    service.deliver()
    counts = [len(place.received)]
    for step in ("11s", "1s", "148s", "1808s", "1d"):
        service.advance(step)
        counts.append(len(place.received))
    assert counts == [1, 1, 2, 3, 4, 4]


@pytest.mark.protocol("3.5 body of a callback", "3.5 each attempt", "3.1 gzip")
def test_a_callback_tells_the_answer_unpacked(service: Service):
    place = service.place()
    packed = Answer(201, gzip.compress(b"made"), GZIP)
    place.answer = lambda received: packed if "/jobs" in received.url else Answer()
    options = {"body": "in", "callback": f"{place.url}/done", "callback_label": service.own}
    message_id, _ = delivered(service, count=2, **options)
    report = json.loads(next(one.body for one in place.received if one.url.endswith("/done")))
    assert (report["status"], base64.b64decode(report["body"])) == (201, b"made")
    assert (report["sourceMessageId"], base64.b64decode(report["sourceBody"])) == (message_id, b"in")
    assert (report["url"], report["method"], report["maxRetries"]) == (f"{place.url}/jobs", "POST", 3)
    assert ("retried" in report, "callerIP" in report) == (False, True)
    assert (type(report["createdAt"]), "Content-Encoding" in report["header"]) == (int, False)


@pytest.mark.protocol("3.5 each attempt")
def test_a_failure_callback_names_the_dead_letter(service: Service):
    place = service.place()
    place.answer = lambda received: Answer(500 if "/jobs" in received.url else 200, b"no")
    options = {"retries": "0", "failure_callback": f"{place.url}/failed", "failure_callback_label": service.own}
    delivered(service, count=2, **options)
    report = json.loads(place.received[1].body)
    assert (report["status"], base64.b64decode(report["body"])) == (500, b"no")
    assert service.json("GET", f"/v2/dlq/{report['dlqId']}")["messageId"] == report["sourceMessageId"]


@pytest.mark.protocol("4.4 order", "4.4 auto-create")
def test_a_queue_that_enqueueing_has_made_delivers_in_order(service: Service):
    place = service.place()
    service.made.append(f"/v2/queues/{service.own}")
    headers = {"Upstash-Label": service.own}
    for body in ("1", "2", "3"):
        service.json("POST", f"/v2/enqueue/{service.own}/{place.url}/jobs", content=body, headers=headers)
    service.until(lambda: len(place.received) == 3, "the third delivery")
    assert [one.body for one in place.received] == [b"1", b"2", b"3"]
    assert service.json("GET", f"/v2/queues/{service.own}")["parallelism"] == 1
