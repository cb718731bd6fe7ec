"""Calls that aiohttp makes to QStash are answered by the fake, with aiohttp's own responses and exceptions."""

import asyncio

import aiohttp
import pytest
import pytest_asyncio

from qstash_fake import QStashFake

BEARER = {"Authorization": "Bearer a-token"}
PUBLISH = "https://qstash.upstash.io/v2/publish/https://shop.example/jobs"

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def session():
    async with aiohttp.ClientSession(headers=BEARER) as session:
        yield session


async def test_a_session_is_answered_with_a_response_of_its_own(qstash_fake, session):
    async with session.post(PUBLISH, json={"order": 7}) as response:
        message = qstash_fake.assert_published(url="https://shop.example/jobs", json={"order": 7})
        assert (response.status, response.reason, response.content_type) == (201, "Created", "application/json")
        assert await response.json() == {"messageId": message.message_id}
    assert str(response.url) == PUBLISH


async def test_a_session_made_before_the_fake_is_answered(session):
    with QStashFake() as fake:
        for _ in range(2):
            async with session.post(PUBLISH) as response:
                assert response.status == 201
    fake.assert_published(times=2)


async def test_the_function_api_is_answered(qstash_fake):
    async with aiohttp.request("POST", PUBLISH, headers=BEARER, data=b"\x00\xff") as response:
        assert response.status == 201
    qstash_fake.assert_published(body=b"\x00\xff")


async def test_a_session_with_a_base_url_is_answered(qstash_fake):
    async with (
        aiohttp.ClientSession("https://qstash-us-east-1.upstash.io", headers=BEARER) as session,
        session.post("/v2/publish/https://shop.example/jobs") as response,
    ):
        assert response.status == 201


@pytest.mark.parametrize(
    "options",
    [{"limit": 1}, {"limit_per_host": 1}, {"force_close": True}, {"ssl": False}, {"use_dns_cache": False}],
    ids=str,
)
async def test_a_connector_with_options_is_answered(qstash_fake, options):
    async with aiohttp.ClientSession(headers=BEARER, connector=aiohttp.TCPConnector(**options)) as session:
        answers = await asyncio.gather(*(session.post(PUBLISH) for _ in range(3)))
        assert [answer.status for answer in answers] == [201, 201, 201]
        for answer in answers:
            answer.release()


async def test_a_connector_for_a_socket_of_the_file_system_is_answered(qstash_fake, tmp_path):
    connector = aiohttp.UnixConnector(str(tmp_path / "nobody"))
    async with aiohttp.ClientSession(headers=BEARER, connector=connector) as session, session.post(PUBLISH) as answer:
        assert answer.status == 201


async def test_a_proxy_is_not_asked(qstash_fake, session):
    async with session.post(PUBLISH, proxy="http://127.0.0.1:9") as response:
        assert response.status == 201


async def parts():
    yield b"one "
    await asyncio.sleep(0)
    yield b"two"


async def test_a_body_in_parts_arrives_whole(qstash_fake, session):
    async with session.post(PUBLISH, data=parts()) as response:
        assert response.status == 201
    qstash_fake.assert_published(body="one two")


async def test_a_client_that_waits_for_100_continue_is_told_to_go_on(qstash_fake, session):
    async with session.post(PUBLISH, data=b"one", expect100=True) as response:
        assert response.status == 201
    qstash_fake.assert_published(body="one")


async def test_a_large_body_arrives_whole(qstash_fake, session):
    body = b"\x01\x02" * 300_000
    async with session.post(PUBLISH, data=body) as response:
        assert response.status == 201
    qstash_fake.assert_published(body=body)


async def test_an_answer_can_be_streamed(qstash_fake, session):
    async with session.post(PUBLISH) as response:
        received = [part async for part in response.content.iter_chunked(8)]
    assert len(received) > 1
    assert b"".join(received).startswith(b'{"messageId":"msg_')


async def test_an_answer_that_is_not_read_leaves_nothing_open(qstash_fake, session):
    response = await session.post(PUBLISH)
    response.close()
    assert session.connector is not None
    async with session.post(PUBLISH) as response:
        assert response.status == 201


async def test_raise_for_status_raises_the_error_of_aiohttp(qstash_fake, session):
    with pytest.raises(aiohttp.ClientResponseError, match="401, message='Unauthorized'"):
        async with session.post(PUBLISH, headers={"Authorization": ""}, raise_for_status=True):
            pass


async def test_a_dropped_connection_is_a_connector_error(qstash_fake, session):
    qstash_fake.api.drop_connection()
    with pytest.raises(aiohttp.ClientConnectorError, match="told to drop this connection"):
        await session.post(PUBLISH, data=b"one")
    qstash_fake.api.drop_connection()
    with pytest.raises(aiohttp.ClientConnectorError, match="told to drop this connection"):
        await session.post(PUBLISH, data=parts())
    async with session.post(PUBLISH) as response:
        assert response.status == 201


async def test_hooks_of_a_session_see_the_call(qstash_fake):
    seen = []

    async def note(_, context, params):
        seen.append(type(params).__name__)

    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(note)
    trace.on_request_end.append(note)
    async with aiohttp.ClientSession(headers=BEARER, trace_configs=[trace]) as session, session.post(PUBLISH):
        pass
    assert seen == ["TraceRequestStartParams", "TraceRequestEndParams"]


async def test_another_host_is_asked_itself(qstash_fake, session, unused_tcp_port):
    with pytest.raises(aiohttp.ClientConnectorError, match=f"Cannot connect to host 127.0.0.1:{unused_tcp_port}"):
        await session.post(f"http://127.0.0.1:{unused_tcp_port}/v2/publish/https://shop.example/jobs")
    assert qstash_fake.messages == []
