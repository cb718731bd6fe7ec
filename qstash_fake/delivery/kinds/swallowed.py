"""Exceptions that a framework turns into a 500 itself, where it tells of them: Flask, Django, Quart and Litestar.

FastAPI and Starlette raise theirs after the answer. An exception of which another answer than 500 was made is not one
of them: the application has handled it (`outcome_of`).
"""

from __future__ import annotations

import sys
from typing import Any

from qstash_fake.delivery.answers import note_swallowed
from qstash_fake.delivery.lifespans import Scope

# Modules whose signal `got_request_exception` is sent for an exception that no handler of the application took,
# and whether what receives it is awaited. Quart runs another kind of receiver in a thread.
SIGNALS = {"flask.signals": False, "django.core.signals": False, "quart.signals": True}


class Listening:
    """Notes what the frameworks that are loaded tell, from `begin` to `end`. Imports none of them.

    It listens once for many deliveries: to connect and disconnect costs as much as a delivery. The context in which
    the signal is sent tells which delivery an exception belongs to.
    """

    def __init__(self) -> None:
        self._signals: dict[str, Any] = {}

    def begin(self) -> None:
        """Listen to each framework that has been loaded by now."""
        for name in SIGNALS:
            if name in sys.modules and name not in self._signals:
                self._signals[name] = sys.modules[name].got_request_exception
                self._signals[name].connect(self._receiver(name))

    def end(self) -> None:
        """Listen no longer."""
        for name, signal in self._signals.items():
            signal.disconnect(self._receiver(name))
        self._signals.clear()

    def _receiver(self, name: str) -> Any:
        return self._note_async if SIGNALS[name] else self._note

    def _note(self, sender: object, **details: Any) -> None:
        note_swallowed(details.get("exception") or sys.exc_info()[1])

    async def _note_async(self, sender: object, **details: Any) -> None:
        note_swallowed(details.get("exception"))


def note_handled(scope: Scope) -> None:
    """Note the exception that an ASGI application handles as it sends a 500, if its framework is Litestar.

    Litestar has no signal, and its hooks are for the one who makes the application. It puts the application into the
    scope, and answers inside its `except` clause. An HTTPException is the answer that a handler wants.
    """
    if "litestar_app" in scope:
        from litestar.exceptions import HTTPException

        error = sys.exc_info()[1]
        if not isinstance(error, HTTPException):
            note_swallowed(error)
