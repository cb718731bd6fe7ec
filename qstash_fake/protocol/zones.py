"""Zones: the window around an instant in which a time zone keeps one offset from UTC.

Inside such a window a wall clock runs like any other clock: it shows UTC plus the offset, skips
nothing and repeats nothing. A search of wall-clock times can therefore forget about time zones
inside a window, and begin again with the next offset where it ends.
"""

from __future__ import annotations

from bisect import bisect_left
from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple

from qstash_fake.protocol.moments import LAST_SECOND

DAY_S = 86_400
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)  # made at import: an application time that is frozen later changes nothing

_STEP_S = 3 * DAY_S
_LONGEST_S = 366 * DAY_S
_PROBES_S = range(0, _LONGEST_S, _STEP_S)
_LAST_S = LAST_SECOND - DAY_S  # the last instant that every zone can show; none of them changes its offset later
_SECOND = timedelta(seconds=1)


class Window(NamedTuple):
    """A span of time, [start_s, end_s) in unix seconds, with one offset from UTC in seconds."""

    start_s: int
    end_s: int
    offset_s: int


NO_WINDOW = Window(0, 0, 0)
_UTC = Window(-(1 << 62), 1 << 62, 0)

# How the end of a window is found. zoneinfo tells the offset at an instant, but not when it
# changes next. The offset is therefore probed in steps of three days, forward from the start.
# Between the last probe with the old offset and the first with another one lies one change, and
# bisection finds its second.
#
# This is right as long as no zone leaves an offset and comes back to it within one step. The
# shortest time that a zone has kept an offset since 1970 is just under seven days (tz database:
# Boa Vista in 2000, Gaza in 2040), more than twice the step. A future rule with a shorter period
# would need a shorter step.
#
# A window ends after a year in any case: a zone that never changes then costs 122 probes a year
# of firings.


def window_from(zone: tzinfo, start_s: int) -> Window:
    """Return the window from *start_s* to the next change of offset, at most a year long unless *zone* is UTC."""
    if zone is UTC:
        return _UTC
    offset_s = _offset_s(zone, start_s)

    def changed(at_s: int) -> bool:
        return _offset_s(zone, at_s) != offset_s

    for probe_s in _PROBES_S:
        same_s = start_s + probe_s
        if changed(same_s + _STEP_S):
            step = range(same_s, same_s + _STEP_S)
            return Window(start_s, same_s + bisect_left(step, True, key=changed), offset_s)
    return Window(start_s, start_s + _LONGEST_S, offset_s)


def _offset_s(zone: tzinfo, at_s: int) -> int:
    offset = (EPOCH + timedelta(seconds=min(at_s, _LAST_S))).astimezone(zone).utcoffset()
    assert offset is not None  # every zone of the database has one
    return offset // _SECOND
