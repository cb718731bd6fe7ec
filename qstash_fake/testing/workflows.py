"""Workflows for a test: their runs by id, which runs wait for which event, and the assertion on runs."""

from __future__ import annotations

import json as jsonlib
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, TypedDict

from qstash_fake.broker.views import view_of
from qstash_fake.broker.workflow.runs import Run, RunState
from qstash_fake.broker.workflow.views import WorkflowRun
from qstash_fake.delivery.routes import url_pattern
from qstash_fake.errors import Refused, UsageError
from qstash_fake.protocol.attributes import NamesWhatIsMeant
from qstash_fake.protocol.keywords import made_by_the_fake
from qstash_fake.protocol.moments import iso, to_datetime
from qstash_fake.testing.background import MAX_SHOWN, Background
from qstash_fake.testing.differences import ABSENT, as_json, as_text, cut, json_difference, json_test, show
from qstash_fake.testing.inside import Inside
from qstash_fake.testing.standing import standing

__unittest = True  # unittest leaves the frames of this module out of a failure


class Workflows(NamesWhatIsMeant, Mapping[str, WorkflowRun]):
    """The runs of workflows by id, in the order of their starts; an id used twice stands for its newest run."""

    __slots__ = ("_inside",)

    @made_by_the_fake
    def __init__(self, inside: Inside) -> None:
        self._inside = inside

    def __getitem__(self, run_id: str) -> WorkflowRun:
        return view_of(WorkflowRun, self._inside.broker.workflows.by_id[run_id])

    def __iter__(self) -> Iterator[str]:
        with self._inside.broker.lock:
            return iter(list(self._inside.broker.workflows.by_id))

    def __len__(self) -> int:
        return len(self._inside.broker.workflows.by_id)

    @property
    def waiting(self) -> Mapping[str, list[WorkflowRun]]:
        """The runs that wait for an event, by its id, in the order in which they began to wait."""
        with self._inside.broker.lock:
            waiters = self._inside.broker.workflows.events.waiters.by_event()
            return MappingProxyType(
                {event_id: [view_of(WorkflowRun, one.run) for one in of] for event_id, of in waiters.items()}
            )

    def notify(self, event_id: str, data: Any = None, *, run_id: str | None = None) -> list[WorkflowRun]:
        """Notify all runs that wait for an event, and return them; deliver with one of the verbs.

        *data*: text and bytes as they are, anything else as JSON. With *run_id* only that run is meant; if it does
        not wait, the event is kept for its next wait.
        """
        self._inside.timekeeper.observe()
        broker = self._inside.broker
        with broker.lock:
            try:
                notified = broker.workflows.events.notify(event_id, _body(data), run_id)
            except Refused as refused:
                known = ", ".join(self) or "none"
                raise UsageError(f"{refused.error}; the runs are: {known}") from None
            return [view_of(WorkflowRun, one.run) for one in notified if one.waiter is not None]

    def __repr__(self) -> str:
        return f"<qstash_fake.workflows, {len(self)} run{'s' * (len(self) != 1)}>"


def _body(data: Any) -> bytes:
    if data is None:
        return b""
    if isinstance(data, bytes):
        return data
    return (data if isinstance(data, str) else jsonlib.dumps(data, separators=(",", ":"))).encode()


class AskedOfRun(TypedDict, total=False):
    """What can be asked of a run besides its URL."""

    payload: Any
    """A subset for objects, equal otherwise."""
    state: str
    step: str
    """The name of a step that is done."""


