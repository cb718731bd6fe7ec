"""Workflows over the API: starts, lists, ends, events, calls, failures, what is listed, and every refusal."""

import base64
import json

import pytest

from tests.workflows import ASK, URL, a_step, a_wait, complete, header, listed, marks
from tests.world import start_next

START_MS = 1_767_225_600_000
NOT_A_WORKFLOW = (
    "detected a non-workflow destination for trigger/invoke. "
    "make sure you are sending the request to the correct endpoint"
)
FAILURE = {
    "Upstash-Failure-Callback": URL,
    "Upstash-Failure-Callback-Retries": "0",
    "Upstash-Failure-Callback-Forward-Upstash-Workflow-Is-Failure": "true",
}
ENDED = {"error": "can not append to a a cancelled workflow"}


def start(qstash, headers=(), body=b'{"p":1}', run_id="wfr_1"):
    """Start a run and return the message that brings its payload."""
    return qstash.publish({**marks(run_id, init=True), **dict(headers)}, body, to=URL)


def append(qstash, body, headers=(), run_id="wfr_1"):
    """Append a step and return its message."""
    return qstash.publish({**marks(run_id), **dict(headers)}, body, to=URL)


def deliver(qstash, status=200, **answer):
    """Deliver what is due next."""
    delivery = start_next(qstash.broker)
    complete(qstash.broker, delivery, status, **answer)
    return delivery


def run_of(qstash, run_id="wfr_1"):
    return qstash.broker.workflows.by_id[run_id]


def logged(qstash, query=""):
    return qstash.json("GET", f"/v2/workflows/logs{query}")["runs"]


def fail(qstash, headers=FAILURE, **answer):
    """Start a run that fails at once, and return its dead letter's id."""
    start(qstash, {"Upstash-Retries": "0", **headers})
    deliver(qstash, 500, body=b'{"error":"Error","message":"declined"}', **answer)
    return run_of(qstash).failed.dlq_id


# --- lists ---------------------------------------------------------------------------------------------------------


@pytest.mark.protocol("W start")
def test_a_start_is_delivered_as_a_list_of_its_payload(qstash):
    start(qstash, {"Content-Type": "application/json", "Upstash-Forward-X-User": "u", "Upstash-Workflow-Url": URL})
    delivery = start_next(qstash.broker)
    assert listed(delivery) == [("step", '{"p":1}')]
    assert json.loads(delivery.content.body)[0]["messageId"] == delivery.message.message_id
    assert delivery.content.headers == (
        ("Content-Type", "application/json"),
        ("X-User", "u"),
        ("Upstash-Workflow-RunId", "wfr_1"),
        ("Upstash-Workflow-Init", "true"),
        ("Upstash-Workflow-Url", URL),
        ("Upstash-Workflow-CallType", "step"),
        ("Upstash-Workflow-CreatedAt", str(START_MS)),
        ("Upstash-Workflow-Sdk-Version", "1"),
    )


@pytest.mark.protocol("W list of a run")
def test_a_list_is_cut_at_the_message_that_it_is_delivered_with(qstash):
    start(qstash)
    first = start_next(qstash.broker)
    plans = [a_step(0, "left", concurrent=2, targetStep=1), a_step(0, "right", concurrent=2, targetStep=2)]
    for plan in plans:
        append(qstash, plan)
    complete(qstash.broker, first)
    left = start_next(qstash.broker)
    append(qstash, a_step(1, "left", concurrent=2))
    assert [body for _, body in listed(left)] == ['{"p":1}', plans[0].decode()]
    complete(qstash.broker, left, 500)
    right = start_next(qstash.broker)
    assert [body for _, body in listed(right)] == ['{"p":1}', plans[0].decode(), plans[1].decode()]
    complete(qstash.broker, right)
    assert len(listed(start_next(qstash.broker))) == 4
    again = start_next(qstash.broker, START_MS + 12_000)
    assert again.message is left.message
    assert listed(again) == listed(left)


@pytest.mark.parametrize(
    "step", [a_step(1, "one", 1), a_step(0, "plan", concurrent=2, targetStep=1)], ids=["result", "plan"]
)
def test_a_step_that_is_there_is_not_appended_again(qstash, step):
    start(qstash)
    message = append(qstash, step)
    reply = qstash.call("POST", f"/v2/publish/{URL}", marks(), step)
    assert (reply.status, json.loads(reply.body)) == (202, {"messageId": message.message_id, "deduplicated": True})
    assert len(run_of(qstash).entries) == 2


def test_the_servers_own_headers_win_over_those_that_an_sdk_sends_back(qstash):
    stale = {
        f"Upstash-Forward-{name}": "stale"
        for name in ("Upstash-Workflow-RunId", "Upstash-Workflow-CreatedAt", "Content-Length", "Host")
    }
    start(qstash, stale)
    assert "stale" not in [value for _, value in start_next(qstash.broker).content.headers]


def test_a_thousand_steps_take_memory_in_proportion(qstash):
    start(qstash, body=b"")
    for number in range(1, 1001):
        append(qstash, a_step(number, out="x" * 1000))
    run = run_of(qstash)
    kept = sum(len(entry.body) + len(entry.encoded) for entry in run.entries)
    assert kept + sum(len(message.body) for message in run.messages) < 5_000_000
    assert len(run.list_until()) > 1_400_000


def test_the_list_of_a_run_can_be_fetched_while_it_runs(qstash):
    start(qstash)
    append(qstash, a_step(1))
    assert [one["callType"] for one in qstash.json("GET", "/v2/workflows/runs/wfr_1")] == ["step", "step"]
    assert qstash.call("DELETE", "/v2/workflows/runs/wfr_1?cancel=false").status == 200
    assert qstash.call("GET", "/v2/workflows/runs/wfr_1").status == 404


# --- starts --------------------------------------------------------------------------------------------------------


@pytest.mark.protocol("W repeated start")
def test_a_run_that_runs_is_not_started_again_and_its_id_is_free_after_its_end(qstash):
    message = start(qstash)
    reply = qstash.json("POST", f"/v2/publish/{URL}", marks(init=True))
    assert reply == {"messageId": message.message_id, "deduplicated": True}
    qstash.call("DELETE", "/v2/workflows/runs/wfr_1")
    qstash.broker.observe(START_MS + 1)
    start(qstash)
    assert [one["workflowRunCreatedAt"] for one in logged(qstash)] == [START_MS + 1, START_MS]
    assert len(logged(qstash, f"?workflowCreatedAt={START_MS}")) == 1


def test_a_start_without_an_id_gets_one(qstash):
    qstash.publish({"Upstash-Workflow-Init": "true"}, to=URL)
    (run_id,) = qstash.broker.workflows.by_id
    assert (run_id[:4], len(run_id)) == ("wfr_", 25)


@pytest.mark.protocol("W schedule")
def test_a_schedule_starts_a_run_at_each_tick(qstash):
    headers = {"Upstash-Cron": "* * * * *", "Upstash-Workflow-Init": "true"}
    qstash.json("POST", f"/v2/schedules/{URL}", headers)
    for minute in (1, 2):
        delivery = start_next(qstash.broker, START_MS + minute * 60_000)
        assert header(delivery, "Upstash-Workflow-Init") == "true"
        complete(qstash.broker, delivery)
    assert len(qstash.broker.workflows.all) == 2


