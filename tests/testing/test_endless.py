"""Work without an end: what publishes itself again and again stops every verb, with the URL in the error."""

from __future__ import annotations

import asyncio
import re
from collections import Counter

import httpx
import pytest

from qstash_fake import DrainLimitReached, QStashFake, UsageError
from qstash_fake.testing import endless
from tests.workflows import URL, a_step, marks

JOB, OTHER = "https://shop.example/jobs", "https://shop.example/other"
MOMENT = "2026-01-01T00:00:00Z"


@pytest.fixture
def fake():
    with QStashFake(start=MOMENT, freeze="off") as fake:
        yield fake


def publish(fake, url=JOB, times=1, **headers):
    named = [("Authorization", "Bearer t"), *((name.replace("_", "-"), value) for name, value in headers.items())]
    for _ in range(times):
        fake.api.answer("POST", f"/v2/publish/{url}", named, b"")


def publishing(fake, *urls, times=1, **headers):
    """Return an application that publishes to each of *urls* whenever it is called."""

    def app(request):
        for url in urls:
            publish(fake, url, times, **headers)
        return httpx.Response(200)

    return app


VERBS = {
    "advance": lambda fake: fake.clock.advance("1h"),
    "advance_to": lambda fake: fake.clock.advance_to("2026-01-02"),
    "advance_to_next": lambda fake: fake.clock.advance_to_next(),
    "deliver_due": lambda fake: fake.deliver_due(),
}


def test_more_than_ten_thousand_messages_to_one_url_at_one_instant_stop_a_verb(fake):
    fake.mount(publishing(fake, JOB, times=1_000))
    publish(fake)
    with pytest.raises(DrainLimitReached) as caught:
        fake.deliver_due()
    assert str(caught.value) == (
        f"deliver_due() has created more than 10000 messages to {JOB} at one instant, {MOMENT}: "
        "something publishes itself again and again without a delay"
    )


@pytest.mark.parametrize("verb", VERBS)
def test_a_job_that_publishes_itself_without_a_delay_stops_each_verb_before_the_next_start(fake, verb, monkeypatch):
    monkeypatch.setattr(endless, "MAX_AT_ONE_INSTANT", 100)
    fake.mount(publishing(fake, JOB))
    publish(fake)
    with pytest.raises(
        DrainLimitReached, match=rf"^{verb}\(\) has created more than 100 messages to {JOB} at one instant"
    ):
        VERBS[verb](fake)
    assert f"{fake.clock.now:%H:%M:%S}" == "00:00:00"
    assert len(fake.pending) == 1  # the next one has not started


def test_it_stops_an_async_verb_too(fake, monkeypatch):
    monkeypatch.setattr(endless, "MAX_AT_ONE_INSTANT", 100)
    fake.mount(publishing(fake, JOB))
    publish(fake)
    with pytest.raises(DrainLimitReached, match=rf"^advance\(\) has created more than 100 messages to {JOB}"):
        asyncio.run(fake.clock.advance_async("1h"))


def test_it_is_found_beside_others_that_come_to_an_end(fake, monkeypatch):
    monkeypatch.setattr(endless, "MAX_AT_ONE_INSTANT", 100)
    fake.mount(publishing(fake, OTHER, OTHER, JOB), JOB)
    fake.on(OTHER).respond(200)
    publish(fake)
    with pytest.raises(DrainLimitReached, match=re.escape(f"more than 100 messages to {OTHER} at one instant")):
        fake.deliver_due()
    assert len([message for message in fake.messages if message.url == OTHER]) == 102


def test_as_many_as_the_limit_are_no_endless_work(fake, monkeypatch):
    monkeypatch.setattr(endless, "MAX_AT_ONE_INSTANT", 100)
    fake.mount(publishing(fake, OTHER, times=50), JOB)
    fake.on(OTHER).respond(200)
    publish(fake, times=2)
    assert len(fake.deliver_due().delivered) == 102


def test_what_was_published_before_the_verb_does_not_count(fake, monkeypatch):
    monkeypatch.setattr(endless, "MAX_AT_ONE_INSTANT", 100)
    fake.on(JOB).respond(200)
    publish(fake, times=101)
    assert len(fake.deliver_due().delivered) == 101


def test_each_instant_is_counted_anew(fake, monkeypatch):
    monkeypatch.setattr(endless, "MAX_AT_ONE_INSTANT", 10)
    fake.mount(publishing(fake, JOB, Upstash_Delay="1s"))
    publish(fake)
    assert len(fake.clock.advance("60s").delivered) == 61


