"""The closed surface: what a test can hold shows the documented names, cannot be set, and is not changed by reading."""

from __future__ import annotations

import copy
import functools
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from qstash import QStash

from qstash_fake import Attempt, Clock, DeadLetter, LogEntry, Message, QStashFake, Report, Route, Schedule
from qstash_fake.api.calls import ApiCall
from qstash_fake.api.view import ApiView
from qstash_fake.broker.account_views import FlowControlKey, Queue, SigningKeys, UrlGroup
from qstash_fake.broker.url_groups import Endpoint
from qstash_fake.broker.views import View
from qstash_fake.broker.workflow.views import WorkflowRun, WorkflowStep
from qstash_fake.protocol.attributes import MEANT
from qstash_fake.testing.workflows import Workflows

JOBS, DEAD = "https://shop.example/jobs", "https://shop.example/dead"
CLIENT = QStash("a-token")

# What a user can hold → all that it shows.
SURFACE: dict[type, str] = {
    QStashFake: """
        api assert_dead_lettered assert_delivered assert_idle assert_nothing_published assert_order assert_published
        assert_scheduled assert_workflow attempts cancelled clock deliver deliver_async deliver_due
        deliver_due_async delivered dlq drain drain_async duplicate_next failed flow_control lifespan logs
        messages mount on pending queues reset save_report
        schedules signed_request signing_keys timeline url_groups verify workflows
    """,
    Clock: """
        advance advance_async advance_to advance_to_async advance_to_next advance_to_next_async advance_until
        advance_until_async next_due now
    """,
    Message: """
        attempts body callback created_at deduplication_id due_at failure_callback flow_control headers json labels
        max_retries message_id method queue schedule_id state text url url_group
    """,
    Attempt: "at body duration error exception headers lost message retried status",
    DeadLetter: "dlq_id message redrive response_body response_status",
    LogEntry: "at attempt body error headers message message_id next_delivery_at state status url",
    Schedule: "created_at cron destination error last_at next_at paused schedule_id trigger",
    Queue: "created_at lag name parallelism paused updated_at",
    FlowControlKey: "in_flight key parallelism paused period pinned_parallelism pinned_rate rate waiting",
    UrlGroup: "created_at endpoints name updated_at",
    Endpoint: "name url",
    SigningKeys: "current next rotate",
    ApiView: "answer calls chat_answer drop_connection fail problems",
    ApiCall: "at error messages method path status",
    Route: "call_count called calls refuse_connection respond respond_with spent takes time_out times",
    Workflows: "get items keys notify values waiting",
    WorkflowRun: "created_at ended_at error id messages payload result state steps url",
    WorkflowStep: "at id name out type",
    Report: "attempts dead delivered fired held next_due now skipped",
}


@pytest.fixture
def fake():
    with QStashFake(start="2026-01-01T00:00:00Z", freeze="off") as fake:
        fill(fake)
        yield fake


def fill(fake: QStashFake) -> None:
    """Bring everything about that can be held; what is due has been let wait."""
    fake.on(JOBS).respond(200)
    fake.on(DEAD).respond(500)
    CLIENT.message.publish(url=DEAD, retries=0)
    fake.drain()
    for _ in range(3):
        CLIENT.message.enqueue(queue="mails", url=JOBS)
    for delay in (None, None, "5m"):
        CLIENT.message.publish(url=JOBS, delay=delay, flow_control={"key": "tenant", "rate": 1, "period": "1m"})
    CLIENT.message.enqueue(queue="paused", url=JOBS)
    CLIENT.queue.pause("paused")
    start_run(fake)
    CLIENT.schedule.create(destination=JOBS, cron="* * * * *", schedule_id="minutely")
    CLIENT.url_group.upsert_endpoints("all", [{"url": JOBS, "name": "one"}])


def start_run(fake: QStashFake) -> None:
    """Start a run of a workflow that has done a step."""
    marks = {"Upstash-Workflow-RunId": "wfr_1", "Authorization": "Bearer a-token"}
    for init, body in (("true", b""), ("false", b'{"stepId":1,"stepName":"one","stepType":"Run","out":"1"}')):
        headers = list({**marks, "Upstash-Workflow-Init": init}.items())
        assert fake.api.answer("POST", f"/v2/publish/{JOBS}", headers, body).status == 201


