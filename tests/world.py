"""What several test files need of the world around a broker."""

from __future__ import annotations

from qstash_fake.broker.broker import Broker, Delivery


def start_next(broker: Broker, until_ms: int | None = None) -> Delivery:
    """Start the first message due at or before *until_ms*, by default now; there must be one."""
    message = broker.next_message(broker.now_ms if until_ms is None else until_ms)
    assert message is not None
    return broker.start(message)
