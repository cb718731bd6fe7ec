"""The fixture `qstash_server`: the test's own fake, for clients that cannot be intercepted."""

import asyncio
import functools
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from urllib.parse import urlsplit

import httpx
import pytest
from qstash import QStash

from qstash_fake import QStashFake, UsageError
from qstash_fake.server.operations import OPERATIONS, Session, row
from qstash_fake.server.serve import beside_a_test
from tests.server.waits import WITHIN_S
from tests.shop import START_TEXT


def ask(server, path, body=None):
    """Call the server over its port, as a client that nothing intercepts; return the status and the JSON."""
    address = urlsplit(server.url)
    head = (
        f"{'GET' if body is None else 'POST'} {path} HTTP/1.1\r\nHost: {address.netloc}\r\nConnection: close\r\n"
        f"Authorization: Bearer {server.environment['QSTASH_TOKEN']}\r\nContent-Length: {len(body or b'')}\r\n\r\n"
    )
    with socket.create_connection((address.hostname, address.port), timeout=WITHIN_S) as connection:
        connection.sendall(head.encode() + (body or b""))
        with connection.makefile("rb") as answer:
            received = answer.read()
    if not received:
        raise ConnectionError("the server has hung up")
    shown, _, content = received.partition(b"\r\n\r\n")
    return int(shown.split()[1]), json.loads(content)


def call(server, path, body=None):
    """Call the server as `ask` does, and return the JSON of a call that was not refused."""
    status, answer = ask(server, path, body)
    assert status < 300, answer
    return answer


@pytest.mark.qstash_fake(start=START_TEXT)
def test_what_comes_over_the_port_is_the_tests_own_message(qstash_fake, qstash_server):
    answer = call(qstash_server, "/v2/publish/https://shop.example/jobs?upstash-delay=5m", b"hello")
    message = qstash_fake.assert_published(url="https://shop.example/jobs", body=b"hello", delay="5m")
    assert message.message_id == answer["messageId"]


@pytest.mark.qstash_fake(start=START_TEXT)
def test_the_test_delivers_with_its_own_verbs(qstash_fake, qstash_server):
    qstash_fake.mount(lambda request: httpx.Response(200), "https://shop.example")
    answer = call(qstash_server, "/v2/publish/https://shop.example/jobs", b"")
    assert qstash_fake.messages[0].state == "CREATED"
    qstash_fake.clock.advance("1s")
    assert qstash_fake.messages[0].state == "DELIVERED"
    assert call(qstash_server, f"/v2/messages/{answer['messageId']}")["url"] == "https://shop.example/jobs"


def test_a_handler_may_publish_over_the_port(qstash_fake, qstash_server):
    def handle(request):
        if request.url.path == "/first":
            call(qstash_server, "/v2/publish/https://shop.example/second", b"")
        return httpx.Response(200)

    qstash_fake.mount(handle, "https://shop.example")
    call(qstash_server, "/v2/publish/https://shop.example/first", b"")
    qstash_fake.drain()
    assert [message.url for message in qstash_fake.delivered] == [
        "https://shop.example/first",
        "https://shop.example/second",
    ]


@pytest.mark.qstash_fake(token="s3cret")
def test_the_environment_leads_a_subprocess_to_it(qstash_fake, qstash_server):
    assert qstash_server.environment == {
        "QSTASH_URL": qstash_server.url,
        "QSTASH_TOKEN": "s3cret",
        "QSTASH_CURRENT_SIGNING_KEY": qstash_fake.signing_keys.current,
        "QSTASH_NEXT_SIGNING_KEY": qstash_fake.signing_keys.next,
    }
    script = (
        "import os; from qstash import QStash; "
        "client = QStash(os.environ['QSTASH_TOKEN'], base_url=os.environ['QSTASH_URL']); "
        "client.message.publish_json(url='https://shop.example/jobs', body={'order': 7})"
    )
    subprocess.run([sys.executable, "-c", script], env=dict(qstash_server.environment), check=True)
    qstash_fake.assert_published(url="https://shop.example/jobs", json={"order": 7})


NAMES = ("QSTASH_URL", "QSTASH_TOKEN", "QSTASH_CURRENT_SIGNING_KEY", "QSTASH_NEXT_SIGNING_KEY")


def variables():
    return {name: os.environ.get(name) for name in NAMES}


def test_the_environment_of_this_process_leads_to_it_as_long_as_it_is_there():
    before = variables()
    with QStashFake(token="s3cret") as fake:
        without = variables()
        with beside_a_test(fake) as server:
            assert variables() == server.environment
            assert (os.environ["QSTASH_URL"], os.environ["QSTASH_TOKEN"]) == (server.url, "s3cret")
        assert variables() == without
    assert variables() == before


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (1, 3, 0, 2)])
def test_the_environment_is_restored_in_whatever_order_things_end(order):
    before = variables()
    ends = list[Callable[[], object]]()
    for _ in range(2):
        fake = QStashFake()
        for context in (fake, beside_a_test(fake)):
            context.__enter__()
            ends.append(functools.partial(context.__exit__, None, None, None))
    for number in order:
        ends[number]()
    assert variables() == before


