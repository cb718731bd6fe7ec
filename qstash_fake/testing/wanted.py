"""What a test asks of a message: whether a message matches, and how it differs.

Every message is compared, which must cost little. Differences are sentences, and only a failure asks for them.
"""

from __future__ import annotations

import json as jsonlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache, partial
from typing import Any, NamedTuple, Protocol, TypedDict

from qstash_fake.broker import views
from qstash_fake.broker.message import Message
from qstash_fake.delivery.routes import url_pattern
from qstash_fake.errors import UsageError
from qstash_fake.protocol.durations import Duration, format_ms, to_ms
from qstash_fake.protocol.http import text
from qstash_fake.protocol.keywords import did_you_mean
from qstash_fake.testing.differences import ABSENT, as_json, as_text, cut, json_difference, json_test, show, unlike


class UrlObject(Protocol):
    """A URL of pydantic, httpx, yarl, furl or the like; its text counts."""

    @property
    def scheme(self) -> Any: ...

    @property
    def host(self) -> Any: ...


Url = str | re.Pattern[str] | UrlObject


def url_text(url: Url) -> str | re.Pattern[str]:
    """Return *url* as text; a compiled regex stays one."""
    return url if isinstance(url, str | re.Pattern) else str(url)


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
    retries: int
    """How many attempts may follow the first."""
    timeout: Duration
    callback: Url
    failure_callback: Url
    flow_control: str | Mapping[str, Any]
    """The key, or a subset of key, parallelism, rate and period, as the SDK takes them."""
    deduplication_id: str
    where: Callable[[views.Message], bool]
    """Any other condition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a test asks of a message; None asks nothing. For *json*, ABSENT asks nothing and None asks for null.

    A value that can match no message at all is refused when it is made.
    """

    url: Url | None = None
    json: Any = ABSENT
    body: bytes | str | None = None
    headers: Mapping[str, str] | None = None
    method: str | None = None
    queue: str | None = None
    delay: Duration | None = None
    label: str | None = None
    schedule_id: str | None = None
    retries: int | None = None
    timeout: Duration | None = None
    callback: Url | None = None
    failure_callback: Url | None = None
    flow_control: str | Mapping[str, Any] | None = None
    deduplication_id: str | None = None
    status: int | None = None
    where: Callable[[views.Message], bool] | None = None
    _asked: Mapping[str, Any] = field(init=False, repr=False)
    """The values that are compared with a message, by the name of the criterion."""
    _tests: tuple[Callable[[Message], bool], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        asked = {
            name: criterion.prepare(value)
            for name, criterion in CRITERIA.items()
            if (value := getattr(self, name)) is not (ABSENT if name == "json" else None)
        }
        object.__setattr__(self, "_asked", asked)
        object.__setattr__(self, "_tests", tuple(partial(CRITERIA[name].matches, asked[name]) for name in asked))

    def __str__(self) -> str:
        """Return ` with ` and the criteria, as the arguments of a call; empty if there are none."""
        values = {name: getattr(self, name) for name in self.__slots__ if name in self._asked}
        return " with " + ", ".join(f"{name}={_ask(name, value)}" for name, value in values.items()) if values else ""

    def matches(self, message: Message) -> bool:
        """Tell whether *message* matches."""
        for test in self._tests:  # noqa: SIM110 - all() takes half as long again, and this is asked a million times
            if not test(message):
                return False
        return True

    def misses(self, message: Message) -> list[str]:
        """Return the names of the criteria that *message* does not meet."""
        return [name for name, value in self._asked.items() if not CRITERIA[name].matches(value, message)]

    def differences(self, message: Message) -> list[str]:
        """Return how *message* differs, a line for each criterion."""
        lines = []
        for name in self.misses(message):
            difference = CRITERIA[name].difference(self._asked[name], message)
            lines.append(f"{name}{difference if difference[0] in '.[' else f': {difference}'}")
        return lines


def describe_body(message: Message) -> str:
    """Return the body as a failure shows it, redacted as *message* asks."""
    return as_text(message.redaction.redact_body(message.body))


# --- the criteria ---------------------------------------------------------------------------------------------


def _as_it_is(value: Any) -> Any:
    return value


class Criterion(NamedTuple):
    """One criterion of a message."""

    matches: Callable[[Any, Message], bool]
    difference: Callable[[Any, Message], str]
    """Says how a message that does not match differs."""
    prepare: Callable[[Any], Any] = _as_it_is
    """Makes the value to be compared of the keyword of a test, once; raises if it can match nothing."""


def _equal(read: Callable[[Message], Any], prepare: Callable[[Any], Any] = _as_it_is) -> Criterion:
    def difference(wanted: Any, message: Message) -> str:
        actual = read(message)
        return f"expected {show(wanted)}, {'there is none' if actual is None else f'got {show(actual)}'}"

    return Criterion(lambda wanted, message: bool(read(message) == wanted), difference, prepare)


class _Url:
    """A pattern that looks at each URL once: a test publishes often, but to few URLs."""

    def __init__(self, wanted: Url) -> None:
        self.pattern = url_pattern(url_text(wanted))
        self.means = cache(self.pattern.matches)


def _url(read: Callable[[Message], str | None]) -> Criterion:
    def matches(wanted: _Url, message: Message) -> bool:
        actual = read(message)
        return actual is not None and wanted.means(actual)

    def difference(wanted: _Url, message: Message) -> str:
        actual = read(message)
        return f"expected {wanted.pattern}, {'there is none' if actual is None else f'got {actual}'}"

    return Criterion(matches, difference, _Url)


def _duration(read: Callable[[Message], int | None]) -> Criterion:
    def difference(wanted_ms: int, message: Message) -> str:
        actual_ms = read(message)
        shown = "there is none" if actual_ms is None else f"got {format_ms(actual_ms)}"
        return f"expected {format_ms(wanted_ms)}, {shown}"

    return Criterion(lambda wanted_ms, message: bool(read(message) == wanted_ms), difference, to_ms)


@lru_cache(maxsize=4096)
def _parsed_small(body: bytes) -> Any:
    return jsonlib.loads(body)


def _parsed(body: bytes) -> Any:
    """Return *body* as JSON; ValueError if it is none. Many assertions look at the same small bodies."""
    return _parsed_small(body) if len(body) <= 1000 else jsonlib.loads(body)


class _Json:
    """A value, and the function that tells whether another one matches it."""

    def __init__(self, wanted: Any) -> None:
        self.wanted = wanted
        self.test = json_test(wanted)


def _json_matches(wanted: _Json, message: Message) -> bool:
    try:
        return wanted.test(_parsed(message.body))
    except ValueError:
        return False


def _json_difference(wanted: _Json, message: Message) -> str:
    asked = f"expected {as_json(wanted.wanted)}"
    try:
        actual = _parsed(message.body)
    except ValueError:
        return f"{asked}, but the body is no JSON: {cut(repr(describe_body(message)))}"
    if message.redaction.body:
        return f"{asked}, got something else, which is redacted"
    return json_difference(wanted.wanted, actual) or "a matcher in it answered False first and True afterwards"


def _wanted_body(body: object) -> bytes:
    match body:
        case str():
            return body.encode()
        case bytes() | bytearray() | memoryview():
            return bytes(body)
    raise UsageError(f"body={cut(repr(body))} is neither text nor bytes: ask for JSON with json={cut(repr(body))}")


def _body_difference(wanted: bytes, message: Message) -> str:
    return unlike(repr(as_text(wanted)), repr(describe_body(message)))


def _headers_match(wanted: Mapping[str, str], message: Message) -> bool:
    return all(_has_header(message, name, value) for name, value in wanted.items())


def _has_header(message: Message, name: str, value: object) -> bool:
    return any(text(known) == str(value) for key, known in message.stored_headers if key.lower() == name.lower())


def _headers_difference(wanted: Mapping[str, str], message: Message) -> str:
    name, value = next(pair for pair in wanted.items() if not _has_header(message, *pair))
    shown = message.redaction.redact_headers(message.stored_headers)
    actual = ", ".join(repr(known) for key, known in shown if key.lower() == name.lower())
    return f"expected {name}: {str(value)!r}, {f'got {actual}' if actual else 'there is none'}"


def _limits(message: Message) -> dict[str, Any]:
    """Return the flow control of *message* in the SDK's words, the period in milliseconds; empty without one."""
    limits = message.options.flow_control
    if limits is None:
        return {}
    return {
        "key": limits.key,
        "parallelism": limits.parallelism,
        "rate": limits.rate,
        "period": limits.period_ms,
    }


def _wanted_limits(wanted: str | Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(wanted, str):
        return {"key": wanted}
    if unknown := wanted.keys() - {"key", "parallelism", "rate", "period"}:
        near = did_you_mean(min(unknown), ("key", "parallelism", "rate", "period"), "{!r}")
        raise UsageError(f"flow_control has no {min(unknown)!r}{near}: it takes key, parallelism, rate and period")
    return dict(wanted) | ({"period": to_ms(wanted["period"])} if "period" in wanted else {})


def _limits_difference(wanted: Mapping[str, Any], message: Message) -> str:
    name, asked = next(pair for pair in wanted.items() if _limits(message).get(pair[0]) != pair[1])
    actual = _limits(message).get(name)
    shown = [format_ms(value) if name == "period" and value is not None else show(value) for value in (asked, actual)]
    return f".{name}: expected {shown[0]}, {'there is none' if actual is None else f'got {shown[1]}'}"


def _label_difference(wanted: str, message: Message) -> str:
    has = ", ".join(map(repr, message.labels))
    return f"expected {wanted!r}, {f'got {has}' if has else 'there is none'}"


CRITERIA: Mapping[str, Criterion] = {
    "url": _url(lambda message: message.url),
    "method": _equal(lambda message: message.method, str.upper),
    "queue": _equal(lambda message: message.queue),
    "schedule_id": _equal(lambda message: message.schedule_id),
    "json": Criterion(_json_matches, _json_difference, _Json),
    "body": Criterion(
        lambda wanted, message: bool(message.body == wanted),
        _body_difference,
        _wanted_body,
    ),
    "headers": Criterion(_headers_match, _headers_difference),
    "delay": _duration(lambda message: message.not_before_ms - message.created_ms),
    "label": Criterion(lambda wanted, message: wanted in message.labels, _label_difference),
    "retries": _equal(lambda message: message.max_retries),
    "timeout": _duration(lambda message: message.options.timeout_ms),
    "callback": _url(lambda message: message.options.callback),
    "failure_callback": _url(lambda message: message.options.failure_callback),
    "flow_control": Criterion(
        lambda wanted, message: wanted.items() <= _limits(message).items(), _limits_difference, _wanted_limits
    ),
    "deduplication_id": _equal(lambda message: message.options.deduplication_id),
    "status": _equal(lambda message: message.last_attempt.status if message.last_attempt else None),
    # Last: a user's function sees only messages that match in every other respect.
    "where": Criterion(
        lambda wanted, message: bool(wanted(views.view_of(views.Message, message))),
        lambda wanted, message: f"{show(wanted)} said no",
    ),
}


def _ask(name: str, value: Any) -> str:
    """Return *value* as the argument *name* of a call; a URL stands as it is, and JSON as JSON."""
    if name == "json":
        return cut(as_json(value))
    is_url = CRITERIA[name].prepare is _Url and not isinstance(value, re.Pattern)
    return str(value) if is_url else show(value)
