"""`--qstash-fake-report`: a file for each failing test, an index, and the path in the failure."""

from __future__ import annotations

import re

import pytest

from qstash_fake.page.report import data_of, saved_in
from qstash_fake.plugin import fakes
from qstash_fake.plugin.reports import MAX_NAME
from tests.plugin.runs import report_of

SUITE = """
@pytest.mark.parametrize("name", ["a/b", "<i>"])
def test_fails(qstash_fake, name):
    publish()
    assert name == "c"

def test_passes(qstash_fake):
    publish(delay="1h")

def test_without_the_fake():
    assert False
"""


def test_each_failing_test_has_a_report_and_its_path_is_told(run, pytester):
    result = run(SUITE, "--qstash-fake-report")
    result.assert_outcomes(passed=1, failed=3)
    folder = pytester.path / "qstash-fake-report"
    saved = saved_in(folder)
    assert {one.title for one in saved} == {"test_it.py::test_fails[a/b]", "test_it.py::test_fails[<i>]"}
    (told,) = report_of(result, "qstash_fake report -")
    assert (pytester.path / told).is_file()
    (message,) = data_of(folder / saved[0].name)["messages"]
    assert message["body"] == '{"order": 7}'
    result.stdout.fnmatch_lines([f"qstash_fake reports: {folder / 'index.html'}"])
    assert all(one.name in (folder / "index.html").read_text(encoding="utf-8") for one in saved)


def test_a_test_that_changes_its_folder_changes_nothing(run, pytester):
    run(
        "def test_fails(qstash_fake, tmp_path, monkeypatch):\n    monkeypatch.chdir(tmp_path)\n    assert False",
        "--qstash-fake-report=out",
    )
    assert len(saved_in(pytester.path / "out")) == 1


def test_without_the_option_nothing_is_written(run, pytester):
    result = run(SUITE)
    assert not list(pytester.path.glob("**/*.html"))
    result.stdout.no_fnmatch_line("*qstash_fake report *")


def test_the_reports_of_the_run_before_go_and_what_is_not_ours_stays(run, pytester):
    run(SUITE, "--qstash-fake-report=out")
    mine = pytester.path / "out" / "mine.html"
    mine.write_text("<p>mine</p>", encoding="utf-8")
    run("def test_passes(qstash_fake): pass", "--qstash-fake-report=out")
    assert list((pytester.path / "out").iterdir()) == [mine]


def test_the_path_of_tests_is_not_taken_for_the_folder(run):
    result = run(SUITE, "--qstash-fake-report", ".")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    told = "takes '.' for the folder of its reports: write --qstash-fake-report=DIR, or put it behind the tests"
    result.stderr.fnmatch_lines([f"ERROR: --qstash-fake-report {told}"])


def test_the_processes_of_xdist_write_into_one_folder(pytester, monkeypatch):
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(
        test_it="import pytest\n@pytest.mark.parametrize('n', range(4))\ndef test_fails(qstash_fake, n): assert 0"
    )
    options = ["-p", "xdist.plugin", "-p", "qstash_fake.pytest_plugin", "-p", "no:cacheprovider", "-n", "2"]
    result = pytester.runpytest_subprocess(*options, "--qstash-fake-report")
    result.assert_outcomes(failed=4)
    folder = pytester.path / "qstash-fake-report"
    assert len(saved_in(folder)) == 4
    assert re.search("<h1>4 failing tests</h1>", (folder / "index.html").read_text(encoding="utf-8"))


def test_a_report_that_cannot_be_written_says_why_and_the_test_is_told_as_ever(run, pytester):
    (pytester.path / "taken").write_text("")
    result = run(SUITE, "--qstash-fake-report=taken/out")
    result.assert_outcomes(passed=1, failed=3)
    (told,) = report_of(result, "qstash_fake report -")
    assert told.startswith("cannot be written: ")


def test_a_report_says_why_its_test_has_failed_and_so_does_the_index(run, pytester):
    run(SUITE, "--qstash-fake-report=out")
    one, other = saved_in(pytester.path / "out")
    assert {one.why, other.why} == {"AssertionError: assert 'a/b' == 'c'", "AssertionError: assert '<i>' == 'c'"}
    failure = data_of(pytester.path / "out" / one.name)["failure"]
    assert failure["summary"] == one.why
    assert '>       assert name == "c"' in failure["text"].splitlines()
    index = (pytester.path / "out" / "index.html").read_text(encoding="utf-8")
    assert "<small>AssertionError: assert &#x27;&lt;i&gt;&#x27; == &#x27;c&#x27;</small>" in index


def test_the_failure_of_the_tear_down_stands_behind_that_of_the_test(run, pytester):
    run(
        """
@pytest.fixture
def shop(qstash_fake):
    yield
    assert False, "not closed"

def test_fails(shop):
    assert False, "not paid"

def test_ends_badly(shop):
    pass
""",
        "--qstash-fake-report=out",
    )
    failures = [data_of(pytester.path / "out" / one.name)["failure"] for one in saved_in(pytester.path / "out")]
    texts = {one["summary"].partition("\n")[0]: one["text"] for one in failures}
    assert list(texts) == ["teardown: AssertionError: not closed", "AssertionError: not paid"]
    assert "not paid" in texts["AssertionError: not paid"]
    assert "not closed" in texts["AssertionError: not paid"]


