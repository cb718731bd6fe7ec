"""The log: `/v2/events`, which every SDK reads, and `/v2/logs`, which is documented and knows more."""

from __future__ import annotations

from qstash_fake.api import wire
from qstash_fake.api.call import Call, Reply, json_reply
from qstash_fake.api.listing import (
    DEFAULT_COUNT,
    MAX_COUNT,
    PAGING,
    Given,
    parse_filters,
    parse_group,
    parse_page,
    parse_trim,
    read_given,
    turn_page,
)
from qstash_fake.broker import filters
from qstash_fake.broker.journal import LogEntry


def list_events(call: Call) -> Reply:
    """Without a count as much as a page can hold: the Go SDK's own tests read 400 entries in one call."""
    given = read_given(call)
    entries, cursor = _page(call, given, default=MAX_COUNT)
    return json_reply({**cursor, "events": [wire.log(entry) for entry in entries]})


def list_logs(call: Call) -> Reply:
    """Name the list twice: `logs` in the description, `events` in older documentation. Or group it by message."""
    given = read_given(call)
    entries, cursor = _page(call, given, besides=frozenset({"trimbody", "groupby"}))
    body_bytes, by_message = parse_trim(given), parse_group(given)
    events = [wire.log(entry, body_bytes) for entry in entries]
    if by_message:
        return json_reply({**cursor, "messages": _grouped(events)})
    return json_reply({**cursor, "logs": events, "events": events})


def _page(
    call: Call, given: Given, *, default: int = DEFAULT_COUNT, besides: frozenset[str] = frozenset()
) -> tuple[list[LogEntry], dict[str, str]]:
    """Return a page of the log, and the cursor of the next one under its name, if there is one.

    *default* is its length if no count is given; names *besides* are no filters.
    """
    wanted = parse_filters(given, filters.LOGS, PAGING | besides)
    page = parse_page(given, latest_first=True, default=default)
    broker = call.broker
    with broker.lock:
        journal, retained_from_ms = broker.journal, broker.retained_from_ms
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
    return [entry for _, entry in shown], {"cursor": cursor} if cursor else {}


def _grouped(events: list[wire.Json]) -> list[wire.Json]:
    """Return the entries of one page by message, in the order in which the messages come first (assumed)."""
    groups: dict[str, list[wire.Json]] = {}
    for event in events:
        groups.setdefault(event["messageId"], []).append(event)
    return [{"messageId": message_id, "events": of_message} for message_id, of_message in groups.items()]
