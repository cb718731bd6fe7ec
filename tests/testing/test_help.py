"""`help()` of what a test can hold: complete, short, and without our internals; unknown keywords are refused nicely."""

from __future__ import annotations

import inspect
import pydoc
import re

import pytest

import qstash_fake
from qstash_fake import LocalServer, QStashFake, UsageError
from tests.shop import JOBS
from tests.testing.test_surface import SURFACE

HELD = [*SURFACE, LocalServer]
OURS = re.compile(r"\b(inner|Inside|Timekeeper|Verbs|Api|Unpack|UrlPattern|Broker)\b|typing\.Generic")


def help_of(thing):
    return pydoc.plain(pydoc.render_doc(thing))


@pytest.mark.parametrize("kind", HELD)
def test_help_is_short_and_has_a_sentence_for_each_name(kind):
    # From 3.13 on a long signature has a line for each parameter.
    assert len(help_of(kind).splitlines()) <= (350 if kind is QStashFake else 120)
    public = {name: inspect.getattr_static(kind, name) for name in dir(kind) if not name.startswith("_")}
    said = {name: inspect.getdoc(thing) for name, thing in public.items() if not inspect.ismemberdescriptor(thing)}
    assert [name for name, sentence in said.items() if not sentence] == []


@pytest.mark.parametrize("kind", [kind for kind in HELD if kind is not qstash_fake.Workflows])  # a Mapping of typing's
def test_help_shows_nothing_of_the_inside(kind):
    assert OURS.findall(help_of(kind)) == []


def test_every_keyword_is_spelled_out():
    assert str(inspect.signature(QStashFake.assert_published)) == (
        "(self, url: 'Url | None' = None, *, times: 'int | None' = None, json=…, body=…, headers=…, method=…, queue=…, "
        "delay=…, label=…, schedule_id=…, retries=…, timeout=…, callback=…, failure_callback=…, flow_control=…, "
        "deduplication_id=…, where=…) -> 'Message'"
    )
    for verb in ("advance", "advance_async"):
        assert str(inspect.signature(getattr(qstash_fake.Clock, verb))) == (
            "(self, duration: 'Duration | None' = None, *, weeks=…, days=…, hours=…, minutes=…, seconds=…, "
            "milliseconds=…, microseconds=…) -> 'Report'"
        )
    assert str(inspect.signature(QStashFake.assert_workflow)).endswith(
        "*, times: 'int | None' = None, payload=…, state=…, step=…) -> 'WorkflowRun'"
    )


def test_each_keyword_of_an_assertion_is_explained():
    said = inspect.getdoc(QStashFake.assert_published) or ""
    asked = set(inspect.signature(QStashFake.assert_published).parameters) - {"self"}
    obvious = {"method", "queue", "schedule_id", "deduplication_id"}
    assert {name for name in asked if f"*{name}*" not in said} == obvious


# --- unknown keywords -----------------------------------------------------------------------------------------------

ASKED = (
    "url=, times=, json=, body=, headers=, method=, queue=, delay=, label=, schedule_id=, retries=, timeout=, "
    "callback=, failure_callback=, flow_control=, deduplication_id=, where="
)
CALLS = {
    "assert_published() has no lable= (did you mean label=?); it takes " + ASKED: (
        lambda fake: fake.assert_published(lable="a")
    ),
    "assert_delivered() has no status=; it takes " + ASKED: lambda fake: fake.assert_delivered(status=200),
    "assert_workflow() has no stat= (did you mean state=?); it takes url=, times=, payload=, state=, step=": (
        lambda fake: fake.assert_workflow(stat="RUN_FAILED")
    ),
    "assert_scheduled() has no crom= (did you mean cron=?); it takes cron=, destination=": (
        lambda fake: fake.assert_scheduled(crom="* * * * *")
    ),
    "advance() has no dayz= (did you mean days=?); it takes duration=, weeks=, days=, hours=, minutes=, seconds=, "
    "milliseconds=, microseconds=": lambda fake: fake.clock.advance(dayz=1),
    "respond() has no status_code= (did you mean status=?); it takes status=, json=, text=, content=, headers=": (
        lambda fake: fake.on(JOBS).respond(status_code=503)
    ),
    "QStashFake() has no strat= (did you mean start=?); it takes start=, freeze=, unrouted=, raise_app_exceptions=, "
    "seed=, token=, plan=, url=, region=, watchdog=": lambda fake: QStashFake(strat="2026-01-01"),  # type: ignore[call-arg]
}


@pytest.mark.parametrize("sentence", CALLS)
def test_an_unknown_keyword_names_the_nearest(sentence):
    with pytest.raises(TypeError) as caught:
        CALLS[sentence](QStashFake())
    assert str(caught.value) == sentence


def test_an_unknown_key_names_the_nearest():
    with pytest.raises(UsageError) as caught:
        QStashFake().on(JOBS).respond_with([{"stauts": 503}])
    assert str(caught.value) == (
        "respond_with has no 'stauts' (did you mean 'status'?): a dict takes status, json, text, content, headers"
    )
    with pytest.raises(UsageError, match=r"^flow_control has no 'perod' \(did you mean 'period'\?\): it takes k"):
        QStashFake().assert_published(flow_control={"perod": 1})


def test_a_body_that_is_json_is_asked_for_with_json():
    with pytest.raises(UsageError) as caught:
        QStashFake().assert_published(body={"a": 1})  # type: ignore[arg-type]
    assert str(caught.value) == "body={'a': 1} is neither text nor bytes: ask for JSON with json={'a': 1}"
