"""Signing keys: the one in use and the one that follows it."""

from __future__ import annotations

from collections.abc import Callable

# The official dev server's first user. QStash docs, howto/local-development.
DEV_CURRENT_KEY = "sig_7kYjw48mhY7kAjqNGcy6cr29RJ6r"
DEV_NEXT_KEY = "sig_5ZB6DVzB1wjE8S6rZ7eenA8Pdnhs"


def dev_keys() -> tuple[str, str]:
    """Return the keys of the dev server's first user."""
    return DEV_CURRENT_KEY, DEV_NEXT_KEY


class SigningKeys:
    """A message is signed with the key that is *current* at the attempt; a receiver knows *next* as well.

    *first* gives both and is called when one of them is first needed: until then a test may set its own.
    """

    def __init__(self, first: Callable[[], tuple[str, str]], make: Callable[[], str]) -> None:
        self._first = first
        self._both: tuple[str, str] | None = None
        self._make = make

    @property
    def current(self) -> str:
        return self._keys()[0]

    @property
    def next(self) -> str:
        return self._keys()[1]

    def rotate(self) -> None:
        """Make the next key the current one, and a new key the next."""
        self._both = (self.next, self._make())

    def _keys(self) -> tuple[str, str]:
        if self._both is None:
            self._both = self._first()
        return self._both
