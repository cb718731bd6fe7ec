"""Events: a run waits for one, for a time, and others notify it. Knows what a wait and a notification append.

The end of a wait is a message, due at the deadline. It is made when the wait begins, and is pending like everything
that is still to come. It appends its step when it starts. A notification withdraws it and appends another.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from qstash_fake.broker.message import Message
from qstash_fake.broker.workflow.configuration import configured, marks_of
from qstash_fake.broker.workflow.endings import part_of
from qstash_fake.broker.workflow.parts import Role
from qstash_fake.broker.workflow.runs import Run, RunHasEnded, Wait
from qstash_fake.broker.workflow.waiters import Waiter, Waiters
from qstash_fake.protocol.options import Options
from qstash_fake.protocol.workflow import CallType, Step, WaitRequest, parse_step

if TYPE_CHECKING:
    from qstash_fake.broker.account import Account
    from qstash_fake.broker.workflow.workflows import Workflows


class Notified(NamedTuple):
    """What came of an event for one run: the step that *message_id* brings, or, if it is kept, nobody waited."""

    waiter: Waiter | None
    run: Run
    message_id: str


class Events:
    """The events of one account."""

    def __init__(self, account: Account, workflows: Workflows) -> None:
        self.waiters = Waiters()
        self._account = account
        self._workflows = workflows

    def wait(self, event_id: str, asked: WaitRequest, options: Options, caller_ip: str) -> None:
        """Let a run wait for an event; what was kept for it is taken at once."""
        run = self._workflows.find(marks_of(options).run_id)
        if not run.going:
            raise RunHasEnded(run)
        options, step = configured(options, run), Step(asked.step)
        if run.find(step) is not None or any(Step(one.asked.step).id == step.id for one in run.waiters):
            return  # at least once: it has asked for this before
        run.waits[step.number] = Wait(asked.timeout, self._account.now_ms + asked.timeout_ms)
        if kept := run.kept.get(event_id):
            body = _step(asked.step, event_id, kept.pop(0))
            self._workflows.append(run, Role.STEP, asked.url, options, body=body, caller_ip=caller_ip)
            return
        delayed = Options(delay_ms=asked.timeout_ms).over(options)
        message = self._workflows.make(run, Role.WAIT, asked.url, delayed, body=b"", caller_ip=caller_ip, step=step)
        waiter = Waiter(
            event_id=event_id,
            run=run,
            deadline_ms=message.due_ms,
            options=options,
            asked=asked,
            message=message,
        )
        self.waiters.add(waiter)
        part_of(message).before_first = lambda: self._time_out(waiter, message)

    def notify(self, event_id: str, data: bytes, run_id: str | None = None) -> list[Notified]:
        """Give *data* to all that wait for an event.

        With *run_id* only that run is meant, or refused with 404. If it does not wait, the data is kept for its next
        wait.
        """
        run = None if run_id is None else self._workflows.find_going(run_id)
        woken = [self._wake(waiter, event_id, data) for waiter in self.waiters.of(event_id, run)]
        if run is None or woken:
            return woken
        run.kept.setdefault(event_id, []).append(data)
        return [Notified(None, run, "")]

    def forget(self, run: Run) -> None:
        """Let *run*, which has ended, wait for nothing."""
        for waiter in list(run.waiters):
            self.waiters.remove(waiter)

    def _wake(self, waiter: Waiter, event_id: str, data: bytes) -> Notified:
        self.waiters.remove(waiter)
        self._workflows.withdraw(waiter.message)
        body = _step(waiter.asked.step, event_id, data)
        published = self._workflows.append(waiter.run, Role.STEP, waiter.asked.url, waiter.options, body=body)
        return Notified(waiter, waiter.run, published.message_id)

    def _time_out(self, waiter: Waiter, message: Message) -> None:
        """End the wait of *waiter* without its event; *message*, which is starting, tells the run."""
        self.waiters.remove(waiter)
        message.body = _json({**waiter.asked.step, "waitEventId": waiter.event_id, "waitTimeout": True})
        part = part_of(message)
        part.step = parse_step(message.body)
        part.end = waiter.run.append(
            message.message_id, message.body, CallType.STEP, self._account.now_ms, step=part.step, message=message
        )


def _step(step: Mapping[str, Any], event_id: str, data: bytes) -> bytes:
    return _json({**step, "waitEventId": event_id, "out": base64.b64encode(data).decode()})


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