@pytest.mark.protocol("W a workflow or not")
@pytest.mark.parametrize(
    ("headers", "answer", "error"),
    [
        (
            {"Upstash-Feature-Set": "LazyFetch,WF_DetectTrigger"},
            (),
            NOT_A_WORKFLOW,
        ),
        ({"Upstash-Feature-Set": "LazyFetch"}, (), None),
        ({"Upstash-Feature-Set": "WF_DetectTrigger"}, (("upstash-workflow-sdk-version", "1"),), None),
    ],
)
def test_what_answers_a_start_must_be_a_workflow_if_the_start_says_so(qstash, headers, answer, error):
    start(qstash, headers)
    deliver(qstash, headers=answer, body=b"hello")
    assert run_of(qstash).error == error
    assert run_of(qstash).going is (error is None)
    assert len(qstash.broker.dead_letters) == (error is not None)


@pytest.mark.protocol("W trigger")
def test_the_api_starts_a_run_in_the_place_of_an_sdk(qstash):
    reply = qstash.json("POST", f"/v2/trigger/{URL}", {"Upstash-Workflow-RunId": "wfr_1"}, b"payload")
    assert reply == {"workflowRunId": "wfr_1", "workflowCreatedAt": START_MS}
    delivery = deliver(qstash)
    assert (header(delivery, "Upstash-Workflow-Sdk-Version"), listed(delivery)) == ("1", [("step", "payload")])
    assert run_of(qstash).going


def test_a_run_that_the_api_starts_needs_an_sdk_that_says_its_version(qstash):
    qstash.json("POST", f"/v2/trigger/{URL}", {"Upstash-Workflow-RunId": "wfr_1"})
    deliver(qstash, headers=(("Upstash-Workflow-Sdk-Version", "1"),))
    (run,) = logged(qstash)
    assert run["workflowState"] == "RUN_FAILED"
    assert (run["steps"][0]["steps"][0]["state"], run["steps"][1]["type"]) == ("STEP_SUCCESS", "next")
    assert run["steps"][1]["steps"][0]["errors"][0]["error"] == (
        "trigger rest api is only usable with sdk versions after v1.0.0 major version"
    )


def test_a_run_that_the_api_starts_for_any_sdk_says_that_to_the_endpoint(qstash):
    headers = {"Upstash-Workflow-RunId": "wfr_1", "Upstash-Workflow-Unknown-Sdk": "true"}
    qstash.json("POST", f"/v2/trigger/{URL}", headers)
    delivered = start_next(qstash.broker).content.headers
    assert delivered[0] == ("Content-Type", "application/json")
    assert delivered[-1] == ("Upstash-Workflow-Unknown-Sdk", "true")
    assert ("Upstash-Workflow-RunId", "wfr_1") in delivered


@pytest.mark.protocol("W trigger")
def test_an_sdk_starts_the_run_again_that_the_api_has_started_for_it(qstash):
    headers = {"Upstash-Workflow-RunId": "wfr_1", "Upstash-Workflow-Unknown-Sdk": "true"}
    qstash.json("POST", f"/v2/trigger/{URL}", headers, b"raw")
    by_api = start_next(qstash.broker)
    start(qstash, {"Upstash-Workflow-Trigger-By-Sdk": "true", "Upstash-Retries": "1"})
    complete(qstash.broker, by_api)
    by_sdk = start_next(qstash.broker)
    assert (listed(by_sdk), header(by_sdk, "Upstash-Workflow-Unknown-Sdk")) == ([("step", '{"p":1}')], None)
    inherits = append(qstash, a_step(1), {"Upstash-Feature-Set": "WF_TriggerOnConfig"})
    assert (inherits.max_retries, qstash.broker.workflows.all) == (1, [run_of(qstash)])


def test_the_api_starts_several_runs(qstash):
    items = [
        {"destination": URL, "body": "a", "headers": {"Upstash-Workflow-RunId": "wfr_a"}},
        {"destination": URL, "body": "b", "headers": {"Upstash-Workflow-RunId": "wfr_a"}},
    ]
    reply = qstash.call("POST", "/v2/batch/trigger", body=items)
    started = {"workflowRunId": "wfr_a", "workflowCreatedAt": START_MS}
    assert (reply.status, json.loads(reply.body)) == (201, [started, {**started, "deduplicated": True}])


# --- ends ----------------------------------------------------------------------------------------------------------


@pytest.mark.protocol("W end")
def test_a_run_that_returns_ends_while_its_delivery_is_in_flight(qstash):
    start(qstash)
    delivery = start_next(qstash.broker)
    later = append(qstash, a_step(1), {"Upstash-Delay": "1h"})
    assert qstash.call("DELETE", "/v2/workflows/runs/wfr_1?cancel=false", body=b'{"a":1}').status == 200
    assert (later.state, delivery.message.state) == ("CANCELED", "ACTIVE")
    assert logged(qstash)[0]["workflowRunCompletedAt"] == START_MS
    complete(qstash.broker, delivery)
    assert (delivery.message.state, run_of(qstash).state, run_of(qstash).response) == (
        "DELIVERED",
        "RUN_SUCCESS",
        b'{"a":1}',
    )
    assert qstash.call("DELETE", "/v2/workflows/runs/wfr_1?cancel=false", body=b"2").status == 200
    assert run_of(qstash).response == b'{"a":1}'


@pytest.mark.parametrize("query", ["?cancel=false", "?cancel=true"])
def test_a_delivery_that_fails_after_the_end_is_not_retried_and_makes_no_dead_letter(qstash, query):
    start(qstash, FAILURE)
    delivery = start_next(qstash.broker)
    qstash.call("DELETE", f"/v2/workflows/runs/wfr_1{query}")
    complete(qstash.broker, delivery, 500)
    assert delivery.message.state == "CANCELED"
    assert not qstash.broker.dead_letters
    assert not [message for message in qstash.broker.messages.values() if message.pending]


@pytest.mark.protocol(
    "W append after the end", "error failed to publish to url: can not append to a a cancelled workflow"
)
@pytest.mark.parametrize("query", ["?cancel=false", "?cancel=true"])
def test_an_append_to_a_run_that_has_ended_is_400_in_the_services_words(qstash, query):
    start(qstash)
    qstash.call("DELETE", f"/v2/workflows/runs/wfr_1{query}")
    item = {"destination": URL, "headers": marks(), "body": a_step(1).decode()}
    reply = qstash.call("POST", "/v2/batch", body=[item])
    assert (reply.status, json.loads(reply.body)) == (400, [{"error": f"failed to publish to url: {ENDED['error']}"}])
    for target, body in ((f"/v2/publish/{URL}", a_step(1)), ("/v2/wait/ready", a_wait())):
        reply = qstash.call("POST", target, marks(), body)
        assert (reply.status, json.loads(reply.body)) == (400, ENDED)
    assert len(qstash.broker.messages) == 1
    assert [entry.in_vain for entry in qstash.broker.journal if hasattr(entry, "text")] == [False] * 2 + [True] * 3
    state = "RUN_SUCCESS" if query.endswith("false") else "RUN_CANCELED"
    assert notes(qstash)[2:] == [f"run wfr_1 of {URL} has ended ({state}): a step of it was refused with 400"] * 3


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/v2/workflows/runs/wfr_0"),
        ("DELETE", "/v2/workflows/runs/wfr_0"),
        ("DELETE", "/v2/workflows/runs/wfr_0?cancel=false"),
        ("POST", f"/v2/publish/{URL}"),
        ("POST", "/v2/notify/wfr_0/ready"),
        ("POST", "/v2/workflows/hooks/user/wfr_0/ready"),
    ],
)
def test_a_run_that_is_not_known_is_404(qstash, method, target):
    assert qstash.refusal(method, target, marks("wfr_0")) == (404, "workflow run wfr_0 not found")


