"""Tests of pytest under plans: kinds of tests, what counts once, and the text that a user sees."""

from xml.etree import ElementTree as ET

import pluggy
import pytest
from _pytest import timing

from qstash_fake.page.report import data_of, saved_in
from qstash_fake.plugin.exploring import missing_names
from tests.plugin.runs import report_of

# A shop that counts where it should set: one delivery more is one invoice more.
SHOP = """
INVOICES = []
CLIENT = QStash("a-token")  # one for all runs: to make one costs more than a run

def publish(**options):
    return CLIENT.message.publish_json(url=JOBS, body={"order": 7}, **options)

def answer(request):
    INVOICES.append(request.content)
    return httpx.Response(200)

@pytest.fixture
def qstash_app():
    INVOICES.clear()
    return answer

explored = pytest.mark.qstash_fake(explore=20, start="2026-01-01T00:00:00Z", freeze="off")
"""
BROKEN = """
    publish(delay="5m")
    qstash_fake.drain()
    assert len(INVOICES) == 1
"""
WHOLE = SHOP + "\n@explored\ndef test_it(qstash_fake):" + BROKEN


@pytest.fixture
def explored(run):
    """Run tests of the shop above."""
    return lambda test, *args, **files: run(SHOP + test, *args, **files)


# --- what a user sees -------------------------------------------------------------------------------------------------


def test_a_failure_shows_the_assertion_the_plan_the_command_and_the_timeline(run):
    result = run(WHOLE)
    result.assert_outcomes(failed=1)
    assert "E       assert 2 == 1" in result.outlines
    assert report_of(result, " qstash_fake exploration ") == [
        "test_it passes as it is, and fails if QStash does this, which it is free to do:",
        "  - attempt 1 of POST https://shop.example/jobs at +5m is sent twice",
        "plan:  twice@/jobs#1.1",
        "again: pytest test_it.py::test_it --qstash-fake-plan='twice@/jobs#1.1'",
        "tried: 2 of at most 20 runs: the plain run, 1 of 5 single faults; 1 more to confirm and to shrink",
        "----------------------------- qstash_fake timeline -----------------------------",
        "times since 2026-01-01T00:00:00Z",
        "         +0s  CREATED   msg_w2E686… POST https://shop.example/jobs  due in 5m",
        "         +5m  —         FAULT twice@/jobs#1.1: sent twice",
        "         +5m  ACTIVE    msg_w2E686… POST https://shop.example/jobs  attempt 1 of 4  (its answer is lost)",
        "         +5m  ACTIVE    msg_w2E686… POST https://shop.example/jobs  attempt 1 of 4",
        "         +5m  DELIVERED msg_w2E686… POST https://shop.example/jobs  200",
        "now 2026-01-01T00:05:00Z",
    ]
    assert "FAILED test_it.py::test_it - under twice@/jobs#1.1: assert 2 == 1" in shortened(result)


def test_the_command_of_the_report_fails_in_the_same_way(run):
    result = run(WHOLE, "--qstash-fake-plan=twice@/jobs#1.1")
    result.assert_outcomes(failed=1)
    assert report_of(result, " qstash_fake exploration ")[:4] == [
        "test_it fails when QStash does this, which it is free to do:",
        "  - attempt 1 of POST https://shop.example/jobs at +5m is sent twice",
        "plan:  twice@/jobs#1.1",
        "again: pytest test_it.py::test_it --qstash-fake-plan='twice@/jobs#1.1'",
    ]


def test_the_command_of_the_report_is_right_where_pytest_was_started(explored, pytester, monkeypatch):
    pytester.makeini("[pytest]")
    monkeypatch.chdir(pytester.mkdir("below"))
    result = explored(f"@explored\ndef test_it(qstash_fake):{BROKEN}", "..")
    assert "again: pytest ../test_it.py::test_it --qstash-fake-plan='twice@/jobs#1.1'" in result.outlines


