"""Where deliveries may go, and how they are sent."""

import asyncio
import threading

import httpx
import pytest

from qstash_fake.delivery import answers
from qstash_fake.delivery.exchange import Request
from qstash_fake.protocol.urls import is_loopback
from qstash_fake.server import network
from qstash_fake.server.network import Moved, Network, why_not
from tests.server.waits import WITHIN_S

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def send(url, *, allow_external=False, moved=None, **parts):
    async def sent():
        async with network.client(allow_external=allow_external) as sender:
            request = Request(**{"method": "POST", "url": url, "headers": (), "body": b"", **parts})
            return await Network(sender, allow_external, moved).send_async(request)

    return asyncio.run(sent())


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST", "127.0.0.1", "127.8.8.8", "::1", "[::1]", "0:0:0:0:0:0:0:1"]
)
def test_a_literal_loopback_address_is_this_machine(host):
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "0.0.0.0",
        "::",
        "::ffff:127.0.0.1",
        "::ffff:8.8.8.8",
        "::1%eth0",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "evil.localhost",
        "localhost.",
        "localtest.me",
        "10.0.0.1",
        "169.254.169.254",
        "128.0.0.1",
    ],
)
def test_everything_else_is_another_machine(host):
    assert not is_loopback(host)


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.example/",
        "http://localhost@shop.example/",
        "http://localhost:80@shop.example/",
        "http://localhost%2eshop.example/",
        "http://localhost%00.shop.example/",
        "http://shop.example#@localhost/",
        "http://shop.example?@localhost/",
        "http://①②⑦.0.0.1.shop.example/",
        "http://[::ffff:127.0.0.1]/",
        "http://0/",
        "http://127.1/",
    ],
)
def test_a_url_that_only_looks_like_this_machine_is_refused(url):
    outcome = send(url, timeout_ms=2_000)
    assert outcome.status == 0
    assert outcome.error is not None
    assert "is not this machine" in outcome.error or "InvalidURL" in outcome.error


def test_the_refusal_says_what_to_do():
    assert why_not(httpx.URL("https://shop.example:8443/jobs")) == (
        "shop.example is not this machine, and nothing was sent: map it with "
        "--route https://shop.example:8443=http://localhost:3000, or let everything out with --allow-external"
    )


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "ALL_PROXY"])
def test_a_proxy_is_another_machine(monkeypatch, destination, variable):
    monkeypatch.setenv(variable.lower(), destination.url)
    outcome = send("http://localhost:9/jobs")
    assert outcome.error == (
        "the environment sends http://localhost:9 through a proxy, and nothing was sent: "
        "set NO_PROXY=localhost,127.0.0.1, or let everything out with --allow-external"
    )
    assert destination.received == []


def test_a_host_that_the_proxy_is_not_for_is_reached(monkeypatch, destination):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "localhost,127.0.0.1")
    assert send(destination.url).status == 200


def test_the_proxy_for_another_scheme_does_not_count(monkeypatch, destination):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    assert send(destination.url).status == 200


def test_the_proxy_of_the_environment_is_used_once_everything_is_let_out(monkeypatch, destination):
    monkeypatch.setenv("HTTP_PROXY", destination.url)
    assert send("http://shop.example/jobs?x=1", allow_external=True).status == 200
    assert [request.path for request in destination.received] == ["http://shop.example/jobs?x=1"]


def test_the_request_arrives_as_it_was_made(destination):
    headers = (("X-One", "1"), ("X-One", "2"), ("X-Text", "é"))
    outcome = send(f"{destination.url}/a%2Fb//c?d=%20&e", method="PATCH", headers=headers, body=b"\x00\xff")
    (request,) = destination.received
    assert outcome.status == 200
    assert (request.method, request.path, request.body) == ("PATCH", "/a%2Fb//c?d=%20&e", b"\x00\xff")
    assert request.headers.get_list("x-one") == ["1", "2"]
    assert request.headers["x-text"] == "é"


def test_an_answer_after_the_timeout_is_none(destination):
    answered = threading.Event()
    destination.handle = lambda request: 200 if answered.wait(WITHIN_S) else 500
    outcome = send(destination.url, timeout_ms=30)
    answered.set()
    assert (outcome.status, outcome.error, outcome.duration_ms) == (0, "timeout", 30)


def test_nobody_listening_is_a_failed_attempt():
    outcome = send("http://127.0.0.1:1/")
    assert (outcome.status, outcome.error) == (0, "ConnectError: Connection refused")


