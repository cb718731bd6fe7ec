"""Exceptions that a framework turns into a 500 itself, where it tells of them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from qstash_fake.delivery.kinds.base import Reply


@contextmanager
def swallowed_exceptions() -> Iterator[list[Exception]]:
    """Collect the exceptions that Flask and Django turn into a 500 themselves; neither is imported for it."""
    found: list[Exception] = []

    def note(sender: object, **details: Any) -> None:
        error = details.get("exception") or sys.exc_info()[1]
        if isinstance(error, Exception):
            found.append(error)

    signals = [
        module.got_request_exception
        for name in ("flask.signals", "django.core.signals")
        if (module := sys.modules.get(name)) is not None
    ]
    for signal in signals:
        signal.connect(note)
    try:
        yield found
    finally:
        for signal in signals:
            signal.disconnect(note)


def with_exception(answer: Reply, swallowed: list[Exception]) -> Reply:
    """Return *answer* with the last of what was *swallowed*, if it has no exception of its own."""
    if answer.exception is None and swallowed:
        answer.exception = swallowed[-1]
    return answer
