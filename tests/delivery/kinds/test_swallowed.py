"""Exceptions that a framework turns into a 500 itself: whose they are, and who listens for how long."""

import threading
from typing import Any

import flask
import litestar
import litestar.testing
import pytest
import quart
from django.core.signals import got_request_exception as django_signal
from qstash import QStash

from qstash_fake import QStashFake
from tests.shop import JOBS

pytestmark = pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z")


def flask_app(error: Exception, handler=None):
    app = flask.Flask("shop")

    @app.post("/jobs")
    def job() -> str:
        raise error

    if handler is not None:
        app.register_error_handler(500, handler)
    return app


def test_an_exception_that_became_another_answer_than_500_was_handled(qstash_fake, client):
    qstash_fake.mount(flask_app(LookupError("no such order"), lambda error: ("sorry", 503)))
    client.message.publish(url=JOBS, retries=0)
    qstash_fake.drain()
    (attempt,) = qstash_fake.attempts
    assert (attempt.status, attempt.exception) == (503, None)


def test_a_page_of_the_applications_own_does_not_hide_the_exception(qstash_fake, client):
    error = LookupError("no such order")
    qstash_fake.mount(flask_app(error, lambda error: ("sorry", 500)))
    client.message.publish(url=JOBS, retries=0)
    with pytest.raises(LookupError) as raised:
        qstash_fake.drain()
    assert raised.value is error
    assert qstash_fake.attempts[0].body == b"sorry"


def test_an_exception_of_another_application_that_the_handler_asks_is_its_own_business(qstash_fake, client):
    inner, outer = flask_app(LookupError("inner")), flask.Flask("outer")

    @outer.post("/jobs")
    def job() -> str:
        return str(inner.test_client().post("/jobs").status_code)

    qstash_fake.mount(outer)
    client.message.publish(url=JOBS)
    qstash_fake.drain()
    (attempt,) = qstash_fake.attempts
    assert (attempt.status, attempt.body, attempt.exception) == (200, b"500", None)


def test_an_exception_is_noted_by_the_fake_that_delivers():
    first, second = LookupError("first"), LookupError("second")
    with QStashFake() as outer:
        outer.mount(flask_app(first))
        QStash("token").message.publish(url=JOBS, retries=0)
        with QStashFake() as inner:
            inner.mount(flask_app(second))
            QStash("token").message.publish(url=JOBS, retries=0)
            with pytest.raises(LookupError, match="second"):
                inner.drain()
        with pytest.raises(LookupError, match="first"):
            outer.drain()
    assert [outer.attempts[0].exception, inner.attempts[0].exception] == [first, second]


def test_what_is_raised_outside_a_delivery_is_nobodys():
    with QStashFake() as fake:
        fake.clock.advance("1s")  # from now on it listens
        assert flask_app(LookupError("by hand")).test_client().post("/jobs").status_code == 500
    assert fake.attempts == []


def test_nobody_listens_before_the_first_verb_and_after_the_end():
    def listeners() -> list[int]:
        return [len(one.receivers) for one in (flask.got_request_exception, django_signal, quart.got_request_exception)]

    before = listeners()
    with QStashFake() as fake:
        assert listeners() == before
        for _ in range(2):
            fake.clock.advance("1s")
        assert listeners() == [count + 1 for count in before]
    assert listeners() == before


def quart_app(error: Exception):
    app = quart.Quart("shop")

    @app.post("/jobs")
    async def job() -> str:
        raise error

    return app


def litestar_app(error: Exception, **options):
    @litestar.post("/jobs")
    async def job() -> None:
        raise error

    return litestar.Litestar([job], openapi_config=None, **{"logging_config": None} | options)


MAKE = {"Flask": flask_app, "Quart": quart_app, "Litestar": litestar_app}
MAKE["Litestar in debug mode"] = lambda error: litestar_app(error, debug=True)


@pytest.mark.parametrize("framework", MAKE)
def test_an_exception_of_a_handler_is_raised_from_the_verb(qstash_fake, client, framework):
    error = LookupError("no such order")
    qstash_fake.mount(MAKE[framework](error))
    client.message.publish(url=JOBS, retries=0)
    with pytest.raises(LookupError) as raised:
        qstash_fake.drain()
    assert raised.value is error
    assert error.__notes__[0].startswith("raised by the application while qstash_fake delivered")
    assert qstash_fake.dlq[0].response_status == 500


@pytest.mark.parametrize("framework", MAKE)
@pytest.mark.asyncio
async def test_an_exception_of_a_handler_is_raised_from_the_async_verb(qstash_fake, client, framework):
    qstash_fake.mount(MAKE[framework](LookupError("no such order")))
    client.message.publish(url=JOBS, retries=0)
    with pytest.raises(LookupError, match="no such order"):
        await qstash_fake.drain_async()


def test_an_exception_of_an_entered_litestar_client_is_raised(qstash_fake, client):
    with litestar.testing.TestClient(litestar_app(LookupError("no such order"))) as test_client:
        qstash_fake.mount(test_client)
        client.message.publish(url=JOBS, retries=0)
        with pytest.raises(LookupError, match="no such order"):
            qstash_fake.drain()


def test_a_500_that_a_litestar_handler_asks_for_is_an_answer(qstash_fake, client):
    qstash_fake.mount(litestar_app(litestar.exceptions.InternalServerException("on purpose")))
    client.message.publish(url=JOBS, retries=0)
    qstash_fake.drain()
    (attempt,) = qstash_fake.attempts
    assert (attempt.status, attempt.exception) == (500, None)


def test_an_exception_that_a_litestar_application_handles_is_an_answer(qstash_fake, client):
    def handler(request: litestar.Request[Any, Any, Any], error: Exception) -> litestar.Response[str]:
        return litestar.Response("gone", status_code=410)

    qstash_fake.mount(litestar_app(LookupError("no such order"), exception_handlers={LookupError: handler}))
    client.message.publish(url=JOBS, retries=0)
    qstash_fake.drain()
    (attempt,) = qstash_fake.attempts
    assert (attempt.status, attempt.exception) == (410, None)


def test_quart_starts_no_thread_to_tell(qstash_fake, client, monkeypatch):
    started: list[threading.Thread] = []
    monkeypatch.setattr(threading.Thread, "start", started.append)
    qstash_fake.mount(quart_app(LookupError("no such order")))
    client.message.publish(url=JOBS, retries=0)
    with pytest.raises(LookupError):
        qstash_fake.drain()
    assert started == []


@pytest.mark.asyncio
async def test_nobody_listens_after_async_verbs_either():
    before = len(flask.got_request_exception.receivers)
    with QStashFake() as fake:
        await fake.clock.advance_async("1s")
    assert len(flask.got_request_exception.receivers) == before
