"""Calls that httpx and httpx2 clients make to QStash are answered by the fake, all others are left alone."""

import asyncio
from typing import Any

import httpcore
import httpx
import httpx2
import pytest
from httpx_retries import Retry, RetryTransport
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from qstash import AsyncQStash, QStash
from qstash.message import PublishResponse

from qstash_fake import QStashFake, UsageError
from qstash_fake.testing.environment import DEV_TOKEN
from qstash_fake.testing.fake import inside

MODULES: list[Any] = [httpx, httpx2]
BEARER = {"Authorization": "Bearer a-token"}
PUBLISH = "https://qstash.upstash.io/v2/publish/https://shop.example/jobs"

# Made at import time, as applications do: long before there is a fake.
EARLY = {module: module.Client() for module in MODULES}
EARLY_ASYNC = {module: module.AsyncClient(headers=BEARER) for module in MODULES}
EARLY_SDK = QStash("a-token")


@pytest.fixture(params=MODULES, ids=lambda module: module.__name__)
def lib(request):
    return request.param


def outside(lib: Any, seen: list[Any] | None = None) -> Any:
    """A client for another host, which answers by itself."""

    def answer(request):
        if seen is not None:
            seen.append(request)
        return lib.Response(200, text=f"outside: {request.url}")

    return lib.MockTransport(answer)


# --- which clients ----------------------------------------------------------------------------------------------


def test_a_client_made_at_import_is_answered(qstash_fake, lib):
    assert EARLY[lib].post(PUBLISH, headers=BEARER).status_code == 201
    assert qstash_fake.assert_published().url == "https://shop.example/jobs"


def test_a_client_made_in_the_test_is_answered(qstash_fake, lib):
    with lib.Client(headers=BEARER, base_url="https://qstash.upstash.io") as client:
        assert client.post("/v2/publish/https://shop.example/jobs", content=b"\x00\xff").status_code == 201
    assert qstash_fake.assert_published().body == b"\x00\xff"


def test_the_function_api_is_answered(qstash_fake, lib):
    assert lib.post(PUBLISH, headers=BEARER).status_code == 201
    qstash_fake.assert_published(times=1)


def test_a_subclass_with_a_send_of_its_own_is_answered(qstash_fake, lib):
    class Counting(lib.Client):  # type: ignore[name-defined, misc]  # of either library
        sent = 0

        def send(self, request, **kwargs):
            self.sent += 1
            return super().send(request, **kwargs)

    with Counting(headers=BEARER) as client:
        client.post(PUBLISH)
        assert client.sent == 1
    qstash_fake.assert_published(times=1)


def test_a_transport_that_uses_no_network_answers_itself(qstash_fake, lib):
    with lib.Client(transport=outside(lib)) as client:
        assert client.post(PUBLISH).text == f"outside: {PUBLISH}"
    assert qstash_fake.messages == []


def test_a_client_that_closes_itself_when_collected_stays_open(qstash_fake, lib):
    class Closing(lib.Client):  # type: ignore[name-defined, misc]  # of either library
        def __del__(self):
            self.close()

    client = Closing(headers=BEARER, transport=outside(lib))
    client.post(PUBLISH)
    assert client.get("https://api.example/").text == "outside: https://api.example/"
    assert not client.is_closed


@pytest.mark.asyncio
async def test_async_clients_are_answered_whenever_they_were_made(qstash_fake, lib):
    async with lib.AsyncClient(headers=BEARER) as late:
        for client in (EARLY_ASYNC[lib], late):
            assert (await client.post(PUBLISH, json={"order": 7})).status_code == 201
    qstash_fake.assert_published(json={"order": 7}, times=2)


def test_the_official_client_made_at_import_publishes(qstash_fake):
    answer = EARLY_SDK.message.publish_json(url="https://shop.example/jobs", body={"order": 7})
    assert isinstance(answer, PublishResponse)
    assert qstash_fake.assert_published(json={"order": 7}).message_id == answer.message_id


@pytest.mark.asyncio
async def test_the_official_async_client_publishes(qstash_fake):
    answer = await AsyncQStash("a-token").message.publish(url="https://shop.example/jobs", body="hello")
    assert isinstance(answer, PublishResponse)
    assert qstash_fake.assert_published(body="hello").message_id == answer.message_id


def test_a_closed_client_raises_as_ever(qstash_fake, lib):
    client = lib.Client()
    client.close()
    with pytest.raises(RuntimeError, match="the client has been closed"):
        client.post(PUBLISH, headers=BEARER)
    assert qstash_fake.messages == []


