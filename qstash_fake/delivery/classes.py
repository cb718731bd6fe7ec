"""How an object is told by its class, without importing the package of the class."""

from __future__ import annotations


def is_a(value: object, *names: str) -> bool:
    """Tell whether *value* is of a class `package.Name`, or of one that inherits from it."""
    return inherits(type(value), *names)


def inherits(cls: type, *names: str) -> bool:
    """Tell whether *cls* is a class `package.Name`, or inherits from it."""
    return not names_of(cls).isdisjoint(names)


def names_of(cls: type) -> frozenset[str]:
    """Return *cls* and what it inherits from, each as `package.Name`."""
    return frozenset(f"{one.__module__.partition('.')[0]}.{one.__qualname__}" for one in cls.__mro__)
