"""The outlook: what is still to come, and which call makes it come. A test on an event loop is told the async one."""

from __future__ import annotations

from collections.abc import Iterable

from qstash_fake.protocol.durations import format_ms
from qstash_fake.testing.awaiting import call_here, name_here
from qstash_fake.testing.timekeeper import Timekeeper


def outlook(timekeeper: Timekeeper) -> str:
    """Return a sentence on what is pending, held or scheduled, and on how to make it come."""
    timekeeper.observe()
    broker = timekeeper.broker
    with broker.lock:
        now_ms, count = broker.now_ms, sum(message.pending for message in broker.messages.values())
        if not count:
            ticks = [schedule.next_ms for schedule in broker.schedules.by_id.values() if schedule.next_ms is not None]
            return _nothing_pending(min(ticks) - now_ms if ticks else None)
        next_ms, held = broker.next_event_ms(ticks=False), broker.held()
    wait_ms = None if next_ms is None else next_ms - now_ms
    if wait_ms is not None and timekeeper.runs:
        wait_ms = _whole_seconds(wait_ms)  # the milliseconds since the publish are noise
    return _pending(count, held.values(), wait_ms)


def messages(count: int) -> str:
    """Return `no message`, `1 message` or `2 messages`."""
    return f"{count or 'no'} message{'s' if count > 1 else ''}"


def _pending(count: int, held: Iterable[str], wait_ms: int | None) -> str:
    """*held* are the reasons why some wait; *wait_ms* passes until something happens, None if nothing will."""
    sentence = f"{messages(count)} {'is' if count == 1 else 'are'} pending"
    if reasons := sorted(set(held)):
        sentence += f" ({'; '.join(reasons)})"
    if wait_ms is None:
        return sentence
    if wait_ms <= 0:
        return f"{sentence}, the next is due now: deliver with {call_here('deliver_due')}"
    wait = format_ms(wait_ms)
    return (
        f"{sentence}, the next is due in {wait}: deliver with {call_here('advance', repr(wait))}, "
        f"or all with {call_here('drain')}"
    )


def _nothing_pending(tick_ms: int | None) -> str:
    """*tick_ms* passes until the next schedule tick, None if there is none."""
    if tick_ms is None:
        return "nothing is pending"
    wait = format_ms(_whole_seconds(tick_ms))
    return (
        f"nothing is pending, the next schedule tick is in {wait}: reach it with "
        f"{call_here('advance', repr(wait))}, {name_here('drain')}() runs no schedule"
    )


def _whole_seconds(wait_ms: int) -> int:
    return -(-wait_ms // 1000) * 1000
