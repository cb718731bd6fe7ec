"""From a delivery to the HTTP request that QStash would send, signed. Calls nobody."""

from __future__ import annotations

import base64
import hashlib
import time
import warnings
from dataclasses import dataclass

import httpx
import jwt

from qstash_fake.broker.broker import Delivery
from qstash_fake.protocol import urls
from qstash_fake.protocol.http import Headers, encode

USER_AGENT = "Upstash-QStash"
SIGNATURE_LIFETIME_S = 300  # QStash docs, features/security; checked on a real token
# What a delivery says of itself; a forwarded header of the same name does not reach the destination.
_OWN = frozenset({"user-agent", "upstash-message-id", "upstash-retried", "upstash-signature", "upstash-caller-ip"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An HTTP request as it goes over the wire, to an absolute URL."""

    method: str
    url: str
    headers: Headers
    body: bytes
    timeout_ms: int | None = None
    """How long an answer may take; counts where a request really goes over a network."""

    @property
    def parts(self) -> urls.UrlParts:
        """The URL, split but not decoded; the path is never empty."""
        parts = urls.split(self.url)
        return parts if parts.path else parts._replace(path="/")

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the server, the default port filled in."""
        parts = self.parts
        host, _, port = parts.host.rpartition("@")[2].rpartition(":")
        if not host or not port.isdigit():
            return parts.host.rpartition("@")[2].rstrip(":"), 443 if parts.scheme.lower() == "https" else 80
        return host, int(port)

    def to_httpx(self) -> httpx.Request:
        """Return it as httpx knows it."""
        return httpx.Request(self.method, self.url, headers=encode(self.headers), content=self.body)


def request_for(delivery: Delivery) -> Request:
    """Return the request of *delivery*, signed now with the key it brings. QStash docs, howto/receiving."""
    message, content = delivery.message, delivery.content
    optional = (("Upstash-Schedule-Id", message.schedule_id), ("Upstash-Topic-Name", message.url_group))
    own = (
        ("User-Agent", USER_AGENT),
        *(pair for pair in content.headers if pair[0].lower() not in _OWN),
        ("Upstash-Message-Id", message.message_id),
        ("Upstash-Retried", str(delivery.attempt.retried)),
        ("Upstash-Signature", sign(message.url, content.body, delivery.signing_key, delivery.token_id)),
        *((name, value) for name, value in optional if value),
        ("Upstash-Caller-Ip", message.caller_ip),
    )
    return plain_request(message.method, message.url, own, content.body, message.timeout_ms)


def plain_request(method: str, url: str, headers: Headers, body: bytes, timeout_ms: int | None = None) -> Request:
    """Return a request with the Host and Content-Length that its URL and body need."""
    host = urls.split(url).host.rpartition("@")[2]
    length = (("Content-Length", str(len(body))),) if body or method not in ("GET", "DELETE") else ()
    headers = (("Host", host), *headers, *length)
    return Request(method=method, url=url, headers=headers, body=body, timeout_ms=timeout_ms)


def sign(url: str, body: bytes, key: str, token_id: str, *, age_s: int = 0) -> str:
    """Return the `Upstash-Signature` of *body* sent to *url*, issued *age_s* seconds ago. QStash docs, security.

    The time is the application's, `time.time()` looked up at the call: a verifier refuses an `iat` even one
    second ahead of its own clock.
    """
    issued = int(time.time()) - age_s
    claims = {
        "aud": "",
        "body": base64.urlsafe_b64encode(hashlib.sha256(body).digest()).decode(),
        "exp": issued + SIGNATURE_LIFETIME_S,
        "iat": issued,
        "iss": "Upstash",
        "jti": token_id,
        "nbf": 0,
        "sub": url,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # newer PyJWT warns of short keys; a user's key is his choice
        return jwt.encode(claims, key, algorithm="HS256")
