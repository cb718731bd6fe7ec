"""The Starlette shell: what goes in and out of `answer()` when the API is spoken to over HTTP."""

import asyncio
import json
from collections.abc import MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple
from urllib.parse import unquote

import httpx
import pytest
from starlette.applications import Starlette

from qstash_fake.api.asgi import asgi_app
from qstash_fake.errors import ConnectionDropped
from tests.shop import SHOP


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


class Server:
    """Calls the application as an HTTP server does that has read the request line *target*."""

    def __init__(self, qstash: Any) -> None:
        self.app: Starlette = asgi_app(qstash.api)
        self.sent: list[MutableMapping[str, Any]] = []

    async def call_async(
        self,
        method: str,
        target: bytes,
        *,
        headers: tuple[tuple[bytes, bytes], ...] = ((b"authorization", b"Bearer secret"),),
        chunks: tuple[bytes, ...] = (b"",),
        upload: Any = None,
        **scope: Any,
    ) -> Answer:
        path, _, query = target.partition(b"?")
        waiting = [{"type": "http.request", "body": c, "more_body": True} for c in chunks]
        waiting[-1]["more_body"] = False

        async def receive() -> MutableMapping[str, Any]:
            return waiting.pop(0)

        async def send(event: MutableMapping[str, Any]) -> None:
            sent.append(event)

        sent = self.sent = list[MutableMapping[str, Any]]()
        whole: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(path, errors="surrogateescape"),
            "raw_path": path,
            "query_string": query,
            "root_path": "",
            "headers": headers,
            "client": ("192.0.2.7", 4711),
            "server": ("127.0.0.1", 8080),
        }
        await self.app(whole | scope, upload.receive if upload else receive, send)
        start, *rest = sent
        pairs = {name.decode(): value.decode() for name, value in start["headers"]}
        return Answer(start["status"], pairs, b"".join(event["body"] for event in rest))

    def call(self, method: str, target: bytes, **more: Any) -> Answer:
        return asyncio.run(self.call_async(method, target, **more))


@pytest.fixture
def server(qstash) -> Server:
    return Server(qstash)


@pytest.mark.parametrize(
    ("target", "url"),
    [
        (b"https://shop.example/jobs", f"{SHOP}/jobs"),
        (b"https://shop.example//jobs//", f"{SHOP}//jobs//"),
        (b"https://shop.example/a%2Fb%3Fc%20d", f"{SHOP}/a%2Fb%3Fc%20d"),
        (b"https://shop.example/../a/./b", f"{SHOP}/../a/./b"),
        (b"https://shop.example/a?b=c?d&e=%26", f"{SHOP}/a?b=c?d&e=%26"),
        (b"https://shop.example/a%0Ab", f"{SHOP}/a%0Ab"),
        (b"https://shop.example/\xc3\xa9", f"{SHOP}/\u00e9"),
        (b"https://shop.example/caf\xe9", f"{SHOP}/caf%E9"),
        (b"https:/shop.example/collapsed", f"{SHOP}/collapsed"),
    ],
)
def test_the_path_is_taken_as_it_was_sent(server, qstash, target, url):
    answer = server.call("POST", b"/v2/publish/" + target)
    assert (answer.status, [message.url for message in qstash.broker.messages.values()]) == (201, [url])


def test_a_server_that_gives_no_raw_path_loses_no_question_mark(server, qstash):
    server.call("POST", b"/v2/publish/https://shop.example/a%3Fb%20c", raw_path=None)
    assert [message.url for message in qstash.broker.messages.values()] == [f"{SHOP}/a%3Fb%20c"]


def test_a_query_without_its_path_is_not_lost_either(server):
    assert server.call("GET", b"/v2/logs?state=ERROR&count=0").status == 400


def test_an_answer_has_its_type_and_its_length(server):
    answer = server.call("GET", b"/v2/globalParallelism")
    assert answer == (
        200,
        {"content-type": "application/json", "content-length": "41"},
        b'{"parallelismMax":0,"parallelismCount":0}',
    )


