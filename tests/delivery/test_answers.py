"""Whatever an application answers, the attempt ends: what is no HTTP answer is a 500 that says why, and is retried."""

import types
from unittest.mock import AsyncMock, MagicMock, Mock

import httpx
import httpx2
import pytest
import requests
from qstash import QStash

from qstash_fake import QStashFake, UsageError
from qstash_fake.broker.message import Outcome
from qstash_fake.delivery.answers import MAX_BODY, Answer, Body, outcome_of

JOB = "https://shop.example/jobs/invoice"
AUTHORIZED = [("Authorization", "Bearer token")]

pytestmark = pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z")

STATUS_TEXT = "the answer has the status '200': give a number from 100 to 599"
STATUS_HUGE = "the answer has the status 99999: give a number from 100 to 599"
NAME_NUMBER = "the answer has the header (7, 'x'): give name and value as str or bytes"
VALUE_NUMBER = "the answer has the header ('X-Count', 1): give name and value as str or bytes"
NAME_BLANK = "the answer has the header ('X Count', '1'), whose name no header can have"
VALUE_BREAK = r"the answer has the header ('X-Count', '1\r\n2'), whose value has a line break or a null"
NO_PAIRS = "the answer has the headers 7: give pairs of a name and a value"
BODY_TEXT = "the answer has the body, or a part of it, 'ok': give bytes"
BODY_NONE = "the answer has the body, or a part of it, None: give bytes"


def answer(status=200, headers=(), body=b"") -> Answer:
    made = Answer()
    made.status, made.headers, made.body = status, headers, body
    return made


def a_function(status=200, headers=(), body=b""):
    return lambda request: types.SimpleNamespace(status_code=status, headers=headers, content=body)


def a_coroutine_function(status=200, headers=(), body=b""):
    async def app(request):
        return types.SimpleNamespace(status_code=status, headers=headers, content=body)

    return app


class a_client:  # noqa: N801 - one of three that make an application
    def __init__(self, status=200, headers=(), body=b""):
        self.answer = types.SimpleNamespace(status_code=status, headers=headers, content=body)

    def request(self, method, url, *, content, headers):
        return self.answer


class an_async_client(a_client):  # noqa: N801 - see above
    async def request(self, method, url, *, content, headers):
        return self.answer


# --- what is no answer ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("app", [a_function, a_coroutine_function, a_client, an_async_client])
@pytest.mark.parametrize(
    "wrong",
    [
        ({"status": "200"}, TypeError, STATUS_TEXT),
        ({"status": None}, TypeError, "the answer has the status None: give a number from 100 to 599"),
        ({"status": 200.0}, TypeError, "the answer has the status 200.0: give a number from 100 to 599"),
        ({"status": 99999}, ValueError, STATUS_HUGE),
        ({"status": 99}, ValueError, "the answer has the status 99: give a number from 100 to 599"),
        ({"status": 600}, ValueError, "the answer has the status 600: give a number from 100 to 599"),
        ({"headers": [(7, "x")]}, TypeError, NAME_NUMBER),
        ({"headers": {"X-Count": 1}}, TypeError, VALUE_NUMBER),
        ({"headers": {"X Count": "1"}}, ValueError, NAME_BLANK),
        ({"headers": {"X-Count": "1\r\n2"}}, ValueError, VALUE_BREAK),
        ({"headers": 7}, TypeError, NO_PAIRS),
        ({"body": "ok"}, TypeError, BODY_TEXT),
        ({"body": None}, TypeError, BODY_NONE),
    ],
)
def test_what_is_no_answer_is_a_500_that_says_why_and_is_retried(qstash_fake, client, app, wrong):
    given, error, says = wrong
    qstash_fake.mount(app(**given))
    client.message.publish(url=JOB)
    with pytest.raises(error) as raised:
        qstash_fake.deliver_due()
    (message,) = qstash_fake.messages
    assert str(raised.value) == says
    assert raised.value.__notes__ == [
        f"raised by the application while qstash_fake delivered {message.message_id} to {JOB}, attempt 1 of 4"
    ]
    qstash_fake.mount(a_function())
    qstash_fake.drain()
    assert [attempt.status for attempt in message.attempts] == [500, 200]
    assert message.attempts[0].exception is raised.value


def asgi(status=200, headers=(), body: object = b""):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


