"""Publish options: what the `Upstash-*` headers say, parsed once.

The same grammar serves publishes, schedules, the defaults of a URL group, the overrides of a
redrive and the headers of callbacks. An option that was not given is None; `over` lays one set of
options over another.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from qstash_fake.errors import Refused
from qstash_fake.protocol import durations, http, urls, workflow
from qstash_fake.protocol.cron import Cron
from qstash_fake.protocol.expressions import Expression
from qstash_fake.protocol.http import Headers
from qstash_fake.protocol.moments import LAST_SECOND
from qstash_fake.protocol.redaction import Redaction

T = TypeVar("T")

METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})  # openapi.yaml, Upstash-Method
DEFAULT_PERIOD_MS = 1_000  # seen in real answers: the period of a flow-control key that names none
MIN_PERIOD_MS = 1_000  # assumed: periods are shown in whole seconds
MAX_PERIOD_MS = 7 * 86_400_000  # QStash changelog: at most a week
MAX_TIMEOUT_MS = 365 * 86_400_000  # assumed: far beyond every plan, and a time that the clock can reach
MAX_NESTING = 8  # assumed: how deep callbacks of callbacks go
FORWARD_PREFIX = "upstash-forward-"
# QStash's own words, seen in real answers
INVALID_KEY = "flowControlKey must be alphanumeric, hyphen, underscore, or period"
INVALID_LIMITS = (
    "Upstash-Flow-Control-Value should be either rate=X or parallelism=Y, or both as comma-separated values"
)
INVALID_LABEL = "label must be alphanumeric, hyphen, underscore, or period"  # assumed: as for a flow-control key
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")  # RFC 9110, 5.5: of these only the tab may stand in a value

_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})  # Go's strconv.ParseBool
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})

# These belong to a connection or to one request, never to the message. RFC 9110, 7.6.1.
HOP_BY_HOP = frozenset(
    {"connection", "content-length", "host", "keep-alive", "proxy-authorization", "proxy-connection", "te"}
    | {"trailer", "transfer-encoding", "upgrade"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowControl:
    """A flow-control key and the limits a message brings for it; None is no limit."""

    key: str
    parallelism: int | None = None
    rate: int | None = None
    period_ms: int = DEFAULT_PERIOD_MS


class _Row(NamedTuple):
    """The option that a header sets, and the parser of its value, which raises ValueError."""

    field: str
    parse: Callable[[str], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Everything the headers of a publish can ask for; None is "not given"."""

    method: str | None = None
    content_type: str | None = None
    forward: Headers = ()
    header_forward: bool | None = None
    retries: int | None = None
    retry_delay: Expression | None = None
    delay_ms: int | None = None
    not_before_ms: int | None = None
    timeout_ms: int | None = None
    labels: tuple[str, ...] | None = None
    deduplication_id: str | None = None
    content_based_deduplication: bool | None = None
    callback: str | None = None
    callback_options: Options | None = None
    failure_callback: str | None = None
    failure_callback_options: Options | None = None
    flow_control: FlowControl | None = None
    redaction: Redaction | None = None
    queue: str | None = None
    schedule_id: str | None = None
    cron: Cron | None = None
    workflow: workflow.Marks | None = None
    """The run of a workflow that it starts or belongs to."""

    def over(self, defaults: Options) -> Options:
        """Return these options; where one was not given, that of *defaults*.

        A forwarded header of *defaults* stays unless these options forward one of the same name.
        """
        own = {name.lower() for name, _ in self.forward}
        joined = (*(pair for pair in defaults.forward if pair[0].lower() not in own), *self.forward)
        given = {name: value for name in _FIELDS if (value := getattr(self, name)) is not None}
        return dataclasses.replace(defaults, **given | {"forward": joined})


_FIELDS = tuple(field.name for field in dataclasses.fields(Options))
NO_OPTIONS = Options()


def parse_options(pairs: Sequence[tuple[str, str]]) -> Options:
    """Return the options that header *pairs*, names in any case, ask for; or refuse them with 400.

    The first of several values counts, as in Go's `Header.Get`; forwarded headers keep all of
    theirs. An empty value is no value, except for a cron expression. An unknown header is ignored (assumed).
    """
    # Most headers of a publish belong to its client. One look at each name shows it.
    _refuse_control_characters(pairs)
    grouped: dict[str, list[str]] = {}
    for name, value in pairs:
        key = name.lower()
        if key.startswith("upstash-") or key == "content-type":
            grouped.setdefault(key, []).append(value)
    return _parse(grouped, family="upstash-", nesting=0)