def test_an_empty_answer_has_no_type(server):
    assert server.call("POST", b"/v2/queues/orders/pause") == (200, {"content-length": "0"}, b"")


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "TRACE", "PROPFIND"])
def test_a_method_that_an_operation_has_not_is_405(server, method):
    answer = server.call(method, b"/v2/keys")
    assert (answer.status, answer.body) == (405, b"Method Not Allowed")


@pytest.mark.parametrize("target", [b"/", b"", b"*", b"//", b"/v2", b"/v2/keys/%0A", b"/\xff"])
def test_whatever_path_there_is_the_refusal_is_our_json(server, target):
    answer = server.call("GET", target)
    assert answer.status == 404
    assert json.loads(answer.body)["error"]


def test_header_values_keep_their_bytes(server, qstash):
    token, step = (b"authorization", b"Bearer secret"), (b"upstash-forward-step", b"caf\xe9 \xc3\xa9")
    server.call("POST", b"/v2/publish/https://shop.example/", headers=(token, step))
    (message,) = qstash.broker.messages.values()
    assert dict(message.stored_headers)["Step"].encode("latin-1") == b"caf\xe9 \xc3\xa9"


@pytest.mark.parametrize(
    ("client", "shown"), [(("192.0.2.7", 4711), "192.0.2.7"), (("::1", 1), "::1"), (None, "127.0.0.1")]
)
def test_the_caller_is_the_peer(server, qstash, client, shown):
    server.call("POST", b"/v2/publish/https://shop.example/", client=client)
    (message,) = qstash.broker.messages.values()
    assert message.caller_ip == shown


def test_a_body_in_many_chunks_arrives_whole(server, qstash):
    chunks = tuple(bytes([number]) * 65_536 for number in range(80))
    server.call("POST", b"/v2/publish/https://shop.example/", chunks=chunks)
    (message,) = qstash.broker.messages.values()
    assert message.body == b"".join(chunks)


class Upload:
    """A body that counts how much of it was asked for; it is a chunk of 1 MiB again and again."""

    def __init__(self, chunks: int) -> None:
        self.left, self.read = chunks, 0

    async def receive(self) -> MutableMapping[str, Any]:
        self.left, self.read = self.left - 1, self.read + 1
        return {"type": "http.request", "body": MIB, "more_body": self.left > 0}


MIB = bytes(1024 * 1024)
TOKEN = (b"authorization", b"Bearer secret")
PUBLISH = b"/v2/publish/https://shop.example/"
TOO_LARGE = {"error": "request body too large: it has more than 104857600 bytes"}


@pytest.mark.parametrize("headers", [(), ((b"authorization", b"Basic x"),), ((b"content-length", b"5"),)])
def test_a_token_is_checked_before_a_body_is_read(server, headers):
    upload = Upload(chunks=5)
    answer = server.call("POST", PUBLISH, headers=headers, upload=upload)
    assert (answer.status, upload.read) == (401, 0)


def test_a_read_only_token_is_refused_before_a_body_is_read(make_qstash):
    upload = Upload(chunks=5)
    answer = Server(make_qstash(read_only="secret")).call("POST", PUBLISH, headers=(TOKEN,), upload=upload)
    assert (answer.status, upload.read) == (403, 0)


def test_of_a_body_that_is_too_large_no_more_is_read_than_shows_it(server, qstash):
    upload = Upload(chunks=1000)
    answer = server.call("POST", PUBLISH, headers=(TOKEN,), upload=upload)
    assert (answer.status, json.loads(answer.body), upload.read) == (413, TOO_LARGE, 101)
    assert not qstash.broker.messages


@pytest.mark.parametrize("length", [b"104857601", b"9" * 5000])
def test_a_body_that_says_that_it_is_too_large_is_not_read_at_all(server, qstash, length):
    upload = Upload(chunks=1000)
    answer = server.call("POST", PUBLISH, headers=(TOKEN, (b"content-length", length)), upload=upload)
    assert (answer.status, json.loads(answer.body), upload.read) == (413, TOO_LARGE, 0)
    assert not qstash.broker.messages


