"""What an operation is given and what it gives back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from qstash_fake.broker.broker import Broker
from qstash_fake.errors import Refused
from qstash_fake.protocol.headers import Headers


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An HTTP response."""

    status: int = 200
    headers: Headers = ()
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of an operation; *path* holds the decoded variables of its path, `rest` undecoded."""

    broker: Broker
    path: Mapping[str, str]
    query_string: str
    headers: Sequence[tuple[str, str]]
    body: bytes
    caller_ip: str
    chat_answer: Mapping[str, Any] = field(default_factory=dict)

    @property
    def query(self) -> dict[str, list[str]]:
        """The query parameters, the token left out."""
        result: dict[str, list[str]] = {}
        for name, value in parse_qsl(self.query_string, keep_blank_values=True):
            if name != "qstash_token":
                result.setdefault(name, []).append(value)
        return result

    def json(self) -> Any:
        """Return the body as JSON, None if there is no body; or refuse it with 400."""
        if not self.body.strip():
            return None
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise Refused(400, f"invalid JSON body: {error}") from None

    def json_object(self) -> dict[str, Any]:
        """Return the body as a JSON object, empty if there is no body; or refuse it with 400."""
        value = self.json()
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise Refused(400, f"invalid JSON body: expected an object, got {type(value).__name__}")
        return value


def json_reply(value: Any, status: int = 200) -> Reply:
    """Return *value* as JSON."""
    body = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
    return Reply(status=status, headers=(("Content-Type", "application/json"),), body=body)


def error_reply(refused: Refused) -> Reply:
    """Return QStash's way of saying no."""
    reply = json_reply({"error": refused.error}, refused.status)
    return Reply(status=reply.status, headers=reply.headers + refused.headers, body=reply.body)


EMPTY = Reply()
