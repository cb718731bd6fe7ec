"""An in-process test double of Upstash QStash with a virtual clock.

Names are loaded when they are first used: every pytest run imports this package, few use it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from qstash_fake.errors import DrainLimitReached, QStashFakeError, UnroutedDestination, UsageError

if TYPE_CHECKING:
    from qstash_fake.broker.dead_letters import DeadLetter
    from qstash_fake.broker.journal import LogEntry
    from qstash_fake.broker.message import Attempt, Message
    from qstash_fake.broker.schedules import Schedule
    from qstash_fake.delivery.targets import Route
    from qstash_fake.testing.clock import Clock, Report
    from qstash_fake.testing.fake import QStashFake

__version__ = "0.1.0"

__all__ = [
    "Attempt",
    "Clock",
    "DeadLetter",
    "DrainLimitReached",
    "LogEntry",
    "Message",
    "QStashFake",
    "QStashFakeError",
    "Report",
    "Route",
    "Schedule",
    "UnroutedDestination",
    "UsageError",
]

_HOMES = {
    "Attempt": "broker.message",
    "Clock": "testing.clock",
    "DeadLetter": "broker.dead_letters",
    "LogEntry": "broker.journal",
    "Message": "broker.message",
    "QStashFake": "testing.fake",
    "Report": "testing.clock",
    "Route": "delivery.targets",
    "Schedule": "broker.schedules",
}


def __getattr__(name: str) -> object:
    if (home := _HOMES.get(name)) is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
