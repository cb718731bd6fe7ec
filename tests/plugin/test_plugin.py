"""The plugin as a user meets it: the fixture, its options, and the words of a failing test's report."""

import pytest

from tests.plugin.runs import PUBLISH, report_of

# --- the fixture --------------------------------------------------------------------------------------------------


def test_the_fixture_publishes_and_delivers(run):
    result = run("""
def test_it(qstash_fake):
    publish(delay="5m")
    qstash_fake.on(JOBS).respond(200)
    qstash_fake.clock.advance("5m")
    qstash_fake.assert_delivered(url=JOBS)
""")
    result.assert_outcomes(passed=1)


def test_each_test_has_a_fake_of_its_own(run):
    result = run("""
@pytest.mark.parametrize("number", range(3))
def test_it(qstash_fake, number):
    publish()
    assert len(qstash_fake.messages) == 1
""")
    result.assert_outcomes(passed=3)


def test_the_app_of_the_override_gets_every_delivery(run):
    result = run("""
@pytest.fixture
def qstash_app():
    return lambda request: httpx.Response(200, text="from the app")

def test_it(qstash_fake):
    publish()
    qstash_fake.drain()
    assert qstash_fake.attempts[0].body == b"from the app"
""")
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("options", ["", 'explore=3, freeze="off"'], ids=["once", "explored"])
def test_a_run_does_not_keep_the_fakes_of_tests_that_are_over(run, options):
    result = run(
        f"""
import gc, weakref
fakes = []

@pytest.mark.qstash_fake(unrouted="accept"{", " * bool(options)}{options})
@pytest.mark.parametrize("number", [1, 2])
def test_it(qstash_fake, number):
    fakes.append(weakref.ref(qstash_fake))
    publish()
    qstash_fake.drain()

def test_the_end():
    gc.collect()
    assert fakes and not any(fake() for fake in fakes)
"""
    )
    result.assert_outcomes(passed=3)


def test_the_environment_is_restored_where_the_fake_comes_after_monkeypatch(run, monkeypatch):
    monkeypatch.setenv("QSTASH_TOKEN", "before")
    result = run("""
import os

def test_it(monkeypatch, request):
    request.getfixturevalue("qstash_fake")
    monkeypatch.setenv("QSTASH_TOKEN", "of the test")

def test_afterwards():
    assert os.environ["QSTASH_TOKEN"] == "before"
""")
    result.assert_outcomes(passed=2)


def test_the_environment_is_restored_also_where_the_test_changed_it_itself(run, monkeypatch):
    monkeypatch.delenv("QSTASH_URL", raising=False)
    monkeypatch.setenv("QSTASH_TOKEN", "before")
    result = run("""
import os

def test_it(monkeypatch, qstash_fake):
    assert os.environ["QSTASH_URL"] == "https://qstash-fake.invalid"
    monkeypatch.setenv("QSTASH_TOKEN", "of the test")
    monkeypatch.delenv("QSTASH_URL")

def test_afterwards():
    assert (os.environ.get("QSTASH_URL"), os.environ["QSTASH_TOKEN"]) == (None, "before")
""")
    result.assert_outcomes(passed=2)


def test_unittest_cases_use_it_by_mark(run):
    result = run("""
import unittest

@pytest.mark.usefixtures("qstash_fake")
class TestIt(unittest.TestCase):
    def test_it(self):
        self.assertTrue(publish().message_id.startswith("msg_"))
""")
    result.assert_outcomes(passed=1)


# --- the marker and the ini options -------------------------------------------------------------------------------


def test_the_marker_counts_on_function_class_and_module_the_closest_first(run):
    result = run("""
pytestmark = pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z", unrouted="accept")

def test_module(qstash_fake):
    assert f"{qstash_fake.clock.now:%Y-%m-%d}" == "2026-01-01"

@pytest.mark.qstash_fake(start="2026-02-02")
class TestIt:
    def test_class(self, qstash_fake):
        assert f"{qstash_fake.clock.now:%Y-%m-%d}" == "2026-02-02"

    @pytest.mark.qstash_fake(start="2026-03-03")
    def test_function(self, qstash_fake):
        publish()
        qstash_fake.drain()                          # unrouted="accept" of the module
        assert f"{qstash_fake.clock.now:%Y-%m-%d}" == "2026-03-03"
""")
    result.assert_outcomes(passed=3)


