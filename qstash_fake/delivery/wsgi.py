"""Calling a WSGI application: one request."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote_to_bytes

from qstash_fake.broker.message import Outcome
from qstash_fake.delivery.exchange import Request
from qstash_fake.protocol.http import encode

Environ = dict[str, Any]
WsgiApp = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


def call(app: WsgiApp, request: Request) -> Outcome:
    """Send *request* to *app* in this thread and return what it answered; an exception is kept in the outcome."""
    started: list[tuple[str, list[tuple[str, str]]]] = []
    body: list[bytes] = []

    def start_response(
        status: str, headers: list[tuple[str, str]], exc_info: Any = None, /
    ) -> Callable[[bytes], object]:
        if exc_info is not None and any(body):  # PEP 3333: the headers are gone already
            raise exc_info[1].with_traceback(exc_info[2])
        started[:] = [(status, list(headers))]
        return body.append

    exception: Exception | None = None
    complete = False
    try:
        chunks = app(environ(request), start_response)
        try:
            body.extend(chunks)
            complete = True
        finally:
            if close := getattr(chunks, "close", None):
                close()
    except Exception as error:  # noqa: BLE001 - whatever the application raises belongs to its outcome
        exception = error
    if not started or (not complete and not any(body)):
        return Outcome(status=500, body=b"Internal Server Error", exception=exception)
    if not complete:
        return Outcome(error="the connection was closed before the response was complete", exception=exception)
    status, headers = started[0]
    return Outcome(status=int(status.split()[0]), headers=tuple(headers), body=b"".join(body), exception=exception)


def environ(request: Request) -> Environ:
    """Return what an application is told of *request*."""
    parts = request.parts
    host, port = request.address
    # PEP 3333: what is no ASCII goes as its bytes, each one a character.
    query = parts.query.encode().decode("latin-1")
    target = parts.path.encode().decode("latin-1") + query
    result: Environ = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(parts.path).decode("latin-1"),
        "QUERY_STRING": query[1:],
        "REQUEST_URI": target,
        "RAW_URI": target,
        "SERVER_NAME": host,
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": parts.scheme.lower(),
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in encode(request.headers):
        key = name.decode().upper().replace("-", "_")
        key = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
        text = value.decode("latin-1")
        result[key] = f"{result[key]},{text}" if key in result else text
    return result
