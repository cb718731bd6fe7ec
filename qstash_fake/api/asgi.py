"""The API over HTTP: a Starlette application with one catch-all route."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from qstash_fake.api.answer import Api

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]


def asgi_app(api: Api) -> Starlette:
    """Return *api* as an ASGI application; a path is taken as it was sent, not decoded."""

    async def endpoint(request: Request) -> Response:
        return await respond(api, request)

    return Starlette(routes=[Route("/{path:path}", endpoint, methods=METHODS)])


async def respond(api: Api, request: Request) -> Response:
    """Answer one request. A dropped connection raises, and so no answer is sent."""
    raw_path = request.scope.get("raw_path") or request.scope["path"].encode()
    query = request.scope["query_string"]
    target = raw_path.partition(b"?")[0] + (b"?" + query if query else b"")
    pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.scope["headers"]]
    caller_ip = request.client.host if request.client else "127.0.0.1"
    reply = api.answer(request.method, _text(target), pairs, await request.body(), caller_ip=caller_ip)
    response = Response(reply.body, reply.status)
    response.raw_headers = [(n.lower().encode(), v.encode()) for n, v in reply.headers] + [
        (b"content-length", str(len(reply.body)).encode())
    ]
    return response


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
