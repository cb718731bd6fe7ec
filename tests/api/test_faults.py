"""Faults that a test asks for: whom they meet, in which order, how often. SDKs meet them in sdk/test_api_faults.py."""

from contextlib import suppress

import pytest

from qstash_fake.api.view import ApiView
from qstash_fake.errors import ConnectionDropped, UsageError
from tests.world import instructions

QUEUES = ("GET", "/v2/queues")


@pytest.fixture
def api(qstash):
    return ApiView(qstash.api)


def test_faults_come_in_the_order_in_which_they_were_asked_for_and_once_each(qstash, api):
    api.fail("daily")
    api.fail(503)
    api.drop_connection()
    assert [qstash.call(*QUEUES).status for _ in range(2)] == [429, 503]
    with pytest.raises(ConnectionDropped):
        qstash.call(*QUEUES)
    assert qstash.call(*QUEUES).status == 200
    assert not api.problems


@pytest.mark.parametrize("target", ["/v2/queues/", "/v2/queues/nobody", "/v2/nowhere", "/v2/wait/event", "/v2/batch"])
def test_a_fault_meets_whatever_call_was_let_in(qstash, api, target):
    api.fail(503)
    assert qstash.call("GET", target).status == 503


def test_a_call_that_is_not_let_in_spends_no_fault(qstash, api):
    api.fail(503)
    api.drop_connection()
    assert api.answer(*QUEUES, [], b"").status == 401
    assert qstash.call(*QUEUES).status == 503
    assert api.answer(*QUEUES, [], b"").status == 401
    with pytest.raises(ConnectionDropped):
        qstash.call(*QUEUES)


def test_nothing_of_a_call_that_met_a_fault_is_done(qstash, api):
    for fault in (lambda: api.fail(500), api.drop_connection):
        fault()
        with suppress(ConnectionDropped):
            qstash.call("POST", "/v2/publish/https://shop.example/jobs")
    assert not qstash.broker.messages


def test_a_number_of_faults_is_counted_down_not_stored(qstash, api):
    def ask(times):
        api.fail(503, times)
        api.drop_connection(times)

    assert instructions(lambda: ask(10**9)) == instructions(lambda: ask(1))
    assert [qstash.call(*QUEUES).status for _ in range(3)] == [503, 503, 503]


def test_no_faults_are_no_faults(qstash, api):
    api.fail(503, times=0)
    assert qstash.call(*QUEUES).status == 200


def test_a_status_that_is_given_by_its_name_is_told_to_be_the_kind(api):
    with pytest.raises(TypeError) as error:
        api.fail(status=500)
    assert str(error.value) == "fail() has no status= (did you mean kind=?); it takes kind=, times="
    with pytest.raises(TypeError, match=r"^drop_connection\(\) has no time= \(did you mean times=\?\)"):
        api.drop_connection(time=2)


@pytest.mark.parametrize("times", [-1, 1.5, "2", None])
def test_a_number_of_faults_that_cannot_be_is_refused(api, times):
    for ask in (lambda: api.fail(503, times), lambda: api.drop_connection(times)):
        with pytest.raises(UsageError) as error:
            ask()
        assert str(error.value) == f"times={times!r}: it is a number of calls"
