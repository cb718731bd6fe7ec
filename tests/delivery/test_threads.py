"""Which thread and which event loop a delivery runs on."""

import asyncio
import threading

import httpx
import pytest
from fastapi import FastAPI

JOB = "https://shop.example/jobs/echo"


def fastapi_app(*, in_thread: bool) -> FastAPI:
    app = FastAPI()

    def job() -> bool:
        return threading.current_thread() is threading.main_thread()

    async def async_job() -> bool:
        return job()

    app.add_api_route("/jobs/echo", job if in_thread else async_job, methods=["POST"])
    return app


def test_a_wsgi_app_runs_in_the_thread_of_the_test(qstash_fake, client):
    threads = []

    def app(environ, start_response):
        threads.append(threading.current_thread())
        start_response("200 OK", [])
        return []

    qstash_fake.mount(app)
    client.message.publish(url=JOB)
    qstash_fake.deliver_due()
    assert threads == [threading.current_thread()]


@pytest.mark.asyncio
@pytest.mark.parametrize("wrap", [lambda app: app, lambda app: httpx.Client(transport=httpx.WSGITransport(app))])
async def test_a_wsgi_app_does_not_block_the_running_loop(qstash_fake, client, wrap):
    threads = []

    def app(environ, start_response):
        threads.append(threading.current_thread())
        start_response("200 OK", [("Content-Length", "0")])
        return [b""]

    qstash_fake.mount(wrap(app))
    client.message.publish(url=JOB)
    await qstash_fake.deliver_due_async()
    assert threads != [threading.current_thread()]


def test_a_sync_verb_starts_no_thread_for_an_async_endpoint(qstash_fake, client, monkeypatch):
    started: list[threading.Thread] = []
    monkeypatch.setattr(threading.Thread, "start", started.append)
    qstash_fake.mount(fastapi_app(in_thread=False))
    client.message.publish(url=JOB, body=b"\xff")
    qstash_fake.deliver_due()
    assert qstash_fake.attempts[0].status == 200
    assert started == []


def test_no_thread_of_a_sync_endpoint_outlives_the_verb(qstash_fake, client):
    qstash_fake.mount(fastapi_app(in_thread=True))
    client.message.publish(url=JOB)
    before = set(threading.enumerate())
    qstash_fake.deliver_due()
    for thread in set(threading.enumerate()) - before:
        thread.join(timeout=5)
    assert set(threading.enumerate()) <= before


def test_all_deliveries_of_the_sync_verbs_share_one_loop(qstash_fake, client):
    loops = []

    async def app(request: httpx.Request) -> httpx.Response:
        loops.append(asyncio.get_running_loop())
        return httpx.Response(200)

    qstash_fake.mount(app)
    client.message.publish(url=JOB)
    qstash_fake.deliver_due()
    client.message.publish(url=JOB)
    qstash_fake.clock.advance("1s")
    assert loops[0] is loops[1]


@pytest.mark.asyncio
async def test_the_async_verbs_deliver_on_the_loop_of_the_test(qstash_fake, client):
    loops = []

    async def app(request: httpx.Request) -> httpx.Response:
        loops.append(asyncio.get_running_loop())
        return httpx.Response(200)

    qstash_fake.mount(app)
    client.message.publish(url=JOB)
    await qstash_fake.deliver_due_async()
    assert loops == [asyncio.get_running_loop()]


def test_a_wsgi_app_may_run_an_event_loop_of_its_own(qstash_fake, client):
    async def work():
        await asyncio.sleep(0)
        return b"done"

    def app(environ, start_response):
        start_response("200 OK", [])
        return [asyncio.run(work())]

    qstash_fake.mount(app)
    client.message.publish(url=JOB)
    qstash_fake.deliver_due()
    assert qstash_fake.attempts[0].body == b"done"
