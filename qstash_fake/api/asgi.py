"""The API over HTTP: a Starlette application whose one route takes everything."""

from __future__ import annotations

from urllib.parse import quote

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from qstash_fake.api.answer import LOCALHOST, MAX_BODY, Api
from qstash_fake.errors import ConnectionDropped
from qstash_fake.protocol.http import decode

_UNESCAPED = "/:@!$&'()*+,;=~"  # what a path may hold besides letters, digits, `-`, `.` and `_`; RFC 3986, 3.3


def asgi_app(api: Api) -> Starlette:
    """Return *api* as an ASGI application; a path is taken as it was sent, not decoded."""
    return Starlette(routes=[Everything(api)])


class Everything(BaseRoute):
    """Matches every HTTP request, whatever its method and path; a pattern would stop at a line break."""

    def __init__(self, api: Api) -> None:
        self.api = api

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        return Match.FULL if scope["type"] == "http" else Match.NONE, {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await respond(self.api, Request(scope, receive))
        except ConnectionDropped:
            # A server answers an exception with 500, unless an answer was begun: then it can only hang up.
            await send({"type": "http.response.start", "status": 500, "headers": [(b"content-length", b"1")]})
            raise
        await response(scope, receive, send)


async def respond(api: Api, request: Request) -> Response:
    """Return the answer to one request; or raise ConnectionDropped."""
    raw_path = request.scope.get("raw_path") or _quoted(request.scope["path"])
    query = request.scope["query_string"]
    target = raw_path.partition(b"?")[0] + (b"?" + query if query else b"")
    call = request.method, _text(target), decode(request.scope["headers"])
    reply = api.refusal(*call)
    if reply is None:
        caller_ip = request.client.host if request.client else LOCALHOST
        reply = api.answer(*call, await read_body(request), caller_ip=caller_ip)
    response = Response(reply.body, reply.status)
    response.raw_headers = [(n.lower().encode(), v.encode()) for n, v in reply.headers] + [
        (b"content-length", str(len(reply.body)).encode())
    ]
    return response


async def read_body(request: Request) -> bytes:
    """Return the body. One larger than `MAX_BODY` is not read to its end; its beginning shows that it is too large."""
    chunks, size = [], 0
    async for chunk in request.stream():
        chunks.append(chunk)
        size += len(chunk)
        if size > MAX_BODY:
            break
    return b"".join(chunks)


def _quoted(path: str) -> bytes:
    return quote(path, safe=_UNESCAPED, errors="surrogateescape").encode()


def _text(raw: bytes) -> str:
    """Return a target as text; bytes that are no UTF-8 are percent-encoded, as Go's net/url sends them on."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return "".join(chr(byte) if byte < 0x80 else f"%{byte:02X}" for byte in raw)
