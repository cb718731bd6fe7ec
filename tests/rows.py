"""The rows of docs/protocol.md, what is known of QStash: each is shown by tests.

A marker beside a test says what it shows: `@pytest.mark.protocol("4.2 default")`, the first word of the heading and the
row.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
PROTOCOL = DOCS / "protocol.md"
CONFIDENCE = ("real", "doc", "sdk", "report", "guess")


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the page: *name* is `section row`."""

    name: str
    fact: str
    source: str
    confidence: str
    shown_by: str
    line: int


def cells(line: str) -> list[str]:
    """Return the cells of a line of a table."""
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def tables(page: str) -> Iterator[tuple[int, str, list[str]]]:
    """Yield line number, heading and cells of the rows of all tables under a heading, heads of tables left out."""
    heading, in_table = "", False
    for number, line in enumerate(page.splitlines()):
        if line.startswith("## "):
            heading = line.removeprefix("## ")
        is_row = line.startswith("|")
        if is_row and in_table and heading and not re.fullmatch(r"[|\s:-]+", line):
            yield number, heading, cells(line)
        in_table = is_row


def read_rows(page: str) -> list[Row]:
    """Return the rows of *page*, in its order."""
    rows = []
    for line, heading, (name, fact, source, confidence, shown_by) in tables(page):
        section = re.split("[ :]", heading)[0]
        rows.append(Row(f"{section} {name.strip('`')}", fact, source, confidence, shown_by, line))
    return rows


ROWS = read_rows(PROTOCOL.read_text(encoding="utf-8"))

# Why a row has no test.
NOT_HERE = {
    "error invalid destination url: endpoint resolves to a loopback address": (
        "the cloud only: the dev server allows localhost, and so do we"
    ),
}
