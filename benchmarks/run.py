"""Measure every budget beside what it is a ratio of: `make bench`, or `python benchmarks/run.py [SECTION ...]`.

Each measurement has a process of its own for each checkout, which lives for all rounds; the rounds of two checkouts
alternate. Budgets are marked as kept or not, and nothing fails by them: another machine has other numbers.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import Any

from measure import Numbers
from table import ROWS, Row

HERE = Path(__file__).resolve().parent
ENOUGH_S = 8  # a measurement that has used up so many CPU seconds takes no further round
PEERS = ("qstash", "httpx", "respx", "pyjwt", "pytest", "starlette", "fastapi", "flask", "moto", "fakeredis")
LINE = "{what:<77}{before:>9}{after:>9} {unit:<8}{budget:>6} {mark:<5}{numbers}"


class Worker:
    """The process that takes one measurement of one checkout, round by round."""

    def __init__(self, row: Row, checkout: Path) -> None:
        command = [sys.executable, str(HERE / "worker.py"), row.measure.__name__, str(checkout)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=_environment(checkout), text=True
        )
        self.rounds: list[Numbers] = []
        self.cpu_s = 0.0

    def take_a_round(self) -> None:
        """Take one round; a measurement that fails tells why on standard error, has no rounds and takes none."""
        assert self._process.stdin
        assert self._process.stdout
        if self._process.poll() is not None:
            return
        print(file=self._process.stdin, flush=True)
        if line := self._process.stdout.readline():
            answer = json.loads(line)
            self.rounds.append(answer["numbers"])
            self.cpu_s = answer["cpu_s"]
        else:
            self.rounds.clear()
            self._process.wait()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.__exit__(None, None, None)  # closes its input, which ends it, and waits


def measure(rows: Sequence[Row], checkouts: Mapping[str, Path], most_rounds: int) -> list[dict[str, Any]]:
    """Take the one measurement of *rows*, in each of *checkouts* in turn; return a result for each row."""
    with ExitStack() as exits:
        workers = {name: exits.enter_context(Worker(rows[0], folder)) for name, folder in checkouts.items()}
        for number in range(most_rounds):
            for worker in list(workers.values())[:: -1 if number % 2 else 1]:  # who comes first differs
                worker.take_a_round()
            if any(worker.cpu_s > ENOUGH_S for worker in workers.values()):
                break
    rounds = {name: worker.rounds for name, worker in workers.items() if worker.rounds}
    return [_result(row, rounds) for row in rows]


def _result(row: Row, rounds: Mapping[str, Sequence[Numbers]]) -> dict[str, Any]:
    """Return a row as it goes into the JSON file; the value is that of the least numbers of all rounds."""
    least = {
        checkout: {name: min(numbers[name] for numbers in taken) for name in taken[0]}
        for checkout, taken in rounds.items()
    }
    values = {checkout: row.value(numbers) for checkout, numbers in least.items()}
    kept = values["after"] <= row.budget if "after" in values and row.budget is not None else None
    return {
        "section": row.section,
        "what": row.what,
        "unit": row.unit,
        "budget": row.budget,
        "values": values,
        "kept": kept,
        "rounds": rounds,
        "numbers": least,
    }


# --- how it is shown --------------------------------------------------------------------------------------------


def line(result: Mapping[str, Any]) -> str:
    """Return a result as a line of the table; a ratio shows the seconds that it was made of."""
    cells = _cells(result)
    sides = result["numbers"].get("after", {}) if result["unit"] == "x" else {}
    return LINE.format(**cells, numbers=", ".join(f"{name} {_duration(s)}" for name, s in sides.items())).rstrip()


def markdown(report: Mapping[str, Any]) -> str:
    """Return the table of a JSON file as Markdown."""
    machine = report["machine"]
    head = ["what", *report["checkouts"], "unit", "budget", ""]
    lines = [f"{machine['python']}, {machine['cores']} cores, {machine['cpu']}; {report['date']}", ""]
    lines += [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for result in report["results"]:
        cells = _cells(result)
        shown = [cells["what"], *(cells[name] for name in report["checkouts"])]
        lines.append(f"| {' | '.join([*shown, cells['unit'], cells['budget'], cells['mark']])} |")
    return "\n".join(lines)


def _cells(result: Mapping[str, Any]) -> dict[str, str]:
    values, budget = result["values"], result["budget"]
    return {
        "what": result["what"],
        "before": f"{values['before']:.2f}" if "before" in values else "",
        "after": f"{values['after']:.2f}" if "after" in values else "failed",
        "unit": result["unit"],
        "budget": "" if budget is None else f"{budget:g}",
        "mark": {True: "ok", False: "OVER", None: ""}[result["kept"]],
    }


def _duration(seconds: float) -> str:
    for unit, scale in (("s", 1), ("ms", 1e3)):
        if seconds * scale >= 10:
            return f"{seconds * scale:.0f} {unit}"
    return f"{seconds * 1e6:,.0f} µs"


# --- what is measured where ---------------------------------------------------------------------------------------


def _environment(checkout: Path) -> dict[str, str]:
    """Return the environment of a worker: this *checkout*, byte code kept as users have it, equal hashes."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPATH": str(checkout), "PYTHONHASHSEED": "0"}


def _machine() -> dict[str, Any]:
    info = Path("/proc/cpuinfo")
    models = [text for text in info.read_text().splitlines() if text.startswith("model name")] if info.exists() else []
    return {
        "cores": os.cpu_count(),
        "cpu": models[0].partition(": ")[2] if models else platform.machine(),
        "system": platform.system(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }


def _commit(checkout: Path) -> str:
    command = ["git", "-C", str(checkout), "describe", "--tags", "--always", "--dirty"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or "no git checkout"


def main() -> int:
    sections = list(dict.fromkeys(row.section for row in ROWS))
    parser = argparse.ArgumentParser(description="Measure the budgets.", epilog=f"sections: {', '.join(sections)}")
    parser.add_argument("section", nargs="*", help="measure these sections only", metavar="SECTION")
    parser.add_argument("--rounds", type=int, default=5, help="at most so many; the least of all counts (5)")
    parser.add_argument("--against", type=Path, metavar="DIR", help="another checkout, measured in turn: `before`")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything that was measured")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown at the end")
    asked = parser.parse_args()
    if unknown := set(asked.section) - set(sections):
        parser.error(f"no section {', '.join(sorted(unknown))}; there are {', '.join(sections)}")
    checkouts = {"before": asked.against.resolve()} if asked.against else {}
    checkouts["after"] = HERE.parent
    results: list[dict[str, Any]] = []
    titles = {"before": "before", "after": "after"} if asked.against else {"before": "", "after": "now"}
    print(LINE.format(**titles, what="", unit="", budget="budget", mark="", numbers="").rstrip())
    for _, rows in groupby((r for r in ROWS if r.section in (asked.section or sections)), lambda row: row.measure):
        results += (new := measure(list(rows), checkouts, asked.rounds))
        print("\n".join(map(line, new)), flush=True)
    report = {
        "date": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "machine": _machine(),
        "versions": {peer: version(peer) for peer in PEERS},
        "checkouts": {name: _commit(folder) for name, folder in checkouts.items()},
        "results": results,
    }
    if asked.json:
        asked.json.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    if asked.markdown:
        print(f"\n{markdown(report)}")
    return int(any("after" not in result["values"] for result in results))


if __name__ == "__main__":
    sys.exit(main())
