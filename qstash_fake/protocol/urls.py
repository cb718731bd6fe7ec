"""URLs: what a destination may be, which two are the same, and how a pattern matches one.

Scheme and host compare in lower case, a default port is dropped, an empty path is `/`; the rest
counts as sent.

A message's URL is parsed several times in each delivery, and a suite has few URLs. The results are
therefore remembered for the last `REMEMBERED` URLs. Headers, which may hold tokens, are never
remembered.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote

import httpx

from qstash_fake.errors import Refused

REMEMBERED = 4_096  # a bound for servers that run for days, far above what a suite has

# QStash's own words, seen in real answers
EMPTY_DESTINATION = "a non-empty destination must be provided"
INVALID_SCHEME = "invalid destination url: endpoint has invalid scheme, add http:// or https://"

NAME = re.compile(r"[A-Za-z0-9._-]+")  # openapi.yaml: of a queue, a schedule or a URL group
# Some clients and proxies collapse the `//` of a URL inside a path.
_SCHEME = re.compile(r"(https?):/{1,2}(?!/)(.*)", re.IGNORECASE | re.DOTALL)
# The characters that Go's net/url takes in a host, user information left out.
_HOST = re.compile(
    r"(\[[0-9A-Fa-f:.]+\]|(?:[A-Za-z0-9._~!$&'()*+,;=\x80-\U0010ffff-]|%[89A-Fa-f][0-9A-Fa-f])+)"
    r"(?::([0-9]{0,5}))?"
)
_REST = re.compile(r"([^/?#]*)([^?#]*)([^#]*)")  # host, path, query with its `?`
_SERVER = re.compile(r"(\[[^\]]*\]|[^:]*)(?::([0-9]{0,5}))?")
_USER = re.compile(r"(?<=://)[^/?#]*@")
_API = re.compile(r"api/([A-Za-z0-9._-]+)")
_BLANK = re.compile(r"[\s\x00-\x20\x7f]")


# Without 0.0.0.0, which some systems take for themselves, and without ::ffff:127.0.0.1 and the like.
LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))


class UrlParts(NamedTuple):
    """A URL split without decoding anything; joined, the parts give it back."""

    scheme: str
    host: str  # with port and user information, as sent
    path: str
    query: str  # with its `?`, or empty


class Server(NamedTuple):
    """The server of a URL, without user information."""

    host: str  # in lower case; an IPv6 address stands in its brackets
    port: int  # that of the scheme where the URL has none
    authority: str  # host and port as the URL has them, which a `Host` header repeats


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where a publish goes: exactly one of a URL, a URL group or a named API."""

    url: str = ""
    group: str = ""
    api: str = ""

    def __str__(self) -> str:
        return self.url or self.group or f"api/{self.api}"


@lru_cache(REMEMBERED)
def parse_destination(text: str) -> Destination:
    """Return the destination in *text*, the raw rest of a publish path, or refuse it."""
    if not text:
        raise Refused(400, EMPTY_DESTINATION)
    if _SCHEME.match(text):
        return Destination(url=absolute_url(text))
    text = text.removesuffix("/")  # of the route, which ends with a name here
    if api := _API.fullmatch(text):
        return Destination(api=api[1])
    if NAME.fullmatch(text):
        return Destination(group=text)
    raise Refused(400, INVALID_SCHEME)


def absolute_url(text: str) -> str:
    """Return the http(s) URL *text*, `https:/host` mended to `https://host`; or refuse it."""
    match = _SCHEME.match(text)
    if match is None:
        raise Refused(400, INVALID_SCHEME)
    host, path, query = _split_rest(match[2])
    url = f"{match[1]}://{host}{path}{query}"  # a fragment is never sent, hence not signed (assumed)
    authority = host.rpartition("@")[2]
    if authority[:1] in ("", ":") or _BLANK.search(url):
        raise Refused(400, f"invalid destination url: {url!r} has no valid host or contains blanks")
    if not _is_host(authority):
        raise Refused(400, f"invalid destination url: invalid host {authority!r}")
    return url


