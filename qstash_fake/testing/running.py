"""The verbs that run. A context variable tells a handler, and who writes a hint, by which verbs it is called.

A driver hands its context on to tasks, threads and copies.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass

from qstash_fake.errors import UsageError


@dataclass(slots=True, eq=False)
class Running:
    """One run of a verb."""

    verb: str
    is_async: bool
    thread: int
    number: int
    """The number of the journal's next entry when it began."""
    misuse: UsageError | None = None
    """The mistake of a handler."""


INSIDE: ContextVar[tuple[Running, ...]] = ContextVar("verbs of qstash_fake that this code is called by", default=())
"""The innermost last. It is set back without a token: a verb that nobody awaits to its end is closed elsewhere."""
