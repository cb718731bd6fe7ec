"""How long tests over sockets wait: one deadline, which only a failing test reaches."""

import time
from collections.abc import Callable
from typing import Any

# Sixty times what the slowest of these tests needs on two cores. A wait ends as soon as what it waits for is there,
# and no test may pass because it ran out, so a machine under load is given its time at no cost.
WITHIN_S = 60.0


def eventually(condition: Callable[[], Any], what: str = "it") -> Any:
    """Return what *condition* returns as soon as that is true."""
    deadline = time.monotonic() + WITHIN_S
    while not (result := condition()):
        assert time.monotonic() < deadline, f"{what} did not happen within {WITHIN_S} s"
        time.sleep(0.005)
    return result