def wsgi(status="200 OK", headers=(), body=(b"",)):
    def app(environ, start_response):
        start_response(status, headers)
        return body

    return app


@pytest.mark.parametrize(
    ("app", "error", "says"),
    [
        (asgi(status="200"), TypeError, STATUS_TEXT),
        (asgi(status=99999), ValueError, STATUS_HUGE),
        (
            asgi(headers=[("x-a", "1")]),
            TypeError,
            "the answer has the header ('x-a', '1'): give name and value as bytes",
        ),
        (asgi(headers=[(b"x-a", 1)]), TypeError, "the answer has the header (b'x-a', 1): give name and value as bytes"),
        (asgi(headers=[b"x-a"]), TypeError, "the answer has the headers [b'x-a']: give pairs of a name and a value"),
        (
            asgi(headers=[(b"x-a", b"1\n2")]),
            ValueError,
            r"the answer has the header (b'x-a', b'1\n2'), whose value has a line break or a null",
        ),
        (asgi(body="ok"), TypeError, BODY_TEXT),
        (asgi(body=None), TypeError, BODY_NONE),
        (wsgi(status=200), TypeError, "start_response() got the status 200: give a line such as '200 OK'"),
        (wsgi(status="OK"), TypeError, "start_response() got the status 'OK': give a line such as '200 OK'"),
        (wsgi(status="2000 OK"), TypeError, "start_response() got the status '2000 OK': give a line such as '200 OK'"),
        (wsgi(status="999 X"), ValueError, "the answer has the status 999: give a number from 100 to 599"),
        (
            wsgi(headers=[("X-Count", 1)]),
            TypeError,
            "the answer has the header ('X-Count', 1): give name and value as str",
        ),
        (
            wsgi(headers=[(b"X-A", b"1")]),
            TypeError,
            "the answer has the header (b'X-A', b'1'): give name and value as str",
        ),
        (wsgi(headers=None), TypeError, "the answer has the headers None: give pairs of a name and a value"),
        (wsgi(body=["ok"]), TypeError, BODY_TEXT),
        (wsgi(body=b"ok"), TypeError, "the answer has the body, or a part of it, 111: give bytes"),
        (wsgi(body=None), TypeError, "'NoneType' object is not iterable"),
    ],
)
@pytest.mark.qstash_fake(raise_app_exceptions=False)
def test_what_an_application_must_not_send_is_a_500_that_says_why(qstash_fake, client, app, error, says):
    qstash_fake.mount(app, lifespan=False)
    client.message.publish(url=JOB)
    qstash_fake.deliver_due()
    (message,) = qstash_fake.messages
    assert message.attempts[0].status == 500
    assert type(message.attempts[0].exception) is error
    assert str(message.attempts[0].exception).startswith(says)
    assert message.state == "RETRY"


@pytest.mark.parametrize(
    "given",
    [{"ok": True}, None, "ok", 200, b"ok", object(), MagicMock(spec=object), iter([]), httpx.Response],
    ids=lambda given: type(given).__name__,
)
@pytest.mark.qstash_fake(raise_app_exceptions=False)
def test_what_looks_like_no_response_is_named(qstash_fake, client, given):
    qstash_fake.mount(lambda request: given)
    client.message.publish(url=JOB, retries=0)
    qstash_fake.drain()
    (attempt,) = qstash_fake.attempts
    assert attempt.status == 500
    assert type(attempt.exception) is TypeError
    if given == {"ok": True}:
        assert str(attempt.exception) == (
            "what is mounted returned {'ok': True}: return an httpx.Response, "
            "or anything with status_code, headers and content"
        )


@pytest.mark.parametrize("wrong", [a_function("200"), a_function(headers={"X-Count": 1}), a_function(body="ok")])
@pytest.mark.qstash_fake(raise_app_exceptions=False)
def test_a_queue_and_a_key_go_on_after_what_is_no_answer(qstash_fake, client, wrong):
    qstash_fake.mount(wrong)
    flow_control = {"key": "k", "parallelism": 1}
    for _ in range(2):
        client.message.enqueue(queue="q", url=JOB, callback="https://shop.example/cb", retries=0)
        client.message.publish(url=JOB, flow_control=flow_control, retries=0)
    qstash_fake.deliver_due()
    qstash_fake.mount(a_function())
    qstash_fake.drain()
    assert not qstash_fake.pending
    assert qstash_fake.queues["q"].lag == 0