@lru_cache(REMEMBERED)
def _is_host(host: str) -> bool:
    """Tell whether a server can be at *host*, a name or address and maybe a port.

    Assumed: QStash refuses at publish what Go's URL parser refuses.
    """
    match = _HOST.fullmatch(host)
    if match is None or int(match[2] or 0) > 65_535:
        return False
    try:
        return bool(httpx.URL(f"http://{unquote(host)}/").host)  # addresses, and names that are not ASCII
    except (httpx.InvalidURL, ValueError):  # the latter of names that IDNA refuses
        return False


@lru_cache(REMEMBERED)
def split(url: str) -> UrlParts:
    """Split an absolute URL; a fragment is never sent and is dropped."""
    scheme, _, rest = url.partition("://")
    return UrlParts(scheme, *_split_rest(rest))


def _split_rest(rest: str) -> tuple[str, str, str]:
    """Return host, path and query of the text behind a scheme, without the fragment."""
    match = _REST.match(rest)
    assert match is not None  # all of it may be empty
    return match[1], match[2], match[3]


@lru_cache(REMEMBERED)
def server(url: str) -> Server:
    """Return the server of the absolute *url*.

    A port that is no number of at most five digits stays part of the host, which no machine can be
    called.
    """
    scheme, host, _, _ = split(url)
    authority = host.rpartition("@")[2]
    match = _SERVER.fullmatch(authority)
    name, port = match.groups() if match else (authority, "")
    return Server(name.lower(), int(port) if port else _default_port(scheme), authority)


def is_loopback(host: str) -> bool:
    """Tell whether *host* is this machine for sure: a literal loopback address, or `localhost`."""
    if host.lower() == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return "%" not in host and any(address in network for network in LOOPBACK)


def _default_port(scheme: str) -> int:
    return 443 if scheme.lower() == "https" else 80


@lru_cache(REMEMBERED)
def normalize(url: str) -> str:
    """Return the one spelling of all equal URLs."""
    scheme, host, path, query = split(url)
    user, at, _ = host.rpartition("@")
    name, port, _ = server(url)
    shown = "" if port == _default_port(scheme) else f":{port}"
    return f"{scheme.lower()}://{user}{at}{name}{shown}{path or '/'}{query}"


@dataclass(frozen=True, slots=True)
class UrlPattern:
    """A URL as `on`, `assert_*` and `duplicate_next` take it.

    A text matches exactly that URL; its query is compared only if the pattern has one. A trailing
    `*` makes the text a prefix. A compiled regular expression must match the whole URL.
    """

    pattern: str | re.Pattern[str]
    _test: Callable[[str], object] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_test", _test(self.pattern))

    def matches(self, url: str) -> bool:
        """Tell whether this pattern matches *url*."""
        return bool(self._test(url))

    @property
    def exact(self) -> str | None:
        """The normal form of the only URL that it matches, without a query if any query will do; None for others."""
        if isinstance(self.pattern, re.Pattern) or self.pattern.endswith("*"):
            return None
        return normalize(self.pattern)

    def __str__(self) -> str:
        return self.pattern if isinstance(self.pattern, str) else f"/{self.pattern.pattern}/"


def _test(pattern: str | re.Pattern[str]) -> Callable[[str], object]:
    """Return the function that tells whether *pattern* matches a URL; made once for each pattern."""
    if isinstance(pattern, re.Pattern):
        return pattern.fullmatch
    if pattern == "*":
        return lambda _: True
    if pattern.endswith("*"):
        start = _prefix(pattern[:-1])
        return lambda url: normalize(url).startswith(start)
    wanted = normalize(pattern)
    if "?" in wanted:
        return lambda url: normalize(url) == wanted
    return lambda url: normalize(url).partition("?")[0] == wanted


def _prefix(text: str) -> str:
    """Normalize the fixed part of a prefix pattern, which may end inside its host or its path."""
    scheme, host, path, query = split(text)
    if path or query or host.endswith(f":{_default_port(scheme)}"):
        return normalize(text)
    return f"{scheme.lower()}://{host.lower()}"


def under(prefix: str, url: str) -> bool:
    """Tell whether *url* is the mount point *prefix*, or lies below it in path or query."""
    base, given = _place(prefix).removesuffix("/"), _place(url)
    return given.startswith(base) and given[len(base) :][:1] in ("", "/", "?")


@lru_cache(REMEMBERED)
def _place(url: str) -> str:
    """Return the normal form of *url* without user information: the server is the same."""
    return normalize(_USER.sub("", url))
