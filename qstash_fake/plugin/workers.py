"""What the controller of pytest-xdist hears of its workers. Imported where pytest-xdist is."""

from __future__ import annotations

from typing import Any

from qstash_fake.plugin.strays import OF_A_WORKER, Strays


class Workers:
    """A plugin of its own: few runs have pytest-xdist."""

    def __init__(self, strays: Strays) -> None:
        self._strays = strays

    def pytest_testnodedown(self, node: Any) -> None:
        """Take what a worker has found; one that crashed says nothing."""
        self._strays.outside += getattr(node, "workeroutput", {}).get(OF_A_WORKER, [])
