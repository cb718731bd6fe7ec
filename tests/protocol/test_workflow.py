"""The wire forms of workflows: marks, steps, waits and invocations; what is none, and what is refused."""

import base64
import json
from typing import Any

import pytest

from qstash_fake.errors import Refused
from qstash_fake.protocol.options import parse_options
from qstash_fake.protocol.workflow import (
    CallType,
    delivered_headers,
    encode_entry,
    names_a_run,
    parse_invoke,
    parse_step,
    parse_wait,
    user_headers,
)

INVOKE = {"workflowRunId": "wfr_1", "workflowUrl": "https://shop.example/flow", "headers": {"X": ["1"]}, "step": {}}


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        ({"Init": "maybe"}, "invalid Upstash-Workflow-Init: 'maybe' is neither true nor false"),
        (
            {"RunId": "wfr_1", "CallType": "somehow"},
            "invalid Upstash-Workflow-CallType: 'somehow' is not one of step, toCallback, fromCallback, failureCall",
        ),
    ],
)
def test_marks_that_cannot_be_read_are_refused_with_the_header(headers, error):
    with pytest.raises(Refused) as refusal:
        parse_options([(f"Upstash-Workflow-{name}", value) for name, value in headers.items()])
    assert (refusal.value.status, refusal.value.error) == (400, error)


@pytest.mark.parametrize("name", ["Upstash-Workflow-RunId", "upstash-workflow-init", "UPSTASH-WORKFLOW-INIT"])
def test_a_publish_with_one_of_two_headers_names_a_run(name):
    assert names_a_run(["X-Shop", name])


@pytest.mark.parametrize("names", [[], ["X-Shop"], ["Upstash-Workflow-Url", "Upstash-Workflow-CallType"]])
def test_a_publish_with_other_headers_names_none(names):
    assert not names_a_run(names)


FORWARDED = (("X-Shop", "7"), ("upstash-workflow-RUNID", "wfr_0"), ("x-shop", "8"), ("Upstash-Workflow-Mine", "9"))
STARTS: dict[str, Any] = {
    "run_id": "wfr_1",
    "url": "https://shop.example/flow",
    "created_ms": 1_767_225_600_250,
    "init": True,
}


def test_a_delivery_says_which_run_it_belongs_to_and_as_what():
    assert delivered_headers(FORWARDED, **STARTS, call_type=CallType.STEP, lists=True) == (
        ("X-Shop", "7"),
        ("x-shop", "8"),
        ("Upstash-Workflow-Mine", "9"),
        ("Upstash-Workflow-RunId", "wfr_1"),
        ("Upstash-Workflow-Init", "true"),
        ("Upstash-Workflow-Url", "https://shop.example/flow"),
        ("Upstash-Workflow-CallType", "step"),
        ("Upstash-Workflow-CreatedAt", "1767225600250"),
        ("Upstash-Workflow-Sdk-Version", "1"),
    )


def test_a_delivery_that_lists_nothing_does_not_name_the_protocol():
    headers = delivered_headers((), **{**STARTS, "init": False}, call_type=CallType.FAILURE, lists=False)
    assert headers[1] == ("Upstash-Workflow-Init", "false")
    assert headers[3:] == (
        ("Upstash-Workflow-CallType", "failureCall"),
        ("Upstash-Workflow-CreatedAt", "1767225600250"),
    )


def test_messages_of_a_run_inherit_what_is_not_the_runs_own():
    assert user_headers(FORWARDED) == (("X-Shop", "7"), ("x-shop", "8"), ("Upstash-Workflow-Mine", "9"))


def test_an_element_of_the_list_has_its_body_encoded():
    entry = encode_entry('msg_"1"', b'{"a":1}', CallType.TO_CALLBACK)
    assert entry == b'{"messageId":"msg_\\"1\\"","body":"eyJhIjoxfQ==","callType":"toCallback"}'


@pytest.mark.parametrize("body", [b"", b"x", b"\xff", b"[1]", b"7", b'{"stepName":"one"}', b"[" * 100_000])
def test_what_is_no_step_is_none(body):
    assert parse_step(body) is None


