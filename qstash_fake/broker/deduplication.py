"""Deduplication: which publish repeats an earlier one. Knows keys and their window; not what a message is made of."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from hashlib import sha256
from typing import Generic, TypeVar

from qstash_fake.protocol.options import Options
from qstash_fake.protocol.publish import PublishRequest

T = TypeVar("T")

WINDOW_MS = 600_000  # QStash docs, features/deduplication: ten minutes


Key = str | bytes
"""An id that was given, or the digest of a content: no id is taken for a content."""


def deduplication_key(request: PublishRequest, options: Options) -> Key | None:
    """Return the key by which *request* is known as a repetition, None if its *options* ask for no deduplication.

    These options count: its own, and below them those of its URL group.

    An explicit id counts for the whole account and wins over the content (assumed); the content is destination,
    method, body, Content-Type and forwarded headers.
    """
    if options.deduplication_id is not None:
        return options.deduplication_id
    if not options.content_based_deduplication:
        return None
    forwarded = sorted((name.lower(), value) for name, value in options.forward)
    content = (str(request.destination), options.queue, options.method or "POST", options.content_type, forwarded)
    # The text of a tuple shows itself where it ends: no part of it is taken for the body.
    return sha256(repr(content).encode() + request.body).digest()


class Deduplication(Generic[T]):
    """What was accepted under a key within the last *window_ms*."""

    def __init__(self, window_ms: int = WINDOW_MS) -> None:
        self.window_ms = window_ms
        self._accepted: OrderedDict[Key, tuple[int, Sequence[T]]] = OrderedDict()

    def find(self, key: Key, now_ms: int) -> Sequence[T] | None:
        """Return what was accepted under *key* in [t, t + window) (assumed), None if nothing was."""
        while self._accepted:
            oldest, (accepted_ms, _) = next(iter(self._accepted.items()))
            if now_ms < accepted_ms + self.window_ms:
                break
            del self._accepted[oldest]
        found = self._accepted.get(key)
        return found[1] if found else None

    def register(self, key: Key, accepted: Sequence[T], now_ms: int) -> None:
        """Remember what was *accepted* under *key*; its window opens now."""
        self._accepted[key] = (now_ms, accepted)
        self._accepted.move_to_end(key)
