"""One attribute of a foreign class or module, replaced for a while and restored, in whatever order others end.

Mocks, instrumentation and users replace the same attributes. Three things can happen to a replacement of ours:

1. It is still in its place when it ends: the original goes back.
2. Something was put over it. That stays, with ours beneath it: ours has ended and passes every call on.
3. What was put over it ends later, and puts ours back. It still passes every call on, until the next
   replacement of ours finds it there, and takes the original from beneath it.

A replacement must therefore pass on what it gets once nothing is active: its maker sees to that.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from types import ModuleType
from typing import Any

from qstash_fake.intercept.importlib_bootstrap import AfterImport

MISSING = object()
_MARK = "_patch_of_qstash_fake"


class Patch:
    """The attribute *name* of *owner*, replaced by what *make* makes of the original, MISSING if there is none."""

    def __init__(self, owner: Any, name: str, make: Callable[[Any], Any]) -> None:
        self._owner = owner
        self._name = name
        self.original = _without_ended(vars(owner).get(name, MISSING))
        self.active = True
        self.replacement = make(self.original)
        setattr(self.replacement, _MARK, self)
        setattr(owner, name, self.replacement)

    def undo(self) -> None:
        """Put the original back, unless something else stands in its place."""
        self.active = False
        standing = vars(self._owner).get(self._name, MISSING)
        beneath = _without_ended(standing)
        if beneath is standing:
            return
        if beneath is MISSING:
            delattr(self._owner, self._name)
        else:
            setattr(self._owner, self._name, beneath)


class LatePatches(AfterImport):
    """Patches of modules, put in place as soon as their module is loaded, from `start` until `stop`.

    *makes* has a function for each module, by its full name, that yields the patches of the loaded module.
    """

    def __init__(self, makes: Mapping[str, Callable[[ModuleType], Iterator[Patch]]]) -> None:
        super().__init__({name: functools.partial(self._put_in_place, make) for name, make in makes.items()})
        self.patches: list[Patch] = []
        """The patches that are in place."""

    def start(self) -> None:
        """Patch all modules that are loaded, and the others when they are imported; all of them or none."""
        try:
            super().start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Patch no longer, and take back what is patched."""
        super().stop()
        while self.patches:
            self.patches.pop().undo()

    def _put_in_place(self, make: Callable[[ModuleType], Iterator[Patch]], module: ModuleType) -> None:
        for patch in make(module):
            self.patches.append(patch)  # one by one: the next one may fail


def _without_ended(value: Any) -> Any:
    while (patch := _patch_of(value)) is not None and not patch.active:
        value = patch.original
    return value


def _patch_of(value: Any) -> Patch | None:
    patch: Patch | None = getattr(value, _MARK, None)
    # functools.wraps copies attributes to the wrappers of others.
    return patch if patch is not None and patch.replacement is value else None
