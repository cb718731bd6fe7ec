"""The Python examples of QStash's documentation, each run as calls of our own against the fake.

A case is named by the place of its example in the documentation's repository. Where that repository's examples lie
beside this project, the cases are compared with them: none is missing and none is invented.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
import requests
from qstash import QStash, Receiver
from qstash.chat import openai
from qstash.message import BatchRequest

from qstash_fake import QStashFake

pytestmark = pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z")

SNIPPETS = Path(__file__).parents[3] / "shared" / "seed-doc-snippets.txt"
CALLS_OF_THE_API = 46
OTHERS = 5

TOKEN = "<QSTASH_TOKEN>"
BEARER = {"Authorization": "Bearer <token>"}
HOST = "https://qstash.upstash.io"
API = "https://my-api..."
BODY = {"hello": "world"}

Case = Callable[[QStashFake, QStash], None]
CASES: dict[str, Case] = {}
RECEIVING: dict[str, Case] = {}


def calls(place: str) -> Callable[[Case], Case]:
    """Register a case: *place* is that of an example which calls the API."""
    return lambda case: CASES.setdefault(place, case)


def receives(place: str) -> Callable[[Case], Case]:
    """Register a case: *place* is that of an example which receives deliveries, or only configures a client."""
    return lambda case: RECEIVING.setdefault(place, case)


@pytest.mark.parametrize("place", CASES)
def test_an_example_that_calls_the_api_runs(place: str, qstash_fake: QStashFake):
    CASES[place](qstash_fake, QStash(TOKEN))


@pytest.mark.parametrize("place", RECEIVING)
def test_an_example_around_the_api_runs(place: str, qstash_fake: QStashFake):
    RECEIVING[place](qstash_fake, QStash(TOKEN))


def test_there_are_as_many_cases_as_there_were_examples():
    assert (len(CASES), len(RECEIVING)) == (CALLS_OF_THE_API, OTHERS)


@pytest.mark.skipif(not SNIPPETS.exists(), reason="the documentation's examples are not beside this project")
def test_each_python_example_of_the_documentation_has_its_case():
    found: dict[bool, set[str]] = {True: set(), False: set()}
    for example in re.split(r"^-{10,}$", SNIPPETS.read_text(), flags=re.MULTILINE):
        head, _, code = example.partition("CODE:")
        if re.search(r"^LANGUAGE: *(python|py)\b", head, re.MULTILINE | re.IGNORECASE):
            place = re.search(r"^SOURCE: .*?/main/(.*)$", head, re.MULTILINE)
            assert place is not None
            found[re.search(r"\b(client|q|qstash|requests)(\.\w+)+\(", code) is not None].add(place[1])
    assert found[True] == CASES.keys()
    assert found[False] == RECEIVING.keys()


# --- publishing --------------------------------------------------------------------------------------------


@calls("qstash/sdks/py/examples/publish.mdx#_snippet_0")
def _(fake: QStashFake, client: QStash) -> None:
    client.message.publish_json(url=API, body=BODY, headers={"test-header": "test-value"}, delay="3s")
    fake.assert_published(url=API, json=BODY, headers={"test-header": "test-value"}, delay="3s", times=1)


@calls("qstash/sdks/py/examples/publish.mdx#_snippet_1")
def _(fake: QStashFake, client: QStash) -> None:
    client.url_group.upsert_endpoints("my-url-group", [{"url": "https://my-endpoint-1"}])
    result = client.message.publish_json(url_group="my-url-group", body=BODY, delay="3s")
    assert isinstance(result, list)
    assert result[0].message_id == fake.assert_published(url="https://my-endpoint-1", delay="3s").message_id


@calls("qstash/sdks/py/examples/publish.mdx#_snippet_2")
def _(fake: QStashFake, client: QStash) -> None:
    client.message.publish_json(
        url=API, body=BODY, callback="https://my-callback...", failure_callback="https://my-failure...", method="GET"
    )
    message = fake.assert_published(url=API, method="GET", json=BODY)
    assert (message.callback, message.failure_callback) == ("https://my-callback...", "https://my-failure...")


@calls("qstash/features/delay.mdx#_snippet_2")
def _(fake: QStashFake, client: QStash) -> None:
    client.message.publish_json(url=API, body=BODY, headers={"test-header": "test-value"}, delay="60s")
    fake.assert_published(url=API, delay=60)


@calls("qstash/howto/handling-failures.mdx#_snippet_2")
@calls("qstash/features/callbacks.mdx#_snippet_7")
def _(fake: QStashFake, client: QStash) -> None:
    fake.on(API).respond(500)
    fake.on("https://my-callback...").respond(200)
    client.message.publish_json(url=API, body=BODY, failure_callback="https://my-callback...")
    fake.drain()
    report = fake.assert_delivered(url="https://my-callback...").json()
    assert base64.b64decode(report["sourceBody"]) == json.dumps(BODY).encode()


@calls("qstash/features/retry.mdx#_snippet_2")
def _(fake: QStashFake, client: QStash) -> None:
    fake.on(API).respond(500)
    client.message.publish_json(url=API, body=BODY, retries=2)
    fake.drain()
    assert len(fake.attempts) == 3


@calls("qstash/howto/publishing.mdx#_snippet_2")
def _(fake: QStashFake, client: QStash) -> None:
    client.message.publish_json(url=API, body=BODY, headers={"my-header": "my-value"})
    fake.assert_published(url=API, headers={"My-Header": "my-value"})


@calls("qstash/overall/apiexamples.mdx#_snippet_2")
def _(fake: QStashFake, client: QStash) -> None:
    client.message.publish_json(url="https://example.com", body=BODY)
    fake.assert_published(url="https://example.com/", json=BODY)


@calls("qstash/overall/apiexamples.mdx#_snippet_11")
def _(fake: QStashFake, client: QStash) -> None:
    client.message.publish_json(url="https://example.com", body=BODY, headers={"My-Header": "my-value"})
    fake.assert_published(url="https://example.com", headers={"my-header": "my-value"})


@calls("qstash/api/enqueue.mdx#_snippet_2")
def _(fake: QStashFake, client: QStash) -> None:
    headers = BEARER | {"Upstash-Method": "POST", "Upstash-Retries": "3", "Upstash-Forward-Custom-Header": "custom"}
    reply = requests.post(f"{HOST}/v2/enqueue/myQueue/https://www.example.com", headers=headers, json=BODY, timeout=5)
    message = fake.assert_published(queue="myQueue", json=BODY, headers={"custom-header": "custom"})
    assert (reply.status_code, reply.json()) == (201, {"messageId": message.message_id})


@calls("qstash/features/queues.mdx#_snippet_2")
@calls("qstash/overall/apiexamples.mdx#_snippet_17")
def _(fake: QStashFake, client: QStash) -> None:
    client.message.enqueue_json(queue="my-queue", url="https://example.com", body={"Hello": "World"})
    fake.assert_published(url="https://example.com", queue="my-queue", json={"Hello": "World"})


# --- batches -----------------------------------------------------------------------------------------------


@calls("qstash/features/batch.mdx#_snippet_8")
def _(fake: QStashFake, client: QStash) -> None:
    url = "https://httpstat.us/200"
    client.message.batch(
        [
            BatchRequest(queue="my-queue", url=url, body="hi 1", retries=0),
            BatchRequest(queue="my-second-queue", url=url, body="hi 2", retries=0),
        ]
    )
    assert [(message.queue, message.text) for message in fake.messages] == [
        ("my-queue", "hi 1"),
        ("my-second-queue", "hi 2"),
    ]


@calls("qstash/features/batch.mdx#_snippet_11")
def _(fake: QStashFake, client: QStash) -> None:
    client.url_group.upsert_endpoints("my-url-group", [{"url": "https://my-endpoint-1"}])
    client.message.batch_json(
        [
            {"url_group": "my-url-group", "delay": "5s", "body": BODY, "headers": {"random": "header"}},
            {"url": "https://example.com/destination1", "delay": "1m"},
            {"url": "https://example.com/destination2", "body": {"hello": "again"}},
        ]
    )
    fake.assert_published(url="https://my-endpoint-1", json=BODY, headers={"random": "header"}, delay="5s")
    fake.assert_published(url="https://example.com/destination1", delay="1m")
    fake.assert_published(url="https://example.com/destination2", json={"hello": "again"}, delay=0)


@calls("qstash/overall/apiexamples.mdx#_snippet_20")
def _(fake: QStashFake, client: QStash) -> None:
    client.message.batch_json([{"url": f"https://example.com/destination{number}"} for number in (1, 2)])
    fake.assert_published(url="https://example.com/*", times=2)


# --- LLM providers -----------------------------------------------------------------------------------------

PROMPT = {"model": "gpt-3.5-turbo", "messages": [{"role": "user", "content": "A hello world, please."}]}
COMPLETIONS = "https://api.openai.com/v1/chat/completions"
CALLBACK = "https://abc.requestcatcher.com/"


def _answered(fake: QStashFake) -> None:
    fake.on(COMPLETIONS).respond(json={"choices": []})
    fake.on(CALLBACK).respond(200)
    fake.drain()
    fake.assert_delivered(url=COMPLETIONS, json=PROMPT, headers={"Authorization": "Bearer <OPENAI_API_KEY>"})
    fake.assert_delivered(url=CALLBACK)


@calls("qstash/integrations/llm.mdx#_snippet_1")
def _(fake: QStashFake, client: QStash) -> None:
    client.message.publish_json(
        api={"name": "llm", "provider": openai("<OPENAI_API_KEY>")}, body=PROMPT, callback=CALLBACK
    )
    _answered(fake)


@calls("qstash/integrations/llm.mdx#_snippet_3")
def _(fake: QStashFake, client: QStash) -> None:
    client.message.enqueue_json(
        queue="queue-name",
        api={"name": "llm", "provider": openai("<OPENAI_API_KEY>")},
        body=PROMPT,
        callback=CALLBACK.removesuffix("/"),
    )
    _answered(fake)


@calls("qstash/integrations/llm.mdx#_snippet_5")
def _(fake: QStashFake, client: QStash) -> None:
    client.message.batch_json(
        [{"api": {"name": "llm", "provider": openai("<OPENAI_API_KEY>")}, "body": PROMPT, "callback": CALLBACK}]
    )
    _answered(fake)


# --- messages, dead letters, logs --------------------------------------------------------------------------


@calls("qstash/api/messages/get.mdx#_snippet_2")
def _(fake: QStashFake, client: QStash) -> None:
    assert requests.get(f"{HOST}/v2/messages/msg_123", headers=BEARER, timeout=5).status_code == 404
    client.message.publish(url=API, body="x")
    (message,) = fake.messages
    shown = requests.get(f"{HOST}/v2/messages/{message.message_id}", headers=BEARER, timeout=5)
    assert shown.json()["body"] == "x"


@calls("qstash/api/messages/cancel.mdx#_snippet_2")
def _(fake: QStashFake, client: QStash) -> None:
    assert requests.delete(f"{HOST}/v2/messages/msg_123", headers=BEARER, timeout=5).status_code == 404
    client.message.publish(url=API, body="x")
    (message,) = fake.messages
    reply = requests.delete(f"{HOST}/v2/messages/{message.message_id}", headers=BEARER, timeout=5)
    assert (reply.status_code, fake.cancelled) == (202, [message])


@calls("qstash/sdks/py/examples/dlq.mdx#_snippet_1")
def _(fake: QStashFake, client: QStash) -> None:
    fake.on(API).respond(500)
    client.message.publish(url=API, body="x", retries=0)
    fake.drain()
    (dead,) = fake.dlq
    assert client.dlq.get(dead.dlq_id).response_status == 500


@calls("qstash/api/logs/list.mdx#_snippet_2")
def _(fake: QStashFake, client: QStash) -> None:
    client.message.publish(url=API, body="x")
    reply = requests.get(f"{HOST}/v2/logs", headers=BEARER, timeout=5)
    assert [entry["state"] for entry in reply.json()["logs"]] == ["CREATED"]


# --- queues ------------------------------------------------------------------------------------------------


@calls("qstash/sdks/py/examples/queues.mdx#_snippet_0")
def _(fake: QStashFake, client: QStash) -> None:
    client.queue.upsert("upstash-queue", parallelism=2)
    assert client.queue.get("upstash-queue").parallelism == 2


@calls("qstash/sdks/py/examples/queues.mdx#_snippet_1")
def _(fake: QStashFake, client: QStash) -> None:
    client.queue.upsert("upstash-queue")
    client.queue.delete("upstash-queue")
    assert not fake.queues


@calls("qstash/sdks/py/examples/queues.mdx#_snippet_2")
def _(fake: QStashFake, client: QStash) -> None:
    client.queue.upsert("upstash-queue", parallelism=1)
    client.queue.pause("upstash-queue")
    assert client.queue.get("upstash-queue").paused is True
    client.queue.resume("upstash-queue")
    assert client.queue.get("upstash-queue").paused is False


@calls("qstash/api/queues/pause.mdx#_snippet_2")
def _(fake: QStashFake, client: QStash) -> None:
    client.queue.pause("<QUEUE_NAME>".strip("<>"))
    assert fake.queues["QUEUE_NAME"].paused is True


@calls("qstash/api/queues/list.mdx#_snippet_2")
def _(fake: QStashFake, client: QStash) -> None:
    client.queue.upsert("my-queue")
    reply = requests.get(f"{HOST}/v2/queues", headers=BEARER, timeout=5)
    assert [queue["name"] for queue in reply.json()] == ["my-queue"]


@calls("qstash/api/queues/upsert.mdx#_snippet_2")
def _(fake: QStashFake, client: QStash) -> None:
    body = {"queueName": "my-queue", "parallelism": 5}
    assert requests.post(f"{HOST}/v2/queues/", headers=BEARER, json=body, timeout=5).status_code == 200
    assert fake.queues["my-queue"].parallelism == 5


@calls("qstash/api/queues/remove.mdx#_snippet_2")
def _(fake: QStashFake, client: QStash) -> None:
    client.queue.upsert("my-queue")
    # The example's path has the singular; the clients' has the plural.
    assert requests.delete(f"{HOST}/v2/queue/my-queue", headers=BEARER, timeout=5).status_code == 200
    assert not fake.queues


# --- schedules ---------------------------------------------------------------------------------------------


@calls("qstash/api/schedules/create.mdx#_snippet_2")
def _(fake: QStashFake, client: QStash) -> None:
    headers = BEARER | {"Upstash-Cron": "*/5 * * * *"}
    url = f"{HOST}/v2/schedules/https://www.example.com/endpoint"
    schedule_id = requests.post(url, headers=headers, timeout=5).json()["scheduleId"]
    schedule = fake.assert_scheduled(cron="*/5 * * * *", destination="https://www.example.com/endpoint")
    assert schedule.schedule_id == schedule_id


@calls("qstash/quickstarts/python-vercel.mdx#_snippet_7")
def _(fake: QStashFake, client: QStash) -> None:
    client.schedule.create(destination="https://YOUR_URL.vercel.app/api", cron="0 12 * * *")
    fake.assert_scheduled(cron="0 12 * * *", destination="https://your_url.vercel.app/api")


@calls("qstash/features/schedules.mdx#_snippet_4")
def _(fake: QStashFake, client: QStash) -> None:
    client.url_group.upsert_endpoints("url-group-name", [{"url": "https://my-endpoint-1"}])
    client.schedule.create(destination="url-group-name", cron="* * * * *")
    fake.assert_scheduled(cron="* * * * *", destination="url-group-name")


@calls("qstash/api/schedules/pause.mdx#_snippet_2")
def _(fake: QStashFake, client: QStash) -> None:
    schedule_id = client.schedule.create(destination=API, cron="* * * * *")
    client.schedule.pause(schedule_id)
    assert fake.schedules[schedule_id].next_at is None


@calls("qstash/api/schedules/resume.mdx#_snippet_2")
def _(fake: QStashFake, client: QStash) -> None:
    schedule_id = client.schedule.create(destination=API, cron="* * * * *")
    client.schedule.pause(schedule_id)
    client.schedule.resume(schedule_id)
    assert fake.schedules[schedule_id].next_at is not None


@calls("qstash/sdks/py/examples/schedules.mdx#_snippet_5")
def _(fake: QStashFake, client: QStash) -> None:
    client.schedule.delete(client.schedule.create(destination=API, cron="* * * * *"))
    assert not fake.schedules


@calls("qstash/api/schedules/list.mdx#_snippet_2")
def _(fake: QStashFake, client: QStash) -> None:
    client.schedule.create(destination=API, cron="* * * * *")
    reply = requests.get(f"{HOST}/v2/schedules", headers=BEARER, timeout=5)
    assert [schedule["scheduleId"] for schedule in reply.json()] == list(fake.schedules)


@calls("qstash/api/schedules/get.mdx#_snippet_2")
def _(fake: QStashFake, client: QStash) -> None:
    client.schedule.create(destination=API, cron="* * * * *", schedule_id="scd_1234")
    reply = requests.get(f"{HOST}/v2/schedules/scd_1234", headers=BEARER, timeout=5)
    assert reply.json()["destination"] == API


# --- URL groups --------------------------------------------------------------------------------------------

ENDPOINTS: Any = [{"url": "https://my-endpoint-1"}, {"url": "https://my-endpoint-2"}]


@calls("qstash/sdks/py/examples/url-groups.mdx#_snippet_0")
def _(fake: QStashFake, client: QStash) -> None:
    client.url_group.upsert_endpoints(url_group="my-url-group", endpoints=ENDPOINTS)
    assert [endpoint.url for endpoint in fake.url_groups["my-url-group"].endpoints] == [e["url"] for e in ENDPOINTS]


@calls("qstash/sdks/py/examples/url-groups.mdx#_snippet_1")
def _(fake: QStashFake, client: QStash) -> None:
    client.url_group.upsert_endpoints("my-url-group", ENDPOINTS)
    group = client.url_group.get("my-url-group")
    assert (group.name, len(group.endpoints)) == ("my-url-group", 2)


@calls("qstash/sdks/py/examples/url-groups.mdx#_snippet_3")
def _(fake: QStashFake, client: QStash) -> None:
    client.url_group.upsert_endpoints("my-url-group", ENDPOINTS)
    client.url_group.remove_endpoints(url_group="my-url-group", endpoints=[{"url": "https://my-endpoint-1"}])
    assert [endpoint.url for endpoint in fake.url_groups["my-url-group"].endpoints] == ["https://my-endpoint-2"]


@calls("qstash/sdks/py/examples/url-groups.mdx#_snippet_4")
def _(fake: QStashFake, client: QStash) -> None:
    client.url_group.upsert_endpoints("my-url-group", ENDPOINTS)
    client.url_group.delete("my-url-group")
    assert not fake.url_groups


@calls("qstash/api/url-groups/list.mdx#_snippet_2")
def _(fake: QStashFake, client: QStash) -> None:
    client.url_group.upsert_endpoints("my-url-group", ENDPOINTS)
    reply = requests.get(f"{HOST}/v2/topics", headers=BEARER, timeout=5)
    assert [group["name"] for group in reply.json()] == ["my-url-group"]


@calls("qstash/api/url-groups/remove-endpoint.mdx#_snippet_2")
def _(fake: QStashFake, client: QStash) -> None:
    client.url_group.upsert_endpoints(
        "urlGroupName", [{"url": API, "name": "endpoint1"}, {"url": "https://somewhere-else.com"}]
    )
    url = f"{HOST}/v2/topics/urlGroupName/endpoints"
    body: Any = {"endpoints": [{"name": "endpoint1"}, {"url": "https://somewhere-else.com"}]}
    # As it stands the example sends a form and calls it JSON, which is refused; it means this:
    assert requests.delete(url, headers=BEARER, data=body, timeout=5).status_code == 400
    assert requests.delete(url, headers=BEARER, json=body, timeout=5).status_code == 200
    assert not fake.url_groups


# --- signing keys ------------------------------------------------------------------------------------------


@calls("qstash/sdks/py/examples/keys.mdx#_snippet_1")
def _(fake: QStashFake, client: QStash) -> None:
    before = fake.signing_keys.next
    keys = client.signing_key.rotate()
    assert (keys.current, keys.next) == (before, fake.signing_keys.next)


@calls("qstash/api/signingKeys/rotate.mdx#_snippet_2")
def _(fake: QStashFake, client: QStash) -> None:
    before = fake.signing_keys.next
    assert requests.get(f"{HOST}/v2/keys/rotate", headers=BEARER, timeout=5).json()["current"] == before


# --- receiving, and configuring a client -------------------------------------------------------------------


@receives("qstash/howto/signature.mdx#_snippet_1")
@receives("qstash/sdks/py/examples/receiver.mdx#_snippet_0")
def _(fake: QStashFake, client: QStash) -> None:
    receiver = Receiver(
        current_signing_key=os.environ["QSTASH_CURRENT_SIGNING_KEY"],
        next_signing_key=os.environ["QSTASH_NEXT_SIGNING_KEY"],
    )

    def site(request: httpx.Request) -> httpx.Response:
        receiver.verify(
            body=request.content.decode(),
            signature=request.headers["Upstash-Signature"],
            url="https://shop.example/site?a=1",
        )
        return httpx.Response(200)

    fake.mount(site, "https://shop.example")
    client.message.publish_json(url="https://shop.example/site?a=1", body=BODY)
    assert len(fake.drain().delivered) == 1


@receives("qstash/quickstarts/aws-lambda/python.mdx#_snippet_2")
@receives("qstash/quickstarts/aws-lambda/python.mdx#_snippet_3")
def _(fake: QStashFake, client: QStash) -> None:
    """A function without the SDK: it checks the signature by hand, with the current key and then with the next."""
    event: dict[str, Any] = {}

    def function(request: httpx.Request) -> httpx.Response:
        event.update(signature=request.headers["upstash-signature"], body=request.content.decode())
        keys = [os.environ[f"QSTASH_{name}_SIGNING_KEY"] for name in ("CURRENT", "NEXT")]
        signed = any(_is_signed_by(key, event["signature"], event["body"], str(request.url)) for key in keys)
        return httpx.Response(200 if signed else 400)

    fake.mount(function, "https://function.example")
    client.message.publish_json(url="https://function.example/default/handler", body=BODY)
    fake.signing_keys.rotate()
    client.message.publish_json(url="https://function.example/default/handler", body=BODY)
    assert len(fake.deliver_due().delivered) == 2
    assert not _is_signed_by("sig_other", event["signature"], event["body"], "https://function.example/")


@receives("qstash/sdks/py/gettingstarted.mdx#_snippet_3")
def _(fake: QStashFake, client: QStash) -> None:
    fake.api.drop_connection()
    patient = QStash(TOKEN, retry={"retries": 3, "backoff": lambda attempt: 2**attempt * 0})
    patient.message.publish(url=API, body="x")
    assert len(fake.messages) == 1


def _is_signed_by(key: str, token: str, body: str, url: str) -> bool:
    signed, _, signature = token.rpartition(".")
    digest = base64.urlsafe_b64encode(hmac.digest(key.encode(), signed.encode(), "sha256")).decode()
    claims = jwt.decode(token, options={"verify_signature": False})
    hashed = base64.urlsafe_b64encode(hashlib.sha256(body.encode()).digest()).decode()
    return (
        signature == digest.rstrip("=")
        and (claims["iss"], claims["sub"].rstrip("/")) == ("Upstash", url.rstrip("/"))
        and claims["body"].rstrip("=") == hashed.rstrip("=")
        and claims["nbf"] <= claims["iat"] < claims["exp"]
    )
