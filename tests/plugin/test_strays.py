"""A call to QStash that no fake answers: it does not leave, and who made it fails, at any time of a run."""

import pytest

from tests.plugin.runs import report_of

pytestmark = pytest.mark.usefixtures("looked_up")

STRAY = "a stray call to QStash: test_it.py::test_it asked for qstash.upstash.io"
WAY_OUT = (
    "Nothing was sent. Answer it with the fixture qstash_fake, in a fixture of wider scope with qstash_fake_session; "
    'or let it out with @pytest.mark.qstash_fake(stray="allow")'
)


# --- what a test sees ---------------------------------------------------------------------------------------------


def test_the_sentence_says_who_called_and_what_to_do(run, looked_up):
    result = run("""
def order():
    publish()

def test_it():
    order()
""")
    result.assert_outcomes(failed=1)
    assert report_of(result, "_ test_it _") == [
        STRAY,
        "  test_it.py:7 in publish",
        "  test_it.py:13 in order",
        "  test_it.py:16 in test_it",
        WAY_OUT,
    ]
    assert looked_up == []


def test_the_sdk_does_not_repeat_the_call(run):
    result = run("""
import time

def test_it():
    with pytest.raises(BaseException, match="a stray call to QStash"):
        publish()

def test_no_exception_of_the_usual_kind():
    try:
        publish()
    except Exception:
        pass
    finally:
        assert time.monotonic() - before < 5

before = time.monotonic()
""")
    result.assert_outcomes(failed=2)  # the first, too: a stray call that is expected is a stray call


WAYS = {
    "a body of a test": """
def test_it():
    publish()
""",
    "an exception that is swallowed": """
def test_it():
    with contextlib.suppress(BaseException):
        publish()
""",
    "a thread": """
import threading

def work():
    with contextlib.suppress(BaseException):
        publish()

def test_it():
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
""",
    "a thread pool": """
from concurrent.futures import ThreadPoolExecutor

def test_it():
    with ThreadPoolExecutor() as pool:
        pool.submit(publish)
""",
    "gather": """
import asyncio
from qstash import AsyncQStash

def test_it():
    async def work():
        client = AsyncQStash("a-token")
        await asyncio.gather(client.message.publish(url=JOBS), client.message.publish(url=JOBS), return_exceptions=True)

    asyncio.run(work())
""",
    "a background task": """
import asyncio
from qstash import AsyncQStash

def test_it():
    async def work():
        task = asyncio.create_task(AsyncQStash("a-token").message.publish(url=JOBS))
        await asyncio.wait([task])
        task.exception()

    asyncio.run(work())
""",
    "a task group": """
import asyncio
from qstash import AsyncQStash

async def work():
    async with asyncio.TaskGroup() as group:
        group.create_task(AsyncQStash("a-token").message.publish(url=JOBS))

def test_it():
    with contextlib.suppress(BaseException):
        asyncio.run(work())
""",
    "an expected failure": """
@pytest.mark.xfail
def test_it():
    publish()
""",
    "a test that skips itself": """
def test_it():
    with contextlib.suppress(BaseException):
        publish()
    pytest.skip()
""",
    "an application that answers 500": """
def test_it():
    from starlette.applications import Starlette
    from starlette.routing import Route
    from starlette.testclient import TestClient

    def job(request):
        try:
            publish()
        except BaseException as error:
            raise ValueError from None

    client = TestClient(Starlette(routes=[Route("/", job)]), raise_server_exceptions=False)
    assert client.get("/").status_code == 500
""",
    "unittest": """
import unittest

class TestIt(unittest.TestCase):
    def test_it(self):
        publish()
""",
    "requests": """
import requests

def test_it():
    with contextlib.suppress(Exception):
        requests.post("https://qstash-us-east-1.upstash.io/v2/publish/https://shop.example/job")
""",
    "urllib.request": """
import urllib.request

def test_it():
    with contextlib.suppress(Exception):
        urllib.request.urlopen("https://QStash.Upstash.IO/v2/keys")
""",
    "aiohttp": """
import asyncio, aiohttp

def test_it():
    async def work():
        async with aiohttp.ClientSession() as session:
            await session.get("https://qstash-eu-central-1.upstash.io/v2/keys")

    with contextlib.suppress(Exception):
        asyncio.run(work())
""",
    "uvloop": """
import uvloop
from qstash import AsyncQStash

def test_it():
    with contextlib.suppress(Exception):
        uvloop.run(AsyncQStash("a-token").message.publish(url=JOBS))
""",
    "aiohttp on uvloop": """
import aiohttp, uvloop

def test_it():
    async def work():
        async with aiohttp.ClientSession() as session:
            await session.get("https://qstash-eu-central-1.upstash.io/v2/keys")

    with contextlib.suppress(Exception):
        uvloop.run(work())
""",
    "trio": """
import trio

def test_it():
    async def work():
        async with httpx.AsyncClient() as client:
            await client.get("https://qstash.upstash.io/v2/keys")

    with contextlib.suppress(Exception):
        trio.run(work)
""",
    "a name with a dot at its end": """
import socket

def test_it():
    with contextlib.suppress(Exception):
        socket.getaddrinfo(b"qstash.upstash.io.", 443)
""",
}


