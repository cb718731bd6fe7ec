"""Signing keys: the one in use and the one that follows it."""

from __future__ import annotations

from collections.abc import Callable

# The official dev server's first user. QStash docs, howto/local-development.
DEV_CURRENT_KEY = "sig_7kYjw48mhY7kAjqNGcy6cr29RJ6r"
DEV_NEXT_KEY = "sig_5ZB6DVzB1wjE8S6rZ7eenA8Pdnhs"


class SigningKeys:
    """A message is signed with the key that is *current* at the attempt; a receiver knows *next* as well."""

    def __init__(self, current: str, next: str, make: Callable[[], str]) -> None:  # noqa: A002 - QStash's word
        self.current = current
        self.next = next
        self._make = make

    def rotate(self) -> None:
        """Make the next key the current one, and a new key the next."""
        self.current, self.next = self.next, self._make()

    def __repr__(self) -> str:
        return "<SigningKeys>"  # keys are secrets
