"""The search on synthetic scenarios: it finds what is planted, shrinks to it, and says what it has covered."""

from hypothesis import given, settings
from hypothesis import strategies as st

from qstash_fake.explore.plans import PLAIN, Fault, Plan, Point
from qstash_fake.explore.search import Trial, Verdict, search

FAULTS = [Fault(kind, Point("/jobs", number, 1)) for kind in ("twice", "lost", "late1m") for number in (1, 2, 3)]
ENOUGH = 1 + len(FAULTS) + len(FAULTS) ** 2  # runs for all that FAULTS make, singly and in pairs


class Synthetic:
    """A scenario that breaks under one of *planted*; *after* are faults that others make possible."""

    def __init__(self, *planted: Plan, faults=FAULTS, after=()):
        self.planted = planted
        self.faults = faults
        self.after = dict(after)
        self.plans: list[Plan] = []

    def __call__(self, plan: Plan) -> Trial:
        self.plans.append(plan)
        possible = [*self.faults, *(new for old, new in self.after.items() if old in plan)]
        points = {fault.point for fault in plan}
        broke = any(set(one) <= set(plan) for one in self.planted)
        return Trial(broke, [fault for fault in possible if fault.point not in points])


pairs = st.tuples(st.sampled_from(FAULTS), st.sampled_from(FAULTS)).filter(lambda pair: pair[0].point != pair[1].point)


@given(st.sampled_from(FAULTS))
def test_every_planted_single_fault_is_found(fault):
    found = search(Synthetic((fault,)), runs=1 + len(FAULTS))
    assert (found.verdict, found.plan) == (Verdict.BREAKS, (fault,))
    assert found.runs == 2 + FAULTS.index(fault)


@given(pairs, st.integers())
def test_every_planted_pair_is_found_and_nothing_else_is_blamed(pair, seed):
    found = search(Synthetic(pair), runs=ENOUGH, seed=seed)
    assert found.verdict is Verdict.BREAKS
    assert set(found.plan) == set(pair)


@given(pairs, st.integers())
def test_a_pair_is_found_whose_second_fault_the_first_makes_possible(pair, seed):
    first, second = pair
    scenario = Synthetic(pair, faults=[fault for fault in FAULTS if fault != second], after={first: second})
    found = search(scenario, runs=ENOUGH, seed=seed)
    assert set(found.plan) == set(pair)


@settings(max_examples=30)
@given(st.lists(st.sampled_from(FAULTS), min_size=3, max_size=3, unique_by=lambda fault: fault.point), st.integers())
def test_three_faults_that_break_only_together_are_found(planted, seed):
    found = search(Synthetic(tuple(planted)), runs=1_000, seed=seed)
    assert set(found.plan) == set(planted)


@given(st.lists(pairs, max_size=3), st.integers())
def test_no_plan_is_tried_twice_and_no_point_has_two_faults(planted, seed):
    scenario = Synthetic(*planted)
    search(scenario, runs=60, seed=seed)
    tried = [frozenset(plan) for plan in scenario.plans if plan != PLAIN]
    assert len(tried) == len(set(tried))
    assert all(len({fault.point for fault in plan}) == len(plan) for plan in tried)


@given(pairs, st.integers(2, 60), st.integers())
def test_equal_seeds_give_equal_searches(pair, runs, seed):
    one, other = Synthetic(pair), Synthetic(pair)
    assert str(search(one, runs=runs, seed=seed)) == str(search(other, runs=runs, seed=seed))
    assert one.plans == other.plans


def test_the_bound_counts_the_plain_run_and_is_kept():
    scenario = Synthetic()
    found = search(scenario, runs=25)
    assert found.verdict is Verdict.HOLDS
    assert len(scenario.plans) == found.runs == 25
    assert str(found) == "25 of at most 25 runs: the plain run, all 9 single faults, 15 plans of 2 faults"


def test_one_run_is_the_plain_one():
    scenario = Synthetic((FAULTS[0],))
    found = search(scenario, runs=1)
    assert scenario.plans == [PLAIN]
    assert str(found) == "1 of at most 1 runs: the plain run, 0 of 9 single faults"


def test_a_small_scenario_is_tried_in_full_and_the_search_ends_there():
    two = [FAULTS[0], FAULTS[1]]
    found = search(Synthetic(faults=two), runs=100)
    assert (
        str(found)
        == "4 of at most 100 runs, all that there are: the plain run, all 2 single faults, 1 plan of 2 faults"
    )


def test_a_scenario_without_a_delivery_has_nothing_to_explore():
    found = search(Synthetic(faults=[]), runs=100)
    assert str(found) == "1 of at most 100 runs, all that there are: the plain run, and no fault is possible"


def test_where_kinds_were_left_out_the_result_names_those_that_were_looked_for():
    found = search(Synthetic(faults=FAULTS[:6]), runs=7, kinds=("twice", "lost"))
    assert str(found) == "7 of at most 7 runs: the plain run, all 6 single faults of twice, lost"
    found = search(Synthetic(faults=FAULTS[:1]), runs=1, kinds=("twice",))
    assert str(found) == "1 of at most 1 runs: the plain run, 0 of 1 single fault of twice"
    found = search(Synthetic(faults=[]), runs=7, kinds=("swap",))
    assert str(found) == "1 of at most 7 runs, all that there are: the plain run, and no fault of swap is possible"


def test_a_scenario_that_fails_as_it_is_is_not_explored():
    scenario = Synthetic(PLAIN)
    assert search(scenario, runs=100).verdict is Verdict.FAILS_ANYWAY
    assert scenario.plans == [PLAIN]


def test_no_plan_is_blamed_where_state_outlives_a_run():
    runs = []

    def scenario(plan):
        runs.append(plan)
        return Trial(len(runs) > 4, FAULTS)

    found = search(scenario, runs=100)
    assert (found.verdict, found.plan) == (Verdict.DOES_NOT_REPEAT, PLAIN)
    assert runs[-1] == PLAIN


def test_a_plan_is_shrunk_by_what_its_own_fault_has_added():
    # The late fault is possible only after the lost answer, and breaks alone: what made it possible is left out.
    lost, late = FAULTS[3], Fault("late1m", Point("/jobs", 1, 2))
    found = search(Synthetic((late,), faults=[lost], after={lost: late}), runs=100)
    assert found.plan == (late,)
    assert str(found).endswith("; 2 more to confirm and to shrink")