def everything(fake: QStashFake) -> dict[type, object]:
    """Return one of each thing that a user can hold."""
    return {
        QStashFake: fake,
        Clock: fake.clock,
        Message: fake.messages[0],
        Attempt: fake.attempts[0],
        DeadLetter: fake.dlq[0],
        LogEntry: fake.logs[0],
        Schedule: fake.schedules["minutely"],
        Queue: fake.queues["mails"],
        FlowControlKey: fake.flow_control["tenant"],
        UrlGroup: fake.url_groups["all"],
        Endpoint: fake.url_groups["all"].endpoints[0],
        SigningKeys: fake.signing_keys,
        ApiView: fake.api,
        ApiCall: fake.api.calls[0],
        Route: fake.on("https://other.example/"),
        Workflows: fake.workflows,
        WorkflowRun: fake.workflows["wfr_1"],
        WorkflowStep: fake.workflows["wfr_1"].steps[0],
        Report: fake.clock.advance(0),
    }


@pytest.mark.parametrize("kind", SURFACE)
def test_the_documented_names_are_all_that_an_object_shows(fake, kind):
    thing = everything(fake)[kind]
    assert type(thing) is kind
    assert [name for name in dir(thing) if not name.startswith("_")] == SURFACE[kind].split()


@pytest.mark.parametrize("kind", [kind for kind in SURFACE if kind not in (QStashFake, ApiView, Route)])
def test_nothing_of_it_can_be_set_or_deleted(fake, kind):
    thing = everything(fake)[kind]
    for name in [*SURFACE[kind].split(), "new"]:
        if kind in (Endpoint, ApiCall) and name == "new":
            continue  # a frozen dataclass with slots raises TypeError for a name that it does not have
        with pytest.raises(AttributeError):
            setattr(thing, name, None)
        with pytest.raises(AttributeError):
            delattr(thing, name)


def test_what_cannot_be_set_says_why(fake):
    with pytest.raises(AttributeError) as caught:
        fake.queues["paused"].paused = False
    assert str(caught.value) == (
        "paused of <Queue 'paused' parallelism=1 lag=1, paused> cannot be set: it shows what the fake holds"
    )
    with pytest.raises(AttributeError) as caught:
        del fake.queues["paused"].paused
    assert str(caught.value) == (
        "paused of <Queue 'paused' parallelism=1 lag=1, paused> cannot be deleted: it shows what the fake holds"
    )
    assert fake.clock.advance(0).held["queue 'paused' is paused"] == 1


def test_what_the_error_of_a_missing_attribute_names_is_there(fake):
    fake.clock.advance(0)
    things = {kind.__name__: thing for kind, thing in everything(fake).items()}
    assert MEANT.keys() <= things.keys()
    for kind, name, meant in [(kind, *row) for kind, rows in MEANT.items() for row in rows.items()]:
        assert not hasattr(things[kind], name), (kind, name)
        for written in meant.split(", or "):
            calls_it_on = fake if written.startswith(("assert_", "qstash_fake.", "mount ")) else things[kind]
            path = re.match(r"[\w.]+", written.removeprefix("qstash_fake.").replace("attempts[-1].", "attempts.pop."))
            assert path, written
            functools.reduce(_attribute, path[0].split("."), calls_it_on)


def _attribute(thing: object, name: str) -> object:
    """Return the attribute; `pop` is the last item of a list."""
    return thing.pop() if isinstance(thing, list) and name == "pop" else getattr(thing, name)


MISSING: list[tuple[Callable[[Any], object], str]] = [
    (lambda fake: fake.advance, "clock.advance"),
    (lambda fake: fake.assert_not_published, "assert_nothing_published"),
    (lambda fake: fake.dead_letters, "dlq"),
    (lambda fake: fake.clear, "reset"),
    (lambda fake: fake.schedule, "schedules"),
    (lambda fake: fake.messages[0].id, "message_id"),
    (lambda fake: fake.messages[0].status, "state, or attempts[-1].status"),
    (lambda fake: fake.messages[0].retries, "max_retries"),
    (lambda fake: fake.messages[0].delay, "due_at - created_at, or assert_published(…, delay=…)"),
    (lambda fake: fake.messages[0].label, "labels"),
    (lambda fake: fake.messages[0].timeout, "assert_published(…, timeout=…)"),
    (lambda fake: fake.on("*").reply, "respond"),
    (lambda fake: fake.on("*").timeout, "time_out"),
    (lambda fake: fake.clock.tick, "advance"),
    (lambda fake: fake.dlq[0].retry, "redrive"),
    (lambda fake: fake.api.requests, "calls"),
    (lambda fake: fake.api.calls[0].message, "messages"),
    (lambda fake: fake.url_groups["all"].endpoints[0].nam, "name"),
    (lambda fake: fake.workflows.wait, "waiting"),
    (lambda fake: fake.clock.advance(0).delivery, "delivered"),
]


