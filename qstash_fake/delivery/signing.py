"""The signature of a delivery. Reads the application's clock, and nothing else."""

from __future__ import annotations

import base64
import hashlib
import time
import warnings

import jwt

SIGNATURE_LIFETIME_S = 300  # QStash docs, features/security; checked on a real token


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
