"""Dead letters: look-up, listing, retry and delete, one by one and by filter."""

from __future__ import annotations

from collections.abc import Callable

from qstash_fake.api import wire
from qstash_fake.api.call import EMPTY, Call, Reply, json_reply
from qstash_fake.api.listing import (
    MAX_COUNT,
    PAGING,
    Given,
    parse_filters,
    parse_page,
    parse_trim,
    read_given,
    turn_page,
)
from qstash_fake.broker import filters
from qstash_fake.broker.dead_letters import DeadLetter
from qstash_fake.protocol.http import wire as wire_value
from qstash_fake.protocol.options import Options
from qstash_fake.protocol.restrictions import Kind, parse_options_of

MAX_BULK = 100  # openapi.yaml, count of the bulk operations


def list_dead_letters(call: Call) -> Reply:
    given = read_given(call)
    dead, cursor = _page(call, given, most=MAX_COUNT, besides=frozenset({"trimbody"}))
    body_bytes = parse_trim(given)
    shown = [wire.dead_letter(one, body_bytes) for one in dead]
    return json_reply({"messages": shown, **({"cursor": cursor} if cursor else {})})


def get_dead_letter(call: Call) -> Reply:
    return json_reply(wire.dead_letter(call.broker.find_dead_letter(call.path["id"])))


def delete_dead_letter(call: Call) -> Reply:
    call.broker.delete_dead_letter(call.path["id"])
    return EMPTY


def delete_dead_letters(call: Call) -> Reply:
    dead, cursor = _page(call, read_given(call), most=MAX_BULK)
    for one in dead:
        call.broker.delete_dead_letter(one.dlq_id)
    return json_reply({"deleted": len(dead), **({"cursor": cursor} if cursor else {})})


def retry_dead_letter(call: Call) -> Reply:
    message = call.broker.redrive(call.path["id"], overrides_of(call))
    return json_reply({"messageId": message.message_id}, 201)


def retry_dead_letters(call: Call) -> Reply:
    overrides = overrides_of(call)
    options = frozenset(name.lower() for name in call.query if is_option(name))
    dead, cursor = _page(call, read_given(call), most=MAX_BULK, besides=options)
    messages = call.broker.redrive_all([one.dlq_id for one in dead], overrides)
    responses = [{"messageId": message.message_id} for message in messages]
    # This endpoint alone ends with an empty cursor. Seen in real answers.
    return json_reply({"responses": responses, "cursor": cursor or ""}, 201)


def overrides_of(call: Call) -> Options:
    """Return the options that the headers of a retry override; each may be a query parameter, as with a publish."""
    in_query = [(name, wire_value(value)) for name, values in call.query.items() for value in values]
    given = [(name, value) for name, value in (*call.headers, *in_query) if is_option(name)]
    return parse_options_of(Kind.RETRY, given)


def is_option(name: str) -> bool:
    return name.lower().startswith("upstash-")


def _page(
    call: Call, given: Given, *, most: int, besides: frozenset[str] = frozenset()
) -> tuple[list[DeadLetter], str | None]:
    """Return a page of the selected dead letters, and the cursor of the next; names *besides* are no filters."""
    wanted = parse_filters(given, filters.DEAD_LETTERS, PAGING | besides)
    with_runs = "source" in wanted.conditions  # without it, dead letters of workflows are left out (assumed)
    return page_of(
        call, given, lambda dead: wanted.dead_letter(dead) and (with_runs or not dead.message.part), most=most
    )


def page_of(
    call: Call, given: Given, wanted: Callable[[DeadLetter], bool], *, most: int
) -> tuple[list[DeadLetter], str | None]:
    """Return the page that *given* asks for of the dead letters that are *wanted*, and the cursor of the next."""
    page = parse_page(given, latest_first=False, most=most)
    known = call.broker.dead_letters_beyond(page.after, latest_first=page.latest_first)
    return turn_page(filter(wanted, known), page, lambda dead: dead.dlq_id)