def test_an_attribute_that_is_not_there_names_the_one_that_is_meant(fake):
    for read, meant in MISSING:
        with pytest.raises(AttributeError) as caught:
            read(fake)
        assert str(caught.value).partition(" has no attribute ")[2].partition(" ")[2] == f"(did you mean {meant}?)"


NOT_SET = {
    "unrouted": "it is an option, @pytest.mark.qstash_fake(unrouted='accept') or QStashFake(unrouted='accept')",
    "outbox": "there is no such attribute (did you mean messages?)",
    "mesages": "there is no such attribute (did you mean messages?)",
    "shop": "there is no such attribute",
}


def test_what_is_no_attribute_of_the_fake_cannot_be_set(fake):
    for name, way_out in NOT_SET.items():
        with pytest.raises(AttributeError) as caught:
            setattr(fake, name, "accept")
        assert str(caught.value) == f"{name} of <QStashFake 10 messages, 9 pending> cannot be set: {way_out}"


def test_a_class_that_inherits_has_attributes_of_its_own_and_no_option_can_be_set_on_it():
    class WithAShop(QStashFake):
        def __init__(self, **options):
            super().__init__(**options)
            self.shop = "https://shop.example"

    fake = WithAShop(seed=7)
    assert fake.shop == "https://shop.example"
    with pytest.raises(AttributeError, match=r"it is an option, @pytest.mark.qstash_fake\(unrouted='accept'\)"):
        fake.unrouted = "accept"


def test_what_the_fake_has_may_be_mocked(fake, monkeypatch):
    monkeypatch.setattr(fake, "drain", lambda: "mocked")
    assert fake.drain() == "mocked"
    monkeypatch.undo()
    assert fake.drain().delivered


def test_views_of_one_thing_are_one_object_where_a_test_compares_them(fake):
    assert fake.messages[0] is fake.attempts[0].message is fake.dlq[0].message is fake.logs[0].message
    assert fake.messages[0].attempts[0] is fake.attempts[0]
    assert fake.schedules["minutely"] is fake.assert_scheduled()
    assert len({*fake.messages, *fake.messages}) == len(fake.messages)
    assert len({*fake.logs, *fake.logs}) == len(fake.logs)
    assert fake.logs[0] == fake.logs[0] != fake.logs[1]
    assert fake.schedules["minutely"].trigger() == [fake.messages[-1]]


def test_every_list_and_mapping_is_a_snapshot(fake):
    before = fake.messages, fake.attempts, fake.messages[0].attempts, fake.schedules, fake.queues
    sizes = [len(one) for one in before]
    for one in before[:3]:
        one.append(None)
    CLIENT.schedule.create(destination=JOBS, cron="0 * * * *")
    CLIENT.message.enqueue(queue="new", url=JOBS)
    assert [len(one) for one in before] == [size + (at < 3) for at, size in enumerate(sizes)]
    assert None not in [*fake.messages, *fake.attempts, *fake.messages[0].attempts]


def test_a_copy_of_a_view_is_the_view(fake):
    for thing in everything(fake).values():
        if isinstance(thing, View):
            assert copy.copy(thing) is thing
            assert copy.deepcopy([thing])[0] is thing


def test_views_are_live(fake):
    message, queue = fake.messages[1], fake.queues["mails"]
    assert (message.state, message.attempts, queue.lag) == ("CREATED", [], 3)
    fake.deliver_due()
    assert (message.state, len(message.attempts), queue.lag) == ("DELIVERED", 1, 0)


def test_a_message_shows_its_flow_control_key_and_none_without_one(fake):
    assert [message.flow_control for message in fake.messages[3:8]] == [None, *3 * ["tenant"], None]
    assert fake.messages[4].flow_control in fake.flow_control


def test_times_are_aware_and_durations_are_timedeltas(fake):
    moment, minute = datetime(2026, 1, 1, tzinfo=UTC), timedelta(minutes=1)
    queue, key, group, schedule = (everything(fake)[kind] for kind in (Queue, FlowControlKey, UrlGroup, Schedule))
    assert queue.created_at == queue.updated_at == group.created_at == group.updated_at == moment  # type: ignore[attr-defined]
    assert (key.period, schedule.created_at, schedule.next_at) == (minute, moment, moment + minute)  # type: ignore[attr-defined]