@pytest.mark.parametrize("wrong", [a_function("200"), a_function(headers={"X-Count": 1}), a_function(body="ok")])
@pytest.mark.qstash_fake(raise_app_exceptions=False)
def test_the_api_shows_what_became_of_it(qstash_fake, client, wrong):
    qstash_fake.mount(wrong)
    client.message.publish(url=JOB, retries=0)
    qstash_fake.drain()
    for path in ("/v2/events", "/v2/logs", "/v2/dlq"):
        assert qstash_fake.api.answer("GET", path, AUTHORIZED, b"").status == 200
    assert qstash_fake.dlq[0].response_status == 500


# --- what is an answer ------------------------------------------------------------------------------------------------


def a_requests_response() -> requests.Response:
    response = requests.Response()
    response.status_code, response._content = 201, b"body"
    response.headers["X-Kind"] = "1"
    return response


@pytest.mark.parametrize(
    "response",
    [
        httpx.Response(201, headers={"X-Kind": "1"}, content=b"body"),
        httpx2.Response(201, headers={"X-Kind": "1"}, content=b"body"),
        a_requests_response(),
        types.SimpleNamespace(status_code=201, headers={"X-Kind": "1"}, content=bytearray(b"body")),
        types.SimpleNamespace(status_code=201, headers=[(b"X-Kind", b"1")], content=memoryview(b"body")),
    ],
    ids=["httpx", "httpx2", "requests", "mapping", "pairs"],
)
def test_anything_with_status_code_headers_and_content_is_an_answer(qstash_fake, client, response):
    qstash_fake.mount(lambda request: response)
    client.message.publish(url=JOB)
    qstash_fake.drain()
    (attempt,) = qstash_fake.attempts
    assert (attempt.status, attempt.headers["X-Kind"], attempt.body) == (201, "1", b"body")


@pytest.mark.parametrize("kind", [Mock, MagicMock, AsyncMock])
def test_a_mock_is_a_function(qstash_fake, client, kind):
    handler = kind(return_value=httpx.Response(200))
    qstash_fake.mount(handler)
    client.message.publish(url=JOB, body="7")
    qstash_fake.drain()
    (request,) = handler.call_args.args
    assert (handler.call_count, request.content) == (1, b"7")


@pytest.mark.parametrize("kind", [Mock, MagicMock, AsyncMock])
@pytest.mark.asyncio
async def test_a_mock_is_a_function_in_an_async_test(qstash_fake, client, kind):
    handler = kind(return_value=httpx.Response(200))
    qstash_fake.mount(handler)
    client.message.publish(url=JOB)
    await qstash_fake.drain_async()
    assert handler.call_count == 1


@pytest.mark.parametrize("kind", [Mock, MagicMock, AsyncMock])
def test_a_mock_without_a_return_value_answers_nothing(qstash_fake, client, kind):
    qstash_fake.mount(kind(name="job"))
    client.message.publish(url=JOB, retries=0)
    with pytest.raises(TypeError, match=r"the answer has the status <.*Mock .*give a number from 100 to 599"):
        qstash_fake.drain()
    assert qstash_fake.messages[0].state == "FAILED"


@pytest.mark.parametrize(
    ("value", "kept"),
    [("é", "é"), ("€", "€".encode().decode("latin-1")), ("\udcff", "?"), (b"\xe9", "é"), ("\x07", "\x07")],
)
def test_a_header_value_has_a_character_for_each_byte(value, kept):
    assert outcome_of(answer(headers=[("X-Name", value)])).headers == (("X-Name", kept),)


def test_an_outcome_stays_what_it_is():
    outcome = Outcome(error="timeout", duration_ms=7)
    assert outcome_of(outcome) is outcome


def test_the_applications_own_exception_counts_more_than_what_is_wrong_with_its_answer():
    error = LookupError("no such order")
    made = answer(status="200")
    made.exception = error
    outcome = outcome_of(made)
    assert (outcome.status, outcome.exception) == (500, error)


# --- answers that are too long ----------------------------------------------------------------------------------------

FIFTY_MIB = 52_428_800


def test_fifty_mib_are_read_of_an_answer():
    assert MAX_BODY == FIFTY_MIB
    assert len(outcome_of(answer(body=bytes(FIFTY_MIB + 1))).body) == FIFTY_MIB


