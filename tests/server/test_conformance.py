"""The suite of `make conformance`: green against our server, and its failures name the row."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from conformance.service import at
from tests.rows import ROWS

ROOT = Path(__file__).parents[2]
SUITE = ROOT / "conformance"


@pytest.fixture
def run(pytester, monkeypatch):
    """Run the suite against a server as make does, and return what came of its tests."""

    def run_against(server):
        monkeypatch.setenv("CONFORMANCE_URL", server.url)
        monkeypatch.setenv("CONFORMANCE_TOKEN", "any-token")
        settings = ["-c", str(ROOT / "pyproject.toml"), "-p", "no:xdist", "-p", "no:qstash_fake.pytest_plugin"]
        return pytester.runpytest_inprocess(*settings, "-p", "no:cacheprovider", str(SUITE)).parseoutcomes()

    return run_against


def rows_of_the_suite() -> dict[str, list[str]]:
    """Return the rows that each test of the suite is marked with."""
    found = {}
    for path in sorted(SUITE.glob("test_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                marks = [one for one in node.decorator_list if "mark.protocol" in ast.unparse(one)]
                found[node.name] = [ast.literal_eval(arg) for one in marks for arg in getattr(one, "args", [])]
    return found


def test_it_is_green_against_a_server_with_a_real_clock_and_leaves_nothing(run, server):
    assert run(server) == {"passed": 74, "skipped": 3}
    state = server.state
    left = [server.client.get(f"/v2/{things}").json() for things in ("queues", "schedules", "topics")]
    assert (left, state["pending"], state["dead_letters"]) == ([[], [], []], [], [])


def test_it_is_green_against_a_server_with_a_virtual_clock(run, still):
    assert run(still) == {"passed": 77}


def test_every_test_of_it_names_rows_that_there_are():
    names = {row.name for row in ROWS}
    assert {test: rows for test, rows in rows_of_the_suite().items() if not rows or not set(rows) <= names} == {}


def test_a_failure_names_its_row_with_the_source(pytester):
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.protocol("4.2 default")
        def test_it():
            assert False
        """
    )
    settings = ("-c", str(ROOT / "pyproject.toml"), "-p", "no:cacheprovider")
    pytester.runpytest(*settings, "-p", "conformance.conftest", str(pytester.path)).stdout.fnmatch_lines(
        ["*- row of docs/protocol.md -*", "4.2 default: 3 retries on every plan*(source: DOC; confidence: doc)"]
    )


def test_a_service_elsewhere_is_asked_for_no_delivery():
    skipped = pytest.raises(pytest.skip.Exception, match=r"^this row needs a delivery, and the service does not reach")
    with at("https://qstash.example", "token") as service, skipped:
        service.place()
