"""Assertions: which messages a test asks for, and what a failure says if there is none.

A failure says what was expected, what comes closest and how it differs, and what is still pending.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from qstash_fake.broker import views
from qstash_fake.broker.account_views import Schedule
from qstash_fake.broker.message import Message
from qstash_fake.errors import UsageError
from qstash_fake.protocol.moments import iso, to_datetime
from qstash_fake.protocol.urls import UrlPattern, normalize
from qstash_fake.testing.background import MAX_SHOWN, Background
from qstash_fake.testing.differences import as_json, as_text, cut, show
from qstash_fake.testing.outlook import messages as count_of
from qstash_fake.testing.wanted import Wanted, describe_body, url_text

__unittest = True  # unittest leaves the frames of this module out of a failure


def find(
    kind: str, wanted: Wanted, messages: Sequence[Message], *, times: int | None, background: Background
) -> Message | None:
    """Return the newest of *messages* that is *wanted*, or raise AssertionError.

    *kind* is what the messages are, such as `delivered`; *times* is how many there must be exactly, None for one or
    more. Only a failure asks *background*. None is returned if *times* is 0 and no message matches.
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
    lines = [f"{_count(matching)} {kind}{wanted}{'' if times is None else f'; expected {times}'}"]
    published = background.published()
    if matching:
        lines += _listed(matching)
    elif not published:
        lines.append("no message was published at all")
    if len(matching) < (times or 1):
        lines += _near(kind, wanted, messages, published, background)
        lines += background.missing()
    raise background.failure([*lines, background.outlook()])


def find_nothing(kind: str, wanted: Wanted, messages: Sequence[Message], background: Background) -> None:
    """Raise AssertionError if any of *messages* is *wanted*."""
    __tracebackhide__ = True
    if matching := _matching(wanted, messages):
        raise background.failure([f"{_count(matching)} {kind}{wanted}; expected none", *_listed(matching)])


def find_order(expected: Sequence[Any], delivered: Sequence[Message], background: Background) -> None:
    """Raise AssertionError unless *delivered* has the *expected* ones in this order; there may be others among them."""
    __tracebackhide__ = True
    if not expected:
        raise UsageError("assert_order([]) asserts nothing: give messages, URLs or bodies")
    rest, before = iter(delivered), ""
    for item in expected:
        wanted, shown = _item(item)
        if not any(wanted.matches(message) for message in rest):  # takes from the rest up to the one that is found
            break
        before = f" after {shown}"
    else:
        return
    lines = [f"not delivered in this order: nothing is {shown}{before}"]
    lines += ["delivered were, in order:", *_listed(delivered)] if delivered else ["no message was delivered at all"]
    if not _matching(wanted, delivered):
        lines += _near("delivered", wanted, delivered, background.published(), background, closest=False)
        lines += background.missing()
    raise background.failure([*lines, background.outlook()])


def find_schedule(
    schedules: Iterable[Schedule],
    cron: str | None,
    destination: str | re.Pattern[str] | None,
    background: Background,
) -> Schedule:
    """Return the newest schedule with this cron and destination, or raise AssertionError that names all schedules."""
    __tracebackhide__ = True
    known = list(schedules)
    missed = [
        (cron is not None and schedule.cron != cron.strip())
        + 2 * (destination is not None and not _same_destination(destination, schedule.destination))
        for schedule in known
    ]
    matching = [schedule for schedule, misses in zip(known, missed, strict=True) if not misses]
    if matching:
        return matching[-1]
    asked = [f"{name}={show(value)}" for name, value in (("cron", cron), ("destination", destination)) if value]
    lines = [f"no schedule{' with ' if asked else ''}{', '.join(asked)}"]
    if known:
        lines.append("there is 1 schedule:" if len(known) == 1 else f"there are {len(known)} schedules:")
        ranked = [known[at] for at in sorted(range(len(known)), key=lambda at: (missed[at], -at))]
        lines += [f"  {_describe_schedule(schedule)}" for schedule in ranked[:MAX_SHOWN]] + _more(len(known))
    else:
        lines.append("there is no schedule at all")
    raise background.failure([*lines, *background.missing()])


def not_idle(pending: Sequence[Message], background: Background) -> AssertionError:
    """Return what to raise if nothing should be *pending*."""
    return background.failure([f"not idle: {background.outlook()}", *_listed(pending)])


def _matching(wanted: Wanted | _Same, messages: Iterable[Message]) -> list[Message]:
    return [message for message in messages if wanted.matches(message)]


def _same_destination(wanted: str | re.Pattern[str], actual: str) -> bool:
    if isinstance(wanted, str) and "://" not in wanted:
        return wanted in (actual, "*")
    return UrlPattern(wanted).matches(normalize(actual) if isinstance(wanted, str) else actual)


class _Same(NamedTuple):
    """One particular message of an order."""

    message: Message
    status: int | None = None

    def matches(self, message: Message) -> bool:
        return message is self.message

    def misses(self, message: Message) -> list[str]:
        return [] if self.matches(message) else ["url"]

    def differences(self, message: Message) -> list[str]:
        return []


