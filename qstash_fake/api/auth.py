"""Who may call the API: bearer tokens, compared in constant time and never shown."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from urllib.parse import parse_qsl

from qstash_fake.errors import Refused
from qstash_fake.protocol import http

UNAUTHENTICATED = "unable to authenticate: invalid token"  # QStash's own words


class Auth:
    """The tokens that are let in: *token*, one or several; where it is None, any that is not empty.

    A token of *read_only* may only GET.
    """

    def __init__(self, token: str | Sequence[str] | None = None, read_only: str | Sequence[str] = ()) -> None:
        self._tokens = None if token is None else _encoded(token)
        self._read_only = _encoded(read_only)

    def check(self, method: str, pairs: Sequence[tuple[str, str]], query_string: str) -> None:
        """Refuse a request without a token that may make it."""
        token = _token(pairs, query_string).encode()
        if self._read_only and _among(token, self._read_only):
            if method != "GET":
                raise Refused(403, "this token is read-only")  # assumed
        elif not token or (self._tokens is not None and not _among(token, self._tokens)):
            raise Refused(401, UNAUTHENTICATED)

    def __repr__(self) -> str:
        return "<Auth>"


def _token(pairs: Sequence[tuple[str, str]], query_string: str) -> str:
    scheme, _, token = (http.first(pairs, "authorization") or "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    return dict(parse_qsl(query_string)).get("qstash_token", "")


def _among(token: bytes, allowed: Sequence[bytes]) -> bool:
    return sum(hmac.compare_digest(token, one) for one in allowed) > 0  # every comparison is made


def _encoded(tokens: str | Sequence[str]) -> tuple[bytes, ...]:
    return tuple(token.encode() for token in ([tokens] if isinstance(tokens, str) else tokens))
