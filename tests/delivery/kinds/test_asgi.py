"""Calling an ASGI application as a server would, and what comes of what it does."""

import asyncio
from collections.abc import Awaitable, Callable

import anyio
import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request as StarletteRequest
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

from qstash_fake.broker.message import Outcome
from qstash_fake.delivery.answers import outcome_of
from qstash_fake.delivery.exchange import Request, plain_request
from qstash_fake.delivery.kinds import asgi


def call(app, request: Request | None = None, state=None) -> Outcome:
    return outcome_of(asyncio.run(asgi.call(app, request or post(), state)))


def post(url: str = "https://shop.example/jobs", body: bytes = b"x", headers=()) -> Request:
    return plain_request("POST", url, headers, body)


def answers(*events, raises: BaseException | None = None) -> Callable[..., Awaitable[None]]:
    """Return an app that sends *events*, then *raises*."""

    async def app(scope, receive, send):
        for event in events:
            await send(event)
        if raises is not None:
            raise raises

    return app


START = {"type": "http.response.start", "status": 200, "headers": [(b"x-a", b"1"), (b"x-a", b"2")]}
END = {"type": "http.response.body", "body": b"done"}


def test_the_scope_has_what_the_asgi_specification_asks_for():
    scopes = []

    async def app(scope, receive, send):
        scopes.append(scope)
        await send(START)
        await send(END)

    call(app, post("https://shop.example:8443/jobs/%E2%82%AC%2Fx//y/?a=%20&b=1", headers=(("X-Name", "á"),)))
    (scope,) = scopes
    assert scope == {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "https",
        "path": "/jobs/€/x//y/",
        "raw_path": b"/jobs/%E2%82%AC%2Fx//y/",
        "query_string": b"a=%20&b=1",
        "root_path": "",
        "headers": [(b"host", b"shop.example:8443"), (b"x-name", b"\xe1"), (b"content-length", b"1")],
        "client": ("127.0.0.1", 0),
        "server": ("shop.example", 8443),
    }


def test_a_url_without_a_path_is_asked_for_its_root():
    scope = asgi.scope(post("https://shop.example?x=1"))
    assert (scope["path"], scope["raw_path"], scope["query_string"]) == ("/", b"/", b"x=1")


def test_what_an_application_does_to_its_scope_is_seen_by_no_other():
    async def app(scope, receive, send):
        assert scope.get("seen") is None
        assert scope["headers"][-1] == (b"content-length", b"1")
        scope["seen"] = scope["path"] = scope["asgi"]["version"] = "mine"
        scope["headers"].clear()
        await send(START)
        await send(END)

    for _ in range(2):
        outcome = call(app)
        assert (outcome.status, outcome.exception) == (200, None)
    assert asgi.scope(post())["asgi"] == {"version": "3.0", "spec_version": "2.4"}


def test_a_header_value_outside_latin_1_goes_as_utf_8():
    seen = []

    async def app(scope, receive, send):
        seen.append(dict(scope["headers"])[b"x-name"])

    call(app, post(headers=(("X-Name", "€"),)))
    assert seen == ["€".encode()]


def test_the_body_comes_in_one_event_and_a_disconnect_only_after_the_answer():
    events = []

    async def app(scope, receive, send):
        events.append(await receive())
        with anyio.move_on_after(0):
            events.append(await receive())
        await send(START)
        await send(END)
        events.append(await receive())

    call(app, post(body=b"\xff"))
    assert events == [{"type": "http.request", "body": b"\xff", "more_body": False}, {"type": "http.disconnect"}]


def test_a_complete_answer_is_the_outcome():
    outcome = call(answers(START, END))
    assert (outcome.status, outcome.headers, outcome.body) == (200, (("x-a", "1"), ("x-a", "2")), b"done")
    assert outcome.exception is None


def test_a_body_in_parts_is_joined():
    parts = [{"type": "http.response.body", "body": part, "more_body": True} for part in (b"a", b"b")]
    assert call(answers(START, *parts, {"type": "http.response.body"})).body == b"ab"


def test_a_complete_answer_counts_although_an_exception_follows():
    error = RuntimeError("after the answer")
    outcome = call(answers(START, END, raises=error))
    assert (outcome.status, outcome.exception) == (200, error)


def test_an_exception_without_an_answer_is_a_500():
    error = RuntimeError("no answer")
    outcome = call(answers(raises=error))
    assert (outcome.status, outcome.body, outcome.exception) == (500, b"Internal Server Error", error)


def test_an_application_that_answers_nothing_is_told_so():
    outcome = call(answers())
    assert (outcome.status, repr(outcome.exception)) == (
        500,
        "RuntimeError('the ASGI application returned without an answer')",
    )


