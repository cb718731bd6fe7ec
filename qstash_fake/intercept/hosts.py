"""Which URLs are QStash's while a fake is there."""

from __future__ import annotations

import os
import re

from qstash_fake.intercept import cloud
from qstash_fake.protocol import urls

DEV_SERVER = "http://127.0.0.1:8080"  # the official dev server's address
_CONTROL = re.compile(r"/_fake(/|$)")  # of a server of ours, whose address is in QSTASH_URL: only its port answers
# The only paths of QStash at the dev server's address: many applications use port 8080 themselves.
_API_PATHS = ("v1", "v2", "llm")
_API_PATH = re.compile(rf"/({'|'.join(_API_PATHS)})(/|$)", re.IGNORECASE)
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")

Origin = tuple[str, str, int]
"""Scheme, host and port; the usual names of this machine count as one."""


class Hosts:
    """QStash's own hosts, the official dev server, the *extra* base URLs, and QSTASH_URL as it stands at the call."""

    def __init__(self, *extra: str | None) -> None:
        self._extra = frozenset(_origin(url) for url in extra if url and "://" in url)
        # Beginnings of nearly all URLs, known without parsing the URL.
        self._usual = tuple(f"{origin}/v2/" for origin in (f"https://{cloud.ALIAS}", DEV_SERVER, *filter(None, extra)))

    def __contains__(self, url: str) -> bool:
        if url.startswith(self._usual) or region_of(url) is not None:
            return True
        origin, path = _origin(url), urls.split(url).path
        if origin == _DEV_SERVER:
            return _API_PATH.match(path) is not None
        if _CONTROL.match(path):
            return False
        return origin in self._extra or origin == _origin(os.environ.get("QSTASH_URL", ""))

    def prefixes(self) -> list[str]:
        """Return the beginnings of all URLs of these hosts, for the known regions."""
        cloud_hosts = (cloud.ALIAS, *map(cloud.host_of, cloud.REGIONS))
        own = {*self._extra, _origin(os.environ.get("QSTASH_URL", ""))} - {_DEV_SERVER, _NOWHERE}
        return [
            *(f"https://{host}/" for host in cloud_hosts),
            *(f"http://{host}:8080/{path}/" for host in _LOOPBACK for path in _API_PATHS),
            *(urls.normalize(f"{spelled_origin(*origin)}/") for origin in sorted(own)),
        ]


def region_of(url: str) -> str | None:
    """Return the region of the cloud host in *url*, or None if it has another host."""
    return cloud.region_of(urls.server(url).host)


def spelled_origin(scheme: str, host: str, port: int | None) -> str:
    """Return scheme, host and port as a URL begins with them."""
    host = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return f"{scheme}://{host}" if port is None else f"{scheme}://{host}:{port}"


def spelled(origin: str, target: str) -> str:
    """Return the URL of *target* at *origin*; a client that talks to a proxy names the whole URL as its target."""
    return origin + target if target.startswith("/") else target


def _origin(url: str) -> Origin:
    host, port, _ = urls.server(url)
    return urls.split(url).scheme.lower(), _LOOPBACK[0] if host in _LOOPBACK else host, port


_DEV_SERVER = _origin(DEV_SERVER)
_NOWHERE = _origin("")
