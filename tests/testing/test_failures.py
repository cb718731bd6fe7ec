"""What a failing assertion tells besides what it looked for: near misses, calls in vain, signatures."""

from __future__ import annotations

import contextlib
import textwrap

import httpx
import pytest
from qstash import Receiver
from qstash.errors import QStashError

from tests.shop import JOBS
from tests.testing.failures import CLIENT, due_in, failure, publish

pytestmark = pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z")

OTHER = "https://shop.example/jbos"


def refused(**options):
    with contextlib.suppress(QStashError):  # as an application that only logs
        publish(**options)


# --- calls that made no message -------------------------------------------------------------------------------------


def test_a_refused_publish_is_told_where_nothing_is_found_and_in_the_timeline(qstash_fake):
    refused(delay="5 minutes")
    sentence = (
        f"POST /v2/publish/{JOBS} was refused with 400: invalid Upstash-Delay header: "
        'time: unknown unit " minutes" in duration "5 minutes"'
    )
    assert failure(qstash_fake.assert_published, url=JOBS) == [
        f"no message was published with url={JOBS}",
        "no message was published at all",
        "1 call made no message:",
        f"  {sentence}",
        "nothing is pending",
    ]
    assert qstash_fake.timeline() == textwrap.dedent(
        f"""\
        times since 2026-01-01T00:00:00Z
                 +0s  —         {sentence}
        now 2026-01-01T00:00:00Z"""
    )


def test_a_duplicate_is_told_where_too_few_are_found_and_in_the_timeline(qstash_fake):
    for _ in range(2):
        publish(deduplication_id="order-7")
    first = qstash_fake.messages[0].message_id[:10]
    sentence = f"a publish to {JOBS} is a duplicate of {first}… and made no message"
    assert failure(qstash_fake.assert_published, times=2)[2:4] == [
        "1 call made no message:",
        f"  {sentence}".replace(first, "msg_"),
    ]
    assert f"         +0s  —         {sentence}" in qstash_fake.timeline().splitlines()


def test_the_newest_five_calls_are_told(qstash_fake):
    for number in range(7):
        refused(url_group=f"group-{number}", url=None)
    lines = failure(qstash_fake.assert_published)
    assert lines[2:5] == [
        "7 calls made no message:",
        "  … 2 before",
        "  POST /v2/publish/group-2 was refused with 404: topic group-2 not found",
    ]
    assert lines[-2] == "  POST /v2/publish/group-6 was refused with 404: topic group-6 not found"


def test_what_only_reads_is_in_the_timeline_alone(qstash_fake):
    with pytest.raises(QStashError):
        CLIENT.message.get("msg_1")
    assert "GET /v2/messages/msg_1 was refused with 404: message msg_1 not found" in qstash_fake.timeline()
    assert failure(qstash_fake.assert_published)[2:] == ["nothing is pending"]


def test_a_dropped_connection_is_told(qstash_fake):
    qstash_fake.api.drop_connection()
    with pytest.raises(httpx.ConnectError):
        httpx.post(f"https://qstash.upstash.io/v2/publish/{JOBS}?key=hidden", headers={"Authorization": "Bearer t"})
    assert failure(qstash_fake.assert_published)[3] == (
        f"  the connection of POST /v2/publish/{JOBS} broke before an answer came"
    )


def test_no_call_is_told_where_there_are_too_many(qstash_fake):
    refused(delay="5 minutes")
    publish()
    assert not any("made no message" in line for line in failure(qstash_fake.assert_published, times=0))


def test_a_refused_schedule_and_a_refused_workflow_are_told(qstash_fake):
    with pytest.raises(QStashError):
        CLIENT.schedule.create(destination=JOBS, cron="every night")
    told = [line for line in failure(qstash_fake.assert_scheduled) if "was refused with 400" in line]
    assert told == [line for line in failure(qstash_fake.assert_workflow) if "was refused with 400" in line]
    assert told[0].startswith(f"  POST /v2/schedules/{JOBS} was refused with 400: ")


# --- near misses ----------------------------------------------------------------------------------------------------


def test_a_message_to_another_url_is_the_near_miss_of_a_delivery(qstash_fake):
    qstash_fake.on("*").respond(404)
    publish(url=OTHER, retries=0)
    qstash_fake.drain()
    assert failure(qstash_fake.assert_delivered, url=JOBS) == [
        f"no message was delivered with url={JOBS}",
        "1 message was published, but not delivered:",
        f'  POST {OTHER} (msg_…, FAILED, last attempt: 404) {{"order": 7}}',
        f"    url: expected {JOBS}, got {OTHER}",
        "nothing is pending",
    ]


