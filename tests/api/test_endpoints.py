"""Every documented operation is answered as documented, by the tables of endpoints.py."""

import json

import pytest

from tests.api.endpoints import ERRORS, FIELDS, OTHER_STATUS, SHOWN, SUCCESS, Ask, Scenario, scenario_for
from tests.shop import JOBS


@pytest.fixture
def scenario():
    return Scenario().build()


@pytest.mark.protocol("1 every documented operation")
def test_the_tables_name_every_operation():
    assert len(SUCCESS) == 40
    assert {name.rsplit(" ", 1)[0] for name in ERRORS} <= SUCCESS.keys()


@pytest.mark.protocol("1 every documented operation")
@pytest.mark.parametrize("name", SUCCESS)
def test_an_operation_succeeds(name, scenario):
    status, body = scenario.ask(name.split()[0], SUCCESS[name])
    documented = 201 if name.startswith("POST /v2/dlq/retry") else 200
    assert status == OTHER_STATUS.get(name, (documented, ""))[0]
    assert (body == b"") == (name in SAYS_NOTHING)


# Operations that answer with a status alone.
SAYS_NOTHING = {
    "POST /v2/queues",
    "DELETE /v2/queues/{queueName}",
    "POST /v2/queues/{queueName}/pause",
    "POST /v2/queues/{queueName}/resume",
    "DELETE /v2/schedules/{scheduleId}",
    "POST /v2/schedules/{scheduleId}/pause",
    "POST /v2/schedules/{scheduleId}/resume",
    "DELETE /v2/topics/{urlGroupName}",
    "POST /v2/topics/{urlGroupName}/endpoints",
    "DELETE /v2/topics/{urlGroupName}/endpoints",
    "DELETE /v2/dlq/{dlqId}",
    "POST /v2/flowControl/{flowControlKey}/pause",
    "POST /v2/flowControl/{flowControlKey}/resume",
    "POST /v2/flowControl/{flowControlKey}/pin",
    "POST /v2/flowControl/{flowControlKey}/unpin",
    "POST /v2/flowControl/{flowControlKey}/resetRate",
}


@pytest.mark.protocol("1 every documented refusal")
@pytest.mark.parametrize("name", ERRORS)
def test_an_operation_is_refused(name):
    operation, status = name.rsplit(" ", 1)
    answered, body = scenario_for(operation, status).ask(operation.split()[0], ERRORS[name])
    assert answered == int(status)
    assert isinstance(json.loads(body)["error"], str)


@pytest.mark.protocol("1 every documented field")
@pytest.mark.parametrize(("schema", "paths", "inside", "besides"), SHOWN, ids=[row[0] for row in SHOWN])
def test_every_documented_field_is_shown_with_its_type_and_no_unknown_one(scenario, schema, paths, inside, besides):
    things = scenario.things(*paths, inside=inside)
    assert {name for thing in things for name in thing} == FIELDS[schema].keys() | besides
    typed = FIELDS[schema].items()
    wrong = {name for thing in things for name, kind in typed if name in thing and type(thing[name]) is not kind}
    assert wrong == set()


def test_a_publish_to_a_group_tells_of_each_endpoint(scenario):
    status, body = scenario.ask("POST", Ask("/v2/publish/partners"))
    assert (status, [item["url"] for item in json.loads(body)]) == (201, [JOBS, f"{JOBS}/2"])


def test_the_lists_of_the_scenario_have_everything_in_them(scenario):
    assert {entry["state"] for entry in scenario.things("/v2/logs", inside="logs")} == {
        "CREATED", "ACTIVE", "ERROR", "FAILED", "CANCEL_REQUESTED", "CANCELED",
    }  # fmt: skip
    assert len(scenario.things("/v2/dlq", inside="messages")) > 2


@pytest.mark.parametrize("name", SUCCESS)
def test_no_operation_is_open_to_strangers(name, scenario):
    before = scenario.ask("GET", Ask("/v2/logs"))
    status, body = scenario.ask(name.split()[0], SUCCESS[name]._replace(token=""))
    assert (status, json.loads(body)) == (401, {"error": "unable to authenticate: invalid token"})
    assert before == scenario.ask("GET", Ask("/v2/logs"))