@pytest.mark.filterwarnings("ignore:Using `httpx` with `starlette.testclient`")  # its category is newer than our bound
@pytest.mark.parametrize("way", WAYS)
def test_a_test_that_calls_qstash_fails(run, looked_up, way):
    result = run(WAYS[way])
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["a stray call to QStash: test_it.py::*test_it asked for *upstash.io*"])
    assert looked_up == []


def test_an_expected_failure_that_calls_qstash_is_a_failure_in_every_report(run, pytester):
    run(WAYS["an expected failure"], "--junitxml=report.xml")
    assert 'failures="1" skipped="0"' in (pytester.path / "report.xml").read_text(encoding="utf-8")


# --- set-up and tear-down -------------------------------------------------------------------------------------------


def test_a_call_in_the_set_up_is_an_error_and_one_in_the_tear_down_too(run):
    result = run("""
@pytest.fixture
def before():
    publish()

@pytest.fixture
def after():
    yield
    with contextlib.suppress(BaseException):
        publish()

def test_before(before): pass
def test_after(after): pass
""")
    result.assert_outcomes(errors=2, passed=1)


def test_a_call_of_a_wider_fixture_fails_every_test_that_needs_it(run):
    result = run("""
@pytest.fixture(scope="session")
def schedule():
    QStash("a-token").schedule.create(destination=JOBS, cron="0 2 * * *")

def test_one(schedule): pass
def test_two(schedule): pass
def test_three(): pass
""")
    result.assert_outcomes(errors=2, passed=1)
    result.stdout.fnmatch_lines(["a stray call to QStash: test_it.py::test_one asked for qstash.upstash.io"])


def test_a_test_that_has_failed_says_so_in_a_section(run):
    result = run("""
def test_it():
    with contextlib.suppress(BaseException):
        publish()
    assert False, "for another reason"
""")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E * for another reason", "*- qstash_fake -*", STRAY])


# --- outside of tests ---------------------------------------------------------------------------------------------


def test_an_application_that_calls_when_it_is_imported_fails_the_collection(run, pytester):
    pytester.makepyfile(
        shop="from qstash import QStash\nQStash('a-token').message.publish(url='https://shop.example/job')"
    )
    result = run("import shop\ndef test_it(): pass")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [
            "*ERROR collecting test_it.py*",
            "a stray call to QStash: the collection of test_it.py asked for qstash.upstash.io",
            "  shop.py:2 in <module>",
            "  test_it.py:11 in <module>",
            WAY_OUT,
        ]
    )


def test_an_import_that_swallows_the_call_fails_the_collection(run):
    result = run("with contextlib.suppress(BaseException): publish()\ndef test_it(): pass")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["a stray call to QStash: the collection of test_it.py asked for qstash.upstash.io"])


CONFTEST = "from qstash import QStash\nQStash('a-token').message.publish(url='https://shop.example/job')"
SWALLOWED = """
from qstash import QStash
try:
    QStash('a-token').message.publish(url='https://shop.example/job')
except BaseException:
    pass
"""
TRANSLATED = """
from qstash import QStash
try:
    QStash('a-token').message.publish(url='https://shop.example/job')
except BaseException as error:
    raise ValueError('no queue') from error
"""


@pytest.mark.parametrize("conftest", [CONFTEST, SWALLOWED, TRANSLATED])
def test_a_conftest_that_calls_ends_the_run(run, pytester, conftest):
    pytester.makeconftest(conftest)
    result = run("def test_it(): pass")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [
            "ERROR: a stray call to QStash: a conftest asked for qstash.upstash.io",
            "  conftest.py:* in <module>",
            WAY_OUT,
        ]
    )


def test_a_conftest_of_a_folder_that_calls_fails_the_collection(run, pytester):
    folder = pytester.mkdir("sub")
    (folder / "conftest.py").write_text(CONFTEST, encoding="utf-8")
    (folder / "test_sub.py").write_text("def test_sub(): pass", encoding="utf-8")
    result = run("def test_it(): pass")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["a stray call to QStash: the collection of * asked for qstash.upstash.io"])