def test_a_step_in_a_batch_that_is_refused_for_another_reason_is_noted(qstash):
    start(qstash)
    item = {"destination": URL, "headers": {**marks(), "Upstash-Retries": "x"}, "body": a_step(1).decode()}
    assert qstash.call("POST", "/v2/batch", body=[item]).status == 400
    (*_, note) = qstash.broker.journal
    assert (note.time_ms, note.in_vain) == (START_MS, True)
    assert note.text == (
        "a step was refused with 400, which its SDK takes for the end of the run: "
        "invalid Upstash-Retries header: 'x' is not a non-negative integer"
    )


def test_a_quota_is_the_status_of_the_whole_batch(qstash):
    start(qstash)
    item = {"destination": URL, "headers": {**marks(), "Upstash-Retries": "1000000"}, "body": a_step(1).decode()}
    assert qstash.refusal("POST", "/v2/batch", body=[item]) == (412, "quota maxRetries exceeded, current limit: 999")


@pytest.mark.protocol("W cancel")
@pytest.mark.parametrize(
    ("query", "cancelled"),
    [
        ("?workflowRunIds=wfr_1&workflowRunIds=wfr_0", ["wfr_1"]),
        (f"?workflowUrl={URL}", ["wfr_1", "wfr_2"]),
        (f"?workflowUrl={URL}/m", ["wfr_2"]),
        (f"?workflowUrl={URL}&workflowUrlExactMatch=true", ["wfr_1"]),
        ("?workflowUrl=https://other.example", []),
        ("?label=b", ["wfr_2"]),
        ("?label=a&label=b", ["wfr_1", "wfr_2"]),
        ("?count=1", ["wfr_1"]),
        ("?path=/other", []),
        ("", ["wfr_1", "wfr_2"]),
    ],
)
def test_runs_are_cancelled_by_filter(qstash, query, cancelled):
    start(qstash, {"Upstash-Label": "a"})
    qstash.publish({**marks("wfr_2", init=True), "Upstash-Label": "b"}, to=f"{URL}/more")
    assert qstash.json("DELETE", f"/v2/workflows/runs{query}") == {"cancelled": len(cancelled)}
    assert [run.run_id for run in qstash.broker.workflows.all if run.state == "RUN_CANCELED"] == cancelled


# --- configuration -------------------------------------------------------------------------------------------------


@pytest.mark.protocol("W inherited options")
def test_messages_that_say_so_inherit_what_the_run_was_started_with(qstash):
    start(
        qstash,
        {
            **FAILURE,
            "Upstash-Retries": "1",
            "Upstash-Retry-Delay": "1000",
            "Upstash-Label": "lbl",
            "Upstash-Forward-X-User": "u",
            "Upstash-Forward-Upstash-Workflow-Sdk-Version": "1",
            "Upstash-Flow-Control-Key": "key",
            "Upstash-Flow-Control-Value": "parallelism=1",
        },
    )
    inherits = append(qstash, a_step(1), {"Upstash-Feature-Set": "LazyFetch,WF_TriggerOnConfig"})
    alone = append(qstash, a_step(2), {"Upstash-Feature-Set": "LazyFetch"})
    assert (inherits.max_retries, inherits.labels, inherits.options.failure_callback) == (1, ("lbl",), URL)
    assert (inherits.options.retry_delay.text, inherits.options.failure_callback_options.retries) == ("1000", 0)
    assert (inherits.options.flow_control.key, inherits.stored_headers) == ("key", (("X-User", "u"),))
    assert (alone.max_retries, alone.labels, alone.options.failure_callback, alone.stored_headers) == (3, (), None, ())


# --- calls ---------------------------------------------------------------------------------------------------------


CALL = {
    **marks(call_type="toCallback"),
    "Upstash-Retries": "1",
    "Upstash-Callback": URL,
    "Upstash-Callback-Workflow-RunId": "wfr_1",
    "Upstash-Callback-Workflow-CallType": "fromCallback",
    "Upstash-Callback-Workflow-Init": "false",
    "Upstash-Callback-Forward-Upstash-Workflow-Callback": "true",
    "Upstash-Callback-Forward-Upstash-Workflow-StepId": "1",
    "Upstash-Callback-Forward-Upstash-Workflow-StepName": "ask",
}


def call(qstash, headers=()):
    """Start a run that calls somebody else."""
    start(qstash)
    first = start_next(qstash.broker)
    message = qstash.publish({**CALL, **dict(headers)}, b"q", to=ASK)
    complete(qstash.broker, first)
    return message


@pytest.mark.protocol("W call")
def test_whoever_is_called_sees_nothing_of_the_run(qstash):
    call(qstash, {"Upstash-Forward-X": "1"})
    asked = start_next(qstash.broker)
    assert (asked.content.headers, asked.content.body) == ((("X", "1"),), b"q")


def test_a_call_inherits_nothing_of_the_start_but_what_is_redacted(qstash):
    start(qstash, {"Upstash-Label": "lbl", "Upstash-Forward-X-User": "u", "Upstash-Redact-Fields": "body"})
    asked = qstash.publish({**CALL, "Upstash-Feature-Set": "WF_TriggerOnConfig"}, b"q", to=ASK)
    assert (asked.labels, asked.stored_headers, asked.redaction.body) == ((), (), True)


def test_the_log_shows_a_call_as_the_step_that_it_is(qstash):
    call(qstash)
    (step,) = logged(qstash)[0]["steps"][1]["steps"]
    assert (step["stepType"], step["stepName"], step["callType"]) == ("Call", "ask", "toCallback")


def test_the_answer_to_a_call_is_delivered_as_it_is_and_without_the_protocol(qstash):
    message = call(qstash)
    complete(qstash.broker, start_next(qstash.broker), body=b"42", headers=(("X-Answer", "1"),))
    report = start_next(qstash.broker)
    assert header(report, "Upstash-Workflow-CallType") == "fromCallback"
    assert header(report, "Upstash-Workflow-Sdk-Version") is None
    assert header(report, "Upstash-Workflow-Callback") == "true"
    said = json.loads(report.content.body)
    assert (said["status"], base64.b64decode(said["body"]), said["sourceMessageId"]) == (200, b"42", message.message_id)
    assert (said["workflowRunId"], said["maxRetries"]) == ("wfr_1", 1)
    assert report.message.max_retries == 3  # not those of the call
    append(qstash, a_step(1, "ask"))
    complete(qstash.broker, report)
    assert [kind for kind, _ in listed(start_next(qstash.broker))] == ["step", "toCallback", "fromCallback", "step"]


