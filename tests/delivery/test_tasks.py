"""Tasks that an application leaves running on the private loop: their turns, and their end."""

import asyncio
import inspect

import httpx
import pytest

from qstash_fake import QStashFake

JOB = "https://shop.example/jobs"
DONE = "https://shop.example/done"


def leaving(work, url=JOB):
    """Return an application that starts *work* in a task when *url* is called, and answers at once."""
    tasks = []

    async def app(request: httpx.Request) -> httpx.Response:
        if str(request.url) == url:
            tasks.append(asyncio.create_task(work()))
        return httpx.Response(200)

    return app


def test_what_a_task_publishes_within_ten_turns_is_delivered_by_the_same_verb(qstash_fake, client):
    async def later():
        for _ in range(9):
            await asyncio.sleep(0)
        client.message.publish(url=DONE)

    qstash_fake.mount(leaving(later))
    client.message.publish(url=JOB)
    assert [attempt.message.url for attempt in qstash_fake.drain().attempts] == [JOB, DONE]


def test_a_task_that_never_ends_has_ten_turns_after_its_delivery_and_ten_before_a_verb_returns(client):
    turns: list[int] = []

    async def endless():
        while True:
            turns.append(len(turns))
            await asyncio.sleep(0)

    def run():
        with QStashFake() as fake:
            fake.mount(leaving(endless))
            client.message.publish(url=JOB)
            fake.deliver_due()
            turns.append(-1)
            fake.deliver_due()

    with pytest.warns(RuntimeWarning, match="endless"):
        run()
    first, second = turns.index(-1), len(turns) - 1 - turns.index(-1)
    assert 20 <= first <= 25  # to start and stop a loop takes turns of its own
    assert 10 <= second <= 13


def test_a_task_that_needs_more_turns_has_them_with_later_deliveries(qstash_fake, client):
    async def later():
        for _ in range(30):
            await asyncio.sleep(0)
        client.message.publish(url=DONE)

    qstash_fake.mount(leaving(later))
    client.message.publish(url=JOB)
    assert len(qstash_fake.drain().attempts) == 1
    client.message.publish(url="https://shop.example/other")
    qstash_fake.drain()
    qstash_fake.assert_published(DONE)


def test_what_still_runs_at_the_end_is_cancelled_with_a_warning_that_names_it(client):
    events: list[str] = []

    async def work():
        try:
            await asyncio.Event().wait()
        finally:
            events.append("cancelled")

    line = inspect.getsourcelines(work)[1]

    def run():
        with QStashFake() as fake:
            fake.mount(leaving(work))
            client.message.publish(url=JOB)
            fake.deliver_due()

    with pytest.warns(RuntimeWarning) as warned:
        run()
    assert events == ["cancelled"]
    (warning,) = warned
    assert str(warning.message) == (
        "the application has left 1 task running, which the end of the fake has cancelled: "
        "test_what_still_runs_at_the_end_is_cancelled_with_a_warning_that_names_it.<locals>.work "
        f"({__file__}:{line}). Let a handler wait for them, or the shutdown of the lifespan cancel them"
    )


def test_a_task_that_has_ended_is_not_warned_of(qstash_fake, client):
    async def later():
        await asyncio.sleep(0)

    with QStashFake() as fake:
        fake.mount(leaving(later))
        client.message.publish(url=JOB)
        fake.deliver_due()
