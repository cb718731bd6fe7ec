"""Ids that look like QStash's, made from a seed and a counter: equal seeds give equal ids in equal order."""

from __future__ import annotations

import itertools
from functools import cached_property
from hashlib import blake2b

_BASE58 = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_DIGITS = bytes(_BASE58[byte % 58] for byte in range(256))


class Ids:
    """A source of ids: unique within one instance, and equal for equal *seed* and *series*."""

    def __init__(self, seed: int, series: bytes = b"") -> None:
        self._seed, self._series = seed, series
        self._key = str(seed).encode()[:64]
        self._counter = itertools.count()
        self._keyed: dict[int, blake2b] = {}
        """By the count of digits: a hash that has read the key. A copy of it is cheaper than a new one."""

    @cached_property
    def forged(self) -> Ids:
        """Ids for what a test makes up. They take nothing from the counter, hence later ids stay as they are."""
        return Ids(self._seed, b"forged")

    def message(self) -> str:
        """`msg_` and 59 base58 digits, the length of today's real ones."""
        return "msg_" + self._digits(59)

    def schedule(self) -> str:
        """`scd_` and 28 base58 digits."""
        return "scd_" + self._digits(28)

    def run(self) -> str:
        """`wfr_` and 21 base58 digits, as SDKs make them."""
        return "wfr_" + self._digits(21)

    def signing_key(self) -> str:
        """`sig_` and 28 base58 digits."""
        return "sig_" + self._digits(28)

    def _digits(self, count: int) -> str:
        if (keyed := self._keyed.get(count)) is None:
            keyed = self._keyed[count] = blake2b(key=self._key, person=self._series, digest_size=count)
        digest = keyed.copy()
        digest.update(b"%d" % next(self._counter))
        return _base58(digest)


def token_id(message_id: str, number: int) -> str:
    """The `jti` of the signature of a message's attempt *number*: `jwt_` and 28 base58 digits.

    It takes nothing from a counter: whether a delivery is signed does not change the ids of what follows.
    """
    return "jwt_" + _base58(blake2b(f"{message_id} {number}".encode(), digest_size=28))


def _base58(digest: blake2b) -> str:
    return digest.digest().translate(_DIGITS).decode()
