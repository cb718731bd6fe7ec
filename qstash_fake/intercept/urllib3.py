"""urllib3, which requests and botocore use: its connections are those of http.client with two differences.

With TLS they connect before a request begins, to look at the certificate. And they raise their own errors, by which a
Retry tells what it may repeat: a POST only if nothing was sent.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from qstash_fake.intercept.http_client import Socket, origin_of, plug_in, with_our_socket
from qstash_fake.intercept.patch import Patch
from qstash_fake.intercept.private import private, real_class
from qstash_fake.intercept.services import Services


def patches(module: ModuleType, services: Services) -> Iterator[Patch]:
    """Give connections of *module*, which is urllib3, a socket of ours."""
    refused = private(module, "exceptions.NewConnectionError")

    def connect_to_us(original: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(original)
        def connect(connection: Any) -> None:
            origin = origin_of(connection)
            if services.at(f"{origin}/") is None:
                original(connection)
                return
            plug_in(connection, Socket(services, origin, functools.partial(refused, connection)))
            connection.is_verified = True  # otherwise urllib3 warns of it

        return connect

    plain, by_tls = (
        real_class(private(module, f"connection.{name}")) for name in ("HTTPConnection", "HTTPSConnection")
    )
    yield Patch(plain, "putrequest", with_our_socket(services, refused))
    yield Patch(by_tls, "connect", connect_to_us)
