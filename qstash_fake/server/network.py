"""Deliveries over the network: where one really goes, whether it may go there, and how it is sent.

Knows no broker and no clock. Nothing leaves the machine unless that was asked for: a host counts as loopback only
if it is a literal loopback address or `localhost`. Other names are not looked up, for a name's owner may answer
127.0.0.1 today and something else a moment later.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import ClassVar, NamedTuple
from urllib.request import getproxies, proxy_bypass

import httpx

from qstash_fake.broker.message import Outcome
from qstash_fake.delivery.exchange import Request
from qstash_fake.delivery.targets import DEFAULT_TIMEOUT_MS
from qstash_fake.protocol import urls

# Without 0.0.0.0, which some systems take for themselves, and without ::ffff:127.0.0.1 and its kind.
LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
MAX_ANSWER = 10 * 1024 * 1024  # bytes that are kept of an answer; QStash's message size, which a callback is bound by


class Moved(NamedTuple):
    """Deliveries to *prefix* and below go to *target* instead; what stands after the prefix is kept."""

    prefix: str
    target: str


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
        # A connection for each delivery: none is met that a destination, restarted since, has just given up.
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),  # QStash keeps none
    ) as made:
        yield made


def is_loopback(host: str) -> bool:
    """Tell whether *host* is this machine for sure: a literal loopback address, or `localhost`."""
    if host.lower() == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return "%" not in host and any(address in network for network in LOOPBACK)


def why_not(url: httpx.URL) -> str | None:
    """Return why nothing is sent to *url* unless destinations outside this machine are allowed; None if it is fine."""
    # The very bytes that are connected to, not another reading of them.
    host = url.raw_host.decode("ascii")
    origin = f"{url.scheme}://{url.netloc.decode('ascii')}"
    if not is_loopback(host):
        return (
            f"{host} is not this machine, so nothing was sent: map it with --route {origin}=http://localhost:3000, "
            f"or let everything out with --allow-external"
        )
    proxies = getproxies()
    if (url.scheme in proxies or "all" in proxies) and not proxy_bypass(f"{host}:{url.port}" if url.port else host):
        return (
            f"the environment sends {origin} through a proxy, so nothing was sent: set NO_PROXY=localhost,127.0.0.1, "
            f"or let everything out with --allow-external"
        )
    return None


def mounts(
    sender: httpx.AsyncClient, moved: Sequence[Moved], *, allow_external: bool
) -> list[tuple[Network, str | None]]:
    """Return what answers deliveries, with the prefix of each; None for all other URLs."""
    return [
        (Network(sender, allow_external), None),
        *((Network(sender, allow_external, one), one.prefix) for one in moved),
    ]


@dataclass(slots=True)
class Network:
    """What is reached over the network; answers deliveries as a mounted application does."""

    sender: httpx.AsyncClient
    allow_external: bool
    moved: Moved | None = None
    is_async: ClassVar[bool] = True
    in_thread: ClassVar[bool] = False

    async def send(self, request: Request) -> Outcome:
        """Send *request* and return what came of it; whatever goes wrong is a failed attempt."""
        timeout_ms = DEFAULT_TIMEOUT_MS if request.timeout_ms is None else request.timeout_ms
        try:
            sent = _elsewhere(request, self.moved).to_httpx()
            if not self.allow_external and (problem := why_not(sent.url)) is not None:
                return Outcome(error=problem)
            async with asyncio.timeout(timeout_ms / 1000):
                return await self._exchange(sent)
        except TimeoutError:
            return Outcome(error="timeout", duration_ms=timeout_ms)
        except Exception as error:  # noqa: BLE001 - a broken destination must not stop the server
            return Outcome(error=f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)

    async def _exchange(self, sent: httpx.Request) -> Outcome:
        response = await self.sender.send(sent, stream=True)
        body = bytearray()
        try:
            async for part in response.aiter_bytes():
                body += part
                if len(body) > MAX_ANSWER:
                    del body[MAX_ANSWER:]
                    break
        finally:
            await response.aclose()
        headers = tuple((name, value) for name, value in response.headers.multi_items())
        return Outcome(status=response.status_code, headers=headers, body=bytes(body))


def _elsewhere(request: Request, moved: Moved | None) -> Request:
    """Return *request* with the address that it is moved to, and told of its own as reverse proxies do."""
    if moved is None:
        return request
    rest = urls.normalize(request.url)[len(urls.normalize(moved.prefix).removesuffix("/")) :]
    url = moved.target.removesuffix("/") + rest
    parts = request.parts
    own = (
        ("Host", urls.split(url).host.rpartition("@")[2]),
        ("X-Forwarded-Host", parts.host.rpartition("@")[2]),
        ("X-Forwarded-Proto", parts.scheme.lower()),
    )
    return replace(request, url=url, headers=(*own, *(pair for pair in request.headers if pair[0] != "Host")))
