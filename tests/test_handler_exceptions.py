"""What an application raises while it handles a delivery: the outcome is recorded, then the verb raises it."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from tests.shop import JOBS, START
from tests.times import FIRST_RETRY_S

pytestmark = pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z")


def failing(*errors: BaseException | None):
    """Return an app that raises the next of *errors*, and answers 200 for None and at their end."""
    left = list(errors)

    def app(request: httpx.Request) -> httpx.Response:
        if left and (error := left.pop(0)) is not None:
            raise error
        return httpx.Response(200)

    return app


def states(message) -> list[str]:
    return [str(attempt.status) for attempt in message.attempts] + [message.state]


def test_the_original_exception_is_raised_with_a_note_of_what_was_delivered(qstash_fake, client):
    error = LookupError("no such order")
    qstash_fake.mount(failing(error))
    client.message.publish(url=JOBS)
    with pytest.raises(LookupError) as raised:
        qstash_fake.deliver_due()
    message = qstash_fake.messages[0]
    assert raised.value is error
    assert error.__notes__ == [
        f"raised by the application while qstash_fake delivered {message.message_id} to {JOBS}, attempt 1 of 4"
    ]


def test_the_outcome_is_recorded_before(qstash_fake, client):
    error = LookupError("no such order")
    qstash_fake.mount(failing(error))
    client.message.publish(url=JOBS)
    with pytest.raises(LookupError):
        qstash_fake.deliver_due()
    (message,) = qstash_fake.messages
    assert message.attempts[0].exception is error
    assert (states(message), message.due_at) == (["500", "RETRY"], START + timedelta(seconds=FIRST_RETRY_S))


def test_the_clock_stays_at_that_event_and_the_next_verb_goes_on_from_there(qstash_fake, client):
    qstash_fake.mount(failing(LookupError("first")))
    client.message.publish(url=JOBS, delay="10m")
    client.message.publish(url=JOBS, delay="20m")
    with pytest.raises(LookupError):
        qstash_fake.clock.advance("1h")
    assert qstash_fake.clock.now == START + timedelta(minutes=10)
    assert datetime.now(UTC) == START + timedelta(minutes=10)
    qstash_fake.clock.advance("1h")
    assert [attempt.at - START for attempt in qstash_fake.attempts] == [
        timedelta(minutes=10),
        timedelta(minutes=10, seconds=FIRST_RETRY_S),
        timedelta(minutes=20),
    ]


def test_nothing_is_lost_or_delivered_twice(qstash_fake, client):
    errors = [RuntimeError(str(number)) for number in range(6)]
    qstash_fake.mount(failing(*errors[:3], None, *errors[3:]))
    for _ in range(5):
        client.message.publish(url=JOBS, retries=0)
    raised = []
    while qstash_fake.pending:
        try:
            qstash_fake.deliver_due()
        except RuntimeError as error:
            raised.append(error)
    assert raised == errors[:4]
    assert [states(message) for message in qstash_fake.messages] == [
        ["500", "FAILED"],
        ["500", "FAILED"],
        ["500", "FAILED"],
        ["200", "DELIVERED"],
        ["500", "FAILED"],
    ]


def test_a_drain_that_was_cut_short_can_be_begun_again(qstash_fake, client):
    qstash_fake.mount(failing(LookupError("first"), LookupError("second")))
    client.message.publish(url=JOBS)
    for _ in range(2):
        with pytest.raises(LookupError):
            qstash_fake.drain()
    qstash_fake.drain()
    assert states(qstash_fake.messages[0]) == ["500", "500", "200", "DELIVERED"]


@pytest.mark.asyncio
async def test_the_async_verbs_raise_it_too(qstash_fake, client):
    async def app(scope, receive, send):
        raise LookupError("no such order")

    qstash_fake.mount(app)
    client.message.publish(url=JOBS)
    with pytest.raises(LookupError, match="no such order"):
        await qstash_fake.drain_async()
    assert states(qstash_fake.messages[0]) == ["500", "RETRY"]


@pytest.mark.parametrize("asynchronous", [True, False])
def test_a_complete_200_followed_by_an_exception_is_delivered(qstash_fake, client, asynchronous):
    def later():
        raise LookupError("in the background")

    async def job(request):
        return PlainTextResponse("ok", background=BackgroundTask(later))

    qstash_fake.mount(Starlette(routes=[Route("/jobs", job, methods=["POST"])]))
    client.message.publish(url=JOBS)
    verb = (lambda: asyncio.run(qstash_fake.drain_async())) if asynchronous else qstash_fake.drain
    with pytest.raises(LookupError, match="in the background"):
        verb()
    assert states(qstash_fake.messages[0]) == ["200", "DELIVERED"]
    qstash_fake.assert_delivered(JOBS)


def test_an_incomplete_answer_is_a_failed_attempt_without_a_status(qstash_fake, client):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})

    qstash_fake.mount(app, lifespan=False)
    client.message.publish(url=JOBS, retries=0)
    qstash_fake.drain()
    (attempt,) = qstash_fake.attempts
    assert (attempt.status, attempt.error) == (0, "the connection was closed before the response was complete")


@pytest.mark.qstash_fake(raise_app_exceptions=False)
def test_without_raising_the_exception_is_kept_on_the_attempt(qstash_fake, client):
    error = LookupError("no such order")
    qstash_fake.mount(failing(error))
    client.message.publish(url=JOBS)
    report = qstash_fake.drain()
    assert len(report.delivered) == 1
    assert [attempt.exception for attempt in report.attempts] == [error, None]


class Interrupt(BaseException):
    """What is no Exception, such as KeyboardInterrupt or pytest.fail's."""