@pytest.mark.protocol("W call")
@pytest.mark.parametrize(("status", "attempts"), [(500, 2), (489, 1)])
def test_a_call_that_fails_is_reported_once_as_the_last_and_fails_nothing(qstash, status, attempts):
    message = call(qstash)
    final = {"headers": (("Upstash-NonRetryable-Error", "true"),)} if status == 489 else {"headers": ()}
    for attempt in range(attempts):
        complete(qstash.broker, start_next(qstash.broker, START_MS + attempt * 12_000), status, **final)
    said = json.loads(start_next(qstash.broker).content.body)
    assert (said["status"], said.get("retried", 0), said["maxRetries"]) == (status, attempts - 1, attempts - 1)
    assert (message.state, message.dlq_id, run_of(qstash).going) == ("FAILED", None, True)
    assert not qstash.broker.dead_letters


def test_nobody_is_told_of_a_call_after_the_end_of_its_run(qstash):
    call(qstash)
    asked = start_next(qstash.broker)
    qstash.call("DELETE", "/v2/workflows/runs/wfr_1")
    complete(qstash.broker, asked)
    assert qstash.broker.next_message(START_MS + 10**9) is None


def test_a_call_that_asks_for_no_callback_is_told_to_nobody(qstash):
    start(qstash)
    first = start_next(qstash.broker)
    qstash.publish({**marks(call_type="toCallback"), "Upstash-Retries": "1"}, b"q", to=ASK)
    complete(qstash.broker, first)
    assert deliver(qstash).message.url == ASK
    assert qstash.broker.next_message(START_MS + 10**9) is None


# --- events --------------------------------------------------------------------------------------------------------


@pytest.mark.protocol("W wait and notify")
def test_a_wait_shows_who_waits_and_ends_in_vain_at_its_deadline(qstash):
    start(qstash)
    first = start_next(qstash.broker)
    assert qstash.call("POST", "/v2/wait/a%2Fb", marks(), a_wait()).status == 200
    complete(qstash.broker, first)
    assert [message.body for message in run_of(qstash).pending] == [b""]  # its step comes at the deadline
    (waiter,) = qstash.json("GET", "/v2/waiters/a%2Fb")
    assert (waiter["url"], waiter["timeoutUrl"], waiter["deadline"]) == (URL, URL, START_MS // 1000 + 3600)
    assert waiter["timeoutHeaders"] == {"X": ["1"]}
    assert qstash.broker.next_message(START_MS + 3_599_999) is None
    late = start_next(qstash.broker, START_MS + 3_600_000)
    assert json.loads(listed(late)[-1][1]) == {
        "stepId": 1,
        "stepName": "approval",
        "stepType": "Wait",
        "concurrent": 1,
        "waitEventId": "a/b",
        "waitTimeout": True,
    }
    assert json.loads(late.content.body)[-1]["messageId"] == late.message.message_id
    assert (late.message.url, late.message.caller_ip) == (URL, "127.0.0.1")
    assert qstash.json("GET", "/v2/waiters/a%2Fb") == []
    assert qstash.json("POST", "/v2/notify/a%2Fb") == []


def test_a_retry_of_a_wait_in_vain_brings_what_its_first_attempt_brought(qstash):
    start(qstash)
    deliver_with_wait(qstash)
    first = start_next(qstash.broker, START_MS + 3_600_000)
    complete(qstash.broker, first, 500)
    again = start_next(qstash.broker, START_MS + 3_660_000)
    assert (again.message, again.content) == (first.message, first.content)


def test_a_run_that_has_failed_with_a_wait_in_vain_goes_on_from_there(qstash):
    start(qstash)
    deliver_with_wait(qstash, {"Upstash-Retries": "0"})
    late = start_next(qstash.broker, START_MS + 3_600_000)
    complete(qstash.broker, late, 500)
    resumed = qstash.json("POST", f"/v2/workflows/dlq/resume/{late.message.dlq_id}")
    assert listed(start_next(qstash.broker)) == listed(late)
    (run,) = logged(qstash, f"?workflowRunId={resumed['workflowRunId']}")
    (step,) = run["steps"][1]["steps"]
    assert (step["stepName"], step["waitTimeout"]) == ("approval", True)


@pytest.mark.protocol("W wait and notify")
def test_an_event_wakes_all_that_wait_for_it_in_their_order(qstash):
    for run_id in ("wfr_1", "wfr_2"):
        start(qstash, run_id=run_id)
        deliver_with_wait(qstash, run_id=run_id)
    woken = qstash.json("POST", "/v2/notify/ready", body=b'{"d":1}')
    assert [one["workflowRunId"] for one in woken] == ["wfr_1", "wfr_2"]
    assert woken[0]["waiter"]["url"] == URL
    assert woken[0]["error"] == ""
    appended = [run_of(qstash, run_id).messages[-1].message_id for run_id in ("wfr_1", "wfr_2")]
    assert [one["messageId"] for one in woken] == appended
    assert qstash.broker.messages[appended[0]].caller_ip == ""  # nobody has called: the service itself
    step = json.loads(listed(deliver(qstash))[-1][1])
    assert (base64.b64decode(step["out"]), step["waitEventId"], "waitTimeout" in step) == (b'{"d":1}', "ready", False)
    assert qstash.broker.workflows.events.waiters.by_event() == {}


def test_a_step_that_waits_is_written_as_the_service_writes_steps(qstash):
    start(qstash)
    delivery = start_next(qstash.broker)
    qstash.call("POST", "/v2/wait/ready", marks(), a_wait(name="für"))
    complete(qstash.broker, delivery)
    qstash.call("POST", "/v2/notify/ready")
    assert listed(start_next(qstash.broker))[-1][1] == (
        '{"stepId":1,"stepName":"für","stepType":"Wait","concurrent":1,"waitEventId":"ready","out":""}'
    )


def test_an_event_for_a_run_that_has_ended_is_refused(qstash):
    start(qstash)
    qstash.call("DELETE", "/v2/workflows/runs/wfr_1")
    refusal = (404, "workflow run wfr_1 has ended: RUN_CANCELED")
    assert qstash.refusal("POST", "/v2/notify/wfr_1/ready") == refusal


def deliver_with_wait(qstash, headers=(), run_id="wfr_1"):
    """Deliver what is due, with the run asking to wait for `ready` meanwhile."""
    delivery = start_next(qstash.broker)
    assert qstash.call("POST", "/v2/wait/ready", {**marks(run_id), **dict(headers)}, a_wait()).status == 200
    complete(qstash.broker, delivery)


def test_a_run_that_has_ended_waits_for_nothing(qstash):
    start(qstash)
    deliver_with_wait(qstash)
    qstash.broker.workflows.finish(run_of(qstash), None)
    assert qstash.broker.workflows.events.waiters.of("ready") == []
    assert qstash.json("POST", "/v2/notify/ready") == []


def test_a_dead_letter_of_a_run_says_that_its_failure_function_is_still_to_be_called(qstash):
    fail(qstash)
    (dead,) = qstash.json("GET", "/v2/workflows/dlq")["messages"]
    assert dead["failureCallbackInfo"]["state"] == "CALLBACK_INPROGRESS"


@pytest.mark.protocol("W wait and notify")
def test_an_event_for_one_run_is_kept_until_that_run_waits(qstash):
    start(qstash)
    start(qstash, run_id="wfr_2")
    for data in (b"one", b"two"):
        (kept,) = qstash.json("POST", "/v2/notify/wfr_1/ready", body=data)
        assert (kept["messageId"], kept["workflowRunId"]) == ("", "wfr_1")
    for run_id in ("wfr_1", "wfr_2"):
        deliver_with_wait(qstash, run_id=run_id)
    assert [one.run.run_id for one in qstash.broker.workflows.events.waiters.of("ready")] == ["wfr_2"]
    brought = deliver(qstash)
    assert base64.b64decode(json.loads(listed(brought)[-1][1])["out"]) == b"one"
    assert (brought.message.url, brought.message.caller_ip) == (URL, "127.0.0.1")


def test_an_event_for_one_run_wakes_no_other_that_waits_for_it(qstash):
    for run_id in ("wfr_1", "wfr_2"):
        start(qstash, run_id=run_id)
        deliver_with_wait(qstash, run_id=run_id)
    (woken,) = qstash.json("POST", "/v2/notify/wfr_2/ready")
    assert woken["workflowRunId"] == "wfr_2"
    assert [one.run.run_id for one in qstash.broker.workflows.events.waiters.of("ready")] == ["wfr_1"]


@pytest.mark.parametrize("event", ["comes", "has come", "never comes"])
def test_the_log_of_a_wait_says_how_long_it_could_wait_and_whether_it_did(qstash, event):
    start(qstash)
    if event == "has come":
        qstash.call("POST", "/v2/notify/wfr_1/ready")
    deliver_with_wait(qstash)
    if event == "comes":
        qstash.call("POST", "/v2/notify/ready")
    start_next(qstash.broker, START_MS + 3_600_000)
    step = logged(qstash)[0]["steps"][1]["steps"][0]
    assert (step["stepType"], step["waitEventId"], step["waitTimeout"]) == ("Wait", "ready", event == "never comes")
    assert (step["waitTimeoutDuration"], step["waitTimeoutDeadline"]) == ("1h", START_MS + 3_600_000)
    assert step["createdAt"] == START_MS + 3_600_000 * (event == "never comes")


def test_a_wait_that_is_asked_for_twice_is_one(qstash):
    start(qstash)
    delivery = start_next(qstash.broker)
    for _ in range(2):
        assert qstash.call("POST", "/v2/wait/ready", marks(), a_wait()).status == 200
    complete(qstash.broker, delivery)
    assert len(qstash.json("GET", "/v2/waiters/ready")) == 1


@pytest.mark.protocol("W webhook")
def test_a_webhook_takes_any_request_of_anybody(qstash):
    start(qstash)
    deliver_with_wait(qstash)
    target = "/v2/workflows/hooks/user/wfr_1/ready?x=1"
    assert qstash.api.answer("PUT", target, [("Host", "hooks.example"), ("X", "1")], b"hello").status == 200
    data = json.loads(base64.b64decode(json.loads(listed(start_next(qstash.broker))[-1][1])["out"]))
    assert data == {
        "method": "PUT",
        "header": {"Host": ["hooks.example"], "X": ["1"]},
        "body": base64.b64encode(b"hello").decode(),
        "proto": "http",
        "host": "hooks.example",
        "url": target,
    }


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({}, "invalid wait: it needs a step and a url"),
        ({**a_wait(), "timeout": "soon"}, "invalid timeout: "),
        ({**a_wait(), "timeout": "90"}, 'invalid timeout: time: missing unit in duration "90"'),
    ],
)
def test_a_wait_that_makes_no_sense_is_refused_and_noted(qstash, body, error):
    start(qstash)
    status, said = qstash.refusal("POST", "/v2/wait/ready", marks(), body)
    assert (status, said[: len(error)]) == (400, error)
    assert f"a step was refused with 400, which its SDK takes for the end of the run: {said}" in [
        getattr(entry, "text", "") for entry in qstash.broker.journal
    ]


