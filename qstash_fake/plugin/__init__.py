"""The parts of the pytest plugin, each with hooks of its own. Every pytest run loads them."""

from collections.abc import Mapping


def hooks_in(names: Mapping[str, object]) -> list[str]:
    """Return the *names* that pytest looks for in a plugin; it asks of all that `dir()` lists whether they are such."""
    return [name for name in names if name.startswith(("pytest_", "qstash_", "_qstash_"))]
