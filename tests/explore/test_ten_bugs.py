"""Ten planted bugs, each found with the smallest plan, and ten mended twins that survive 200 runs."""

from __future__ import annotations

from typing import Any

import pytest

from qstash_fake.explore import explore
from tests.explore.ten_bugs import TEN, scenario
from tests.shop import START_TEXT

OPTIONS: dict[str, Any] = {"start": START_TEXT, "freeze": "off"}
RUNS = 200


@pytest.mark.parametrize(("application", "plan", "runs"), TEN, ids=[row[0].__name__ for row in TEN])
def test_a_planted_bug_is_found_with_the_smallest_plan(application, plan, runs):
    with pytest.raises(AssertionError) as raised:
        explore(scenario(application, mended=False), RUNS, **OPTIONS)
    lines = raised.value.__notes__[0].splitlines()
    assert f"plan:  {plan}" in lines
    assert lines[-1].startswith(f"tried: {runs} of at most {RUNS} runs: the plain run, {runs - 1} of ")


@pytest.mark.parametrize("application", [row[0] for row in TEN], ids=[row[0].__name__ for row in TEN])
def test_its_mended_twin_survives_every_plan(application):
    found = explore(scenario(application, mended=True), RUNS, **OPTIONS)
    assert found.tried[1] == found.singles > 0
    assert found.runs == RUNS or found.exhausted