def test_what_a_view_is_can_be_read_in_its_representation(fake):
    shown = {kind.__name__: repr(thing) for kind, thing in everything(fake).items()}
    del shown["ApiView"], shown["ApiCall"], shown["Route"]  # theirs say what was asked of them
    message_id = fake.messages[0].message_id[:12]
    assert shown == {
        "QStashFake": "<QStashFake 10 messages, 3 pending>",
        "Clock": "<Clock 2026-01-01T00:00:00.000000>",
        "Message": f"<Message {message_id}… POST {DEAD} FAILED>",
        "Attempt": f"<Attempt retried=0 of {message_id}… 500>",
        "DeadLetter": f"<DeadLetter {fake.dlq[0].dlq_id} {DEAD} status=500>",
        "LogEntry": f"<LogEntry 2026-01-01T00:00:00.000000 CREATED {message_id}… {DEAD}>",
        "Schedule": f"<Schedule minutely '* * * * *' → {JOBS}>",
        "Queue": "<Queue 'mails' parallelism=1 lag=0>",
        "FlowControlKey": "<FlowControlKey 'tenant' parallelism=None rate=1 period=0:01:00 waiting=1>",
        "UrlGroup": f"<UrlGroup 'all' {JOBS}>",
        "Endpoint": f"Endpoint(url='{JOBS}', name='one')",
        "SigningKeys": "<SigningKeys>",
        "Workflows": "<qstash_fake.workflows, 1 run>",
        "WorkflowRun": f"<WorkflowRun wfr_1 {JOBS} RUN_STARTED>",
        "WorkflowStep": "<WorkflowStep 1 'one' Run>",
        "Report": (
            "<Report 6 attempts, 6 delivered, 0 dead; 1 held: flow-control key 'tenant' is closed: "
            "its rate of 1 in 1m is used up until 2026-01-01T00:01:00Z; "
            "1 held: queue 'paused' is paused; "
            "now 2026-01-01T00:00:00Z; next due in 1m>"
        ),
    }


def test_a_paused_key_and_a_group_of_two_show_it(fake):
    CLIENT.flow_control.pause("tenant")
    CLIENT.url_group.upsert_endpoints("all", [{"url": DEAD}])
    assert [repr(fake.flow_control["tenant"]), repr(fake.url_groups["all"])] == [
        "<FlowControlKey 'tenant' parallelism=None rate=1 period=0:01:00 waiting=2, paused>",
        f"<UrlGroup 'all' {JOBS}, {DEAD}>",
    ]


# --- reading ------------------------------------------------------------------------------------------------------


def read_all(kind: str, fake: QStashFake) -> None:
    found = getattr(fake, kind)
    for one in found if isinstance(found, list) else found.values():
        for name in dir(one):
            getattr(one, name)


READINGS: dict[str, Callable[[QStashFake], object]] = {
    "now": lambda fake: fake.clock.now,
    "next_due": lambda fake: fake.clock.next_due,
    "timeline": lambda fake: fake.timeline(),
    "repr": repr,
    "signed_request": lambda fake: fake.signed_request(JOBS).url,
    "verify": lambda fake: fake.verify(),
    "assert_published": lambda fake: fake.assert_published(url=JOBS),
    "assert_delivered": lambda fake: fails(fake.assert_delivered, url="https://other.example/"),
    "assert_idle": lambda fake: fails(fake.assert_idle),
}
for kind_of_list in ["messages", "attempts", "dlq", "logs", "schedules", "queues", "url_groups", "flow_control"]:
    READINGS[kind_of_list] = functools.partial(read_all, kind_of_list)


def fails(call, **asked):
    with pytest.raises(AssertionError):
        call(**asked)


@example(readings=["signed_request"], seconds=60)
@given(readings=st.lists(st.sampled_from(sorted(READINGS)), max_size=12), seconds=st.sampled_from([0, 1, 59, 60, 300]))
def test_reading_anything_in_any_order_changes_nothing(readings, seconds):
    def journal(readings):
        with QStashFake(start="2026-01-01T00:00:00Z", freeze="off") as fake:
            fill(fake)
            before = fake.timeline()
            for name in readings:
                READINGS[name](fake)
            assert fake.timeline() == before
            CLIENT.queue.resume("paused")
            fake.clock.advance(seconds)
            return fake.timeline()

    assert journal(readings) == journal([])