def test_a_plan_that_does_not_fit_any_more_fails_the_test_and_names_what_does(run):
    result = run(WHOLE, "--qstash-fake-plan=late1h@/mail#1.1")
    result.assert_outcomes(failed=1)
    assert report_of(result, "_ test_it _")[0] == (
        "the plan does not fit test_it any more: late1h@/mail#1.1 did not come to pass. There is no such attempt, it "
        "is the last one, or nothing else was due beside it; possible besides: twice@/jobs#1.1, lost@/jobs#1.1, "
        "down@/jobs#1.1, late1h@/jobs#1.1, late1m@/jobs#1.1"
    )


def test_the_plan_that_holds_passes(run):
    run(WHOLE, "--qstash-fake-plan=late1h@/jobs#1.1").assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("argument", "problem"),
    [
        (
            "--qstash-fake-plan=twice",
            "ERROR: --qstash-fake-plan: 'twice' names no point of a run: it reads like twice@/jobs/invoice#1.1",
        ),
        ("--qstash-fake-explore=-1", "ERROR: --qstash-fake-explore=-1: give the number of runs, or 0 for none"),
    ],
)
def test_a_command_line_that_cannot_be_is_refused(run, argument, problem):
    result = run(WHOLE, argument)
    assert problem in result.errlines


def test_what_holds_is_told_in_the_summary_and_with_v_by_test(explored):
    test = """
@explored
def test_it(qstash_fake):
    publish()
    qstash_fake.drain()

@pytest.mark.qstash_fake(explore=3)
def test_in_part(qstash_fake):
    publish()
    qstash_fake.drain()
"""
    result = explored(test)
    result.assert_outcomes(passed=2)
    part = "  test_it.py::test_in_part: 3 of at most 3 runs: the plain run, 2 of 5 single faults"
    more = "1 test holds under what was tried; more runs try more (--qstash-fake-explore=N)"
    every = "1 test holds under every single fault, and under what else was tried"
    assert report_of(result, " qstash_fake exploration ") == [every, more, part]
    whole = (
        "  test_it.py::test_it: 20 of at most 20 runs: "
        "the plain run, all 5 single faults, 10 plans of 2 faults, 4 plans of 3 faults"
    )
    assert report_of(explored(test, "-v"), " qstash_fake exploration ") == [every, whole, more, part]


def test_a_report_is_written_by_the_run_that_counts_alone_and_names_its_plan(explored, pytester):
    test = f"""
RUNS = []

@explored
def test_it(qstash_fake):{BROKEN}

@explored
def test_fails_in_its_second_run(qstash_fake):
    publish()
    qstash_fake.drain()
    RUNS.append(1)
    assert len(RUNS) != 2
"""
    explored(test, "--qstash-fake-report=out").assert_outcomes(failed=2)
    saved, by_the_search = sorted(saved_in(pytester.path / "out"), reverse=True)
    assert (saved.title, saved.why) == ("test_it.py::test_it", "under twice@/jobs#1.1: assert 2 == 1")
    assert by_the_search.why.startswith("under twice@/jobs#1.1: not reproducible: test_fails_in_its_second_run failed")
    assert data_of(pytester.path / "out" / saved.name)["failure"]["text"].splitlines()[:2] == [
        "run under the plan twice@/jobs#1.1:",
        "  - attempt 1 of POST https://shop.example/jobs at +5m is sent twice",
    ]


def test_with_some_kinds_of_faults_alone_the_summary_does_not_claim_all_of_them(explored):
    test = """
@pytest.mark.qstash_fake(explore=9, faults=("late1m",), freeze="off")
def test_it(qstash_fake):
    publish()
    qstash_fake.drain()
"""
    assert report_of(explored(test, "-v"), " qstash_fake exploration ") == [
        "1 test holds under every single fault of the kinds that faults= names, and under what else was tried",
        "  test_it.py::test_it: 2 of at most 9 runs, all that there are: the plain run, the one single fault of late1m",
    ]


