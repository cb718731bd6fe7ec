"""The parts of the pytest plugin. Every pytest run loads this module."""

from collections.abc import Mapping


def hooks_in(names: Mapping[str, object]) -> list[str]:
    """Return the *names* that pytest looks for in a plugin; it looks at every name that `dir()` lists."""
    return [name for name in names if name.startswith(("pytest_", "qstash_", "_qstash_"))]
