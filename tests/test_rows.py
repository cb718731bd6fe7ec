"""Every row of docs/protocol.md is shown by a test, and every marker `protocol` names a row.

The markers are read from the source, so a run of one file holds all of them. The last column of the page is made here.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rows import CONFIDENCE, NOT_HERE, PROTOCOL, ROWS

TESTS = Path(__file__).parent
OPTIONS = [TESTS.parent / "qstash_fake" / "protocol" / name for name in ("options.py", "publish.py")]
NAMES = [row.name for row in ROWS]


def rows_in(node: ast.AST) -> Iterator[str]:
    """Yield the rows that the markers in *node* name."""
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "pytest.mark.protocol":
            yield from map(ast.literal_eval, call.args)


def shown_in(path: Path) -> Iterator[tuple[str, str, str]]:
    """Yield row, test and the test's source without its markers; a `pytestmark` counts as a test without source."""
    source = path.read_text(encoding="utf-8")
    if "mark.protocol" not in source:
        return
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            rows = [row for decorator in node.decorator_list for row in rows_in(decorator)]
            node.decorator_list = [decorator for decorator in node.decorator_list if not any(rows_in(decorator))]
            yield from ((row, f"{path.name}::{node.name}", ast.unparse(node)) for row in rows)
        else:
            yield from ((row, path.name, "") for row in rows_in(node))


@pytest.fixture(scope="module")
def shown():
    return [
        found for path in sorted(TESTS.rglob("test_*.py")) if path.name != "test_rows.py" for found in shown_in(path)
    ]


def test_every_row_has_a_test_or_a_reason(shown):
    with_a_test = {row for row, _, _ in shown}
    assert [row for row in NAMES if row not in with_a_test and row not in NOT_HERE] == []
    assert with_a_test & NOT_HERE.keys() == set(), "a row has a test, and a reason to have none"


def test_every_marker_and_every_reason_names_a_row(shown):
    assert [(test, row) for row, test, _ in shown if row not in NAMES] == []
    assert NOT_HERE.keys() - NAMES == set()
    assert len(NAMES) == len(set(NAMES))


def test_every_row_has_a_fact_a_source_and_a_confidence():
    assert [row.name for row in ROWS if not row.fact or not row.source or row.confidence not in CONFIDENCE] == []
    assert [row.name for row in ROWS if (row.confidence == "guess") != (row.source == "none")] == []


def test_the_page_says_which_test_shows_a_row(shown):
    lines = PROTOCOL.read_text(encoding="utf-8").splitlines()
    stale = []
    for row in ROWS:
        cell = shown_by([test for name, test, _ in shown if name == row.name])
        if row.shown_by != cell:
            stale.append(row.name)
            lines[row.line] = f"{lines[row.line].rstrip('|').rpartition('|')[0]}| {cell} |"
    if stale:
        PROTOCOL.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert stale == [], "docs/protocol.md was not up to date and has been written: look at the difference"


def shown_by(tests: list[str]) -> str:
    """Return what the page says: the first of *tests*, and how many more there are."""
    more = f" and {len(tests) - 1} more" if len(tests) > 1 else ""
    return f"`{tests[0]}`{more}" if tests else "no test"


def test_only_tests_carry_the_marker(shown):
    assert [test for _, test, _ in shown if "::" in test and "::test_" not in test] == []


def test_the_tests_of_a_header_are_about_it(shown):
    assert [
        (test, row)
        for row, test, source in shown
        if row.startswith("header ")
        and row.removeprefix("header ").partition("<")[0].rstrip("-").lower() not in source.lower().replace("_", "-")
    ] == []


def test_no_header_is_read_that_is_not_among_the_rows():
    known = {row.removeprefix("header ").partition("<")[0].lower() for row in NAMES if row.startswith("header ")}
    read = {
        node.value
        for path in OPTIONS
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("upstash-")
    }
    assert read - {"upstash-", "upstash-flow-control-"} <= known
    assert len(read) > 15
