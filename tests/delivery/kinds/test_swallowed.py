"""Exceptions that Flask and Django turn into a 500 themselves: whose they are, and who listens for how long."""

import flask
import pytest
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
    def listeners() -> tuple[int, int]:
        return len(flask.got_request_exception.receivers), len(django_signal.receivers)

    before = listeners()
    with QStashFake() as fake:
        assert listeners() == before
        for _ in range(2):
            fake.clock.advance("1s")
        assert listeners() == (before[0] + 1, before[1] + 1)
    assert listeners() == before


@pytest.mark.asyncio
async def test_nobody_listens_after_async_verbs_either():
    before = len(flask.got_request_exception.receivers)
    with QStashFake() as fake:
        await fake.clock.advance_async("1s")
    assert len(flask.got_request_exception.receivers) == before
