"""Selection: which runs a bulk cancel or a listing selects. The grammar of filters is that of `filters`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from qstash_fake.broker.filters import Filter, PossibleValues
from qstash_fake.broker.workflow.runs import Run, RunState
from qstash_fake.protocol import urls

Values = Iterable[str | None]

# Filter, in lower case → what it compares of a run.
RUN_FILTERS: Mapping[str, Callable[[Run], Values]] = {
    "workflowrunid": lambda run: (run.run_id,),
    "workflowrunids": lambda run: (run.run_id,),
    "workflowurl": lambda run: (run.url,),
    "workflowcreatedat": lambda run: (str(run.created_ms),),
    "workflowruns": lambda run: (f"{run.run_id}@{run.created_ms}",),
    "state": lambda run: (run.state,),
    "label": lambda run: run.labels,
    "flowcontrolkey": lambda run: (run.config.flow_control.key if run.config.flow_control else None,),
    "callerip": lambda run: (run.caller_ip,),
    "messageid": lambda run: (message.message_id for message in run.messages),
    "host": lambda run: (urls.split(run.url).host,),
    "path": lambda run: (urls.split(run.url).path or "/",),
}
RUNS = frozenset(RUN_FILTERS)
VALUES: PossibleValues = {"state": re.compile("|".join((*RunState, "")))}


def selects(wanted: Filter, run: Run, *, prefix: bool = False) -> bool:
    """Tell whether *run* is selected; *prefix*: it is enough that its URL begins as asked. Dates are of its start."""
    if wanted.from_ms is not None and run.created_ms < wanted.from_ms:
        return False
    if wanted.to_ms is not None and run.created_ms > wanted.to_ms:
        return False
    for name, values in wanted.conditions.items():
        if prefix and name == "workflowurl":
            if not run.url.startswith(tuple(values)):
                return False
        elif values.isdisjoint(RUN_FILTERS[name](run)):
            return False
    return True