OUTSIDE = """
import contextlib

def call():
    from qstash import QStash
    with contextlib.suppress(BaseException):
        QStash("a-token").message.publish(url="https://shop.example/job")

def {hook}(session):
    call()
"""
SAID = ["*= qstash_fake =*", "a stray call to QStash: something outside of any test asked for qstash.upstash.io"]


@pytest.mark.parametrize("hook", ["pytest_sessionstart", "pytest_collection_finish", "pytest_sessionfinish"])
def test_what_no_test_has_called_fails_the_run(run, pytester, hook):
    pytester.makeconftest(OUTSIDE.format(hook=hook))
    result = run("def test_it(): pass")
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_what_no_test_has_called_is_said_at_the_end(run, pytester):
    pytester.makeconftest(OUTSIDE.format(hook="pytest_sessionfinish"))
    result = run('@pytest.mark.qstash_fake(stray="allow")\ndef test_it(): pass')
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(SAID)


def test_the_marker_of_a_test_lets_out_nothing_after_it(run, pytester):
    pytester.makeconftest(OUTSIDE.format(hook="pytest_runtest_logfinish").replace("(session)", "(nodeid)"))
    result = run('@pytest.mark.qstash_fake(stray="allow")\ndef test_it(): pass')
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(SAID)


def test_what_no_test_of_a_worker_has_called_fails_the_run_too(run, pytester):
    pytester.makeconftest(OUTSIDE.format(hook="pytest_collection_finish"))
    result = run("def test_it(): pass", "-p", "xdist.plugin", "-n", "1")
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(SAID)


# --- what is let out ----------------------------------------------------------------------------------------------

LOOK_UP = """
import socket

def look_up():
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo("qstash.upstash.io", 443)
"""


def test_a_marker_lets_out_what_a_test_and_its_fixtures_call(run, looked_up):
    result = run(
        LOOK_UP
        + """
@pytest.fixture
def around():
    look_up()
    yield
    look_up()

@pytest.mark.qstash_fake(stray="allow")
def test_it(around):
    look_up()

def test_next():
    look_up()
"""
    )
    result.assert_outcomes(passed=1, failed=1)
    assert looked_up == ["qstash.upstash.io"] * 3


def test_the_marker_counts_where_another_plugin_runs_the_test(run, looked_up):
    conftest = """
import pytest
from _pytest.runner import runtestprotocol

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    runtestprotocol(item, nextitem=nextitem)
    return True
"""
    result = run(
        LOOK_UP
        + """
def test_before():
    look_up()

@pytest.mark.qstash_fake(stray="allow")
def test_it():
    look_up()

def test_next():
    look_up()
""",
        conftest=conftest,
    )
    result.assert_outcomes(passed=1, failed=2)
    assert report_of(result, "_ test_next _")[0] == STRAY.replace("test_it.py::test_it", "test_it.py::test_next")
    assert looked_up == ["qstash.upstash.io"]


def test_the_ini_file_lets_out_everything_but_what_a_marker_forbids(run, pytester, looked_up):
    pytester.makeini("[pytest]\nqstash_fake_stray = allow")
    pytester.makeconftest(OUTSIDE.format(hook="pytest_sessionstart").replace('"a-token"', '"a-token", retry=False'))
    result = run(
        LOOK_UP
        + """
look_up()

def test_it():
    look_up()

@pytest.mark.qstash_fake(stray="error")
def test_next():
    look_up()
"""
    )
    result.assert_outcomes(passed=1, failed=1)
    assert looked_up == ["qstash.upstash.io"] * 3


UNKNOWN = "@pytest.mark.qstash_fake: stray='maybe' is unknown: use one of 'error', 'allow'"


def test_an_unknown_word_is_told(run):
    result = run('@pytest.mark.qstash_fake(stray="maybe")\ndef test_it(): publish()')
    result.assert_outcomes(failed=1)
    assert UNKNOWN in result.outlines


def test_an_unknown_word_is_told_by_the_fixture(run):
    result = run('@pytest.mark.qstash_fake(stray="maybe")\ndef test_it(qstash_fake): pass')
    result.assert_outcomes(errors=1)
    assert report_of(result, "ERROR at setup") == [UNKNOWN]


@pytest.mark.parametrize(
    "host", ["api.example", "localhost", "upstash.io", "qstash.upstash.io.example", "myqstash.upstash.io"]
)
def test_other_hosts_are_nobodys_business(run, looked_up, host):
    result = run(f"import socket\ndef test_it():\n    with pytest.raises(OSError): socket.getaddrinfo({host!r}, 80)")
    result.assert_outcomes(passed=1)
    assert looked_up == [host]