def test_several_urls_are_counted_apart(fake, monkeypatch):
    monkeypatch.setattr(endless, "MAX_AT_ONE_INSTANT", 10)
    others = [f"{OTHER}/{number}" for number in range(30)]
    fake.on(f"{OTHER}/*").respond(200)
    fake.mount(publishing(fake, *others, times=10), JOB)
    publish(fake)
    assert len(fake.deliver_due().delivered) == 301


def flow(fake, steps):
    """Return the endpoint of a workflow, which publishes so many steps, one in each call."""
    done: Counter[str] = Counter()

    def app(request):
        name = request.headers["Upstash-Workflow-RunId"]
        done[name] += 1
        if done[name] <= steps:
            headers = [("Authorization", "Bearer t"), *marks(name).items()]
            fake.api.answer("POST", f"/v2/publish/{URL}", headers, a_step(done[name]))
        return httpx.Response(200, headers={"Upstash-Workflow-Sdk-Version": "1"})

    return app


def start(fake, name):
    headers = [("Authorization", "Bearer t"), *marks(name, init=True).items()]
    fake.api.answer("POST", f"/v2/publish/{URL}", headers, b"")


def test_a_run_of_a_workflow_counts_once_and_not_with_each_of_its_steps(fake, monkeypatch):
    monkeypatch.setattr(endless, "MAX_AT_ONE_INSTANT", 10)
    fake.mount(flow(fake, steps=9), URL)
    for number in range(5):
        start(fake, f"wfr_{number}")
    assert len(fake.deliver_due().delivered) == 50


def test_a_run_whose_steps_have_no_end_stops_a_verb(fake, monkeypatch):
    monkeypatch.setattr(endless, "MAX_AT_ONE_INSTANT", 10)
    fake.mount(flow(fake, steps=1_000), URL)
    start(fake, "wfr_1")
    with pytest.raises(DrainLimitReached) as caught:
        fake.clock.advance("1h")
    assert str(caught.value) == (
        f"advance() has created more than 10 messages of run wfr_1 of {URL} at one instant, {MOMENT}: "
        "something publishes itself again and again without a delay"
    )


def test_a_drain_has_its_own_limit_alone(fake, monkeypatch):
    monkeypatch.setattr(endless, "MAX_AT_ONE_INSTANT", 10)
    fake.mount(publishing(fake, JOB))
    publish(fake)
    with pytest.raises(DrainLimitReached, match=r"^drain\(\) has created more than 50 messages and is not done"):
        fake.drain(limit=50)
    assert len(fake.messages) == 52


# --- the hint: it names the verb of the test, whatever loop delivers ------------------------------------------------


def asgi(fake):
    """Return an ASGI application that publishes its own job, a minute later, whenever it is called."""

    async def app(scope, receive, send):
        publish(fake, Upstash_Delay="1m")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    return app


def test_the_hint_names_sync_verbs_to_a_sync_test_though_its_application_runs_on_a_loop(fake):
    fake.mount(asgi(fake), lifespan=False)
    publish(fake)
    with pytest.raises(DrainLimitReached) as reached:
        fake.drain(limit=3)
    with pytest.raises(UsageError) as late:
        fake.clock.advance_until(lambda: False, limit="3m")
    assert (str(reached.value).rpartition("; ")[2], str(late.value).partition(": deliver ")[2]) == (
        "raise drain(limit=…), or go step by step with qstash_fake.clock.advance(…)",
        "with qstash_fake.clock.advance('1m'), or all with qstash_fake.drain()",
    )


@pytest.mark.asyncio
async def test_the_hint_names_async_verbs_to_an_async_test(fake):
    fake.mount(asgi(fake), lifespan=False)
    publish(fake)
    with pytest.raises(DrainLimitReached) as reached:
        await fake.drain_async(limit=3)
    with pytest.raises(UsageError) as late:
        await fake.clock.advance_until_async(lambda: False, limit="3m")
    assert (str(reached.value).rpartition("; ")[2], str(late.value).partition(": deliver ")[2]) == (
        "raise drain_async(limit=…), or go step by step with await qstash_fake.clock.advance_async(…)",
        "with await qstash_fake.clock.advance_async('1m'), or all with await qstash_fake.drain_async()",
    )


def test_after_a_sync_verb_a_test_that_runs_a_loop_is_told_async_ones(fake):
    async def on_a_loop():
        fake.assert_idle()

    fake.on(JOB).respond(200)
    fake.deliver_due()
    publish(fake)
    with pytest.raises(AssertionError, match=r"deliver with await qstash_fake\.deliver_due_async\(\)\n"):
        asyncio.run(on_a_loop())
