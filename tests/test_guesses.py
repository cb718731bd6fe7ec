"""docs/guesses.md and the code say the same: each place that is marked `assumed` has a row, and each row such a place.

A place is named by the module and by what stands around the mark in it: the function, the class, the constant; the
constant below the mark, if it stands between two of them; the module alone for its docstring.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.rows import DOCS, tables

PACKAGE = DOCS.parent / "qstash_fake"
GUESSES = DOCS / "guesses.md"
Named = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign


def places_in(source: str) -> set[str]:
    """Return the names of the places in a module that are marked."""
    tree = ast.parse(source)
    marked = [number for number, line in enumerate(source.splitlines(), 1) if "assumed" in line.lower()]
    return {place_of(number, tree) for number in marked}


def place_of(line: int, tree: ast.Module) -> str:
    """Return the name of the place that holds *line*, empty for the module's docstring."""
    if ast.get_docstring(tree) is not None and line <= (tree.body[0].end_lineno or 0):
        return ""
    names: list[str] = []
    node: ast.AST = tree
    while (inner := inside(line, node)) is not None:
        names.append(name_of(inner))
        node = inner
        if isinstance(inner, ast.Assign | ast.AnnAssign | ast.FunctionDef | ast.AsyncFunctionDef):
            break
    if names:
        return ".".join(names)
    below = (node for node in tree.body if isinstance(node, Named) and node.lineno > line)
    return name_of(next(below))


def inside(line: int, around: ast.AST) -> Named | None:
    """Return what has a name, stands directly in *around*, and holds *line*."""
    found = (node for node in ast.iter_child_nodes(around) if isinstance(node, Named))
    return next((node for node in found if node.lineno <= line <= (node.end_lineno or 0)), None)


def name_of(node: ast.AST) -> str:
    if isinstance(node, ast.Assign):
        return ast.unparse(node.targets[0])
    return ast.unparse(node.target) if isinstance(node, ast.AnnAssign) else str(getattr(node, "name", ""))


def places() -> set[str]:
    found = set()
    for path in sorted(PACKAGE.rglob("*.py")):
        module = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        found |= {f"{module}.{place}".rstrip(".") for place in places_in(path.read_text(encoding="utf-8"))}
    return found


@pytest.fixture(scope="module")
def rows():
    page = GUESSES.read_text(encoding="utf-8")
    return [(guess, where.strip("`")) for _, _, (guess, where) in tables(page)]


def test_every_place_that_assumes_something_has_a_row(rows):
    assert places() - {where for _, where in rows} == set()


def test_every_guess_names_a_place_that_assumes_something(rows):
    assert {where for _, where in rows} - places() == set()


def test_no_guess_stands_there_twice(rows):
    assert len({guess for guess, _ in rows}) == len(rows)
    assert len({where for _, where in rows}) == len(rows)


def test_the_readme_sends_its_readers_there():
    readme = Path(DOCS.parent / "README.md").read_text(encoding="utf-8")
    assert re.search(r"## Where the fake guesses\n.*\(docs/guesses\.md\)", readme, re.DOTALL)


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ('"""A law (assumed)."""\nX = 1', ""),
        ("X = 1  # assumed", "X"),
        ("# assumed\nX: int = 1", "X"),
        ("X = {\n    1: 2,  # Assumed: two\n}", "X"),
        ("def one():\n    if True:\n        x = 1  # assumed", "one"),
        ('class A:\n    """It (assumed)."""', "A"),
        ("class A:\n    def b(self):\n        return 1  # assumed", "A.b"),
    ],
)
def test_a_place_is_named_by_what_stands_around_the_mark(source, place):
    assert places_in(source) == {place}