@pytest.mark.asyncio
async def test_a_closed_async_client_raises_as_ever(qstash_fake, lib):
    client = lib.AsyncClient()
    await client.aclose()
    with pytest.raises(RuntimeError, match="the client has been closed"):
        await client.post(PUBLISH, headers=BEARER)


# --- which hosts ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "base_url",
    [
        "https://qstash.upstash.io",
        "https://qstash-us-east-1.upstash.io",
        "https://qstash-eu-central-1.upstash.io",
        "HTTPS://QStash.Upstash.IO:443",
        "https://someone:secret@qstash.upstash.io",
        "http://127.0.0.1:8080",
        "http://localhost:8080",
        "http://[::1]:8080",
    ],
)
def test_every_address_of_qstash_is_answered(qstash_fake, base_url):
    answer = httpx.post(
        f"{base_url}/v2/publish/https://shop.example/jobs", headers=BEARER, auth=lambda request: request
    )
    assert answer.status_code == 201
    qstash_fake.assert_published(times=1)


def test_the_address_that_the_user_has_set_is_answered(monkeypatch, lib):
    monkeypatch.setenv("QSTASH_URL", "https://queue.shop.example:4443")
    early = QStash("a-token")
    with QStashFake() as fake:
        early.message.publish(url="https://shop.example/jobs")
        lib.post("https://queue.shop.example:4443/v2/publish/https://shop.example/jobs", headers=BEARER)
    fake.assert_published(times=2)


def test_the_address_that_a_test_sets_is_answered(qstash_fake, monkeypatch):
    monkeypatch.setenv("QSTASH_URL", "https://late.shop.example")
    QStash("a-token").message.publish(url="https://shop.example/jobs")
    qstash_fake.assert_published(times=1)


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example/v2/publish/https://shop.example/jobs",
        "https://qstash.upstash.io.evil.example/",
        "https://myqstash.upstash.io/",
        "https://upstash.io/",
        "http://127.0.0.1:8081/v2/publish/https://shop.example/jobs",
        "http://localhost:8080/orders",  # many an application's own address in development
        "http://localhost:8080/v20",
    ],
)
@pytest.mark.usefixtures("qstash_fake")
def test_another_address_passes_through_untouched(lib, url):
    seen: list[Any] = []
    client = lib.Client(transport=outside(lib, seen))
    request = client.build_request("POST", url)
    assert client.send(request).text == f"outside: {url}"
    assert seen == [request]


@pytest.mark.asyncio
@pytest.mark.usefixtures("qstash_fake")
async def test_another_address_passes_through_an_async_client(lib):
    async with lib.AsyncClient(transport=outside(lib)) as client:
        assert (await client.get("https://api.example/")).text == "outside: https://api.example/"


# --- what the client itself does is kept --------------------------------------------------------------------------


def test_event_hooks_run(qstash_fake, lib):
    seen = []
    hooks = {"request": [lambda r: seen.append(r.method)], "response": [lambda r: seen.append(r.status_code)]}
    with lib.Client(event_hooks=hooks, headers=BEARER) as client:
        client.post(PUBLISH)
    assert seen == ["POST", 201]


def test_an_auth_of_the_client_is_used(qstash_fake, lib):
    def bearer(request):
        request.headers["Authorization"] = "Bearer from-auth"
        return request

    with lib.Client(auth=bearer) as client:
        assert client.post(PUBLISH).status_code == 201


def test_an_auth_flow_reaches_its_own_host_on_the_way(qstash_fake, lib):
    class Login(lib.Auth):  # type: ignore[name-defined, misc]  # of either library
        requires_response_body = True

        def auth_flow(self, request):
            token = yield lib.Request("POST", "https://login.example/token")
            request.headers["Authorization"] = f"Bearer {token.text}"
            yield request

    seen: list[Any] = []
    with lib.Client(auth=Login(), mounts={"https://login.example": outside(lib, seen)}) as client:
        assert client.post(PUBLISH).status_code == 201
    assert [str(request.url) for request in seen] == ["https://login.example/token"]


@pytest.mark.asyncio
async def test_an_async_auth_flow_reaches_its_own_host_on_the_way(qstash_fake, lib):
    class Login(lib.Auth):  # type: ignore[name-defined, misc]  # of either library
        def auth_flow(self, request):
            yield lib.Request("POST", "https://login.example/token")
            yield request

    seen: list[Any] = []
    async with lib.AsyncClient(
        auth=Login(), mounts={"https://login.example": outside(lib, seen)}, headers=BEARER
    ) as client:
        assert (await client.post(PUBLISH)).status_code == 201
    assert [str(request.url) for request in seen] == ["https://login.example/token"]


