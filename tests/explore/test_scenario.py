"""`explore(scenario)`: what it returns, what it raises, and the words of the notes."""

from typing import Any

import httpx
import pytest

from qstash_fake.errors import UsageError
from qstash_fake.explore import explore
from tests.explore.under import JOBS, App, publish
from tests.shop import SHOP, START_TEXT

OPTIONS: Any = {"start": START_TEXT, "freeze": "off"}


def shop(fake, messages=1):
    """Deliver some messages to an application that counts; return what it has counted."""
    app = App()
    fake.mount(app)
    for _ in range(messages):
        publish(fake, Delay="5m")
    fake.drain()
    return len(app.seen)


def counts_to_one(fake):
    count = shop(fake)
    assert count == 1, f"{count} invoices"


def test_what_holds_returns_what_was_tried():
    assert str(explore(shop, 12, **OPTIONS)) == (
        "12 of at most 12 runs: the plain run, all 5 single faults, 6 plans of 2 faults"
    )


def test_what_breaks_raises_its_own_error_with_the_plan_and_the_timeline():
    with pytest.raises(AssertionError, match=r"^2 invoices") as raised:
        explore(counts_to_one, faults="lost, late", **OPTIONS)
    story, timeline = raised.value.__notes__
    assert story == (
        "the scenario passes as it is, and fails if QStash does this, which it is free to do:\n"
        f"  - the answer of attempt 1 of POST {JOBS} at +5m is lost, and QStash tries again\n"
        "plan:  lost@/jobs#1.1\n"
        'again: explore(scenario, only="lost@/jobs#1.1")\n'
        "tried: 2 of at most 100 runs: the plain run, 1 of 3 single faults of lost, late1h, late1m; "
        "1 more to confirm and to shrink"
    )
    assert "— FAULT lost@/jobs#1.1: the answer is lost" in " ".join(timeline.split())


def test_a_pair_is_told_in_the_order_in_which_it_comes_to_pass():
    def scenario(fake):
        assert shop(fake, messages=2) < 4

    with pytest.raises(AssertionError) as raised:
        explore(scenario, faults=["twice"], **OPTIONS)
    assert raised.value.__notes__[0].splitlines()[1:4] == [
        f"  - attempt 1 of POST {JOBS} (message 1) at +5m is sent twice",
        f"  - attempt 1 of POST {JOBS} (message 2) at +5m is sent twice",
        "plan:  twice@/jobs#1.1+twice@/jobs#2.1",
    ]


def test_one_plan_is_run_again_alone():
    with pytest.raises(AssertionError) as raised:
        explore(counts_to_one, only="lost@/jobs#1.1+late1m@/jobs#1.2", **OPTIONS)
    assert raised.value.__notes__[0] == (
        "the scenario fails when QStash does all of this, which it is free to do:\n"
        f"  - the answer of attempt 1 of POST {JOBS} at +5m is lost, and QStash tries again\n"
        f"  - attempt 2 of POST {JOBS}, due at +5m12s, starts a minute late\n"
        "plan:  lost@/jobs#1.1+late1m@/jobs#1.2\n"
        'again: explore(scenario, only="lost@/jobs#1.1+late1m@/jobs#1.2")'
    )


def test_one_plan_under_which_the_scenario_holds_is_told_as_that():
    assert str(explore(shop, only="lost@/jobs#1.1", **OPTIONS)) == "1 run, under a plan of 1 fault"
    pair = explore(shop, only="lost@/jobs#1.1+late1m@/jobs#1.2", **OPTIONS)
    assert str(pair) == "1 run, under a plan of 2 faults"


def test_without_a_fault_in_its_plan_the_scenario_is_run_as_it_is():
    assert str(explore(shop, only="", **OPTIONS)) == "1 of at most 1 runs: the plain run, 0 of 5 single faults"

    def fails(fake):
        raise LookupError("no such order")

    with pytest.raises(LookupError) as raised:
        explore(fails, only="", **OPTIONS)
    assert raised.value.__notes__[0] == "the scenario was run under no plan: it fails as it is"


def test_ctrl_c_ends_the_exploration():
    runs = []

    def scenario(fake):
        runs.append(shop(fake))
        if len(runs) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        explore(scenario, **OPTIONS)
    assert len(runs) == 2


def test_a_plan_that_does_not_fit_any_more_is_told_with_what_is_possible():
    with pytest.raises(UsageError) as raised:
        explore(shop, faults="twice, lost", only="twice@/jobs#1.1+twice@/jobs#7.1", **OPTIONS)
    assert str(raised.value) == (
        "the plan does not fit the scenario any more: twice@/jobs#7.1 did not come to pass. There is no such attempt, "
        "it is the last one, or nothing else was due beside it; no fault is possible besides"
    )
    with pytest.raises(UsageError, match=r"possible besides: twice@/jobs#1\.1, lost@/jobs#1\.1$"):
        explore(shop, faults="twice, lost", only="twice@/jobs#7.1", **OPTIONS)


def test_what_fails_as_it_is_raises_that_without_a_word_on_plans():
    def scenario(fake):
        raise LookupError("no such order")

    with pytest.raises(LookupError) as raised:
        explore(scenario, **OPTIONS)
    assert not hasattr(raised.value, "__notes__")


def test_state_that_outlives_a_run_is_told_and_no_plan_is_named():
    seen = []

    def scenario(fake):
        seen.append(shop(fake))
        assert len(seen) < 4

    with pytest.raises(AssertionError) as raised:
        explore(scenario, **OPTIONS)
    assert str(raised.value) == (
        "the scenario does not repeat: it passed at first and failed after 4 runs, with no fault at all. State "
        "outlives it: a database, a cache or a global that a fixture of wider scope makes, or that nobody clears. "
        "No plan is blamed"
    )


def test_a_plan_that_breaks_only_once_is_not_reproducible():
    seen = []

    def scenario(fake):
        seen.append(shop(fake))
        assert len(seen) != 2

    with pytest.raises(AssertionError) as raised:
        explore(scenario, **OPTIONS)
    assert str(raised.value) == (
        "not reproducible: the scenario failed under the plan twice@/jobs#1.1, and passed when that was run again. "
        "Something else than QStash decides: chance, real time, or state that outlives a run"
    )


def test_a_coroutine_function_is_run_on_a_loop_of_its_own():
    async def scenario(fake):
        app = App()
        fake.mount(app)
        publish(fake)
        await fake.drain_async()
        assert len(app.seen) == 1

    with pytest.raises(AssertionError) as raised:
        explore(scenario, **OPTIONS)
    assert "twice@/jobs#1.1" in raised.value.__notes__[0]


def test_a_handler_that_raises_on_the_second_delivery_is_found():
    def scenario(fake):
        seen = set()

        def insert(request):
            body = request.content
            if body in seen:
                raise ValueError("UNIQUE constraint failed")
            seen.add(body)
            return httpx.Response(200)

        fake.mount(insert, SHOP)
        publish(fake)
        fake.drain()

    with pytest.raises(ValueError, match="UNIQUE constraint failed"):
        explore(scenario, **OPTIONS)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"runs": 0}, "runs=0: give the number of runs, the plain one included"),
        ({"faults": "thrice"}, "faults='thrice': there is no such fault, use some of "),
        ({"only": "twice"}, "'twice' names no point of a run: it reads like "),
    ],
)
def test_what_cannot_be_is_told_before_the_first_run(arguments: Any, problem: str):
    with pytest.raises(UsageError) as raised:
        explore(lambda fake: pytest.fail("it was run"), **arguments)
    assert str(raised.value).startswith(problem)
