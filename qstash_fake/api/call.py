"""What an operation gets, the checks that several of them make, and what they return."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from qstash_fake.broker.broker import Broker
from qstash_fake.errors import Refused
from qstash_fake.protocol.http import Headers, is_token
from qstash_fake.protocol.http import wire as wire_value
from qstash_fake.protocol.options import parse_name

MAX_DEPTH = 100  # assumed: no request needs more, and what is parsed must be printable in an error


_JSON: Headers = (("Content-Type", "application/json"),)
_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


# Call and Reply are made once a call; a frozen dataclass would take twice as long.
class Reply(NamedTuple):
    """An HTTP response."""

    status: int = 200
    headers: Headers = ()
    body: bytes = b""


class Call(NamedTuple):
    """One call of an operation; *path* holds the decoded variables of its path, `rest` undecoded."""

    broker: Broker
    path: Mapping[str, str]
    method: str
    target: str
    """The raw path and query."""
    headers: Sequence[tuple[str, str]]
    body: bytes
    caller_ip: str
    chat_answer: Mapping[str, Any]

    @property
    def query(self) -> dict[str, list[str]]:
        """The query parameters, the token left out."""
        result: dict[str, list[str]] = {}
        for name, value in parse_qsl(self.target.partition("?")[2], keep_blank_values=True):
            if name != "qstash_token":
                result.setdefault(name, []).append(value)
        return result

    def json(self) -> Any:
        """Return the body as JSON, None if there is no body; or refuse it with 400."""
        return parse_json(self.body)

    def json_object(self) -> dict[str, Any]:
        """Return the body as a JSON object, empty if there is no body; or refuse it with 400."""
        return parse_json_object(self.body)


def parse_json(body: bytes) -> Any:
    """Return *body* as JSON, None if it is empty; or refuse it with 400."""
    if not body.strip():
        return None
    try:
        value = json.loads(body.decode(), parse_constant=_no_number, parse_float=_finite)
        if b"\\ud" in body.lower():
            # Half a surrogate pair is no character; Go's decoder puts U+FFFD for it.
            text = json.dumps(value, ensure_ascii=False)
            value = json.loads(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
    except (ValueError, RecursionError) as error:
        raise Refused(400, f"invalid JSON body: {error}") from None
    if _deeper_than(MAX_DEPTH, value):
        raise Refused(400, f"invalid JSON body: it is nested deeper than {MAX_DEPTH}")
    return value


def parse_json_object(body: bytes) -> dict[str, Any]:
    """Return *body* as a JSON object, empty if it is empty; or refuse it with 400."""
    value = parse_json(body)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Refused(400, f"invalid JSON body: expected an object, got {type(value).__name__}")
    return value


def _deeper_than(depth: int, value: Any) -> bool:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return depth < 0 or any(_deeper_than(depth - 1, one) for one in inside)


def _finite(text: str) -> float:
    if math.isinf(number := float(text)):
        raise ValueError(f"{text[:40]} is out of range")
    return number


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is not JSON")  # Python's own parser takes NaN and Infinity


def valid_name(text: str) -> str:
    """Return *text* if it can name a queue or a URL group; or refuse it with 400."""
    try:
        return parse_name(text)
    except ValueError as error:
        raise Refused(400, f"invalid name: {error}") from None


def header_pairs(headers: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the headers of a batch item or of a URL group's defaults; a value may be a list of values."""
    pairs = []
    for name, value in headers.items():
        if not is_token(name):
            raise Refused(400, f"invalid header name {name!r}")
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, (dict, list)) or one is None:
                raise Refused(400, f"invalid value of header {name}")
            pairs.append((name, wire_value(one) if isinstance(one, str) else json.dumps(one)))
    return pairs


def json_reply(value: Any, status: int = 200) -> Reply:
    """Return *value* as JSON."""
    return Reply(status, _JSON, _encode(value).encode("utf-8", "replace"))


def error_reply(refused: Refused) -> Reply:
    """Return a refusal as QStash writes it: JSON, and plain text for a method that a path does not have."""
    if refused.status == 405:
        text = (("Content-Type", "text/plain; charset=utf-8"),)
        return Reply(status=405, headers=text, body=refused.error.encode())
    reply = json_reply({"error": refused.error}, refused.status)
    return Reply(status=reply.status, headers=reply.headers + refused.headers, body=reply.body)


EMPTY = Reply()
