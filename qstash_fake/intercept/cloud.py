"""The host names of QStash's cloud. Imports nothing: the guard asks for each name that a test run looks up."""

from __future__ import annotations

ALIAS = "qstash.upstash.io"
ALIAS_REGION = "eu-central-1"  # QStash docs, howto/multi-region: the name without a region is Europe's
REGIONS = ("eu-central-1", "us-east-1")  # openapi.yaml, servers
_PREFIX, _SUFFIX = "qstash-", ".upstash.io"


def region_of(host: str) -> str | None:
    """Return the region that *host* serves, or None if it is no host of QStash; a region may be a new one."""
    name = host.lower().removesuffix(".")
    if name == ALIAS:
        return ALIAS_REGION
    if name.startswith(_PREFIX) and name.endswith(_SUFFIX):
        region = name[len(_PREFIX) : -len(_SUFFIX)]
        return region if region and "." not in region else None
    return None


def host_of(region: str) -> str:
    """Return the name of the host that serves *region*."""
    return f"{_PREFIX}{region}{_SUFFIX}"
