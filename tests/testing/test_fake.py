"""QStashFake itself, without pytest's fixture: its block, its properties, reset, verify, requests for a receiver."""

import contextlib
import time
from datetime import UTC, datetime

import httpx
import pytest
from qstash import QStash, Receiver
from qstash.errors import QStashError, SignatureError
from qstash.receiver import verify_with_key

from qstash_fake import QStashFake, UsageError
from tests.shop import JOBS, START_TEXT

CLIENT = QStash("a-token")


@pytest.fixture
def fake():
    with QStashFake(start=START_TEXT) as made:
        yield made


def receiver(fake):
    return Receiver(fake.signing_keys.current, fake.signing_keys.next)


def verify(fake, request):
    receiver(fake).verify(signature=request.headers["Upstash-Signature"], body=request.content.decode(), url=JOBS)


@pytest.mark.parametrize("token", [1, b"secret", ["a", 1], {"a"}])
def test_a_token_that_is_no_text_is_refused(token):
    with pytest.raises(UsageError) as caught:
        QStashFake(token=token)
    assert str(caught.value) == f"token={token!r} is no token: give a text, or a list of them"


# --- its block ----------------------------------------------------------------------------------------------------


def test_it_works_without_a_fixture():
    with QStashFake(start=START_TEXT) as fake:
        fake.mount(lambda request: httpx.Response(200), "https://shop.example")
        CLIENT.message.publish(url=JOBS, delay="5m")
        report = fake.clock.advance("5m")
    assert str(report) == "1 attempt, 1 delivered, 0 dead; now 2026-01-01T00:05:00Z"
    assert fake.assert_delivered(url=JOBS).due_at == datetime(2026, 1, 1, 0, 5, tzinfo=UTC)


def test_time_is_real_again_after_the_block():
    with QStashFake(start=START_TEXT) as fake:
        fake.clock.advance("1h")
        assert time.time() == datetime(2026, 1, 1, 1, tzinfo=UTC).timestamp()
    assert abs(time.time() - datetime(2026, 1, 1, 1, tzinfo=UTC).timestamp()) > 1


@pytest.mark.parametrize("verb", ["advance", "advance_to", "advance_to_next", "drain", "deliver_due"])
def test_verbs_outside_the_block_are_refused_and_freeze_nothing(verb):
    fake = QStashFake(start=START_TEXT)

    def call():
        arguments = {"advance": ["1h"], "advance_to": ["2026-02-01"]}.get(verb, [])
        getattr(fake if verb in ("drain", "deliver_due") else fake.clock, verb)(*arguments)

    with pytest.raises(UsageError, match=rf"{verb}\(\) was called before the `with` block of its QStashFake"):
        call()
    with fake:
        call()
    with pytest.raises(UsageError, match=rf"{verb}\(\) was called after the `with` block"):
        call()
    assert abs(time.time() - datetime(2026, 1, 1, tzinfo=UTC).timestamp()) > 86_400


def test_what_happened_can_be_read_after_the_block():
    with QStashFake(start=START_TEXT) as fake:
        CLIENT.message.publish(url=JOBS)
    assert [message.url for message in fake.messages] == [JOBS]
    assert fake.clock.now == datetime(2026, 1, 1, tzinfo=UTC)
    assert fake.timeline().startswith("times since 2026-01-01T00:00:00Z\n         +0s  CREATED")


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"unrouted": "ignore"}, "unrouted='ignore' is unknown: use one of 'error', 'accept', 'fail'"),
        ({"freeze": "sundial"}, "freeze='sundial' is unknown: use \"auto\""),
        ({"plan": "pro"}, "plan='pro' is unknown: use one of 'free', 'payg', 'fixed-1m', 'fixed-10m'"),
        ({"start": "tomorrow"}, "'tomorrow' is no ISO 8601 time such as '2026-01-01T09:00:00Z'"),
        ({"start": datetime(2026, 1, 1)}, "is naive: give it a time zone"),  # noqa: DTZ001 - what is refused
    ],
)
def test_a_wrong_option_is_explained(options, problem):
    with pytest.raises((UsageError, ValueError), match=problem):
        QStashFake(**options)


# --- what it shows ------------------------------------------------------------------------------------------------


def test_every_list_is_a_snapshot_and_every_mapping_is_read_only(fake):
    CLIENT.message.enqueue(queue="billing", url=JOBS)
    before = fake.messages
    CLIENT.message.publish(url=JOBS)
    assert (len(before), len(fake.messages)) == (1, 2)
    for mapping in (fake.schedules, fake.queues, fake.url_groups, fake.flow_control):
        with pytest.raises(TypeError):
            mapping["new"] = None


def test_what_a_mapping_shows_may_be_deleted_while_it_is_read(fake):
    for schedule_id in ("daily", "hourly"):
        CLIENT.schedule.create(destination=JOBS, cron="0 9 * * *", schedule_id=schedule_id)
    for schedule_id in fake.schedules:
        CLIENT.schedule.delete(schedule_id)
    assert not fake.schedules


