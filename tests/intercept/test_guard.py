"""The gates of the guard: a look-up of QStash's name, and the beginning of TLS with it, whoever asks."""

import asyncio
import socket
import ssl
import subprocess
import sys
import threading

import aiohttp
import httpx
import pytest
import requests
import uvloop

from qstash_fake.intercept import cloud
from qstash_fake.intercept.guard import Guard, StrayCall

KEYS = "https://qstash.upstash.io/v2/keys"


@pytest.fixture
def guard():
    guard = Guard()
    guard.what = "this test"
    guard.start()
    yield guard
    guard.stop()


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("qstash.upstash.io", "eu-central-1"),
        ("QSTASH.Upstash.io.", "eu-central-1"),
        ("qstash-us-east-1.upstash.io", "us-east-1"),
        ("qstash-eu-central-1.upstash.io", "eu-central-1"),
        ("qstash-ap-south-1.upstash.io", "ap-south-1"),  # a region that comes one day
        ("qstash-.upstash.io", None),
        ("qstash-a.b.upstash.io", None),
        ("myqstash.upstash.io", None),
        ("qstash.upstash.io.example", None),
        ("qstash-fake.invalid", None),
        ("upstash.io", None),
        ("localhost", None),
        ("", None),
    ],
)
def test_a_host_of_the_cloud_is_told_by_its_name(host, region):
    assert cloud.region_of(host) == region


# --- look-ups -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["qstash.upstash.io", b"qstash.upstash.io", "QStash.Upstash.IO."], ids=repr)
@pytest.mark.parametrize("by_name", [False, True])
def test_a_look_up_is_stopped_and_noted(guard, host, by_name):
    with pytest.raises(StrayCall, match=r"^a stray call to QStash: this test asked for qstash\.upstash\.io"):
        socket.getaddrinfo(host=host, port=443) if by_name else socket.getaddrinfo(host, 443)
    assert len(guard.take()) == 1
    assert guard.take() == []


def test_a_look_up_of_another_name_passes(guard):
    assert socket.getaddrinfo("127.0.0.1", 80)
    assert socket.getaddrinfo(None, 80)
    assert guard.take() == []


def test_what_is_allowed_passes(guard, monkeypatch):
    guard.stop()
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, port: [host, port])
    guard.is_allowed = lambda: True
    guard.start()
    assert socket.getaddrinfo("qstash.upstash.io", 443) == ["qstash.upstash.io", 443]
    guard.stop()
    assert guard.take() == []


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_a_loop_is_stopped_where_the_caller_is_seen(guard, run):
    async def look_up():
        await asyncio.get_running_loop().getaddrinfo("qstash.upstash.io", 443)

    with pytest.raises(StrayCall, match=r"test_guard\.py:\d+ in look_up"):
        run(look_up())


def test_uvloop_connects_to_no_name_either(guard):
    async def connect():
        await asyncio.get_running_loop().create_connection(asyncio.Protocol, "qstash.upstash.io", 443)

    with pytest.raises(StrayCall, match=r"asked for qstash\.upstash\.io"):
        uvloop.run(connect())


def test_nothing_is_left_of_a_guard_that_has_stopped():
    owners = [socket, ssl.SSLContext, uvloop.Loop, asyncio.BaseEventLoop]
    before = [dict(vars(owner)) for owner in owners], list(sys.meta_path)
    guard = Guard()
    guard.start()
    assert vars(socket) != before[0][0]
    guard.stop()
    assert ([dict(vars(owner)) for owner in owners], sys.meta_path) == before


# --- TLS, behind a proxy ------------------------------------------------------------------------------------------


@pytest.fixture
def proxy():
    """A proxy on loopback that says yes to CONNECT: its address, and what it has received."""
    received = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:  # the end
                    return
                with connection:
                    received.append(connection.recv(65536).split(b"\r\n")[0])
                    connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    received.append(connection.recv(65536))

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", received
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def by_httpx(proxy):
    with httpx.Client(proxy=proxy) as client:
        client.get(KEYS)


def by_requests(proxy):
    with requests.Session() as session:
        session.get(KEYS, proxies={"https": proxy})


async def by_async_httpx(proxy):
    async with httpx.AsyncClient(proxy=proxy) as client:
        await client.get(KEYS)


async def by_aiohttp(proxy):
    async with aiohttp.ClientSession() as session:
        await session.get(KEYS, proxy=proxy)


WAYS = {
    "httpx": by_httpx,
    "requests": by_requests,
    "async httpx": lambda proxy: asyncio.run(by_async_httpx(proxy)),
    "async httpx on uvloop": lambda proxy: uvloop.run(by_async_httpx(proxy)),
    "aiohttp": lambda proxy: asyncio.run(by_aiohttp(proxy)),
    "aiohttp on uvloop": lambda proxy: uvloop.run(by_aiohttp(proxy)),
}


@pytest.mark.parametrize("way", WAYS)
def test_no_request_leaves_through_a_proxy(guard, proxy, way):
    address, received = proxy
    with pytest.raises(StrayCall, match=r"asked for qstash\.upstash\.io"):
        WAYS[way](address)
    assert received[0].startswith(b"CONNECT qstash.upstash.io:443 HTTP/1.")
    assert set(received[1:]) <= {b""}
    assert len(guard.take()) == 1


# --- in processes of their own ------------------------------------------------------------------------------------


def run(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_modules_that_are_imported_later_get_their_gates():
    run("""
from qstash_fake.intercept.guard import Guard, StrayCall
import sys
assert "ssl" not in sys.modules and "asyncio" not in sys.modules
guard = Guard()
guard.start()
import asyncio, socket, ssl, uvloop

def stopped(function, *args, **kwargs):
    try:
        function(*args, **kwargs)
    except StrayCall:
        return True

async def connect():
    await asyncio.get_running_loop().create_connection(asyncio.Protocol, "qstash.upstash.io", 443)

context = ssl.create_default_context()
assert stopped(socket.getaddrinfo, "qstash.upstash.io", 443)
assert stopped(context.wrap_socket, socket.socket(), server_hostname="qstash.upstash.io")
assert stopped(context.wrap_bio, ssl.MemoryBIO(), ssl.MemoryBIO(), False, "qstash.upstash.io")
assert stopped(asyncio.run, connect())
assert stopped(uvloop.run, connect())
assert len(guard.take()) == 5
""")


@pytest.mark.parametrize("resolver", ["thread", "ares"])
def test_gevent_looks_up_no_name_either(resolver):
    run(f"""
import os
os.environ["GEVENT_RESOLVER"] = "{resolver}"
from qstash_fake.intercept.guard import Guard, StrayCall
guard = Guard()
guard.start()
from gevent import monkey
monkey.patch_all()
import gevent, socket, ssl

def stopped(function, *args, **kwargs):
    try:
        function(*args, **kwargs)
    except StrayCall:
        return True

def work():
    assert stopped(socket.getaddrinfo, "qstash.upstash.io", 443)
    assert stopped(socket.create_connection, ("qstash.upstash.io", 443))
    with socket.socket() as unconnected:
        context = ssl.create_default_context()
        assert stopped(context.wrap_socket, unconnected, server_hostname="qstash.upstash.io")
    return True

assert gevent.spawn(work).get()
assert len(guard.take()) == 3
""")
