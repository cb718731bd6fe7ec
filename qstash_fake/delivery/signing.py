"""The signature of a delivery. Reads the application's clock, and nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
import time

from jwt import PyJWS
from jwt.algorithms import HMACAlgorithm

SIGNATURE_LIFETIME_S = 300  # QStash docs, features/security; checked on a real token


class _AnyKey(HMACAlgorithm):
    """HS256 with the key as it is: PyJWT looks at each for what it may be instead, and warns of a short one."""

    def prepare_key(self, key: str | bytes) -> bytes:
        return key.encode() if isinstance(key, str) else key

    def check_key_length(self, key: object) -> None:
        """Find nothing wrong: a user's key is his choice."""


_compact = json.JSONEncoder(separators=(",", ":")).encode  # as PyJWT writes claims, made once
_SIGNER = PyJWS()
_SIGNER.unregister_algorithm("HS256")
_SIGNER.register_algorithm("HS256", _AnyKey(HMACAlgorithm.SHA256))


def sign(url: str, body: bytes, key: str, token_id: str, *, age_s: int = 0) -> str:
    """Return the `Upstash-Signature` of *body* sent to *url*, issued *age_s* seconds ago. QStash docs, security.

    The time is the application's, `time.time()` looked up at the call: a verifier refuses an `iat` even one
    second ahead of its own clock.
    """
    claims = claims_of(url, body, token_id, issued=int(time.time()) - age_s)
    return _SIGNER.encode(_compact(claims).encode(), key, "HS256")


def claims_of(url: str, body: bytes, token_id: str, *, issued: int) -> dict[str, str | int]:
    """Return what a signature says of *body*, sent to *url*; *issued* in unix seconds."""
    return {
        "aud": "",
        "body": base64.urlsafe_b64encode(hashlib.sha256(body).digest()).decode(),
        "exp": issued + SIGNATURE_LIFETIME_S,
        "iat": issued,
        "iss": "Upstash",
        "jti": token_id,
        "nbf": 0,
        "sub": url,
    }
