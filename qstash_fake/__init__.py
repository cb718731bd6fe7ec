"""An in-process test double of Upstash QStash with a virtual clock.

Names are loaded when they are first used: every pytest run imports this package, and few runs use it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qstash_fake.api.calls import ApiCall
    from qstash_fake.api.view import ApiView
    from qstash_fake.broker.account_views import FlowControlKey, Queue, Schedule, SigningKeys, UrlGroup
    from qstash_fake.broker.journal import Step
    from qstash_fake.broker.message import State
    from qstash_fake.broker.url_groups import Endpoint
    from qstash_fake.broker.views import Attempt, DeadLetter, LogEntry, Message
    from qstash_fake.broker.workflow.runs import RunState
    from qstash_fake.broker.workflow.views import WorkflowRun, WorkflowStep
    from qstash_fake.delivery.routes import OneAnswer, Route
    from qstash_fake.errors import DrainLimitReached, QStashFakeError, UnroutedDestination, UsageError
    from qstash_fake.protocol.durations import Duration
    from qstash_fake.server.serve import LocalServer
    from qstash_fake.testing.clock import Clock
    from qstash_fake.testing.fake import QStashFake
    from qstash_fake.testing.report import Report
    from qstash_fake.testing.wanted import Url
    from qstash_fake.testing.workflows import Workflows

__version__ = "0.2.0"

__all__ = [
    "ApiCall",
    "ApiView",
    "Attempt",
    "Clock",
    "DeadLetter",
    "DrainLimitReached",
    "Duration",
    "Endpoint",
    "FlowControlKey",
    "LocalServer",
    "LogEntry",
    "Message",
    "OneAnswer",
    "QStashFake",
    "QStashFakeError",
    "Queue",
    "Report",
    "Route",
    "RunState",
    "Schedule",
    "SigningKeys",
    "State",
    "Step",
    "UnroutedDestination",
    "Url",
    "UrlGroup",
    "UsageError",
    "WorkflowRun",
    "WorkflowStep",
    "Workflows",
]

_HOMES = {
    "ApiCall": "api.calls",
    "ApiView": "api.view",
    "Attempt": "broker.views",
    "Clock": "testing.clock",
    "DeadLetter": "broker.views",
    "DrainLimitReached": "errors",
    "Duration": "protocol.durations",
    "Endpoint": "broker.url_groups",
    "FlowControlKey": "broker.account_views",
    "LocalServer": "server.serve",
    "LogEntry": "broker.views",
    "Message": "broker.views",
    "OneAnswer": "delivery.routes",
    "QStashFake": "testing.fake",
    "QStashFakeError": "errors",
    "Queue": "broker.account_views",
    "Report": "testing.report",
    "Route": "delivery.routes",
    "RunState": "broker.workflow.runs",
    "Schedule": "broker.account_views",
    "SigningKeys": "broker.account_views",
    "State": "broker.message",
    "Step": "broker.journal",
    "UnroutedDestination": "errors",
    "Url": "testing.wanted",
    "UrlGroup": "broker.account_views",
    "UsageError": "errors",
    "WorkflowRun": "broker.workflow.views",
    "WorkflowStep": "broker.workflow.views",
    "Workflows": "testing.workflows",
}


def __getattr__(name: str) -> object:
    if (home := _HOMES.get(name)) is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
