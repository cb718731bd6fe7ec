"""Every row of the collected facts is shown by a test, and every marker `protocol` names a row.

The markers are read from the source, so a run of one file holds all of them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rows import NOT_HERE, ROWS

TESTS = Path(__file__).parent
OPTIONS = [TESTS.parent / "qstash_fake" / "protocol" / name for name in ("options.py", "publish.py")]
NAMES = [f"{section} {row}" for section, rows in ROWS.items() for row in rows]


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
    known = {row.partition("<")[0].lower() for row in ROWS["header"]}
    read = {
        node.value
        for path in OPTIONS
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("upstash-")
    }
    assert read - {"upstash-", "upstash-flow-control-"} <= known
    assert len(read) > 15
