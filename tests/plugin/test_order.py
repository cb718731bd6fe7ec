"""The order of a test's fixtures: the fake begins first and ends last, the application comes when it is needed."""

import functools

import pytest

from qstash_fake.plugin import order  # here, because pytester forgets after each test what the test has imported

pytestmark = pytest.mark.usefixtures("looked_up")

SHOP = """
events, fakes = [], []

class Client:
    '''What publishes when it starts and when it ends, as a lifespan does.'''

    def __enter__(self):
        publish()
        events.append("client")
        return self

    def __exit__(self, *error):
        publish()
        events.append("client ends")

    def request(self, method, url, **_):
        events.append("delivery")
        return httpx.Response(200)

@pytest.fixture
def client():
    with Client() as client:
        yield client

@pytest.fixture
def qstash_app(client):
    events.append("app")
    return client

@pytest.fixture
def seeded(qstash_fake):
    events.append("seeded")
    publish()
    qstash_fake.drain()

def test_the_end():
    assert [len(fake.messages) for fake in fakes] == [AT_THE_END]
    assert "client ends" in events
"""
SETTINGS = """
@pytest.fixture(autouse=True)
def settings():
    events.append("settings")
"""


@pytest.fixture
def shop(run):
    """Run a test of a shop whose client publishes when it starts and ends; a last test looks at what the fake has."""

    def run_shop(test, at_the_end=2, settings=SETTINGS):
        before, after = SHOP.split("def test_the_end")
        source = before + settings + test + "\ndef test_the_end" + after.replace("AT_THE_END", str(at_the_end))
        return run(source)

    return run_shop


# --- ways to ask for the fake ---------------------------------------------------------------------------------------

LIFESPAN = """
    fakes.append(qstash_fake)
    assert len(qstash_fake.messages) == 1
    assert events == ["settings", "client", "app"]
    qstash_fake.drain()
    qstash_fake.assert_delivered(url=JOBS)
"""


@pytest.mark.parametrize("arguments", ["qstash_fake", "qstash_fake, client", "client, qstash_fake"])
def test_a_lifespan_publishes_inside_the_fake_whatever_the_order_of_arguments(shop, arguments):
    shop(f"def test_it({arguments}):{LIFESPAN}").assert_outcomes(passed=2)


@pytest.mark.parametrize(
    "test",
    [
        f"@pytest.mark.usefixtures('client')\ndef test_it(qstash_fake):{LIFESPAN}",
        f"@pytest.mark.usefixtures('qstash_fake')\ndef test_it(client, qstash_fake):{LIFESPAN}",
        f"""
@pytest.mark.usefixtures("client", "qstash_fake")
def test_it(request):
    qstash_fake = request.getfixturevalue("qstash_fake"){LIFESPAN}""",
        f"class TestIt:\n  def test_it(self, client, qstash_fake):{LIFESPAN}",
        f"@pytest.mark.parametrize('n', [1])\ndef test_it(client, n, qstash_fake):{LIFESPAN}",
        f"""
@pytest.fixture(autouse=True)
def every_test(request):
    if request.function.__name__ == "test_it":
        events.append("early")
    yield

def test_it(client, qstash_fake):{LIFESPAN.replace('"settings", ', '"early", "settings", ')}""",
        f"""
import unittest

class TestIt(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def take(self, client, qstash_fake):
        self.fake = qstash_fake

    def test_it(self):
        qstash_fake = self.fake{LIFESPAN.replace("    ", "        ")}""",
        f"""
@pytest.mark.usefixtures("client", "qstash_fake")
class TestIt:
    def setup_method(self):
        assert events == ["settings"]

    def test_it(self, qstash_fake):{LIFESPAN.replace("    ", "        ")}""",
    ],
    ids=["usefixtures client", "usefixtures fake", "both", "class", "parametrized", "autouse", "unittest", "xunit"],
)
def test_a_lifespan_publishes_inside_the_fake_however_it_is_asked_for(shop, test):
    shop(test).assert_outcomes(passed=2)


ASYNC_LIFESPAN = """
import PLUGIN
from qstash import AsyncQStash

fakes = []

@pytest.fixture
def anyio_backend():
    return "asyncio"

@FIXTURE
async def client():
    await AsyncQStash("a-token").message.publish(url=JOBS)
    yield lambda _: httpx.Response(200)
    await AsyncQStash("a-token").message.publish(url=JOBS)

@pytest.fixture
def qstash_app(client):
    return client

@pytest.mark.MARK
async def test_it(ARGUMENTS):
    fakes.append(qstash_fake)
    await qstash_fake.drain_async()
    qstash_fake.assert_delivered(url=JOBS, times=1)

def test_the_end():
    assert len(fakes[0].messages) == 2
"""


