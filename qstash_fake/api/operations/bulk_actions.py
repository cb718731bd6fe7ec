"""Bulk actions, looked up: all, by state, or one. messages.py makes them."""

from __future__ import annotations

from qstash_fake.api import wire
from qstash_fake.api.call import Call, Reply, json_reply
from qstash_fake.api.listing import DEFAULT_COUNT, PAGING, parse_filters, parse_page, read_given, turn_page
from qstash_fake.errors import Refused

MAX_COUNT = 1_000  # QStash docs, bulk actions: what is above counts as that
STATES = ("IN_PROGRESS", "FINISHED")


def list_bulk_actions(call: Call) -> Reply:
    given = read_given(call)
    parse_filters(given, known=frozenset(), besides=PAGING | {"state"})
    page = parse_page(given, latest_first=True, most=999_999_999, default=DEFAULT_COUNT)
    states = [state for name, values in given.items() if name.lower() == "state" for state in values]
    if (unknown := next((state for state in states if state not in STATES), None)) is not None:
        raise Refused(400, f"invalid state {unknown!r}: it is IN_PROGRESS or FINISHED")
    found = call.broker.bulk_actions.newest(page.after, call.broker.now_ms)
    wanted = found if not states or "FINISHED" in states else iter(())
    shown, cursor = turn_page(wanted, page.at_most(MAX_COUNT), lambda action: f"{action.created_ms}-{action.number}")
    actions = [wire.bulk_action(action) for action in shown]
    return json_reply({"bulkActions": actions, **({"cursor": cursor} if cursor else {})})


def get_bulk_action(call: Call) -> Reply:
    return json_reply(wire.bulk_action(call.broker.bulk_actions.find(call.path["id"], call.broker.now_ms)))
