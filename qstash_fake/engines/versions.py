"""Which version of a library is installed, and whether it has the names that an engine needs."""

from __future__ import annotations

import importlib.metadata
from typing import Any

from qstash_fake.errors import UsageError


def version(package: str) -> str:
    """Return the version of *package*, "none" where it is not installed; *package* is not imported."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "none"


def require(package: str, owner: Any, names: str) -> None:
    """Raise UsageError if *owner*, a part of *package*, lacks one of *names*."""
    missing = ", ".join(name for name in names.split() if not hasattr(owner, name))
    if missing:
        problem = f"{package} {version(package)} has no {missing}, which freezing needs"
        raise UsageError(f'{problem}; install freezegun>=1.5,<2 or time-machine>=3, or use freeze="off"')
