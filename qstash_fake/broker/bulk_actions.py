"""Bulk actions: what is remembered of a change to all messages that a filter selects. Knows no message.

QStash works on such a change in the background. Here it is finished when the call is answered, whatever the clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from qstash_fake.errors import Refused

KEPT_MS = 7 * 86_400_000  # QStash docs, howto/bulk-actions
MAX_ACTIONS = 10_000  # bounds memory while the clock stands still; the oldest are forgotten


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkAction:
    """A finished change: *filter*, names as sent, each with its values, has selected *total* messages."""

    action_id: str
    number: int
    created_ms: int
    total: int
    filter: Mapping[str, list[str]]


class BulkActions:
    """The bulk actions of the last KEPT_MS, numbered in their order."""

    def __init__(self) -> None:
        self._kept: deque[BulkAction] = deque(maxlen=MAX_ACTIONS)
        self._count = 0

    def add(self, total: int, meant: Mapping[str, list[str]], now_ms: int) -> BulkAction:
        """Note a change that is finished now; its id, `<ms>-<number>`, is like that of a dead letter (assumed)."""
        number, self._count = self._count, self._count + 1
        action = BulkAction(
            action_id=f"{now_ms}-{number}", number=number, created_ms=now_ms, total=total, filter=dict(meant)
        )
        self._kept.append(action)
        return action

    def newest(self, before: int | None, now_ms: int) -> Iterator[BulkAction]:
        """Yield the actions that are kept at *now_ms*, newest first (assumed), from the one *before* that number on."""
        for action in reversed(self._kept):
            if action.created_ms + KEPT_MS >= now_ms and (before is None or action.number < before):
                yield action

    def find(self, action_id: str, now_ms: int) -> BulkAction:
        """Return the action with this id, or refuse with 404."""
        found = (action for action in self.newest(None, now_ms) if action.action_id == action_id)
        if (action := next(found, None)) is None:
            raise Refused(404, f"bulk action {action_id} not found")
        return action