def test_cookies_are_not_kept(destination):
    async def twice():
        async with network.client(allow_external=False) as sender:
            request = Request(method="GET", url=destination.url, headers=(), body=b"")
            for _ in range(2):
                assert (await Network(sender, False).send_async(request)).status == 200
            assert not sender.cookies

    destination.handle = lambda request: (200, {"set-cookie": "session=1; path=/"})
    asyncio.run(twice())
    assert all("cookie" not in request.headers for request in destination.received)


@pytest.mark.parametrize(
    ("prefix", "target", "url", "path"),
    [
        ("https://shop.example", "", "https://shop.example", "/"),
        ("https://shop.example", "", "https://shop.example/a?b", "/a?b"),
        ("https://shop.example/", "/", "https://SHOP.example:443/a", "/a"),
        ("https://shop.example/api", "/x/", "https://shop.example/api?b", "/x?b"),
        ("https://shop.example/api/", "/x", "https://shop.example/api//a", "/x//a"),
    ],
)
def test_a_moved_prefix_keeps_what_stands_behind_it(destination, prefix, target, url, path):
    send(url, moved=Moved(prefix, destination.url + target))
    assert [request.path for request in destination.received] == [path]


BASIC = "Basic bWU6cCB3QMOp"  # me, and the password `p w@é` in UTF-8
USER = "me:p%20w%40%C3%A9@"


def with_user(url):
    return url.replace("://", f"://{USER}")


@pytest.mark.parametrize(
    ("prefix", "target_has_user", "url"),
    [
        ("https://shop.example/api", True, "https://shop.example/api/jobs?x=1"),
        ("https://shop.example/api", False, f"https://{USER}shop.example/api/jobs?x=1"),
        ("https://other:user@shop.example/api", True, "https://shop.example/api/jobs?x=1"),
    ],
)
def test_the_user_of_a_url_is_sent_as_basic_auth(destination, prefix, target_has_user, url):
    target = with_user(destination.url) if target_has_user else destination.url
    assert send(url, moved=Moved(prefix, target)).status == 200
    (request,) = destination.received
    assert (request.path, request.headers["authorization"]) == ("/jobs?x=1", BASIC)
    assert request.headers["host"] == destination.url.removeprefix("http://")
    assert request.headers["x-forwarded-host"] == "shop.example"


def test_the_user_of_a_destination_is_sent_as_basic_auth(destination):
    assert send(f"{with_user(destination.url)}/jobs").status == 200
    assert [request.headers["authorization"] for request in destination.received] == [BASIC]


def test_an_authorization_of_the_message_stays(destination):
    headers = (("authorization", "Bearer mine"),)
    send("https://shop.example/", headers=headers, moved=Moved("https://shop.example", with_user(destination.url)))
    send(with_user(destination.url), headers=headers)
    assert [request.headers.get_list("authorization") for request in destination.received] == [["Bearer mine"]] * 2


def test_a_huge_answer_is_cut(destination, monkeypatch):
    monkeypatch.setattr(answers, "MAX_BODY", 10)
    destination.answer = b"x" * 1000
    outcome = send(destination.url)
    assert (outcome.status, outcome.error, outcome.body) == (200, None, b"x" * 10)


def test_a_status_that_is_none_is_a_failed_attempt(destination):
    destination.handle = lambda request: 700
    outcome = send(destination.url)
    assert (outcome.status, outcome.error) == (0, "the destination answered 700, which is no status")


@pytest.mark.parametrize("location", ["http://[", "http://\x7f", "//", "http://shop.example:high/"])
def test_the_status_of_a_redirect_counts_wherever_it_leads(destination, location):
    destination.handle = lambda request: (302, {"location": location})
    outcome = send(destination.url)
    assert (outcome.status, outcome.error) == (302, None)
    assert ("location", location) in [(name.lower(), value) for name, value in outcome.headers]


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate"])
def test_an_answer_keeps_its_encoding_which_is_not_for_an_http_library_to_undo(destination, encoding):
    destination.handle = lambda request: (200, {"content-encoding": encoding})
    destination.answer = b"packed"
    outcome = send(destination.url, headers=(("Accept-Encoding", encoding),))
    assert (outcome.status, outcome.body) == (200, b"packed")
    assert ("content-encoding", encoding) in [(name.lower(), value) for name, value in outcome.headers]