def test_cookies_of_the_client_are_kept(qstash_fake, lib):
    with lib.Client(cookies={"session": "7"}, headers=BEARER) as client:
        response = client.post(PUBLISH)
        assert response.request.headers["Cookie"] == "session=7"
        assert dict(client.cookies) == {"session": "7"}


def test_parameters_of_the_client_reach_the_api(qstash_fake, lib):
    with lib.Client(params={"qstash_token": "a-token"}) as client:
        assert client.post("https://qstash.upstash.io/v2/publish/https://shop.example/jobs").status_code == 201
    assert qstash_fake.assert_published().url == "https://shop.example/jobs"


def test_follow_redirects_changes_nothing(qstash_fake, lib):
    with lib.Client(follow_redirects=True, headers=BEARER) as client:
        response = client.post(PUBLISH)
    assert (response.status_code, response.history) == (201, [])


def test_a_streaming_body_arrives_whole(qstash_fake, lib):
    with lib.Client(headers=BEARER) as client:
        client.post(PUBLISH, content=(part for part in (b"one ", b"two")))
    qstash_fake.assert_published(body=b"one two")


@pytest.mark.asyncio
async def test_an_async_streaming_body_arrives_whole(qstash_fake, lib):
    async def parts():
        yield b"one "
        yield b"two"

    async with lib.AsyncClient(headers=BEARER) as client:
        await client.post(PUBLISH, content=parts())
    qstash_fake.assert_published(body=b"one two")


def test_an_answer_can_be_streamed(qstash_fake, lib):
    with lib.Client(headers=BEARER) as client, client.stream("POST", PUBLISH) as response:
        assert b"".join(response.iter_bytes()).startswith(b'{"messageId":"msg_')


def test_the_answer_knows_its_request_and_how_long_it_took(qstash_fake, lib):
    response = lib.post(PUBLISH, headers=BEARER)
    assert response.request.url == PUBLISH
    assert response.elapsed.total_seconds() < 5


# --- what is raised -----------------------------------------------------------------------------------------------


def test_a_mistake_of_our_own_is_an_answer_and_no_exception(lib):
    fake = QStashFake().__enter__()
    inside(fake).broker.publish = lambda *_, **__: 1 / 0  # type: ignore[method-assign, assignment]
    response = lib.post(PUBLISH, headers=BEARER)
    assert response.status_code == 500
    assert "ZeroDivisionError" in response.json()["error"]
    with pytest.raises(UsageError, match="ZeroDivisionError"):
        fake.__exit__(None, None, None)


def test_a_call_that_is_not_simulated_is_answered_501(lib):
    fake = QStashFake().__enter__()
    assert lib.post("https://qstash.upstash.io/v1/notify/event?x=1", headers=BEARER).status_code == 501
    with pytest.raises(UsageError, match=r"\nPOST /v1/notify/event is not simulated by qstash_fake$"):
        fake.__exit__(None, None, None)


def test_a_dropped_connection_is_a_connect_error(qstash_fake, lib):
    qstash_fake.api.drop_connection()
    with pytest.raises(lib.ConnectError, match="qstash_fake was told to drop this connection") as caught:
        lib.post(PUBLISH, headers=BEARER)
    assert caught.value.request.url == PUBLISH
    assert lib.post(PUBLISH, headers=BEARER).status_code == 201


@pytest.mark.asyncio
async def test_a_dropped_connection_is_a_connect_error_of_async_clients(qstash_fake, lib):
    qstash_fake.api.drop_connection()
    async with lib.AsyncClient(headers=BEARER) as client:
        with pytest.raises(lib.ConnectError):
            await client.post(PUBLISH)


def test_the_official_client_retries_a_dropped_connection(qstash_fake):
    qstash_fake.api.drop_connection()
    client = QStash("a-token", retry={"retries": 1, "backoff": lambda _: 0})
    client.message.publish(url="https://shop.example/jobs")
    qstash_fake.assert_published(times=1)


# --- below what the application has put between its client and the network -------------------------------------------


class Sentry:
    """Counts what passes it; what a transport of an application does to requests and answers."""

    def __init__(self, inner, **headers):
        self.inner, self.headers, self.seen = inner, headers, []

    def before(self, request):
        request.headers.update(self.headers)

    def after(self, response):
        self.seen.append(response.status_code)
        return response


