"""Exceptions that a framework turns into a 500 itself, where it tells of them by a signal."""

from __future__ import annotations

import sys
from typing import Any

from qstash_fake.delivery.answers import note_swallowed

# Modules whose `got_request_exception` is sent for an exception that no handler of the application's took.
SIGNALS = ("flask.signals", "django.core.signals")


class Listening:
    """Notes what the frameworks that are loaded tell, from `begin` to `end`. Imports none of them.

    It listens once for many deliveries, for to connect and disconnect costs as much as a delivery. Which delivery an
    exception belongs to is told by the context that the signal is sent in.
    """

    def __init__(self) -> None:
        self._signals: dict[str, Any] = {}

    def begin(self) -> None:
        """Listen to each framework that has been loaded by now."""
        for name in SIGNALS:
            if name in sys.modules and name not in self._signals:
                self._signals[name] = sys.modules[name].got_request_exception
                self._signals[name].connect(self._note)

    def end(self) -> None:
        """Listen no longer."""
        for signal in self._signals.values():
            signal.disconnect(self._note)
        self._signals.clear()

    def _note(self, sender: object, **details: Any) -> None:
        note_swallowed(details.get("exception") or sys.exc_info()[1])
