"""Every operation of QStash's own description is answered as it says, or as the tables below say instead."""

import json
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema_rs
import pytest
import yaml

from qstash_fake.api.answer import Api
from qstash_fake.api.auth import Auth
from qstash_fake.broker.broker import Broker
from qstash_fake.broker.message import Outcome
from tests.shop import JOBS

# The description belongs to QStash and is not part of this project.
OPENAPI = Path(__file__).parents[3] / "shared" / "openapi.yaml"
pytestmark = pytest.mark.skipif(not OPENAPI.exists(), reason="../shared/openapi.yaml is not there")

METHODS = ("get", "post", "put", "patch", "delete")
CRON = {"Upstash-Cron": "*/5 * * * *"}


class Ask(NamedTuple):
    """One request. `{message}`, `{dead}` and `{queued}` in a path stand for ids of the scenario."""

    path: str
    headers: dict[str, str] = {}  # noqa: RUF012 - never changed
    body: Any = None
    plan: str | None = None
    token: str = "any"


# For each operation a request that succeeds in the scenario; for a GET, one that has something to show.
SUCCESS = {
    "POST /v2/publish/{destination}": Ask(f"/v2/publish/{JOBS}", {"Upstash-Delay": "10s"}, {"order": 7}),
    "POST /v2/enqueue/{queueName}/{destination}": Ask(f"/v2/enqueue/orders/{JOBS}", {}, {"order": 7}),
    "POST /v2/batch": Ask("/v2/batch", {}, [{"destination": JOBS, "body": "1"}, {"destination": JOBS, "queue": "q"}]),
    "GET /v2/messages/{messageId}": Ask("/v2/messages/{message}"),
    "DELETE /v2/messages/{messageId}": Ask("/v2/messages/{message}"),
    "DELETE /v2/messages": Ask("/v2/messages?label=invoices&count=10"),
    "POST /v2/queues": Ask("/v2/queues", {}, {"queueName": "mails", "parallelism": 2}),
    "GET /v2/queues": Ask("/v2/queues"),
    "GET /v2/queues/{queueName}": Ask("/v2/queues/orders"),
    "DELETE /v2/queues/{queueName}": Ask("/v2/queues/orders"),
    "POST /v2/queues/{queueName}/pause": Ask("/v2/queues/orders/pause"),
    "POST /v2/queues/{queueName}/resume": Ask("/v2/queues/orders/resume"),
    "POST /v2/schedules/{destination}": Ask(f"/v2/schedules/{JOBS}", CRON),
    "GET /v2/schedules": Ask("/v2/schedules"),
    "GET /v2/schedules/{scheduleId}": Ask("/v2/schedules/nightly"),
    "DELETE /v2/schedules/{scheduleId}": Ask("/v2/schedules/nightly"),
    "POST /v2/schedules/{scheduleId}/pause": Ask("/v2/schedules/nightly/pause"),
    "POST /v2/schedules/{scheduleId}/resume": Ask("/v2/schedules/nightly/resume"),
    "GET /v2/topics": Ask("/v2/topics"),
    "GET /v2/topics/{urlGroupName}": Ask("/v2/topics/partners"),
    "DELETE /v2/topics/{urlGroupName}": Ask("/v2/topics/partners"),
    "POST /v2/topics/{urlGroupName}/endpoints": Ask("/v2/topics/new/endpoints", {}, {"endpoints": [{"url": JOBS}]}),
    "DELETE /v2/topics/{urlGroupName}/endpoints": Ask(
        "/v2/topics/partners/endpoints", {}, {"endpoints": [{"name": "one"}]}
    ),
    "GET /v2/dlq": Ask("/v2/dlq"),
    "DELETE /v2/dlq": Ask("/v2/dlq?dlqIds={dead}"),
    "GET /v2/dlq/{dlqId}": Ask("/v2/dlq/{dead}"),
    "DELETE /v2/dlq/{dlqId}": Ask("/v2/dlq/{dead}"),
    "POST /v2/dlq/retry/{dlqId}": Ask("/v2/dlq/retry/{dead}"),
    "POST /v2/dlq/retry": Ask("/v2/dlq/retry?count=1"),
    "GET /v2/flowControl": Ask("/v2/flowControl"),
    "GET /v2/flowControl/{flowControlKey}": Ask("/v2/flowControl/partner-api"),
    "POST /v2/flowControl/{flowControlKey}/pause": Ask("/v2/flowControl/partner-api/pause"),
    "POST /v2/flowControl/{flowControlKey}/resume": Ask("/v2/flowControl/partner-api/resume"),
    "POST /v2/flowControl/{flowControlKey}/pin": Ask("/v2/flowControl/partner-api/pin?rate=5&period=60"),
    "POST /v2/flowControl/{flowControlKey}/unpin": Ask("/v2/flowControl/partner-api/unpin?rate=true"),
    "POST /v2/flowControl/{flowControlKey}/resetRate": Ask("/v2/flowControl/partner-api/resetRate"),
    "GET /v2/globalParallelism": Ask("/v2/globalParallelism"),
    "GET /v2/keys": Ask("/v2/keys"),
    "POST /v2/keys/rotate": Ask("/v2/keys/rotate"),
    "GET /v2/logs": Ask("/v2/logs?count=100"),
}
# For each error that the description lists, a request that brings it about.
ERRORS = {
    "POST /v2/publish/{destination} 400": Ask("/v2/publish/ftp://shop.example/"),
    "POST /v2/publish/{destination} 401": Ask(f"/v2/publish/{JOBS}", token=""),
    "POST /v2/enqueue/{queueName}/{destination} 400": Ask(f"/v2/enqueue/q/{JOBS}", {"Upstash-Delay": "1s"}),
    "POST /v2/enqueue/{queueName}/{destination} 404": Ask("/v2/enqueue/q/nobody"),
    "POST /v2/batch 400": Ask("/v2/batch", {}, {"destination": JOBS}),
    "GET /v2/messages/{messageId} 404": Ask("/v2/messages/msg_unknown"),
    "DELETE /v2/messages/{messageId} 404": Ask("/v2/messages/msg_unknown"),
    "POST /v2/queues 400": Ask("/v2/queues", {}, {"queueName": "no blanks", "parallelism": 1}),
    "POST /v2/queues 412": Ask("/v2/queues", {}, {"queueName": "q", "parallelism": 3}, plan="free"),
    "GET /v2/queues/{queueName} 400": Ask("/v2/queues/no%20blanks"),
    "GET /v2/queues/{queueName} 404": Ask("/v2/queues/unknown"),
    "POST /v2/queues/{queueName}/pause 400": Ask("/v2/queues/no%20blanks/pause"),
    "POST /v2/queues/{queueName}/resume 400": Ask("/v2/queues/no%20blanks/resume"),
    "POST /v2/schedules/{destination} 400": Ask(f"/v2/schedules/{JOBS}"),
    "POST /v2/schedules/{destination} 412": Ask(f"/v2/schedules/{JOBS}", CRON, plan="free"),
    "GET /v2/schedules/{scheduleId} 404": Ask("/v2/schedules/scd_unknown"),
    "GET /v2/topics/{urlGroupName} 404": Ask("/v2/topics/unknown"),
    "GET /v2/dlq/{dlqId} 404": Ask("/v2/dlq/0-99"),
    "DELETE /v2/dlq/{dlqId} 404": Ask("/v2/dlq/0-99"),
    "POST /v2/dlq/retry/{dlqId} 404": Ask("/v2/dlq/retry/0-99"),
    "POST /v2/flowControl/{flowControlKey}/resume 400": Ask("/v2/flowControl/unknown/resume"),
    "POST /v2/flowControl/{flowControlKey}/pin 400": Ask("/v2/flowControl/partner-api/pin?rate=0"),
    "POST /v2/flowControl/{flowControlKey}/unpin 400": Ask("/v2/flowControl/partner-api/unpin"),
    "POST /v2/flowControl/{flowControlKey}/resetRate 400": Ask("/v2/flowControl/unknown/resetRate"),
}
# Errors that the description lists and the fake never answers, and why.
NEVER = {
    "POST /v2/dlq/retry 404": "ids that are not there are skipped, as the TypeScript SDK's tests show (PROTOCOL 1.5)",
    "GET /v2/flowControl/{flowControlKey} 404": "the service shows an unused key as an idle one, reports of 2026-09-10",
    "POST /v2/flowControl/{flowControlKey}/pause 400": "a key may be paused before its first message",
    "POST /v2/flowControl/{flowControlKey}/resetRate 500": "the fake does not fail",
}
# Success statuses that are not the documented one, and why.
OTHER_STATUS = {
    "POST /v2/publish/{destination}": (201, "PROTOCOL 6, row 1"),
    "POST /v2/enqueue/{queueName}/{destination}": (201, "PROTOCOL 6, row 29"),
    "POST /v2/schedules/{destination}": (201, "PROTOCOL 1.3: seen on the official dev server"),
    "DELETE /v2/messages/{messageId}": (202, "PROTOCOL 6, row 3"),
}


