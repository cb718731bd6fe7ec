"""The journal while it is written: for the lines of the server, and over HTTP as server-sent events (WHATWG HTML, 9.2).

The id of an event is the place behind it, `LIFE-NUMBER`: a reset begins another life, in which the numbers start
again. A client that gives the last id it has seen gets the events after it. With an id of another life it gets
everything of this life. Entries that the journal no longer keeps are reported as a gap.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

from qstash_fake.api import wire
from qstash_fake.broker.broker import Broker
from qstash_fake.broker.journal import LogEntry, Note
from qstash_fake.errors import Refused
from qstash_fake.testing.fake import QStashFake, inside

POLL_S = 0.1  # soon enough for people; a test writes the journal from its own thread, which wakes nobody
HEARTBEAT_S = 15.0  # WHATWG HTML, 9.2.7: a comment every 15 seconds or so keeps proxies from closing the connection
AT_ONCE = 20  # entries that are sent before others get a turn


class Place(NamedTuple):
    """Where a reader stands: *number* is that of the next entry in the journal of this *life*."""

    life: int
    number: int

    def __str__(self) -> str:
        return f"{self.life}-{self.number}"


class Restarted:
    """There was a reset: everything before it is forgotten."""


@dataclass(frozen=True, slots=True)
class Missed:
    """*count* entries were not read in time, and are no longer kept."""

    count: int


What = LogEntry | Note | Restarted | Missed


class Lives:
    """The journals of one fake, one after the other; each has a number."""

    def __init__(self, fake: QStashFake) -> None:
        self._fake = fake
        self._journal = inside(fake).broker.journal
        self._life = time.time_ns() // 1_000_000  # the ids of a server that is started again are others

    def current(self) -> tuple[int, Broker]:
        """Return the number of this life, and the broker that lives it."""
        broker = inside(self._fake).broker
        if broker.journal is not self._journal:
            self._journal, self._life = broker.journal, self._life + 1
        return self._life, broker


class Reader:
    """Reads what is written from *place* on, across resets."""

    def __init__(self, lives: Lives, place: Place) -> None:
        self._lives = lives
        self._place = place

    def take(self, at_most: int) -> list[tuple[Place, What]]:
        """Return what is new, oldest first, each with the place behind it."""
        life, broker = self._lives.current()
        journal, number = broker.journal, min(self._place.number, broker.journal.total)
        new: list[tuple[Place, What]] = []
        if life != self._place.life:
            number = 0
            new.append((Place(life, 0), Restarted()))
        if (missed := journal.forgotten - number) > 0:
            number = journal.forgotten
            new.append((Place(life, number), Missed(missed)))
        entries = itertools.islice(journal.oldest(number - 1), at_most)
        new += [(Place(life, number + 1), entry) for number, entry in entries]
        if new:
            self._place = new[-1][0]
        return new


class Events:
    """The journal of *fake* as streams of events, for any number of clients."""

    def __init__(self, fake: QStashFake) -> None:
        self._lives = Lives(fake)
        self._ended = asyncio.Event()

    def end(self) -> None:
        """End every stream: the server ends."""
        self._ended.set()

    def place(self, after: str | None) -> Place:
        """Return the place that an id names, without an id the end of the journal; or refuse it with 400."""
        life, broker = self._lives.current()
        now = Place(life, broker.journal.total)
        if after is None:
            return now
        parts = after.split("-")
        if len(parts) != 2 or not all(part.isascii() and part.isdecimal() and len(part) < 20 for part in parts):
            raise Refused(400, f"after cannot be {after!r}: it is the id of an event, such as {now}")
        return Place(*map(int, parts))

    def number_in_this_life(self, after: str | None) -> int | None:
        """Return the number of the entry after the id *after*; None where entries since then are gone."""
        if after is None:
            return None
        life, broker = self._lives.current()
        place = self.place(after)
        return place.number if place.life == life and place.number >= broker.journal.forgotten else None

    async def stream(self, place: Place) -> AsyncIterator[str]:
        """Yield events from *place* on until the server ends, and a comment when there was none for a while."""
        reader = Reader(self._lives, place)
        yield _event("start", place, {})
        spoken_s = time.monotonic()
        while not self._ended.is_set():
            with self._lives.current()[1].lock:
                text = "".join(_shown(*new) for new in reader.take(AT_ONCE))
            if not text and time.monotonic() - spoken_s >= HEARTBEAT_S:
                text = ": nothing new\n\n"
            if text:
                yield text
                spoken_s = time.monotonic()
                await asyncio.sleep(0)
            else:
                with suppress(TimeoutError):
                    async with asyncio.timeout(POLL_S):
                        await self._ended.wait()


def _shown(place: Place, what: What) -> str:
    match what:
        case LogEntry():
            return _event("log", place, wire.log(what))
        case Note():
            return _event("note", place, {"time": what.time_ms, "text": what.text})
        case Restarted():
            return _event("reset", place, {})
        case Missed():
            return _event("gap", place, {"missed": what.count})


def _event(name: str, place: Place, data: dict[str, Any]) -> str:
    """Return one event; its data is one line, because JSON has no line breaks."""
    return f"event: {name}\nid: {place}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n"