def test_a_wait_that_names_no_run_is_refused(qstash):
    assert qstash.refusal("POST", "/v2/wait/ready", {}, a_wait()) == (400, "Upstash-Workflow-RunId is missing")


# --- invoke --------------------------------------------------------------------------------------------------------


def invoke(qstash, name="ask", by="wfr_1"):
    """Start a run that starts another one, which is to tell *by* its result."""
    start(qstash)
    first = start_next(qstash.broker)
    asked = {
        "body": '{"c":1}',
        "headers": {**{name: [value] for name, value in marks().items()}, "Authorization": ["Bearer a-token"]},
        "workflowRunId": by,
        "workflowRunCreatedAt": START_MS,
        "workflowUrl": URL,
        "step": {"stepId": 1, "stepName": name, "stepType": "Invoke", "concurrent": 1},
    }
    headers = {**marks("wfr_child", init=True), "Upstash-Workflow-Invoke": "true", "Upstash-Retries": "0"}
    qstash.publish(headers, json.dumps(asked).encode(), to=f"{URL}/child")
    complete(qstash.broker, first)


def invoked_result(qstash):
    delivery = start_next(qstash.broker)
    assert header(delivery, "Authorization") is None
    return json.loads(json.loads(listed(delivery)[-1][1])["out"])


@pytest.mark.protocol("W invoke")
def test_a_run_gets_what_the_run_that_it_has_invoked_returns(qstash):
    invoke(qstash)
    child = start_next(qstash.broker)
    assert listed(child) == [("step", '{"c":1}')]
    qstash.call("DELETE", "/v2/workflows/runs/wfr_child?cancel=false", body=b"[1]")
    complete(qstash.broker, child)
    assert invoked_result(qstash) == {"isFailed": False, "isCanceled": False, "body": "[1]"}
    assert logged(qstash, "?workflowRunId=wfr_child")[0]["invoker"]["workflowRunId"] == "wfr_1"
    assert run_of(qstash).messages[-1].url == URL


@pytest.mark.parametrize(
    ("response", "body"),
    [(b"", ""), (b"[1]", r",\"body\":\"[1]\""), (b"\xff", r",\"body\":\"\\ufffd\"")],
    ids=["nothing", "json", "not UTF-8"],
)
def test_the_result_of_an_invoked_run_is_written_as_the_service_writes_steps(qstash, response, body):
    invoke(qstash, "für \ud800")
    child = start_next(qstash.broker)
    qstash.broker.workflows.finish(run_of(qstash, "wfr_child"), response)
    complete(qstash.broker, child)
    assert listed(start_next(qstash.broker))[-1][1] == (
        '{"stepId":1,"stepName":"für ?","stepType":"Invoke","concurrent":1,'
        r'"out":"{\"isFailed\":false,\"isCanceled\":false' + body + '}"}'
    )


@pytest.mark.protocol("W invoke")
def test_a_run_hears_that_the_run_that_it_has_invoked_has_failed(qstash):
    invoke(qstash)
    deliver(qstash, 500)
    assert invoked_result(qstash) == {"isFailed": True, "isCanceled": False}


