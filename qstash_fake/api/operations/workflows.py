"""Workflows: how the API starts, lists and ends runs, and the events that they wait for."""

from __future__ import annotations

import base64
import dataclasses
import itertools
import json
from collections.abc import Sequence

from qstash_fake.api import run_history as history
from qstash_fake.api import wire_workflows as wire
from qstash_fake.api.call import EMPTY, Call, Reply, header_pairs, json_reply
from qstash_fake.api.listing import PAGING, parse_filters, parse_page, parse_trim, read_given, turn_page
from qstash_fake.broker.workflow import selection
from qstash_fake.broker.workflow.runs import Run
from qstash_fake.errors import Refused
from qstash_fake.protocol import http
from qstash_fake.protocol.http import header_map
from qstash_fake.protocol.options import parse_bool, parse_options
from qstash_fake.protocol.publish import parse_publish
from qstash_fake.protocol.workflow import Marks, parse_wait

MAX_RUNS = 10  # Workflow docs, rest/runs/logs: runs of a page


def wait(call: Call) -> Reply:
    asked = parse_wait(call.json_object())
    call.broker.workflows.events.wait(call.path["event"], asked, parse_options(call.headers), call.caller_ip)
    return EMPTY


def notify(call: Call) -> Reply:
    woken = call.broker.workflows.events.notify(call.path["event"], call.body, call.path.get("run"))
    return json_reply([wire.notified(*one) for one in woken], 201)


def list_waiters(call: Call) -> Reply:
    return json_reply([wire.waiter(one) for one in call.broker.workflows.events.waiters.of(call.path["event"])])


def get_steps(call: Call) -> Reply:
    run = call.broker.workflows.find_going(call.path["run"])
    return Reply(headers=(("Content-Type", "application/json"),), body=run.list_until())


def end_run(call: Call) -> Reply:
    """Cancel a run; with `cancel=false` the run itself says what it has returned."""
    workflows, run_id = call.broker.workflows, call.path["run"]
    if _wants_cancel(call):
        workflows.cancel([workflows.find_going(run_id)])
    elif (run := workflows.find(run_id)).going:  # an answer that was lost is given again (assumed)
        workflows.finish(run, call.body)
    return EMPTY


def _wants_cancel(call: Call) -> bool:
    try:
        return parse_bool(call.query.get("cancel", ["true"])[0])
    except ValueError as error:
        raise Refused(400, f"invalid cancel: {error}") from None


def cancel_runs(call: Call) -> Reply:
    """Cancel by id and by filter; a URL is a prefix unless `workflowUrlExactMatch` says that it is not."""
    exact = (call.query.get("workflowUrlExactMatch") or ["false"])[0] == "true"
    given = read_given(call)
    wanted = parse_filters(
        given, selection.RUNS, besides=frozenset({"count", "workflowurlexactmatch"}), possible=selection.VALUES
    )
    page = parse_page(given, latest_first=False, most=1 << 30)
    workflows = call.broker.workflows
    found = (run for run in workflows.all if run.going and selection.selects(wanted, run, prefix=not exact))
    return json_reply({"cancelled": workflows.cancel(list(itertools.islice(found, page.count)))})


def list_runs(call: Call) -> Reply:
    """List runs, newest first, each with its steps; most keys of paging are those of other lists."""
    given = read_given(call)
    wanted = parse_filters(given, selection.RUNS, besides=PAGING | {"groupby", "trimbody"}, possible=selection.VALUES)
    page = parse_page(given, latest_first=True, most=MAX_RUNS, default=MAX_RUNS)
    body_bytes = parse_trim(given)
    known = call.broker.workflows.runs
    found = (run for run in known.beyond(page.after, latest_first=page.latest_first) if selection.selects(wanted, run))
    shown, cursor = turn_page(found, page, lambda run: f"{run.created_ms}-{known.number(run)}")
    runs = [history.run(run, body_bytes) for run in shown]
    return json_reply({**({"cursor": cursor} if cursor else {}), "runs": runs})


def trigger(call: Call) -> Reply:
    run = _trigger(call, call.path["rest"], call.headers, call.body)[0]
    return json_reply(wire.started(run))


def trigger_all(call: Call) -> Reply:
    """Start a run for each item; they are accepted in order, up to one that is refused."""
    items = call.json()
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise Refused(400, "invalid JSON body: expected an array of objects")
    started = []
    for item in items:
        headers, body = item.get("headers") or {}, item.get("body") or ""
        if not isinstance(headers, dict) or not isinstance(body, str):
            raise Refused(400, "headers of an item are an object, its body is a text")
        pairs = header_pairs(headers)
        run, deduplicated = _trigger(call, str(item.get("destination") or ""), pairs, body.encode())
        started.append(wire.started(run) | ({"deduplicated": True} if deduplicated else {}))
    return json_reply(started, 201)


def hook(call: Call) -> Reply:
    """Take a webhook: every request, from whomever, is an event of the run that made the URL."""
    request = {
        "method": call.method,
        "header": header_map(call.headers),
        "body": base64.b64encode(call.body).decode(),
        "proto": "http",  # seen in real runs
        "host": http.first(call.headers, "host") or "",
        "url": call.target,
    }
    data = json.dumps(request, separators=(",", ":"), ensure_ascii=False).encode()
    call.broker.workflows.events.notify(call.path["event"], data, call.path["run"])
    return EMPTY


def _trigger(call: Call, destination: str, pairs: Sequence[tuple[str, str]], body: bytes) -> tuple[Run, bool]:
    """Start a run in the place of an SDK; return it, and whether it was there already."""
    request = parse_publish(destination, pairs, body, caller_ip=call.caller_ip)
    unknown_sdk = (http.first(pairs, "upstash-workflow-unknown-sdk") or "").lower() == "true"
    given = request.options.workflow
    marks = Marks(
        run_id=(given.run_id if given else "") or call.broker.ids.run(),
        init=True,
        url=request.destination.url,
        features=given.features if given else frozenset(),
        unknown_sdk=unknown_sdk,
        by_server=True,
    )
    options = dataclasses.replace(request.options, workflow=marks)
    result = call.broker.publish(dataclasses.replace(request, options=options))
    return call.broker.workflows.by_id[marks.run_id], result.deduplicated