@pytest.mark.parametrize(
    ("delays", "told"),
    [
        (("1m", "2m"), "; nothing to swap: no two messages were due at one instant"),
        (("1m", "1m"), ""),
        (("1m",), ""),
    ],
)
def test_the_summary_says_where_no_order_could_be_another_one(explored, delays, told):
    test = f"""
@pytest.mark.qstash_fake(explore=30, faults=("swap", "late1m"), start="2026-01-01T00:00:00Z", freeze="off")
def test_it(qstash_fake):
    for delay in {delays!r}:
        publish(delay=delay)
    qstash_fake.drain()
"""
    *_, line = report_of(explored(test, "-v"), " qstash_fake exploration ")
    assert "".join(line.partition(";")[1:]) == told


TIMED = """
from _pytest import timing

def lasts(seconds):
    now = timing.perf_counter() + seconds
    timing.perf_counter = lambda: now

@pytest.fixture
def slow():
    lasts(1)
    yield
    lasts(100)

@pytest.mark.qstash_fake(explore=9, faults=("late1m",), freeze="off")
def test_it(qstash_fake, slow):
    publish()
    qstash_fake.drain()
    lasts(10)
"""


@pytest.fixture
def timed(run, monkeypatch):
    """Run tests whose phases last as long as they say, by the clock of pytest; it stands still otherwise."""

    def run_timed(test, *args):
        with monkeypatch.context() as patch:
            patch.setattr(timing, "perf_counter", lambda: 0.0)
            return run(SHOP + test, *args)

    return run_timed


def test_the_durations_of_a_test_are_those_of_all_its_runs(timed):
    result = timed(TIMED, "--durations=0", "-v")  # the plain run, the one fault, and the run that counts
    assert report_of(result, " slowest durations ") == [
        "300.00s teardown test_it.py::test_it",
        "30.00s call     test_it.py::test_it",
        "3.00s setup    test_it.py::test_it",
    ]


def test_the_time_of_a_test_in_junit_xml_is_that_of_all_its_runs(timed, pytester):
    timed(TIMED, "--junit-xml=report.xml").assert_outcomes(passed=1)
    [case] = ET.parse(pytester.path / "report.xml").iter("testcase")
    assert case.get("time") == "333.000"


def test_a_test_that_breaks_in_its_setup_has_the_time_of_the_plain_run_too(timed):
    test = """
@pytest.fixture
def on_time(qstash_fake, slow):
    publish()
    qstash_fake.drain()
    assert qstash_fake.clock.now.minute == 0
"""
    timed_test = TIMED.replace("(explore", '(start="2026-01-01T00:00:00Z", explore').replace("e, slow)", "e, on_time)")
    result = timed(timed_test + test, "--durations=0", "-v")
    result.assert_outcomes(errors=1)
    assert report_of(result, " slowest durations ") == [  # two of the four runs came as far as the call
        "400.00s teardown test_it.py::test_it",
        "24.00s setup    test_it.py::test_it",
    ]


# --- how it is asked for ----------------------------------------------------------------------------------------------


def test_the_command_line_sets_the_runs_of_tests_that_are_explored_and_leaves_others_alone(explored):
    test = f"""
@explored
def test_it(qstash_fake):{BROKEN}

def test_plain(qstash_fake):{BROKEN}
"""
    explored(test, "--qstash-fake-explore=0").assert_outcomes(passed=2)
    explored(test, "--qstash-fake-explore=2").assert_outcomes(passed=1, failed=1)


def test_the_ini_file_asks_for_all_tests_and_the_marker_wins(explored, pytester):
    pytester.makeini("[pytest]\nqstash_fake_explore = 20\nqstash_fake_faults = late, lost\n")
    result = explored(f"""
def test_it(qstash_fake):{BROKEN}

@pytest.mark.qstash_fake(faults=["late"])
def test_late(qstash_fake):{BROKEN}

@pytest.mark.qstash_fake(explore=0)
def test_plain(qstash_fake):{BROKEN}

def test_without_a_fake(): pass
""")
    result.assert_outcomes(passed=3, failed=1)
    assert "plan:  lost@/jobs#1.1" in result.outlines


