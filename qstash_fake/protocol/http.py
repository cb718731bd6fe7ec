"""HTTP headers: the spelling of names, and values between bytes, wire text and readable text.

Three forms of a value: the bytes of the wire; *wire text*, a character for each of those bytes (latin-1), which the
fake keeps; and the readable text, UTF-8 for most values. QStash stores names in Go's canonical form and shows a
header as a list of values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

Headers = tuple[tuple[str, str], ...]
"""Name and value pairs, in order; a name may occur several times."""

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110, 5.6.2
_BYTES = "latin-1"  # the encoding that has a character for each byte


@lru_cache(maxsize=4096)
def canonical(name: str) -> str:
    """Return *name* as Go spells it (CanonicalMIMEHeaderKey): `content-type` → `Content-Type`."""
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
    """Return wire text *value* as readable text: its bytes as UTF-8, else *value* itself (assumed)."""
    if value.isascii():
        return value
    try:
        return value.encode(_BYTES).decode()
    except UnicodeError:
        return value


def wire(value: str) -> str:
    """Return the wire text of readable *value*: a character for each byte of its UTF-8."""
    return value.encode(errors="replace").decode(_BYTES)


def decode(pairs: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Return header *pairs* off the wire as wire text; `encode` gives the bytes back."""
    return tuple((name.decode(_BYTES), value.decode(_BYTES)) for name, value in pairs)


def encode(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    """Return wire text *headers* as they go over the wire, a byte for each character.

    A value with a character that is no byte goes as UTF-8: a test wrote it, `decode` did not.
    """
    pairs = tuple(headers)
    try:
        return [(name.encode(), value.encode(_BYTES)) for name, value in pairs]
    except UnicodeEncodeError:
        return [(name.encode(), value_bytes(value)) for name, value in pairs]


def value_bytes(value: str) -> bytes:
    """Return the bytes of one value on the wire, as `encode` does."""
    try:
        return value.encode(_BYTES)
    except UnicodeEncodeError:
        return value.encode(errors="replace")


def first(headers: Iterable[tuple[str, str]], name: str) -> str | None:
    """Return the first value of header *name*, which is given in lower case."""
    for key, value in headers:
        if key.lower() == name:
            return value
    return None