@pytest.mark.parametrize(
    ("marker", "problem"),
    [
        (
            "frezze='off'",
            "@pytest.mark.qstash_fake: unknown frezze= (did you mean freeze=?); it takes start=, ",
        ),
        ("'off'", "@pytest.mark.qstash_fake: no keyword for 'off'; it takes start=, freeze=, unrouted=, "),
        ("freeze='sundial'", "qstash_fake(freeze='sundial'): freeze='sundial' is unknown: use "),
        ("unrouted='drop'", "qstash_fake(unrouted='drop'): unrouted='drop' is unknown: use one of "),
        ("start='noon'", "qstash_fake(start='noon'): 'noon' is no ISO 8601 time such as '2026-01-01T09:00:00Z'"),
        ("start=5", "qstash_fake(start=5): 5 is neither a datetime nor an ISO 8601 text"),
    ],
)
def test_a_wrong_marker_is_told_in_one_line(run, marker, problem):
    result = run(f"""
@pytest.mark.qstash_fake({marker})
def test_it(qstash_fake):
    pass
""")
    result.assert_outcomes(errors=1)
    (line,) = report_of(result, "ERROR at setup of test_it")
    assert line.startswith(problem)


def test_the_marker_is_known_to_strict_markers_and_listed(run):
    run("@pytest.mark.qstash_fake(seed=7)\ndef test_it(qstash_fake): pass", "--strict-markers").assert_outcomes(
        passed=1
    )
    run("", "--markers").stdout.fnmatch_lines(["@pytest.mark.qstash_fake(start=*, freeze=*): how the fixture *"])


def test_ini_options_are_defaults_that_a_marker_overrides(run, pytester):
    pytester.makeini("""
        [pytest]
        qstash_fake_start = 2026-01-01T00:00:00Z
        qstash_fake_unrouted = fail
        qstash_fake_raise_app_exceptions = no
        qstash_fake_seed = 7
        qstash_fake_token = a-token
    """)
    result = run("""
def broken(request):
    raise KeyError

def test_ini(qstash_fake):
    publish()
    qstash_fake.deliver_due()                        # unrouted
    assert qstash_fake.attempts[0].status == 0
    qstash_fake.mount(broken)
    qstash_fake.drain()                              # raises nothing
    assert f"{qstash_fake.clock.now:%Y-%m}" == "2026-01"
    assert qstash_fake.messages[0].message_id.startswith("msg_UGrK1B")
    assert call("/v2/publish/" + JOBS).status_code == 201

@pytest.mark.qstash_fake(unrouted="accept", token="another", seed=8)
def test_marker(qstash_fake):
    assert call("/v2/publish/" + JOBS).status_code == 401
    QStash("another").message.publish(url=JOBS)
    assert not qstash_fake.messages[0].message_id.startswith("msg_UGrK1B")
    qstash_fake.deliver_due()
    qstash_fake.assert_delivered(url=JOBS)
""")
    result.assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("qstash_fake_seed = seven", "ini option qstash_fake_seed: invalid literal for int() with base 10: 'seven'"),
        (
            "qstash_fake_raise_app_exceptions = maybe",
            "ini option qstash_fake_raise_app_exceptions: invalid truth value",
        ),
    ],
)
def test_a_wrong_ini_option_is_told_in_one_line(run, pytester, line, problem):
    pytester.makeini(f"[pytest]\n{line}")
    result = run("def test_it(qstash_fake): pass")
    result.assert_outcomes(errors=1)
    (text,) = report_of(result, "ERROR at setup of test_it")
    assert text.startswith(problem)


# --- what a failing test shows ------------------------------------------------------------------------------------


