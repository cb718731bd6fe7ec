"""Runs of workflows as a test sees them: where a run stands, in words, and what `assert_workflow` says."""

import json

import pytest

from qstash_fake import QStashFake, UsageError
from tests.workflows import ASK, URL, a_step, a_wait, marks

BEARER = ("Authorization", "Bearer a-token")


@pytest.fixture
def fake():
    with QStashFake(start="2026-01-01T00:00:00Z", freeze="off") as fake:
        yield fake


def call(fake, method, target, headers=(), body=b""):
    reply = fake.api.answer(method, target, [BEARER, *dict(headers).items()], body)
    assert reply.status < 300, reply
    return reply


def start(fake, *answers, run_id="wfr_1", headers=(), body=b'{"p":1}'):
    """Start a run whose endpoint answers deliveries with *answers*, each a status or what to do before a 200."""
    left = list(answers)

    def endpoint(request):
        from httpx import Response

        answer = left.pop(0) if left else 200
        if not isinstance(answer, int):
            answer()
            answer = 200
        headers = {"Upstash-Workflow-Sdk-Version": "1", "Upstash-Error-Step-Name": "charge"}
        return Response(answer, headers=headers, json={"message": "declined"})

    fake.mount(endpoint, URL)
    call(fake, "POST", f"/v2/publish/{URL}", {**marks(run_id, init=True), **dict(headers)}, body)


def append(fake, body, headers=(), to=URL):
    call(fake, "POST", f"/v2/publish/{to}", {**marks(), **dict(headers)}, body)


def standing(fake):
    """Return the line on the run that has not ended."""
    (line,) = [line for line in fake.timeline().splitlines() if line.startswith("run wfr_1 of ")]
    return line.removeprefix(f"run wfr_1 of {URL} ")


def test_a_run_that_has_just_started_is_due(fake):
    start(fake)
    assert standing(fake) == "step 1: due now"


def test_a_step_that_is_retried_says_which_retry_it_is_and_when(fake):
    start(fake, lambda: append(fake, a_step(1, "nap")), 500, 500)
    fake.clock.advance("130s")
    assert standing(fake) == "step 2 'charge': retry 2 of 3 due in 30s"


def test_a_run_that_sleeps_says_until_when(fake):
    sleep = a_step(1, "nap", stepType="SleepFor")
    start(fake, lambda: append(fake, sleep, {"Upstash-Delay": "11d"}))
    fake.clock.advance("1d")
    assert standing(fake) == "step 1 'nap' sleeps: due in 10d"
    assert fake.workflows["wfr_1"].steps == ()


def test_a_sleep_is_a_step_that_is_done_once_it_is_over(fake):
    sleep = a_step(1, "nap", stepType="SleepFor")
    start(fake, lambda: append(fake, sleep, {"Upstash-Delay": "11d"}))
    fake.clock.advance("11d")
    assert [step.name for step in fake.workflows["wfr_1"].steps] == ["nap"]


def test_a_run_that_waits_says_for_what(fake):
    start(fake, lambda: call(fake, "POST", "/v2/wait/approved", marks(), json.dumps(a_wait()).encode()))
    fake.deliver_due()
    assert standing(fake) == "step 1 'approval' waits for event 'approved' until 2026-01-01T01:00:00Z"
    assert [run.id for run in fake.workflows.waiting["approved"]] == ["wfr_1"]


def test_a_run_that_calls_says_whom(fake):
    headers = {
        "Upstash-Workflow-CallType": "toCallback",
        "Upstash-Callback": URL,
        "Upstash-Callback-Forward-Upstash-Workflow-StepId": "1",
        "Upstash-Callback-Forward-Upstash-Workflow-StepName": "ask",
        "Upstash-Delay": "5m",
    }
    start(fake, lambda: append(fake, b"q", headers, ASK))
    fake.deliver_due()
    assert standing(fake) == f"step 1 'ask' calls {ASK}: due in 5m"


def test_a_run_for_which_nothing_was_published_stands_still(fake):
    start(fake)
    fake.drain()
    assert standing(fake) == "stands still: nothing of it is pending, and it waits for nothing"


