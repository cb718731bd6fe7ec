"""URL groups: named lists of endpoints, and the default options that come with them. Knows their quotas; no message."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from qstash_fake.broker.quotas import Plan, check_count
from qstash_fake.protocol.attributes import NamesWhatIsMeant
from qstash_fake.protocol.options import NO_OPTIONS, Options


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint(NamesWhatIsMeant):
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
        gone_urls = {endpoint.url for endpoint in endpoints if endpoint.url}
        gone_names = {endpoint.name for endpoint in endpoints if not endpoint.url}
        group.endpoints = [
            known for known in group.endpoints if known.url not in gone_urls and known.name not in gone_names
        ]
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


def _merged(known: Sequence[Endpoint], added: Iterable[Endpoint]) -> list[Endpoint]:
    """Return *known* with each of *added* in the place of the endpoint that has its URL or its name, else at the end.

    No two endpoints of a group have the same URL, and no two the same name. An added endpoint therefore replaces two
    others at most, which two tables find: it takes the place of the first, and the second goes. To look through
    the whole group for each one would cost n² for n endpoints.
    """
    merged = dict(enumerate(known))  # by place: a dict keeps the order and can lose one from the middle
    by_url = {endpoint.url: place for place, endpoint in merged.items()}
    by_name = {endpoint.name: place for place, endpoint in merged.items() if endpoint.name}
    free = itertools.count(len(merged))
    for endpoint in added:
        meant = {by_url.get(endpoint.url), by_name.get(endpoint.name)}
        places = sorted(place for place in meant if place is not None)
        name = endpoint.name or (merged[places[0]].name if places else "")
        for place in places:
            gone = merged[place]
            del by_url[gone.url]
            by_name.pop(gone.name, None)
        for place in places[1:]:
            del merged[place]
        place = places[0] if places else next(free)
        merged[place] = Endpoint(url=endpoint.url, name=name)
        by_url[endpoint.url] = place
        if name:
            by_name[name] = place
    return list(merged.values())