def test_a_failing_assertion_shows_the_test_the_difference_and_the_timeline(run):
    result = run("""
@pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z")
def test_it(qstash_fake):
    publish(delay="5m")
    qstash_fake.assert_published(url=JOBS, json={"order": 8})
""")
    result.assert_outcomes(failed=1)
    report = report_of(result, "_ test_it _")
    assert report[0] == "qstash_fake = <QStashFake 1 message, 1 pending>"
    due = (
        "1 message is pending, the next is due in 5m: deliver with qstash_fake.clock.advance('5m'), "
        "or all with qstash_fake.drain()"
    )
    assert report[4:] == [
        '>       qstash_fake.assert_published(url=JOBS, json={"order": 8})',
        'E       AssertionError: no message was published with url=https://shop.example/jobs, json={"order": 8}',
        "E       1 message was published:",
        'E         POST https://shop.example/jobs (msg_w2E686gJsD…, CREATED, due 2026-01-01T00:05:00Z) {"order": 7}',
        "E           json.order: expected 8, got 7",
        "E       " + due,
        "test_it.py:15: AssertionError",
        "----------------------------- qstash_fake timeline -----------------------------",
        "times since 2026-01-01T00:00:00Z",
        "         +0s  CREATED   msg_w2E686… POST https://shop.example/jobs  due in 5m",
        "         +5m  (due)     msg_w2E686… POST https://shop.example/jobs",
        "now 2026-01-01T00:00:00Z",
    ]


def test_an_unrouted_destination_says_what_to_do_and_shows_no_frame_of_ours(run):
    result = run("""
def test_it(qstash_fake):
    publish()
    qstash_fake.drain()
""")
    result.assert_outcomes(failed=1)
    report = report_of(result, "_ test_it _")
    problem = (
        "no app for https://shop.example/jobs: mount one with qstash_fake.mount(app, 'https://shop.example'), or "
        "answer it with qstash_fake.on('https://shop.example/jobs').respond(200), or let all such "
        "deliveries succeed with the option unrouted='accept'; mounted: nothing"
    )
    assert report[3:6] == [
        ">       qstash_fake.drain()",
        f"E       qstash_fake.errors.UnroutedDestination: {problem}",
        "test_it.py:14: UnroutedDestination",
    ]


ASGI = """
async def app(scope, receive, send):
    publish(**{again})
    await send({{"type": "http.response.start", "status": 200, "headers": []}})
    await send({{"type": "http.response.body"}})

def test_it(qstash_fake):
    qstash_fake.mount(app, "https://shop.example", lifespan=False)
    publish()
    {call}
"""


def test_a_limit_that_is_reached_on_a_loop_shows_no_frame_of_the_loop(run):
    result = run(ASGI.format(again={"delay": "1m"}, call="qstash_fake.drain(limit=2)"))
    report = report_of(result, "_ test_it _")
    problem = (
        "drain() has created more than 2 messages and is not done; published again and again: "
        "https://shop.example/jobs (3 times); raise drain(limit=…), or go step by step with "
        "qstash_fake.clock.advance(…)"
    )
    assert report[: report.index("test_it.py:20: DrainLimitReached") + 1] == [
        "qstash_fake = <QStashFake 4 messages, 1 pending>",
        "    def test_it(qstash_fake):",
        '        qstash_fake.mount(app, "https://shop.example", lifespan=False)',
        "        publish()",
        ">       qstash_fake.drain(limit=2)",
        f"E       qstash_fake.errors.DrainLimitReached: {problem}",
        "test_it.py:20: DrainLimitReached",
    ]


def test_an_unrouted_destination_after_a_delivery_on_a_loop_shows_no_frame_of_the_loop(run):
    call = 'QStash("a-token").message.publish(url="https://other.example/", delay="1m")\n    qstash_fake.drain(limit=2)'
    result = run(ASGI.format(again={"delay": "1h"}, call=call))
    report = report_of(result, "_ test_it _")
    assert report[5] == ">       qstash_fake.drain(limit=2)"
    assert report[6].startswith("E       qstash_fake.errors.UnroutedDestination: no app for https://other.example/: ")
    assert report[7] == "test_it.py:21: UnroutedDestination"


def test_a_loop_of_the_test_and_one_of_the_application_keep_their_frames(run):
    result = run("""
import asyncio

async def drain(qstash_fake):
    await asyncio.wait_for(qstash_fake.drain_async(), 5)

def test_it(qstash_fake):
    publish()
    asyncio.run(drain(qstash_fake))

async def never():
    raise KeyError("customer")

async def app(scope, receive, send):
    await asyncio.wait_for(never(), 5)

def test_its_application(qstash_fake):
    qstash_fake.mount(app, lifespan=False)
    publish()
    qstash_fake.drain()
""")
    result.assert_outcomes(failed=2)
    for test, places in {
        "_ test_it _": ["test_it.py:*", "*asyncio/runners.py:*", "*asyncio/tasks.py:*: UnroutedDestination"],
        "_ test_its_application _": ["test_it.py:*", "*asyncio/*.py:*", "test_it.py:*: KeyError"],
    }.items():
        pytest.LineMatcher(report_of(result, test)).fnmatch_lines(places)


