"""A connection to the fake for libraries that write bytes: it parses their requests and gives them the answer."""

from __future__ import annotations

from http import HTTPStatus

import h11

from qstash_fake.api.call import Reply
from qstash_fake.errors import ConnectionDropped
from qstash_fake.intercept.hosts import spelled
from qstash_fake.intercept.services import Services
from qstash_fake.protocol import http

MAX_HEAD_BYTES = 1 << 20  # assumed: no request has a larger head; h11's own 16 KiB protect servers


class Connection:
    """The server's end of a connection to *origin*, for one request, in HTTP/1.1 as h11 speaks it.

    The answer ends the connection. The next request, perhaps after the end of the fake, connects again.
    """

    def __init__(self, services: Services, origin: str) -> None:
        self._services = services
        self._origin = origin
        self._h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD_BYTES)
        self._request: h11.Request | None = None
        self._body: list[bytes] = []

    def receive(self, data: bytes) -> bytes:
        """Return what is sent back for *data*, nothing until the request is complete; or raise ConnectionDropped."""
        self._h11.receive_data(data)
        sent = b""
        while True:
            try:
                event = self._h11.next_event()
            except h11.RemoteProtocolError as error:
                return self._sent(Reply(status=error.error_status_hint, body=str(error).encode()))
            match event:
                case h11.Request():
                    self._request = event
                case h11.Data():
                    self._body.append(bytes(event.data))
                case h11.EndOfMessage():
                    return sent + self._answer()
                case _:  # more has to come
                    if self._h11.they_are_waiting_for_100_continue:
                        sent += self._h11.send(h11.InformationalResponse(status_code=100, headers=[])) or b""
                    return sent

    def _answer(self) -> bytes:
        request = self._request
        assert request is not None
        url = spelled(self._origin, request.target.decode("ascii"))
        service = self._services.at(url)
        if service is None:
            raise ConnectionDropped(f"the qstash_fake that {self._origin} was connected to has ended")
        headers = http.decode(request.headers.raw_items())
        return self._sent(service.answer(url, request.method.decode("ascii"), headers, b"".join(self._body)))

    def _sent(self, reply: Reply) -> bytes:
        headers = [
            *http.encode(reply.headers),
            (b"Content-Length", str(len(reply.body)).encode()),
            (b"Connection", b"close"),
        ]
        head = h11.Response(status_code=reply.status, headers=headers, reason=_phrase(reply.status))
        parts = (self._h11.send(event) for event in (head, h11.Data(data=reply.body), h11.EndOfMessage()))
        return b"".join(part for part in parts if part)


def _phrase(status: int) -> bytes:
    try:
        return HTTPStatus(status).phrase.encode()
    except ValueError:
        return b""
