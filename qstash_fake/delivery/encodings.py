"""The encoding of an answer: when QStash asks for gzip, and what it makes of an answer that is gzip-encoded.

QStash delivers with Go's HTTP client. The client asks for gzip by itself, unless the message says what it accepts or
asks for a range. It unpacks an answer in gzip, and removes Content-Encoding and Content-Length. If the message itself
has asked for gzip, the client leaves the answer as it is.

An application is often called through a client library, which may have unpacked the body and left the header. The
first bytes of the body show it: those of gzip are no text, and no JSON.
"""

from __future__ import annotations

import io
import zlib
from gzip import GzipFile

from qstash_fake.broker.message import Outcome
from qstash_fake.delivery.answers import MAX_BODY
from qstash_fake.protocol.http import Headers, first

ACCEPTED = ("Accept-Encoding", "gzip")  # Go's net/http
_MAGIC = b"\x1f\x8b"  # RFC 1952, 2.3.1
_GONE = frozenset({"content-encoding", "content-length"})


def asks_for_gzip(forwarded: Headers) -> bool:
    """Tell whether QStash asks for gzip in a delivery with the *forwarded* headers."""
    return all(name.lower() not in ("accept-encoding", "range") for name, _ in forwarded)


def understood(outcome: Outcome, forwarded: Headers) -> Outcome:
    """Return *outcome*, of a delivery with the *forwarded* headers, as QStash reads the answer.

    A body that begins as gzip and cannot be unpacked is no answer (assumed).
    """
    if (first(outcome.headers, "content-encoding") or "").lower() != "gzip" or not asks_for_gzip(forwarded):
        return outcome
    body = outcome.body
    if body.startswith(_MAGIC):
        try:
            body = GzipFile(fileobj=io.BytesIO(body)).read(MAX_BODY)
        except (OSError, EOFError, zlib.error) as error:
            why = f"the answer says that it is gzip, and cannot be unpacked: {error}"
            return Outcome(error=why, exception=outcome.exception, duration_ms=outcome.duration_ms)
    return outcome._replace(body=body, headers=tuple(pair for pair in outcome.headers if pair[0].lower() not in _GONE))
