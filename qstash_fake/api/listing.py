"""Listings: filters out of query or body, order, and pages with a cursor."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from qstash_fake.api.call import Call
from qstash_fake.broker.filters import VALUES, Filter, PossibleValues, parse_filter
from qstash_fake.errors import Refused

T = TypeVar("T")
Given = Mapping[str, list[str]]
"""What a listing or a bulk operation is given: names as sent, each with its values."""

DEFAULT_COUNT = 100  # openapi.yaml
MAX_COUNT = 1_000  # what older documentation and SDKs ask for

PAGING = frozenset({"cursor", "count", "order"})


@dataclass(frozen=True, slots=True)
class Page:
    """How much of a listing is wanted, from where: *after* is the number of the last item of the page before."""

    after: int | None
    count: int
    latest_first: bool

    def at_most(self, count: int) -> Page:
        """Return the page with no more than *count* items."""
        return replace(self, count=min(self.count, count))


def read_given(call: Call, ignored: frozenset[str] = frozenset()) -> Given:
    """Return names and values of the query and of a JSON body; the body wins where both have a name (assumed)."""
    body = call.json_object()
    given = call.query | {name: value for name, value in body.items() if value is not None}
    return {
        name: values for name, value in given.items() if name.lower() not in ignored and (values := _texts(name, value))
    }


def parse_page(given: Given, *, latest_first: bool, most: int = MAX_COUNT, default: int = DEFAULT_COUNT) -> Page:
    """Return the page that is asked for; refuse a count above *most* and an unknown order."""
    count = _first(given, "count")
    if count and (not re.fullmatch("[0-9]{1,9}", count) or not 1 <= int(count) <= most):
        raise Refused(400, f"invalid count {count!r}: it is a number from 1 to {most}")
    order = _first(given, "order")
    if order not in ("", "earliestFirst", "latestFirst"):
        raise Refused(400, f"invalid order {order!r}: it is earliestFirst or latestFirst")
    return Page(
        after=_number(_first(given, "cursor")),
        count=int(count) if count else default,
        latest_first=order == "latestFirst" if order else latest_first,
    )


def parse_filters(
    given: Given, known: frozenset[str], besides: frozenset[str] = PAGING, *, possible: PossibleValues = VALUES
) -> Filter:
    """Return the filters that are *given*; the names *besides*, in lower case, are no filters."""
    asked = {name: values for name, values in given.items() if name.lower() not in besides}
    return parse_filter(asked, known, possible)


def parse_trim(given: Given) -> int | None:
    """Return how many bytes of a body are shown, None for all: `trimBody` (assumed; 0 leaves bodies out)."""
    text = _first(given, "trimbody")
    if not text:
        return None
    if not re.fullmatch("[0-9]{1,9}", text):
        raise Refused(400, f"invalid trimBody {text!r}: it is a number of bytes")
    return int(text)


def parse_group(given: Given) -> bool:
    """Tell whether a log is asked for by message: `groupBy=messageId`."""
    text = _first(given, "groupby")
    if text not in ("", "messageId"):
        raise Refused(400, f"invalid groupBy {text!r}: it is messageId")
    return bool(text)


def turn_page(found: Iterator[T], page: Page, cursor: Callable[[T], str]) -> tuple[list[T], str | None]:
    """Return the items of *page* and the *cursor* of the next one, None after the last.

    *found* begins after the page's own cursor and is read no further than needed: to the end of the page, and to
    the first item of the next. All pages together therefore read each item twice at most, whatever the filters.
    """
    shown = list(itertools.islice(found, page.count))
    more = next(found, None) is not None
    return shown, cursor(shown[-1]) if more else None


def _first(given: Given, name: str) -> str:
    """Return the first value of *name*, which is in lower case, or an empty text."""
    return next((values[0] for key, values in given.items() if key.lower() == name), "")


def _texts(name: str, value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    if any(isinstance(item, (dict, list, bool)) for item in values):
        raise Refused(400, f"invalid {name}: expected text, a number or a list of them")
    return [str(item) for item in values if item is not None]


def _number(cursor: str) -> int | None:
    """Return the number at the end of a cursor, a time and a number; the time is there for people."""
    if not cursor:
        return None
    if not (match := re.fullmatch("[0-9]{1,18}-([0-9]{1,18})", cursor)):
        raise Refused(400, f"invalid cursor {cursor!r}")
    return int(match[1])