def test_an_exception_of_the_application_is_shown_with_its_place_and_the_delivery(run):
    result = run("""
def invoice(request):
    raise KeyError("customer")

def test_it(qstash_fake):
    qstash_fake.mount(invoice)
    publish()
    qstash_fake.drain()
""")
    result.assert_outcomes(failed=1)
    report = report_of(result, "_ test_it _")
    assert [line for line in report if "qstash_fake/" in line] == []
    assert "E       KeyError: 'customer'" in report or "E   KeyError: 'customer'" in report
    assert any(
        line.startswith("E") and "raised by the application while qstash_fake delivered" in line for line in report
    )
    assert any(line.endswith("destination answered 500, it raised KeyError") for line in report)


def test_full_trace_shows_our_frames(run):
    result = run("def test_it(qstash_fake):\n    qstash_fake.clock.advance('5x')", "--full-trace")
    result.stdout.fnmatch_lines(["*qstash_fake/testing/clock.py:*", "E *ValueError: invalid duration '5x'*"])


UNITTEST = """
import unittest

class TestIt(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def fake(self, qstash_fake):
        self.fake = qstash_fake

    def test_it(self):
        {}
        self.fake.assert_idle()
"""


def test_a_failing_unittest_case_shows_the_timeline(run):
    result = run(UNITTEST.format("publish()"))
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*- qstash_fake timeline -*", "*+0s  CREATED *"])


def test_a_failing_unittest_case_tells_what_else_is_wrong_without_a_second_error(run):
    result = run(UNITTEST.format('publish(); call("/v1/notify/event")'))
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*- qstash_fake -*", "POST /v1/notify/event is not simulated by qstash_fake"])


def test_a_mistake_of_our_own_keeps_its_frames(run):
    result = run("""
def test_it(qstash_fake):
    qstash_fake._inside.verbs._running = 1
    qstash_fake.drain()
""")
    result.stdout.fnmatch_lines(["*qstash_fake/testing/verbs.py:*: AttributeError"])


def test_a_timeline_that_cannot_be_shown_does_not_end_the_run(run):
    result = run("""
def test_it(qstash_fake):
    qstash_fake._inside.broker.journal = None
    assert False

def test_next(qstash_fake):
    pass
""")
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["cannot be shown: TypeError(*"])


def test_a_passing_test_reports_nothing(run):
    result = run("def test_it(qstash_fake): publish()", "-rA")
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*timeline*")


# --- what fails a test at its end ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ('call("/v1/notify/event")', ["POST /v1/notify/event is not simulated by qstash_fake"]),
        ('with contextlib.suppress(Exception): call("/v1/wait/x").raise_for_status()', ["POST /v1/wait/x is not *"]),
        ("qstash_fake._inside.broker.publish = None; call('/v2/publish/' + JOBS)", ["TypeError: 'NoneType' *"]),
    ],
)
def test_what_the_application_swallowed_fails_the_test_at_its_end(run, body, problem):
    result = run(f"def test_it(qstash_fake):\n    {body}")
    result.assert_outcomes(passed=1, errors=1)
    report = report_of(result, "ERROR at teardown of test_it")
    assert report[0] == "qstash_fake was used in a way that cannot work:"
    result.stdout.fnmatch_lines(problem)


def test_a_test_that_failed_is_not_reported_twice(run):
    result = run("""
def test_it(qstash_fake):
    call("/v1/notify/event").raise_for_status()
""")
    result.assert_outcomes(failed=1)
    assert report_of(result, "_ test_it _")[-3:] == [
        "--------------------------------- qstash_fake ----------------------------------",
        "qstash_fake was used in a way that cannot work:",
        "POST /v1/notify/event is not simulated by qstash_fake",
    ]


def test_an_expected_failure_stays_one_and_a_skipped_test_is_still_checked(run):
    result = run("""
@pytest.mark.xfail
def test_expected(qstash_fake):
    call("/v1/notify/event").raise_for_status()

def test_skipped(qstash_fake):
    call("/v1/notify/event")
    pytest.skip()
""")
    result.assert_outcomes(xfailed=1, skipped=1, errors=1)