def test_messages_stand_in_the_group_of_their_state(fake):
    for name in ("delivered", "dead", "cancelled", "pending"):
        CLIENT.message.publish(url=f"https://shop.example/{name}", retries=0, delay="1d" if name == "pending" else None)
    delivered, dead, cancelled, pending = fake.messages
    CLIENT.message.cancel(cancelled.message_id)
    fake.on("https://shop.example/dead").respond(500)
    fake.on("https://shop.example/delivered").respond(200)
    fake.deliver_due()

    assert fake.delivered == [delivered]
    assert [letter.message for letter in fake.dlq] == fake.failed == [dead]
    assert fake.cancelled == [cancelled]
    assert fake.pending == [pending]
    assert [attempt.message for attempt in fake.attempts] == [delivered, dead]


def test_resources_are_found_by_name(fake):
    schedule_id = CLIENT.schedule.create(destination=JOBS, cron="0 * * * *")
    CLIENT.queue.upsert("billing", parallelism=2)
    CLIENT.url_group.upsert_endpoints("all", [{"url": JOBS}])
    CLIENT.message.publish(url=JOBS, flow_control={"key": "tenant", "parallelism": 1})
    assert fake.schedules[schedule_id].next_at == datetime(2026, 1, 1, 1, tzinfo=UTC)
    assert list(fake.queues) == ["billing"]
    assert list(fake.url_groups) == ["all"]
    assert list(fake.flow_control) == ["tenant"]


def test_its_representation_counts(fake):
    assert repr(fake) == "<QStashFake 0 messages, 0 pending>"
    CLIENT.message.publish(url=JOBS)
    assert repr(fake) == "<QStashFake 1 message, 1 pending>"


def test_the_timeline_tells_the_way_of_a_message(fake):
    CLIENT.message.publish(url=JOBS, retries=1, retry_delay="12000", delay="1m")
    route = fake.on(JOBS).respond_with([503])

    def app(request):
        raise ZeroDivisionError

    fake.mount(app)
    with pytest.raises(ZeroDivisionError):
        fake.drain()
    (message,) = fake.messages
    who = f"{message.message_id[:10]}… POST {JOBS}"
    assert fake.timeline().split("\n") == [
        "times since 2026-01-01T00:00:00Z",
        f"         +0s  CREATED   {who}  due in 1m",
        f"         +1m  ACTIVE    {who}  attempt 1 of 2",
        f"         +1m  ERROR     {who}  destination answered 503",
        f"         +1m  RETRY     {who}  due in 12s",
        f"      +1m12s  ACTIVE    {who}  attempt 2 of 2",
        f"      +1m12s  ERROR     {who}  destination answered 500, it raised ZeroDivisionError",
        f"      +1m12s  FAILED    {who}  dead letter {fake.dlq[0].dlq_id}",
        "now 2026-01-01T00:01:12Z",
    ]
    assert len(route.calls) == 1


def test_a_long_timeline_keeps_its_end_and_says_what_it_leaves_out(fake):
    for _ in range(205):
        CLIENT.message.publish(url=JOBS, delay="1h")
    lines = fake.timeline().split("\n")
    assert lines[1] == "(5 older entries are left out)"
    assert lines[-2:] == ["(185 more are pending)", "now 2026-01-01T00:00:00Z"]


# --- requests for a receiver --------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"\x00raw", "text", {"order": 7}, [], ""])
def test_a_signed_request_is_what_a_receiver_accepts(fake, body):
    request = fake.signed_request(JOBS, body)
    verify(fake, request)
    assert (request.method, str(request.url)) == ("POST", JOBS)
    assert request.headers["User-Agent"] == "Upstash-QStash"
    assert request.headers["Upstash-Retried"] == "0"


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"expired": True}, "Signature has expired"),
        ({"wrong_key": True}, "Signature verification failed"),
        ({"wrong_url": True}, "Invalid subject"),
        ({"tampered": True}, "Invalid body hash"),
    ],
)
def test_a_request_with_one_thing_wrong_is_refused_for_just_that(fake, wrong, problem):
    request = fake.signed_request(JOBS, {"order": 7}, **wrong)
    signature, body = request.headers["Upstash-Signature"], request.content.decode()
    with pytest.raises(SignatureError, match=problem):
        # The Receiver itself would try the next key as well, and report on that.
        verify_with_key(fake.signing_keys.current, signature=signature, body=body, url=JOBS)
    with pytest.raises(SignatureError):
        verify(fake, request)


def test_a_signed_request_needs_the_whole_url(fake):
    with pytest.raises(UsageError) as caught:
        fake.signed_request("/jobs")
    assert str(caught.value) == (
        "signed_request('/jobs') needs the whole URL, which is signed too: give one such as 'https://shop.example/jobs'"
    )


def test_a_signed_request_is_accepted_after_a_year_and_after_a_rotation(fake):
    before = receiver(fake)
    fake.clock.advance("400d")
    fake.signing_keys.rotate()
    request = fake.signed_request(JOBS, b"{}")
    before.verify(signature=request.headers["Upstash-Signature"], body="{}", url=JOBS)
    verify(fake, request)


