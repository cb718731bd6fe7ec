"""Django's four ways to be called: its two handlers and its two test clients."""

import threading

import pytest

from qstash_fake import UsageError

pytestmark = pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z")

ECHO = "https://shop.example/jobs/echo?a=%20"


def wsgi_handler():
    from django.core.handlers.wsgi import WSGIHandler

    return WSGIHandler()


def asgi_handler():
    from django.core.handlers.asgi import ASGIHandler

    return ASGIHandler()


def test_client():
    from django.test import Client

    return Client()


def async_test_client():
    from django.test import AsyncClient

    return AsyncClient()


test_client.__test__ = False  # type: ignore[attr-defined]

KINDS = {
    "WSGI handler": wsgi_handler,
    "ASGI handler": asgi_handler,
    "test client": test_client,
    "async test client": async_test_client,
}


@pytest.fixture(params=KINDS)
def app(request, django_site):
    return KINDS[request.param]()


@pytest.mark.parametrize("body", [b"\xff\x00", b""])
def test_a_view_sees_the_request_as_it_was_sent(qstash_fake, client, app, body):
    qstash_fake.mount(app)
    client.message.publish(url=ECHO, body=body, content_type="application/octet-stream")
    qstash_fake.deliver_due()
    (attempt,) = qstash_fake.attempts
    assert (attempt.status, attempt.headers["X-Django"]) == (200, "1")
    assert attempt.body == f"POST {ECHO} 0 {body!r}".encode()


@pytest.mark.asyncio
async def test_a_view_sees_the_request_in_an_async_test(qstash_fake, client, app):
    qstash_fake.mount(app)
    client.message.publish(url=ECHO, body=b"\xff\x00")
    await qstash_fake.deliver_due_async()
    assert qstash_fake.attempts[0].body == rb"POST https://shop.example/jobs/echo?a=%20 0 b'\xff\x00'"


def test_an_async_view_is_delivered_to(qstash_fake, client, app):
    qstash_fake.mount(app)
    client.message.publish(url="https://shop.example/jobs/async", body="x")
    qstash_fake.deliver_due()
    assert qstash_fake.attempts[0].body == b"POST https://shop.example/jobs/async b'x'"


def test_a_path_with_two_slashes_stays_one(qstash_fake, client, app):
    qstash_fake.mount(app)
    client.message.publish(url="https://shop.example/jobs//echo", body="x")
    qstash_fake.deliver_due()
    assert qstash_fake.attempts[0].body == b"POST https://shop.example/jobs//echo 0 b'x'"


def test_a_path_that_begins_with_two_slashes_is_no_host(qstash_fake, client, app):
    qstash_fake.mount(app)
    client.message.publish(url="https://shop.example//jobs/echo", body="x")
    qstash_fake.deliver_due()
    assert qstash_fake.attempts[0].status == 200


def test_a_synchronous_view_runs_in_the_thread_of_the_test(qstash_fake, client, app, django_site):
    qstash_fake.mount(app)
    client.message.publish(url=ECHO, body="x")
    qstash_fake.deliver_due()
    assert django_site.seen == [threading.current_thread()]


@pytest.mark.parametrize("path", ["echo", "async"])
def test_no_context_variable_leaks_out_of_a_view(qstash_fake, client, app, django_site, path):
    qstash_fake.mount(app)
    client.message.publish(url=f"https://shop.example/jobs/{path}", body="x")
    qstash_fake.deliver_due()
    assert qstash_fake.attempts[0].status == 200
    assert django_site.leaking.get() == "clean"


def test_an_exception_that_django_turns_into_a_500_is_raised_from_the_verb(qstash_fake, client, app):
    qstash_fake.mount(app)
    client.message.publish(url="https://shop.example/jobs/fails", body="x")
    with pytest.raises(LookupError, match="no such order"):
        qstash_fake.deliver_due()
    assert qstash_fake.attempts[0].status == 500


@pytest.mark.asyncio
async def test_an_exception_of_a_view_is_raised_from_the_async_verb(qstash_fake, client, app):
    qstash_fake.mount(app)
    client.message.publish(url="https://shop.example/jobs/fails", body="x")
    with pytest.raises(LookupError, match="no such order"):
        await qstash_fake.deliver_due_async()


def test_a_streaming_answer_is_read_to_its_end(qstash_fake, client, django_site):
    for make in (wsgi_handler, test_client):
        qstash_fake.mount(make())
        client.message.publish(url="https://shop.example/jobs/streams", body="x")
        qstash_fake.deliver_due()
    assert [attempt.body for attempt in qstash_fake.attempts] == [b"ab", b"ab"]


def test_a_host_that_django_does_not_allow_is_an_answer_of_400(qstash_fake, client, django_site):
    from django.test import override_settings

    qstash_fake.mount(test_client())
    client.message.publish(url=ECHO, body="x", retries=0)
    with override_settings(ALLOWED_HOSTS=["other.example"]):
        qstash_fake.deliver_due()
    assert qstash_fake.dlq[0].response_status == 400


def test_a_request_factory_is_no_application(qstash_fake):
    from django.test import RequestFactory

    with pytest.raises(UsageError, match=r"mount django\.test\.Client\(\)"):
        qstash_fake.mount(RequestFactory())
