"""Names that other libraries do not promise to keep: they are looked for before anything is replaced."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from types import ModuleType
from typing import Any

from qstash_fake.errors import UsageError


def private(module: ModuleType, name: str, versions: str = "another version") -> Any:
    """Return what *name*, dotted, is in *module*, or raise UsageError that says which *versions* have it."""
    try:
        return reduce(getattr, name.split("."), module)
    except AttributeError:
        require(module, {name: False}, versions)
        raise  # never reached


def real_class(found: Any) -> Any:
    """Return the class of connections that *found* stands for: itself, unless vcrpy has put a stub in its place.

    A stub of vcrpy names the class that it records as `_baseclass`, and sends over an instance of that.
    """
    return next((vars(kind)["_baseclass"] for kind in found.__mro__ if "_baseclass" in vars(kind)), found)


def require(module: ModuleType, found: Mapping[str, bool], versions: str = "another version") -> None:
    """Raise UsageError unless every name was *found* in *module*."""
    missing = [name for name, is_there in found.items() if not is_there]
    if missing:
        raise UsageError(
            f"{module.__name__} {getattr(module, '__version__', '?')} has no {' and no '.join(missing)}, which "
            f"qstash_fake needs to answer in place of QStash: use {versions} of {module.__name__}"
        )
