"""The tables of endpoints.py say what QStash's own description says, and its schemas hold for every answer."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from tests.api.endpoints import ERRORS, FIELDS, NEVER, OTHER_STATUS, SUCCESS, Ask, Scenario, scenario_for

# The description belongs to QStash and is not part of this project.
OPENAPI = Path(__file__).parents[3] / "shared" / "openapi.yaml"
pytestmark = pytest.mark.skipif(not OPENAPI.exists(), reason="../shared/openapi.yaml is not there")

METHODS = ("get", "post", "put", "patch", "delete")
TYPES = {"string": str, "integer": int, "number": int, "boolean": bool, "array": list, "object": dict}


@cache
def document() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.load(OPENAPI.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    # One L in the answer, for two crash the Python SDK.
    loaded["components"]["schemas"]["LogEntry"]["properties"]["state"]["enum"].append("CANCELED")
    # A URL group is answered with a bare array. As it stands, every answer fits both branches.
    for path in ("/v2/publish/{destination}", "/v2/enqueue/{queueName}/{destination}"):
        branches = loaded["paths"][path]["post"]["responses"]["200"]["content"]["application/json"]["schema"]["oneOf"]
        branches[1] = branches[1]["properties"]["messages"]
    return loaded


def operations() -> dict[str, dict[str, Any]]:
    if not OPENAPI.exists():
        return {}
    paths = document()["paths"].items()
    return {f"{m.upper()} {path}": ops[m] for path, ops in paths for m in METHODS if m in ops}


def errors() -> list[str]:
    return [f"{name} {status}" for name, one in operations().items() for status in one["responses"] if status >= "300"]


@pytest.fixture
def scenario() -> Scenario:
    return Scenario().build()


def validate(schema: Any, body: bytes) -> Any:
    """Return the JSON of *body* if it is what *schema* describes."""
    value = json.loads(body)
    jsonschema_rs.Draft202012Validator(
        {"components": document()["components"], "allOf": [schema]}, validate_formats=True
    ).validate(value)
    return value


def schema_of(operation: dict[str, Any], status: str) -> Any:
    return operation["responses"][status].get("content", {}).get("application/json", {}).get("schema")


def test_the_tables_name_every_operation_and_nothing_else():
    assert set(operations()) == set(SUCCESS)
    assert set(errors()) == set(ERRORS) | set(NEVER)


@pytest.mark.parametrize("schema", FIELDS)
def test_the_tables_name_every_field_with_its_type(schema):
    properties = document()["components"]["schemas"][schema]["properties"]
    assert FIELDS[schema] == {name: TYPES[one.get("type", "string")] for name, one in properties.items()}


@pytest.mark.parametrize("name", operations())
def test_an_operation_succeeds_as_described(name, scenario):
    operation = operations()[name]
    documented = next(status for status in operation["responses"] if status < "300")

    status, body = scenario.ask(name.split()[0], SUCCESS[name])

    assert status == OTHER_STATUS.get(name, (int(documented), ""))[0]
    schema = schema_of(operation, documented)
    if schema is not None:
        assert validate(schema, body)  # and so it is neither {} nor []
    elif name != "DELETE /v2/messages/{messageId}":  # a count
        assert body == b""


@pytest.mark.parametrize("name", [one for one in errors() if one not in NEVER])
def test_an_operation_is_refused_as_described(name):
    operation, status = name.rsplit(" ", 1)
    _, body = scenario_for(operation, status).ask(operation.split()[0], ERRORS[name])
    assert validate(schema_of(operations()[operation], status), body)["error"]


def test_a_publish_to_a_group_is_described_too(scenario):
    _, body = scenario.ask("POST", Ask("/v2/publish/partners"))
    assert validate(schema_of(operations()["POST /v2/publish/{destination}"], "200"), body)
