"""Beside other fakes of HTTP, and beside another QStashFake: each gets its own calls, and nothing stays patched."""

import functools
import http.client
import re
import sys
from importlib import import_module

import aiohttp
import httpx
import pytest
import pytest_httpx
import requests
import responses
import respx
import urllib3
from qstash import QStash

from qstash_fake import QStashFake, UsageError
from qstash_fake.testing.timekeeper import Timekeeper
from tests.shop import JOBS

BEARER = {"Authorization": "Bearer a-token"}
OTHER = "https://api.example/rates"
PUBLISH = f"https://qstash.upstash.io/v2/publish/{JOBS}"
EARLY_SDK = QStash("a-token")

PATCHED = [
    (httpx.HTTPTransport, "_pool"),
    (httpx.AsyncHTTPTransport, "_pool"),
    (httpx.Client, "_transport_for_url"),
    (httpx.AsyncClient, "_transport_for_url"),
    (http.client.HTTPConnection, "putrequest"),
    (urllib3.connection.HTTPConnection, "putrequest"),
    (urllib3.connection.HTTPSConnection, "connect"),
    (aiohttp.BaseConnector, "connect"),
    (pytest_httpx._options._HTTPXMockOptions, "should_mock"),
    (responses.RequestsMock, "_on_request"),
]
REAL = {(owner, name): vars(owner).get(name) for owner, name in PATCHED}


def patched_now():
    return {where for where, real in REAL.items() if vars(where[0]).get(where[1]) is not real}


@pytest.fixture(autouse=True, scope="module")  # the fake of a test begins before fixtures of its scope
def nothing_stays_patched():
    assert patched_now() == set()
    yield
    assert patched_now() == set()


# --- respx, pytest-httpx, responses, requests_mock, in either order -----------------------------------------------


@pytest.fixture
def rates(respx_mock):
    return respx_mock.get(OTHER).respond(text="rates")


@pytest.mark.parametrize("order", [("qstash_fake", "rates"), ("rates", "qstash_fake")], ids=" first, then ".join)
def test_respx_mocks_the_others_and_asserts_them_alone(request, order):
    for fixture in order:
        request.getfixturevalue(fixture)
    EARLY_SDK.message.publish(url=JOBS)

    assert httpx.get(OTHER).text == "rates"
    assert len(respx.mock.calls) == 1
    request.getfixturevalue("qstash_fake").assert_published(url=JOBS, times=1)


@pytest.mark.parametrize("order", [("qstash_fake", "httpx_mock"), ("httpx_mock", "qstash_fake")], ids=" > ".join)
def test_pytest_httpx_mocks_the_others_and_asserts_them_alone(request, order):
    for fixture in order:
        request.getfixturevalue(fixture)
    httpx_mock = request.getfixturevalue("httpx_mock")
    httpx_mock.add_response(url=OTHER, text="rates")
    EARLY_SDK.message.publish(url=JOBS)

    assert httpx.get(OTHER).text == "rates"
    assert [str(call.url) for call in httpx_mock.get_requests()] == [OTHER]
    request.getfixturevalue("qstash_fake").assert_published(url=JOBS, times=1)


@pytest.mark.asyncio
@pytest.mark.parametrize("order", [("qstash_fake", "httpx_mock"), ("httpx_mock", "qstash_fake")], ids=" > ".join)
async def test_pytest_httpx_mocks_the_other_calls_of_async_clients(request, order):
    for fixture in order:
        request.getfixturevalue(fixture)
    request.getfixturevalue("httpx_mock").add_response(url=OTHER, text="rates")
    async with httpx.AsyncClient(headers=BEARER) as client:
        assert (await client.post(PUBLISH)).status_code == 201
        assert (await client.get(OTHER)).text == "rates"


@pytest.fixture
def responses_mock():
    with responses.RequestsMock(assert_all_requests_are_fired=True) as mock:
        mock.get(OTHER, body="rates")
        yield mock