@pytest.mark.parametrize("arguments", ["qstash_fake, client", "client, qstash_fake", "qstash_fake"])
@pytest.mark.parametrize(
    ("plugin", "fixture"),
    [("pytest_asyncio.plugin", "pytest_asyncio.fixture"), ("anyio.pytest_plugin", "pytest.fixture")],
)
def test_an_async_lifespan_publishes_inside_the_fake(run, plugin, fixture, arguments):
    module = plugin.split(".")[0]
    words = {"PLUGIN": module, "FIXTURE": fixture, "MARK": module.removeprefix("pytest_"), "ARGUMENTS": arguments}
    test = functools.reduce(lambda text, word: text.replace(*word), words.items(), ASYNC_LIFESPAN)
    run(test, "-p", plugin, "-W", "ignore").assert_outcomes(passed=2)


def test_a_client_that_takes_the_fake_itself_is_the_application(shop):
    result = shop(f"""
@pytest.fixture
def client(qstash_fake):
    with Client() as client:
        yield client

def test_it(client, qstash_fake):{LIFESPAN}""")
    result.assert_outcomes(passed=2)


def test_an_autouse_fixture_that_takes_the_fake_brings_it_to_every_test(shop):
    result = shop(
        """
@pytest.fixture(autouse=True)
def every_test(qstash_fake):
    fakes[:] = [qstash_fake]
    events.append("every test")

def test_it(client):
    assert events == ["client", "app", "every test"]
    publish()
    fakes[0].drain()
    assert len(fakes[0].delivered) == 2
    events.clear()
""",
        settings="",
        at_the_end=0,
    )
    result.assert_outcomes(passed=1, failed=1)  # the last test has a fake of its own, and a client


# --- where the application is mounted -------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", ["seeded, qstash_fake", "qstash_fake, seeded", "seeded, client, qstash_fake"])
def test_a_fixture_may_deliver(shop, arguments):
    result = shop(
        f"""
def test_it({arguments}):
    fakes.append(qstash_fake)
    assert events == ["settings", "client", "app", "seeded", "delivery", "delivery"]
    qstash_fake.assert_delivered(times=2)
""",
        at_the_end=3,
    )
    result.assert_outcomes(passed=2)


def test_an_autouse_fixture_may_deliver(shop):
    result = shop(
        """
@pytest.fixture(autouse=True)
def a_seeded_test(request):
    if request.node.name == "test_it":
        request.getfixturevalue("seeded")

def test_it(qstash_fake):
    fakes.append(qstash_fake)
    assert events == ["client", "app", "seeded", "delivery", "delivery"]
""",
        settings="",
        at_the_end=3,
    )
    result.assert_outcomes(passed=2)


def test_settings_precede_the_application_also_where_another_fixture_takes_the_fake(shop):
    result = shop(
        """
@pytest.fixture
def seeded_shop(seeded, settings): pass

def test_it(seeded_shop, qstash_fake):
    fakes.append(qstash_fake)
    assert events[:4] == ["settings", "client", "app", "seeded"]
""",
        at_the_end=3,
    )
    result.assert_outcomes(passed=2)


def test_a_parametrized_application_runs_each_test_so_often(run):
    result = run("""
@pytest.fixture(params=["one", "two"])
def qstash_app(request):
    return lambda _: httpx.Response(200, text=request.param)

seen = []

def test_it(qstash_fake):
    publish()
    qstash_fake.drain()
    seen.append(qstash_fake.attempts[0].body)

def test_the_end():
    assert seen == [b"one", b"two"]
""")
    result.assert_outcomes(passed=3)


def test_a_parametrized_application_stays_where_a_hook_parametrizes_the_test(run, pytester):
    pytester.makeconftest("""
def pytest_generate_tests(metafunc):
    if "n" in metafunc.fixturenames:
        metafunc.parametrize("n", [1, 2, 3])
""")
    result = run("""
@pytest.fixture(params=["one", "two"])
def qstash_app(request):
    return lambda _: httpx.Response(200, text=request.param)

def test_it(qstash_fake, n):
    publish()
    qstash_fake.drain()
    assert qstash_fake.attempts[0].body in (b"one", b"two")
""")
    result.assert_outcomes(passed=6)