def _refuse_control_characters(pairs: Sequence[tuple[str, str]]) -> None:
    if "".join([value for _, value in pairs]).isprintable():  # nearly always
        return
    for name, value in pairs:
        if _CONTROL.search(value):
            # assumed: Go's server would refuse the whole request
            raise Refused(400, f"invalid value of header {name}: control characters are not allowed")


def _parse(grouped: Mapping[str, list[str]], *, family: str, nesting: int) -> Options:
    """Return the options of one family of headers, whose names begin with *family* on the wire.

    A callback's family has the grammar of the publish itself: `Upstash-Callback-Retries` is read
    as the `Upstash-Retries` of the callback. Hence in *grouped* every name begins with `upstash-`.
    """
    if nesting > MAX_NESTING:
        raise Refused(400, f"callbacks of callbacks are nested deeper than {MAX_NESTING}")
    given: dict[str, Any] = {}
    forward: list[tuple[str, str]] = []
    families: dict[str, dict[str, list[str]]] = {}
    for name, values in grouped.items():
        if row := _SCALARS.get(name):
            if not values[0] and name != "upstash-cron":
                continue
            if nesting and name in _NOT_OF_CALLBACKS:
                raise Refused(400, f"{_header(family, name)} can not be used: callbacks can not be delayed")
            value = values[0] if name == "content-type" else http.text(values[0])
            given[row.field] = _value(family, name, value, row.parse)
        elif name.startswith(FORWARD_PREFIX):
            forward += _forwarded(name, values)
        elif name.startswith(_FAMILY_PREFIXES):
            prefix = next(prefix for prefix in _FAMILIES if name.startswith(prefix))
            families.setdefault(prefix, {})["upstash-" + name.removeprefix(prefix)] = values
    for prefix, group in families.items():
        inner = family + prefix.removeprefix("upstash-")
        given[_FAMILIES[prefix]] = _parse(group, family=inner, nesting=nesting + 1)
    return Options(
        **given,
        forward=tuple(forward),
        flow_control=_flow_control(grouped, family),
        workflow=workflow.parse_marks(grouped),
    )


def _value(family: str, name: str, text: str, parse: Callable[[str], T]) -> T:
    try:
        return parse(text)
    except ValueError as error:
        if name == "upstash-cron":
            raise Refused(400, str(error)) from None
        raise Refused(400, f"invalid {_header(family, name)} header: {error}") from None


def _header(family: str, name: str) -> str:
    """Return the header *name* of *family* as the publisher wrote it, for a refusal."""
    return http.canonical(family + name.removeprefix("upstash-"))


def _forwarded(key: str, values: Iterable[str]) -> Iterator[tuple[str, str]]:
    name = key.removeprefix(FORWARD_PREFIX)
    # QStash ignores Upstash-Forward-Content-Type: a message has the Content-Type of its publish.
    if name in HOP_BY_HOP or name in ("", "content-type"):
        return
    if not http.is_token(name):
        raise Refused(400, f"invalid header name {name!r} in {key}")
    yield from ((http.canonical(name), value) for value in values)


def _flow_control(grouped: Mapping[str, list[str]], family: str) -> FlowControl | None:
    if "upstash-flow-control-key" not in grouped and "upstash-flow-control-value" not in grouped:
        return None
    key, value = (http.text(grouped.get(f"upstash-flow-control-{half}", [""])[0]).strip() for half in ("key", "value"))
    if not key and not value:
        return None
    if not key or not value:
        missing = "upstash-flow-control-value" if key else "upstash-flow-control-key"
        raise Refused(400, f"{_header(family, missing)} is missing: a flow-control key and its value go together")
    if not urls.NAME.fullmatch(key):
        raise Refused(400, INVALID_KEY)
    limits: dict[str, int] = {}
    for part in value.split(","):
        name, _, number = (word.strip() for word in part.partition("="))
        name = name.lower()
        if name not in _LIMITS:
            raise Refused(400, INVALID_LIMITS)
        limits[name] = _value(family, "upstash-flow-control-value", number, _LIMITS[name])
    if not limits.keys() & {"parallelism", "rate"}:
        raise Refused(400, INVALID_LIMITS)
    return FlowControl(
        key=key,
        parallelism=limits.get("parallelism"),
        rate=limits.get("rate"),
        period_ms=limits.get("period", DEFAULT_PERIOD_MS),
    )


def parse_bool(text: str) -> bool:
    """Return what Go's strconv.ParseBool makes of *text*, or raise ValueError."""
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    raise ValueError(f"{text!r} is not a boolean")