def test_a_misuse_that_a_handler_swallows_fails_the_verb(run):
    result = run("""
def app(request):
    with contextlib.suppress(Exception):
        app.fake.drain()
    return httpx.Response(200)

def test_it(qstash_fake):
    app.fake = qstash_fake
    qstash_fake.mount(app)
    publish()
    qstash_fake.deliver_due()
""")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E *drain() was called while deliver_due() runs: a handler cannot move the clock*"])


def test_refusals_of_qstash_and_faults_asked_for_fail_nothing(run):
    result = run("""
def test_it(qstash_fake):
    assert call("/v2/publish/ftp://shop.example").status_code == 400
    assert call("/v2/nothing").status_code == 404
    for kind in ("burst", "daily", "chat", 500, 501):
        qstash_fake.api.fail(kind)
        assert call("/v2/publish/" + JOBS).status_code >= 429
""")
    result.assert_outcomes(passed=1)


# --- with other plugins -------------------------------------------------------------------------------------------

ASYNC = """
async def app(scope, receive, send):
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body"})

@pytest.mark.MARK
async def test_async(qstash_fake):
    qstash_fake.mount(app, lifespan=False)
    publish(delay="5m")
    await qstash_fake.clock.advance_async("5m")
    qstash_fake.assert_delivered(url=JOBS)

@pytest.mark.MARK
async def test_sync_verb(qstash_fake):
    with pytest.raises(Exception, match=r"use `await .*advance_async"):
        qstash_fake.clock.advance("5m")
"""


def test_async_tests_run_under_pytest_asyncio(run, pytester):
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function")
    run(ASYNC.replace("MARK", "asyncio"), "-p", "pytest_asyncio.plugin").assert_outcomes(passed=2)


def test_async_tests_run_under_anyio(run):
    fixture = "\n@pytest.fixture\ndef anyio_backend():\n    return 'asyncio'\n"
    run(fixture + ASYNC.replace("MARK", "anyio"), "-p", "anyio.pytest_plugin").assert_outcomes(passed=2)


def test_workers_of_xdist_run_apart_and_give_the_same_journal(run):
    test = """
@pytest.mark.parametrize("number", range(4))
@pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z", unrouted="accept")
def test_it(qstash_fake, number):
    publish(delay="5m")
    qstash_fake.drain()
    assert qstash_fake.messages[0].message_id.startswith("msg_w2E686gJsD")
    assert qstash_fake.timeline().endswith("now 2026-01-01T00:05:00Z")
"""
    run(test, "-p", "xdist.plugin", "-n", "2").assert_outcomes(passed=4)


def test_it_works_with_every_installed_plugin_and_is_registered_once(pytester):
    """By the entry point, by -p of the file in the checkout, and by a conftest, all at once."""
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function")
    pytester.makeconftest("pytest_plugins = ['qstash_fake.pytest_plugin']")
    pytester.makepyfile(PUBLISH + "def test_it(qstash_fake): publish()")
    # Save schemathesis, which takes two seconds to import; and no assertion is rewritten, in none of the plugins.
    result = pytester.runpytest_subprocess(
        "-p", "pytest_plugin", "-W", "error", "-p", "no:schemathesis", "--assert=plain"
    )
    result.assert_outcomes(passed=1)


def test_it_works_from_a_checkout_by_the_file_in_its_root(pytester, monkeypatch, request):
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTHONPATH", str(request.config.rootpath))
    pytester.makepyfile(PUBLISH + "def test_it(qstash_fake): publish()")
    pytester.runpytest_subprocess("-p", "pytest_plugin", "-p", "no:cacheprovider").assert_outcomes(passed=1)


@pytest.mark.parametrize("plugin", ["terminal", "warnings", "logging", "unittest", "doctest"])
def test_it_needs_none_of_the_plugins_that_can_be_switched_off(run, plugin):
    assert run("def test_it(qstash_fake): publish()", "-p", f"no:{plugin}").ret == 0


def test_a_failing_test_does_not_end_a_run_without_a_terminal(run):
    assert run("def test_it(qstash_fake): assert 0", "-p", "no:terminal").ret == pytest.ExitCode.TESTS_FAILED