@pytest.mark.parametrize("raise_app_exceptions", [True, False])
@pytest.mark.parametrize("kind", ["function", "ASGI", "WSGI"])
def test_what_is_no_exception_passes_through_after_the_attempt_is_recorded_as_failed(
    qstash_fake, client, kind, raise_app_exceptions
):
    def function(request):
        raise Interrupt

    async def asgi(scope, receive, send):
        raise Interrupt

    def wsgi(environ, start_response):
        raise Interrupt

    qstash_fake.mount({"function": function, "ASGI": asgi, "WSGI": wsgi}[kind], lifespan=False)
    client.message.publish(url=JOBS, retries=0)
    with pytest.raises(Interrupt):
        qstash_fake.deliver_due()
    (message,) = qstash_fake.messages
    assert states(message) == ["500", "FAILED"]
    assert isinstance(message.attempts[0].exception, Interrupt)


class Interrupting:
    """An application of three kinds that raises *error*; asked a second time, it answers."""

    def __init__(self, error: BaseException) -> None:
        self.errors = [error]

    def function(self, request):
        self.raise_once()
        return httpx.Response(200)

    async def coroutine(self, request):
        self.raise_once()
        return httpx.Response(200)

    def wsgi(self, environ, start_response):
        self.raise_once()
        start_response("200 OK", [])
        return []

    def raise_once(self):
        if self.errors:
            raise self.errors.pop()


KINDS = ("function", "coroutine", "wsgi")
ERRORS: list[type[BaseException]] = [StopAsyncIteration, GeneratorExit, asyncio.CancelledError, SystemExit]


@pytest.mark.parametrize(
    ("kind", "raises"),
    [
        *((kind, raises) for kind in KINDS for raises in ERRORS),
        *((kind, StopIteration) for kind in KINDS if kind != "coroutine"),  # Python lets no coroutine raise it
    ],
)
def test_whatever_a_handler_raises_comes_out_as_itself(qstash_fake, client, kind, raises):
    error = raises(7)
    qstash_fake.mount(getattr(Interrupting(error), kind))
    client.message.publish(url=JOBS)
    with pytest.raises(raises) as raised:
        qstash_fake.deliver_due()
    assert raised.value is error
    (message,) = qstash_fake.messages
    assert (states(message), message.attempts[0].exception) == (["500", "RETRY"], error)
    qstash_fake.drain()
    assert states(message) == ["500", "200", "DELIVERED"]