def test_a_test_parametrizes_the_application_itself(run):
    result = run("""
@pytest.mark.parametrize("qstash_app", [lambda _: httpx.Response(201), lambda _: httpx.Response(202)])
def test_it(qstash_fake, qstash_app):
    publish()
    qstash_fake.drain()
    assert qstash_fake.attempts[0].status in (201, 202)
""")
    result.assert_outcomes(passed=2)


def test_a_test_and_a_fixture_may_take_an_application_that_nobody_has_overridden(run):
    run("""
@pytest.fixture
def taken(qstash_app):
    return [qstash_app]

def test_one(qstash_fake, qstash_app):
    assert qstash_app is None

@pytest.mark.parametrize("n", [1, 2])
def test_more(n, qstash_app, qstash_fake, taken):
    assert taken == [qstash_app] == [None]
""").assert_outcomes(passed=3)


def test_an_application_of_wider_scope_is_mounted_in_every_test(run):
    result = run("""
made = []

@pytest.fixture(scope="session")
def qstash_app():
    made.append(1)
    return lambda _: httpx.Response(200)

@pytest.mark.parametrize("n", [1, 2])
def test_it(qstash_fake, n):
    publish()
    qstash_fake.drain()
    qstash_fake.assert_delivered()
    assert made == [1]
""")
    result.assert_outcomes(passed=2)


def test_an_application_of_wider_scope_lets_the_fake_come_first_all_the_same(run):
    result = run("""
@pytest.fixture(scope="module")
def qstash_app():
    return lambda _: httpx.Response(200)

@pytest.fixture(autouse=True)
def early():
    publish()

def test_it(qstash_fake):
    qstash_fake.drain()
    qstash_fake.assert_delivered(times=1)
""")
    result.assert_outcomes(passed=1)


def test_an_application_may_take_the_fake(run):
    result = run("""
@pytest.fixture
def qstash_app(qstash_fake):
    qstash_fake.on(JOBS).respond(202)
    return lambda _: httpx.Response(200)

def test_it(qstash_fake):
    publish()
    qstash_fake.drain()
    assert qstash_fake.attempts[0].status == 202
""")
    result.assert_outcomes(passed=1)


def test_a_fixture_that_overrides_the_fake_and_takes_it_is_used(run):
    result = run("""
@pytest.fixture
def qstash_fake(qstash_fake):
    qstash_fake.on(JOBS).respond(202)
    return qstash_fake

@pytest.fixture
def qstash_app():
    return lambda _: httpx.Response(200)

def test_it(qstash_fake):
    publish()
    QStash("a-token").message.publish(url="https://shop.example/other")
    qstash_fake.drain()
    assert [attempt.status for attempt in qstash_fake.attempts] == [202, 200]
""")
    result.assert_outcomes(passed=1)


def test_a_fixture_of_wider_scope_that_overrides_the_fake_is_used(run):
    run("""
@pytest.fixture(scope="module")
def qstash_fake(qstash_fake_session):
    return qstash_fake_session

def test_one(qstash_fake):
    publish()

def test_two(qstash_fake, qstash_fake_session):
    assert qstash_fake is qstash_fake_session
    assert len(qstash_fake.messages) == 1
""").assert_outcomes(passed=2)


def test_an_application_that_cannot_be_mounted_is_told_in_one_line(run):
    result = run("""
@pytest.fixture
def qstash_app():
    return 7

def test_it(qstash_fake): pass
""")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*7*"])


# --- a fake that is asked for late ----------------------------------------------------------------------------------

LATE = """
@pytest.fixture
def qstash_app(APP):
    return lambda _: httpx.Response(200)

@pytest.fixture
def client():
    return 1

@pytest.fixture
def late(request):
    return request.getfixturevalue("qstash_fake")

@pytest.fixture
def late_client(request):
    return request.getfixturevalue("qstash_fake")

def test_in_the_test(request):
    fake = request.getfixturevalue("qstash_fake")
    publish()
    fake.drain()
    fake.assert_delivered(url=JOBS)

def test_in_a_fixture(late):
    publish()
    late.drain()
    late.assert_delivered(url=JOBS)

def test_in_the_test_after_a_fixture(late_client, request):
    publish()
    late_client.drain()
    late_client.assert_delivered(url=JOBS)
    assert request.getfixturevalue("qstash_fake") is late_client
"""