@pytest.mark.parametrize("length", [b"104857600", b"x", b"-1", b"\xb2"])
def test_a_length_that_is_not_too_large_or_cannot_be_read_refuses_nothing(server, length):
    answer = server.call("POST", PUBLISH, headers=(TOKEN, (b"content-length", length)))
    assert answer.status == 201


def test_a_body_of_100_mib_is_taken(server, qstash):
    server.call("POST", PUBLISH, headers=(TOKEN,), upload=Upload(chunks=100))
    assert [len(message.body) for message in qstash.broker.messages.values()] == [104_857_600]


def test_a_call_is_noted_once_whether_it_is_let_in_or_not(server, qstash):
    server.call("POST", PUBLISH)
    server.call("POST", PUBLISH, headers=())
    server.call("POST", PUBLISH, headers=(TOKEN,), upload=Upload(chunks=101))
    assert [call.status for call in qstash.api.calls.of(qstash.broker)] == [201, 401, 413]


def test_a_dropped_connection_begins_an_answer_that_never_ends(server, qstash):
    qstash.api.faults.drop_connection()
    with pytest.raises(ConnectionDropped):
        server.call("GET", b"/v2/keys")
    # A server that has nothing yet would answer 500; now it can only hang up.
    assert [event["type"] for event in server.sent] == ["http.response.start"]
    assert dict(server.sent[0]["headers"]) == {b"content-length": b"1"}


def test_the_call_after_a_dropped_one_is_answered(server, qstash):
    qstash.api.faults.drop_connection()
    with pytest.raises(ConnectionDropped):
        server.call("GET", b"/v2/keys")
    assert server.call("GET", b"/v2/keys").status == 200


def test_calls_of_one_loop_do_not_mix(server, qstash):
    async def publish(number):
        target = b"/v2/publish/https://shop.example/%d" % number
        return await server.call_async("POST", target, chunks=(b"%d" % number,))

    async def all_of_them():
        return await asyncio.gather(*(publish(number) for number in range(50)))

    ids = [json.loads(answer.body)["messageId"] for answer in asyncio.run(all_of_them())]
    messages = [qstash.broker.messages[message_id] for message_id in ids]
    assert [(m.url, m.body) for m in messages] == [(f"{SHOP}/{n}", b"%d" % n) for n in range(50)]


def test_calls_of_many_threads_are_all_taken_once(server, qstash):
    def publish(number):
        return server.call("POST", b"/v2/publish/https://shop.example/%d" % number).status

    with ThreadPoolExecutor(8) as threads:
        statuses = list(threads.map(publish, range(80)))
    assert statuses == [201] * 80
    assert {message.url for message in qstash.broker.messages.values()} == {f"{SHOP}/{n}" for n in range(80)}


def test_httpx_speaks_to_it_over_its_asgi_transport(server):
    async def get():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(server.app), base_url="http://qstash") as client:
            return await client.get("/v2/readiness", headers={"Authorization": "Bearer secret"})

    assert asyncio.run(get()).json() == {"ready": True}


def test_a_lifespan_is_answered(server):
    waiting = ["lifespan.startup", "lifespan.shutdown"]
    events: list[str] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": waiting.pop(0)}

    async def send(event: MutableMapping[str, Any]) -> None:
        events.append(event["type"])

    asyncio.run(server.app({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send))
    assert events == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_a_web_socket_is_closed(server):
    events: list[str] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "websocket.connect"}

    async def send(event: MutableMapping[str, Any]) -> None:
        events.append(event["type"])

    scope = {"type": "websocket", "path": "/v2/keys", "headers": [], "query_string": b"", "root_path": ""}
    asyncio.run(server.app(scope, receive, send))
    assert events == ["websocket.close"]
