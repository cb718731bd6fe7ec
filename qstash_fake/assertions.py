"""Assertions: which messages a test means, and what to say when there is none.

A failure says what was asked for, what comes closest and in what it differs, and what is still pending.
"""

from __future__ import annotations

import json as jsonlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypedDict

from qstash_fake.broker.message import Message
from qstash_fake.broker.schedules import Schedule
from qstash_fake.delivery.targets import url_pattern
from qstash_fake.protocol.durations import Duration, format_ms, to_ms
from qstash_fake.protocol.urls import UrlPattern, normalize

MAX_SHOWN = 5  # near misses that a failure shows
MAX_TEXT = 200  # characters of a value that a failure shows

ABSENT: Any = object()
"""What `json=` is when it was not given: None is a JSON value."""


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

    def __str__(self) -> str:
        shown = (f"{name}={_show(value)}" for name in self.__slots__ if not _asks_nothing(value := getattr(self, name)))
        return ", ".join(shown) or "anything"

    def differences(self, message: Message) -> list[str]:
        """Return in what *message* differs, one line each; empty if it is what was asked for."""
        found = []
        for name, check in _CHECKS.items():
            wanted = getattr(self, name)
            if not _asks_nothing(wanted) and (difference := check(wanted, message)):
                found.append(f"{name}: {difference}")
        return found


def find(kind: str, wanted: Wanted, messages: Sequence[Message], times: int | None, pending: str) -> Message:
    """Return the newest of *messages* that is *wanted*, or raise AssertionError.

    *kind* is what the messages are, such as `published`; *times* how many there must be exactly, None for any
    number but none; *pending* is a sentence on what is still to come.
    """
    __tracebackhide__ = True
    matching = [message for message in messages if not wanted.differences(message)]
    if matching and times in (None, len(matching)):
        return matching[-1]
    if times is None:
        headline = f"no message was {kind} with {wanted}"
    else:
        headline = f"{len(matching)} messages, not {times}, were {kind} with {wanted}"
    raise AssertionError("\n".join([headline, *_closest(kind, wanted, messages, matching), pending]))


def find_nothing(kind: str, wanted: Wanted, messages: Sequence[Message]) -> None:
    """Raise AssertionError if any of *messages* is *wanted*."""
    __tracebackhide__ = True
    matching = [message for message in messages if not wanted.differences(message)]
    if matching:
        lines = [f"{_count(matching)} {kind} with {wanted}, where none should be:"]
        raise AssertionError("\n".join(lines + [f"  {describe(message)}" for message in matching[:MAX_SHOWN]]))


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
    asked = ", ".join(f"{n}={_show(v)}" for n, v in (("cron", cron), ("destination", destination)) if v is not None)
    lines = [f"no schedule with {asked or 'anything'}; there {'are' if len(known) != 1 else 'is'} {len(known)}:"]
    raise AssertionError("\n".join(lines + [f"  {schedule.cron!r} → {schedule.destination}" for schedule in known]))


def describe(message: Message) -> str:
    """Return one line about *message*, redacted as it asks."""
    line = f"{message.method} {message.url} ({message.message_id[:14]}…, {message.state}"
    if message.pending:
        line += f", due {message.due_at:%Y-%m-%dT%H:%M:%SZ}"
    return f"{line}) {_show(message.redaction.redact_body(message.body)) if message.body else 'no body'}"


def describe_pending(pending: Sequence[Message], held: Mapping[Message, str], now: datetime) -> str:
    """Return a sentence on what is still to come, and on how to make it come."""
    if not pending:
        return "nothing is pending"
    count = f"{len(pending)} message{'s are' if len(pending) != 1 else ' is'} pending"
    reasons = sorted({held[message] for message in pending if message in held})
    if reasons:
        count += f" ({'; '.join(reasons)})"
    coming = [message.due_at for message in pending if message not in held]
    if not coming:
        return count
    wait_ms = max(0, round((min(coming) - now).total_seconds() * 1000))
    when = f"in {format_ms(wait_ms)}" if wait_ms else "now"
    return (
        f"{count}, the next is due {when}: deliver with qstash_fake.drain(), "
        f"or with qstash_fake.clock.advance({format_ms(wait_ms)!r})"
    )


def _closest(kind: str, wanted: Wanted, messages: Sequence[Message], matching: Sequence[Message]) -> list[str]:
    if matching:
        return [f"these were {kind}:", *(f"  {describe(message)}" for message in matching[:MAX_SHOWN])]
    if not messages:
        return [f"no message was {kind} at all"]
    ranked = sorted(messages, key=lambda message: _distance(wanted, message))[:MAX_SHOWN]
    was = "1 message was" if len(messages) == 1 else f"{len(messages)} messages were"
    lines = [f"{was} {kind}{', the closest:' if len(messages) > 1 else ':'}"]
    for message in ranked:
        lines += [f"  {describe(message)}", *(f"    {line}" for line in wanted.differences(message))]
    return lines


