"""Parts: what a message does for its run, and what it delivers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from qstash_fake.broker.message import Content
from qstash_fake.protocol.workflow import CallType, Step, delivered_headers

if TYPE_CHECKING:
    from qstash_fake.broker.message import Message
    from qstash_fake.broker.reactions import Following
    from qstash_fake.broker.workflow.runs import Run


class Role(Enum):
    """What a message of a run does."""

    FIRST = auto()
    """It brings the payload."""
    STEP = auto()
    """It brings a step, and asks for the next."""
    WAIT = auto()
    """It tells the run that the event it waited for did not come."""
    CALL = auto()
    """It is the request of a call to another service, which sees nothing of the run."""
    REPORT = auto()
    """It brings the answer to a call."""
    FAILURE = auto()
    """It calls the failure function."""


CALL_TYPES = {Role.CALL: CallType.TO_CALLBACK, Role.REPORT: CallType.FROM_CALLBACK, Role.FAILURE: CallType.FAILURE}
LISTS = frozenset({Role.FIRST, Role.STEP, Role.WAIT})
"""The roles whose messages are delivered with the list."""


@dataclass(slots=True, eq=False, kw_only=True)
class Part:
    """What *message* is to *run*; the list that it is delivered with ends at *end*."""

    run: Run
    role: Role
    message: Message
    following: Following
    """What follows when an attempt ends."""
    step: Step | None = None
    end: int | None = None
    before_first: Callable[[], None] | None = None
    """Called when the first attempt starts: it may append to the list."""

    def content(self) -> Content:
        """Return what an attempt that starts now delivers."""
        if self.before_first is not None:
            self.before_first()
            self.before_first = None
        message, run, lists = self.message, self.run, self.role in LISTS
        headers = delivered_headers(
            message.stored_headers,
            run_id=run.run_id,
            url=run.url,
            created_ms=run.created_ms,
            init=self.role is Role.FIRST,
            call_type=CALL_TYPES.get(self.role, CallType.STEP),
            lists=lists,
        )
        if lists and not any(name.lower() == "content-type" for name, _ in headers):
            headers = (("Content-Type", "application/json"), *headers)
        if self.role is Role.FIRST and run.marks.unknown_sdk:
            headers += (("Upstash-Workflow-Unknown-Sdk", "true"),)
        return Content(headers, run.list_until(self.end) if lists else message.body)

    def __str__(self) -> str:
        """Return what it is in words, such as `step 3 'charge' of run wfr_abcdef…`."""
        return f"{_WORDS[self.role]}{self._named()} of run {self.run.run_id[:10]}…"

    def _named(self) -> str:
        if self.step is None:
            return ""
        plan = " (planned)" if self.step.target else ""
        return f" {self.step.number} {self.step.name!r}{plan}"


_WORDS = {
    Role.FIRST: "start",
    Role.STEP: "step",
    Role.WAIT: "step",
    Role.CALL: "call",
    Role.REPORT: "answer to call",
    Role.FAILURE: "failure function",
}
