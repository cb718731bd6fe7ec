"""Views of runs of workflows and their steps: the documented names, and nothing to set."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from qstash_fake.broker.views import Message, View, moment, view_of
from qstash_fake.broker.workflow.runs import Entry, Run, RunState
from qstash_fake.protocol.moments import to_datetime
from qstash_fake.protocol.workflow import Step, as_json


class WorkflowStep(View):
    """A step that is done: what a run has of it."""

    __slots__ = ()
    if TYPE_CHECKING:
        _inner: Entry

    @property
    def id(self) -> int:
        """Its number in the run, from 1 on."""
        return self._step.id

    @property
    def name(self) -> str:
        """The name that the workflow gives it."""
        return self._step.name

    @property
    def type(self) -> str:
        """`Run`, `SleepFor`, `SleepUntil`, `Call`, `Wait`, `Notify`, `Invoke`, `CreateWebhook`, `WaitForWebhook`."""
        return self._step.type

    @property
    def out(self) -> Any:
        """Its result, out of JSON; the data of the event that it waited for, None if it waited in vain."""
        return self._step.out

    @property
    def at(self) -> datetime:
        """When it was done: a sleep at its end."""
        return to_datetime(self._inner.done_ms)

    @property
    def _step(self) -> Step:
        assert self._inner.step is not None
        return self._inner.step

    def __repr__(self) -> str:
        return f"<WorkflowStep {self.id} {self.name!r} {self.type}>"


class WorkflowRun(View):
    """A run of a workflow."""

    __slots__ = ()
    if TYPE_CHECKING:
        _inner: Run

    @property
    def id(self) -> str:
        """Its id."""
        return self._inner.run_id

    @property
    def url(self) -> str:
        """The URL of the workflow."""
        return self._inner.url

    @property
    def state(self) -> RunState:
        """RUN_STARTED, RUN_SUCCESS, RUN_FAILED or RUN_CANCELED."""
        return self._inner.state

    @property
    def created_at(self) -> datetime:
        """When it was started."""
        return to_datetime(self._inner.created_ms)

    @property
    def ended_at(self) -> datetime | None:
        """When it returned, failed or was cancelled; None while it runs."""
        return moment(self._inner.ended_ms)

    @property
    def payload(self) -> Any:
        """What it was started with, out of JSON if it is JSON, else as text."""
        return as_json(self._inner.payload.decode("utf-8", "replace"))

    @property
    def steps(self) -> tuple[WorkflowStep, ...]:
        """The steps that are done, in the order in which they were submitted."""
        return tuple(WorkflowStep(entry) for entry in self._inner.entries if entry.is_done)

    @property
    def result(self) -> Any:
        """What it returned, out of JSON; None if it said nothing. The Python SDK never does."""
        response = self._inner.response
        return None if response is None else as_json(response.decode("utf-8", "replace"))

    @property
    def error(self) -> str | None:
        """Why it has failed."""
        return self._inner.error

    @property
    def messages(self) -> list[Message]:
        """Its messages, in publish order: steps, calls, what came of them, the call of its failure function."""
        return [view_of(Message, message) for message in self._inner.messages]