@pytest.mark.parametrize("hidden", ['redact={"body": True}', 'redact={"header": ["X-Card"]}'])
def test_what_a_message_hides_is_not_told_by_the_text_of_the_failure(run, pytester, hidden):
    test = f"""
def test_fails(qstash_fake):
    publish({hidden})
    assert "4242" == "my-secret"
"""
    run(test, "--qstash-fake-report=out")
    (saved,) = saved_in(pytester.path / "out")
    assert saved.why == "the text of the failure is not in this report: a message hides its body or headers"
    assert "my-secret" not in (pytester.path / "out" / saved.name).read_text(encoding="utf-8")


def test_a_page_of_the_user_is_not_written_over(run, pytester):
    mine = pytester.path / "htmlcov" / "index.html"
    mine.parent.mkdir()
    mine.write_text("<p>mine</p>", encoding="utf-8")
    result = run(SUITE, "--qstash-fake-report=htmlcov")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    told = f"--qstash-fake-report would write over {mine}, which is not its own: name another folder"
    assert f"ERROR: {told}" in result.errlines
    assert mine.read_text(encoding="utf-8") == "<p>mine</p>"


def test_a_folder_that_cannot_be_read_ends_the_run_before_its_first_test(run, pytester, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    run(SUITE, "--qstash-fake-report=out")
    monkeypatch.setattr("qstash_fake.page.report.is_ours", refuse)
    result = run(SUITE, "--qstash-fake-report=out")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --qstash-fake-report cannot use the folder */out: *Permission denied*"])


def test_an_index_that_cannot_be_written_leaves_the_outcome_of_the_run(run, pytester):
    (pytester.path / "out").mkdir()
    test = "def test_fails(qstash_fake):\n    import os; os.mkdir('out/index.html'); assert False"
    result = run(test, "--qstash-fake-report=out")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["qstash_fake reports: no index of them can be written: *Is a directory*"])


def test_the_name_of_a_file_begins_with_no_dash(run, pytester):
    name = "test_".ljust(MAX_NAME - 1, "a")  # with the dash before it, as long as a name may be
    run(f"def {name}(qstash_fake): assert False", "--qstash-fake-report=out")
    (saved,) = saved_in(pytester.path / "out")
    assert saved.name.startswith("test_aaa")


def test_a_fixture_that_fails_after_a_publish_leaves_a_timeline_and_a_report(run, pytester):
    result = run(
        """
@pytest.fixture
def order(qstash_fake):
    publish()
    assert False, "no order"

@pytest.fixture
def broken(qstash_fake):
    assert False, "nothing was published"

def test_it(order): pass

def test_without_a_publish(broken): pass
""",
        "--qstash-fake-report=out",
    )
    result.assert_outcomes(errors=2)
    (saved,) = saved_in(pytester.path / "out")
    assert (saved.title, saved.why) == ("test_it.py::test_it", "setup: AssertionError: no order")
    assert report_of(result, " qstash_fake timeline ")[1].endswith("POST https://shop.example/jobs")


def test_a_set_up_without_its_fake_shows_nothing_of_the_run_before(run, monkeypatch):
    made, runs = fakes._made, []

    def not_always(*args):
        runs.append(args)
        if len(runs) in (2, 4):  # the run that breaks, and the one that counts
            pytest.fail("no fake")
        return made(*args)

    monkeypatch.setattr(fakes, "_made", not_always)
    result = run(
        """
@pytest.mark.qstash_fake(explore=5, freeze="off", unrouted="accept")
def test_it(qstash_fake):
    publish()
    qstash_fake.drain()
"""
    )
    result.assert_outcomes(errors=1)
    assert len(runs) == 4
    result.stdout.no_fnmatch_line("* qstash_fake timeline *")


VERDICTS = """
import socket
RUNS = []

@pytest.mark.qstash_fake(unused_routes="error")
def test_a_route_is_unused(qstash_fake):
    publish()
    qstash_fake.on("https://shop.example/job").respond(200)

def test_a_call_goes_astray(qstash_fake):
    publish()
    with contextlib.suppress(BaseException):
        socket.getaddrinfo("qstash.upstash.io", 443)

@pytest.mark.qstash_fake(explore=10)
def test_a_plan_breaks_only_once(qstash_fake):
    qstash_fake.on(JOBS).respond(200)
    publish()
    qstash_fake.drain()
    RUNS.append(1)
    assert len(RUNS) != 2

def test_a_verb_is_not_awaited(qstash_fake):
    publish()
    qstash_fake.drain_async()
"""


def test_a_test_that_fails_by_a_verdict_alone_has_a_report_too(run, pytester):
    result = run(VERDICTS, "--qstash-fake-report=out")
    result.assert_outcomes(passed=2, failed=2, errors=2)
    why = {one.title.partition("::")[2]: one.why for one in saved_in(pytester.path / "out")}
    beginnings = {
        "test_a_route_is_unused": "teardown: Failed: no delivery came to on('https://shop.example/job')",
        "test_a_call_goes_astray": "a stray call to QStash: test_it.py::test_a_call_goes_astray asked for",
        "test_a_plan_breaks_only_once": "under twice@/jobs#1.1: not reproducible: test_a_plan_breaks_only_once failed",
        "test_a_verb_is_not_awaited": "teardown: Failed: qstash_fake was used in a way that cannot work:",
    }
    assert why.keys() == beginnings.keys()
    assert [name for name, beginning in beginnings.items() if not why[name].startswith(beginning)] == []
    assert result.stdout.str().count("- qstash_fake timeline -") == 4