def test_calls_of_this_process_are_answered_in_this_process(qstash_fake, qstash_server, monkeypatch):
    def connect(*_: object) -> None:
        raise AssertionError("a connection was made")

    client = QStash("any", base_url=qstash_server.url)
    with closing(client.http._client):  # the SDK leaves that to the end of the process
        monkeypatch.setattr(socket.socket, "connect", connect)
        client.message.publish(url="https://shop.example/jobs", body="hello")
        monkeypatch.undo()
    assert [message.text for message in qstash_fake.messages] == ["hello"]


def test_the_control_api_is_called_over_the_port_by_this_process_too(qstash_fake, qstash_server):
    answer = httpx.get(f"{qstash_server.url}/_fake/state", headers={"authorization": "Bearer x"}, timeout=WITHIN_S)
    assert (answer.status_code, answer.json()["messages"]) == (200, [])


def test_a_reset_during_a_delivery_of_the_test_is_refused(qstash_fake, qstash_server):
    refused = list[tuple[int, object]]()

    def handle(request):
        refused.append(ask(qstash_server, "/_fake/reset", b""))
        return httpx.Response(200)

    qstash_fake.mount(handle)
    call(qstash_server, "/v2/publish/https://shop.example/jobs", b"")
    qstash_fake.drain()
    error = "reset() was called while drain() runs in another thread: call it when that one has returned"
    assert refused == [(409, {"error": error})]
    assert [message.state for message in qstash_fake.messages] == ["DELIVERED"]


def test_many_clients_at_once_lose_nothing_while_the_clock_moves(qstash_fake, qstash_server):
    qstash_fake.mount(lambda request: httpx.Response(200), "https://shop.example")

    def publish():
        for _ in range(10):
            call(qstash_server, "/v2/publish/https://shop.example/jobs", b"")

    clients = [threading.Thread(target=publish) for _ in range(4)]
    for client in clients:
        client.start()
    while any(client.is_alive() for client in clients):
        qstash_fake.clock.advance("1s")
    for client in clients:
        client.join()
    qstash_fake.drain()
    assert len(qstash_fake.delivered) == len({message.message_id for message in qstash_fake.messages}) == 40


def test_the_control_api_is_there_but_the_clock_is_the_tests(qstash_fake, qstash_server):
    call(qstash_server, "/_fake/routes", b'{"url": "https://shop.example/*", "status": 503}')
    call(qstash_server, "/v2/publish/https://shop.example/jobs?upstash-retries=0", b"")
    status, refused = ask(qstash_server, "/_fake/advance-to-next", b"")
    assert status == 409
    assert refused["error"].startswith("the test moves this clock: call qstash_fake.clock.adv")
    qstash_fake.deliver_due()
    assert call(qstash_server, "/_fake/state")["dead_letters"][0]["responseStatus"] == 503


def test_an_error_of_the_control_api_itself_fails_the_test(qstash_fake, qstash_server, monkeypatch):
    def broken(session: Session) -> dict[str, object]:
        return {"now": session.routes["no route"]}  # type: ignore[index]

    monkeypatch.setitem(OPERATIONS, "state", {"GET": row(broken)})
    assert ask(qstash_server, "/_fake/state") == (500, {"error": "qstash_fake failed: KeyError('no route')"})
    with pytest.raises(UsageError, match="KeyError: 'no route'"):
        qstash_fake.verify()


def test_a_dropped_connection_breaks(qstash_fake, qstash_server):
    qstash_fake.api.drop_connection()
    with pytest.raises(ConnectionError):
        call(qstash_server, "/v2/keys")
    assert call(qstash_server, "/v2/keys")["current"] == qstash_fake.signing_keys.current


def test_it_runs_only_where_it_is_used_and_stops_afterwards(pytester):
    pytester.makepyfile(
        """
        import threading

        def names():
            return [thread.name for thread in threading.enumerate()]

        def test_used(qstash_server):
            assert "qstash_server" in names()

        def test_unused(qstash_fake):
            assert "qstash_server" not in names()
        """
    )
    result = pytester.runpytest_inprocess("-W", "error", "-p", "no:asyncio")
    result.assert_outcomes(passed=2)


@pytest.mark.asyncio
async def test_it_answers_while_an_event_loop_runs(qstash_fake, qstash_server):
    qstash_fake.on("https://shop.example/jobs").respond(200)
    await asyncio.to_thread(call, qstash_server, "/v2/publish/https://shop.example/jobs", b"")
    await qstash_fake.drain_async()
    qstash_fake.assert_delivered(url="https://shop.example/jobs")
