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
        result.setdefault(canonical(name), []).append(text(value))
    return result


def text(value: str) -> str:
    """Return what people read in *value*, which came with a character for each byte: UTF-8 if it is that."""
    if value.isascii():
        return value
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        return value


def wire(value: str) -> str:
    """Return *value*, given as text, with a character for each byte of its UTF-8, as it comes off the wire."""
    return value if value.isascii() else value.encode("utf-8", "replace").decode("latin-1")


def raw(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    """Return *headers* as they go over the wire: a character is a byte; where one is not, all go as UTF-8."""
    return [(name.encode(), _encoded(value)) for name, value in headers]


def _encoded(value: str) -> bytes:
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode("utf-8", "replace")


def first(headers: Iterable[tuple[str, str]], name: str) -> str | None:
    """Return the first value of header *name*, which is given in lower case."""
    return next((value for key, value in headers if key.lower() == name), None)