def test_a_run_that_has_failed_has_the_result_in_its_log_and_is_told_nothing(qstash):
    invoke(qstash)
    child = start_next(qstash.broker)
    append(qstash, a_step(2), {"Upstash-Retries": "0"})
    deliver(qstash, 500)
    qstash.call("DELETE", "/v2/workflows/runs/wfr_child?cancel=false", body=b"[1]")
    complete(qstash.broker, child)
    steps = [step for group in logged(qstash, "?workflowRunId=wfr_1")[0]["steps"] for step in group["steps"]]
    (result,) = [step for step in steps if step.get("stepType") == "Invoke"]
    assert (result["state"], result["messageId"][:4], result["createdAt"]) == ("STEP_SUCCESS", "msg_", START_MS)
    assert qstash.broker.next_message(START_MS + 10**9) is None


def test_a_run_that_was_cancelled_hears_nothing_and_the_run_that_it_has_invoked_goes_on(qstash):
    invoke(qstash)
    qstash.call("DELETE", "/v2/workflows/runs/wfr_1")
    assert run_of(qstash, "wfr_child").going
    child = start_next(qstash.broker)
    qstash.call("DELETE", "/v2/workflows/runs/wfr_child?cancel=false", body=b"[1]")
    complete(qstash.broker, child)
    assert len(run_of(qstash).entries) == 1
    assert qstash.broker.next_message(START_MS + 10**9) is None


def test_what_a_run_that_is_not_known_has_invoked_ends_like_any_other(qstash):
    invoke(qstash, by="wfr_gone")
    child = start_next(qstash.broker)
    assert qstash.call("DELETE", "/v2/workflows/runs/wfr_child?cancel=false", body=b"[1]").status == 200
    complete(qstash.broker, child)
    (log,) = logged(qstash, "?workflowRunId=wfr_child")
    assert (log["workflowState"], log["invoker"]["workflowRunId"]) == ("RUN_SUCCESS", "wfr_gone")
    assert qstash.broker.next_message(START_MS + 10**9) is None


def test_a_run_hears_that_the_run_that_it_has_invoked_was_cancelled(qstash):
    invoke(qstash)
    qstash.call("DELETE", "/v2/workflows/runs/wfr_child")
    assert invoked_result(qstash) == {"isFailed": False, "isCanceled": True}


# --- failures ------------------------------------------------------------------------------------------------------


@pytest.mark.protocol("W failure")
def test_a_failure_function_is_told_all_of_the_failure(qstash):
    dlq_id = fail(qstash)
    delivery = start_next(qstash.broker)
    assert header(delivery, "Upstash-Workflow-CallType") == "failureCall"
    assert header(delivery, "Upstash-Workflow-Is-Failure") == "true"
    assert header(delivery, "Upstash-Workflow-Sdk-Version") is None
    said = json.loads(delivery.content.body)
    assert (said["status"], said["dlqId"], said["workflowRunId"]) == (500, dlq_id, "wfr_1")
    assert (said["workflowUrl"], said["workflowCreatedAt"]) == (URL, START_MS)
    assert base64.b64decode(said["sourceBody"]) == b'{"p":1}'
    complete(qstash.broker, delivery)
    assert run_of(qstash).error == "declined"


def test_a_failure_function_is_given_the_payload_whatever_step_has_failed(qstash):
    start(qstash, FAILURE)
    first = start_next(qstash.broker)
    append(qstash, a_step(1), {"Upstash-Retries": "0", **FAILURE})
    complete(qstash.broker, first)
    deliver(qstash, 500, body=b'{"message":"\\ud800 oops"}')
    said = json.loads(start_next(qstash.broker).content.body)
    assert base64.b64decode(said["sourceBody"]) == b'{"p":1}'
    assert run_of(qstash).error == "? oops"


def test_a_failed_run_withdraws_what_waits(qstash):
    start(qstash, {"Upstash-Retries": "0"})
    first = start_next(qstash.broker)
    sleeping = append(qstash, a_step(1), {"Upstash-Delay": "1h"})
    complete(qstash.broker, first, 500)
    assert (sleeping.state, run_of(qstash).state) == ("CANCELED", "RUN_FAILED")


@pytest.mark.protocol("W failure")
def test_a_failure_function_that_fails_is_no_second_dead_letter_and_can_be_called_again(qstash):
    dlq_id = fail(qstash)
    refusal = (400, "the failure callback of workflow run wfr_1 has not failed")
    assert qstash.refusal("POST", f"/v2/workflows/dlq/callback/{dlq_id}") == refusal
    deliver(qstash, 503, body=b"down")
    assert list(qstash.broker.dead_letters) == [dlq_id]
    (dead,) = qstash.json("GET", "/v2/workflows/dlq?failureFunctionState=CALLBACK_FAIL")["messages"]
    assert dead["failureCallbackInfo"] == {
        "state": "CALLBACK_FAIL",
        "responseStatus": 503,
        "responseBody": "down",
        "responseHeaders": {"Upstash-Workflow-Sdk-Version": ["1"], "Upstash-Workflow-Sdk": ["v1.3.2"]},
    }
    again = qstash.json("POST", f"/v2/workflows/dlq/callback/{dlq_id}")
    assert again == {"workflowRunId": "wfr_1", "workflowCreatedAt": START_MS}
    assert qstash.call("DELETE", f"/v2/workflows/dlq/callback/{dlq_id}").status == 200
    assert qstash.json("GET", f"/v2/workflows/dlq/{dlq_id}")["failureFunctionState"] == "CALLBACK_CANCELED"
    assert qstash.call("DELETE", f"/v2/workflows/dlq/callback/{dlq_id}").status == 400


@pytest.mark.protocol("W dead letters of runs")
def test_dead_letters_of_workflows_are_listed_where_they_are_asked_for(qstash):
    dlq_id = fail(qstash)
    assert qstash.json("GET", "/v2/dlq")["messages"] == []
    for target in ("/v2/dlq?source=workflow", "/v2/workflows/dlq", f"/v2/workflows/dlq?workflowUrl={URL}"):
        (dead,) = qstash.json("GET", target)["messages"]
        assert (dead["dlqId"], dead["workflowRunId"], dead["workflowUrl"]) == (dlq_id, "wfr_1", URL)
    assert qstash.json("GET", "/v2/workflows/dlq?workflowRunId=wfr_2")["messages"] == []
    assert qstash.json("DELETE", f"/v2/workflows/dlq?dlqIds={dlq_id}") == {"deleted": 1}
    assert qstash.call("GET", f"/v2/workflows/dlq/{dlq_id}").status == 404


@pytest.mark.protocol("W resume and restart")
@pytest.mark.parametrize(("how", "length"), [("resume", 2), ("restart", 1)])
def test_a_failed_run_goes_on_or_starts_again_as_a_new_one(qstash, how, length):
    start(qstash, {"Upstash-Label": "a"})
    first = start_next(qstash.broker)
    append(qstash, a_step(1, out=1), {"Upstash-Retries": "0"})
    complete(qstash.broker, first)
    deliver(qstash, 500)
    (dlq_id,) = qstash.broker.dead_letters
    reply = qstash.json("POST", f"/v2/workflows/dlq/{how}/{dlq_id}", {"Upstash-Retries": "7", "Upstash-Label": "b"})
    run = run_of(qstash, reply["workflowRunId"])
    assert (run.run_id != "wfr_1", run.run_id[:4], run.going, run.labels) == (True, "wfr_", True, ("b",))
    delivery = start_next(qstash.broker)
    assert (len(listed(delivery)), delivery.message.max_retries, delivery.message.url) == (length, 7, URL)
    assert header(delivery, "Upstash-Workflow-RunId") == run.run_id
    assert not qstash.broker.dead_letters