def wrapping(lib: Any, **headers: str) -> Any:
    class Wrapping(Sentry, lib.BaseTransport):  # type: ignore[misc]  # of either library
        def handle_request(self, request):
            self.before(request)
            return self.after(self.inner.handle_request(request))

    return Wrapping(lib.HTTPTransport(), **headers)


def wrapping_async(lib: Any, **headers: str) -> Any:
    class Wrapping(Sentry, lib.AsyncBaseTransport):  # type: ignore[misc]  # of either library
        async def handle_async_request(self, request):
            self.before(request)
            return self.after(await self.inner.handle_async_request(request))

    return Wrapping(lib.AsyncHTTPTransport(), **headers)


def test_a_transport_that_wraps_one_sees_the_call_and_its_answer(qstash_fake, lib):
    transport = wrapping(lib, authorization="Bearer from-transport")
    with lib.Client(transport=transport) as client:
        assert client.post(PUBLISH).status_code == 201
    assert transport.seen == [201]


@pytest.mark.asyncio
async def test_an_async_transport_that_wraps_one_sees_the_call_and_its_answer(qstash_fake, lib):
    transport = wrapping_async(lib, authorization="Bearer from-transport")
    async with lib.AsyncClient(transport=transport) as client:
        assert (await client.post(PUBLISH)).status_code == 201
    assert transport.seen == [201]


def test_a_transport_that_is_mounted_for_qstash_is_used(qstash_fake, lib):
    transport = wrapping(lib)
    with lib.Client(headers=BEARER, transport=outside(lib), mounts={"https://qstash.upstash.io": transport}) as client:
        assert client.post(PUBLISH).status_code == 201
        assert client.get("https://api.example/").text == "outside: https://api.example/"
    assert transport.seen == [201]


def test_retries_of_a_transport_repeat_a_dropped_connection_so_often(qstash_fake, lib):
    with lib.Client(headers=BEARER, transport=lib.HTTPTransport(retries=2)) as client:
        qstash_fake.api.drop_connection(times=2)
        assert client.post(PUBLISH).status_code == 201
        qstash_fake.api.drop_connection(times=3)
        with pytest.raises(lib.ConnectError):
            client.post(PUBLISH)
    qstash_fake.assert_published(times=1)


@pytest.mark.asyncio
async def test_retries_of_an_async_transport_repeat_a_dropped_connection_so_often(qstash_fake, lib):
    async with lib.AsyncClient(headers=BEARER, transport=lib.AsyncHTTPTransport(retries=2)) as client:
        qstash_fake.api.drop_connection(times=2)
        assert (await client.post(PUBLISH)).status_code == 201
        qstash_fake.api.drop_connection(times=3)
        with pytest.raises(lib.ConnectError):
            await client.post(PUBLISH)
    qstash_fake.assert_published(times=1)


def test_httpx_retries_repeats_an_answer_and_a_dropped_connection(qstash_fake):
    retry = Retry(total=2, backoff_factor=0, allowed_methods=["POST"])
    with httpx.Client(headers=BEARER, transport=RetryTransport(retry=retry)) as client:
        qstash_fake.api.fail(503)
        qstash_fake.api.drop_connection()
        assert client.post(PUBLISH).status_code == 201
    qstash_fake.assert_published(times=1)


@pytest.mark.asyncio
async def test_httpx_retries_repeats_the_calls_of_an_async_client(qstash_fake):
    retry = Retry(total=2, backoff_factor=0, allowed_methods=["POST"])
    async with httpx.AsyncClient(headers=BEARER, transport=RetryTransport(retry=retry)) as client:
        qstash_fake.api.fail(503)
        qstash_fake.api.drop_connection()
        assert (await client.post(PUBLISH)).status_code == 201
    qstash_fake.assert_published(times=1)


@pytest.mark.parametrize(
    "options",
    [
        {"http2": True},
        {"proxy": "http://127.0.0.1:9"},
        {"http2": True, "proxy": "http://someone:secret@127.0.0.1:9"},
        {"limits": httpx.Limits(max_connections=1)},
        {"follow_redirects": True},
        {"timeout": 0.001},
        {"trust_env": False},
        {"cert": None, "http1": False, "http2": True},
    ],
    ids=str,
)
def test_a_client_is_answered_however_it_would_connect(qstash_fake, lib, options):
    with lib.Client(headers=BEARER, **options) as client:
        for _ in range(2):
            assert client.post(PUBLISH).status_code == 201
    qstash_fake.assert_published(times=2)