@pytest.mark.parametrize("raises", ERRORS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.asyncio
async def test_whatever_a_handler_raises_comes_out_of_an_async_verb(qstash_fake, client, kind, raises):
    error = raises(7)
    qstash_fake.mount(getattr(Interrupting(error), kind))
    client.message.publish(url=JOBS)
    with pytest.raises(raises) as raised:
        await qstash_fake.deliver_due_async()
    assert raised.value is error
    (message,) = qstash_fake.messages
    assert (states(message), message.attempts[0].exception) == (["500", "RETRY"], error)
    await qstash_fake.drain_async()
    assert states(message) == ["500", "200", "DELIVERED"]


@pytest.mark.parametrize("kind", ["function", "wsgi"])
@pytest.mark.asyncio
async def test_a_stop_iteration_comes_out_of_an_async_verb_as_the_cause(qstash_fake, client, kind):
    error = StopIteration(7)
    qstash_fake.mount(getattr(Interrupting(error), kind))
    client.message.publish(url=JOBS)
    with pytest.raises(RuntimeError, match="coroutine raised StopIteration") as raised:
        await qstash_fake.deliver_due_async()
    assert raised.value.__cause__ is error
    assert error.__notes__[0].endswith(f"to {JOBS}, attempt 1 of 4")
    await qstash_fake.drain_async()
    assert states(qstash_fake.messages[0]) == ["500", "200", "DELIVERED"]


def test_a_handlers_exception_has_no_other_as_its_context(qstash_fake, client):
    error = LookupError("no such order")
    qstash_fake.mount(failing(error))
    client.message.publish(url=JOBS)
    with pytest.raises(LookupError):
        qstash_fake.deliver_due()
    assert error.__context__ is None
    assert error.__cause__ is None


def test_a_failed_assertion_in_a_handler_fails_the_test(qstash_fake, client):
    def app(request):
        pytest.fail("not what was expected")

    qstash_fake.mount(app)
    client.message.publish(url=JOBS)
    with pytest.raises(pytest.fail.Exception, match="not what was expected"):
        qstash_fake.deliver_due()


@pytest.mark.asyncio
async def test_a_cancelled_verb_records_the_attempt_and_the_next_verb_works(qstash_fake, client):
    started = asyncio.Event()

    async def app(request: httpx.Request) -> httpx.Response:
        if not started.is_set():
            started.set()
            await asyncio.Event().wait()
        return httpx.Response(200)

    qstash_fake.mount(app)
    client.message.publish(url=JOBS)
    verb = asyncio.create_task(qstash_fake.drain_async())
    await started.wait()
    verb.cancel()
    with pytest.raises(asyncio.CancelledError):
        await verb
    await qstash_fake.drain_async()
    assert states(qstash_fake.messages[0]) == ["500", "200", "DELIVERED"]


@pytest.mark.asyncio
async def test_a_time_out_around_a_verb_works_while_time_is_frozen(qstash_fake, client):
    async def app(request: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        return httpx.Response(200)

    qstash_fake.mount(app)
    client.message.publish(url=JOBS)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(qstash_fake.drain_async(), timeout=0.001)


def test_an_exception_takes_its_time_as_an_answer_does(qstash_fake, client):
    qstash_fake.mount(failing(LookupError("slow")))
    qstash_fake.on(JOBS).takes("30s")
    client.message.publish(url=JOBS)
    with pytest.raises(LookupError):
        qstash_fake.deliver_due()
    (message,) = qstash_fake.messages
    assert (message.state, message.attempts[0].status) == ("ACTIVE", None)
    qstash_fake.clock.advance("30s")
    assert (message.state, message.due_at) == ("RETRY", START + timedelta(seconds=30 + FIRST_RETRY_S))


def test_an_exception_after_the_timeout_is_raised_although_its_answer_is_discarded(qstash_fake, client):
    error = LookupError("late")
    qstash_fake.mount(failing(error))
    qstash_fake.on(JOBS).takes("30s")
    client.message.publish(url=JOBS, timeout="10s", retries=0)
    with pytest.raises(LookupError):
        qstash_fake.deliver_due()
    qstash_fake.drain()
    (attempt,) = qstash_fake.attempts
    assert (attempt.status, attempt.error, attempt.exception) == (0, "timeout", error)


def test_an_exception_of_the_same_name_is_noted_once_for_each_attempt(qstash_fake, client):
    error = LookupError("always the same object")
    qstash_fake.mount(failing(error, error))
    client.message.publish(url=JOBS)
    for _ in range(2):
        with pytest.raises(LookupError):
            qstash_fake.drain()
    assert [note.rpartition(", ")[2] for note in error.__notes__] == ["attempt 1 of 4", "attempt 2 of 4"]
