"""Header names: QStash stores them in Go's canonical form and shows them as lists of values."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

Headers = tuple[tuple[str, str], ...]
"""Name and value pairs, in order; a name may occur several times."""

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110, 5.6.2


@lru_cache(maxsize=4096)
def canonical(name: str) -> str:
    """Return *name* as Go's textproto.CanonicalMIMEHeaderKey spells it: `content-type` → `Content-Type`."""
    if not _TOKEN.fullmatch(name):
        return name
    return "-".join(part[:1].upper() + part[1:].lower() for part in name.split("-"))


def is_token(name: str) -> bool:
    """Tell whether *name* can be a header name."""
    return _TOKEN.fullmatch(name) is not None


def header_map(headers: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Return the JSON form: `{"Canonical-Name": ["v1", "v2"]}`."""
    result: dict[str, list[str]] = {}
    for name, value in headers:
        result.setdefault(canonical(name), []).append(value)
    return result


def first(headers: Iterable[tuple[str, str]], name: str) -> str | None:
    """Return the first value of header *name*, which is given in lower case."""
    return next((value for key, value in headers if key.lower() == name), None)
