"""What grows: each measurement has a small side and a large one, and gives the CPU seconds of each, a unit of work."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from broker_alone import Pairs, message_s
from calls import AUTHORIZED, BODY, SHOP, START, URL, publish
from measure import Numbers, in_a_fresh_process, in_turns, long_cpu_s, peak_mb

from qstash_fake import QStashFake

VERBS = 20  # in a row, each of which delivers one message

# --- the broker alone, for each message -------------------------------------------------------------------------


def pending() -> Numbers:
    delayed = (("Upstash-Delay", "1d"),)
    return _broker([delayed] * 1_000, [delayed] * 100_000)


def behind_keys() -> Numbers:
    return _broker([_key(f"k{n % 20}") for n in range(100)], [_key(f"k{n % 2_000}") for n in range(10_000)])


def behind_one_key() -> Numbers:
    return _broker([_key("k")] * 1_000, [_key("k")] * 20_000)


def behind_one_queue() -> Numbers:
    queue = (("Upstash-Queue-Name", "q"),)
    return _broker([queue] * 1_000, [queue] * 20_000)


def _broker(small: list[Pairs], large: list[Pairs]) -> Numbers:
    """Return the seconds of a message in brokers of few messages, one after the other, and in one of many."""
    brokers = min(20, len(large) // len(small))
    return in_turns(1, small=lambda: message_s(small, brokers), large=lambda: message_s(large))


def _key(key: str, limit: str = "rate=1,period=1s") -> Pairs:
    return ("Upstash-Flow-Control-Key", key), ("Upstash-Flow-Control-Value", limit)


# --- a long time, many assertions, many that are held -----------------------------------------------------------


def a_year_of_minutes() -> Numbers:
    return in_a_fresh_process(year)  # memory that was once freed hides what is taken later


def year() -> Numbers:
    """Return the CPU seconds of a year of ticks in one verb, and the MB that came on top of the start."""
    with QStashFake(start=START) as fake:
        _post(fake, f"/v2/schedules/{URL}", BODY, ("Upstash-Cron", "* * * * *"))
        fake.on("*").respond(200)
        before_mb = peak_mb()
        spent = long_cpu_s(lambda: fake.clock.advance("365d"))
        return {"year": spent, "MB": peak_mb() - before_mb}


def a_thousand_assertions() -> Numbers:
    with QStashFake(start=START) as fake:
        for number in range(1_000):
            publish(fake, body=json.dumps({"order": number}).encode())

        def ask() -> None:
            for number in range(1_000):
                fake.assert_published(URL, json={"order": number})

        return {"assertions": long_cpu_s(ask)}


def held_by_a_paused_queue() -> Numbers:
    return _beside_held("/v2/queues/q/pause", path=f"/v2/enqueue/q/{SHOP}/held")


def held_by_a_paused_key() -> Numbers:
    return _beside_held("/v2/flowControl/k/pause", headers=_key("k"))


def held_by_a_closed_rate() -> Numbers:
    return _beside_held(None, headers=_key("k", "rate=1,period=1d"))


def _beside_held(pause: str | None, path: str = f"/v2/publish/{SHOP}/held", headers: Pairs = ()) -> Numbers:
    """Return the seconds of a verb that delivers one other message, beside 100 held messages and beside 10,000."""

    def verb_s(held: int) -> float:
        with QStashFake(start=START) as fake:
            fake.on("*").respond(200)
            if pause is not None:
                _post(fake, pause)
            for _ in range(held):
                _post(fake, path, BODY, *headers)
            for second in range(VERBS):
                publish(fake, URL, BODY, ("Upstash-Delay", f"{second + 1}s"))
            fake.deliver_due()
            spent = long_cpu_s(lambda: fake.clock.advance("1s"), VERBS)
            assert len(fake.pending) >= held - 1  # a rate lets the first one in
            assert len(fake.delivered) >= VERBS
            return spent

    return in_turns(1, small=lambda: min(verb_s(100) for _ in range(5)), large=lambda: verb_s(10_000))


# --- listings, groups, routes: for each entry, endpoint, message ------------------------------------------------


def pages_of_events() -> Numbers:
    return _pages("/v2/events", "events", 1_000, 4_000)


def pages_of_dead_letters() -> Numbers:
    return _pages("/v2/dlq", "messages", 1_000, 4_000)


def _pages(path: str, shown_in: str, small: int, large: int) -> Numbers:
    """Return the seconds of reading all pages, for each entry, after *small* and after *large* failed messages."""

    def page_s(messages: int) -> float:
        with QStashFake(start=START) as fake:
            fake.on("*").respond(500)
            for _ in range(messages):
                publish(fake, URL, BODY, ("Upstash-Retries", "0"))
            fake.drain(limit=messages)
            seen = 0

            def read_all() -> None:
                nonlocal seen
                cursor = ""
                while True:
                    reply = fake.api.answer("GET", f"{path}?count=100{cursor}", AUTHORIZED, b"")
                    page = json.loads(reply.body)
                    seen += len(page[shown_in])
                    if not page.get("cursor"):
                        return
                    cursor = f"&cursor={quote(page['cursor'])}"

            spent = long_cpu_s(read_all)
            assert seen >= messages
            return spent / seen

    return in_turns(1, small=lambda: page_s(small), large=lambda: page_s(large))


def endpoints_of_a_group() -> Numbers:
    def endpoint_s(count: int) -> float:
        body = json.dumps({"endpoints": [{"url": f"{SHOP}/{number}"} for number in range(count)]}).encode()
        with QStashFake(start=START) as fake:
            return long_cpu_s(lambda: _post(fake, "/v2/topics/g/endpoints", body)) / count

    return in_turns(2, small=lambda: min(endpoint_s(500) for _ in range(4)), large=lambda: endpoint_s(2_000))


def routes_and_messages() -> Numbers:
    def message_s(count: int) -> float:
        with QStashFake(start=START) as fake:
            for number in range(count):
                fake.on(f"{SHOP}/{number}").respond(200)
                publish(fake, f"{SHOP}/{number}")
            spent = long_cpu_s(lambda: fake.drain(limit=count)) / count
            assert len(fake.delivered) == count
            return spent

    return in_turns(2, small=lambda: min(message_s(200) for _ in range(4)), large=lambda: message_s(800))


def _post(fake: QStashFake, path: str, body: bytes = b"", *headers: tuple[str, str]) -> Any:
    reply = fake.api.answer("POST", path, [*AUTHORIZED, *headers], body)
    assert reply.status in (200, 201), reply
    return reply
