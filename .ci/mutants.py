"""Prints what `make mutants` found: a row for each module, and every mutant that is left, as a diff.

    python .ci/mutants.py 'qstash_fake.broker.retries.*' ...

A mutant that no test can kill, because nobody can see what it changes, is a row of equivalent_mutants.toml: the
function, the line as the mutant has it, and the reason. The score leaves these out. Exits with 1 if it is below 98 %.
"""

from __future__ import annotations

import fnmatch
import json
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from mutmut.mutation.diff_apply import get_diff_for_mutant

WANTED = 0.98
SURVIVED, NO_TESTS, NOT_RUN = 0, {5, 33}, None  # mutmut's codes; whatever else a process ended with is a kill


def mutants(patterns: list[str]) -> Iterator[tuple[Path, str, int | None]]:
    """Yield the source, the name and the exit code of each mutant that a pattern matches."""
    for meta in sorted(Path("mutants/qstash_fake").rglob("*.meta")):
        source = meta.relative_to("mutants").with_suffix("")
        for name, code in json.loads(meta.read_text(encoding="utf-8"))["exit_code_by_key"].items():
            if any(fnmatch.fnmatch(name, pattern) for pattern in patterns):
                yield source, name, code


def function(name: str) -> str:
    """Return `broker.retries.wait_ms` for `qstash_fake.broker.retries.x_wait_ms__mutmut_7`."""
    module, _, mangled = name.rpartition("__mutmut_")[0].rpartition(".")
    plain = mangled.removeprefix("xǁ").replace("ǁ", ".") if "ǁ" in mangled else mangled.removeprefix("x_")
    return f"{module.removeprefix('qstash_fake.')}.{plain}"


def main(patterns: list[str]) -> int:
    table = tomllib.loads(Path(__file__).with_name("equivalent_mutants.toml").read_text(encoding="utf-8"))
    equivalent = {(row["of"], row["line"]) for row in table["mutant"]}
    found: dict[str, Counter[str]] = {}
    left = []
    for source, name, code in mutants(patterns):
        row = found.setdefault(str(source.relative_to("qstash_fake")), Counter())
        if code is NOT_RUN:
            row["not run"] += 1
        elif code == SURVIVED or code in NO_TESTS:
            diff = get_diff_for_mutant(name, path=source)
            lines = {line[1:].strip() for line in diff.splitlines() if line.startswith("+")}
            kind = "equivalent" if any((function(name), line) in equivalent for line in lines) else "left"
            row[kind] += 1
            if kind == "left":
                left.append(f"# {name}{'' if code == SURVIVED else ' (no test calls it)'}\n{diff}\n")
        else:
            row["killed"] += 1
    sys.stdout.write("\n".join([*left, report(found)]))
    total = sum(found.values(), Counter())
    return int(total["killed"] < WANTED * (total["killed"] + total["left"]))


def report(found: dict[str, Counter[str]]) -> str:
    """Return the table, with a last row for all modules."""
    columns = ("killed", "equivalent", "left", "not run")
    lines = ["".join([f"{'module':36}", *(f"{name:>12}" for name in ("mutants", *columns, "score"))])]
    for module, row in [*found.items(), ("all", sum(found.values(), Counter()))]:
        judged = row["killed"] + row["left"]
        score = f"{row['killed'] / judged:.1%}" if judged else ""
        cells = (row.total(), *(row[name] for name in columns), score)
        lines.append("".join([f"{module:36}", *(f"{cell:>12}" for cell in cells)]))
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["*"]))