def test_wrong_options_are_told_in_one_line(run):
    result = run("""
@pytest.mark.parametrize("options", [
    pytest.param(0, marks=pytest.mark.qstash_fake(explore=-1)),
    pytest.param(1, marks=pytest.mark.qstash_fake(explore=True)),
    pytest.param(2, marks=pytest.mark.qstash_fake(explore=9, faults="thrice")),
    pytest.param(3, marks=pytest.mark.qstash_fake(explores=9)),
])
def test_it(qstash_fake, options): pass
""")
    result.assert_outcomes(errors=4)
    told = [line.removeprefix("@pytest.mark.qstash_fake: ") for line in result.outlines if line.startswith("@pytest")]
    assert [line[:72] for line in told] == [
        "explore=-1: give the number of runs, such as 100, or 0 for none",
        "explore=True: give the number of runs, such as 100, or 0 for none",
        "faults='thrice': there is no such fault, use some of twice, lost, swap, ",
        "unknown explores= (did you mean explore=?); it takes start=, freeze=, un",
    ]


# --- kinds of tests ---------------------------------------------------------------------------------------------------

KINDS = """
import unittest

@explored
class TestClass:
    def test_class(self, qstash_fake):
        assert not hasattr(self, "seen")
        self.seen = True
        publish()
        qstash_fake.drain()
        assert len(INVOICES) == 1

@explored
@pytest.mark.usefixtures("qstash_fake")
class TestUnittest(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def keep(self, qstash_fake):
        self.fake = qstash_fake

    def setUp(self):
        self.number = getattr(self, "number", 0) + 1

    def test_unittest(self):
        publish()
        self.fake.drain()
        self.assertEqual(self.number, 1)
        self.assertEqual(len(INVOICES), 1)

async def count(qstash_fake):
    publish()
    await qstash_fake.drain_async()
    assert len(INVOICES) == 1

@explored
@pytest.mark.asyncio
async def test_asyncio(qstash_fake):
    await count(qstash_fake)

@explored
@pytest.mark.anyio
async def test_anyio(qstash_fake):
    await count(qstash_fake)

@explored
def test_subtests(qstash_fake, subtests):
    publish()
    qstash_fake.drain()
    with subtests.test("count"):
        assert len(INVOICES) == 1
"""


def test_every_kind_of_test_is_explored_and_counts_once(explored, pytester):
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    result = explored(KINDS, "-p", "pytest_asyncio.plugin", "-p", "anyio.pytest_plugin")
    result.assert_outcomes(failed=7)  # one of them is the subtest
    assert [line.split("::", 1)[1].split(" ")[0] for line in result.outlines if line.startswith("again: ")] == [
        "TestClass::test_class",
        "TestUnittest::test_unittest",
        "test_asyncio",
        "test_anyio[asyncio]'",
        "test_anyio[trio]'",
        "test_subtests",
    ]
    assert result.outlines.count("plan:  twice@/jobs#1.1") == 6


def test_a_parametrized_test_is_explored_by_itself(explored):
    result = explored("""
@explored
@pytest.mark.parametrize("number", [1, 2])
def test_it(qstash_fake, number):
    publish()
    qstash_fake.drain()
    assert len(INVOICES) <= number
""")
    result.assert_outcomes(failed=2)
    assert "plan:  twice@/jobs#1.1" in result.outlines
    assert "plan:  lost@/jobs#1.1+twice@/jobs#1.2" in result.outlines
    assert "again: pytest 'test_it.py::test_it[1]' --qstash-fake-plan='twice@/jobs#1.1'" in result.outlines


def test_workers_of_xdist_explore_and_the_summary_is_whole(explored):
    result = explored(
        f"""
@explored
@pytest.mark.parametrize("number", [1, 2])
def test_it(qstash_fake, number):{BROKEN}

@explored
def test_ok(qstash_fake):
    publish()
    qstash_fake.drain()
""",
        "-p",
        "xdist",
        "-n",
        "2",
    )
    result.assert_outcomes(failed=2, passed=1)
    every = "1 test holds under every single fault, and under what else was tried"
    assert every in result.outlines
    assert result.outlines.count("plan:  twice@/jobs#1.1") == 2