def test_a_resumed_run_is_the_failed_one_at_another_time(qstash):
    start(qstash, body=b"payload")
    deliver_with_wait(qstash)
    qstash.call("POST", "/v2/notify/ready")
    second = start_next(qstash.broker)
    append(qstash, a_step(2), {"Upstash-Retries": "0"})
    complete(qstash.broker, second)
    deliver(qstash, 500)
    qstash.broker.observe(START_MS + 5_000)
    dlq_id = run_of(qstash).failed.dlq_id
    run_id = qstash.json("POST", f"/v2/workflows/dlq/resume/{dlq_id}", {"Upstash-Retries": "0"})["workflowRunId"]
    (failed,) = logged(qstash, "?workflowRunId=wfr_1&callerIp=127.0.0.1")
    (resumed,) = logged(qstash, f"?workflowRunId={run_id}&callerIp=127.0.0.1")
    assert (resumed["workflowUrl"], resumed["workflowRunCreatedAt"]) == (URL, START_MS + 5_000)
    assert resumed["steps"][1:2] == failed["steps"][1:2]
    deliver(qstash, 500)
    again = run_of(qstash, run_id).failed.dlq_id
    qstash.json("POST", f"/v2/workflows/dlq/restart/{again}")
    assert listed(start_next(qstash.broker)) == [("step", "payload")]


def test_of_steps_beside_each_other_a_resumed_run_does_those_again_that_had_no_result(qstash):
    start(qstash)
    first = start_next(qstash.broker)
    plans = [a_step(0, name, targetStep=number) for number, name in enumerate(("sleeps", "fails", "is done"), 1)]
    for plan, delay in zip(plans, ("1h", "1m", "0s"), strict=True):
        append(qstash, plan, {"Upstash-Delay": delay, "Upstash-Retries": "0"})
    complete(qstash.broker, first)
    third = start_next(qstash.broker)
    append(qstash, a_step(3, "is done"), {"Upstash-Delay": "2h"})
    complete(qstash.broker, third)
    qstash.broker.observe(START_MS + 60_000)
    deliver(qstash, 500)
    reply = qstash.json("POST", f"/v2/workflows/dlq/resume/{run_of(qstash).failed.dlq_id}")
    run = run_of(qstash, reply["workflowRunId"])
    again = [(json.loads(message.body)["stepName"], message.due_ms - START_MS) for message in run.messages]
    assert again == [("sleeps", 3_600_000), ("fails", 60_000)]
    assert {message.caller_ip for message in run.messages} == {"127.0.0.1"}
    assert [json.loads(entry.body).get("stepName") for entry in run.entries] == [
        None,
        "is done",
        "is done",
        "sleeps",
        "fails",
    ]


def test_the_options_of_a_resumed_run_can_be_changed(qstash):
    dlq_id = fail(qstash, {})
    headers = {
        "Upstash-Retry-Delay": "1000",
        "Upstash-Delay": "1h",
        "Upstash-Flow-Control-Key": "key",
        "Upstash-Flow-Control-Value": "rate=1",
        "Upstash-Failure-Callback": "https://api.example/failed",
    }
    run = run_of(qstash, qstash.json("POST", f"/v2/workflows/dlq/resume/{dlq_id}", headers)["workflowRunId"])
    (message,) = run.messages
    assert (message.due_ms, message.options.retry_delay.text) == (START_MS + 3_600_000, "1000")
    assert (run.config.flow_control.key, run.config.failure_callback) == ("key", "https://api.example/failed")
    assert run.config.delay_ms is None  # that of the first delivery alone


def test_a_run_whose_answer_to_a_call_was_not_taken_fails_and_is_told_it_again(qstash):
    call(qstash)
    complete(qstash.broker, start_next(qstash.broker), body=b"42")
    report = start_next(qstash.broker)
    complete(qstash.broker, report, 489, headers=(("Upstash-NonRetryable-Error", "true"),))
    assert run_of(qstash).state == "RUN_FAILED"
    qstash.json("POST", f"/v2/workflows/dlq/resume/{report.message.dlq_id}")
    again = start_next(qstash.broker)
    assert (header(again, "Upstash-Workflow-CallType"), again.content.body) == ("fromCallback", report.content.body)


def test_all_runs_are_resumed_or_none_if_one_is_not_there(qstash):
    dlq_id = fail(qstash)
    assert qstash.call("POST", f"/v2/workflows/dlq/resume?dlqIds={dlq_id}&dlqIds=0-0").status == 404
    (run,) = qstash.json("POST", f"/v2/workflows/dlq/resume?dlqIds={dlq_id}")["workflowRuns"]
    assert set(run) == {"workflowRunId", "workflowCreatedAt"}
    assert len(qstash.broker.workflows.all) == 2


# --- the log -------------------------------------------------------------------------------------------------------


@pytest.mark.protocol("W logs of runs")
def test_ten_runs_are_a_page_newest_first_and_the_last_page_has_no_cursor(qstash):
    for number in range(12):
        start(qstash, run_id=f"wfr_{number}")
    page = qstash.json("GET", "/v2/workflows/events?groupBy=workflowRunId")
    assert [run["workflowRunId"] for run in page["runs"]] == [f"wfr_{number}" for number in range(11, 1, -1)]
    rest = qstash.json("GET", f"/v2/workflows/events?groupBy=workflowRunId&cursor={page['cursor']}")
    assert [run["workflowRunId"] for run in rest["runs"]] == ["wfr_1", "wfr_0"]
    assert "cursor" not in rest
    older = qstash.json("GET", "/v2/workflows/events?order=earliestFirst&count=7")
    newer = qstash.json("GET", f"/v2/workflows/events?order=earliestFirst&count=7&cursor={older['cursor']}")
    assert [run["workflowRunId"] for run in older["runs"] + newer["runs"]] == [f"wfr_{number}" for number in range(12)]
    assert qstash.call("GET", "/v2/workflows/events?count=11").status == 400


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("state=RUN_STARTED", ["wfr_2"]),
        ("state=RUN_CANCELED,RUN_SUCCESS", ["wfr_1"]),
        ("label=b", ["wfr_1"]),
        ("label=a,c", ["wfr_2", "wfr_1"]),
        ("label=a&label=c", ["wfr_2", "wfr_1"]),
        ("label=a&state=RUN_STARTED", []),
        ("flowControlKey=key", ["wfr_1"]),
        ("host=other.example", ["wfr_2"]),
        ("path=/flow", ["wfr_1"]),
        ("callerIp=127.0.0.1", ["wfr_2", "wfr_1"]),
        (f"fromDate={START_MS}", ["wfr_2", "wfr_1"]),
        (f"fromDate={START_MS + 1}", ["wfr_2"]),
        (f"toDate={START_MS}", ["wfr_1"]),
        (f"workflowUrl={URL}", ["wfr_1"]),
        (f"workflowUrl={URL[:-1]}", []),
        (f"workflowRuns=wfr_1@{START_MS},wfr_2@1", ["wfr_1"]),
    ],
)
def test_runs_are_listed_by_filter(qstash, query, shown):
    key = {"Upstash-Flow-Control-Key": "key", "Upstash-Flow-Control-Value": "rate=1"}
    start(qstash, {"Upstash-Label": "a,b", **key})
    qstash.call("DELETE", "/v2/workflows/runs/wfr_1")
    qstash.broker.observe(START_MS + 5_000)
    qstash.publish({**marks("wfr_2", init=True), "Upstash-Label": "c"}, to="https://other.example/x")
    assert [run["workflowRunId"] for run in logged(qstash, f"?{query}")] == shown


