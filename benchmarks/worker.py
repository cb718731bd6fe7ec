"""One measurement in a process of its own: each line on standard input asks for a round, each answer is a line of JSON.

`run.py` starts it with the measured checkout first on the path.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import table

import qstash_fake


def main(name: str, checkout: Path) -> None:
    imported = Path(qstash_fake.__file__).resolve()
    assert imported.is_relative_to(checkout.resolve()), f"{imported} was imported, not qstash_fake of {checkout}"
    measure = next(row.measure for row in table.ROWS if row.measure.__name__ == name)
    for _ in sys.stdin:
        print(json.dumps(measure()), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
