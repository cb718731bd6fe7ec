"""Runs: what a run of a workflow is, which state follows which, and the list that its deliveries carry.

The list only grows. A message is delivered with the list as it was when the message was appended, and stands last in
it: an SDK runs what stands last, and a retry must find what the first attempt found. Hence a message keeps one number,
where its list ends. All deliveries share the encoded entries, which keeps a run of n steps linear in memory.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import Enum, StrEnum, auto
from typing import TYPE_CHECKING, Any, NamedTuple

from qstash_fake.errors import Refused
from qstash_fake.protocol.options import NO_OPTIONS, Options
from qstash_fake.protocol.redaction import NOTHING, Redaction
from qstash_fake.protocol.workflow import ENDED, CallType, Marks, Step, encode_entry

if TYPE_CHECKING:
    from qstash_fake.broker.message import Message, Outcome
    from qstash_fake.broker.workflow.invoke import Invoker
    from qstash_fake.broker.workflow.waiters import Waiter


class RunState(StrEnum):
    """Where a run stands, in the API's words."""

    RUN_STARTED = "RUN_STARTED"
    RUN_SUCCESS = "RUN_SUCCESS"
    RUN_FAILED = "RUN_FAILED"
    RUN_CANCELED = "RUN_CANCELED"


class RunMove(Enum):
    """What can happen to a run."""

    RETURN = auto()
    FAIL = auto()
    CANCEL = auto()


RUN_TRANSITIONS: dict[RunState, dict[RunMove, RunState]] = {
    RunState.RUN_STARTED: {
        RunMove.RETURN: RunState.RUN_SUCCESS,
        RunMove.FAIL: RunState.RUN_FAILED,
        RunMove.CANCEL: RunState.RUN_CANCELED,
    },
    RunState.RUN_SUCCESS: {},
    RunState.RUN_FAILED: {},
    RunState.RUN_CANCELED: {},
}


class RunHasEnded(Refused):
    """Something was published to *run* after its end."""

    def __init__(self, run: Run) -> None:
        super().__init__(400, ENDED)
        self.run = run


class Wait(NamedTuple):
    """How long a step waits for its event: the duration as it was sent, and the deadline."""

    timeout: str
    deadline_ms: int


class Entry(NamedTuple):
    """An element of the list: the payload, a step, the request of a call, or the report of what came of it."""

    message_id: str
    body: bytes
    call_type: CallType
    at_ms: int
    encoded: bytes
    step: Step | None
    message: Message | None
    """What was published; None for the payload, and for what was added after the run had failed."""

    @property
    def is_done(self) -> bool:
        """Whether it is the result of a step; a step that sleeps, or was cancelled in its sleep, has none."""
        if self.step is None or not self.step.id:
            return False
        message = self.message
        return message is None or message.not_before_ms <= message.created_ms or message.last_attempt is not None

    @property
    def done_ms(self) -> int:
        """When the step was done: a sleep at its end, anything else when it was submitted."""
        return self.at_ms if self.message is None else max(self.at_ms, self.message.not_before_ms)


@dataclass(slots=True, eq=False, kw_only=True, repr=False)
class Run:
    """A run of a workflow."""

    run_id: str
    url: str
    created_ms: int
    marks: Marks
    payload: bytes
    first: Message | None = None
    """The message that started it."""
    config: Options = NO_OPTIONS
    """The options of its start, for all messages that leave their configuration to it."""
    caller_ip: str = ""
    state: RunState = RunState.RUN_STARTED
    ended_ms: int | None = None
    response: bytes | None = None
    """What the workflow returned, as JSON; None if it said nothing."""
    error: str | None = None
    entries: list[Entry] = field(default_factory=list)
    results: dict[int, Entry] = field(default_factory=dict)
    """The results that are there, by number of the step."""
    plans: dict[int, Entry] = field(default_factory=dict)
    """The plans that are there, by number of the step that they plan."""
    messages: list[Message] = field(default_factory=list)
    pending: set[Message] = field(default_factory=set)
    waiters: list[Waiter] = field(default_factory=list)
    """What it waits for."""
    waits: dict[int, Wait] = field(default_factory=dict)
    """What it has waited for, or still does, by number of the step."""
    kept: dict[str, list[bytes]] = field(default_factory=dict)
    """The data of events that came before it waited, by event."""
    invoker: Invoker | None = None
    """Who waits for its result."""
    children: set[Run] = field(default_factory=set)
    """The runs whose results it waits for."""
    invoked: list[Run] = field(default_factory=list)
    """All runs that it has invoked, in order."""
    failed: Message | None = None
    """The message that it failed with."""
    failure: Message | None = None
    """The report of the failure: what calls the failure function."""
    failure_outcome: Outcome | None = None
    view: Any = None
    """What a user holds of it."""

    @property
    def going(self) -> bool:
        """Whether something may still become of it."""
        return self.state is RunState.RUN_STARTED

    @property
    def redaction(self) -> Redaction:
        """What must not be shown of it."""
        return self.config.redaction or NOTHING

    @property
    def labels(self) -> tuple[str, ...]:
        return self.config.labels or ()

    def move(self, what: RunMove, now_ms: int) -> None:
        """Bring the run into the state that follows; a move the table does not know is a bug of ours."""
        following = RUN_TRANSITIONS[self.state].get(what)
        if following is None:
            raise AssertionError(f"{self!r} cannot {what.name}")
        self.state, self.ended_ms = following, now_ms

    def start_with(self, message: Message) -> int:
        """Let *message* bring the payload; return where its list ends. What was there before is replaced."""
        self.first, self.entries, self.results, self.plans = message, [], {}, {}
        return self.append(message.message_id, self.payload, CallType.STEP, message.created_ms)

    def append(
        self,
        message_id: str,
        body: bytes,
        call_type: CallType,
        at_ms: int,
        *,
        step: Step | None = None,
        message: Message | None = None,
    ) -> int:
        """Add an element to the list and return where the list ends with it."""
        entry = Entry(message_id, body, call_type, at_ms, encode_entry(message_id, body, call_type), step, message)
        self.entries.append(entry)
        if step is not None and step.id:
            self.results[step.id] = entry
        elif step is not None and step.target:
            self.plans[step.target] = entry
        return len(self.entries)

    def find(self, step: Step) -> Entry | None:
        """Return the element that is the same step, None if there is none."""
        return self.results.get(step.id) if step.id else self.plans.get(step.target)

    def list_until(self, end: int | None = None) -> bytes:
        """Return the list up to *end* as it is delivered."""
        return b"[" + b",".join([entry.encoded for entry in self.entries[:end]]) + b"]"

    def __repr__(self) -> str:
        return f"<WorkflowRun {self.run_id} {self.url} {self.state}>"


def error_of(outcome: Outcome, hides: Redaction = NOTHING) -> str:
    """Return why an attempt has failed: what the endpoint has written, as the SDKs read it, or its status.

    Where *hides* redacts the body, the text of the endpoint is left out: it may show the body.
    """
    if outcome.error:
        return outcome.error
    try:
        message = json.loads(outcome.body)["message"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return f"destination answered {outcome.status}"
    return hides.redact_body(str(message).encode("utf-8", "replace")).decode()