@pytest.mark.parametrize("app", ["", "client", "qstash_fake", "late_client", "client, late_client"])
def test_a_fake_that_is_asked_for_by_getfixturevalue_is_mounted_from_then_on(run, app):
    run(LATE.replace("APP", app)).assert_outcomes(passed=3)


# --- fixtures that come later count ---------------------------------------------------------------------------------


def test_an_environment_that_a_later_fixture_sets_counts_and_is_restored(run, monkeypatch):
    monkeypatch.setenv("QSTASH_TOKEN", "before")
    result = run("""
import os

@pytest.fixture(autouse=True)
def settings(monkeypatch):
    monkeypatch.setenv("QSTASH_TOKEN", "of the settings")
    monkeypatch.setenv("QSTASH_URL", "https://queue.shop.example")

def test_it(qstash_fake):
    assert os.environ["QSTASH_TOKEN"] == "of the settings"
    httpx.post("https://queue.shop.example/v2/publish/" + JOBS, headers={"Authorization": "Bearer t"})
    qstash_fake.assert_published(url=JOBS)
""")
    result.assert_outcomes(passed=1)


# --- wider scopes -------------------------------------------------------------------------------------------------


def test_a_wider_fixture_publishes_to_the_fake_of_the_session(run):
    result = run("""
@pytest.fixture(scope="module")
def started(qstash_fake_session):
    QStash("a-token").schedule.create(destination=JOBS, cron="0 2 * * *")
    return qstash_fake_session

def test_the_schedule_is_there(started):
    started.assert_scheduled(cron="0 2 * * *")

def test_the_fake_of_a_test_answers_instead(started, qstash_fake):
    publish()
    assert (len(qstash_fake.messages), started.messages) == (1, [])

def test_the_one_of_the_session_answers_again(qstash_fake_session):
    publish()
    assert len(qstash_fake_session.messages) == 1
""")
    result.assert_outcomes(passed=3)


def test_the_fake_of_the_session_takes_the_options_of_the_ini_file(run, pytester):
    pytester.makeini("[pytest]\nqstash_fake_start = 2026-01-01T00:00:00Z\nqstash_fake_stray = error")
    result = run("""
@pytest.mark.qstash_fake(start="2027-01-01T00:00:00Z")
def test_it(qstash_fake_session, qstash_fake):
    assert (qstash_fake_session.clock.now.year, qstash_fake.clock.now.year) == (2026, 2027)
""")
    result.assert_outcomes(passed=1)


def test_the_fake_of_the_session_freezes_time_during_its_verbs_only(run, pytester):
    pytester.makeini("[pytest]\nqstash_fake_start = 2026-01-01T00:00:00Z\nqstash_fake_freeze = freezegun")
    result = run("""
from datetime import UTC, datetime

seen = []

def handler(request):
    seen.append(f"{datetime.now(UTC):%Y-%m-%d}")
    return httpx.Response(200)

def test_it(qstash_fake_session):
    before = datetime.now(UTC)
    qstash_fake_session.mount(handler)
    publish(delay="1d")
    qstash_fake_session.clock.advance("1d")
    assert seen == ["2026-01-02"]
    assert before <= datetime.now(UTC)

def test_next():
    assert f"{datetime.now(UTC):%Y-%m-%d}" not in ("2026-01-01", "2026-01-02")
""")
    result.assert_outcomes(passed=2)


def test_a_failing_test_shows_the_timeline_of_the_session(run):
    result = run("""
def test_it(qstash_fake_session):
    publish()
    assert False
""")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*- qstash_fake timeline -*", "*CREATED*POST https://shop.example/jobs*"])


def test_what_fails_a_fake_at_its_end_fails_the_tear_down_of_the_session(run):
    result = run("""
def test_one(qstash_fake_session):
    call("/v1/events")
    assert False

def test_two(): pass
""")
    result.assert_outcomes(failed=1, passed=1, errors=1)
    result.stdout.fnmatch_lines(["*ERROR at teardown of test_two*", "POST /v1/events is not simulated *"])


