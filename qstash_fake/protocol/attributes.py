"""Attributes that are not there: the error names the one that is meant.

Each class that a test holds has a table of the words that other libraries, the API or the SDKs use for what it shows.
Any other name is compared with the names of the class. Names that begin with an underscore are left to Python: copy,
pickle, mock and pytest ask for them to find out what an object can do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from qstash_fake.protocol.keywords import did_you_mean


class NamesWhatIsMeant:
    """The base of what a test holds: an attribute that it lacks raises an AttributeError that names the right one."""

    __slots__ = ()

    if not TYPE_CHECKING:  # to a type checker, a class with __getattr__ has every attribute

        def __getattr__(self, name: str) -> Any:
            """Raise AttributeError; Python asks here where it has found no attribute of this *name*."""
            __tracebackhide__ = True
            if name.startswith("_") or hasattr(type(self), name):  # of a property: its own code has raised
                return object.__getattribute__(self, name)
            text = f"{type(self).__name__!r} object has no attribute {name!r}{nearest(type(self), name)}"
            raise AttributeError(text, name=name)  # no obj=, with which Python would add a suggestion of its own


def nearest(cls: type, name: str) -> str:
    """Return ` (did you mean …?)` with what of *cls* is meant by *name*, empty if nothing is near."""
    for one in cls.__mro__:
        if meant := MEANT.get(one.__name__, {}).get(name):
            return f" (did you mean {meant}?)"
    return did_you_mean(name, [known for known in dir(cls) if not known.startswith("_")], "{}")


_CLOCK = ("advance", "advance_to", "advance_to_next", "advance_until")
MEANT: Mapping[str, Mapping[str, str]] = {
    "QStashFake": {
        **{name: f"clock.{name}" for verb in _CLOCK for name in (verb, f"{verb}_async")},
        "now": "clock.now",
        "next_due": "clock.next_due",
        **dict.fromkeys(("tick", "move_to", "travel", "sleep"), "clock.advance"),
        **dict.fromkeys(("run", "run_all", "run_until_idle", "flush", "process"), "drain"),
        **dict.fromkeys(("sent", "published", "outbox", "jobs", "tasks"), "messages"),
        **dict.fromkeys(("requests", "calls", "deliveries"), "attempts"),
        **dict.fromkeys(("dead_letters", "dead_letter_queue"), "dlq"),
        "keys": "signing_keys",
        "rotate_keys": "signing_keys.rotate",
        "clear": "reset",
        "sign": "signed_request",
        "fail": "api.fail",
        "drop_connection": "api.drop_connection",
        "runs": "workflows",
        "notify": "workflows.notify",
        "assert_not_published": "assert_nothing_published",
        "assert_not_called": "assert_nothing_published",
        "assert_enqueued": "assert_published(…, queue=…)",
        "assert_called": "assert_delivered",
        "assert_failed": "assert_dead_lettered",
    },
    "Clock": {
        **dict.fromkeys(("tick", "sleep", "travel", "step", "shift", "forward"), "advance"),
        **dict.fromkeys(("move_to", "set", "goto"), "advance_to"),
        "time": "now",
        "drain": "qstash_fake.drain",
        "deliver_due": "qstash_fake.deliver_due",
    },
    "Message": {
        "id": "message_id",
        "destination": "url",
        "status": "state, or attempts[-1].status",
        "status_code": "attempts[-1].status",
        "retries": "max_retries",
        "retried": "attempts[-1].retried",
        "label": "labels",
        "delay": "due_at - created_at, or assert_published(…, delay=…)",
        "timeout": "assert_published(…, timeout=…)",
        "flow_control_key": "flow_control",
        "deliver": "qstash_fake.deliver(message)",
        **dict.fromkeys(("data", "payload", "content"), "body"),
        **dict.fromkeys(("response", "answer", "error", "exception"), "attempts[-1]"),
    },
    "Attempt": {
        **dict.fromkeys(("response_status", "status_code"), "status"),
        **dict.fromkeys(("response_body", "content", "text"), "body"),
        "response_headers": "headers",
        "started_at": "at",
        "url": "message.url",
        "retry": "retried",
    },
    "DeadLetter": {
        "id": "dlq_id",
        "url": "message.url",
        "body": "response_body, or message.body",
        "message_id": "message.message_id",
        **dict.fromkeys(("status", "status_code"), "response_status"),
        **dict.fromkeys(("retry", "resume", "republish"), "redrive"),
    },
    "LogEntry": {"time": "at", "id": "message_id"},
    "Schedule": {
        "id": "schedule_id",
        "url": "destination",
        "is_paused": "paused",
        **dict.fromkeys(("next", "next_due", "next_run"), "next_at"),
        **dict.fromkeys(("last", "last_run"), "last_at"),
        **dict.fromkeys(("run", "fire", "tick"), "trigger"),
    },
    "Queue": {**dict.fromkeys(("size", "waiting", "pending"), "lag"), "is_paused": "paused"},
    "FlowControlKey": {
        **dict.fromkeys(("name", "id"), "key"),
        "is_paused": "paused",
        "active": "in_flight",
        "lag": "waiting",
    },
    "UrlGroup": {"urls": "endpoints", "id": "name"},
    "ApiView": {"requests": "calls", "answers": "calls"},
    "Route": {
        **dict.fromkeys(("reply", "return_value", "mock", "returns"), "respond"),
        **dict.fromkeys(("side_effect", "respond_many"), "respond_with"),
        "fail": "respond(500)",
        "timeout": "time_out",
        "raises": "refuse_connection, or mount a function that raises",
        "count": "call_count",
        "requests": "calls",
    },
    "WorkflowRun": {"run_id": "id", "status": "state", "workflow_run_id": "id"},
    "WorkflowStep": {"result": "out", "step_name": "name", "step_id": "id"},
    "Report": {"failed": "dead", "dlq": "dead"},
}
"""The class → a name that it lacks → what is meant, as a test writes it on the same object."""
