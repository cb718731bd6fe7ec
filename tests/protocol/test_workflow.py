"""The wire forms of workflows: marks, steps, waits and invocations; what is none, and what is refused."""

import base64
import json

import pytest

from qstash_fake.errors import Refused
from qstash_fake.protocol.options import parse_options
from qstash_fake.protocol.workflow import parse_invoke, parse_step

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
    ],
)
def test_a_result_is_what_its_json_or_its_encoded_event_says_and_else_what_it_is(given, out):
    step = parse_step(json.dumps({"stepId": 1, **given}).encode())
    assert step is not None
    assert step.out == out


def test_an_invocation_is_read():
    asked = parse_invoke(json.dumps({**INVOKE, "body": '{"p":1}'}).encode())
    assert (asked.payload, asked.run_id, asked.url) == (b'{"p":1}', "wfr_1", "https://shop.example/flow")
    assert asked.headers == (("X", "1"),)


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
