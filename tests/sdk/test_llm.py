"""LLM and e-mail destinations: ordinary routes, and the old chat endpoint; PROTOCOL 1.9."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from qstash import AsyncQStash, QStash
from qstash.chat import custom, openai

from qstash_fake import QStashFake

pytestmark = pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z")

BACK = "https://shop.example/back"
OPENAI = "https://api.openai.com/v1/chat/completions"
LLM = "https://qstash.upstash.io/llm/v1/chat/completions"
ANSWER = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "42"}, "finish_reason": "stop"}]}


def reported(shop: Any) -> dict[str, Any]:
    """What the callback says of the attempt, its body decoded."""
    report: dict[str, Any] = json.loads(shop.at("/back")[-1].body)
    return report | {"body": json.loads(base64.b64decode(report["body"]))}


def test_the_sdks_llm_api_is_a_route_to_the_provider(client: QStash, shop: Any, qstash_fake: QStashFake):
    route = qstash_fake.on(OPENAI, "POST").respond(json=ANSWER)
    client.message.publish_json(
        api={"name": "llm", "provider": openai("sk-1")}, body={"model": "m", "messages": []}, callback=BACK
    )
    qstash_fake.drain()
    (attempt,) = route.calls
    assert attempt.message.headers["authorization"] == "Bearer sk-1"
    assert attempt.message.json() == {"model": "m", "messages": []}
    assert (reported(shop)["status"], reported(shop)["body"]) == (200, ANSWER)


def test_another_provider_is_a_route_to_its_url(client: QStash, qstash_fake: QStashFake):
    route = qstash_fake.on("https://llm.example/v1/chat/completions").respond(json=ANSWER)
    provider = custom("https://llm.example/v1/chat/completions", "t")
    client.message.publish_json(api={"name": "llm", "provider": provider}, body={})
    qstash_fake.drain()
    assert len(route.calls) == 1


def test_llm_calls_are_enqueued_and_batched_as_well(client: QStash, shop: Any, qstash_fake: QStashFake):
    route = qstash_fake.on(OPENAI).respond(json=ANSWER)
    api: Any = {"name": "llm", "provider": openai("sk-1")}
    client.message.enqueue_json(queue="jobs", api=api, body={"n": 1}, callback=BACK)
    client.message.batch_json([{"api": api, "body": {"n": 2}, "callback": BACK}])
    qstash_fake.drain()
    assert [attempt.message.json()["n"] for attempt in route.calls] == [1, 2]
    assert len(shop.at("/back")) == 2


@pytest.mark.parametrize("path", ["/v2/publish/api/llm", "/v2/enqueue/jobs/api/llm"])
def test_api_llm_answers_its_callback_with_the_canned_answer(path: str, http: Any, shop: Any, qstash_fake: QStashFake):
    reply = http("POST", path, headers={"Upstash-Callback": BACK}, json={"model": "m"})
    assert reply.status_code == 201
    assert http("GET", f"/v2/messages/{reply.json()['messageId']}").json()["api"] == "llm"
    qstash_fake.drain()
    report = reported(shop)
    assert (report["api"], report["url"], report["status"]) == ("llm", LLM, 200)
    assert report["body"]["choices"][0]["message"]["role"] == "assistant"


def test_api_llm_in_a_batch(http: Any, shop: Any, qstash_fake: QStashFake):
    item = {"destination": "api/llm", "headers": {"upstash-callback": BACK}, "body": "{}"}
    assert http("POST", "/v2/batch", json=[item]).status_code == 200
    qstash_fake.drain()
    assert reported(shop)["api"] == "llm"


def test_the_answer_of_api_llm_is_settable(http: Any, shop: Any, qstash_fake: QStashFake):
    qstash_fake.api.chat_answer = ANSWER
    http("POST", "/v2/publish/api/llm", headers={"Upstash-Callback": BACK}, json={})
    qstash_fake.drain()
    assert reported(shop)["body"] == ANSWER


def test_a_route_answers_api_llm_as_any_other_url(http: Any, shop: Any, qstash_fake: QStashFake):
    qstash_fake.on(LLM).respond(429, json={"error": "slow down"}).times(1)
    http("POST", "/v2/publish/api/llm", headers={"Upstash-Callback": BACK}, json={})
    qstash_fake.deliver_due()
    assert reported(shop)["status"] == 429
    qstash_fake.drain()
    assert reported(shop)["status"] == 200


def test_api_llm_without_a_callback_is_refused(http: Any, qstash_fake: QStashFake):
    reply = http("POST", "/v2/publish/api/llm", json={})
    assert reply.status_code == 400
    assert "callback" in reply.json()["error"]
    assert qstash_fake.messages == []


def test_the_chat_endpoint_answers_at_once(http: Any, qstash_fake: QStashFake):
    request = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
    reply = http("POST", "/llm/v1/chat/completions", json=request)
    assert (reply.status_code, reply.json()["object"]) == (200, "chat.completion")
    qstash_fake.api.chat_answer = ANSWER
    assert http("POST", "/llm/v1/chat/completions", json=request).json() == ANSWER
    assert qstash_fake.messages == []


def test_the_chat_endpoint_streams(http: Any, qstash_fake: QStashFake):
    qstash_fake.api.chat_answer = ANSWER
    reply = http("POST", "/llm/v1/chat/completions", json={"stream": True})
    assert reply.headers["content-type"].startswith("text/event-stream")
    *events, done, rest = reply.text.split("\n\n")
    chunks = [json.loads(event.removeprefix("data: ")) for event in events]
    assert (done, rest) == ("data: [DONE]", "")
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks) == "42"
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"


def test_an_email_is_a_route_to_the_provider(client: QStash, qstash_fake: QStashFake):
    route = qstash_fake.on("https://mail.example/emails", "POST").respond(json={"id": "mail-1"})
    client.message.publish_json(
        url="https://mail.example/emails", headers={"Authorization": "Bearer re_1"}, body={"to": "a@shop.example"}
    )
    qstash_fake.drain()
    (attempt,) = route.calls
    assert (attempt.message.headers["authorization"], attempt.status) == ("Bearer re_1", 200)


def test_an_api_that_is_not_simulated_is_refused_with_501():
    import httpx

    with QStashFake() as fake:
        reply = httpx.post("https://qstash.upstash.io/v2/publish/api/email", headers={"Authorization": "Bearer t"})
        assert (reply.status_code, "publish to the provider's URL" in reply.json()["error"]) == (501, True)
        assert len(fake.api.problems) == 1
        fake.api.problems.clear()


@pytest.mark.asyncio
async def test_llm_calls_work_with_the_async_client_and_verbs(
    async_client: AsyncQStash, async_http: Any, shop: Any, qstash_fake: QStashFake
):
    qstash_fake.on(OPENAI).respond(json=ANSWER)
    await async_client.message.publish_json(api={"name": "llm", "provider": openai("sk")}, body={}, callback=BACK)
    await qstash_fake.drain_async()
    assert reported(shop)["body"] == ANSWER
    await async_http.post("https://qstash.upstash.io/v2/publish/api/llm", headers={"Upstash-Callback": BACK})
    await qstash_fake.drain_async()
    assert reported(shop)["api"] == "llm"