def _distance(wanted: Wanted, message: Message) -> tuple[bool, int, int]:
    differences = wanted.differences(message)
    return any(line.startswith("url:") for line in differences), len(differences), -message.sequence


# --- one check for each thing that can be asked; it returns in what a message differs, or nothing --------------


def _check_url(wanted: str | re.Pattern[str], message: Message) -> str | None:
    return None if url_pattern(wanted).matches(message.url) else f"asked for {_show(wanted)}, is {message.url}"


def _check_json(wanted: Any, message: Message) -> str | None:
    try:
        actual = message.json()
    except ValueError:
        return f"asked for {_show(wanted)}, but the body is no JSON: {_body(message)}"
    difference = json_difference(wanted, actual)
    if difference and message.redaction.body:
        return f"asked for {_show(wanted)}, is something else, which is redacted"
    return difference


def _check_body(wanted: bytes | str, message: Message) -> str | None:
    expected = wanted.encode() if isinstance(wanted, str) else wanted
    return None if message.body == expected else f"asked for {_show(wanted)}, is {_body(message)}"


def _check_headers(wanted: Mapping[str, str], message: Message) -> str | None:
    shown = dict(message.redaction.redact_headers(message.stored_headers))
    for name, value in wanted.items():
        if value not in message.headers.get_list(name):
            actual = next((shown[key] for key in shown if key.lower() == name.lower()), None)
            return f"asked for {name}: {value}, " + ("there is none" if actual is None else f"is {_show(actual)}")
    return None


def _check_delay(wanted: Duration, message: Message) -> str | None:
    actual_ms, wanted_ms = message.not_before_ms - message.created_ms, to_ms(wanted)
    return None if actual_ms == wanted_ms else f"asked for {format_ms(wanted_ms)}, is {format_ms(actual_ms)}"


def _check_label(wanted: str, message: Message) -> str | None:
    return None if wanted in message.labels else f"asked for {wanted!r}, has {', '.join(message.labels) or 'none'}"


def _check_status(wanted: int, message: Message) -> str | None:
    actual = message.attempts[-1].status if message.attempts else None
    return None if actual == wanted else f"asked for {wanted}, is {actual}"


def _check_where(wanted: Callable[[Message], bool], message: Message) -> str | None:
    return None if wanted(message) else "the function said no"


def _check_equal(name: str) -> Callable[[Any, Message], str | None]:
    def check(wanted: Any, message: Message) -> str | None:
        actual = getattr(message, name)
        return None if actual == wanted else f"asked for {_show(wanted)}, is {_show(actual)}"

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


def json_difference(wanted: Any, actual: Any, path: str = "") -> str | None:
    """Return the first place where *actual* is not what was asked: a subset for objects, equality otherwise."""
    if isinstance(wanted, Mapping) and isinstance(actual, Mapping):
        for key, value in wanted.items():
            place = f"{path}.{key}" if path else str(key)
            if key not in actual:
                return f"{place} is missing in {_show(actual)}"
            if difference := json_difference(value, actual[key], place):
                return difference
        return None
    # True == 1 in Python; in JSON they are two things.
    if wanted == actual and isinstance(wanted, bool) == isinstance(actual, bool):
        return None
    return f"{path + ': ' if path else ''}asked for {_show(wanted)}, is {_show(actual)}"


def _same_destination(wanted: str | re.Pattern[str], actual: str) -> bool:
    if isinstance(wanted, str) and "://" not in wanted:
        return wanted == actual
    return UrlPattern(wanted).matches(normalize(actual) if isinstance(wanted, str) else actual)


def _asks_nothing(value: Any) -> bool:
    return value is None or value is ABSENT


def _body(message: Message) -> str:
    return _show(message.redaction.redact_body(message.body))


def _count(messages: Sequence[Message]) -> str:
    return "1 message was" if len(messages) == 1 else f"{len(messages)} messages were"


def _show(value: Any) -> str:
    if isinstance(value, bytes):
        text = value.decode("utf-8", "backslashreplace")
    elif isinstance(value, re.Pattern):
        text = f"/{value.pattern}/"
    elif isinstance(value, (dict, list)):
        text = jsonlib.dumps(value, ensure_ascii=False, default=repr)
    else:
        text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}… ({len(text)} characters)"
