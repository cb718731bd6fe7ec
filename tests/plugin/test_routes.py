"""Routes that no delivery came to, and markers that do nothing, are named."""

from __future__ import annotations

import pytest

from tests.plugin.runs import report_of

UNUSED = """
import re

def test_it(qstash_fake):
    qstash_fake.on("*").respond(200)
    qstash_fake.on("https://shop.example/jbos", "post").respond(503)
    qstash_fake.on(re.compile("https://api.*")).respond(503)
    publish()
    qstash_fake.drain()
    {end}
"""
SENTENCE = (
    "no delivery came to on('https://shop.example/jbos', 'POST'), on(/https://api.*/); "
    "deliveries went to https://shop.example/jobs"
)


def test_a_failing_test_names_the_routes_that_no_delivery_came_to(run):
    result = run(UNUSED.format(end="assert not qstash_fake.delivered"))
    result.assert_outcomes(failed=1)
    assert report_of(result, "- qstash_fake routes -")[0] == SENTENCE


def test_used_routes_are_not_named(run):
    result = run("""
def test_it(qstash_fake):
    qstash_fake.on("*").respond(200)
    publish()
    qstash_fake.drain()
    assert False
""")
    result.stdout.no_fnmatch_line("*qstash_fake routes*")


def test_deliveries_that_went_to_nobody_are_said_so(run):
    result = run("""
def test_it(qstash_fake):
    qstash_fake.on("https://shop.example/jobs")
    assert False
""")
    assert report_of(result, "- qstash_fake routes -")[0] == (
        "no delivery came to on('https://shop.example/jobs'); deliveries went to nobody"
    )


BEHIND = """
@pytest.fixture
def happy(qstash_fake):
    qstash_fake.on(JOBS).respond(200)
    qstash_fake.on("https://shop.example/*", "GET").respond(200)

{marker}
def test_it(happy, qstash_fake):
    qstash_fake.on("https://shop.example/*").respond(500)
    publish(retries=0)
    qstash_fake.drain()
    qstash_fake.on("*").respond(500)
    {end}
"""
BEHIND_SENTENCE = (
    "no delivery came to on('https://shop.example/jobs') (a newer on('https://shop.example/*') answered instead), "
    "on('https://shop.example/*', 'GET'), on('*'); deliveries went to https://shop.example/jobs"
)


def test_a_route_behind_a_newer_one_names_the_one_that_answered_instead(run):
    result = run(BEHIND.format(marker="", end="assert qstash_fake.delivered"))
    assert report_of(result, "- qstash_fake routes -")[0] == BEHIND_SENTENCE


def test_with_the_option_such_a_route_fails_a_test_and_the_sentence_says_why(run):
    result = run(BEHIND.format(marker="@pytest.mark.qstash_fake(unused_routes='error')", end=""))
    result.assert_outcomes(passed=1, errors=1)
    assert f"{BEHIND_SENTENCE} (unused_routes='error')" in result.outlines


def test_without_the_option_a_test_with_unused_routes_passes(run):
    run(UNUSED.format(end="")).assert_outcomes(passed=1)


@pytest.mark.parametrize("by", ["marker", "ini"])
def test_with_the_option_unused_routes_fail_a_test_at_its_end(run, pytester, by):
    if by == "ini":
        pytester.makeini("[pytest]\nqstash_fake_unused_routes = error")
    marker = "pytestmark = pytest.mark.qstash_fake(unused_routes='error')\n" if by == "marker" else ""
    result = run(marker + UNUSED.format(end=""))
    result.assert_outcomes(passed=1, errors=1)
    assert f"{SENTENCE} (unused_routes='error')" in result.outlines


@pytest.mark.parametrize(("end", "outcome"), [("assert False", "failed"), ("pytest.skip('no')", "skipped")])
def test_a_test_that_has_not_passed_is_not_failed_twice(run, end, outcome):
    marker = "pytestmark = pytest.mark.qstash_fake(unused_routes='error')\n"
    run(marker + UNUSED.format(end=end)).assert_outcomes(**{outcome: 1})


def test_an_unknown_word_is_refused(run):
    result = run("""
@pytest.mark.qstash_fake(unused_routes="fail")
def test_it(qstash_fake): pass
""")
    result.assert_outcomes(errors=1)
    told = "@pytest.mark.qstash_fake: unused_routes='fail' is unknown: use one of 'allow', 'error'"
    assert any(told in line for line in result.outlines)


# --- a marker without the fixture -----------------------------------------------------------------------------------

WITHOUT = """
@pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z")
def test_without(): pass
"""
DOES_NOTHING = (
    "@pytest.mark.qstash_fake does nothing in test_it.py::test_without: the test does not take the fixture qstash_fake"
)


def test_a_marker_of_a_test_without_the_fixture_is_named(run):
    result = run(WITHOUT, "-W", "default")
    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines([f"*PytestWarning: {DOES_NOTHING}"])


def test_where_warnings_are_errors_such_a_marker_fails_its_test(run):
    result = run(WITHOUT + "def test_next(qstash_fake): pass", "-W", "error")
    result.assert_outcomes(passed=2, errors=1)
    assert report_of(result, "ERROR at teardown of test_without") == [DOES_NOTHING]


def test_such_a_marker_does_not_hide_why_a_tear_down_has_failed(run):
    fixture = """
@pytest.fixture(autouse=True)
def database():
    yield
    raise RuntimeError("the database has gone")
"""
    result = run(fixture + WITHOUT, "-W", "error")
    result.assert_outcomes(passed=1, errors=1)
    told = report_of(result, "ERROR at teardown of test_without")
    assert "E       RuntimeError: the database has gone" in told
    assert told[-1] == DOES_NOTHING


def test_a_marker_that_may_do_something_is_left_alone(run):
    result = run(
        """
class TestThose:
    pytestmark = pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z")

    def test_one_takes_it(self, qstash_fake): pass
    def test_one_does_not(self): pass

@pytest.mark.qstash_fake(stray="allow")
def test_calls_qstash(): pass

@pytest.mark.qstash_fake(seed=3)
def test_asks_late(request): request.getfixturevalue("qstash_fake")

@pytest.mark.qstash_fake(seed=3)
@pytest.mark.usefixtures("qstash_fake")
def test_uses_it(): pass
""",
        "-W",
        "error",
    )
    result.assert_outcomes(passed=5)