@pytest.mark.parametrize(
    "order", [("qstash_fake", "responses_mock"), ("responses_mock", "qstash_fake")], ids=" > ".join
)
def test_responses_mocks_the_others_and_asserts_them_alone(request, order):
    for fixture in order:
        request.getfixturevalue(fixture)
    assert requests.post(PUBLISH, headers=BEARER).status_code == 201

    assert requests.get(OTHER).text == "rates"
    assert [call.request.url for call in request.getfixturevalue("responses_mock").calls] == [OTHER]
    request.getfixturevalue("qstash_fake").assert_published(url=JOBS, times=1)


def test_responses_around_a_block_of_the_test_sees_no_qstash_calls(qstash_fake):
    with responses.RequestsMock() as mock:
        requests.post(PUBLISH, headers=BEARER)
        assert len(mock.calls) == 0
    qstash_fake.assert_published(times=1)


@pytest.mark.parametrize("order", [("qstash_fake", "requests_mock"), ("requests_mock", "qstash_fake")], ids=" > ".join)
def test_requests_mock_mocks_the_others_alone(request, order):
    for fixture in order:
        request.getfixturevalue(fixture)
    mock = request.getfixturevalue("requests_mock")
    mock.get(OTHER, text="rates")
    session = requests.Session()

    for _ in range(2):  # it leaves its traces on a session
        assert session.post(PUBLISH, headers=BEARER).status_code == 201
        assert session.get(OTHER).text == "rates"
    assert [call.url for call in mock.request_history] == [OTHER, OTHER]
    request.getfixturevalue("qstash_fake").assert_published(url=JOBS, times=2)


def test_requests_mock_goes_on_after_a_fake_that_began_later(requests_mock):
    requests_mock.get(OTHER, text="rates")
    with QStashFake():
        assert requests.get(OTHER).text == "rates"
    requests_mock.post(PUBLISH, text="mocked")
    assert requests.post(PUBLISH).text == "mocked"


# --- two fakes ----------------------------------------------------------------------------------------------------


def test_of_two_fakes_the_inner_one_gets_the_calls_and_they_share_nothing():
    with QStashFake(start="2026-01-01T00:00:00Z") as outer:
        EARLY_SDK.message.publish(url=JOBS, body="to the outer one")
        with QStashFake(start="2026-06-01T00:00:00Z") as inner:
            EARLY_SDK.message.publish(url=JOBS, body="to the inner one")
            inner.on(JOBS).respond(200)
            inner.drain()
        EARLY_SDK.message.publish(url=JOBS, body="to the outer one again")

    assert [message.text for message in outer.pending] == ["to the outer one", "to the outer one again"]
    assert [message.text for message in inner.delivered] == ["to the inner one"]
    assert f"{outer.clock.now:%m} {inner.clock.now:%m}" == "01 06"


def test_the_inner_fake_answers_the_address_that_the_user_has_set(monkeypatch):
    monkeypatch.setenv("QSTASH_URL", "https://queue.shop.example")
    early = QStash("a-token")
    with QStashFake() as outer, QStashFake() as inner:
        early.message.publish(url=JOBS)
        requests.post(f"https://queue.shop.example/v2/publish/{JOBS}", headers=BEARER)
    assert (len(outer.messages), len(inner.messages)) == (0, 2)


def test_of_two_fakes_the_inner_one_gets_the_calls_of_requests():
    with QStashFake() as outer:
        with QStashFake() as inner:
            requests.post(PUBLISH, headers=BEARER)
        requests.post(PUBLISH, headers=BEARER)
        requests.post(PUBLISH, headers=BEARER)
    assert (len(outer.messages), len(inner.messages)) == (2, 1)


def test_fakes_that_end_in_the_order_of_their_beginning_leave_nothing():
    first, second = QStashFake(), QStashFake()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    EARLY_SDK.message.publish(url=JOBS)
    second.__exit__(None, None, None)
    assert (len(first.messages), len(second.messages)) == (0, 1)
    assert patched_now() == set()


