"""AWS Lambda handlers, called with the event of a function URL or an HTTP API (payload format 2.0); and Mangum.

AWS Lambda Developer Guide, "Invoking Lambda function URLs"; API Gateway Developer Guide, "Working with AWS Lambda
proxy integrations for HTTP APIs".
"""

from __future__ import annotations

import asyncio
import base64
import copy
import json
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

from qstash_fake.delivery.answers import Answer, note_swallowed
from qstash_fake.delivery.conditions import DEFAULT_TIMEOUT_MS
from qstash_fake.delivery.exchange import Request
from qstash_fake.delivery.kinds.base import Reply, SyncApp
from qstash_fake.delivery.lifespans import Receive, Scope, Send
from qstash_fake.protocol import urls
from qstash_fake.protocol.http import first

Event = dict[str, Any]

# Bodies of these types come as text, others in base64. AWS documentation, as above.
TEXTUAL = ("text/", "application/json", "application/javascript", "application/xml")


@dataclass(frozen=True, slots=True)
class Context:
    """The context that the runtime gives a handler; there is no account and no log behind it."""

    aws_request_id: str
    timeout_ms: int
    function_name: str = "qstash-fake"
    function_version: str = "$LATEST"
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:qstash-fake"
    memory_limit_in_mb: str = "128"
    log_group_name: str = "/aws/lambda/qstash-fake"
    log_stream_name: str = "qstash-fake"
    identity: None = None
    client_context: None = None

    def get_remaining_time_in_millis(self) -> int:
        """Return the time that an answer may take: it stands still while the handler runs."""
        return self.timeout_ms


@dataclass(eq=False)
class Lambda(SyncApp):
    """A function that takes an event and a context, and returns a response or the body of one."""

    handler: Callable[[Event, Context], Any]

    def send(self, request: Request) -> Reply:
        told, context = event(request), _context(request)
        with Answer() as answer:
            _take(answer, self.handler(told, context))
        return answer


class Mangum(Lambda):
    """Mangum's adapter: an ASGI application as a Lambda handler; it swallows what the application raises."""

    def __init__(self, adapter: Any) -> None:
        watched = copy.copy(adapter)  # the user's own adapter stays as it is
        watched.app = _watched(adapter.app)
        super().__init__(watched)

    def send(self, request: Request) -> Reply:
        with _loop_of_this_thread():
            return super().send(request)


def event(request: Request) -> Event:
    """Return the event that *request* becomes."""
    parts, server = urls.split(request.url), urls.server(request.url)
    path, query = unquote(parts.path or "/"), parts.query[1:]
    now_s = time.time()
    result: Event = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": _joined((name.lower(), value) for name, value in request.headers),
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "qstash-fake",
            "domainName": server.host,
            "domainPrefix": server.host.partition(".")[0],
            "http": {
                "method": request.method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": first(request.headers, "user-agent") or "",
            },
            "requestId": _request_id(request),
            "routeKey": "$default",
            "stage": "$default",
            "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now_s)),
            "timeEpoch": int(now_s * 1000),
        },
        "isBase64Encoded": False,
    }
    if query:
        result["queryStringParameters"] = _joined(parse_qsl(query, keep_blank_values=True))
    if request.body:
        result["body"], result["isBase64Encoded"] = _body(request)
    return result


def _body(request: Request) -> tuple[str, bool]:
    """Return the body as it stands in an event, and whether it is base64 there."""
    content_type = first(request.headers, "content-type")
    if content_type is None or content_type.lower().startswith(TEXTUAL):  # assumed of a body without a type
        try:
            return request.body.decode(), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(request.body).decode(), True


def _joined(pairs: Iterator[tuple[str, str]] | list[tuple[str, str]]) -> dict[str, str]:
    """Return *pairs*; all values of a name are joined to one text, as in format 2.0."""
    result: dict[str, str] = {}
    for name, value in pairs:
        result[name] = f"{result[name]},{value}" if name in result else value
    return result


def _request_id(request: Request) -> str:
    return first(request.headers, "upstash-message-id") or "qstash-fake"


def _context(request: Request) -> Context:
    timeout_ms = DEFAULT_TIMEOUT_MS if request.timeout_ms is None else request.timeout_ms
    return Context(_request_id(request), timeout_ms)


def _take(answer: Answer, returned: Any) -> None:
    """Take over what a handler *returned*: a response, or anything else, which is the body of a 200."""
    if not isinstance(returned, dict) or "statusCode" not in returned:
        text = returned if isinstance(returned, str) else json.dumps(returned)
        returned = {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": text}
    text = returned.get("body") or ""
    if not isinstance(text, str):
        raise TypeError(f"the Lambda handler returned the body {text!r}: give text, such as json.dumps(…)")
    # Numbers of JSON are taken for the values of headers (assumed).
    headers = [
        (name, value if isinstance(value, str) else json.dumps(value))
        for name, value in (returned.get("headers") or {}).items()
    ]
    answer.headers = [*headers, *(("set-cookie", cookie) for cookie in returned.get("cookies") or ())]
    answer.body = base64.b64decode(text) if returned.get("isBase64Encoded") else text.encode()
    answer.status = returned["statusCode"]


def _watched(app: Any) -> Any:
    async def watched(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        except Exception as error:
            note_swallowed(error)
            raise

    return watched


@contextmanager
def _loop_of_this_thread() -> Iterator[None]:
    """Give the thread a loop, as the main thread of a Lambda has one: Mangum runs the application on it."""
    loop, before = asyncio.new_event_loop(), _current_loop()
    asyncio.set_event_loop(loop)
    try:
        yield
    finally:
        asyncio.set_event_loop(before)
        loop.close()


def _current_loop() -> asyncio.AbstractEventLoop | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some versions of Python warn, others raise, where there is none
        try:
            return asyncio.get_event_loop()
        except RuntimeError:
            return None
