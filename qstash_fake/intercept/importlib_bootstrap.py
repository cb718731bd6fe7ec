"""Calls a function right after a module is imported: long before the test, or in the middle of a handler.

This file is in the stack while such a module is loaded. A module that warns of itself has `warnings` look for who
imports it. `warnings` steps over files whose names have "importlib" and "_bootstrap" in them, as those of Python's own
import have, and as the name of this file has: otherwise the user reads that we have done what the module warns of.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

Then = Callable[[ModuleType], object]


class AfterImport:
    """A finder that finds nothing itself: it lets the others find, and calls *then* with the loaded module.

    *then* has a function for each module to wait for, by its full name. While this object is on `sys.meta_path`,
    `start` has called the functions of modules that were loaded already.
    """

    def __init__(self, then: Mapping[str, Then]) -> None:
        self._then = then

    def start(self) -> None:
        """Call the functions of all modules that are loaded, and wait for the others."""
        sys.meta_path.insert(0, self)
        for name, then in self._then.items():
            if (module := sys.modules.get(name)) is not None:
                then(module)

    def stop(self) -> None:
        """Wait no longer."""
        if self in sys.meta_path:  # unless somebody has put the list back to what it was before
            sys.meta_path.remove(self)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return what the finders behind this one find, with a loader that tells of the import."""
        if name not in self._then:
            return None
        for finder in sys.meta_path[sys.meta_path.index(self) + 1 :]:
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _Loader(spec.loader, self._then[name])  # type: ignore[assignment]  # by its methods
                return spec
        return None


class _Loader:
    """The loader of a module, which steps aside before the module sees it."""

    def __init__(self, loader: Any, then: Then) -> None:
        self._loader = loader
        self._then = then

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        assert module.__spec__ is not None
        module.__loader__ = module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        self._then(module)
