"""Assertions: which messages a test means, and what to say when there is none.

A failure says what was asked for, what comes closest and in what it differs, and what is still pending.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from qstash_fake.broker import views
from qstash_fake.broker.account_views import Schedule
from qstash_fake.broker.message import Message
from qstash_fake.errors import UsageError
from qstash_fake.protocol.moments import iso, to_datetime
from qstash_fake.protocol.urls import UrlPattern, normalize
from qstash_fake.testing.differences import as_json, as_text, cut, show
from qstash_fake.testing.outlook import messages as count_of
from qstash_fake.testing.uncommitted import uncommitted
from qstash_fake.testing.wanted import Wanted, describe_body, url_text

MAX_SHOWN = 5  # messages of one kind that a failure shows


def find(
    kind: str,
    wanted: Wanted,
    messages: Sequence[Message],
    *,
    times: int | None,
    published: Callable[[], Sequence[Message]],
    outlook: Callable[[], str],
) -> Message | None:
    """Return the newest of *messages* that is *wanted*, or raise AssertionError.

    *kind* is what the messages are, such as `delivered`; *times* how many there must be exactly, None for any
    number but none. Asked for a failure only: *published*, all messages, and *outlook*, a sentence on what is to
    come. None is returned if there is to be none and there is none.
    """
    __tracebackhide__ = True
    if times is None:
        newest = next((message for message in reversed(messages) if wanted.matches(message)), None)
        if newest is not None:
            return newest
    elif times < 0:
        raise UsageError(f"times={times}: a number of messages is not negative")
    matching = _matching(wanted, messages)
    if len(matching) == times:
        return matching[-1] if matching else None
    lines = [f"{_count(matching)} {kind}{wanted}{'' if times is None else f'; asked for {times}'}"]
    everything = published()
    if matching:
        lines += _listed(matching)
    elif not everything:
        lines.append("no message was published at all")
    if len(matching) < (times or 1):
        lines += _not_yet(kind, wanted, messages, everything)
        lines += _closest(kind, wanted, messages, matching)
        lines += uncommitted()
    raise AssertionError("\n".join([*lines, outlook()]))


def find_nothing(kind: str, wanted: Wanted, messages: Sequence[Message]) -> None:
    """Raise AssertionError if any of *messages* is *wanted*."""
    __tracebackhide__ = True
    if matching := _matching(wanted, messages):
        raise AssertionError("\n".join([f"{_count(matching)} {kind}{wanted}; asked for none", *_listed(matching)]))


def find_order(expected: Sequence[Any], delivered: Sequence[Message], *, outlook: Callable[[], str]) -> None:
    """Raise AssertionError unless *delivered* has the *expected* ones in this order, others among them or not."""
    __tracebackhide__ = True
    if not expected:
        raise UsageError("assert_order([]) asserts nothing: give messages, URLs or bodies")
    rest, before = iter(delivered), ""
    for item in expected:
        wanted, shown = _item(item)
        if not any(wanted(message) for message in rest):  # takes from the rest up to the one that is found
            break
        before = f" after {shown}"
    else:
        return
    lines = [f"not delivered in this order: nothing is {shown}{before}"]
    lines += ["delivered were, in order:", *_listed(delivered)] if delivered else ["no message was delivered at all"]
    raise AssertionError("\n".join([*lines, *uncommitted(), outlook()]))


def find_schedule(
    schedules: Iterable[Schedule], cron: str | None, destination: str | re.Pattern[str] | None
) -> Schedule:
    """Return the newest schedule with this cron and destination, or raise AssertionError naming those there are."""
    __tracebackhide__ = True
    known = list(schedules)
    matching = [
        schedule
        for schedule in known
        if (cron is None or schedule.cron == cron.strip())
        and (destination is None or _same_destination(destination, schedule.destination))
    ]
    if matching:
        return matching[-1]
    asked = [f"{name}={show(value)}" for name, value in (("cron", cron), ("destination", destination)) if value]
    lines = [f"no schedule{' with ' if asked else ''}{', '.join(asked)}"]
    if known:
        lines.append("there is 1 schedule:" if len(known) == 1 else f"there are {len(known)} schedules:")
        lines += [f"  {schedule.cron!r} → {schedule.destination}" for schedule in known[:MAX_SHOWN]] + _more(len(known))
    else:
        lines.append("there is no schedule at all")
    raise AssertionError("\n".join([*lines, *uncommitted()]))


def not_idle(pending: Sequence[Message], outlook: str) -> AssertionError:
    """Return what to raise if nothing should be *pending*; *outlook* says what will come of it."""
    return AssertionError("\n".join([f"not idle: {outlook}", *_listed(pending)]))


def _matching(wanted: Wanted, messages: Iterable[Message]) -> list[Message]:
    return [message for message in messages if wanted.matches(message)]


def _same_destination(wanted: str | re.Pattern[str], actual: str) -> bool:
    if isinstance(wanted, str) and "://" not in wanted:
        return wanted in (actual, "*")
    return UrlPattern(wanted).matches(normalize(actual) if isinstance(wanted, str) else actual)


def _item(item: Any) -> tuple[Callable[[Message], bool], str]:
    """Return what tells whether a message is the *item* of an order, and how a failure shows the item."""
    if isinstance(item, views.Message):
        inner = views.inner_of(item)
        return lambda message: message is inner, repr(item)
    if isinstance(item, bytes) or (isinstance(item, str) and not re.match(r"https?://", item, re.IGNORECASE)):
        return Wanted(body=item).matches, f"the body {show(item)}"
    if item is None or isinstance(item, int | float | list | tuple | Mapping):
        return Wanted(json=item).matches, f"the JSON {cut(as_json(item))}"
    return Wanted(url=item).matches, str(url_text(item)) if not isinstance(item, re.Pattern) else show(item)


# --- what a failure says ---------------------------------------------------------------------------------------


def _not_yet(kind: str, wanted: Wanted, messages: Sequence[Message], published: Sequence[Message]) -> list[str]:
    """Return the lines on messages that are *wanted* in all but what became of them."""
    there = set(messages)
    others = _matching(replace(wanted, status=None), [message for message in published if message not in there])
    return [f"{_count(others)} published so, but not {kind}:", *_listed(others)] if others else []


def _closest(kind: str, wanted: Wanted, messages: Sequence[Message], matching: Sequence[Message]) -> list[str]:
    """Return the lines on the other messages, the closest first, each with what it differs in."""
    fitting = set(matching)
    others = [message for message in messages if message not in fitting]
    if not others:
        return []
    ranked = sorted(others, key=lambda message: _distance(wanted, message))
    lines = [
        f"{_count(others)} {kind}{' otherwise' if matching else ''}{', the closest first:' if ranked[1:] else ':'}"
    ]
    for message in ranked[:MAX_SHOWN]:
        lines += [f"  {_describe(message)}", *(f"    {line}" for line in wanted.differences(message))]
    return lines + _more(len(ranked))


def _distance(wanted: Wanted, message: Message) -> tuple[bool, int, int]:
    misses = wanted.misses(message)
    return "url" in misses, len(misses), -message.sequence


def _listed(messages: Sequence[Message]) -> list[str]:
    return [f"  {_describe(message)}" for message in messages[:MAX_SHOWN]] + _more(len(messages))


def _more(count: int) -> list[str]:
    return [f"  … and {count - MAX_SHOWN} more"] if count > MAX_SHOWN else []


def _count(messages: Sequence[Message]) -> str:
    return f"{count_of(len(messages))} {'was' if len(messages) < 2 else 'were'}"


def _describe(message: Message) -> str:
    """Return one line about *message*, redacted as it asks."""
    known = [f"{message.message_id[:14]}…", str(message.state)]
    if message.attempts and (outcome := message.attempts[-1].outcome) is not None and not outcome.success:
        known.append(f"last attempt: {outcome.error or outcome.status}")
    if message.pending and message.attempts and message.attempts[-1].outcome is None:
        known.append(f"in flight since {iso(to_datetime(message.attempts[-1].started_ms))}")
    elif message.pending:
        known.append(f"due {iso(to_datetime(message.due_ms))}")
    body = describe_body(message) if message.body else "no body"
    return f"{message.method} {message.url} ({', '.join(known)}) {cut(body)}{_refusal(message)}"


def _refusal(message: Message) -> str:
    """Return what the destination wrote with the status of the last attempt, if that failed: it tells why."""
    outcome = message.attempts[-1].outcome if message.attempts else None
    if outcome is None or outcome.success or not (text := " ".join(as_text(outcome.body).split())):
        return ""
    return f" → {cut(text)}"
