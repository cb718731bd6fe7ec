"""Deliveries over the network: where a delivery really goes, whether it may go there, and how it is sent.

Knows no broker and no clock. Nothing leaves the machine unless that was asked for: a host counts as loopback only
if it is a literal loopback address or `localhost`. Other names are not looked up, because the owner of a name may
answer 127.0.0.1 now and something else a moment later.
"""

from __future__ import annotations

import asyncio
import os
import re
from base64 import b64encode
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import NamedTuple
from urllib.parse import unquote_to_bytes
from urllib.request import getproxies, proxy_bypass

import httpx

from qstash_fake.broker.message import Outcome
from qstash_fake.delivery import exchange
from qstash_fake.delivery.answers import STATUSES, Body
from qstash_fake.delivery.conditions import DEFAULT_TIMEOUT_MS
from qstash_fake.delivery.exchange import Request
from qstash_fake.delivery.kinds.base import AsyncApp
from qstash_fake.protocol import urls

_AS_SENT = "qstash_fake.headers"


class Moved(NamedTuple):
    """Deliveries to *prefix* and below go to *target* instead; the rest of the URL is kept."""

    prefix: str
    target: str

    def __str__(self) -> str:
        """Return it as `--route` takes it, without users and passwords, well-formed or not."""
        return "=".join(re.sub("(?<=//).*@", "", url, flags=re.DOTALL) for url in self)


@asynccontextmanager
async def client(*, allow_external: bool) -> AsyncIterator[httpx.AsyncClient]:
    """Give the client that sends deliveries, with the CA certificates of the environment.

    The proxies of the environment count only where destinations outside this machine are allowed.
    """
    async with httpx.AsyncClient(
        verify=httpx.create_ssl_context(),
        trust_env=allow_external,
        follow_redirects=False,
        timeout=None,  # each delivery has its own, over all of it
        # A connection for each delivery: a destination that was restarted has given up the old ones.
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),  # QStash keeps none
        event_hooks={"response": [_hide_redirect]},
    ) as made:
        yield made


def why_not(url: httpx.URL) -> str | None:
    """Return why nothing is sent to *url* unless destinations outside this machine are allowed; None if it is fine."""
    # The host that httpx connects to, not another reading of the URL.
    host = url.raw_host.decode("ascii")
    origin = f"{url.scheme}://{url.netloc.decode('ascii')}"
    if not urls.is_loopback(host):
        return (
            f"{host} is not this machine, and nothing was sent: map it with --route {origin}=http://localhost:3000, "
            f"or let everything out with --allow-external"
        )
    proxies = getproxies()
    if (url.scheme in proxies or "all" in proxies) and not proxy_bypass(f"{host}:{url.port}" if url.port else host):
        return (
            f"the environment sends {origin} through a proxy, and nothing was sent: set NO_PROXY=localhost,127.0.0.1, "
            f"or let everything out with --allow-external"
        )
    return None


def mounts(
    sender: httpx.AsyncClient, moved: Sequence[Moved], *, allow_external: bool
) -> list[tuple[Network, str | None]]:
    """Return the applications that answer deliveries, each with its prefix; None for all other URLs."""
    return [
        (Network(sender, allow_external), None),
        *((Network(sender, allow_external, one), one.prefix) for one in moved),
    ]


@dataclass
class Network(AsyncApp):
    """A destination over the network; it answers deliveries like a mounted application."""

    sender: httpx.AsyncClient
    allow_external: bool
    moved: Moved | None = None

    async def send_async(self, request: Request) -> Outcome:
        """Send *request* and return the outcome; every error is a failed attempt."""
        timeout_ms = DEFAULT_TIMEOUT_MS if request.timeout_ms is None else request.timeout_ms
        try:
            sent = _on_the_wire(request, self.moved).to_httpx()
            if not self.allow_external and (problem := why_not(sent.url)) is not None:
                return Outcome(error=problem)
            async with asyncio.timeout(timeout_ms / 1000):
                return await self._exchange(sent)
        except TimeoutError:
            return Outcome(error="timeout", duration_ms=timeout_ms)
        except Exception as error:  # noqa: BLE001 - a broken destination must not stop the server
            return Outcome(error=_shown(error))

    async def _exchange(self, sent: httpx.Request) -> Outcome:
        response = await self.sender.send(sent, stream=True)
        body = Body()
        try:
            await body.read_async(response.aiter_raw())  # `encodings` unpacks it, as QStash does
        finally:
            await response.aclose()
        status = response.status_code
        if status not in STATUSES:
            return Outcome(error=f"the destination answered {status}, which is no status")
        return Outcome(status=status, headers=tuple(response.extensions[_AS_SENT].multi_items()), body=body.joined())


async def _hide_redirect(response: httpx.Response) -> None:
    """Hide `Location` from httpx, which reads it even if redirects are not followed, and fails if it is malformed."""
    response.extensions[_AS_SENT] = response.headers.copy()
    response.headers.pop("location", None)


def _shown(error: BaseException) -> str:
    """Return what went wrong: the reason of the operating system where there is one, such as a refused connection."""
    name, cause = type(error).__name__, error.__cause__ or error.__context__
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno is not None and cause.errno > 0:
            return f"{name}: {os.strerror(cause.errno)}"
        cause = cause.__cause__ or cause.__context__
    return f"{name}: {error}" if str(error) else name


def _on_the_wire(request: Request, moved: Moved | None) -> Request:
    """Return *request* with the address that it is moved to, and with the user of a URL as a header.

    Go's HTTP client, which QStash delivers with, does the same: an `Authorization` of the message stays.
    """
    users = [request.url]
    request = request._replace(url=_without_user(request.url))
    if moved is not None:
        prefix, target = _without_user(urls.normalize(moved.prefix)), _without_user(moved.target)
        rest = urls.normalize(request.url)[len(prefix.removesuffix("/")) :]
        request = exchange.moved(request, target.removesuffix("/") + rest)
        users.append(moved.target)
    if (basic := _basic(users)) is None or any(name.lower() == "authorization" for name, _ in request.headers):
        return request
    return request._replace(headers=(*request.headers, ("Authorization", basic)))


def _without_user(text: str) -> str:
    """Return *text* without the users, and their passwords, in its URLs."""
    return re.sub("(?<=//)[^/?#]*@", "", text)


def _basic(asked: Iterable[str]) -> str | None:
    """Return the credentials of the first of the URLs *asked* that names a user. RFC 7617."""
    for url in asked:
        user, at, _ = urls.split(url).host.rpartition("@")
        if at:
            name, _, password = user.partition(":")
            return f"Basic {b64encode(unquote_to_bytes(name) + b':' + unquote_to_bytes(password)).decode()}"
    return None
