"""Whether an event loop runs here: there a sync verb would block it, and its async twin works."""

from __future__ import annotations

import asyncio


def loop_is_running() -> bool:
    """Tell whether the caller runs on an event loop of asyncio."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
