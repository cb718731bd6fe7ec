"""Routing: the grammar of the table of operations, and which row a request belongs to. Knows paths, no operation.

A row is (method, path, handler). In a path `{name}` is one segment, decoded; `{name...}` may hold slashes;
`{name:id}` holds only the characters of ids: letters, digits, hyphen, period and underscore. `{rest}` is the raw rest
of the target, with its query, because a URL in the path must not be decoded. The letters of the fixed parts match in
any case, and a trailing slash does not count. A path that fits several rows belongs to the first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Generic, NamedTuple, TypeVar
from urllib.parse import unquote

H = TypeVar("H")  # the handler of a row

_VARIABLE = re.compile(r"\{(\w+)(?::(id))?(\.\.\.)?\}")
_REST = "/{rest}"
_TWO_SEGMENTS = re.compile(r"/[^/?]*/[^/?]*")


class Row(NamedTuple, Generic[H]):
    """A row of the table, ready to match."""

    method: str
    pattern: re.Pattern[str]
    raw: bool  # matched against the target with its query
    handler: H

    def match(self, target: str) -> re.Match[str] | None:
        """Match *target*; the query counts only for a row that takes the raw rest."""
        return self.pattern.fullmatch(target if self.raw else target.partition("?")[0])


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

    def find(self, method: str, target: str) -> tuple[H, Mapping[str, str]] | None:
        """Return the handler of a request for *target*, the raw path and query, and the variables of its path.

        None if no row fits.
        """
        for row in self._rows.get(_start(target), ()):
            if row.method == method and (match := row.match(target)):
                variables = match.groupdict(default="")
                return row.handler, {n: value if n == "rest" else unquote(value) for n, value in variables.items()}
        return None

    def knows(self, target: str) -> bool:
        """Tell whether a row fits *target* with some method."""
        return any(row.match(target) for row in self._rows.get(_start(target), ()))


def _start(target: str) -> str:
    """Return the first two segments of a path in lower case, empty if it has no two."""
    match = _TWO_SEGMENTS.match(target)
    return match[0].lower() if match else ""


def _group(variable: re.Match[str]) -> str:
    name, only_id, many = variable.groups()
    return f"(?P<{name}>{'[A-Za-z0-9._-]+' if only_id else '.+?' if many else '[^/]+'})"
