"""Dead letters of workflows: listing, resume, restart, and the calls of failure functions."""

from __future__ import annotations

from qstash_fake.api import wire as messages
from qstash_fake.api import wire_workflows as wire
from qstash_fake.api.call import EMPTY, Call, Reply, json_reply
from qstash_fake.api.listing import MAX_COUNT, PAGING, parse_filters, read_given
from qstash_fake.api.operations.dead_letters import MAX_BULK, is_option, overrides_of, page_of
from qstash_fake.broker import filters
from qstash_fake.broker.dead_letters import DeadLetter
from qstash_fake.broker.workflow.resuming import FailureState, failure_state
from qstash_fake.broker.workflow.runs import Run
from qstash_fake.errors import Refused


def list_dead_letters(call: Call) -> Reply:
    dead, cursor = _page(call, most=MAX_COUNT)
    return json_reply(
        {"messages": [messages.dead_letter(one) for one in dead], **({"cursor": cursor} if cursor else {})}
    )


def get_dead_letter(call: Call) -> Reply:
    return json_reply(messages.dead_letter(_find(call)[0]))


def delete_dead_letter(call: Call) -> Reply:
    call.broker.delete_dead_letter(_find(call)[0].dlq_id)
    return EMPTY


def delete_dead_letters(call: Call) -> Reply:
    dead, cursor = _page(call, most=MAX_BULK)
    for one in dead:
        call.broker.delete_dead_letter(one.dlq_id)
    return json_reply({"deleted": len(dead), **({"cursor": cursor} if cursor else {})})


def resume(call: Call) -> Reply:
    return _one_again(call, from_start=False)


def restart(call: Call) -> Reply:
    return _one_again(call, from_start=True)


def resume_all(call: Call) -> Reply:
    return _all_again(call, from_start=False)


def restart_all(call: Call) -> Reply:
    return _all_again(call, from_start=True)


def retry_failure_function(call: Call) -> Reply:
    run = _find(call)[1]
    call.broker.workflows.retry_failure_function(run)
    return json_reply(wire.started(run))


def cancel_failure_function(call: Call) -> Reply:
    run = _find(call)[1]
    if run.failure is None or failure_state(run) is not FailureState.CALLBACK_INPROGRESS:
        raise Refused(400, f"no failure callback of workflow run {run.run_id} is in progress")
    call.broker.cancel([run.failure])
    return EMPTY


def _one_again(call: Call, *, from_start: bool) -> Reply:
    dead, _ = _find(call)
    (run,) = call.broker.workflows.resume_all([dead], overrides_of(call), from_start=from_start)
    return json_reply(wire.started(run))


def _all_again(call: Call, *, from_start: bool) -> Reply:
    overrides = overrides_of(call)
    options = frozenset(name.lower() for name in call.query if is_option(name))
    asked = {dlq_id for values in call.query.get("dlqIds", []) for dlq_id in values.split(",")}
    for dlq_id in sorted(asked):
        _found(call, dlq_id)  # all, or none if one is not there
    dead, cursor = _page(call, most=MAX_BULK, besides=options)
    runs = call.broker.workflows.resume_all(dead, overrides, from_start=from_start)
    return json_reply({"workflowRuns": [wire.started(run) for run in runs], **({"cursor": cursor} if cursor else {})})


def _page(call: Call, *, most: int, besides: frozenset[str] = frozenset()) -> tuple[list[DeadLetter], str | None]:
    given = read_given(call)
    wanted = parse_filters(given, filters.DEAD_LETTERS, PAGING | besides)
    return page_of(call, given, lambda dead: dead.message.part is not None and wanted.dead_letter(dead), most=most)


def _find(call: Call) -> tuple[DeadLetter, Run]:
    return _found(call, call.path["id"])


def _found(call: Call, dlq_id: str) -> tuple[DeadLetter, Run]:
    """Return a dead letter of a workflow and its run, or refuse with 404."""
    dead = call.broker.find_dead_letter(dlq_id)
    if dead.message.part is None:
        raise Refused(404, f"dlq message {dlq_id} is not of a workflow")
    return dead, dead.message.part.run