@pytest.mark.parametrize(("query", "words"), [("?cancel=false", "has returned"), ("", "was cancelled")])
def test_a_failure_says_how_a_run_has_ended(fake, query, words):
    start(fake)
    call(fake, "DELETE", f"/v2/workflows/runs/wfr_1{query}")
    with pytest.raises(AssertionError) as failure:
        fake.assert_workflow(state="RUN_FAILED")
    assert str(failure.value).splitlines()[3] == f"    {words}"


def test_a_step_in_flight_is_running(fake):
    seen = []
    start(fake, lambda: seen.append(standing(fake)))
    fake.deliver_due()
    assert seen == ["step 1 is running"]


def test_a_run_waits_for_the_run_that_it_has_invoked(fake):
    asked = {
        "body": "{}",
        "headers": {name: [value] for name, value in marks().items()},
        "workflowRunId": "wfr_1",
        "workflowRunCreatedAt": 1_767_225_600_000,
        "workflowUrl": URL,
        "step": {"stepId": 1, "stepName": "ask", "stepType": "Invoke", "concurrent": 1},
    }
    headers = {**marks("wfr_child", init=True), "Upstash-Workflow-Invoke": "true", "Upstash-Delay": "1h"}
    start(fake, lambda: call(fake, "POST", f"/v2/publish/{URL}/child", headers, json.dumps(asked).encode()))
    fake.deliver_due()
    assert standing(fake) == f"waits for run wfr_child of {URL}/child"


def test_parallel_steps_are_told_each_by_its_name(fake):
    plans = [a_step(0, name, concurrent=2, targetStep=at) for at, name in ((1, "left"), (2, "right"))]
    start(fake, lambda: [append(fake, plan, {"Upstash-Delay": f"{at}m"}) for at, plan in enumerate(plans, 1)])
    fake.deliver_due()
    assert standing(fake) == "step 1 'left': due in 1m; step 2 'right': due in 2m"


def errors(fake):
    """Return the lines of failed attempts in the timeline, from what the message brings on."""
    return [line.partition(f"{URL}  ")[2] for line in fake.timeline().splitlines() if " ERROR " in line]


def test_an_error_names_the_step_that_the_message_brings_and_the_one_that_it_asks_for(fake):
    start(fake, 500, lambda: append(fake, a_step(1, "order")), 500)
    fake.clock.advance("30s")
    assert errors(fake) == [
        "[start of run wfr_1…]  destination answered 500 for step 1 'charge': declined",
        "[step 1 'order' of run wfr_1…]  destination answered 500 for step 2 'charge': declined",
    ]


def test_an_error_of_a_planned_step_names_that_step(fake):
    plan = a_step(0, "left", concurrent=2, targetStep=1)
    start(fake, lambda: append(fake, plan), 500)
    fake.deliver_due()
    assert errors(fake) == [
        "[step 1 'left' (planned) of run wfr_1…]  destination answered 500 for step 1 'left': declined"
    ]


def test_the_error_of_a_call_is_for_no_step_of_the_function(fake):
    headers = {
        "Upstash-Workflow-CallType": "toCallback",
        "Upstash-Callback": URL,
        "Upstash-Callback-Forward-Upstash-Workflow-StepId": "1",
        "Upstash-Callback-Forward-Upstash-Workflow-StepName": "ask",
    }
    fake.on(ASK).respond(500)
    start(fake, lambda: append(fake, b"q", headers, ASK))
    fake.deliver_due()
    [line] = [line for line in fake.timeline().splitlines() if " ERROR " in line]
    assert line.endswith("[call 1 'ask' of run wfr_1…]  destination answered 500")


def test_the_newest_run_that_is_as_asked_is_returned(fake):
    start(fake, run_id="wfr_1")
    start(fake, run_id="wfr_2", body=b"text")
    assert fake.assert_workflow().id == "wfr_2"
    run = fake.assert_workflow(payload={"p": 1})
    assert (run.id, run.url, str(run.created_at)) == ("wfr_1", URL, "2026-01-01 00:00:00+00:00")
    assert fake.assert_workflow(payload="text", state="RUN_STARTED", url="https://shop.example/*").id == "wfr_2"
    assert fake.assert_workflow(state="RUN_FAILED", times=0) is None
    assert list(fake.workflows) == ["wfr_1", "wfr_2"]
    assert repr(fake.workflows) == "<qstash_fake.workflows, 2 runs>"


