"""How a measurement is taken: CPU seconds, in short turns of each side, the least of all turns counts.

Only CPU time is looked at, and what others do on the machine adds to it and never takes away: caches are cold,
the clock rate is low. Each side has many short turns, one after the other. The least of them is the turn that was
disturbed least, and both sides had the same chance of one.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from time import process_time  # bound here: neither time engine reaches it

Numbers = Mapping[str, float]
"""What one measurement gives, by name: seconds, if the name says no other unit."""


def cpu_s(work: Callable[[], object], count: int = 1) -> float:
    """Return the CPU seconds of one `work()`, the mean of *count* in a row."""
    start = process_time()
    for _ in range(count):
        work()
    return (process_time() - start) / count


def long_cpu_s(work: Callable[[], object], count: int = 1) -> float:
    """Return the CPU seconds of one `work()` that makes many objects: what was left over before is not its own.

    Not for short work: a collection leaves the caches cold.
    """
    gc.collect()
    return cpu_s(work, count)


def in_turns(turns: int, **sides: Callable[[], float]) -> dict[str, float]:
    """Let each side measure itself *turns* times, one side after the other; return the least of each."""
    least = dict.fromkeys(sides, float("inf"))
    for turn in range(turns):
        for name in reversed(sides) if turn % 2 else sides:  # who comes first differs, in case it matters
            least[name] = min(least[name], sides[name]())
    return least


def more_s(turns: int, without: Callable[[], float], more: Callable[[], float]) -> float:
    """Return how much longer *more* takes than *without*: the middle of the differences of so many turns.

    For a small part of something long. The least of each would differ by chance as much as by that part.
    """
    differences = []
    for turn in range(turns):
        first, second = (without, more) if turn % 2 else (more, without)
        spent = {first: first(), second: second()}
        differences.append(spent[more] - spent[without])
    return statistics.median(differences)


def in_a_fresh_process(measure: Callable[[], Numbers]) -> Numbers:
    """Return what *measure*, a function at the top of a module, gives where nothing has been imported before it."""
    code = f"import json, {measure.__module__} as m; print(json.dumps(m.{measure.__name__}()))"
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    command = [sys.executable, "-P", "-c", code]  # -P: what is measured comes from the path, not from this folder
    environment = os.environ | {"PYTHONPATH": path}
    ended = subprocess.run(command, stdout=subprocess.PIPE, check=True, env=environment)
    numbers: Numbers = json.loads(ended.stdout)
    return numbers


def peak_mb() -> float:
    """Return the most memory, in MB, that this process has had so far."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1 << 20 if sys.platform == "darwin" else 1 << 10)
