"""The official Python SDK of Upstash Workflow, in-process: FastAPI, Flask, Django and any other by its `serve`."""

import json
import logging
import os

import django
import flask
import httpx
import pytest
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from fastapi import FastAPI
from qstash import QStash
from upstash_workflow import AsyncWorkflowContext, WorkflowContext, serve
from upstash_workflow.fastapi import Serve as FastApiServe
from upstash_workflow.flask import Serve as FlaskServe
from upstash_workflow.workflow_types import _SyncRequest

URL = "https://shop.example/trial"
ASK = "https://api.example/ask"
CLIENT = QStash("a-token")

pytestmark = pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z")


@pytest.fixture(autouse=True)
def quiet():
    """The SDK logs each failed call with its traceback."""
    logging.disable(logging.ERROR)
    yield
    logging.disable(logging.NOTSET)


def fastapi_app(**options):
    """A workflow that runs, sleeps and calls, on FastAPI."""
    app = FastAPI()

    @FastApiServe(app).post("/trial", **options)
    async def trial(context: AsyncWorkflowContext) -> None:
        async def welcome():
            return {"hello": context.request_payload["name"]}

        greeting = await context.run("welcome", welcome)
        await context.sleep("wait", "11d")
        answer = await context.call("ask", url=ASK, method="POST", body={"q": greeting})
        await context.run("end", lambda: [greeting["hello"], answer.status, answer.body])

    return app


def flask_app(**options):
    """The same on Flask."""
    app = flask.Flask("shop")

    @FlaskServe(app).route("/trial", **options)
    def trial(context: WorkflowContext) -> None:
        steps(context)

    return app


def bare_app(**options):
    """The same on the bare `serve`, in an application of one's own."""
    handler = serve(steps, **options)["handler"]

    def app(request: httpx.Request) -> httpx.Response:
        asked = _SyncRequest(
            body=request.content.decode(), headers=request.headers, method=request.method, url=str(request.url)
        )
        answer = handler(asked)
        return httpx.Response(answer.status, headers=answer.headers, content=answer.body)

    return app


def django_app(**options):
    """The same as a view of Django, on the bare `serve`."""
    handler = serve(steps, **options)["handler"]

    @csrf_exempt
    def view(request: HttpRequest) -> HttpResponse:
        asked = _SyncRequest(
            body=request.body.decode(),
            headers=request.headers,
            method=request.method,
            url=request.build_absolute_uri(),
        )
        answer = handler(asked)
        return HttpResponse(answer.body, status=answer.status, headers=answer.headers)

    # In a run of the whole suite the settings are those of the example, which names a module of its own.
    if not settings.configured and "DJANGO_SETTINGS_MODULE" not in os.environ:
        settings.configure(SECRET_KEY="made-up", USE_TZ=True)
    django.setup(set_prefix=False)
    with override_settings(ROOT_URLCONF=(path("trial", view),), ALLOWED_HOSTS=["shop.example"], MIDDLEWARE=[]):
        return Site()


class Site(WSGIHandler):  # type: ignore[misc]  # Django ships no types
    """A site of Django that keeps the settings which were there when it was made."""

    def __init__(self) -> None:
        super().__init__()
        names = ("ROOT_URLCONF", "ALLOWED_HOSTS", "MIDDLEWARE")
        self._settings = override_settings(**{name: getattr(settings, name) for name in names})

    def __call__(self, environ, start_response):
        with self._settings:
            return super().__call__(environ, start_response)


def steps(context):
    greeting = context.run("welcome", lambda: {"hello": context.request_payload["name"]})
    context.sleep("wait", "11d")
    answer = context.call("ask", url=ASK, method="POST", body={"q": greeting})
    context.run("end", lambda: [greeting["hello"], answer.status, answer.body])


FRAMEWORKS = pytest.mark.parametrize("make", [fastapi_app, flask_app, bare_app, django_app])


