"""Plans: what QStash does to the deliveries of one run, as text that is read and written, and in words for people.

A plan is faults joined by `+`, a fault is `KIND@POINT`. A point is `PATH#n.a`: attempt a of the n-th message to that
path; `HOST/PATH#n.a` where two hosts share it; `PATH#n` for the publish of the n-th message. Attempts are counted as
`Upstash-Retried` counts them. Messages are counted in the order in which they were made, and the messages of schedules
and callbacks count too. In a path `+`, `#` and blanks are percent-encoded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from qstash_fake.errors import UsageError
from qstash_fake.protocol import urls

MINUTE_MS = 60_000
HOUR_MS = 3_600_000  # assumed: QStash promises no time by which a delivery starts


class Kind(NamedTuple):
    """What one kind of fault does: a sentence, a mark for the timeline, the milliseconds that it puts a start off."""

    words: str
    mark: str
    put_off_ms: int = 0


# QStash docs, features/retry: QStash delivers at least once. Single faults are tried in this order, the best first.
KINDS: Mapping[str, Kind] = {
    "twice": Kind("attempt {attempt} of {who} {at} is sent twice", "sent twice"),
    "lost": Kind("the answer of attempt {attempt} of {who} {at} is lost, and QStash tries again", "the answer is lost"),
    "swap": Kind("attempt {attempt} of {who} {at} starts after that of {other}", "starts after {other}"),
    "down": Kind("attempt {attempt} of {who} {at} does not arrive, and QStash tries again", "does not arrive"),
    "late1h": Kind("attempt {attempt} of {who}, due {at}, starts an hour late", "starts an hour late", HOUR_MS),
    "late1m": Kind("attempt {attempt} of {who}, due {at}, starts a minute late", "starts a minute late", MINUTE_MS),
    "publish_lost": Kind("the answer to the publish of {who} {at} is lost", "the answer to the publish is lost"),
}
OF_A_PUBLISH = "publish_lost"
NEED_A_RETRY = frozenset({"lost", "down"})
# Names that stand for several kinds.
FAMILIES: Mapping[str, tuple[str, ...]] = {"late": ("late1h", "late1m")}
DEFAULT = tuple(kind for kind in KINDS if kind != OF_A_PUBLISH)  # the SDKs answer a lost publish with real sleeping

_POINT = re.compile(r"(?P<host>[^/#@]*)(?P<path>/[^#]*)#(?P<number>[1-9]\d{0,8})(?:\.(?P<attempt>[1-9]\d{0,8}))?")
_ENCODED = {"+": "%2B", "#": "%23", " ": "%20"}


class Point(NamedTuple):
    """Attempt *attempt*, from 1, of message *number*, from 1, to *path*; 0 is the publish; no host means any host."""

    path: str
    number: int
    attempt: int
    host: str = ""

    def __str__(self) -> str:
        return f"{self.host}{self.path}#{self.number}{f'.{self.attempt}' if self.attempt else ''}"

    def is_at(self, host: str, path: str, number: int, attempt: int) -> bool:
        """Tell whether this is the point."""
        return self.host in ("", host) and (path, number, attempt) == self[:3]


class Fault(NamedTuple):
    """One thing that QStash does differently."""

    kind: str
    point: Point

    def __str__(self) -> str:
        return f"{self.kind}@{self.point}"


Plan = tuple[Fault, ...]
PLAIN: Plan = ()


def text_of(plan: Iterable[Fault]) -> str:
    """Return *plan* as `parse` reads it; the plain one is the empty text."""
    return "+".join(map(str, plan))


def parse(text: str) -> Plan:
    """Return the plan that *text* says; UsageError says what cannot be read."""
    plan = tuple(_fault(one.strip()) for one in text.split("+")) if text.strip() else PLAIN
    for number, fault in enumerate(plan):
        if fault in plan[:number]:
            raise UsageError(f"{fault} stands in the plan twice: a fault comes to pass once, so name it once")
    return plan


def place_of(url: str) -> tuple[str, str]:
    """Return host and path of *url* as points name them."""
    path = urls.split(url).path or "/"
    return urls.server(url).authority.lower(), "".join(_ENCODED.get(letter, letter) for letter in path)


def kinds_of(names: str | Iterable[str]) -> tuple[str, ...]:
    """Return the kinds that *names* stand for, in the order of KINDS; a text is split at commas and blanks."""
    if not isinstance(names, Iterable):
        raise UsageError(f"faults={names!r}: give the names of faults, such as ('twice', 'lost')")
    names = names.replace(",", " ").split() if isinstance(names, str) else tuple(names)
    if unknown := [name for name in names if name not in KINDS and name not in FAMILIES]:
        known = ", ".join([*KINDS, *FAMILIES])
        raise UsageError(f"faults={', '.join(map(repr, unknown))}: there is no such fault, use some of {known}")
    if not names:
        raise UsageError("faults= names no fault: leave it out for all that need no real time")
    wanted = {kind for name in names for kind in FAMILIES.get(name, (name,))}
    return tuple(kind for kind in KINDS if kind in wanted)


def _fault(text: str) -> Fault:
    kind, _, place = text.partition("@")
    if kind not in KINDS:
        raise UsageError(f"{text!r} is no fault: it begins with one of {', '.join(KINDS)} and `@`")
    found = _POINT.fullmatch(place)
    if found is None or (kind == OF_A_PUBLISH) is (found["attempt"] is not None):
        example = f"{kind}@/jobs/invoice#1{'' if kind == OF_A_PUBLISH else '.1'}"
        raise UsageError(f"{text!r} names no point of a run: it reads like {example}")
    path = found["path"].replace(" ", _ENCODED[" "])
    return Fault(kind, Point(path, int(found["number"]), int(found["attempt"] or 0), found["host"].lower()))