@pytest.mark.parametrize(
    ("events", "status", "body", "error"),
    [
        ((START, END, START), 200, b"done", "unexpected ASGI event 'http.response.start': the response is complete"),
        ((START, END, END), 200, b"done", "unexpected ASGI event 'http.response.body': the response is complete"),
        ((START, START, END), 0, b"", "expected the ASGI event 'http.response.body', but got 'http.response.start'"),
        (
            (END, START),
            500,
            b"Internal Server Error",
            "expected the ASGI event 'http.response.start', but got 'http.response.body'",
        ),
        (
            (START, {"type": "http.response.trailers"}, END),
            0,
            b"",
            "expected the ASGI event 'http.response.body', but got 'http.response.trailers'",
        ),
    ],
)
def test_an_event_out_of_order_raises_from_send_and_changes_nothing(events, status, body, error):
    outcome = call(answers(*events))
    assert (outcome.status, outcome.body, repr(outcome.exception)) == (status, body, f"RuntimeError({error!r})")


def test_an_application_that_swallows_what_send_raises_keeps_its_answer():
    async def app(scope, receive, send):
        await send(START)
        with pytest.raises(RuntimeError):
            await send(START)
        await send(END)

    outcome = call(app)
    assert (outcome.status, outcome.body, outcome.exception) == (200, b"done", None)


def test_an_event_without_a_status_is_no_answer():
    outcome = call(answers({"type": "http.response.start"}, END))
    assert str(outcome.exception) == "the answer has the status None: give a number from 100 to 599"


@pytest.mark.parametrize("raises", [None, RuntimeError("half way")])
def test_an_answer_that_is_not_finished_is_a_broken_connection(raises):
    outcome = call(answers(START, {"type": "http.response.body", "body": b"a", "more_body": True}, raises=raises))
    assert (outcome.status, outcome.body, outcome.exception) == (0, b"", raises)
    assert outcome.error == "the connection was closed before the response was complete"


def test_an_answer_whose_body_never_comes_is_a_broken_connection():
    assert call(answers(START)).status == 0


def test_what_is_no_exception_but_ends_the_program_passes_through():
    with pytest.raises(SystemExit):
        call(answers(raises=SystemExit(3)))


def test_a_streaming_response_is_read_to_its_end():
    async def stream(request):
        async def parts():
            for part in ("a", "b", "c"):
                yield part
                await asyncio.sleep(0)

        return StreamingResponse(parts())

    assert call(Starlette(routes=[Route("/jobs", stream, methods=["POST"])])).body == b"abc"


def test_a_synchronous_stream_is_read_to_its_end():
    def stream(request):
        return StreamingResponse(iter(["a", "b"]))

    assert call(Starlette(routes=[Route("/jobs", stream, methods=["POST"])])).body == b"ab"


def test_a_streaming_response_passes_through_middleware():
    async def stream(request):
        return StreamingResponse(iter(["a", "b"]))

    async def through(request, call_next):
        return await call_next(request)

    app = Starlette(
        routes=[Route("/jobs", stream, methods=["POST"])],
        middleware=[Middleware(BaseHTTPMiddleware, dispatch=through)],
    )
    assert call(app).body == b"ab"


@pytest.mark.parametrize("is_async", [True, False])
def test_background_tasks_have_run_when_the_outcome_is_there(is_async):
    done = []

    async def later():
        done.append("async")

    def later_in_a_thread():
        done.append("sync")

    async def job(request):
        return PlainTextResponse("ok", background=BackgroundTask(later if is_async else later_in_a_thread))

    assert call(Starlette(routes=[Route("/jobs", job, methods=["POST"])])).status == 200
    assert done == ["async" if is_async else "sync"]


def test_a_failing_background_task_leaves_the_answer_a_success():
    def later():
        raise RuntimeError("in the background")

    async def job(request):
        return PlainTextResponse("ok", background=BackgroundTask(later))

    outcome = call(Starlette(routes=[Route("/jobs", job, methods=["POST"])]))
    assert (outcome.status, repr(outcome.exception)) == (200, "RuntimeError('in the background')")


def test_starlette_answers_500_itself_and_its_exception_is_kept():
    async def job(request):
        raise KeyError("order")

    outcome = call(Starlette(routes=[Route("/jobs", job, methods=["POST"])]))
    assert (outcome.status, outcome.body, repr(outcome.exception)) == (
        500,
        b"Internal Server Error",
        "KeyError('order')",
    )


def test_the_endpoint_sees_the_request_as_it_was_sent():
    async def job(request: StarletteRequest):
        body = await request.body()
        return PlainTextResponse(f"{request.url} {request.headers['x-a']} {body!r}")

    app = Starlette(routes=[Route("/jobs", job, methods=["POST"])])
    outcome = call(app, post("https://shop.example/jobs?x=1", b"\x00\xff", (("X-A", "1"),)))
    assert outcome.body == rb"https://shop.example/jobs?x=1 1 b'\x00\xff'"


def test_each_request_has_a_copy_of_the_lifespan_state():
    async def app(scope, receive, send):
        scope["state"]["count"] += 1
        await send({"type": "http.response.start", "status": 200 + scope["state"]["count"], "headers": []})
        await send(END)

    state = {"count": 0}
    assert [call(app, state=state).status for _ in range(2)] == [201, 201]
    assert state == {"count": 0}


def test_an_application_without_a_lifespan_gets_no_state():
    async def app(scope, receive, send):
        assert "state" not in scope
        await send(START)
        await send(END)

    assert call(app).status == 200
