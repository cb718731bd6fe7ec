"""Which URLs are QStash's."""

from __future__ import annotations

import os
import re

from qstash_fake.protocol import urls

QSTASH_HOST = re.compile(r"qstash(-[a-z0-9-]+)?\.upstash\.io")  # the EU alias and every region
DEV_SERVER = "http://127.0.0.1:8080"  # the official dev server's address
# The only paths that are QStash's at the dev server's address: 8080 is many an application's own port.
_API_PATH = re.compile(r"/(v1|v2|llm)(/|$)", re.IGNORECASE)
_CONTROL = re.compile(r"/_fake(/|$)")  # of a server of ours, whose address is in QSTASH_URL: only its port answers

_USUAL = re.compile(r"https://qstash(-[a-z0-9-]+)?\.upstash\.io/|http://127\.0\.0\.1:8080/(v1|v2|llm)/")


class Hosts:
    """QStash's own hosts, the official dev server, the *extra* base URLs, and QSTASH_URL as it stands at the call."""

    def __init__(self, *extra: str | None) -> None:
        self._extra = frozenset(_origin(url) for url in extra if url and "://" in url)

    def __contains__(self, url: str) -> bool:
        if _USUAL.match(url):  # what nearly every call is, without taking the URL to pieces
            return True
        normal = urls.normalize(url)
        host = urls.split(normal).host.rpartition("@")[2]
        if QSTASH_HOST.fullmatch(host.partition(":")[0]):
            return True
        origin, path = _origin(normal), urls.split(normal).path
        if origin == DEV_SERVER:
            return _API_PATH.match(path) is not None
        if _CONTROL.match(path):
            return False
        return origin in self._extra or origin == _origin(os.environ.get("QSTASH_URL", ""))

    def __or__(self, other: Hosts) -> Hosts:
        """Return the hosts of both."""
        both = Hosts()
        both._extra = self._extra | other._extra
        return both


def _origin(url: str) -> str:
    """Return scheme, host and port, the usual names of this machine being one."""
    parts = urls.split(urls.normalize(url))
    host = re.sub(r"^(localhost|\[::1\])(?=:|$)", "127.0.0.1", parts.host.rpartition("@")[2])
    return f"{parts.scheme}://{host}"
