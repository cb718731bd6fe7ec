"""Prints what `make mutants` found: a row for each module, and every mutant that is left, as a diff.

    python .ci/mutants.py report 'qstash_fake.broker.retries.*' ...
    python .ci/mutants.py choose 40 'qstash_fake.broker.*' ...

The second makes the mutants, and leaves to the run up to 40 of each module, or all with 0. A seed picks them, thus
each run of one state of the code picks the same. What was killed before is not run again until its function changes.

A mutant that no test can kill, because nobody can see what it changes, is a row of equivalent_mutants.toml: the
function, the line as the mutant has it, and the reason. The score leaves these out. Exits with 1 if it is below 98 %.
"""

from __future__ import annotations

import fnmatch
import json
import random
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from mutmut.__main__ import CatchOutput, create_mutants
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.utils.file_utils import copy_also_copy_files, copy_src_dir

WANTED = 0.98
SEED = 2026
SKIPPED = 34  # mutmut's codes; whatever else a process ended with is a kill
SURVIVED, NO_TESTS, NOT_RUN = 0, {5, 33}, {None, SKIPPED}


def choose(most: int, patterns: list[str]) -> None:
    """Leave to the run up to *most* mutants of each module, or all with 0, and skip the rest."""
    with CatchOutput():
        copy_src_dir()
        copy_also_copy_files()
        create_mutants(max_children=1)
    for meta in sorted(Path("mutants/qstash_fake").rglob("*.meta")):
        data = json.loads(meta.read_text(encoding="utf-8"))
        codes = data["exit_code_by_key"]
        names = [name for name in codes if any(fnmatch.fnmatch(name, pattern) for pattern in patterns)]
        if most:
            names = random.Random(f"{SEED} {meta.name}").sample(names, min(most, len(names)))
        wanted = set(names)
        for name, code in codes.items():
            if name in wanted and code in {SURVIVED, *NO_TESTS, *NOT_RUN}:
                codes[name] = None
            elif code is None:
                codes[name] = SKIPPED
        meta.write_text(json.dumps(data, indent=4), encoding="utf-8")


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


def report(patterns: list[str]) -> int:
    """Print what came of the mutants; return 1 if the score is too low."""
    table = tomllib.loads(Path(__file__).with_name("equivalent_mutants.toml").read_text(encoding="utf-8"))
    equivalent = {(row["of"], row["line"]) for row in table["mutant"]}
    found: dict[str, Counter[str]] = {}
    left = []
    for source, name, code in mutants(patterns):
        row = found.setdefault(str(source.relative_to("qstash_fake")), Counter())
        if code in NOT_RUN:
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
    sys.stdout.write("\n".join([*left, rows(found)]))
    total = sum(found.values(), Counter())
    return int(total["killed"] < WANTED * (total["killed"] + total["left"]))


def rows(found: dict[str, Counter[str]]) -> str:
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
    command, *arguments = sys.argv[1:]
    sys.exit(report(arguments) if command == "report" else choose(int(arguments[0]), arguments[1:]))