def test_a_fake_is_for_one_block():
    fake = QStashFake()
    with fake, pytest.raises(UsageError, match="a QStashFake is for one `with` block: make a new one"):
        fake.__enter__()
    with pytest.raises(UsageError, match="a QStashFake is for one `with` block"):
        fake.__enter__()


# --- whatever others do to the same classes -----------------------------------------------------------------------


def instrument(patch):
    """Wrap `putrequest` as tracing does."""
    inner, seen = http.client.HTTPConnection.putrequest, []

    @functools.wraps(inner)
    def putrequest(self, method, url, *args, **kwargs):
        seen.append(url)
        return inner(self, method, url, *args, **kwargs)

    patch.setattr(http.client.HTTPConnection, "putrequest", putrequest)
    return seen


def ask_nobody():
    """Begin a request to QStash that ends before it reaches the network."""
    connection = http.client.HTTPSConnection("qstash.upstash.io")
    connection.putrequest("GET", "/v2/keys")
    return connection.sock


def test_what_was_put_over_ours_stays_and_ours_beneath_it_ends(monkeypatch):
    with monkeypatch.context() as patch:
        with QStashFake():
            seen = instrument(patch)
            assert ask_nobody() is not None
        assert ask_nobody() is None
    assert seen == ["/v2/keys", "/v2/keys"]
    _close_the_gap()


def test_a_patch_that_ends_later_and_puts_ours_back_brings_no_fake_back(monkeypatch):
    with monkeypatch.context() as patch, QStashFake():  # which ends first
        seen = instrument(patch)
    assert ask_nobody() is None
    assert seen == []
    with QStashFake() as fake:
        EARLY_SDK.message.publish(url=JOBS)
        assert ask_nobody() is not None
    assert len(fake.messages) == 1


def _close_the_gap():
    """The next fake takes out what an outer patch has put back."""
    with QStashFake():
        pass


# --- set-up that fails half way -----------------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["a library", "the clock"])
def test_a_set_up_that_fails_half_way_leaves_nothing(monkeypatch, step):
    fake, finders = QStashFake(start="2026-01-01T00:00:00Z"), list(sys.meta_path)
    with monkeypatch.context() as patch:
        if step == "the clock":
            patch.setattr(Timekeeper, "stand_still", lambda _: 1 / 0)
        else:
            patch.delattr(responses.RequestsMock, "_on_request")
        with pytest.raises((UsageError, ZeroDivisionError)):
            fake.__enter__()
        assert {name for _, name in patched_now()} <= {"_on_request"}
    assert sys.meta_path == finders


# --- names of mocks that are not promised -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("module", "name", "versions"),
    [
        ("pytest_httpx", "_options._HTTPXMockOptions", "0.33 or later"),
        ("vcr", "cassette.Cassette", "6 or later"),
        ("respx", "mocks.HTTPXMocker", "0.20 or later"),
        ("respx", "models.PassThrough", "0.20 or later"),
        ("responses", "RequestsMock._on_request", "0.25 or later"),
        ("requests_mock", "adapter._RunRealHTTP", "1.11 or later"),
        ("requests_mock", "mocker.MockerCore", "1.11 or later"),
        ("aioresponses", "aioresponses", "0.7.6 or later"),
        ("urllib3", "connection.HTTPSConnection", "another version"),
        ("urllib3", "exceptions.NewConnectionError", "another version"),
        ("aiohttp", "client_proto.ResponseHandler", "another version"),
        ("aiohttp", "connector.Connection", "another version"),
    ],
)
def test_a_name_that_is_gone_is_explained(monkeypatch, module, name, versions):
    *path, last = name.split(".")
    monkeypatch.delattr(functools.reduce(getattr, path, import_module(module)), last)
    with pytest.raises(UsageError) as caught:
        QStashFake().__enter__()
    assert re.fullmatch(
        rf"{module} [\d.?]+ has no {re.escape(name)}, which qstash_fake needs to answer in place of QStash: "
        rf"use {versions} of {module}",
        str(caught.value),
    )
