"""Which libraries are intercepted, and `intercepted`, which does it for as long as one fake is there.

The patches belong to the process: fakes that are there at the same time share them. They are put in place when the
first fake begins, and taken back when the last one ends. Meanwhile a finder on `sys.meta_path` holds them: the one that
waits for libraries to be imported and patches them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType

from qstash_fake.api.answer import Api
from qstash_fake.intercept import aiohttp, http_client, httpx, mocks, urllib3
from qstash_fake.intercept.hosts import Hosts
from qstash_fake.intercept.patch import LatePatches, Patch
from qstash_fake.intercept.services import Service, Services

Patches = Callable[[ModuleType, Services], Iterator[Patch]]

# Libraries that speak HTTP. The module to wait for → the function that replaces parts of it.
LIBRARIES: dict[str, Patches] = {
    "httpx": httpx.patches,
    "httpx2": httpx.patches,
    "http.client": http_client.patches,  # urllib.request
    "urllib3": urllib3.patches,  # requests, botocore
    "aiohttp": aiohttp.patches,
}
# Mocks that stand above them and must leave QStash's hosts alone.
MOCKS: dict[str, Patches] = {
    "pytest_httpx": mocks.pytest_httpx,
    "vcr": mocks.vcr,
    "respx": mocks.respx,
    "responses": mocks.responses,
    "requests_mock": mocks.requests_mock,
    "aioresponses": mocks.aioresponses,
}


@contextmanager
def intercepted(api: Api, hosts: Hosts) -> Iterator[None]:
    """Answer calls to *hosts* with *api* for as long as the context lasts, before all fakes that began earlier."""
    interception = _running()
    if interception is None:
        interception = _Interception()
        interception.start()
    service = Service(api, hosts)
    interception.services.begin(service)
    try:
        yield
    finally:
        interception.services.end(service)
        if not interception.services:
            interception.stop()


def is_active() -> bool:
    """Tell whether a fake is there."""
    return _running() is not None


def _running() -> _Interception | None:
    return next((finder for finder in sys.meta_path if isinstance(finder, _Interception)), None)


class _Interception(LatePatches):
    """The patches of this process, and the services that they ask."""

    def __init__(self) -> None:
        rows = LIBRARIES | MOCKS
        self.services = Services()
        super().__init__({name: self._with_services(patches) for name, patches in rows.items()})

    def _with_services(self, patches: Patches) -> Callable[[ModuleType], Iterator[Patch]]:
        return lambda module: patches(module, self.services)
