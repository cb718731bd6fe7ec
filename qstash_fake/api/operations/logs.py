"""The log: `/v2/events`, which every SDK reads, and `/v2/logs`, which is documented."""

from __future__ import annotations

from typing import Any

from qstash_fake.api import wire
from qstash_fake.api.call import Call, Reply, json_reply
from qstash_fake.api.listing import parse_filters, parse_page, read_given, turn_page
from qstash_fake.broker import filters
from qstash_fake.broker.journal import LogEntry


def list_events(call: Call) -> Reply:
    events, cursor = _page(call)
    return json_reply({**cursor, "events": events})


def list_logs(call: Call) -> Reply:
    """Name the list twice: `logs` in the description, `events` in older documentation."""
    events, cursor = _page(call)
    return json_reply({**cursor, "logs": events, "events": events})


def _page(call: Call) -> tuple[list[wire.Json], dict[str, Any]]:
    """Return a page of the log, and the cursor of the next one under its name, if there is one."""
    given = read_given(call)
    wanted = parse_filters(given, filters.LOGS)
    page = parse_page(given, latest_first=True)
    journal, retained_from_ms = call.broker.journal, call.broker.retained_from_ms
    if page.latest_first:
        numbered = journal.newest(page.after)
    else:
        numbered = journal.oldest(-1 if page.after is None else page.after)
    found = (
        (number, entry)
        for number, entry in numbered
        if isinstance(entry, LogEntry) and entry.time_ms >= retained_from_ms and wanted.log(entry)
    )
    shown, cursor = turn_page(found, page, lambda numbered: f"{numbered[1].time_ms}-{numbered[0]}")
    return [wire.log(entry) for _, entry in shown], {"cursor": cursor} if cursor else {}
