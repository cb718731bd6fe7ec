"""An in-process test double of Upstash QStash with a virtual clock.

Names are loaded when they are first used: every pytest run imports this package, few use it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from qstash_fake.errors import DrainLimitReached, QStashFakeError, UnroutedDestination, UsageError

if TYPE_CHECKING:
    from qstash_fake.broker.account_views import Schedule
    from qstash_fake.broker.views import Attempt, DeadLetter, LogEntry, Message
    from qstash_fake.broker.workflow.views import WorkflowRun
    from qstash_fake.delivery.routes import Route
    from qstash_fake.testing.clock import Clock
    from qstash_fake.testing.fake import QStashFake
    from qstash_fake.testing.report import Report

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
    "WorkflowRun",
]

_HOMES = {
    "Attempt": "broker.views",
    "Clock": "testing.clock",
    "DeadLetter": "broker.views",
    "LogEntry": "broker.views",
    "Message": "broker.views",
    "QStashFake": "testing.fake",
    "Report": "testing.report",
    "Route": "delivery.routes",
    "Schedule": "broker.account_views",
    "WorkflowRun": "broker.workflow.views",
}


def __getattr__(name: str) -> object:
    if (home := _HOMES.get(name)) is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
