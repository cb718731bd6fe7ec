"""Exploration from any language: a plan of faults is posted, and what came of it is read."""

import pytest

from qstash_fake import QStashFake
from qstash_fake.errors import Refused
from qstash_fake.explore.planned import Planned
from qstash_fake.server.events import Events
from qstash_fake.server.operations import Session, set_plan

JOBS = "/jobs/invoice"


def test_a_plan_bends_the_deliveries_that_follow_until_the_reset(still, destination):
    assert still.control("plan", plan=f"twice@{JOBS}#1.1") == {"plan": f"twice@{JOBS}#1.1"}
    still.publish(destination.url + JOBS)
    still.control("drain")
    assert len(destination.received) == 2
    still.control("reset")
    assert still.client.get("/_fake/plan").json() == {
        "error": "no plan was posted since the last reset: POST one, which may be empty"
    }
    still.publish(destination.url + JOBS)
    still.control("drain")
    assert len(destination.received) == 3


def test_the_empty_plan_records_what_is_possible_for_a_search_of_ones_own(still, destination):
    still.control("plan")
    still.publish(destination.url + JOBS)
    still.control("drain")
    singles = still.client.get("/_fake/plan", params={"faults": "twice,lost"}).json()
    assert singles == {"plan": "", "fired": [], "left_over": [], "possible": [f"twice@{JOBS}#1.1", f"lost@{JOBS}#1.1"]}
    for single in singles["possible"]:
        still.control("reset")
        still.control("plan", plan=single)
        still.publish(destination.url + JOBS)
        still.control("drain")
        (fired,) = still.client.get("/_fake/plan").json()["fired"]
        assert fired["fault"] == single
    assert len(destination.received) == 1 + 2 + 2
    words = f"the answer of attempt 1 of POST {destination.url}{JOBS} at +0s is lost, and QStash tries again"
    assert fired["words"] == words


def test_a_real_clock_runs_under_a_plan_too(server, destination):
    server.control("plan", plan=f"twice@{JOBS}#1.1")
    server.publish(destination.url + JOBS)
    assert len(destination.wait_for(2)) == 2


def test_what_did_not_come_to_pass_is_left_over(still):
    still.control("plan", plan="twice@/nobody#1.1")
    assert still.client.get("/_fake/plan").json()["left_over"] == ["twice@/nobody#1.1"]


def test_a_text_that_is_no_plan_is_refused(still):
    answer = still.client.post("/_fake/plan", json={"plan": "twice"})
    assert answer.status_code == 400
    assert answer.json() == {"error": "'twice' names no point of a run: it reads like twice@/jobs/invoice#1.1"}


def test_the_plan_of_an_explored_test_is_not_replaced():
    with QStashFake(freeze="off") as fake:
        Planned().attach(fake)
        with pytest.raises(Refused, match="the test of this fake is explored, and has its own plan"):
            set_plan(Session(fake, None, Events(fake)), "")  # type: ignore[arg-type]
