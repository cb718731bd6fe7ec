"""A broker on a bench: published to with headers, delivered from with prepared answers, in seconds since the start."""

from __future__ import annotations

from qstash_fake.broker.broker import Broker, Delivery
from qstash_fake.broker.message import Message, Outcome
from qstash_fake.protocol.publish import PublishRequest, parse_publish
from tests.shop import START_MS

Answer = int | Outcome


class Bench:
    """Messages are known by their body, which `advance` returns; `answers` and `takes` go by body or by URL."""

    def __init__(self, **options) -> None:
        self.broker = Broker(START_MS, **options)
        self.answers: dict[str, list[Answer]] = {}
        self.takes: dict[str, int] = {}

    @property
    def now(self) -> int:
        """Seconds since the start."""
        return (self.broker.now_ms - START_MS) // 1000

    def request(self, body: str = "", to: str = "https://shop.example/jobs", **options: object) -> PublishRequest:
        """Return the publish of *body* with `Upstash-*` headers: `delay="5s"` is `Upstash-Delay: 5s`."""
        pairs = [(f"Upstash-{name.replace('_', '-')}", str(value)) for name, value in options.items()]
        return parse_publish(to, pairs, body.encode(), caller_ip="203.0.113.7")

    def publish(self, body: str = "", to: str = "https://shop.example/jobs", **options: object) -> Message:
        publication = self.broker.publish(self.request(body, to, **options))
        return self.broker.messages[publication.items[0].message_id]

    def schedule(self, body: str = "", to: str = "https://shop.example/jobs", **options: object):
        return self.broker.schedule(self.request(body, to, **options))

    def advance(self, seconds: int) -> list[tuple[int, str]]:
        """Deliver everything that starts within *seconds*; return (second, body) of each start."""
        until_ms = self.broker.now_ms + seconds * 1000
        started = []
        while (message := self.broker.next_message(until_ms)) is not None:
            delivery = self.broker.start(message)
            started.append((self.now, delivery.message.text))
            self.broker.complete(delivery, self.outcome(delivery))
        self.broker.observe(until_ms)
        return started

    def drain(self) -> list[tuple[int, str]]:
        """Deliver until nothing is left that comes by itself, schedules excepted."""
        started = []
        while (next_ms := self.broker.next_event_ms(ticks=False)) is not None:
            self.broker.skip_ticks(next_ms)
            started += self.advance(-(-(next_ms - self.broker.now_ms) // 1000))
        return started

    def outcome(self, delivery: Delivery) -> Outcome:
        body = delivery.message.text
        prepared = self.answers.get(body) or self.answers.get(delivery.message.url)
        answer = prepared.pop(0) if prepared else 200
        outcome = Outcome(status=answer) if isinstance(answer, int) else answer
        return outcome._replace(duration_ms=self.takes.get(body, self.takes.get(delivery.message.url, 0)) * 1000)

    def states(self, message: Message) -> list[str]:
        """What the journal says of *message*."""
        return [str(entry.state) for entry in self.broker.journal.entries() if entry.message is message]
