"""What QStash documents, as data of our own: every operation, every refusal and every field, and an account to ask."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from qstash_fake.api.answer import Api
from qstash_fake.api.auth import Auth
from qstash_fake.broker.broker import Broker
from qstash_fake.broker.message import Outcome
from tests.shop import JOBS

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
    "POST /v2/dlq/retry 404": "ids that are not there are skipped, as the TypeScript SDK's tests show",
    "GET /v2/flowControl/{flowControlKey} 404": "the service shows an unused key as an idle one, reports of 2026-09-10",
    "POST /v2/flowControl/{flowControlKey}/pause 400": "a key may be paused before its first message",
    "POST /v2/flowControl/{flowControlKey}/resetRate 500": "the fake does not fail",
}
# Success statuses that are not the documented one, and why.
OTHER_STATUS = {
    "POST /v2/publish/{destination}": (201, "the official clients check it, a report of a live answer"),
    "POST /v2/enqueue/{queueName}/{destination}": (201, "as a publish"),
    "POST /v2/schedules/{destination}": (201, "seen on the official dev server"),
    "DELETE /v2/messages/{messageId}": (202, "PHP client; documentation of September 2026"),
}

# Field → type, of all that is documented for each kind of thing.
_OF_MESSAGE: dict[str, type] = {
    **dict.fromkeys(("messageId", "url", "topicName", "endpointName", "method", "body", "bodyBase64", "callback"), str),
    **dict.fromkeys(("failureCallback", "queueName", "scheduleId", "callerIP", "label", "flowControlKey"), str),
    **dict.fromkeys(("maxRetries", "notBefore", "createdAt", "rate", "period", "parallelism"), int),
    "header": dict,
    "labels": list,
}
FIELDS: dict[str, dict[str, type]] = {
    "Message": _OF_MESSAGE,
    "Queue": {"name": str, "createdAt": int, "updatedAt": int, "parallelism": int, "paused": bool, "lag": int},
    "Schedule": {
        **dict.fromkeys(("scheduleId", "cron", "destination", "method", "body", "callback", "failureCallback"), str),
        **dict.fromkeys(("callerIp", "flowControlKey", "retryDelayExpression", "label"), str),
        **dict.fromkeys(("createdAt", "retries", "delay", "parallelism", "rate", "period"), int),
        **dict.fromkeys(("lastScheduleTime", "nextScheduleTime"), int),
        "header": dict,
        "isPaused": bool,
        "labels": list,
        "lastScheduleStates": dict,
    },
    "URLGroup": {"name": str, "createdAt": int, "updatedAt": int, "endpoints": list},
    "Endpoint": {"name": str, "url": str},
    "FlowControlKey": {
        "flowControlKey": str,
        **dict.fromkeys(("waitListSize", "parallelismMax", "parallelismCount", "rateMax", "rateCount"), int),
        **dict.fromkeys(("ratePeriod", "ratePeriodStart"), int),
        **dict.fromkeys(("isPinnedParallelism", "isPinnedRate", "isPaused"), bool),
    },
    "DLQMessage": {
        **_OF_MESSAGE,
        "responseStatus": int,
        "responseHeader": dict,
        "responseBody": str,
        "responseBodyBase64": str,
    },
    "LogEntry": {
        **dict.fromkeys(("messageId", "body", "state", "error", "url", "topicName", "endpointName"), str),
        **dict.fromkeys(("scheduleId", "queueName", "responseBody", "method", "callback", "failureCallback"), str),
        **dict.fromkeys(("retryDelayExpression", "label"), str),
        **dict.fromkeys(("time", "nextDeliveryTime", "responseStatus", "timeout", "maxRetries"), int),
        **dict.fromkeys(("header", "responseHeaders", "callbackHeaders", "failureCallbackHeaders"), dict),
        "labels": list,
    },
    "SigningKeys": {"current": str, "next": str},
}

# Schema of the description, where its values are shown, and the fields that are shown besides the documented ones.
SHOWN = [
    (
        "Message",
        ("/v2/messages/{message}", "/v2/messages/{binary}", "/v2/messages/{ticked}"),
        None,
        {"callbackHeader", "failureCallbackHeader", "retryDelayExpression"},  # read by SDKs
    ),
    ("Queue", ("/v2/queues",), None, set()),  # an extra key breaks the PHP SDK
    (
        "Schedule",
        ("/v2/schedules",),
        None,
        # read by SDKs, callerIP in this spelling
        {"timeout", "callbackHeader", "failureCallbackHeader", "queueName", "callerIP"},
    ),
    ("URLGroup", ("/v2/topics",), None, set()),
    ("Endpoint", ("/v2/topics/partners",), "endpoints", set()),
    ("FlowControlKey", ("/v2/flowControl",), None, set()),
    (
        "DLQMessage",
        ("/v2/dlq",),
        "messages",
        {"dlqId", "error", "callbackHeader", "failureCallbackHeader", "retryDelayExpression"},  # read by SDKs
    ),
    (
        "LogEntry",
        ("/v2/logs",),
        "logs",
        # read by SDKs in these spellings
        {"responseHeader", "retryDelayExpr", "callerIP", "flowControlKey", "parallelism", "rate", "period"},
    ),
    ("SigningKeys", ("/v2/keys",), None, set()),
]


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

    def build(self) -> Scenario:
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

    def things(self, *paths: str, inside: str | None = None) -> list[dict[str, Any]]:
        """Return what the GET of *paths* shows, or the lists *inside* of it."""
        found: list[dict[str, Any]] = []
        for path in paths:
            value = json.loads(self.ask("GET", Ask(path))[1])
            listed = value[inside] if inside else value
            found += listed if isinstance(listed, list) else [listed]
        return found


def scenario_for(operation: str, status: str) -> Scenario:
    """Return the account in which the request of ERRORS for *operation* is refused with *status*."""
    plan = ERRORS[f"{operation} {status}"].plan
    scenario = Scenario(plan) if plan else Scenario().build()
    if status == "412" and "schedules" in operation:
        for number in range(10):
            scenario.post(f"/v2/schedules/{JOBS}/{number}", CRON)
    return scenario
