"""Assertions: which messages a test means, and what to say when there is none.

A failure says what was asked for, what comes closest and in what it differs, and what is still pending.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypedDict

from qstash_fake.broker.message import Message
from qstash_fake.broker.schedules import Schedule
from qstash_fake.delivery.targets import url_pattern
from qstash_fake.errors import UsageError
from qstash_fake.protocol.durations import Duration, format_ms, to_ms
from qstash_fake.protocol.moments import iso
from qstash_fake.protocol.urls import UrlPattern, normalize
from qstash_fake.testing.differences import ABSENT, as_json, as_text, cut, json_difference, show, unlike

MAX_SHOWN = 5  # messages of one kind that a failure shows


class Asked(TypedDict, total=False):
    """What can be asked of a message besides its URL."""

    json: Any
    """The body as JSON: a subset for objects, equal otherwise."""
    body: bytes | str
    headers: Mapping[str, str]
    """A subset of its headers."""
    method: str
    queue: str
    delay: Duration
    """The time from creation to the first due time."""
    label: str
    """One of its labels."""
    schedule_id: str
    where: Callable[[Message], bool]
    """Any other condition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a test asks of a message; None, or ABSENT for *json*, asks nothing."""

    url: str | re.Pattern[str] | None = None
    json: Any = ABSENT
    body: bytes | str | None = None
    headers: Mapping[str, str] | None = None
    method: str | None = None
    queue: str | None = None
    delay: Duration | None = None
    label: str | None = None
    schedule_id: str | None = None
    status: int | None = None
    where: Callable[[Message], bool] | None = None

    def __post_init__(self) -> None:
        """Refuse what could match nothing, whatever was published."""
        if self.url is not None:
            url_pattern(self.url)
        if self.delay is not None:
            to_ms(self.delay)

    def __str__(self) -> str:
        """Return ` with ` and what is asked, as the arguments of a call; empty if nothing is."""
        asked = {name: value for name in self.__slots__ if not _asks_nothing(value := getattr(self, name))}
        return " with " + ", ".join(f"{name}={_ask(name, value)}" for name, value in asked.items()) if asked else ""

    def differences(self, message: Message) -> list[str]:
        """Return in what *message* differs, one line each; empty if it is what was asked for."""
        found = []
        for name, check in _CHECKS.items():
            wanted = getattr(self, name)
            if not _asks_nothing(wanted) and (difference := check(wanted, message)):
                found.append(f"{name}{difference if difference[0] in '.[' else f': {difference}'}")
        return found


def find(
    kind: str,
    wanted: Wanted,
    messages: Sequence[Message],
    *,
    times: int | None,
    pending: str,
    published: Sequence[Message] = (),
) -> Message | None:
    """Return the newest of *messages* that is *wanted*, or raise AssertionError.

    *kind* is what the messages are, such as `delivered`; *times* how many there must be exactly, None for any
    number but none; *pending* is a sentence on what is still to come; *published* are all messages. None is
    returned if there is to be none and there is none.
    """
    __tracebackhide__ = True
    if times is not None and times < 0:
        raise UsageError(f"times={times}: a number of messages is not negative")
    matching = _matching(wanted, messages)
    if len(matching) == times or (matching and times is None):
        return matching[-1] if matching else None
    lines = [f"{_count(matching)} {kind}{wanted}{'' if times is None else f'; asked for {times}'}"]
    if matching:
        lines += _listed(matching)
    elif not published:
        lines.append("no message was published at all")
    if len(matching) < (times or 1):
        lines += _not_yet(kind, wanted, messages, published)
        lines += _closest(kind, wanted, messages, matching)
    raise AssertionError("\n".join([*lines, pending]))


def find_nothing(kind: str, wanted: Wanted, messages: Sequence[Message]) -> None:
    """Raise AssertionError if any of *messages* is *wanted*."""
    __tracebackhide__ = True
    if matching := _matching(wanted, messages):
        raise AssertionError("\n".join([f"{_count(matching)} {kind}{wanted}; asked for none", *_listed(matching)]))


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
    raise AssertionError("\n".join(lines))


def not_idle(pending: Sequence[Message], sentence: str) -> AssertionError:
    """Return what to raise if nothing should be *pending*; the *sentence* says what will come of it."""
    return AssertionError("\n".join([f"not idle: {sentence}", *_listed(pending)]))


def describe(message: Message) -> str:
    """Return one line about *message*, redacted as it asks."""
    known = [f"{message.message_id[:14]}…", str(message.state)]
    if message.attempts and (outcome := message.attempts[-1].outcome) is not None and not outcome.success:
        known.append(f"last attempt: {outcome.error or outcome.status}")
    if message.pending and message.attempts and message.attempts[-1].outcome is None:
        known.append(f"in flight since {iso(message.attempts[-1].at)}")
    elif message.pending:
        known.append(f"due {iso(message.due_at)}")
    body = as_text(message.redaction.redact_body(message.body)) if message.body else "no body"
    return f"{message.method} {message.url} ({', '.join(known)}) {cut(body)}{_refusal(message)}"


def _refusal(message: Message) -> str:
    """Return what the destination wrote with the status of the last attempt, if that failed: it tells why."""
    outcome = message.attempts[-1].outcome if message.attempts else None
    if outcome is None or outcome.success or not (text := " ".join(as_text(outcome.body).split())):
        return ""
    return f" → {cut(text)}"


def describe_pending(count: int, held: Iterable[str], wait_ms: int | None) -> str:
    """Return a sentence on the *count* of pending messages, and on how to make them come.

    *held* are the reasons why some wait, *wait_ms* the milliseconds until something happens, None if nothing will.
    """
    sentence = f"{_messages(count)} {'is' if count == 1 else 'are'} pending"
    if reasons := sorted(set(held)):
        sentence += f" ({'; '.join(reasons)})"
    if wait_ms is None:
        return sentence
    if wait_ms <= 0:
        return f"{sentence}, the next is due now: deliver with qstash_fake.deliver_due()"
    wait = format_ms(wait_ms)
    return (
        f"{sentence}, the next is due in {wait}: deliver with qstash_fake.clock.advance({wait!r}), "
        f"or all with qstash_fake.drain()"
    )


def describe_nothing_pending(tick_ms: int | None) -> str:
    """Return a sentence on that, and on how to come to the next schedule tick, *tick_ms* milliseconds away."""
    if tick_ms is None:
        return "nothing is pending"
    wait = format_ms(-(-tick_ms // 1000) * 1000)
    return (
        f"nothing is pending, the next schedule tick is in {wait}: come to it with "
        f"qstash_fake.clock.advance({wait!r}), drain() runs no schedule"
    )


def _matching(wanted: Wanted, messages: Iterable[Message]) -> list[Message]:
    return [message for message in messages if not wanted.differences(message)]


def _not_yet(kind: str, wanted: Wanted, messages: Sequence[Message], published: Sequence[Message]) -> list[str]:
    """Return those that are *wanted*, but for what became of them."""
    there = set(messages)
    others = _matching(replace(wanted, status=None), [message for message in published if message not in there])
    return [f"{_count(others)} published so, but not {kind}:", *_listed(others)] if others else []


def _closest(kind: str, wanted: Wanted, messages: Sequence[Message], matching: Sequence[Message]) -> list[str]:
    fitting = set(matching)
    others = [message for message in messages if message not in fitting]
    if not others:
        return []
    ranked = sorted(others, key=lambda message: _distance(wanted, message))
    lines = [
        f"{_count(others)} {kind}{' otherwise' if matching else ''}{', the closest first:' if ranked[1:] else ':'}"
    ]
    for message in ranked[:MAX_SHOWN]:
        lines += [f"  {describe(message)}", *(f"    {line}" for line in wanted.differences(message))]
    return lines + _more(len(ranked))


def _distance(wanted: Wanted, message: Message) -> tuple[bool, int, int]:
    differences = wanted.differences(message)
    return any(line.startswith("url:") for line in differences), len(differences), -message.sequence


def _listed(messages: Sequence[Message]) -> list[str]:
    return [f"  {describe(message)}" for message in messages[:MAX_SHOWN]] + _more(len(messages))


def _more(count: int) -> list[str]:
    return [f"  … and {count - MAX_SHOWN} more"] if count > MAX_SHOWN else []


# --- one check for each thing that can be asked; it returns in what a message differs, or nothing --------------


def _check_url(wanted: str | re.Pattern[str], message: Message) -> str | None:
    return None if url_pattern(wanted).matches(message.url) else f"asked for {_ask('url', wanted)}, is {message.url}"


def _check_json(wanted: Any, message: Message) -> str | None:
    try:
        actual = message.json()
    except ValueError:
        return f"asked for {as_json(wanted)}, but the body is no JSON: {_body(message)}"
    difference = json_difference(wanted, actual)
    if difference and message.redaction.body:
        return f"asked for {as_json(wanted)}, is something else, which is redacted"
    return difference


def _check_body(wanted: bytes | str, message: Message) -> str | None:
    expected = wanted.encode() if isinstance(wanted, str) else wanted
    if message.body == expected:
        return None
    return unlike(repr(as_text(expected)), repr(as_text(message.redaction.redact_body(message.body))))


def _check_headers(wanted: Mapping[str, str], message: Message) -> str | None:
    shown = message.redaction.redact_headers(message.stored_headers)
    for name, value in wanted.items():
        if str(value) not in message.headers.get_list(name):
            actual = ", ".join(repr(text) for key, text in shown if key.lower() == name.lower())
            return f"asked for {name}: {str(value)!r}, {f'is {actual}' if actual else 'there is none'}"
    return None


def _check_delay(wanted: Duration, message: Message) -> str | None:
    actual_ms, wanted_ms = message.not_before_ms - message.created_ms, to_ms(wanted)
    return None if actual_ms == wanted_ms else f"asked for {format_ms(wanted_ms)}, is {format_ms(actual_ms)}"


def _check_label(wanted: str, message: Message) -> str | None:
    if wanted in message.labels:
        return None
    has = ", ".join(map(repr, message.labels))
    return f"asked for {wanted!r}, {f'has {has}' if has else 'there is none'}"


def _check_status(wanted: int, message: Message) -> str | None:
    actual = message.attempts[-1].status if message.attempts else None
    return None if actual == wanted else f"asked for {wanted}, is {actual}"


def _check_where(wanted: Callable[[Message], bool], message: Message) -> str | None:
    return None if wanted(message) else f"{show(wanted)} said no"


def _check_equal(name: str) -> Callable[[Any, Message], str | None]:
    def check(wanted: Any, message: Message) -> str | None:
        actual = getattr(message, name)
        if actual == wanted:
            return None
        return f"asked for {show(wanted)}, {'there is none' if actual is None else f'is {show(actual)}'}"

    return check


_CHECKS: Mapping[str, Callable[[Any, Message], str | None]] = {
    "url": _check_url,
    "method": lambda wanted, message: _check_equal("method")(wanted.upper(), message),
    "queue": _check_equal("queue"),
    "schedule_id": _check_equal("schedule_id"),
    "json": _check_json,
    "body": _check_body,
    "headers": _check_headers,
    "delay": _check_delay,
    "label": _check_label,
    "status": _check_status,
    "where": _check_where,
}


def _same_destination(wanted: str | re.Pattern[str], actual: str) -> bool:
    if isinstance(wanted, str) and "://" not in wanted:
        return wanted in (actual, "*")
    return UrlPattern(wanted).matches(normalize(actual) if isinstance(wanted, str) else actual)


def _asks_nothing(value: Any) -> bool:
    return value is None or value is ABSENT


# --- how a failure puts it -------------------------------------------------------------------------------------


def _count(messages: Sequence[Message]) -> str:
    return f"{_messages(len(messages))} {'was' if len(messages) < 2 else 'were'}"


def _messages(count: int) -> str:
    return f"{count or 'no'} message{'s' if count > 1 else ''}"


def _ask(name: str, value: Any) -> str:
    """Return *value* as the argument *name* of a call, but a URL as it is and JSON as JSON."""
    if name == "json":
        return cut(as_json(value))
    return value if name == "url" and isinstance(value, str) else show(value)


def _body(message: Message) -> str:
    return cut(repr(as_text(message.redaction.redact_body(message.body))))
