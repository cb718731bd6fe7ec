"""The active fakes, as the network sees them: services behind host names; the innermost answers."""

from __future__ import annotations

from qstash_fake.api.answer import Api
from qstash_fake.api.call import Reply
from qstash_fake.intercept.hosts import Hosts, region_of
from qstash_fake.protocol.http import Headers


class Service:
    """One fake: *api* answers calls to *hosts*."""

    def __init__(self, api: Api, hosts: Hosts) -> None:
        self._api = api
        self.hosts = hosts

    def answer(self, url: str, method: str, headers: Headers, body: bytes) -> Reply:
        """Return the answer to a call of *url*; raises nothing but ConnectionDropped."""
        called = None if self._api.broker.region is None else region_of(url)
        return self._api.answer(method, _target(url), headers, body, called_region=called)


class Services:
    """The services that are active now, in the order of beginning. All patches of a process ask the same object."""

    def __init__(self) -> None:
        self._active: list[Service] = []

    def begin(self, service: Service) -> None:
        """Let *service* answer before all others."""
        self._active.append(service)

    def end(self, service: Service) -> None:
        """Let *service* answer no more; the others stay, in whichever order they end."""
        self._active.remove(service)

    def __bool__(self) -> bool:
        return bool(self._active)

    def at(self, url: str) -> Service | None:
        """Return the innermost service if *url* is a host of any service: it answers for the outer ones too."""
        for service in self._active:
            if url in service.hosts:
                return self._active[-1]
        return None

    def prefixes(self) -> list[str]:
        """Return the beginnings of the URLs of all hosts."""
        return sorted({prefix for service in self._active for prefix in service.hosts.prefixes()})


def _target(url: str) -> str:
    """Return the raw path and query of *url*."""
    rest = url.partition("://")[2]
    return rest[rest.index("/") :] if "/" in rest else "/"
