"""One measurement in a process of its own: each line on standard input asks for a round, a line of JSON answers it.

The answer has the numbers of the round, and the CPU seconds that the process has used up so far. `run.py` starts it
with the measured checkout first on the path.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import table

import qstash_fake


def main(name: str, checkout: Path) -> None:
    imported = Path(qstash_fake.__file__).resolve()
    assert imported.is_relative_to(checkout.resolve()), f"{imported} was imported, not qstash_fake of {checkout}"
    measure = next(row.measure for row in table.ROWS if row.measure.__name__ == name)
    for _ in sys.stdin:
        numbers = measure()
        print(json.dumps({"numbers": numbers, "cpu_s": used_s()}), flush=True)


def used_s() -> float:
    """Return the CPU seconds of this process and of the processes that it has waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
