"""Requests and responses as bytes of HTTP/1.1, for applications that speak HTTP themselves. Opens no socket."""

from __future__ import annotations

import io
from http.client import HTTPException, HTTPResponse
from typing import Any

from qstash_fake.broker.message import Outcome
from qstash_fake.delivery.answers import BROKEN, MAX_BODY, Answer
from qstash_fake.delivery.exchange import Request, path_and_query
from qstash_fake.delivery.kinds.base import Reply
from qstash_fake.protocol.http import encode


def request_bytes(request: Request, *more: tuple[str, str]) -> bytes:
    """Return *request*, with *more* headers, as it is written to a connection."""
    lines = [f"{request.method} {path_and_query(request.url)} HTTP/1.1".encode()]
    lines += [name + b": " + value for name, value in encode([*request.headers, *more])]
    return b"\r\n".join([*lines, b"", request.body])


def reply(answer: Answer, method: str, received: bytes) -> Reply:
    """Fill *answer*, which has the application's exception, with the response in the bytes that were *received*."""
    if not received:
        answer.exception = answer.exception or RuntimeError("the application closed the connection without an answer")
        return answer
    response = HTTPResponse(_Received(received), method=method)  # type: ignore[arg-type]
    try:
        response.begin()
        body = response.read(MAX_BODY)
        complete = response.length in (None, 0) or len(body) == MAX_BODY
    except HTTPException as error:  # what came is no HTTP, or not all of it
        return Outcome(error=BROKEN, exception=answer.exception or error)
    if not complete:
        return Outcome(error=BROKEN, exception=answer.exception)
    answer.status, answer.headers, answer.body = response.status, response.getheaders(), body
    return answer


class _Received:
    """What `http.client` reads a response from."""

    def __init__(self, received: bytes) -> None:
        self._received = received

    def makefile(self, *_: Any) -> io.BytesIO:
        return io.BytesIO(self._received)
