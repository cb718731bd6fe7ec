"""Which URLs are QStash's."""

from __future__ import annotations

import re

from qstash_fake.protocol import urls

QSTASH_HOST = re.compile(r"qstash(-[a-z0-9-]+)?\.upstash\.io")  # the EU alias and every region
DEV_SERVER = "http://127.0.0.1:8080"  # the official dev server's address: nothing real can ever listen there for us


class Hosts:
    """QStash's own hosts, and those of the *extra* base URLs, each with its port."""

    def __init__(self, *extra: str | None) -> None:
        self._extra = {_origin(url) for url in (DEV_SERVER, *extra) if url and "://" in url}

    def __contains__(self, url: str) -> bool:
        host = urls.split(urls.normalize(url)).host
        return QSTASH_HOST.fullmatch(host.partition(":")[0]) is not None or _origin(url) in self._extra


def _origin(url: str) -> str:
    parts = urls.split(urls.normalize(url))
    return f"{parts.scheme}://{parts.host.replace('localhost', '127.0.0.1')}"