def test_a_failure_shows_the_closest_run_and_its_steps(fake):
    start(fake, lambda: append(fake, a_step(1, "order", 7)), *[500] * 4)
    fake.drain()
    with pytest.raises(AssertionError) as failure:
        fake.assert_workflow(URL, payload={"p": 1}, state="RUN_SUCCESS", step="charge")
    assert str(failure.value).partition("\n--- ")[0] == (
        f"no run of a workflow with url={URL}, payload={{\"p\": 1}}, state='RUN_SUCCESS', step='charge'\n"
        "there is:\n"
        f'  wfr_1 {URL} RUN_FAILED {{"p":1}}\n'
        "    has failed in step 2 'charge': declined\n"
        "    state: expected 'RUN_SUCCESS', got 'RUN_FAILED'\n"
        "    step: expected 'charge', done are 'order'\n"
        "    step 1 'order' (Run) at 2026-01-01T00:00:00Z: 7"
    )


def test_a_failure_hides_what_the_run_redacts(fake):
    start(
        fake,
        lambda: append(fake, a_step(1, "order", "secret")),
        headers={"Upstash-Redact-Fields": "body"},
        body=b"secret",
    )
    fake.drain()
    with pytest.raises(AssertionError) as failure:
        fake.assert_workflow(state="RUN_FAILED")
    assert "secret" not in str(failure.value)
    assert str(failure.value).count("REDACTED:") == 2


def test_what_an_endpoint_has_written_is_hidden_with_the_body(fake):
    start(fake, 500, 500, headers={"Upstash-Redact-Fields": "body", "Upstash-Retries": "1"})
    fake.drain()
    assert fake.workflows["wfr_1"].error == "declined"
    assert "declined" not in fake.timeline()
    assert fake.timeline().count("REDACTED:") == 3  # two attempts, and the end of the run
    with pytest.raises(AssertionError) as failure:
        fake.assert_workflow(state="RUN_SUCCESS")
    assert "    has failed in step 1 'charge': REDACTED:" in str(failure.value)
    assert "declined" not in str(failure.value)


def test_no_run_at_all_is_said_so(fake):
    with pytest.raises(AssertionError) as failure:
        fake.assert_workflow()
    assert str(failure.value).partition("\n--- ")[0] == "no run of a workflow\nno run was started at all"


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ({"times": -1}, "times=-1: a number of runs is not negative"),
        ({"state": "DONE"}, "state='DONE' is unknown: use one of RUN_STARTED, RUN_SUCCESS, RUN_FAILED, RUN_CANCELED"),
    ],
)
def test_what_no_run_can_be_is_refused(fake, asked, problem):
    with pytest.raises(UsageError) as refused:
        fake.assert_workflow(**asked)
    assert str(refused.value) == problem


EVENTS = [(None, ""), ("text", "text"), (b"raw", "raw"), ({"by": "ada"}, {"by": "ada"})]


@pytest.mark.parametrize(("data", "seen"), EVENTS)
def test_a_test_notifies_what_waits(fake, data, seen):
    start(fake, lambda: call(fake, "POST", "/v2/wait/approved", marks(), json.dumps(a_wait()).encode()))
    fake.deliver_due()
    run = fake.workflows["wfr_1"]
    assert fake.workflows.notify("other", data) == []
    assert fake.workflows.notify("approved", data) == [run]
    fake.deliver_due()
    assert [(step.name, step.out) for step in run.steps] == [("approval", seen)]


def test_an_event_for_a_run_that_is_not_known_is_refused_with_those_that_are(fake):
    start(fake)
    assert fake.workflows.notify("approved", run_id="wfr_1") == []
    with pytest.raises(UsageError) as refused:
        fake.workflows.notify("approved", run_id="wfr_0")
    assert str(refused.value) == "workflow run wfr_0 not found; the runs are: wfr_1"


def test_a_reset_forgets_runs(fake):
    start(fake)
    workflows = fake.workflows
    fake.reset()
    assert (len(workflows), workflows.waiting) == (0, {})