@cache
def document() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.load(OPENAPI.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    # One L in the answer, for two crash the Python SDK. PROTOCOL 6, row 4.
    loaded["components"]["schemas"]["LogEntry"]["properties"]["state"]["enum"].append("CANCELED")
    # A URL group is answered with a bare array. PROTOCOL 6, row 2. As it stands, every answer fits both branches.
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


class Scenario:
    """An account in which every list has something in it, and every documented field a value somewhere."""

    def __init__(self, plan: str | None = None) -> None:
        self.broker = Broker(1_750_000_000_000, plan=plan)
        self.api = Api(self.broker, Auth())
        self.ids: dict[str, str] = {}

    def ask(self, method: str, ask: Ask) -> tuple[int, bytes]:
        headers = [("Authorization", f"Bearer {ask.token}"), *ask.headers.items()]
        body = b"" if ask.body is None else ask.body if isinstance(ask.body, bytes) else json.dumps(ask.body).encode()
        path = ask.path
        for name, value in self.ids.items():
            path = path.replace("{" + name + "}", value)
        reply = self.api.answer(method, path, headers, body)
        assert not self.api.problems
        return reply.status, reply.body

    def post(self, path: str, headers: dict[str, str], body: Any = None) -> Any:
        status, answer = self.ask("POST", Ask(path, headers, body))
        assert 200 <= status < 300, answer
        return json.loads(answer or b"null")

    def deliver(self, outcome: Outcome) -> None:
        while message := self.broker.next_message(self.broker.now_ms + 1_000):
            self.broker.complete(self.broker.start(message), outcome)

    def build(self) -> "Scenario":
        everything = {
            "Content-Type": "text/plain",
            "Upstash-Label": "invoices,july",
            "Upstash-Retries": "0",
            "Upstash-Retry-Delay": "1000 * (1 + retried)",
            "Upstash-Timeout": "30s",
            "Upstash-Callback": f"{JOBS}/done",
            "Upstash-Callback-Forward-Step": "2",
            "Upstash-Failure-Callback": f"{JOBS}/failed",
            "Upstash-Failure-Callback-Forward-Step": "3",
            "Upstash-Flow-Control-Key": "partner-api",
            "Upstash-Flow-Control-Value": "parallelism=2, rate=10, period=1m",
        }
        in_queue = {"Upstash-Queue-Name": "orders"}
        answered = Outcome(status=500, headers=(("Content-Type", "text/plain"),), body=b"no", error="500 no")
        self.post(
            "/v2/topics/partners/endpoints", {}, {"endpoints": [{"url": JOBS, "name": "one"}, {"url": f"{JOBS}/2"}]}
        )
        self.post("/v2/topics/pair/endpoints", {}, {"endpoints": [{"url": JOBS, "name": "one"}, {"url": f"{JOBS}/2"}]})
        # A group, a queue, a schedule: the first tick fails and ends in the dead letter queue.
        daily = everything | in_queue | CRON | {"Upstash-Schedule-Id": "nightly", "Upstash-Delay": "1s"}
        self.post("/v2/schedules/partners", daily, b"hello")
        self.broker.now_ms += 300_000
        self.deliver(answered)
        self.post(f"/v2/publish/{JOBS}", {"Upstash-Retries": "0"}, b"\xff")
        self.deliver(Outcome(status=500, body=b"\xff"))
        self.ids["dead"] = next(iter(self.broker.dead_letters))
        pending = self.post("/v2/publish/partners", everything | in_queue | {"Upstash-Delay": "1d"}, b"later")
        self.ids["message"] = pending[0]["messageId"]
        self.ids["binary"] = self.post(f"/v2/publish/{JOBS}", {"Upstash-Delay": "1d"}, b"\xff")["messageId"]
        self.ids["ticked"] = next(m.message_id for m in self.broker.messages.values() if m.schedule_id)
        cancelled = self.post(f"/v2/publish/{JOBS}", {"Upstash-Delay": "1d"})["messageId"]
        self.ask("DELETE", Ask(f"/v2/messages/{cancelled}"))
        return self


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
    assert len(operations()) == 40


@pytest.mark.parametrize("name", operations())
def test_an_operation_succeeds_as_described(name, scenario):
    operation = operations()[name]
    documented = next(status for status in operation["responses"] if status < "300")

    status, body = scenario.ask(name.split()[0], SUCCESS[name])

    assert status == OTHER_STATUS.get(name, (int(documented), ""))[0]
    schema = schema_of(operation, documented)
    if schema is not None:
        assert validate(schema, body)  # and so it is neither {} nor []
    elif name != "DELETE /v2/messages/{messageId}":  # PROTOCOL 6, row 3: a count
        assert body == b""


@pytest.mark.parametrize("name", [one for one in errors() if one not in NEVER])
def test_an_operation_is_refused_as_described(name):
    operation, status = name.rsplit(" ", 1)
    ask = ERRORS[name]
    scenario = Scenario(ask.plan) if ask.plan else Scenario().build()
    if status == "412" and "schedules" in name:
        for number in range(10):
            scenario.post(f"/v2/schedules/{JOBS}/{number}", CRON)

    answered, body = scenario.ask(operation.split()[0], ask)

    assert answered == int(status)
    assert validate(schema_of(operations()[operation], status), body)["error"]


def fields_shown(scenario: Scenario, *paths: str, inside: str | None = None) -> set[str]:
    shown: set[str] = set()
    for path in paths:
        value = json.loads(scenario.ask("GET", Ask(path))[1])
        listed = value[inside] if inside else value
        for one in listed if isinstance(listed, list) else [listed]:
            shown |= one.keys()
    return shown


# Schema of the description, where its values are shown, and the fields that are shown besides the documented ones.
SHOWN = [
    (
        "Message",
        ("/v2/messages/{message}", "/v2/messages/{binary}", "/v2/messages/{ticked}"),
        None,
        {"callbackHeader", "failureCallbackHeader", "retryDelayExpression"},  # PROTOCOL 1.1a, read by SDKs
    ),
    ("Queue", ("/v2/queues",), None, set()),  # an extra key breaks the PHP SDK
    (
        "Schedule",
        ("/v2/schedules",),
        None,
        # PROTOCOL 1.3, read by SDKs; and row 8
        {"timeout", "callbackHeader", "failureCallbackHeader", "queueName", "callerIP"},
    ),
    ("URLGroup", ("/v2/topics",), None, set()),
    ("Endpoint", ("/v2/topics/partners",), "endpoints", set()),
    ("FlowControlKey", ("/v2/flowControl",), None, set()),
    (
        "DLQMessage",
        ("/v2/dlq",),
        "messages",
        {"dlqId", "error", "callbackHeader", "failureCallbackHeader", "retryDelayExpression"},  # row 9, PROTOCOL 1.5
    ),
    (
        "LogEntry",
        ("/v2/logs",),
        "logs",
        # rows 6 to 8, PROTOCOL 1.6
        {"responseHeader", "retryDelayExpr", "callerIP", "flowControlKey", "parallelism", "rate", "period"},
    ),
    ("SigningKeys", ("/v2/keys",), None, set()),
]


@pytest.mark.parametrize(("schema", "paths", "inside", "besides"), SHOWN, ids=[row[0] for row in SHOWN])
def test_every_documented_field_is_shown_and_no_unknown_one(scenario, schema, paths, inside, besides):
    documented = set(document()["components"]["schemas"][schema]["properties"])
    assert fields_shown(scenario, *paths, inside=inside) == documented | besides


def test_a_publish_to_a_group_is_described_too(scenario):
    status, body = scenario.ask("POST", Ask("/v2/publish/partners"))
    schema = schema_of(operations()["POST /v2/publish/{destination}"], "200")
    assert status == 201
    assert [item["url"] for item in validate(schema, body)] == [JOBS, f"{JOBS}/2"]


def test_a_list_validates_with_everything_in_it(scenario):
    logs = json.loads(scenario.ask("GET", Ask("/v2/logs"))[1])["logs"]
    assert {entry["state"] for entry in logs} == {
        "CREATED", "ACTIVE", "ERROR", "FAILED", "CANCEL_REQUESTED", "CANCELED",
    }  # fmt: skip
    assert len(json.loads(scenario.ask("GET", Ask("/v2/dlq"))[1])["messages"]) > 2


@pytest.mark.parametrize("name", operations())
def test_no_operation_is_open_to_strangers(name, scenario):
    before = scenario.ask("GET", Ask("/v2/logs"))
    status, body = scenario.ask(name.split()[0], SUCCESS[name]._replace(token=""))
    assert (status, json.loads(body)) == (401, {"error": "unable to authenticate: invalid token"})
    assert before == scenario.ask("GET", Ask("/v2/logs"))
