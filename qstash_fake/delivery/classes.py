"""How the class of an object is recognized without importing its package; and what the object must have."""

from __future__ import annotations

import sys

from qstash_fake.errors import UsageError


def is_a(value: object, *names: str) -> bool:
    """Tell whether *value* is of a class `package.Name`, or of one that inherits from it."""
    return inherits(type(value), *names)


def inherits(cls: type, *names: str) -> bool:
    """Tell whether *cls* is a class `package.Name`, or inherits from it."""
    return not names_of(cls).isdisjoint(names)


def names_of(cls: type) -> frozenset[str]:
    """Return *cls* and the classes that it inherits from, each as `package.Name`."""
    return frozenset(f"{one.__module__.partition('.')[0]}.{one.__qualname__}" for one in cls.__mro__)


def require(app: object, *names: str) -> None:
    """Raise UsageError unless *app* has the attributes *names*, which its library does not promise to keep."""
    missing = [name for name in names if not hasattr(app, name)]
    if missing:
        library = type(app).__module__.partition(".")[0]
        version = getattr(sys.modules.get(library), "__version__", "?")
        raise UsageError(
            f"cannot mount {app!r}: {library} {version} has no {' and no '.join(missing)}, which qstash_fake needs to "
            f"deliver to it: use another version of {library}, or mount something else"
        )
