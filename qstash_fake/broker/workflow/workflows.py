"""The workflows of an account: how a run starts, grows and ends. A publish that names a run comes in here.

All of it happens while a delivery is in flight: the workflow publishes its next step, or tells of its end, before it
answers. Knows runs and what they publish; what an answer means is in `endings`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from qstash_fake.broker.acceptance import Published
from qstash_fake.broker.fanout import Target, headers_of
from qstash_fake.broker.lifecycle import Move
from qstash_fake.broker.message import Message, Outcome, State
from qstash_fake.broker.reactions import finish
from qstash_fake.broker.workflow.configuration import configuration, configured, marks_of, redacted
from qstash_fake.broker.workflow.endings import FOLLOWING, part_of
from qstash_fake.broker.workflow.events import Events
from qstash_fake.broker.workflow.invoke import Invoker, result_step
from qstash_fake.broker.workflow.parts import CALL_TYPES, Part, Role
from qstash_fake.broker.workflow.reports import failure_report
from qstash_fake.broker.workflow.resuming import FailureState, failure_state, is_unfinished, once_more, successor
from qstash_fake.broker.workflow.runs import Run, RunHasEnded, RunMove, RunState, error_of
from qstash_fake.broker.workflow.store import RunStore
from qstash_fake.errors import Refused
from qstash_fake.protocol import http
from qstash_fake.protocol.options import NO_OPTIONS, Options, parse_options
from qstash_fake.protocol.publish import PublishRequest
from qstash_fake.protocol.workflow import CallType, Marks, Step, parse_invoke, parse_step

if TYPE_CHECKING:
    from qstash_fake.broker.account import Account
    from qstash_fake.broker.dead_letters import DeadLetter

# What a message of each call type is to its run; a start is none of them.
_ROLES = {
    CallType.STEP: Role.STEP,
    CallType.TO_CALLBACK: Role.CALL,
    CallType.FROM_CALLBACK: Role.REPORT,
    CallType.FAILURE: Role.FAILURE,
}
_ENDS = {RunMove.RETURN: "has returned", RunMove.FAIL: "has failed", RunMove.CANCEL: "was cancelled"}


class Workflows:
    """The runs of one account, and what they wait for."""

    def __init__(self, account: Account) -> None:
        self.runs = RunStore()
        self.events = Events(account, self)
        self._account = account

    @property
    def all(self) -> list[Run]:
        """The runs that are remembered, in the order of the starts."""
        return list(self.runs)

    @property
    def by_id(self) -> dict[str, Run]:
        """The newest run of each id."""
        return self.runs.by_id

    def find(self, run_id: str) -> Run:
        """Return the newest run with this id, or refuse with 404."""
        if (run := self.by_id.get(run_id)) is None:
            raise Refused(404, f"workflow run {run_id} not found")
        return run

    def find_going(self, run_id: str) -> Run:
        """Return the run with this id, or refuse with 404, also if it has ended."""
        if not (run := self.find(run_id)).going:
            raise Refused(404, f"workflow run {run_id} has ended: {run.state}")
        return run

    # --- the way in ----------------------------------------------------------------------------------------

    def takes(self, options: Options) -> bool:
        """Tell whether a publish with these *options* starts a run or belongs to one."""
        return options.workflow is not None

    def check(self, request: PublishRequest) -> None:
        """Refuse a publish for no run, or for one that has ended; an SDK takes 400 for the end and stops."""
        marks = marks_of(request.options)
        if not request.destination.url:
            raise Refused(400, "a workflow is published to a URL")
        if marks.init:
            if marks.invoke:
                parse_invoke(request.body)
        elif not (run := self.find(marks.run_id)).going and marks.call_type is not CallType.FAILURE:
            raise RunHasEnded(run)

    def publish(self, request: PublishRequest) -> list[Published]:
        """Start a run, or append to one."""
        marks = marks_of(request.options)
        if marks.init:
            return [self._start(request, marks)]
        run = self.find(marks.run_id)
        role = _ROLES[marks.call_type]
        options = (redacted if role is Role.CALL else configured)(request.options, run)
        return [
            self.append(run, role, request.destination.url, options, body=request.body, caller_ip=request.caller_ip)
        ]

    def publish_again(self, message: Message, overrides: Options) -> Message:
        """Let a run go on under a new id, from the message that it failed with."""
        run = self.resume(part_of(message).run, overrides)
        return run.messages[-1]

    def _start(self, request: PublishRequest, marks: Marks) -> Published:
        earlier = self.by_id.get(marks.run_id)
        url = request.destination.url
        if earlier is not None and earlier.going and not marks.by_sdk:
            assert earlier.first is not None
            return Published(earlier.first.message_id, url, deduplicated=True)
        payload, invoker = request.body, None
        if marks.invoke:
            invoke = parse_invoke(request.body)
            payload, invoker = invoke.payload, Invoker(self.by_id.get(invoke.run_id), invoke)
        if earlier is not None and earlier.going:
            run = earlier  # started by the API for an SDK, which now says what it really starts
            run.payload, run.config, run.marks = payload, configuration(request.options), marks
        else:
            run = Run(
                run_id=marks.run_id or self._account.ids.run(),
                url=marks.url or url,
                created_ms=self._now_ms,
                marks=marks,
                payload=payload,
                config=configuration(request.options),
                caller_ip=request.caller_ip,
                invoker=invoker,
            )
            self.add(run)
        return self.make_first(run, url, request.options)

    def add(self, run: Run) -> None:
        """Let *run* be one of them, the newest of its id."""
        self.runs.add(run)
        if run.invoker is not None and run.invoker.run is not None:
            run.invoker.run.children.add(run)
            run.invoker.run.invoked.append(run)
        self._note(run, "has started")

    def make_first(self, run: Run, url: str, options: Options) -> Published:
        """Make the message that brings the payload of *run*."""
        message = self.make(run, Role.FIRST, url, options, body=run.payload, caller_ip=run.caller_ip)
        part_of(message).end = run.start_with(message)
        return Published(message.message_id, url)

    def append(
        self, run: Run, role: Role, url: str, options: Options, *, body: bytes, caller_ip: str = ""
    ) -> Published:
        """Make a message of *run* and let the list end with it; a step that is there already is not made again."""
        step = parse_step(body) if role is Role.STEP else _step_of_call(role, options)
        if role is Role.STEP and step is not None and (earlier := run.find(step)) is not None:
            return Published(earlier.message_id, url, deduplicated=True)
        if role is Role.STEP and step is None:
            self._note(run, "was given a body that is no step: no SDK can replay it")
        message = self.make(run, role, url, options, body=body, caller_ip=caller_ip, step=step)
        if role is Role.FAILURE:
            run.failure = message
        else:
            part_of(message).end = run.append(
                message.message_id,
                body,
                CALL_TYPES.get(role, CallType.STEP),
                self._now_ms,
                step=step if role is Role.STEP else None,
                message=message,
            )
        return Published(message.message_id, url)

    def make(
        self,
        run: Run,
        role: Role,
        url: str,
        options: Options,
        *,
        body: bytes,
        caller_ip: str,
        step: Step | None = None,
    ) -> Message:
        """Make a message of *run*; its list ends nowhere yet."""
        message = self._account.acceptance.create(
            Target(url, options), self._now_ms, body=body, headers=headers_of(options), caller_ip=caller_ip
        )
        part = Part(run=run, role=role, message=message, following=FOLLOWING[role], step=step)
        message.part = part
        if role is not Role.CALL:
            message.content_at_start = part.content
        run.messages.append(message)
        run.pending.add(message)
        return message

    # --- the end ---------------------------------------------------------------------------------------------

    def finish(self, run: Run, response: bytes | None) -> None:
        """Let *run* return *response*, JSON or nothing."""
        run.response = response or None
        self._end(run, RunMove.RETURN)

    def cancel(self, runs: Iterable[Run]) -> int:
        """Cancel those of *runs* that have not ended; return how many."""
        going = [run for run in runs if run.going]
        for run in going:
            self._end(run, RunMove.CANCEL)
        return len(going)

    def fail(self, run: Run, message: Message, outcome: Outcome) -> None:
        """Let *run* fail with *message*, whose last attempt came to *outcome*."""
        run.failed, run.failure_outcome, run.error = message, outcome, error_of(outcome)
        self._end(run, RunMove.FAIL)

    def _end(self, run: Run, how: RunMove) -> None:
        """End *run*: its waiting messages go, messages in flight end, and the run that waits for it is told."""
        run.move(how, self._now_ms)
        outcome = run.failure_outcome
        self._note(run, _ENDS[how] + ("" if outcome is None else f": {error_of(outcome, run.redaction)}"))
        self.events.forget(run)
        for message in sorted(run.pending, key=lambda message: message.sequence):
            self.withdraw(message)
        if run.invoker is not None:
            self._tell_invoker(run, run.invoker)
        self.runs.ended(run, self._account.store.dead_letters(self._now_ms))

    def withdraw(self, message: Message) -> None:
        """Cancel *message*, unless it is in flight: then it comes to its end."""
        if message.state is State.ACTIVE or not message.pending:
            return
        part_of(message).run.pending.discard(message)
        finish(self._account, message, Move.CANCEL)
        self._account.admission.finished(message)

    def _tell_invoker(self, run: Run, invoker: Invoker) -> None:
        """Append the result of *run* to the run that waits for it. A waiting run that has failed only logs it."""
        parent = invoker.run
        if parent is None:
            return
        parent.children.discard(run)
        body = result_step(invoker, run)
        if parent.going:
            options = parse_options(invoker.pairs)
            self.append(parent, Role.STEP, invoker.asked.url, configured(options, parent), body=body)
        elif parent.state is RunState.RUN_FAILED:
            parent.append(self._account.ids.message(), body, CallType.STEP, self._now_ms, step=parse_step(body))

    # --- once more -------------------------------------------------------------------------------------------

    def resume(self, failed: Run, overrides: Options = NO_OPTIONS, *, from_start: bool = False) -> Run:
        """Let a run that has failed go on as a new one, *overrides* over its options; or start again *from_start*.

        The new run has what was appended to the old one, except for the step that failed and for plans that have no
        result: those are appended again, and thus delivered.
        """
        run = successor(failed, self._account.ids.run(), self._now_ms, overrides)
        self.add(run)
        if from_start or failed.failed is failed.first:
            assert failed.first is not None
            self.make_first(run, failed.first.url, once_more(failed.first.options, overrides))
            return run
        again = [entry for entry in failed.entries if is_unfinished(entry, failed)]
        for entry in failed.entries:
            if entry not in again:
                run.append(
                    entry.message_id, entry.body, entry.call_type, entry.at_ms, step=entry.step, message=entry.message
                )
        for entry in again:
            message = entry.message
            assert message is not None
            role = Role.STEP if part_of(message).role is Role.WAIT else part_of(message).role
            options = once_more(message.options, overrides, wait_for=message)
            self.append(run, role, message.url, options, body=entry.body, caller_ip=message.caller_ip)
        return run

    def resume_all(self, dead: Iterable[DeadLetter], overrides: Options, *, from_start: bool) -> list[Run]:
        """Resume, or start again, the runs of these *dead* letters, and remove the dead letters."""
        runs = []
        dead = list(dead)
        for one in dead:
            self._account.refuse_if_retired(f"dead letter {one.dlq_id}")
        for one in dead:
            runs.append(self.resume(part_of(one.message).run, overrides, from_start=from_start))
            self._account.store.remove_dead_letter(one)
        return runs

    def retry_failure_function(self, run: Run) -> None:
        """Call the failure function of *run* again, or refuse with 400 if its last call has not failed."""
        if failure_state(run) is not FailureState.CALLBACK_FAIL:
            raise Refused(400, f"the failure callback of workflow run {run.run_id} has not failed")
        request = failure_report(run)
        assert request is not None
        self._account.acceptance.publish_callback(request, self._now_ms)

    @property
    def _now_ms(self) -> int:
        return self._account.now_ms

    def note_refused_step(self, refused: Refused) -> None:
        """Note a step that was *refused* with 400. SDKs take that for the end of the run, and stop in silence."""
        if isinstance(refused, RunHasEnded):
            ended = f"has ended ({refused.run.state}): a step of it was refused with 400"
            self._note(refused.run, ended, in_vain=True)
            return
        what = f"a step was refused with 400, which its SDK takes for the end of the run: {refused.error}"
        self._account.journal.note(self._now_ms, what, in_vain=True)

    def _note(self, run: Run, what: str, *, in_vain: bool = False) -> None:
        self._account.journal.note(self._now_ms, f"run {run.run_id} of {run.url} {what}", in_vain=in_vain)


def _step_of_call(role: Role, options: Options) -> Step | None:
    """Return which step a call, or the report of one, is about; the headers of its callback name it."""
    family = options if role is Role.REPORT else options.callback_options
    if family is None or (number := http.first(family.forward, "upstash-workflow-stepid")) is None:
        return None
    name = http.first(family.forward, "upstash-workflow-stepname")
    return Step({"stepId": int(number) if number.isdecimal() else 0, "stepName": name, "stepType": "Call"})
