"""`GET /_fake/events`: what is written in the journal, as server-sent events."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import pytest

from qstash_fake import QStashFake
from qstash_fake.server import events
from qstash_fake.server.events import Events
from qstash_fake.testing.fake import inside
from tests.server.waits import WITHIN_S, eventually
from tests.shop import JOBS


@dataclass
class Event:
    name: str
    id: str
    data: dict[str, object]


class Stream:
    """What a client has been sent; `next()` waits for one event more."""

    def __init__(self, response: httpx.Response) -> None:
        assert (response.status_code, response.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
        self._lines = response.iter_lines()

    def next(self) -> Event:
        fields = dict[str, str]()
        for line in self._lines:
            if not line:
                return Event(fields["event"], fields["id"], json.loads(fields["data"]))
            name, _, value = line.partition(": ")
            fields[name] = value
        raise EOFError

    def states(self, count: int) -> list[object]:
        return [self.next().data["state"] for _ in range(count)]


@contextmanager
def stream(server, after=None) -> Iterator[Stream]:
    parameters = {} if after is None else {"after": after}
    with server.client.stream("GET", "/_fake/events", params=parameters) as response:
        yield Stream(response)


def test_what_is_written_comes_at_once(still):
    still.control("routes", url=JOBS, status=200)
    still.publish(JOBS)
    with stream(still) as sent:
        start = sent.next()
        assert (start.name, start.data) == ("start", {})
        message_id = still.publish(JOBS)
        created = sent.next()
        assert (created.name, created.data["messageId"], created.data["state"]) == ("log", message_id, "CREATED")
        still.control("deliver-due")
        assert sent.states(4) == ["ACTIVE", "DELIVERED", "ACTIVE", "DELIVERED"]


def test_a_client_that_comes_again_goes_on_behind_the_last_id_it_has_seen(still):
    with stream(still) as sent:
        start = sent.next().id
        published = [still.publish(JOBS) for _ in range(3)]
        first, second = sent.next(), sent.next()
    assert [first.data["messageId"], second.data["messageId"]] == published[:2]
    for after, missed in ((start, published), (first.id, published[1:]), (second.id, published[2:])):
        with stream(still, after) as sent:
            assert sent.next().id == after
            assert [sent.next().data["messageId"] for _ in missed] == missed


def test_a_reset_begins_another_life(still):
    still.publish(JOBS)
    with stream(still) as sent:
        start = sent.next()
        still.control("reset")
        reset = sent.next()
        assert reset.name == "reset"
        still.publish(JOBS)
        created = sent.next()
    assert [event.id.split("-")[1] for event in (start, reset, created)] == ["1", "0", "1"]
    assert start.id.split("-")[0] != created.id.split("-")[0]
    with stream(still, start.id) as sent:  # an id of the life before
        assert [sent.next().name for _ in range(3)] == ["start", "reset", "log"]


def test_skipped_ticks_are_notes(still):
    still.client.post(f"/v2/schedules/{JOBS}", headers={"upstash-cron": "* * * * *"})
    still.publish(JOBS, delay="1h", retries="0")
    with stream(still) as sent:
        sent.next()
        still.control("routes", url=JOBS, status=200)
        still.control("drain")
        note = sent.next()
    assert note.name == "note"
    assert "skipped" in str(note.data["text"])


def test_the_token_and_the_origin_count_here_too(still):
    assert httpx.get(f"{still.url}/_fake/events", trust_env=False, timeout=WITHIN_S).status_code == 401
    assert still.client.get("/_fake/events", headers={"origin": "https://evil.example"}).status_code == 403
    assert still.client.get("/_fake/events", headers={"sec-fetch-site": "cross-site"}).status_code == 403


@pytest.mark.parametrize("after", ["", "1", "a-b", "1-2-3", "1--2", f"{'9' * 30}-1"])
def test_what_is_no_id_is_refused_with_a_sentence(still, after):
    answer = still.client.get("/_fake/events", params={"after": after})
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(f"after cannot be {after!r}: it is the id of an event, such as ")


def test_a_server_that_ends_ends_its_streams(serving):
    with serving() as running, stream(running) as sent:
        sent.next()
        running.process.terminate()
        with pytest.raises(EOFError):
            sent.next()
        assert running.process.wait(WITHIN_S) == 0


def test_what_is_no_longer_kept_is_a_gap(monkeypatch):
    monkeypatch.setattr("qstash_fake.broker.journal.MAX_ENTRIES", 10)
    with QStashFake(start="2026-01-01T00:00:00Z", freeze="off") as fake:
        fake.on(JOBS).respond(200)
        source = Events(fake)
        place = source.place(None)
        for _ in range(20):
            fake.api.answer("POST", f"/v2/publish/{JOBS}", [("Authorization", "Bearer x")], b"")
        kept = inside(fake).broker.journal.forgotten

        async def read():
            streamed = source.stream(place)
            return [await anext(streamed) for _ in range(2)]

        _, text = asyncio.run(read())
    assert text.startswith(f'event: gap\nid: {place.life}-{kept}\ndata: {{"missed":{kept}}}\n\nevent: log\n')


def test_a_comment_comes_when_nothing_else_does(monkeypatch):
    monkeypatch.setattr(events, "HEARTBEAT_S", 0.0)
    with QStashFake(start="2026-01-01T00:00:00Z", freeze="off") as fake:
        source = Events(fake)

        async def read():
            streamed = source.stream(source.place(None))
            return [await anext(streamed) for _ in range(2)]

        assert asyncio.run(read())[1] == ": nothing new\n\n"


def test_beside_a_test_it_follows_what_the_test_does(qstash_fake, qstash_server):
    seen = list[str]()

    def read():
        headers = {"authorization": "Bearer x"}
        with httpx.stream("GET", f"{qstash_server.url}/_fake/events", headers=headers, timeout=WITHIN_S) as response:
            for line in response.iter_lines():
                seen.append(line)

    reader = threading.Thread(target=read)
    reader.start()
    eventually(lambda: "event: start" in seen)
    qstash_fake.on(JOBS).respond(200)
    qstash_fake.api.answer("POST", f"/v2/publish/{JOBS}", [("Authorization", "Bearer x")], b"")
    qstash_fake.drain()
    eventually(lambda: seen.count("event: log") == 3)