@pytest.mark.protocol("W every primitive", "4.9 workflow run")
@FRAMEWORKS
def test_a_workflow_that_sleeps_eleven_days_ends_in_one_drain(qstash_fake, make):
    qstash_fake.mount(make(), "https://shop.example")
    qstash_fake.on(ASK).respond(json={"a": 1})
    CLIENT.message.publish_json(url=URL, body={"name": "Ada"})
    qstash_fake.drain()
    run = qstash_fake.assert_workflow(URL, state="RUN_SUCCESS", payload={"name": "Ada"}, step="end", times=1)
    assert [(step.id, step.name, step.type, step.out) for step in run.steps] == [
        (1, "welcome", "Run", {"hello": "Ada"}),
        (2, "wait", "SleepFor", None),
        (3, "ask", "Call", run.steps[2].out),
        (4, "end", "Run", ["Ada", 200, {"a": 1}]),
    ]
    assert (run.ended_at - run.created_at).days == 11
    assert run.steps[1].at - run.created_at == run.ended_at - run.created_at
    assert run.result is None  # this SDK never says what a workflow has returned
    # One call starts the run; then the start, three steps, the report of the call and its result, and the last step.
    calls = [attempt for attempt in qstash_fake.attempts if attempt.message.url == URL]
    assert [attempt.status for attempt in calls] == [200] * 7


@FRAMEWORKS
def test_deliveries_are_signed_and_the_sdk_verifies_them(qstash_fake, make):
    # The signing keys stand in the environment; the SDK makes its receiver of them, which keys of later do not fit.
    qstash_fake.mount(make(), "https://shop.example")
    for _ in range(2):
        qstash_fake.signing_keys.rotate()
    CLIENT.message.publish_json(url=URL, body={"name": "Ada"}, retries=0)
    qstash_fake.drain()
    assert b"signature" in qstash_fake.assert_dead_lettered(status=500).response_body.lower()
    assert not qstash_fake.workflows


def flaky_app(told, failures, **options):
    app = FastAPI()

    async def told_of_it(context, status, response, headers):
        told.append((context.request_payload, status, response))

    @FastApiServe(app).post("/trial", failure_function=told_of_it, **options)
    async def trial(context: AsyncWorkflowContext) -> None:
        def charge():
            if failures:
                raise RuntimeError(failures.pop())
            return "paid"

        await context.run("order", lambda: 7)
        await context.run("charge", charge)

    return app


def test_a_step_that_fails_is_retried_after_the_backoff(qstash_fake):
    qstash_fake.mount(flaky_app([], ["declined"]), "https://shop.example")
    CLIENT.message.publish_json(url=URL, body={"order": 7})
    qstash_fake.deliver_due()
    assert qstash_fake.timeline().splitlines()[-2].endswith(f"of {URL} step 2: retry 1 of 3 due in 12s")
    qstash_fake.clock.advance("12s")
    run = qstash_fake.assert_workflow(state="RUN_SUCCESS")
    assert [step.out for step in run.steps] == [7, "paid"]
    assert (run.error, run.ended_at - run.created_at) == (None, qstash_fake.clock.now - run.created_at)


def test_a_run_that_fails_calls_its_failure_function_and_is_resumed_where_it_failed(qstash_fake):
    told: list[object] = []
    failures = ["declined"] * 3
    qstash_fake.mount(flaky_app(told, failures, retries=2), "https://shop.example")
    CLIENT.message.publish_json(url=URL, body={"order": 7})
    qstash_fake.drain()
    run = qstash_fake.assert_workflow(state="RUN_FAILED")
    assert (run.error, told) == ("declined", [({"order": 7}, 500, "declined")])
    dead = qstash_fake.assert_dead_lettered(url=URL, status=500)
    again = dead.redrive()
    qstash_fake.drain()
    resumed = qstash_fake.assert_workflow(state="RUN_SUCCESS")
    assert resumed.id != run.id
    assert [(step.name, step.out) for step in resumed.steps] == [("order", 7), ("charge", "paid")]
    assert again in resumed.messages
    assert qstash_fake.dlq == []
    # All that is told of the resumed run is one delivery of its last step and that of the new one.
    assert [len(message.attempts) for message in resumed.messages] == [1, 1]


def test_a_list_that_no_longer_fits_the_function_is_told_by_the_timeline_and_by_the_run(qstash_fake):
    app, names = FastAPI(), ["order", "bill"]

    @FastApiServe(app).post("/trial", retries=1)
    async def trial(context: AsyncWorkflowContext) -> None:
        await context.run(names[0], lambda: 1)
        await context.sleep("wait", "1d")
        await context.run("end", lambda: 2)

    qstash_fake.mount(app, "https://shop.example")
    CLIENT.message.publish_json(url=URL, body={})
    qstash_fake.deliver_due()
    names.reverse()  # what a deployment does to a run that sleeps
    qstash_fake.drain()
    said = "Incompatible step name. Expected 'bill', got 'order' from the request"
    run = qstash_fake.assert_workflow(state="RUN_FAILED")
    assert run.error == said
    lines = [line for line in qstash_fake.timeline().splitlines() if " ERROR " in line]
    assert len(lines) == 2
    assert all(line.partition("  destination answered ")[2].startswith(f"500 for step 3: {said}") for line in lines)
    with pytest.raises(AssertionError, match=f"has failed in step 3: {said}"):
        qstash_fake.assert_workflow(state="RUN_SUCCESS")