# --- beside a fake ------------------------------------------------------------------------------------------------


WAY_TO_THE_SERVER = (
    "Nothing was sent. A qstash_fake is active, but this client is not one that it intercepts: lead it to the fixture "
    'qstash_server, which any client can reach; or let it out with @pytest.mark.qstash_fake(stray="allow")'
)


def test_a_client_that_is_not_intercepted_is_led_to_the_server(run):
    result = run("""
import socket

def test_it(qstash_fake):
    publish()
    socket.getaddrinfo("qstash.upstash.io", 443)
""")
    result.assert_outcomes(failed=1)
    assert report_of(result, "_ test_it _")[:4] == [
        "a stray call to QStash: test_it.py::test_it asked for qstash.upstash.io",
        "  test_it.py:16 in test_it",
        WAY_TO_THE_SERVER,
        "----------------------------- qstash_fake timeline -----------------------------",
    ]


MOCKED = {
    "respx": (
        """
import respx

@respx.mock
def test_it():
    route = respx.post(url__startswith="https://qstash.upstash.io/").respond(201, json={"messageId": "msg_1"})
    publish()
    assert route.called
""",
        (),
    ),
    "pytest_httpx": (
        """
def test_it(httpx_mock):
    httpx_mock.add_response(json={"messageId": "msg_1"})
    publish()
""",
        ("-p", "pytest_httpx"),
    ),
    "responses": (
        """
import requests, responses

@responses.activate
def test_it():
    responses.post("https://qstash.upstash.io/v2/publish/https://shop.example/job", json={"messageId": "msg_1"})
    assert requests.post("https://qstash.upstash.io/v2/publish/https://shop.example/job").status_code == 200
""",
        (),
    ),
    "requests_mock": (
        """
import requests

def test_it(requests_mock):
    requests_mock.post("https://qstash.upstash.io/v2/publish/https://shop.example/job", text="mocked")
    assert requests.post("https://qstash.upstash.io/v2/publish/https://shop.example/job").text == "mocked"
""",
        ("-p", "requests_mock.contrib._pytest_plugin"),
    ),
    "aioresponses": (
        """
import aiohttp, asyncio
from aioresponses import aioresponses

async def call():
    async with aiohttp.ClientSession() as session:
        await session.post("https://qstash.upstash.io/v2/publish/https://shop.example/job")

def test_it():
    with aioresponses() as mock, pytest.raises(ValueError):
        mock.post("https://qstash.upstash.io/v2/publish/https://shop.example/job", exception=ValueError())
        asyncio.run(call())
""",
        (),
    ),
    "vcrpy": (
        """
import os
CASSETTE = '''
version: 1
interactions:
- request: {body: null, headers: {}, method: POST, uri: https://qstash.upstash.io/v2/publish/https://shop.example/jobs}
  response: {body: {string: '{"messageId": "msg_1"}'}, headers: {}, status: {code: 201, message: Created}}
'''

@pytest.mark.vcr
@pytest.mark.block_network
def test_it():
    assert publish().message_id == "msg_1"

os.makedirs("cassettes/test_it")
with open("cassettes/test_it/test_it.yaml", "w") as tape:
    tape.write(CASSETTE)
""",
        ("-p", "pytest_recording.plugin"),
    ),
    "monkeypatch": (
        """
def test_it(monkeypatch):
    monkeypatch.setattr(httpx.Client, "send", lambda *_, **__: httpx.Response(201, json={"messageId": "msg_1"}))
    publish()
""",
        (),
    ),
}


@pytest.mark.parametrize("mock", MOCKED)
def test_a_suite_that_mocks_qstash_without_a_fake_passes_as_before(run, looked_up, mock):
    test, args = MOCKED[mock]
    result = run(test, *args)
    result.assert_outcomes(passed=1)
    assert looked_up == []


def test_a_fake_and_a_cassette_of_pytest_recording_share_a_test(run, looked_up):
    result = run(
        """
import os

CASSETTE = '''
version: 1
interactions:
- request: {body: null, headers: {}, method: GET, uri: https://api.example/rates}
  response: {body: {string: rates}, headers: {}, status: {code: 200, message: OK}}
'''

@pytest.mark.vcr
@pytest.mark.block_network
def test_it(qstash_fake):
    publish()
    assert httpx.get("https://api.example/rates").text == "rates"
    qstash_fake.assert_published(url=JOBS, times=1)

os.makedirs("cassettes/test_it")
with open("cassettes/test_it/test_it.yaml", "w") as tape:
    tape.write(CASSETTE)
""",
        "-p",
        "pytest_recording.plugin",
    )
    result.assert_outcomes(passed=1)
    assert looked_up == []