@pytest.mark.parametrize(
    ("query", "error"), [("state=DELIVERED", "invalid state: 'DELIVERED'"), ("x=1", "unknown filter 'x'")]
)
def test_a_filter_that_no_run_can_fit_is_refused(qstash, query, error):
    assert qstash.refusal("GET", f"/v2/workflows/logs?{query}") == (400, error)


def test_a_step_under_way_stands_last_and_says_that_it_is_retried(qstash):
    start(qstash, {"Upstash-Retries": "2"})
    deliver(qstash, 500, body=b"oops", headers=(("Upstash-Error-Step-Name", "charge"),))
    (run,) = logged(qstash)
    (following,) = run["steps"][-1]["steps"]
    assert (run["steps"][-1]["type"], following["state"], following["stepName"]) == ("next", "STEP_RETRY", "charge")
    assert (following["retries"], [one["status"] for one in following["errors"]]) == (2, [500])


def test_the_log_of_a_start_says_how_often_it_is_retried(qstash):
    start(qstash, {"Upstash-Retries": "2"})
    (step,) = logged(qstash)[0]["steps"][0]["steps"]
    assert (step["stepType"], step["retries"]) == ("Initial", 2)


def test_runs_are_listed_in_the_order_of_their_last_starts(qstash):
    for run_id in ("wfr_1", "wfr_2", "wfr_1"):
        start(qstash, run_id=run_id)
        qstash.call("DELETE", f"/v2/workflows/runs/{run_id}")
    assert list(qstash.broker.workflows.by_id) == ["wfr_2", "wfr_1"]


@pytest.mark.parametrize(("trim", "shown"), [("0", None), ("3", "pay"), ("100", "payload")])
def test_the_bodies_in_a_log_can_be_cut(qstash, trim, shown):
    start(qstash, body=b"payload")
    (run,) = logged(qstash, f"?trimBody={trim}")
    assert run["steps"][0]["steps"][0].get("out") == shown


def test_what_is_redacted_at_the_start_is_hidden_in_the_whole_log(qstash):
    start(qstash, {"Upstash-Redact-Fields": "body"}, b"secret")
    append(qstash, a_step(1, out="secret"))
    qstash.publish(CALL, b"secret", to=ASK)
    qstash.call("DELETE", "/v2/workflows/runs/wfr_1?cancel=false", body=b'"secret"')
    for target in ("/v2/workflows/logs", "/v2/logs", "/v2/messages"):
        assert "secret" not in qstash.call("GET", target).body.decode()
    assert [message.redaction.body for message in qstash.broker.messages.values()] == [True] * 3


# --- what an SDK passes over in silence ----------------------------------------------------------------------------


def notes(qstash):
    return [entry.text for entry in qstash.broker.journal if hasattr(entry, "text")]


def test_the_journal_tells_of_the_start_and_the_end_of_a_run(qstash):
    start(qstash)
    qstash.call("DELETE", "/v2/workflows/runs/wfr_1?cancel=false")
    fail(qstash)
    start(qstash)
    qstash.call("DELETE", "/v2/workflows/runs/wfr_1")
    assert notes(qstash) == [
        f"run wfr_1 of {URL} has started",
        f"run wfr_1 of {URL} has returned",
        f"run wfr_1 of {URL} has started",
        f"run wfr_1 of {URL} has failed: declined",
        f"run wfr_1 of {URL} has started",
        f"run wfr_1 of {URL} was cancelled",
    ]


def test_an_answer_that_no_sdk_gives_and_a_run_that_stands_still_are_noted(qstash):
    start(qstash)
    qstash.broker.observe(START_MS + 5_000)
    deliver(qstash, 204, headers=())
    assert [entry.time_ms for entry in qstash.broker.journal if hasattr(entry, "text")] == [
        START_MS,
        START_MS + 5_000,
        START_MS + 5_000,
    ]
    assert notes(qstash)[1:] == [
        "start of run wfr_1… was answered 204 without Upstash-Workflow-Sdk-Version: no workflow SDK answers this",
        "run wfr_1 stands still: start of run wfr_1… was answered 204, and nothing was published",
    ]


@pytest.mark.parametrize(
    ("body", "named"), [(a_step(1), "step 1 'one'"), (a_step(0, targetStep=2), "step 2 'one' (planned)")]
)
def test_a_note_says_which_step_of_which_run_was_answered(qstash, body, named):
    start(qstash, run_id="wfr_0123456789")
    first = start_next(qstash.broker)
    append(qstash, body, run_id="wfr_0123456789")
    complete(qstash.broker, first)
    deliver(qstash, 204, headers=())
    assert notes(qstash)[1] == (
        f"{named} of run wfr_012345… was answered 204 without Upstash-Workflow-Sdk-Version: "
        "no workflow SDK answers this"
    )


def test_a_run_that_stands_still_after_a_call_or_what_it_has_invoked_is_noted(qstash):
    call(qstash)
    deliver(qstash)
    deliver(qstash)
    assert notes(qstash)[-1] == (
        "run wfr_1 stands still: answer to call 1 'ask' of run wfr_1… was answered 200, and nothing was published"
    )
    qstash.call("DELETE", "/v2/workflows/runs")
    invoke(qstash)
    child = start_next(qstash.broker)
    qstash.call("DELETE", "/v2/workflows/runs/wfr_child?cancel=false")
    complete(qstash.broker, child)
    deliver(qstash)
    assert notes(qstash)[-1] == (
        "run wfr_1 stands still: step 1 'ask' of run wfr_1… was answered 200, and nothing was published"
    )


def test_a_call_whose_step_has_no_number_is_made_all_the_same(qstash):
    asked = call(qstash, {"Upstash-Callback-Forward-Upstash-Workflow-StepId": "one"})
    assert str(asked.part) == "call 0 'ask' of run wfr_1…"


def test_a_body_that_is_no_step_is_noted(qstash):
    start(qstash)
    append(qstash, b"[1]")
    assert notes(qstash)[-1] == f"run wfr_1 of {URL} was given a body that is no step: no SDK can replay it"


def test_a_run_that_does_what_it_should_is_not_noted(qstash):
    invoke(qstash)
    deliver_with_wait(qstash, run_id="wfr_child")
    assert [note for note in notes(qstash) if "has started" not in note] == []
