"""The broker alone, by whatever names the measured checkout has for its calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from calls import BODY, URL
from measure import long_cpu_s

from qstash_fake.broker.broker import Broker
from qstash_fake.broker.message import Outcome
from qstash_fake.protocol.publish import PublishRequest, parse_publish

LATER_MS = 1 << 50
Pairs = tuple[tuple[str, str], ...]


def message_s(headers: Sequence[Pairs], brokers: int = 1) -> float:
    """Return the CPU seconds of publishing and delivering one message, where each broker has one of each *headers*."""
    parsed = {pairs: parse_publish(URL, pairs, BODY, caller_ip="127.0.0.1") for pairs in headers}
    requests = [parsed[pairs] for pairs in headers]
    return long_cpu_s(lambda: publish_and_deliver(requests), brokers) / len(requests)


def publish_and_deliver(requests: Sequence[PublishRequest]) -> None:
    """Publish all, and only then deliver them, each with success."""
    broker = Broker(0)
    for request in requests:
        broker.publish(request)
    start_next, success, done = next_start(broker), Outcome(status=200), 0
    while (delivery := start_next()) is not None:
        broker.complete(delivery, success)
        done += 1
    assert done == len(requests)


def next_start(broker: Any) -> Callable[[], Any]:
    """Return what starts the next delivery: one call in 0.1, `next_message` and `start` since."""
    if hasattr(broker, "next_delivery"):
        return lambda: broker.next_delivery(LATER_MS)

    def start() -> Any:
        message = broker.next_message(LATER_MS)
        return None if message is None else broker.start(message)

    return start