@pytest.mark.asyncio
async def test_an_async_client_is_answered_by_http_2_through_a_proxy_with_one_connection(qstash_fake, lib):
    async with lib.AsyncClient(
        headers=BEARER, http2=True, proxy="http://127.0.0.1:9", limits=lib.Limits(max_connections=1)
    ) as client:
        answers = await asyncio.gather(*(client.post(PUBLISH) for _ in range(3)))
    assert [answer.status_code for answer in answers] == [201, 201, 201]


def test_a_proxy_of_the_environment_is_not_asked(qstash_fake, lib, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with lib.Client(headers=BEARER) as client:
        assert client.post(PUBLISH).status_code == 201


def test_a_redirect_from_another_host_to_qstash_is_followed(qstash_fake, lib):
    moved = lib.MockTransport(lambda _: lib.Response(307, headers={"Location": f"{PUBLISH}?qstash_token=a-token"}))
    with lib.Client(follow_redirects=True, mounts={"https://api.example": moved}) as client:
        response = client.post("https://api.example/", content=b"moved")
    assert (response.status_code, [answer.status_code for answer in response.history]) == (201, [307])


def test_what_is_set_on_a_pool_reaches_the_real_one(qstash_fake, lib):
    transport = lib.HTTPTransport()
    transport._pool._max_connections = 7
    assert vars(transport)["_pool"]._max_connections == 7
    with lib.Client(transport=transport):
        assert transport._pool.connections == []


# --- the short cut ------------------------------------------------------------------------------------------------


@pytest.fixture
def converted(monkeypatch):
    """The requests that httpx has turned into such of httpcore."""
    requests, real = [], httpcore.Request

    def convert(*args, **kwargs):
        requests.append(kwargs["method"])
        return real(*args, **kwargs)

    monkeypatch.setattr(httpcore, "Request", convert)
    return requests


class Subclassed(httpx.HTTPTransport):
    """What may do something that a short cut would leave out."""


def test_a_client_with_a_transport_of_httpx_itself_takes_the_short_cut(qstash_fake, converted):
    with httpx.Client(headers=BEARER) as client:
        assert client.post(PUBLISH).status_code == 201
    assert converted == []


def test_any_other_transport_takes_none(qstash_fake, converted):
    with httpx.Client(headers=BEARER, transport=Subclassed()) as client:
        assert client.post(PUBLISH).status_code == 201
    assert converted == ["POST"]


def test_a_client_that_is_instrumented_by_itself_takes_none(qstash_fake, converted):
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with httpx.Client(headers=BEARER) as client:
        HTTPXClientInstrumentor.instrument_client(client, tracer_provider=provider)
        assert client.post(PUBLISH).status_code == 201
    assert len(exporter.get_finished_spans()) == 1
    assert converted == ["POST"]


def test_both_ways_give_the_same_answer(qstash_fake):
    qstash_fake.api.chat_answer = {"any": "answer"}
    answers = []
    for transport in (None, Subclassed()):
        with httpx.Client(headers=BEARER, transport=transport) as client:
            response = client.post("https://qstash.upstash.io/llm/v1/chat/completions", json={"model": "m"})
            answers.append((response.status_code, response.headers.raw, response.content, response.http_version))
    assert answers[0] == answers[1]


# --- names that are not promised --------------------------------------------------------------------------------------


@pytest.mark.parametrize("owner", ["HTTPTransport", "AsyncHTTPTransport"])
def test_a_private_attribute_that_is_gone_is_explained(monkeypatch, lib, owner):
    monkeypatch.setattr(lib, owner, type(owner, (), {}))
    problem = rf"^{lib.__name__} [\d.]+ has no {owner}._pool, which qstash_fake needs to answer in place of QStash: "
    with pytest.raises(UsageError, match=problem + f"use another version of {lib.__name__}$"):
        QStashFake().__enter__()


@pytest.mark.parametrize("pool", ["ConnectionPool", "AsyncConnectionPool"])
def test_a_pool_without_its_retries_is_explained(monkeypatch, pool):
    monkeypatch.setattr(httpcore, pool, type(pool, (), {"__module__": "httpcore"}))
    with pytest.raises(UsageError, match=rf"^httpcore [\d.]+ has no {pool}\._retries, which qstash_fake needs"):
        QStashFake().__enter__()


def test_the_token_that_is_set_for_the_test_is_let_in(qstash_fake, monkeypatch):
    assert httpx.post(PUBLISH, headers={"Authorization": f"Bearer {DEV_TOKEN}"}).status_code == 201