def test_a_fixture_that_fails_before_the_application_is_mounted_fails_its_own_test_alone(run):
    result = run("""
@pytest.fixture
def seed(request):
    request.getfixturevalue("qstash_fake")
    raise RuntimeError("no seed")

@pytest.fixture
def qstash_app(seed):
    return lambda _: httpx.Response(200)

@pytest.fixture
def other():
    return 1

def test_seed(seed): pass
def test_other(other): pass
""")
    result.assert_outcomes(errors=1, passed=1)
    result.stdout.fnmatch_lines(["ERROR test_it.py::test_seed - RuntimeError: no seed"])


# --- clients that are entered before the fake ------------------------------------------------------------------------


ENTERED = """
import asyncio
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient
events = []

@contextlib.asynccontextmanager
async def lifespan(app):
    app.state.stop = asyncio.Event()
    worker = asyncio.create_task(app.state.stop.wait())
    events.append("starts")
    yield
    app.state.stop.set()
    await worker
    events.append("stops")

async def job(request):
    events.append("works")
    return PlainTextResponse()

app = Starlette(routes=[Route("/jobs", job, methods=["POST"])], lifespan=lifespan)

@pytest.fixture(scope="class")
def client():
    with TestClient(app):
        yield

@pytest.fixture
def qstash_app():
    return app

@pytest.mark.usefixtures("client")
class TestShop:
    @pytest.mark.parametrize("order", [1, 2])
    def test_it(self, qstash_fake, order):
        publish()
        qstash_fake.drain()

def test_the_events():
    assert events == ["starts", "works", "works", "stops"]
"""


def test_an_application_whose_client_a_wider_fixture_has_entered_is_started_once(run):
    run(ENTERED).assert_outcomes(passed=3)


def test_an_application_whose_client_a_conftest_has_entered_is_started_once(run):
    conftest = """
import contextlib, pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient
starts = []

@contextlib.asynccontextmanager
async def lifespan(app):
    starts.append(app)
    yield

async def job(request):
    return PlainTextResponse()

client = TestClient(Starlette(routes=[Route("/jobs", job, methods=["POST"])], lifespan=lifespan))
client.__enter__()

def pytest_unconfigure():
    client.__exit__(None, None, None)

@pytest.fixture
def qstash_app():
    return client.app
"""
    test = """
from conftest import client, starts

def test_it(qstash_fake):
    publish()
    qstash_fake.drain()
    qstash_fake.assert_delivered()
    assert starts == [client.app]
"""
    run(test, conftest=conftest).assert_outcomes(passed=1)


def test_a_plan_of_the_set_up_begins_no_fake(run):
    conftest = """
import os, pytest

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown():
    assert "QSTASH_URL" not in os.environ
"""
    result = run(
        """
@pytest.mark.qstash_fake(start="one day")
def test_it(tmp_path, qstash_fake): pass

def test_next(qstash_fake): pass
""",
        "--setup-plan",
        conftest=conftest,
    )
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["*SETUP    F tmp_path*", "*SETUP    F qstash_fake", "*test_it.py::test_it *"])


# --- names that are not promised ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["FixtureManager.getfixtureclosure", "FuncFixtureInfo.names_closure", "Function._request"]
)
def test_a_private_name_of_pytest_that_is_gone_is_explained_where_it_is_needed(run, monkeypatch, name):
    monkeypatch.setattr(order, "missing_names", lambda _: [name])
    run("def test_it(): pass").assert_outcomes(passed=1)
    result = run("def test_it(qstash_fake): pass")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [f"E * pytest {pytest.__version__} has no {name}, which the fixture qstash_fake needs *"]
    )


def test_this_pytest_has_the_names(request):
    assert order.missing_names(request.session) == []


def test_names_that_are_missing_are_found(monkeypatch, request):
    from _pytest import fixtures

    monkeypatch.delattr(fixtures.FixtureManager, "getfixtureclosure")
    monkeypatch.setattr(fixtures, "FuncFixtureInfo", object)
    monkeypatch.setattr(pytest.FixtureDef, "__init__", lambda self: None)
    monkeypatch.delattr(pytest.FixtureDef, "cache_key")
    monkeypatch.setattr(pytest.Function, "_initrequest", lambda self: None)
    assert order.missing_names(request.session) == [
        "FixtureManager.getfixtureclosure",
        "FuncFixtureInfo.argnames",
        "FuncFixtureInfo.names_closure",
        "FuncFixtureInfo.name2fixturedefs",
        "FixtureDef.func",
        "FixtureDef.argnames",
        "FixtureDef.cached_result",
        "FixtureDef.cache_key",
        "Function._request",
    ]
