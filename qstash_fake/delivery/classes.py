"""How an object is told by its class, without importing the package of the class."""

from __future__ import annotations


def is_a(value: object, *names: str) -> bool:
    """Tell whether *value* is of a class `package.Name`, or of one that inherits from it."""
    return any(f"{cls.__module__.partition('.')[0]}.{cls.__qualname__}" in names for cls in type(value).__mro__)