@pytest.mark.parametrize(
    ("given", "out"),
    [
        ({"out": '{"a":1}'}, {"a": 1}),
        ({"out": "plain"}, "plain"),
        ({"out": "[" * 100_000}, "[" * 100_000),
        ({"out": 7}, 7),
        ({}, None),
        ({"out": base64.b64encode(b'{"a":1}').decode(), "waitEventId": "ready"}, {"a": 1}),
        ({"out": "a", "waitEventId": "ready"}, "a"),
        ({"out": base64.b64encode(b"caf\xe9").decode(), "waitEventId": "ready"}, "caf\ufffd"),
    ],
)
def test_a_result_is_what_its_json_or_its_encoded_event_says_and_else_what_it_is(given, out):
    step = parse_step(json.dumps({"stepId": 1, **given}).encode())
    assert step is not None
    assert step.out == out


def test_a_result_is_read_as_the_sdks_write_it():
    step = parse_step(b'{"stepId":2,"stepName":"pay","stepType":"Wait","concurrent":1,"waitTimeout":true}')
    assert step is not None
    assert (step.id, step.target, step.number, step.concurrent) == (2, 0, 2, 1)
    assert (step.name, step.type, step.event_id, step.timed_out) == ("pay", "Wait", "", True)


def test_a_step_that_says_little_has_no_name_and_no_type():
    step = parse_step(b'{"stepId":2}')
    assert step is not None
    assert (step.name, step.type, step.event_id, step.timed_out) == ("", "", "", False)


def test_the_numbers_of_a_step_are_whole_and_else_none():
    step = parse_step(b'{"stepId":0,"targetStep":3,"concurrent":2}')
    assert step is not None
    assert (step.id, step.target, step.number, step.concurrent) == (0, 3, 3, 2)
    step = parse_step(b'{"stepId":"1","targetStep":null,"concurrent":"2"}')
    assert step is not None
    assert (step.id, step.target, step.number, step.concurrent) == (0, 0, 0, 1)


WAIT = {"url": "https://shop.example/flow", "step": {"stepId": 1}}


@pytest.mark.parametrize(
    ("given", "timeout", "timeout_ms"),
    [({}, "7d", 604_800_000), ({"timeout": ""}, "7d", 604_800_000), ({"timeout": "1h"}, "1h", 3_600_000)],
)
def test_an_event_is_waited_for_seven_days_or_as_long_as_is_asked(given, timeout, timeout_ms):
    asked = parse_wait(WAIT | given)
    assert (asked.url, asked.timeout, asked.timeout_ms) == ("https://shop.example/flow", timeout, timeout_ms)
    assert (asked.step, asked.given) == ({"stepId": 1}, WAIT | given)


def test_a_wait_may_have_a_url_for_its_end():
    assert parse_wait({**WAIT, "timeoutUrl": "https://shop.example/late"}).url == "https://shop.example/late"
    assert parse_wait({"step": {}, "timeoutUrl": "https://shop.example/late"}).url == "https://shop.example/late"


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"step": None}, "invalid wait: it needs a step and a url"),
        ({"url": None}, "invalid wait: it needs a step and a url"),
        ({"timeout": "soon"}, 'invalid timeout: time: invalid duration "soon"'),
    ],
)
def test_a_wait_that_cannot_be_read_is_refused(given, error):
    with pytest.raises(Refused) as refusal:
        parse_wait(WAIT | given)
    assert (refusal.value.status, refusal.value.error) == (400, error)


def test_an_invocation_is_read():
    asked = parse_invoke(json.dumps({**INVOKE, "body": '{"p":1}', "workflowRunCreatedAt": 1_767_225_600_250}).encode())
    assert (asked.payload, asked.run_id, asked.url) == (b'{"p":1}', "wfr_1", "https://shop.example/flow")
    assert (asked.headers, asked.step, asked.created_ms) == ((("X", "1"),), {}, 1_767_225_600_250)


def test_an_invocation_may_leave_out_its_payload_and_when_its_run_began():
    asked = parse_invoke(json.dumps(INVOKE).encode())
    assert (asked.payload, asked.created_ms) == (b"", 0)


@pytest.mark.parametrize(
    "body",
    [b"", b"x", b"[]", b"7", b"[" * 100_000]
    + [json.dumps({key: value for key, value in INVOKE.items() if key != left_out}).encode() for left_out in INVOKE]
    + [json.dumps({**INVOKE, "headers": 7}).encode(), json.dumps({**INVOKE, "step": 7}).encode()],
)
def test_an_invocation_that_lacks_something_is_refused(body):
    with pytest.raises(Refused) as refusal:
        parse_invoke(body)
    assert (refusal.value.status, refusal.value.error) == (
        400,
        "invalid invoke: it needs workflowRunId, workflowUrl, headers and step",
    )
