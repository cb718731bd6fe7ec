"""The lines of the server for people: one for each attempt that has ended, and the problems of the API."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from qstash_fake.broker.journal import LogEntry
from qstash_fake.protocol.durations import format_ms
from qstash_fake.protocol.moments import iso, to_datetime
from qstash_fake.server.events import POLL_S, Lives, Place, Reader
from qstash_fake.testing.fake import QStashFake


class Lines:
    """Gives *say* each line once, in order."""

    def __init__(self, fake: QStashFake, say: Callable[[str], object]) -> None:
        self._fake = fake
        self._say = say
        self._reader = Reader(lives := Lives(fake), Place(lives.current()[0], 0))

    async def follow(self) -> None:
        """Say what is new again and again, until cancelled: a verb may last for minutes."""
        while True:
            self.say_new()
            await asyncio.sleep(POLL_S)

    def say_new(self) -> None:
        problems = self._fake.api.problems
        while problems:
            self._say(problems.pop(0))
        while new := self._reader.take(1000):
            for _, what in new:
                if isinstance(what, LogEntry) and what.attempt is not None and what.state in ("DELIVERED", "ERROR"):
                    self._say(_line(what))


def _line(entry: LogEntry) -> str:
    message, attempt = entry.message, entry.attempt
    assert attempt is not None
    result = attempt.error or attempt.status
    took_ms = entry.time_ms - attempt.started_ms
    return (
        f"{iso(to_datetime(attempt.started_ms))}  {message.message_id[:12]}…  {message.method} {message.url}"
        f"  attempt {attempt.retried + 1} of {message.max_retries + 1}  {result}  in {format_ms(took_ms)}"
    )