def test_parts_that_are_too_much_are_dropped(monkeypatch):
    monkeypatch.setattr("qstash_fake.delivery.answers.MAX_BODY", 5)
    body = Body()
    body.read(iter([b"abc", b"", b"defg", b"never read"]))
    assert (body.joined(), body.full, body.complete) == (b"abcde", True, True)


def streams_for_ever(parts):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            parts.append(len(parts))
            await send({"type": "http.response.body", "body": b"ab", "more_body": True})

    return app


def streams_for_ever_and_swallows(parts):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            parts.append(len(parts))
            try:
                await send({"type": "http.response.body", "body": b"ab", "more_body": True})
            except OSError as error:
                raise RuntimeError("the client is gone") from error

    return app


def iterates_for_ever(parts):
    def app(environ, start_response):
        start_response("200 OK", [])
        while True:
            parts.append(len(parts))
            yield b"ab"

    return app


@pytest.mark.parametrize("make", [streams_for_ever, streams_for_ever_and_swallows, iterates_for_ever])
def test_an_endless_stream_is_cut_and_its_status_counts(qstash_fake, client, monkeypatch, make):
    monkeypatch.setattr("qstash_fake.delivery.answers.MAX_BODY", 5)
    parts: list[int] = []
    qstash_fake.mount(make(parts), lifespan=False)
    client.message.publish(url=JOB)
    assert len(qstash_fake.drain().delivered) == 1
    (attempt,) = qstash_fake.attempts
    assert (attempt.status, attempt.body, attempt.error, attempt.exception) == (200, b"ababa", None, None)
    assert len(parts) <= 4


def test_an_application_that_waits_for_the_disconnect_sees_it_when_its_answer_is_cut(qstash_fake, client, monkeypatch):
    monkeypatch.setattr("qstash_fake.delivery.answers.MAX_BODY", 1)
    events = []

    async def app(scope, receive, send):
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ab", "more_body": True})
        events.append(await receive())

    qstash_fake.mount(app, lifespan=False)
    client.message.publish(url=JOB)
    qstash_fake.drain()
    assert events == [{"type": "http.disconnect"}]


def test_an_exception_after_a_long_answer_that_is_complete_counts(qstash_fake, client, monkeypatch):
    monkeypatch.setattr("qstash_fake.delivery.answers.MAX_BODY", 1)

    async def app(scope, receive, send):
        await asgi(body=b"ab")(scope, receive, send)
        raise LookupError("in the background")

    qstash_fake.mount(app, lifespan=False)
    client.message.publish(url=JOB)
    with pytest.raises(LookupError, match="in the background"):
        qstash_fake.drain()
    assert qstash_fake.messages[0].state == "DELIVERED"


# --- routes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"status": 600}, r"respond(600): the status is an HTTP status, a number from 100 to 599"),
        ({"headers": {"X-Count": 1}}, f"no route can answer like this: {VALUE_NUMBER}"),
        ({"content": "ok"}, f"no route can answer like this: {BODY_TEXT}"),
    ],
)
def test_a_route_refuses_an_answer_that_is_none(qstash_fake, given, says):
    with pytest.raises(UsageError) as raised:
        qstash_fake.on(JOB).respond(**given)
    assert str(raised.value) == says


def test_a_route_refuses_a_response_whose_status_is_text(qstash_fake):
    response = httpx.Response("503")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="no route can answer like this: the answer has the status '503'"):
        qstash_fake.on(JOB).respond_with([response])


# --- mistakes of our own ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("raise_app_exceptions", [True, False])
def test_a_mistake_in_what_calls_the_application_is_raised_and_ends_the_attempt(monkeypatch, raise_app_exceptions):
    def broken(request):
        raise ZeroDivisionError("a mistake of ours")

    monkeypatch.setattr("qstash_fake.delivery.kinds.wsgi.environ", broken)
    with QStashFake(raise_app_exceptions=raise_app_exceptions) as fake:
        fake.mount(wsgi())
        QStash("token").message.publish(url=JOB, retries=0)
        with pytest.raises(ZeroDivisionError) as raised:
            fake.deliver_due()
        assert not hasattr(raised.value, "__notes__")
        assert fake.messages[0].state == "FAILED"
