"""Redaction: which parts of a message the API shows only as a hash, and that hash.

Knows `Upstash-Redact-Fields` and how a redacted value looks. Only what the API shows is redacted;
deliveries, callbacks and redrives use the original values.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from qstash_fake.protocol.http import value_bytes

# QStash docs, howto/redact-fields, has `header` and `headers`; a name is a token of RFC 9110
_HEADER = re.compile(
    r"headers?(?:\[[ \t]*(?P<name>[-!#$%&'*+.^_`|~0-9a-z]+)[ \t]*\])?",
    re.IGNORECASE | re.ASCII,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Redaction:
    """The fields of one message to hide; *header_names* are lower-case."""

    body: bool = False
    all_headers: bool = False
    header_names: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, text: str) -> "Redaction":
        """Return what `body, header[Authorization]` hides; ValueError names an unknown field."""
        body = all_headers = False
        names = set()
        for field in (part.strip(" \t") for part in text.split(",")):
            if not field:
                continue  # assumed: an empty field hides nothing
            if field.lower() == "body":
                body = True
            elif not (header := _HEADER.fullmatch(field)):
                raise ValueError(f"cannot redact {field!r}: the fields are body, header and header[Name]")
            elif name := header["name"]:
                names.add(name.lower())
            else:
                all_headers = True
        return cls(body=body, all_headers=all_headers, header_names=frozenset(names))

    def __bool__(self) -> bool:
        """Tell whether it hides anything."""
        return self.body or self.all_headers or bool(self.header_names)

    def redact_body(self, body: bytes) -> bytes:
        """Return the body as the API shows it; an empty body stays empty (assumed)."""
        return _hashed(body).encode() if self.body and body else body

    def redact_headers(self, headers: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
        """Return the headers as the API shows them: same names and order, hidden values hashed."""
        return tuple((name, _hashed(value_bytes(value)) if self._hides(name) else value) for name, value in headers)

    def _hides(self, name: str) -> bool:
        return self.all_headers or name.lower() in self.header_names


NOTHING = Redaction()


def _hashed(value: bytes) -> str:
    return f"REDACTED:{sha256(value).hexdigest()}"  # assumed: hexadecimal
