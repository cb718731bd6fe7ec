"""Test clients that run the lifespan of their application: the driver of the sync verbs is told of each.

Nothing on the application is changed. Starlette's client, which is FastAPI's, too, is told by its own two methods.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from qstash_fake.delivery.drivers import SyncDriver
from qstash_fake.intercept.imports import AfterImport
from qstash_fake.intercept.patch import Patch

MODULE = "starlette.testclient"


@contextmanager
def told_of_clients(driver: SyncDriver) -> Iterator[None]:
    """Tell *driver* of each client that is entered and left in this context."""
    patches: list[Patch] = []

    def patch(module: ModuleType) -> None:
        def entering(original: Callable[[Any], Any]) -> Callable[[Any], Any]:
            def enter(client: Any) -> Any:
                if patches:
                    driver.client_enters(client)
                try:
                    return original(client)
                except BaseException:
                    driver.client_leaves(client)
                    raise

            return enter

        def leaving(original: Callable[..., Any]) -> Callable[..., Any]:
            def leave(client: Any, *error: Any) -> Any:
                driver.client_leaves(client)
                return original(client, *error)

            return leave

        patches.append(Patch(module.TestClient, "__enter__", entering))
        patches.append(Patch(module.TestClient, "__exit__", leaving))

    imports = AfterImport({MODULE: patch})
    imports.start()
    try:
        yield
    finally:
        imports.stop()
        while patches:
            patches.pop().undo()
