"""The old chat endpoint: it answers what a test has set as `chat_answer`, whole or as server-sent events."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from qstash_fake.api.call import Call, Reply, json_reply

CHAT_ANSWER: Mapping[str, Any] = {
    "id": "chatcmpl-qstash-fake",
    "object": "chat.completion",
    "created": 0,
    "model": "qstash-fake",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "Hello from qstash_fake."}, "finish_reason": "stop"}
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}


def chat(call: Call) -> Reply:
    request: dict[str, Any] = call.json_object()
    answer = dict(call.chat_answer)
    if not request.get("stream"):
        return json_reply(answer)
    return Reply(headers=(("Content-Type", "text/event-stream"),), body=b"".join(_events(answer)))


def _events(answer: dict[str, Any]) -> list[bytes]:
    """Return the answer as OpenAI streams it: all of the text in one chunk, then one that says why it ends."""

    def chunk(message: str | None) -> dict[str, Any]:
        choices = [
            {
                "index": choice.get("index", 0),
                "delta": choice.get(message, {}) if message else {},
                "finish_reason": None if message else choice.get("finish_reason", "stop"),
            }
            for choice in answer.get("choices", [])
        ]
        return answer | {"object": "chat.completion.chunk", "choices": choices}

    parts = [json.dumps(chunk("message")), json.dumps(chunk(None)), "[DONE]"]
    return [f"data: {part}\n\n".encode() for part in parts]
