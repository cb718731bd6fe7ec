"""Routing: the grammar of the table of operations, and which row a request belongs to. Knows paths, no operation.

A row is (method, path, handler). In a path `{name}` is one segment, decoded; `{name...}` may hold slashes;
`{name:id}` holds only what an id has, letters, digits, hyphen, period and underscore; `{rest}` is the raw rest of
the target, query and all, for a URL that stands in the path must not be decoded. The letters of the fixed parts
match in any case and a trailing slash does not count. A path that fits several rows belongs to the first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Generic, NamedTuple, TypeVar
from urllib.parse import unquote

H = TypeVar("H")  # what stands in a row beside its method and its path

_VARIABLE = re.compile(r"\{(\w+)(?::(id))?(\.\.\.)?\}")
_REST = "/{rest}"


class Row(NamedTuple, Generic[H]):
    """A row of the table, ready to match."""

    method: str
    pattern: re.Pattern[str]
    raw: bool  # matched against the target with its query
    handler: H


class Route(NamedTuple, Generic[H]):
    """The row that a request belongs to, and the variables of its path."""

    handler: H
    variables: Mapping[str, str]


class Routes(Generic[H]):
    """The rows of a table. They are looked up by the first two segments of a path, which are fixed in every row."""

    def __init__(self, table: Iterable[tuple[str, str, H]]) -> None:
        self._rows: dict[str, list[Row[H]]] = {}
        for method, path, handler in table:
            raw = path.endswith(_REST)
            pattern = _VARIABLE.sub(_group, path.removesuffix(_REST))
            pattern += r"(?:/(?P<rest>.*)|(?=\?|$).*)" if raw else "/?"
            row = Row(method, re.compile(pattern, re.IGNORECASE | re.DOTALL), raw, handler)
            self._rows.setdefault(_start(path), []).append(row)

    def find(self, method: str, target: str) -> Route[H] | None:
        """Return the route of a request for *target*, the raw path and query; None if no row fits."""
        path = target.partition("?")[0]
        for row in self._rows.get(_start(path), ()):
            if row.method == method and (match := row.pattern.fullmatch(target if row.raw else path)):
                variables = match.groupdict(default="")
                return Route(
                    row.handler,
                    {name: value if name == "rest" else unquote(value) for name, value in variables.items()},
                )
        return None

    def knows(self, target: str) -> bool:
        """Tell whether a row fits *target* with some method."""
        path = target.partition("?")[0]
        rows = self._rows.get(_start(path), ())
        return any(row.pattern.fullmatch(target if row.raw else path) for row in rows)


def _start(path: str) -> str:
    """Return the first two segments of *path* in lower case."""
    return "/".join(path.split("/", 3)[1:3]).lower()


def _group(variable: re.Match[str]) -> str:
    name, only_id, many = variable.groups()
    return f"(?P<{name}>{'[A-Za-z0-9._-]+' if only_id else '.+?' if many else '[^/]+'})"