def test_a_message_that_was_delivered_is_the_near_miss_of_a_dead_letter(qstash_fake):
    qstash_fake.on("*").respond(200)
    publish()
    qstash_fake.drain()
    assert failure(qstash_fake.assert_dead_lettered, json={"order": 8}, status=503)[1:4] == [
        "1 message was published, but not dead-lettered:",
        f'  POST {JOBS} (msg_…, DELIVERED) {{"order": 7}}',
        "    json.order: expected 8, got 7",
    ]


def test_beside_the_message_that_was_asked_for_no_other_is_listed(qstash_fake):
    qstash_fake.on(JOBS).respond(404)
    qstash_fake.on(OTHER).respond(200)
    publish(retries=0)
    publish(url=OTHER)
    qstash_fake.drain()
    assert failure(qstash_fake.assert_delivered, JOBS, json={"order": 7}) == [
        f'no message was delivered with url={JOBS}, json={{"order": 7}}',
        "1 message was published like this, but not delivered:",
        f'  POST {JOBS} (msg_…, FAILED, last attempt: 404) {{"order": 7}}',
        "nothing is pending",
    ]


def test_a_dead_letter_with_another_status_is_listed_beside_a_message_without_one(qstash_fake):
    qstash_fake.on(JOBS).respond_with([500, 200])
    publish(retries=0)
    publish()
    qstash_fake.drain()
    assert failure(qstash_fake.assert_dead_lettered, JOBS, status=503)[1:] == [
        "1 message was published like this, but not dead-lettered:",
        f'  POST {JOBS} (msg_…, DELIVERED) {{"order": 7}}',
        "1 message was dead-lettered:",
        f'  POST {JOBS} (msg_…, FAILED, last attempt: 500) {{"order": 7}}',
        "    status: expected 503, got 500",
        "nothing is pending",
    ]


def test_an_order_that_misses_a_message_shows_what_became_of_it(qstash_fake):
    qstash_fake.on(JOBS).respond(503)
    qstash_fake.on(OTHER).respond(200)
    publish(retry_delay="12000")
    publish(url=OTHER)
    qstash_fake.deliver_due()
    pending, done = (f"  POST {url} (msg_…, {state})" for url, state in ((JOBS, "RETRY"), (OTHER, "DELIVERED")))
    for item in (JOBS, qstash_fake.messages[0]):
        lines = failure(qstash_fake.assert_order, [OTHER, item])
        assert lines[1:5] == [
            "delivered were, in order:",
            f'{done} {{"order": 7}}',
            "1 message was published like this, but not delivered:",
            f'{pending[:-1]}, last attempt: 503, due 2026-01-01T00:00:12Z) {{"order": 7}}',
        ]
    assert failure(qstash_fake.assert_order, ["https://shop.example/nowhere"])[3:6] == [
        "1 message was published, but not delivered:",
        f'{pending[:-1]}, last attempt: 503, due 2026-01-01T00:00:12Z) {{"order": 7}}',
        f"    url: expected https://shop.example/nowhere, got {JOBS}",
    ]


def test_the_closest_schedule_comes_first_with_its_state(qstash_fake):
    CLIENT.schedule.create(destination=OTHER, cron="0 8 * * 1")
    paused = CLIENT.schedule.create(destination=JOBS, cron="0 7 * * 1")
    CLIENT.schedule.pause(paused)
    CLIENT.schedule.create(destination=OTHER, cron="0 6 * * 1")
    assert failure(qstash_fake.assert_scheduled, cron="0 9 * * 1", destination=JOBS)[1:] == [
        "there are 3 schedules:",
        f"  '0 7 * * 1' → {JOBS} (paused)",
        f"  '0 6 * * 1' → {OTHER} (next 2026-01-05T06:00:00Z)",
        f"  '0 8 * * 1' → {OTHER} (next 2026-01-05T08:00:00Z)",
    ]


# --- a signature that is refused ------------------------------------------------------------------------------------


