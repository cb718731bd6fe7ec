"""From a delivery to the HTTP request that QStash would send, signed. Calls nobody."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import httpx

from qstash_fake.broker.broker import Delivery
from qstash_fake.delivery.encodings import ACCEPTED, asks_for_gzip
from qstash_fake.delivery.signing import sign
from qstash_fake.protocol import urls
from qstash_fake.protocol.http import Headers, encode

USER_AGENT = "Upstash-QStash"
# Headers about the delivery itself; a forwarded header of the same name does not reach the destination (assumed).
_OWN = frozenset(
    {
        "user-agent",
        "upstash-message-id",
        "upstash-retried",
        "upstash-signature",
        "upstash-caller-ip",
        "upstash-region",
    }
)


class Request(NamedTuple):
    """An HTTP request as it goes over the wire, to an absolute URL."""

    method: str
    url: str
    headers: Headers
    body: bytes
    timeout_ms: int | None = None
    """How long an answer may take; counts where a request really goes over a network."""

    def to_httpx(self) -> httpx.Request:
        """Return it as httpx knows it."""
        return httpx.Request(self.method, self.url, headers=encode(self.headers), content=self.body)


def request_for(delivery: Delivery) -> Request:
    """Return the request of *delivery*, signed now with the key it brings. QStash docs, howto/receiving."""
    message, content = delivery.message, delivery.content
    own = [
        ("User-Agent", USER_AGENT),
        *[pair for pair in content.headers if pair[0].lower() not in _OWN],
        ("Upstash-Message-Id", message.message_id),
        ("Upstash-Retried", str(delivery.attempt.retried)),
        ("Upstash-Signature", sign(message.url, content.body, delivery.signing_key, delivery.token_id)),
    ]
    if message.schedule_id:
        own.append(("Upstash-Schedule-Id", message.schedule_id))
    if message.url_group:
        own.append(("Upstash-Topic-Name", message.url_group))
    own += [("Upstash-Caller-Ip", message.caller_ip), ("Upstash-Region", delivery.region.upper())]
    if asks_for_gzip(content.headers):
        own.append(ACCEPTED)
    return plain_request(message.method, message.url, own, content.body, message.timeout_ms)


def moved(request: Request, url: str) -> Request:
    """Return *request*, sent to *url* instead; it names its own URL in the headers of reverse proxies."""
    own = (
        ("Host", urls.server(url).authority),
        ("X-Forwarded-Host", urls.server(request.url).authority),
        ("X-Forwarded-Proto", urls.split(request.url).scheme.lower()),
    )
    return request._replace(url=url, headers=(*own, *(pair for pair in request.headers if pair[0] != "Host")))


def path_and_query(url: str) -> str:
    """Return the part of *url* behind the host: the target of a request to its server."""
    parts = urls.split(url)
    return (parts.path or "/") + parts.query


def plain_request(
    method: str, url: str, headers: Iterable[tuple[str, str]], body: bytes, timeout_ms: int | None = None
) -> Request:
    """Return a request with the Host and Content-Length that its URL and body need."""
    length = (("Content-Length", str(len(body))),) if body or method not in ("GET", "DELETE") else ()
    headers = (("Host", urls.server(url).authority), *headers, *length)
    return Request(method=method, url=url, headers=headers, body=body, timeout_ms=timeout_ms)
