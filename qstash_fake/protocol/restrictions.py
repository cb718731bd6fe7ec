"""Restrictions: which options a kind of request must not ask for, and which it must.

The grammar of the headers is the same for all kinds of requests (options.py); the options that they
may ask for differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum, auto
from typing import NamedTuple

from qstash_fake.errors import Refused
from qstash_fake.protocol.options import Options, parse_options


class Kind(Enum):
    """The kind of request that brings the options."""

    PUBLISH = auto()
    ENQUEUE = auto()
    BATCH_ITEM = auto()
    SCHEDULE = auto()
    RETRY = auto()
    """The retry of a dead letter."""
    DEFAULTS = auto()
    """The default headers of a URL group."""


class Restriction(NamedTuple):
    """Refuse with *error* if one of *options* is given, or, if *required*, none of them."""

    options: tuple[str, ...]
    error: str
    required: bool = False


_TIMETABLE = ("cron", "schedule_id")

# Of several restrictions that a request breaks the first counts.
RESTRICTIONS: Mapping[Kind, tuple[Restriction, ...]] = {
    Kind.PUBLISH: (),  # with a cron it makes a schedule
    Kind.ENQUEUE: (
        # assumed
        Restriction(("cron",), "Upstash-Cron can not be used with enqueue, use Upstash-Queue-Name on a schedule"),
        # A queue decides itself when its messages start. QStash's own words.
        Restriction(("delay_ms", "not_before_ms"), "Upstash-Not-Before/Upstash-Delay can not be used with enqueue"),
    ),
    Kind.BATCH_ITEM: (Restriction(("cron",), "Upstash-Cron can not be used in a batch"),),  # assumed
    # QStash's own words.
    Kind.SCHEDULE: (Restriction(("cron",), "Invalid cron expression empty spec string", required=True),),
    # assumed
    Kind.RETRY: (
        Restriction(_TIMETABLE, "Upstash-Cron and Upstash-Schedule-Id can not be used with a retry"),
        Restriction(("workflow",), "Upstash-Workflow-RunId and Upstash-Workflow-Init can not be used with a retry"),
    ),
    # assumed
    Kind.DEFAULTS: (
        Restriction(_TIMETABLE, "Upstash-Cron and Upstash-Schedule-Id can not be defaults of a URL group"),
        Restriction(
            ("workflow",), "Upstash-Workflow-RunId and Upstash-Workflow-Init can not be defaults of a URL group"
        ),
    ),
}


def parse_options_of(kind: Kind, pairs: Sequence[tuple[str, str]]) -> Options:
    """Return the options that header *pairs* of a request of this *kind* ask for; or refuse them with 400."""
    options = parse_options(pairs)
    check(kind, options)
    return options


def check(kind: Kind, options: Options) -> None:
    """Refuse *options* with 400 if a request of this *kind* must not ask for them."""
    for restriction in RESTRICTIONS[kind]:
        given = any(getattr(options, name) is not None for name in restriction.options)
        if given is not restriction.required:
            raise Refused(400, restriction.error)
