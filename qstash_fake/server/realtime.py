"""The real clock: deliveries start when they are due, side by side within the gates.

The time is the wall clock's at the start plus the monotonic time since then: setting the wall clock changes no delay.
Decides nothing about messages: it tells the broker the time, starts what may start, and reports what came of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from qstash_fake.broker.broker import Broker, Delivery
from qstash_fake.broker.message import Outcome
from qstash_fake.delivery.drivers import send_async
from qstash_fake.delivery.encodings import understood
from qstash_fake.delivery.exchange import request_for
from qstash_fake.delivery.mounts import Answerer, Answerers
from qstash_fake.delivery.run import start_next
from qstash_fake.testing.timekeeper import Timekeeper, steady_clock

MAX_IN_FLIGHT = 100  # the parallelism of QStash's pay-as-you-go plan; bounds the sockets that are open
STILL_S = 1.0  # the time that deliveries have to end before a reset; a handler may be about to answer


class RealTime:
    """Makes the deliveries of one clock as real time passes; *moved* is called after each step."""

    def __init__(self, timekeeper: Timekeeper, targets: Answerers, moved: Callable[[], object]) -> None:
        self._now_ms = timekeeper.real_now_ms = steady_clock()
        self._timekeeper = timekeeper
        self._targets = targets
        self._moved = moved
        self._awake = asyncio.Event()
        self._in_flight: dict[asyncio.Task[None], str] = {}  # with the URL it goes to
        self._held = 0

    def wake(self) -> None:
        """Look again at what is due: something may have changed."""
        self._awake.set()

    @asynccontextmanager
    async def still(self) -> AsyncIterator[list[str]]:
        """Start no delivery in this context. Gives the URLs of deliveries that last longer than `STILL_S` seconds."""
        self._held += 1
        try:
            if self._in_flight:
                await asyncio.wait(self._in_flight, timeout=STILL_S)
            yield list(self._in_flight.values())
        finally:
            self._held -= 1
            self.wake()

    async def run(self) -> None:
        """Deliver until cancelled."""
        try:
            while True:
                self._awake.clear()
                self._start_what_is_due()
                self._moved()
                await self._sleep()
        finally:
            for task in self._in_flight:
                task.cancel()
            await asyncio.gather(*self._in_flight, return_exceptions=True)

    def _start_what_is_due(self) -> None:
        broker = self._timekeeper.broker
        broker.observe(self._now_ms())
        while not self._held and len(self._in_flight) < MAX_IN_FLIGHT:
            started = start_next(broker, self._targets, broker.now_ms)
            if started is None:
                return
            task = asyncio.create_task(self._deliver(broker, *started))
            self._in_flight[task] = started[0].message.url
            task.add_done_callback(self._landed)

    def _landed(self, task: asyncio.Task[None]) -> None:
        del self._in_flight[task]
        self.wake()

    async def _deliver(self, broker: Broker, delivery: Delivery, answerer: Answerer) -> None:
        try:
            outcome = await send_async(answerer.app, request_for(delivery))
            outcome = understood(outcome, delivery.content.headers)
        except Exception as error:  # noqa: BLE001 - one delivery that cannot be made must not stop the others
            outcome = Outcome(error=f"{type(error).__name__}: {error}")
        outcome = answerer.settle(delivery.message, delivery.attempt, outcome)
        broker.observe(self._now_ms())
        took_ms = max(outcome.duration_ms, broker.now_ms - delivery.attempt.started_ms)
        broker.complete(delivery, outcome._replace(duration_ms=took_ms))

    async def _sleep(self) -> None:
        may_start = not self._held and len(self._in_flight) < MAX_IN_FLIGHT
        next_ms = self._timekeeper.broker.next_event_ms() if may_start else None
        with suppress(TimeoutError):
            async with asyncio.timeout(None if next_ms is None else max(0, next_ms - self._now_ms()) / 1000):
                await self._awake.wait()