def test_a_call_is_reported_once_after_its_last_attempt(qstash_fake):
    app = FastAPI()

    @FastApiServe(app).post("/trial")
    async def trial(context: AsyncWorkflowContext) -> None:
        answer = await context.call("ask", url=ASK, method="POST", body={}, retries=1)
        await context.run("end", lambda: answer.status)

    qstash_fake.mount(app, "https://shop.example")
    qstash_fake.on(ASK).respond_with([503, 504])
    CLIENT.message.publish_json(url=URL, body={})
    qstash_fake.drain()
    run = qstash_fake.assert_workflow(state="RUN_SUCCESS")
    assert run.steps[-1].out == 504
    reports = [message for message in run.messages if message.headers.get("Upstash-Workflow-Callback")]
    assert [json.loads(message.body)["status"] for message in reports] == [504]
    assert qstash_fake.dlq == []


def test_a_workflow_that_returns_before_its_first_step_fails(qstash_fake):
    app = FastAPI()

    @FastApiServe(app).post("/trial", retries=0)
    async def trial(context: AsyncWorkflowContext) -> None:
        if not context.headers.get("x-key"):
            return
        await context.run("one", lambda: 1)

    qstash_fake.mount(app, "https://shop.example")
    CLIENT.message.publish_json(url=URL, body={}, retries=0)
    qstash_fake.drain()
    assert not qstash_fake.workflows
    qstash_fake.assert_dead_lettered(url=URL, status=400, times=1)


@pytest.mark.protocol("W cancel")
def test_a_run_is_cancelled_by_its_id(qstash_fake):
    qstash_fake.mount(fastapi_app(), "https://shop.example")
    CLIENT.message.publish_json(url=URL, body={"name": "Ada"})
    qstash_fake.deliver_due()
    run = qstash_fake.assert_workflow(state="RUN_STARTED")
    headers = {"Authorization": "Bearer a-token"}
    asked = httpx.delete(f"https://qstash.upstash.io/v2/workflows/runs/{run.id}?cancel=true", headers=headers)
    assert asked.status_code == 200
    assert run.state == "RUN_CANCELED"
    assert [step.name for step in run.steps] == ["welcome"]  # the sleep was cut short
    qstash_fake.assert_idle()


def test_a_delivery_that_comes_twice_runs_its_step_twice_and_keeps_one_result(qstash_fake):
    told: list[int] = []
    app = FastAPI()

    def one() -> int:
        told.append(1)
        return len(told)

    @FastApiServe(app).post("/trial")
    async def trial(context: AsyncWorkflowContext) -> None:
        await context.sleep("wait", "1h")
        await context.run("one", one)
        await context.run("two", lambda: "two")

    qstash_fake.mount(app, "https://shop.example")
    CLIENT.message.publish_json(url=URL, body={})
    qstash_fake.deliver_due()
    qstash_fake.duplicate_next(URL)
    qstash_fake.drain()
    run = qstash_fake.assert_workflow(state="RUN_SUCCESS")
    assert told == [1, 1]
    assert [(step.name, step.out) for step in run.steps] == [("wait", None), ("one", 1), ("two", "two")]


def test_redacted_payloads_are_hidden_in_the_api_and_delivered_as_they_are(qstash_fake):
    handler = serve(lambda context: context.run("one", lambda: context.request_payload["card"]), redact={"body": True})[
        "handler"
    ]

    def app(request: httpx.Request) -> httpx.Response:
        answer = handler(
            _SyncRequest(body=request.content.decode(), headers=request.headers, method="POST", url=str(request.url))
        )
        return httpx.Response(answer.status, headers=answer.headers, content=answer.body)

    qstash_fake.mount(app, "https://shop.example")
    CLIENT.message.publish_json(url=URL, body={"card": "4242"})
    qstash_fake.drain()
    run = qstash_fake.assert_workflow(state="RUN_SUCCESS")
    assert run.steps[0].out == "4242"
    shown = httpx.get(
        "https://qstash.upstash.io/v2/workflows/logs", headers={"Authorization": "Bearer a-token"}
    ).json()["runs"][0]["steps"]
    assert [step["out"][:9] for group in shown for step in group["steps"]] == ["REDACTED:", "REDACTED:"]
