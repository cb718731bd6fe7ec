"""Which test clients have started the lifespan of their application, told by their own methods.

Nothing on the application is changed. The plugin watches in every run, because a client of a wider fixture is entered
before the fake of a test; it imports this module with the first module of CLIENTS.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from qstash_fake.intercept import CLIENTS
from qstash_fake.intercept.patch import LatePatches, Patch


class Entered(LatePatches):
    """The test clients that are entered, each with the name of its attribute that leads to its loop, None for none."""

    def __init__(self) -> None:
        super().__init__(dict.fromkeys(CLIENTS, self._watched))
        self.clients: list[tuple[Any, str | None]] = []
        """One list for the whole life of this object: its holders see the clients come and go."""
        self._listeners: list[Callable[[Any], None]] = []

    @contextmanager
    def telling(self, listener: Callable[[Any], None]) -> Iterator[None]:
        """Give *listener* each client that is about to start the lifespan of its application in this context."""
        self._listeners.append(listener)
        try:
            yield
        finally:
            self._listeners.remove(listener)

    def _watched(self, module: ModuleType) -> Iterator[Patch]:
        client_class, enters, leaves, portal = CLIENTS[module.__name__]
        owner = getattr(module, client_class)
        yield Patch(owner, enters, lambda original: self._entering(original, portal))
        yield Patch(owner, leaves, self._leaving)

    def _entering(self, original: Callable[[Any], Any], portal: str | None) -> Callable[[Any], Any]:
        def enter(client: Any) -> Any:
            with self._noted(client, portal):
                return original(client)

        async def enter_async(client: Any) -> Any:
            with self._noted(client, portal):
                return await original(client)

        return enter_async if inspect.iscoroutinefunction(original) else enter

    def _leaving(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def leave(client: Any, *error: Any) -> Any:
            self._left(client)
            return original(client, *error)

        return leave

    @contextmanager
    def _noted(self, client: Any, portal: str | None) -> Iterator[None]:
        """Note that *client* enters, unless it cannot start its application."""
        if self.patches:  # otherwise the patch of another has put ours back after its end
            for listener in self._listeners:
                listener(client)
            self.clients.append((client, portal))
        try:
            yield
        except BaseException:
            self._left(client)
            raise

    def _left(self, client: Any) -> None:
        self.clients[:] = [one for one in self.clients if one[0] is not client]
