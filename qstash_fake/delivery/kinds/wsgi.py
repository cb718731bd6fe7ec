"""WSGI applications, called as PEP 3333 says."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_to_bytes

from qstash_fake.broker.message import Outcome
from qstash_fake.delivery.answers import BROKEN, Answer, Body
from qstash_fake.delivery.exchange import Request
from qstash_fake.delivery.kinds.base import Reply, SyncApp
from qstash_fake.protocol import urls
from qstash_fake.protocol.http import encode

Environ = dict[str, Any]
WsgiApp = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

_STATUS_LINE = re.compile(r"([0-9]{3})( .*)?")  # PEP 3333; the space may be missing where there is no reason


@dataclass(eq=False)
class Wsgi(SyncApp):
    """A WSGI application."""

    app: WsgiApp

    def send(self, request: Request) -> Reply:
        return call(self.app, request)


def call(app: WsgiApp, request: Request) -> Reply:
    """Send *request* to *app* in this thread and return what it answered.

    The answer counts if it was complete, whatever is raised after it. An exception before the first byte of the
    body is 500, and one after it is a broken connection.
    """
    exchange, told = _Exchange(), environ(request)
    with Answer(header_type=(str,)) as answer:
        exchange.read(app(told, exchange.start_response))
    return exchange.outcome(answer)


class _Exchange:
    """One answer as the application gives it; PEP 3333 says in which order."""

    def __init__(self) -> None:
        self._start: tuple[int, Any] | None = None
        self._body = Body()

    def start_response(self, status: Any, headers: Any, exc_info: Any = None, /) -> Callable[[bytes], object]:
        if exc_info is not None and self._body.size:  # the headers are gone already
            raise exc_info[1].with_traceback(exc_info[2])
        if exc_info is None and self._start is not None:
            raise RuntimeError("start_response() was called twice; the second time it needs exc_info")
        line = _STATUS_LINE.fullmatch(status) if isinstance(status, str) else None
        if line is None:
            raise TypeError(f"start_response() got the status {status!r}: give a line such as '200 OK'")
        self._start = (int(line[1]), headers)
        return self._body.add

    def read(self, parts: Iterable[bytes]) -> None:
        """Read *parts* to their end, or until no more is kept of an answer, and close them."""
        try:
            self._body.read(parts)
        finally:
            if close := getattr(parts, "close", None):
                close()

    def outcome(self, answer: Answer) -> Reply:
        """Fill *answer*, which has the application's exception, with what the application sent."""
        if self._start is None:
            answer.exception = answer.exception or RuntimeError(
                "the WSGI application returned without a call of start_response(); "
                "a Lambda handler is told by the name of its second argument, `context`"
            )
        elif self._body.complete:
            answer.status, answer.headers = self._start
            answer.body = self._body.joined()
        elif self._body.size:
            return Outcome(error=BROKEN, exception=answer.exception)
        return answer


def environ(request: Request) -> Environ:
    """Return what an application is told of *request*."""
    result: Environ = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        **_told_of(request.url),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in encode(request.headers):
        key, text = _key(name), value.decode("latin-1")
        result[key] = f"{result[key]},{text}" if key in result else text
    return result


@lru_cache(urls.REMEMBERED)
def _told_of(url: str) -> Environ:
    """Return what an application is told of *url*. PEP 3333: each byte that is no ASCII is a character."""
    parts = urls.split(url)
    path, query = parts.path or "/", parts.query.encode().decode("latin-1")
    host, port, _ = urls.server(url)
    target = path.encode().decode("latin-1") + query
    return {
        "wsgi.url_scheme": parts.scheme.lower(),
        "SERVER_NAME": host,
        "SERVER_PORT": str(port),
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query[1:],
        "REQUEST_URI": target,
        "RAW_URI": target,
    }


@lru_cache(urls.REMEMBERED)
def _key(name: bytes) -> str:
    """Return the key that a header *name* has. RFC 3875, 4.1.18."""
    key = name.decode().upper().replace("-", "_")
    return key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