# --- outcomes ---------------------------------------------------------------------------------------------------------


def test_an_expected_failure_is_judged_after_the_search(explored):
    result = explored(f"""
@explored
@pytest.mark.xfail(strict=True)
def test_breaks(qstash_fake):{BROKEN}

@explored
@pytest.mark.xfail(strict=True)
def test_holds(qstash_fake):
    publish()
    qstash_fake.drain()

@explored
@pytest.mark.xfail
def test_holds_loosely(qstash_fake):
    publish()
    qstash_fake.drain()

@explored
@pytest.mark.xfail(run=False)
def test_is_not_run(qstash_fake):
    raise AssertionError
""")
    result.assert_outcomes(xfailed=2, failed=1, xpassed=1)
    assert "[XPASS(strict)] " in result.stdout.str()


def test_a_skip_is_a_skip(explored):
    result = explored("""
@explored
def test_inside(qstash_fake):
    pytest.skip("not today")

@explored
@pytest.mark.skip
def test_mark(qstash_fake): pass
""")
    result.assert_outcomes(skipped=2)
    assert "qstash_fake exploration" not in result.stdout.str()


def test_a_test_that_fails_as_it_is_shows_its_own_failure_alone(explored):
    result = explored("""
@explored
def test_it(qstash_fake):
    publish()
    qstash_fake.drain()
    assert INVOICES == []
""")
    result.assert_outcomes(failed=1)
    assert "qstash_fake exploration" not in result.stdout.str()


def test_a_session_fixture_that_fails_is_an_error(explored):
    result = explored(f"""
@pytest.fixture(scope="session")
def broken():
    raise LookupError("no database")

@explored
def test_it(broken, qstash_fake):{BROKEN}

@explored
def test_too(broken, qstash_fake):{BROKEN}
""")
    result.assert_outcomes(errors=2)
    assert "qstash_fake exploration" not in result.stdout.str()


def test_fixtures_of_a_wider_scope_are_set_up_once_and_torn_down_after_the_last_run(explored):
    result = explored(
        """
@pytest.fixture(scope="module")
def database():
    print("OPENED")
    yield
    print("CLOSED")

@pytest.fixture
def table(database):
    print("TABLE")

@pytest.mark.qstash_fake(explore=3)
def test_it(table, qstash_fake):
    publish()
    qstash_fake.drain()
""",
        "-s",
        "-q",
    )
    result.assert_outcomes(passed=1)
    printed = result.stdout.str()
    assert [printed.count(word) for word in ("OPENED", "TABLE", "CLOSED")] == [1, 4, 1]
    assert printed.index("TABLE") < printed.rindex("TABLE") < printed.index("CLOSED")


def test_maxfail_counts_a_test_once(explored):
    test = f"""
@explored
@pytest.mark.parametrize("number", [1, 2, 3])
def test_it(qstash_fake, number):{BROKEN}
"""
    explored(test, "--maxfail=2").assert_outcomes(failed=2)


def test_warnings_and_output_of_the_other_runs_are_not_told(explored):
    result = explored(
        """
import warnings

@explored
def test_it(qstash_fake):
    warnings.warn("told once", UserWarning)
    print("printed once")
    publish()
    qstash_fake.drain()
    assert len(INVOICES) == 1
""",
        "-W",
        "default",
    )
    result.assert_outcomes(failed=1, warnings=1)
    assert result.outlines.count("printed once") == 1


def test_state_that_outlives_the_test_is_told_and_no_plan_is_named(explored):
    result = explored("""
RUNS = []

@explored
def test_it(qstash_fake):
    RUNS.append(1)
    publish()
    qstash_fake.drain()
    assert len(RUNS) < 4
""")
    result.assert_outcomes(failed=1)
    assert report_of(result, " qstash_fake exploration ")[0] == (
        "test_it does not repeat: it passed at first and failed after 4 runs, with no fault at all. State outlives it: "
        "a database, a cache or a global that a fixture of wider scope makes, or that nobody clears. No plan is blamed"
    )
    assert "plan:" not in result.stdout.str()