def _item(item: Any) -> tuple[Wanted | _Same, str]:
    """Return what the *item* of an order asks of a message, and how a failure shows the item."""
    if isinstance(item, views.Message):
        return _Same(views.inner_of(item)), repr(item)
    if isinstance(item, bytes) or (isinstance(item, str) and not re.match(r"https?://", item, re.IGNORECASE)):
        return Wanted(body=item), f"the body {show(item)}"
    if item is None or isinstance(item, int | float | list | tuple | Mapping):
        return Wanted(json=item), f"the JSON {cut(as_json(item))}"
    return Wanted(url=item), str(url_text(item)) if not isinstance(item, re.Pattern) else show(item)


# --- what a failure says ---------------------------------------------------------------------------------------


def _near(
    kind: str,
    wanted: Wanted | _Same,
    messages: Sequence[Message],
    published: Sequence[Message],
    background: Background,
    *,
    closest: bool = True,
) -> list[str]:
    """Return the lines on messages that are nearly what was *wanted*.

    *messages* are of this *kind*, *published* are all. First come messages that match, but are of another kind. If
    they match in all that was asked, they are what the test has looked for, and nothing else is shown. Without
    *closest* the others of this kind are left out. Messages that neither match nor are of this kind are shown if
    nothing is nearer.
    """
    of_kind = set(messages)
    others = [message for message in published if message not in of_kind]
    anyhow = replace(wanted, status=None) if isinstance(wanted, Wanted) else wanted
    alike = [message for message in others if anyhow.matches(message)]
    lines = [f"{_count(alike)} published like this, but not {kind}:"] if alike else []
    for message in alike[:MAX_SHOWN]:
        lines += [f"  {_describe(message)}", *(f"    {line}" for line in background.signature(message))]
    lines += _more(len(alike))
    if alike and wanted.status is None:
        return lines
    unlike = [message for message in messages if not wanted.matches(message)] if closest else []
    if unlike:
        other = "other " if len(unlike) < len(messages) else ""
        lines += _closest(f"{_count(unlike, other)} {kind}", wanted, unlike)
    elif others and not alike:
        lines += _closest(f"{_count(others)} published, but not {kind}", anyhow, others)
    return lines


def _closest(what: str, wanted: Wanted | _Same, messages: Sequence[Message]) -> list[str]:
    """Return the lines on *messages*, the closest first, each with its differences."""
    ranked = sorted(messages, key=lambda message: _distance(wanted, message))
    lines = [f"{what}{', the closest first:' if ranked[1:] else ':'}"]
    for message in ranked[:MAX_SHOWN]:
        lines += [f"  {_describe(message)}", *(f"    {line}" for line in wanted.differences(message))]
    return lines + _more(len(ranked))


def _distance(wanted: Wanted | _Same, message: Message) -> tuple[bool, int, int]:
    misses = wanted.misses(message)
    return "url" in misses, len(misses), -message.sequence


def _listed(messages: Sequence[Message]) -> list[str]:
    return [f"  {_describe(message)}" for message in messages[:MAX_SHOWN]] + _more(len(messages))


def _more(count: int) -> list[str]:
    return [f"  … and {count - MAX_SHOWN} more"] if count > MAX_SHOWN else []


def _count(messages: Sequence[Message], other: str = "") -> str:
    counted = count_of(len(messages)).replace(" ", f" {other}")
    return f"{counted} {'was' if len(messages) < 2 else 'were'}"


def _describe(message: Message) -> str:
    """Return one line about *message*, redacted as it asks."""
    known = [f"{message.message_id[:14]}…", str(message.state)]
    last, outcome = message.last_attempt, message.last_outcome
    if outcome is not None and not outcome.success:
        known.append(f"last attempt: {outcome.error or outcome.status}")
    if message.pending and last is not None and outcome is None:
        known.append(f"in flight since {iso(to_datetime(last.started_ms))}")
    elif message.pending:
        known.append(f"due {iso(to_datetime(message.due_ms))}")
    body = describe_body(message) if message.body else "no body"
    return f"{message.method} {message.url} ({', '.join(known)}) {cut(body)}{_refusal(message)}"


def _describe_schedule(schedule: Schedule) -> str:
    """Return one line about *schedule*: what it publishes, and when it fires next."""
    known = ["paused"] if schedule.paused else []
    known += [f"next {iso(schedule.next_at)}"] if schedule.next_at is not None else []
    more = f" ({', '.join(known)})" if known else ""
    return f"{schedule.cron!r} → {schedule.destination}{more}"


def _refusal(message: Message) -> str:
    """Return the body of the last answer, if that attempt failed: the body may say why."""
    outcome = message.last_outcome
    if outcome is None or outcome.success or not (text := " ".join(as_text(outcome.body).split())):
        return ""
    return f" → {cut(text)}"
