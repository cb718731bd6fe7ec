"""What several test files need of the world around a broker."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from qstash_fake.broker.broker import Broker, Delivery


def start_next(broker: Broker, until_ms: int | None = None) -> Delivery:
    """Start the first message due at or before *until_ms*, by default now; there must be one."""
    message = broker.next_message(broker.now_ms if until_ms is None else until_ms)
    assert message is not None
    return broker.start(message)


def instructions(action: Callable[[], object]) -> int:
    """Return how many bytecode instructions *action* takes: equal in every run, so that a test may compare counts."""
    count = 0

    def trace(frame: Any, event: str, argument: object) -> Any:
        nonlocal count
        frame.f_trace = trace  # before the next line: Python 3.13 heeds it only in a frame that is traced
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    # Python 3.12 asks at settrace() whether any frame has wanted opcodes. The first count of a process would be 0.
    sys._getframe().f_trace_opcodes = True
    sys.settrace(trace)
    try:
        action()
    finally:
        sys.settrace(before)
    return count