def find_run(
    inside: Inside,
    url: str | re.Pattern[str] | None,
    times: int | None,
    asked_of_run: AskedOfRun,
    background: Background,
) -> WorkflowRun | None:
    """Return the newest run that matches, or raise AssertionError; None if *times* is 0 and no run matches."""
    __tracebackhide__ = True
    payload = asked_of_run.get("payload", ABSENT)
    state, step = asked_of_run.get("state"), asked_of_run.get("step")
    if times is not None and times < 0:
        raise UsageError(f"times={times}: a number of runs is not negative")
    if state is not None and state not in list(RunState):
        raise UsageError(f"state={state!r} is unknown: use one of {', '.join(RunState)}")
    inside.timekeeper.observe()
    with inside.broker.lock:
        runs, now_ms = list(inside.broker.workflows.all), inside.broker.now_ms
    asked = _asked(url, payload, state, step)
    missed = {run: [name for name, test in asked.items() if not test(run)] for run in runs}
    matching = [run for run in runs if not missed[run]]
    if len(matching) == times or (times is None and matching):
        return view_of(WorkflowRun, matching[-1]) if matching else None
    values = {"url": url, "payload": payload, "state": state, "step": step}
    said = ", ".join(f"{name}={_show(name, values[name])}" for name in asked)
    count = f"{len(matching) or 'no'} run{'s' if len(matching) > 1 else ''} of a workflow"
    lines = [f"{count}{' with ' + said if said else ''}{'' if times is None else f'; expected {times}'}"]
    shown = matching or sorted(runs, key=lambda run: ("url" in missed[run], len(missed[run]), -runs.index(run)))
    if not runs:
        lines.append("no run was started at all")
    elif not matching:
        lines.append("the closest first:" if runs[1:] else "there is:")
    for run in shown[:MAX_SHOWN]:
        described, steps = _described(run, now_ms)
        lines += [*described, *(f"    {_difference(name, values[name], run)}" for name in missed[run]), *steps]
    if len(shown) > MAX_SHOWN:
        lines.append(f"  … and {len(shown) - MAX_SHOWN} more")
    if len(matching) < (times or 1):
        lines += background.missing()
    raise background.failure(lines)


def _asked(url: str | re.Pattern[str] | None, payload: Any, state: str | None, step: str | None) -> dict[str, Any]:
    """Return a check of a run for each criterion."""
    asked: dict[str, Any] = {}
    if url is not None:
        pattern = url_pattern(url)
        asked["url"] = lambda run: pattern.matches(run.url)
    if payload is not ABSENT:
        is_payload = json_test(payload)
        asked["payload"] = lambda run: is_payload(view_of(WorkflowRun, run).payload)
    if state is not None:
        asked["state"] = lambda run: run.state == state
    if step is not None:
        asked["step"] = lambda run: any(entry.is_done and entry.step.name == step for entry in run.results.values())
    return asked


def _show(name: str, value: Any) -> str:
    if name == "payload":
        return cut(as_json(value))
    return value if name == "url" and isinstance(value, str) else show(value)


def _difference(name: str, wanted: Any, run: Run) -> str:
    """Return how *run* differs from *wanted*."""
    match name:
        case "url":
            return f"url: expected {_show(name, wanted)}, got {run.url}"
        case "state":
            return f"state: expected {wanted!r}, got {str(run.state)!r}"
        case "step":
            done = [entry.step.name for entry in run.results.values() if entry.is_done and entry.step is not None]
            return f"step: expected {wanted!r}, done {'are ' + ', '.join(map(repr, done)) if done else 'is none'}"
    if run.redaction.body:
        return f"payload: expected {as_json(wanted)}, got something else, which is redacted"
    said = json_difference(wanted, view_of(WorkflowRun, run).payload)
    difference = said or "a matcher in it answered False first and True afterwards"
    return f"payload{difference if difference[0] in '.[' else f': {difference}'}"


def _described(run: Run, now_ms: int) -> tuple[list[str], list[str]]:
    """Return the lines on *run*, redacted as it asks: where it stands, and the steps that are done."""
    hides = run.redaction
    payload = cut(as_text(hides.redact_body(run.payload))) or "no payload"
    lines = [f"  {run.run_id} {run.url} {run.state} {payload}", f"    {standing(run, now_ms)}"]
    steps = []
    for number, entry in run.results.items():
        step = entry.step
        if step is None or not entry.is_done:
            continue
        out = as_text(hides.redact_body(str(step.given.get("out", "")).encode()))
        steps.append(f"    step {number} {step.name!r} ({step.type}) at {iso(to_datetime(entry.done_ms))}: {cut(out)}")
    return lines, steps
