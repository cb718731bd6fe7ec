"""Filters: which messages, dead letters or log entries a bulk operation or a listing selects.

Values of one filter are alternatives, different filters must all hold. Names compare in any case.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from qstash_fake.broker.dead_letters import DeadLetter
from qstash_fake.broker.journal import LogEntry
from qstash_fake.broker.message import Message
from qstash_fake.broker.workflow.resuming import failure_state
from qstash_fake.errors import Refused
from qstash_fake.protocol import urls

IN_PROGRESS = frozenset({"ACTIVE", "RETRY", "ERROR"})  # openapi.yaml, the `state` filter of logs

Values = Iterable[str | None]
PossibleValues = Mapping[str, re.Pattern[str]]

# Filter, in lower case → what it compares of a message.
MESSAGE_FILTERS: Mapping[str, Callable[[Message], Values]] = {
    "messageid": lambda message: (message.message_id,),
    "messageids": lambda message: (message.message_id,),
    "topicname": lambda message: (message.url_group,),
    "queuename": lambda message: (message.queue,),
    "scheduleid": lambda message: (message.schedule_id,),
    "callerip": lambda message: (message.caller_ip,),
    "api": lambda message: (message.api,),
    "url": lambda message: (message.url,),
    "host": lambda message: (urls.split(message.url).host,),
    "path": lambda message: (urls.split(message.url).path or "/",),
    "label": lambda message: message.labels,
    "flowcontrolkey": lambda message: (message.options.flow_control.key if message.options.flow_control else None,),
}
_NOT_OF_DEAD_LETTERS = frozenset({"host", "path"})  # refused by the real DLQ endpoints
DEAD_LETTER_FILTERS: Mapping[str, Callable[[DeadLetter], Values]] = {
    "dlqids": lambda dead: (dead.dlq_id,),
    "responsestatus": lambda dead: (str(dead.response_status),),
    "source": lambda dead: ("workflow" if dead.message.part else None,),
    "workflowurl": lambda dead: (dead.message.part.run.url if dead.message.part else None,),
    "workflowrunid": lambda dead: (dead.message.part.run.run_id if dead.message.part else None,),
    "workflowcreatedat": lambda dead: (str(dead.message.part.run.created_ms) if dead.message.part else None,),
    "failurefunctionstate": lambda dead: (failure_state(dead.message.part.run) if dead.message.part else None,),
}
# The values of filters that take only some. Another value is a mistake, which an empty list would hide (assumed).
VALUES: PossibleValues = {
    "responsestatus": re.compile("[0-9]{1,3}|"),
    "state": re.compile(
        "CREATED|ACTIVE|RETRY|ERROR|IN_PROGRESS|DELIVERED|FAILED|CANCEL_REQUESTED|CANCELL?ED|"  # openapi.yaml
    ),
}
LOG_FILTERS: Mapping[str, Callable[[LogEntry], Values]] = {
    "state": lambda entry: (entry.state, *(("IN_PROGRESS",) if entry.state in IN_PROGRESS else ())),
}


@dataclass(frozen=True, slots=True)
class Filter:
    """Conditions on one kind of thing, already understood; no conditions mean everything."""

    conditions: Mapping[str, frozenset[str]]
    from_ms: int | None = None
    to_ms: int | None = None

    def message(self, message: Message) -> bool:
        """Tell whether *message* is meant; dates are those of its creation, both inclusive."""
        return self._in_time(message.created_ms) and all(
            not wanted.isdisjoint(MESSAGE_FILTERS[name](message)) for name, wanted in self.conditions.items()
        )

    def dead_letter(self, dead: DeadLetter) -> bool:
        """Tell whether *dead* is meant; dates are those of its arrival (assumed)."""
        return self._in_time(dead.created_ms) and all(
            not wanted.isdisjoint(
                DEAD_LETTER_FILTERS[name](dead) if name in DEAD_LETTER_FILTERS else MESSAGE_FILTERS[name](dead.message)
            )
            for name, wanted in self.conditions.items()
        )

    def log(self, entry: LogEntry) -> bool:
        """Tell whether *entry* is meant; dates are its own."""
        return self._in_time(entry.time_ms) and all(
            not wanted.isdisjoint(
                LOG_FILTERS[name](entry) if name in LOG_FILTERS else MESSAGE_FILTERS[name](entry.message)
            )
            for name, wanted in self.conditions.items()
        )

    def _in_time(self, time_ms: int) -> bool:
        return (self.from_ms is None or self.from_ms <= time_ms) and (self.to_ms is None or time_ms <= self.to_ms)


MESSAGES = frozenset(MESSAGE_FILTERS)
DEAD_LETTERS = (MESSAGES | DEAD_LETTER_FILTERS.keys()) - _NOT_OF_DEAD_LETTERS
LOGS = MESSAGES | LOG_FILTERS.keys()


def parse_filter(given: Mapping[str, list[str]], known: frozenset[str], possible: PossibleValues = VALUES) -> Filter:
    """Return the filter that *given*, names to values, asks for.

    A name that is not *known* is refused, and so is a value that is not *possible*. A value may also be a
    comma-separated list; a value that contains commas still matches as a whole.
    """
    conditions: dict[str, frozenset[str]] = {}
    dates: dict[str, int] = {}
    for name, values in given.items():
        key = name.lower()
        if key in ("fromdate", "todate"):
            dates[key] = _milliseconds(name, values[0])
        elif key in known:
            parts = [part.strip() for value in values for part in value.split(",")]
            if key in possible and (odd := next((part for part in parts if not possible[key].fullmatch(part)), None)):
                raise Refused(400, f"invalid {name}: {odd!r}")
            conditions[key] = frozenset((*values, *parts)) | conditions.get(key, frozenset())
        else:
            raise Refused(400, f"unknown filter {name!r}")
    if "state" in conditions and "CANCELLED" in conditions["state"]:
        conditions["state"] |= {"CANCELED"}  # documented with two L; see docs/protocol.md, 4.1
    return Filter(conditions, dates.get("fromdate"), dates.get("todate"))


def _milliseconds(name: str, text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise Refused(400, f"invalid {name}: {text!r} is not a time in unix milliseconds")
    return int(text)
