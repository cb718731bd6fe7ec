"""Test clients that run the lifespan of their application: who listens is told of each that is entered and left.

Nothing on the application is changed. The clients are told by their own methods. The plugin listens for the whole
run, because a client of a wider fixture is entered before the fake of a test. Hence every run imports this module, and
it makes no class that it can do without: a named tuple costs more than all the rest.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

from qstash_fake.intercept.imports import AfterImport
from qstash_fake.intercept.patch import Patch

if TYPE_CHECKING:
    from typing import Protocol

    class Listener(Protocol):
        """Who is told."""

        def client_enters(self, client: Any, portal: str | None) -> None:
            """Hear that *client* is about to start the lifespan of its application; *portal* as in its row."""

        def client_leaves(self, client: Any) -> None:
            """Hear that *client* is about to end it, or could not start it."""


# Module and class of clients, the methods that start and end the lifespan, the attribute with the way to its loop.
CLIENTS = (
    ("starlette.testclient", "TestClient", "__enter__", "__exit__", "portal"),  # FastAPI's, too
    ("litestar.testing.client.sync_client", "TestClient", "__enter__", "__exit__", "blocking_portal"),
    ("litestar.testing.client.async_client", "AsyncTestClient", "__aenter__", "__aexit__", "blocking_portal"),
    ("quart.testing.app", "TestApp", "startup", "shutdown", None),  # on the loop of the test
)


class Entered:
    """A listener that keeps the clients that are entered, each with its portal, and passes on what it hears."""

    def __init__(self) -> None:
        self.clients: list[tuple[Any, str | None]] = []
        self._listeners: list[Listener] = []

    def client_enters(self, client: Any, portal: str | None) -> None:
        for listener in self._listeners:
            listener.client_enters(client, portal)
        self.clients.append((client, portal))

    def client_leaves(self, client: Any) -> None:
        for listener in self._listeners:
            listener.client_leaves(client)
        self.clients = [one for one in self.clients if one[0] is not client]

    @contextmanager
    def telling(self, listener: Listener) -> Iterator[None]:
        """Pass on to *listener* what is heard in this context."""
        self._listeners.append(listener)
        try:
            yield
        finally:
            self._listeners.remove(listener)


@contextmanager
def told_of_clients(listener: Listener) -> Iterator[None]:
    """Tell *listener* of each client that is entered and left in this context."""
    patches: list[Patch] = []

    def patch(name: str, enters: str, leaves: str, portal: str | None) -> Callable[[ModuleType], None]:
        def entering(original: Callable[[Any], Any]) -> Callable[[Any], Any]:
            @contextmanager
            def told(client: Any) -> Iterator[None]:
                if patches:
                    listener.client_enters(client, portal)
                try:
                    yield
                except BaseException:
                    listener.client_leaves(client)
                    raise

            def enter(client: Any) -> Any:
                with told(client):
                    return original(client)

            async def enter_async(client: Any) -> Any:
                with told(client):
                    return await original(client)

            return enter_async if inspect.iscoroutinefunction(original) else enter

        def leaving(original: Callable[..., Any]) -> Callable[..., Any]:
            def leave(client: Any, *error: Any) -> Any:
                listener.client_leaves(client)
                return original(client, *error)

            return leave

        def both(module: ModuleType) -> None:
            patches.append(Patch(getattr(module, name), enters, entering))
            patches.append(Patch(getattr(module, name), leaves, leaving))

        return both

    imports = AfterImport({module: patch(*row) for module, *row in CLIENTS})
    imports.start()
    try:
        yield
    finally:
        imports.stop()
        while patches:
            patches.pop().undo()
