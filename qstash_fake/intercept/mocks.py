"""Other libraries' mocks that stand above the network: each is told to leave QStash's hosts alone.

A mock that stands below (respx by default) sees no call that a fake answers. An unknown mock that stands above answers
first.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from qstash_fake.intercept.patch import Patch
from qstash_fake.intercept.private import private
from qstash_fake.intercept.seen import seen
from qstash_fake.intercept.services import Services

# These versions, of the last years, have what the functions need; each was looked at.
VERSIONS = {
    "pytest_httpx": "0.33 or later",
    "vcr": "6 or later",
    "respx": "0.20 or later",
    "responses": "0.25 or later",
    "requests_mock": "1.11 or later",
    "aioresponses": "0.7.6 or later",
}


def pytest_httpx(module: ModuleType, services: Services) -> Iterator[Patch]:
    """`httpx_mock` asks `should_mock` of its options for each request."""

    def not_ours(should_mock: Callable[[Any], bool]) -> Callable[[Any], bool]:
        return lambda request: services.at(str(request.url)) is None and should_mock(request)

    yield seen(_needed(module, "_options._HTTPXMockOptions"), "should_mock", not_ours)


def vcr(module: ModuleType, services: Services) -> Iterator[Patch]:
    """A cassette neither plays nor records a request out of which its filter makes None."""

    def without_ours(before_record: Callable[[Any], Any]) -> Callable[[Any], Any]:
        return lambda request: before_record(request) if services.at(request.uri) is None else None

    yield seen(_needed(module, "cassette.Cassette"), "_before_record_request", without_ours)


def respx(module: ModuleType, services: Services) -> Iterator[Patch]:
    """`using="httpx"` puts its routers in front of a client's transport; PassThrough leads on to that."""
    mocker, pass_through = _needed(module, "mocks.HTTPXMocker"), _needed(module, "models.PassThrough")

    def leave_ours(handler: Callable[[Any], Any], _: Any) -> Callable[[Any], Any]:
        def handle(request: Any) -> Any:
            if services.at(str(request.url)) is not None:
                raise pass_through("qstash_fake answers for QStash", request=request, origin=None)
            return handler(request)

        return staticmethod(handle)

    for name in ("handler", "async_handler"):  # class methods, inherited
        yield Patch(mocker, name, functools.partial(leave_ours, getattr(mocker, name)))


def responses(module: ModuleType, services: Services) -> Iterator[Patch]:
    """A started mock gets each request of every adapter, and knows the `send` that it replaces."""

    def leave_ours(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def on_request(mock: Any, adapter: Any, request: Any, **kwargs: Any) -> Any:
            if services.at(request.url) is not None:
                return mock._real_send(adapter, request, **kwargs)
            return original(mock, adapter, request, **kwargs)

        return on_request

    owner = _needed(module, "RequestsMock")
    _needed(module, "RequestsMock._on_request")
    yield Patch(owner, "_on_request", leave_ours)


def requests_mock(module: ModuleType, services: Services) -> Iterator[Patch]:
    """A started mocker gives sessions its adapter, which can say that a request is for the real ones."""
    run_real = _needed(module, "adapter._RunRealHTTP")
    yield seen(_needed(module, "mocker.MockerCore"), "_adapter", lambda own: _Adapter(own, services, run_real))


class _Adapter:
    """The adapter of a mocker; one that a test has mounted on a session itself is no network and stays as it is."""

    def __init__(self, own: Any, services: Services, run_real: type[Exception]) -> None:
        self._own = own
        self._services = services
        self._run_real = run_real

    def __getattr__(self, name: str) -> Any:
        return getattr(self._own, name)

    def send(self, request: Any, **kwargs: Any) -> Any:
        if self._services.at(request.url) is not None:
            raise self._run_real
        return self._own.send(request, **kwargs)


def aioresponses(module: ModuleType, services: Services) -> Iterator[Patch]:
    """A mock passes on URLs that begin with one of its prefixes; it looks at nothing else before it answers."""
    owner = _needed(module, "aioresponses")
    yield seen(owner, "_passthrough", lambda prefixes: [*prefixes, *services.prefixes()])


def _needed(module: ModuleType, name: str) -> Any:
    return private(module, name, VERSIONS[module.__name__])