# --- reset and verify ---------------------------------------------------------------------------------------------


def test_reset_forgets_all_but_mounts_and_time(fake):
    seen = []

    def app(request):
        seen.append(str(request.url))
        return httpx.Response(200)

    fake.mount(app)
    fake.on(JOBS).respond(500)
    CLIENT.message.publish(url=JOBS, delay="5m")
    CLIENT.schedule.create(destination=JOBS, cron="* * * * *")
    CLIENT.queue.upsert("billing")
    fake.api.fail("burst", times=9)
    fake.clock.advance("1s")
    fake.reset()

    assert (fake.messages, fake.dlq, fake.logs, fake.attempts) == ([], [], [], [])
    assert [len(mapping) for mapping in (fake.schedules, fake.queues, fake.url_groups, fake.flow_control)] == [0] * 4
    assert fake.clock.now == datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC)
    CLIENT.message.publish(url=JOBS)
    fake.drain()
    fake.assert_delivered(url=JOBS, times=1)
    assert seen == [JOBS]


def test_what_was_held_before_a_reset_can_be_read_and_does_nothing_any_more(fake):
    CLIENT.message.publish(url=JOBS, retries=0)
    CLIENT.schedule.create(destination=JOBS, cron="* * * * *", schedule_id="minutely")
    fake.on(JOBS).respond(500)
    fake.drain()
    message, dead, schedule = fake.messages[0], fake.dlq[0], fake.schedules["minutely"]
    fake.reset()

    again = r"from before reset\(\), which has forgotten it; take the present one"
    with pytest.raises(UsageError, match=rf"^dead letter {dead.dlq_id}: {again}"):
        dead.redrive()
    with pytest.raises(UsageError, match=rf"^schedule minutely: {again}"):
        schedule.trigger()
    assert fake.messages == []
    assert (message.state, dead.response_status, schedule.cron) == ("FAILED", 500, "* * * * *")


def test_after_reset_ids_begin_anew(fake):
    CLIENT.message.publish(url=JOBS)
    first = fake.messages[0].message_id
    fake.reset()
    CLIENT.message.publish(url=JOBS)
    assert fake.messages[0].message_id == first


def test_verify_tells_once_what_the_application_swallowed(fake):
    httpx.post("https://qstash.upstash.io/v1/wait/x", headers={"Authorization": "Bearer a-token"})
    with pytest.raises(UsageError) as caught:
        fake.verify()
    assert str(caught.value) == (
        "qstash_fake was used in a way that cannot work:\nPOST /v1/wait/x is not simulated by qstash_fake"
    )
    fake.verify()


def test_verify_names_a_call_without_its_token(fake):
    httpx.post("https://qstash.upstash.io/v1/wait/x?qstash_token=secret")
    with pytest.raises(UsageError) as caught:
        fake.verify()
    assert "secret" not in str(caught.value)


def test_an_error_of_the_block_is_not_covered_by_what_verify_would_say():
    fake = QStashFake().__enter__()
    httpx.post("https://qstash.upstash.io/v1/wait/x?qstash_token=t")
    fake.__exit__(KeyError, KeyError("mine"), None)
    with pytest.raises(UsageError, match="POST /v1/wait/x"):
        fake.verify()


def test_refusals_of_qstash_and_faults_asked_for_are_no_misuse():
    with QStashFake() as fake:
        fake.api.fail(503)
        fake.api.fail("daily")
        for _ in range(2):
            with pytest.raises(QStashError):
                CLIENT.message.publish(url=JOBS)
        with pytest.raises(QStashError, match="invalid scheme"):
            CLIENT.message.publish(url="ftp://shop.example")
    assert fake.messages == []


def test_a_verb_that_a_handler_calls_and_swallows_fails_the_verb_that_runs(fake):
    def app(request):
        with contextlib.suppress(UsageError):
            fake.drain()
        return httpx.Response(200)

    fake.mount(app)
    CLIENT.message.publish(url=JOBS)
    with pytest.raises(UsageError, match=r"drain\(\) was called while deliver_due\(\) runs"):
        fake.deliver_due()
    fake.verify()


# --- seeds --------------------------------------------------------------------------------------------------------


def journal_of(**options):
    with QStashFake(start=START_TEXT, **options) as fake:
        fake.on(JOBS).respond_with([503, 200, 200])
        CLIENT.message.publish_json(url=JOBS, body={"order": 7}, delay="5m")
        CLIENT.message.enqueue(queue="billing", url=JOBS)
        fake.drain()
        request = fake.signed_request(JOBS, b"{}")
        return fake.timeline(), [message.message_id for message in fake.messages], request.headers.raw


def test_the_same_seed_gives_the_same_journal_to_the_byte():
    assert journal_of(seed=7) == journal_of(seed=7)


def test_another_seed_gives_other_ids():
    assert set(journal_of(seed=7)[1]).isdisjoint(journal_of(seed=8)[1])
