"""Schemathesis finds nothing wrong, given QStash's own description and the exceptions below."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import schemathesis
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import seed as hypothesis_seed
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from qstash_fake.api.asgi import asgi_app

# The description belongs to QStash and is not part of this project.
OPENAPI = Path(__file__).parents[3] / "shared" / "openapi.yaml"
pytestmark = pytest.mark.skipif(not OPENAPI.exists(), reason="../shared/openapi.yaml is not there")

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
METHODS = ("get", "post", "put", "patch", "delete")
JSON = "application/json"
ERROR = {"$ref": "#/components/schemas/Error"}

Document = dict[str, Any]


def responses(document: Document, path: str, method: str = "post") -> Any:
    return document["paths"][path][method]["responses"]


def other_success_statuses(document: Document) -> None:
    for path in ("/v2/publish/{destination}", "/v2/enqueue/{queueName}/{destination}"):
        answers = responses(document, path)
        answers["201"] = answers["202"] = answers.pop("200")
    answers = responses(document, "/v2/schedules/{destination}")
    answers["201"] = answers.pop("200")
    answers = responses(document, "/v2/messages/{messageId}", "delete")
    answers["202"] = answers.pop("200")


def groups_answer_arrays(document: Document) -> None:
    for path in ("/v2/publish/{destination}", "/v2/enqueue/{queueName}/{destination}"):
        branches = responses(document, path)["201"]["content"][JSON]["schema"]["oneOf"]
        branches[1] = branches[1]["properties"]["messages"]
    group = {"type": "array", "items": {"$ref": "#/components/schemas/PublishToUrlGroupResponse"}}
    accepted = responses(document, "/v2/batch")["200"]["content"][JSON]["schema"]
    accepted["items"] = {"oneOf": [accepted["items"], group]}


def refused_batches_answer_arrays(document: Document) -> None:
    item = {"type": "object", "properties": {"error": {"type": "string"}}}
    refused = responses(document, "/v2/batch")["400"]["content"][JSON]
    refused["schema"] = {"oneOf": [ERROR, {"type": "array", "items": item}]}


def anything_may_be_refused(document: Document) -> None:
    for path in document["paths"].values():
        for method in METHODS:
            for status in ("400", "401", "404"):
                if method in path:
                    path[method]["responses"].setdefault(
                        status, {"description": "Refused", "content": {JSON: {"schema": ERROR}}}
                    )


def canceled_has_one_l(document: Document) -> None:
    document["components"]["schemas"]["LogEntry"]["properties"]["state"]["enum"].append("CANCELED")


class Departure(NamedTuple):
    """One way in which we answer otherwise than described, and why."""

    reason: str
    apply: Callable[[Document], None]


EXCEPTIONS = (
    Departure("SDKs demand 201, 202 and 202; PROTOCOL 6, rows 1, 3 and 29", other_success_statuses),
    Departure("every SDK expects a bare array for a URL group; PROTOCOL 6, row 2", groups_answer_arrays),
    Departure("the real server was seen to answer so; PROTOCOL 1.1 and 6, row 27", refused_batches_answer_arrays),
    Departure("the description lists errors of some operations only", anything_may_be_refused),
    Departure("two crash the Python SDK; PROTOCOL 6, row 4", canceled_has_one_l),
)

# The description calls nearly everything a string, and a random one is refused. These are values that mean something.
URL = {"enum": ["https://shop.example/jobs", "http://api.example:8080//a%2Fb?c=d&e", "partners"]}
DURATION = {"type": "string", "pattern": "^([1-9][0-9]?d)?([1-9][0-9]?h)?[1-9][0-9]{0,3}[sm]$"}
NAME = {"enum": ["orders", "a.b_c-1"]}
GROUP = {"enum": ["partners"]}
TIME = {"type": "integer", "minimum": 0, "maximum": 1 << 42}
LIMIT = {"type": "integer", "minimum": 1, "maximum": 100}
MEANINGFUL: dict[str, Document] = {
    **dict.fromkeys(("destination", "url", "Upstash-Callback", "Upstash-Failure-Callback"), URL),
    **dict.fromkeys(("queueName", "queue", "Upstash-Schedule-Id", "Upstash-Flow-Control-Key"), NAME),
    **dict.fromkeys(("urlGroupName", "topicName"), GROUP),
    "scheduleId": {"enum": ["nightly"]},
    "flowControlKey": {"enum": ["partner-api"]},
    **dict.fromkeys(("Upstash-Delay", "Upstash-Timeout"), DURATION),
    **dict.fromkeys(("fromDate", "toDate"), TIME),
    **dict.fromkeys(("parallelism", "rate", "period"), LIMIT),
    "count": {"type": "integer", "minimum": 1, "maximum": 100},
    "cursor": {"type": "string", "pattern": "^[0-9]{1,13}-[0-9]{1,3}$"},
    "endpoints": {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {"url": {"enum": URL["enum"][:2]}, "name": {"enum": ["one", "First endpoint"]}},
            "required": ["url"],
        },
        "minItems": 1,
        "maxItems": 3,
    },
    "Upstash-Cron": {"enum": ["*/5 * * * *", "CRON_TZ=Europe/Berlin 0 4 1-7 * MON", "@every 90m"]},
    "Upstash-Retries": {"type": "integer", "minimum": 0, "maximum": 5},
    "Upstash-Not-Before": {"type": "integer", "minimum": 0, "maximum": 1 << 33},
    "Upstash-Retry-Delay": {"enum": ["1000", "max(1000, pow(2, retried) * 100)"]},
    "Upstash-Flow-Control-Value": {"enum": ["parallelism=2", "rate=10, period=1m", "parallelism=1,rate=2"]},
    "Upstash-Redact-Fields": {"enum": ["body", "body, header[Authorization]", "headers"]},
    "Upstash-Deduplication-Id": {"type": "string", "pattern": "^[a-c]{1,2}$"},
    "headers": {
        "type": "object",
        "properties": {"Upstash-Delay": DURATION, "upstash-forward-step": {"type": "string", "pattern": "^[a-z]*$"}},
        "additionalProperties": False,
    },
}
SCHEDULE = {"Upstash-Cron": "@daily", "Upstash-Schedule-Id": "nightly"}
LIMITS = {"Upstash-Flow-Control-Key": "partner-api", "Upstash-Flow-Control-Value": "rate=1", "Upstash-Retries": "0"}


def read() -> Document:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    document: Document = yaml.load(OPENAPI.read_text(), Loader=loader)
    return document


def make_meaningful(part: Any, values: dict[str, Document]) -> None:
    """Narrow every parameter and every property in *part* of the document whose name is in *values*."""
    if isinstance(part, list):
        for one in part:
            make_meaningful(one, values)
    elif isinstance(part, dict):
        if "schema" in part and part.get("name") in values:
            narrow(part, "schema", values[part["name"]])
        properties = part.get("properties", {})
        for name in properties.keys() & values.keys():
            narrow(properties, name, values[name])
        for one in part.values():
            make_meaningful(one, values)


def narrow(where: Document, name: str, schema: Document) -> None:
    """Put *schema* at *name*, or inside the array that is there."""
    if where[name].get("type") == "array" != schema.get("type"):
        where[name] = where[name] | {"items": schema, "maxItems": 2}
    elif where[name].get("type") != "boolean":  # `unpin` has flags of the names that are numbers elsewhere
        where[name] = schema


def operations() -> list[tuple[str, str]]:
    if not OPENAPI.exists():
        return []
    return [(method.upper(), path) for path, item in read()["paths"].items() for method in METHODS if method in item]


@pytest.fixture(scope="module")
def document() -> Document:
    described = copy.deepcopy(read())
    for exception in EXCEPTIONS:
        exception.apply(described)
    return described


def populate(qstash: Any) -> dict[str, Document]:
    """Fill the account; return schemas of the ids that it knows."""
    endpoints = {"endpoints": [{"url": "https://shop.example/one", "name": "one"}]}
    qstash.call("POST", "/v2/topics/partners/endpoints", (), endpoints)
    dead = [qstash.dead_letter(LIMITS, b"\xff") for _ in range(3)]
    waiting = [qstash.publish({"Upstash-Delay": "1d", "Upstash-Queue-Name": "orders"}, b"{}") for _ in range(3)]
    qstash.call("POST", "/v2/schedules/https://shop.example/jobs", SCHEDULE)
    messages = [message.message_id for message in waiting]
    qstash.call("DELETE", f"/v2/messages/{messages.pop()}")
    return {name: {"enum": dead} for name in ("dlqId", "dlqIds")} | {
        name: {"enum": messages} for name in ("messageId", "messageIds")
    }


def test_there_are_at_most_five_exceptions_and_each_is_needed():
    assert len(EXCEPTIONS) <= 5
    described = read()
    for exception in EXCEPTIONS:
        before = copy.deepcopy(described)
        exception.apply(described)
        assert described != before, exception.reason


def run(qstash: Any, document: Document, method: str, path: str, examples: int) -> set[int]:
    """Send generated requests to one operation, check each answer, return the statuses."""
    schema = schemathesis.openapi.from_dict(document)
    schema.app = asgi_app(qstash.api)
    statuses: set[int] = set()

    @hypothesis_seed(0)
    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=schema[path][method].as_strategy())
    def check(case: Any) -> None:
        response = case.call_and_validate(headers={"Authorization": "Bearer secret"}, checks=CHECKS)
        statuses.add(response.status_code)

    check()
    assert qstash.api.problems == []
    return statuses


@pytest.mark.parametrize(("method", "path"), operations())
def test_no_random_request_is_answered_otherwise_than_described(method, path, document, qstash):
    populate(qstash)
    assert run(qstash, document, method, path, examples=5)


@pytest.mark.parametrize(("method", "path"), operations())
def test_no_meaningful_request_is_answered_otherwise_than_described(method, path, document, qstash):
    values = MEANINGFUL | populate(qstash)
    narrowed = copy.deepcopy(document)
    for operation in (item[m] for item in narrowed["paths"].values() for m in METHODS if m in item):
        make_meaningful(operation.get("parameters", []), values)
        make_meaningful(operation.get("requestBody", {}), values)
    assert run(qstash, narrowed, method, path, examples=15) & {200, 201, 202}
