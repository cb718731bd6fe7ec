"""What people read of an exploration: what breaks, under which plan, how to run it again, what was tried."""

from __future__ import annotations

from collections.abc import Collection

from qstash_fake.explore.planned import Record
from qstash_fake.explore.plans import text_of
from qstash_fake.explore.search import Found

NOT_REPRODUCIBLE = (
    "not reproducible: {what} failed under the plan {plan}, and passed when that was run again. "
    "Something else than QStash decides: chance, real time, or state that outlives a run"
)
DOES_NOT_REPEAT = (
    "{what} does not repeat: it passed at first and failed after {runs} runs, with no fault at all. State outlives it: "
    "a database, a cache or a global that a fixture of wider scope makes, or that nobody clears. No plan is blamed"
)
FAILED_AT_FIRST = (
    "{what} does not repeat: it failed in its first run and passed in its second, with no fault at all. "
    "Nothing was explored. Its first run failed with:"
)
SHOWN = 10  # faults that are named for a plan that does not fit


def broken(what: str, record: Record, again: str, found: Found | None = None) -> str:
    """Return why *what*, such as "the test", fails under the plan of *record*; *again* is how to run it once more."""
    if not record.plan:
        return f"{what} was run under no plan: it fails as it is"
    does = "this" if len(record.plan) == 1 else "all of this"
    begins = f"{what} passes as it is, and fails if" if found is not None else f"{what} fails when"
    lines = [f"{begins} QStash does {does}, which it is free to do:", *_faults(record)]
    lines += [f"plan:  {record}", f"again: {again}"]
    if found is not None:
        lines.append(f"tried: {found}")
    return "\n".join(lines)


def under(record: Record) -> str:
    """Return which plan a run was under, in words; nothing for the plain one."""
    lines = [f"run under the plan {record}:", *_faults(record)] if record.plan else []
    return "\n".join(lines)


def does_not_fit(what: str, record: Record) -> str:
    """Return what to say of a plan if the run has passed and a fault of the plan did not happen."""
    possible = [str(fault) for fault in record.possible]
    named = ", ".join(possible[:SHOWN]) + (f" and {len(possible) - SHOWN} more" if len(possible) > SHOWN else "")
    return (
        f"the plan does not fit {what} any more: {text_of(record.left_over)} did not come to pass. There is no such "
        "attempt, it is the last one, or nothing else was due beside it; "
        + (f"possible besides: {named}" if possible else "no fault is possible besides")
    )


def no_swap(plain: Record, kinds: Collection[str]) -> str:
    """Return what to say where *kinds* have `swap`, several messages came, and no two could change places."""
    messages = {fault.point._replace(attempt=0) for fault in plain.possible}
    if "swap" not in kinds or len(messages) < 2 or any(fault.kind == "swap" for fault in plain.possible):
        return ""
    return "; nothing to swap: no two messages were due at one instant"


def _faults(record: Record) -> list[str]:
    """Return a line for each fault of a plan: first the faults that happened, then the others."""
    return [
        *(f"  - {one.words}" for one in record.fired),
        *(f"  - {fault} did not come to pass" for fault in record.left_over),
    ]