def test_a_test_that_fails_only_when_the_search_is_over_does_not_repeat(explored):
    result = explored("""
RUNS = []

@pytest.mark.qstash_fake(explore=3)
def test_it(qstash_fake):
    RUNS.append(publish())
    qstash_fake.drain()
    assert len(RUNS) < 4
""")
    result.assert_outcomes(failed=1)
    lines = report_of(result, " qstash_fake exploration ")
    assert lines[0].startswith(
        "test_it does not repeat: it passed at first and failed after 3 runs, with no fault at all"
    )


def test_a_fixture_that_is_missing_is_told_under_a_plan_too(run):
    result = run("def test_it(qstash_fake, nothing): pass", "--qstash-fake-plan=twice@/jobs#1.1")
    result.assert_outcomes(errors=1)
    assert "E       fixture 'nothing' not found" in result.outlines
    assert "  - twice@/jobs#1.1 did not come to pass" in report_of(result, " qstash_fake exploration ")


def test_a_plan_that_breaks_only_once_is_not_reproducible(explored):
    result = explored("""
RUNS = []

@explored
def test_it(qstash_fake):
    RUNS.append(1)
    publish()
    qstash_fake.drain()
    assert len(RUNS) != 2
""")
    result.assert_outcomes(failed=1)
    assert report_of(result, "_ test_it _")[0] == (
        "not reproducible: test_it failed under the plan twice@/jobs#1.1, and passed when that was run again. "
        "Something else than QStash decides: chance, real time, or state that outlives a run"
    )


def test_a_test_that_fails_only_at_first_does_not_pass_unseen(explored):
    result = explored("""
RUNS = []

@explored
def test_it(qstash_fake):
    RUNS.append(1)
    assert len(RUNS) > 1, "a cold cache"
""")
    result.assert_outcomes(failed=1)
    lines = report_of(result, "_ test_it _")
    assert lines[0] == (
        "test_it does not repeat: it failed in its first run and passed in its second, with no fault at all. "
        "Nothing was explored. Its first run failed with:"
    )
    assert "E       AssertionError: a cold cache" in lines


def test_pdb_is_entered_in_the_run_that_counts_alone(explored, monkeypatch):
    entered = []
    monkeypatch.setattr("_pytest.debugging.PdbInvoke.pytest_exception_interact", lambda *_, **__: entered.append(1))
    result = explored(f"@explored\ndef test_it(qstash_fake):{BROKEN}", "--pdb")
    result.assert_outcomes(failed=1)
    assert entered == [1]


def shortened(result):
    """The lines of the short summary."""
    return [line for line in result.outlines if line.startswith("FAILED ")]


# --- names that are not promised --------------------------------------------------------------------------------------


def test_a_private_name_that_is_gone_is_told_by_tests_that_are_explored_and_by_no_others(explored, monkeypatch):
    monkeypatch.setattr("qstash_fake.plugin.exploring.missing_names", lambda: ["HookCaller._hookimpls"])
    result = explored("@explored\ndef test_it(qstash_fake): pass\n\ndef test_plain(qstash_fake): pass")
    result.assert_outcomes(passed=1, errors=1)
    told = (
        "@pytest.mark.qstash_fake: this pytest has no HookCaller._hookimpls, which exploration needs: use another "
        "version of pytest and pluggy, or explore=0"
    )
    assert told in result.outlines


def test_this_pytest_has_the_names():
    assert missing_names() == []


def test_names_that_are_missing_are_found(monkeypatch):
    with monkeypatch.context() as patch:  # no longer than that: pytest itself needs them to tell a failure
        patch.setattr(pluggy.HookCaller, "_hookimpls", property(lambda self: []))
        patch.delattr("_pytest.runner.runtestprotocol")
        patch.setattr(pytest.Item, "__init__", lambda self: None)
        missing = missing_names()
    assert missing == ["HookCaller._hookimpls", "runtestprotocol", "Item._report_sections"]
