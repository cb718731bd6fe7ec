"""URL groups: named lists of endpoints, and the default options that come with them. Knows their quotas; no message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from qstash_fake.broker.quotas import Plan, check_count
from qstash_fake.protocol.options import NO_OPTIONS, Options


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A member of a group; *name* may be empty."""

    url: str
    name: str = ""


@dataclass(slots=True, eq=False, kw_only=True)
class UrlGroup:
    """A group that has endpoints, or defaults set before its first endpoint."""

    name: str
    created_ms: int
    updated_ms: int
    endpoints: list[Endpoint] = field(default_factory=list)
    defaults: Options = NO_OPTIONS


class UrlGroups:
    """All groups, by name; *plan* is None for no quotas."""

    def __init__(self, plan: Plan | None = None) -> None:
        self._plan = plan
        self.by_name: dict[str, UrlGroup] = {}

    def upsert(self, name: str, endpoints: Sequence[Endpoint], now_ms: int) -> UrlGroup:
        """Add *endpoints*; one whose URL or name is known already is replaced where it stands."""
        known = self.by_name.get(name)
        merged = _merged(known.endpoints if known else (), endpoints)
        self._check(name)
        check_count(self._plan, "maxEndpointsPerTopic", len(merged))
        group = self._group(name, now_ms)
        group.endpoints = merged
        return group

    def remove(self, name: str, endpoints: Sequence[Endpoint], now_ms: int) -> None:
        """Take endpoints away, each named by URL or by name; a group left without any is deleted."""
        group = self.by_name.get(name)
        if group is None:
            return
        gone = [known for known in group.endpoints if any(_same(known, endpoint) for endpoint in endpoints)]
        group.endpoints = [known for known in group.endpoints if known not in gone]
        group.updated_ms = now_ms
        if not group.endpoints:
            del self.by_name[name]

    def set_defaults(self, name: str, defaults: Options, now_ms: int) -> None:
        """Lay *defaults* under the options of every publish to the group; made if there is none."""
        self._check(name)
        group = self._group(name, now_ms)
        group.defaults = defaults.over(group.defaults)

    def _check(self, name: str) -> None:
        if name not in self.by_name:
            check_count(self._plan, "maxTopics", len(self.by_name) + 1)

    def _group(self, name: str, now_ms: int) -> UrlGroup:
        """Return the group called *name*, which changes now; made if there is none."""
        group = self.by_name.setdefault(name, UrlGroup(name=name, created_ms=now_ms, updated_ms=now_ms))
        group.updated_ms = now_ms
        return group


def _merged(known: Sequence[Endpoint], added: Sequence[Endpoint]) -> list[Endpoint]:
    merged = list(known)
    for endpoint in added:
        places = [
            at
            for at, one in enumerate(merged)
            if one.url == endpoint.url or (endpoint.name and one.name == endpoint.name)
        ]
        if not places:
            merged.append(endpoint)
            continue
        first, *others = places
        merged[first] = Endpoint(url=endpoint.url, name=endpoint.name or merged[first].name)
        for at in reversed(others):
            del merged[at]
    return merged


def _same(known: Endpoint, given: Endpoint) -> bool:
    return known.url == given.url if given.url else known.name == given.name