def refusing(seen):
    receiver = Receiver("sig_current", "sig_next")

    def app(request):
        with pytest.raises(Exception, match=r".") as refused:
            receiver.verify(body=request.content.decode(), signature=request.headers["Upstash-Signature"], url=seen)
        return httpx.Response(401, text=type(refused.value).__name__)

    return app


def test_a_401_of_a_handler_shows_the_url_that_the_message_was_signed_for(qstash_fake):
    qstash_fake.mount(refusing("http://testserver/jobs"))
    publish(retry_delay="12000")
    qstash_fake.deliver_due()
    assert failure(qstash_fake.assert_delivered, url=JOBS) == [
        f"no message was delivered with url={JOBS}",
        "1 message was published like this, but not delivered:",
        f'  POST {JOBS} (msg_…, RETRY, last attempt: 401, due 2026-01-01T00:00:12Z) {{"order": 7}} → SignatureError',
        f"    the delivery was signed for {JOBS}: the handler has to verify it with this URL",
        due_in("12s"),
    ]
    assert f"{JOBS}  destination answered 401, signed for {JOBS}" in qstash_fake.timeline()


def test_a_401_after_two_rotations_shows_that_the_environment_does_not_hold_the_key(qstash_fake):
    qstash_fake.mount(refusing(JOBS))
    publish(retry_delay="12000")
    qstash_fake.signing_keys.rotate()
    qstash_fake.deliver_due()  # the environment holds this key as the next one
    qstash_fake.signing_keys.rotate()
    qstash_fake.clock.advance("12s")
    assert failure(qstash_fake.assert_delivered, url=JOBS)[3] == (
        f"    the delivery was signed for {JOBS}, with a key that is neither of the two in the environment: "
        "set QSTASH_CURRENT_SIGNING_KEY to qstash_fake.signing_keys.current "
        "and QSTASH_NEXT_SIGNING_KEY to qstash_fake.signing_keys.next"
    )
    refused = [line.split(", signed for ")[1] for line in qstash_fake.timeline().splitlines() if " ERROR " in line]
    assert refused == [JOBS, f"{JOBS}, with a key that is neither of the two in the environment"]


def test_keys_that_a_test_sets_later_do_not_change_what_is_said_of_an_earlier_attempt(qstash_fake, monkeypatch):
    qstash_fake.mount(refusing("http://testserver/jobs"))
    publish(retries=0)
    qstash_fake.deliver_due()
    monkeypatch.setenv("QSTASH_CURRENT_SIGNING_KEY", "sig_" + "1" * 28)
    monkeypatch.setenv("QSTASH_NEXT_SIGNING_KEY", "sig_" + "2" * 28)
    assert f"destination answered 401, signed for {JOBS}\n" in qstash_fake.timeline()


def test_a_401_of_a_route_is_what_the_test_wants(qstash_fake):
    qstash_fake.on(JOBS).respond(401)
    publish(retries=0)
    qstash_fake.drain()
    assert "signed for" not in "\n".join([*failure(qstash_fake.assert_delivered), qstash_fake.timeline()])


# --- what sets a message apart --------------------------------------------------------------------------------------


def test_the_timeline_marks_schedules_queues_labels_and_callbacks(qstash_fake):
    qstash_fake.on("*").respond(200)
    CLIENT.schedule.create(destination=f"{JOBS}/tick", cron="* * * * *", schedule_id="nightly")
    qstash_fake.clock.advance("1m")
    CLIENT.message.enqueue(queue="mails", url=f"{JOBS}/queued")
    publish(label="a,b", callback=f"{JOBS}/done")
    publish(label="held", delay="1h")
    qstash_fake.deliver_due()
    source = next(message for message in qstash_fake.messages if message.callback)
    lines = [line.strip() for line in qstash_fake.timeline().splitlines() if " CREATED " in line or "(due)" in line]
    assert [line[line.index(JOBS) + len(JOBS) :] for line in lines] == [
        "/tick  [schedule nightly]",
        "/queued  [queue mails]",
        "  [label a]  [label b]",
        "  [label held]  due in 1h",
        f"/done  [callback of {source.message_id[:10]}…]",
        "  [label held]",
    ]


def test_the_timeline_marks_what_was_redriven(qstash_fake):
    qstash_fake.on(JOBS).respond(500)
    publish(retries=0)
    qstash_fake.drain()
    qstash_fake.dlq[0].redrive()
    assert f"[redrive of {qstash_fake.messages[0].message_id[:10]}…]" in qstash_fake.timeline()
