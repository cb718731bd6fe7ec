"""A suite that says all its types: mypy --strict and basedpyright in strict mode accept it (`make types`)."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest
from qstash import AsyncQStash, QStash

from qstash_fake import ApiCall, Attempt, DeadLetter, Duration, Message, QStashFake, Report, Route, Schedule, Url

SHOP = "https://shop.example"


def publish(path: str, delay: str | None = None) -> None:
    QStash("a-token").message.publish_json(url=SHOP + path, body={"order": 7}, delay=delay)


def the_message(fake: QStashFake, url: Url, delay: Duration) -> Message:
    return fake.assert_published(url, json={"order": 7}, delay=delay, where=lambda message: message.queue is None)


@pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z")
def test_a_delivery(qstash_fake: QStashFake) -> None:
    def app(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"seen": request.headers["Upstash-Message-Id"]})

    qstash_fake.mount(app, SHOP)
    publish("/invoice", delay="5m")
    message = the_message(qstash_fake, SHOP + "/invoice", timedelta(minutes=5))
    report: Report = qstash_fake.clock.advance(minutes=5)
    assert report.delivered == (message,)
    attempts: list[Attempt] = message.attempts
    assert [attempt.status for attempt in attempts] == [200]
    calls: list[ApiCall] = qstash_fake.api.calls
    assert calls[0].messages == (message,)


def test_a_dead_letter(qstash_fake: QStashFake) -> None:
    route: Route = qstash_fake.on(SHOP + "/*").respond_with([503, {"status": 410, "text": "gone"}])
    QStash("a-token").message.publish(url=SHOP + "/mail", retries=1)
    qstash_fake.drain()
    dead: DeadLetter = qstash_fake.assert_dead_lettered(status=410, times=1)
    assert (dead.response_body, route.call_count) == (b"gone", 2)
    again: Message = dead.redrive()
    assert again in qstash_fake.pending


def test_a_schedule(qstash_fake: QStashFake) -> None:
    QStash("a-token").schedule.create(destination=SHOP + "/nightly", cron="0 2 * * *")
    schedule: Schedule = qstash_fake.assert_scheduled(cron="0 2 * * *", destination=SHOP + "/nightly")
    fired: list[Message] = schedule.trigger()
    assert [message.schedule_id for message in fired] == [schedule.schedule_id]


@pytest.mark.asyncio
async def test_on_a_loop(qstash_fake: QStashFake) -> None:
    qstash_fake.on(SHOP + "/invoice").respond(200).takes("2s")
    await AsyncQStash("a-token").message.publish(url=SHOP + "/invoice")
    report: Report = await qstash_fake.clock.advance_async(seconds=2)
    assert qstash_fake.assert_delivered() in report.delivered