def parse_count(text: str) -> int:
    """Return *text* as an integer of 0 or more, or raise ValueError."""
    if not re.fullmatch(r"[0-9]{1,15}", text.strip()):
        raise ValueError(f"{text!r} is not a non-negative integer")
    return int(text)


def parse_name(text: str) -> str:
    """Return *text* if it can name a queue, a schedule or a URL group, or raise ValueError."""
    if not urls.NAME.fullmatch(text):
        raise ValueError(f"{text!r} has other characters than letters, digits, hyphen, period and underscore")
    return text


def _limit(text: str) -> int:
    try:
        limit = parse_count(text)
    except ValueError:
        raise Refused(400, INVALID_LIMITS) from None
    if limit < 1:
        raise ValueError(f"{text!r} is less than 1")
    return limit


def _period_ms(text: str) -> int:
    if not MIN_PERIOD_MS <= (period_ms := durations.seconds_or_header_ms(text)) <= MAX_PERIOD_MS:
        raise ValueError(f"{text!r} is not between a second and a week")
    return period_ms


def _timeout_ms(text: str) -> int:
    if (timeout_ms := durations.seconds_or_header_ms(text)) > MAX_TIMEOUT_MS:
        raise ValueError(f"{text} is longer than a year")
    return timeout_ms


def _not_before_ms(text: str) -> int:
    # QStash changelog, December 2024: fractions of a second count. assumed: floored to milliseconds
    match = re.fullmatch(r"([0-9]{1,18})(?:\.([0-9]{1,18}))?", text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a time in unix seconds")
    seconds, decimals = int(match[1]), match[2] or ""
    if seconds > LAST_SECOND:
        raise ValueError(f"{text} is beyond the year 9999; it takes unix seconds, not milliseconds")
    return seconds * 1_000 + int(decimals.ljust(3, "0")[:3])


def _method(text: str) -> str:
    if (method := text.strip().upper()) not in METHODS:
        raise ValueError(f"{text!r} is not one of {', '.join(sorted(METHODS))}")
    return method


def _labels(text: str) -> tuple[str, ...]:
    labels = tuple(label for part in text.split(",") if (label := part.strip()))
    if not all(map(urls.NAME.fullmatch, labels)):
        raise Refused(400, INVALID_LABEL)
    return labels


def _deduplication_id(text: str) -> str:
    if ":" in text:
        raise Refused(400, "DeduplicationId cannot contain ':'")  # QStash's own words
    if any(c.isspace() for c in text):
        raise Refused(400, "DeduplicationId cannot contain whitespace")
    return text


# A row for each header with one value, its name in lower case. openapi.yaml.
_SCALARS: Mapping[str, _Row] = {
    "content-type": _Row("content_type", str),
    "upstash-method": _Row("method", _method),
    "upstash-header-forward": _Row("header_forward", parse_bool),
    "upstash-retries": _Row("retries", parse_count),
    "upstash-retry-delay": _Row("retry_delay", Expression.parse),
    "upstash-delay": _Row("delay_ms", durations.header_ms),
    "upstash-not-before": _Row("not_before_ms", _not_before_ms),
    "upstash-timeout": _Row("timeout_ms", _timeout_ms),
    "upstash-label": _Row("labels", _labels),
    "upstash-deduplication-id": _Row("deduplication_id", _deduplication_id),
    "upstash-content-based-deduplication": _Row("content_based_deduplication", parse_bool),
    "upstash-callback": _Row("callback", urls.absolute_url),
    "upstash-failure-callback": _Row("failure_callback", urls.absolute_url),
    "upstash-redact-fields": _Row("redaction", Redaction.parse),
    "upstash-queue-name": _Row("queue", parse_name),
    "upstash-schedule-id": _Row("schedule_id", parse_name),
    "upstash-cron": _Row("cron", Cron.parse),
}
# QStash changelog, March 2025: a message with a delayed callback is refused. assumed: Not-Before
# is a delay, too, and the words of the refusal, which are made like those for a delay in enqueue.
_NOT_OF_CALLBACKS = frozenset({"upstash-delay", "upstash-not-before"})
_LIMITS: Mapping[str, Callable[[str], int]] = {"parallelism": _limit, "rate": _limit, "period": _period_ms}
# The headers that configure a callback: the prefix of their names → the option that holds their
# values.
_FAMILIES = {"upstash-failure-callback-": "failure_callback_options", "upstash-callback-": "callback_options"}
_FAMILY_PREFIXES = tuple(_FAMILIES)
