"""What the assertions find, and word for word what they say when they find nothing."""

import re
from datetime import timedelta

import pytest
from freezegun import freeze_time
from qstash import QStash

from qstash_fake import QStashFake
from tests.shop import JOBS
from tests.testing.failures import CLIENT, due_in, failure, publish

pytestmark = pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z")


# --- what failures say ----------------------------------------------------------------------------------------------


def test_nothing_was_published_at_all(qstash_fake):
    assert failure(qstash_fake.assert_published, url=JOBS, json={"order": 8}, delay="4m", label="x") == [
        f"no message was published with url={JOBS}, json={{\"order\": 8}}, delay='4m', label='x'",
        "no message was published at all",
        "nothing is pending",
    ]
    assert failure(qstash_fake.assert_published)[0] == "no message was published"


def test_a_near_miss_says_in_what_it_differs(qstash_fake):
    publish(delay="5m")
    asked = {"json": {"order": 8}, "method": "PUT", "queue": "billing", "headers": {"X-Tenant": "a"}, "label": "b"}
    assert failure(qstash_fake.assert_published, url=JOBS, delay="4m", **asked)[1:] == [
        "1 message was published:",
        f'  POST {JOBS} (msg_…, CREATED, due 2026-01-01T00:05:00Z) {{"order": 7}}',
        "    method: expected 'PUT', got 'POST'",
        "    queue: expected 'billing', there is none",
        "    json.order: expected 8, got 7",
        "    headers: expected X-Tenant: 'a', there is none",
        "    delay: expected 4m, got 5m",
        "    label: expected 'b', there is none",
        due_in("5m"),
    ]


def test_each_thing_that_can_be_asked_has_a_sentence_of_its_own(qstash_fake):
    publish(retries=1, timeout="10s", flow_control={"key": "tenant", "rate": 2}, callback="https://shop.example/done")
    asked = {
        "retries": 3,
        "timeout": "30s",
        "callback": "https://shop.example/*/done",
        "failure_callback": re.compile(".*"),
        "flow_control": {"key": "tenant", "rate": 2, "period": "1m"},
        "deduplication_id": "order-7",
    }
    lines = failure(qstash_fake.assert_published, **asked)
    assert lines[0] == (
        "no message was published with retries=3, timeout='30s', callback=https://shop.example/*/done, "
        "failure_callback=/.*/, flow_control={'key': 'tenant', 'rate': 2, 'period': '1m'}, deduplication_id='order-7'"
    )
    assert lines[3:9] == [
        "    retries: expected 3, got 1",
        "    timeout: expected 30s, got 10s",
        "    callback: expected https://shop.example/*/done, got https://shop.example/done",
        "    failure_callback: expected /.*/, there is none",
        "    flow_control.period: expected 1m, got 1s",
        "    deduplication_id: expected 'order-7', there is none",
    ]
    assert "    timeout: expected 30s, got 10s" in lines
    publish()
    lines = failure(qstash_fake.assert_published, timeout=1, flow_control={"rate": 1}, times=2)
    assert lines[3:5] == [
        "    timeout: expected 1s, there is none",
        "    flow_control.rate: expected 1, there is none",
    ]


@pytest.mark.asyncio
async def test_on_an_event_loop_the_verb_that_works_there_is_named(qstash_fake):
    publish(delay="5m")
    assert failure(qstash_fake.assert_delivered)[-1] == (
        "1 message is pending, the next is due in 5m: deliver with await qstash_fake.clock.advance_async('5m'), "
        "or all with await qstash_fake.drain_async()"
    )
    publish()
    assert failure(qstash_fake.assert_delivered)[-1].endswith("deliver with await qstash_fake.deliver_due_async()")


def test_the_closest_comes_first_and_only_five_are_shown(qstash_fake):
    for number in range(6):
        publish(url=f"https://api.example/{number}", body="")
    publish(body="nearly")
    lines = failure(qstash_fake.assert_published, url=JOBS, body="exactly")
    assert lines[1:5] == [
        "7 messages were published, the closest first:",
        f"  POST {JOBS} (msg_…, CREATED, due 2026-01-01T00:00:00Z) nearly",
        "    body: expected 'exactly', got 'nearly'",
        "  POST https://api.example/5 (msg_…, CREATED, due 2026-01-01T00:00:00Z) no body",
    ]
    assert lines[-2:] == [
        "  … and 2 more",
        "7 messages are pending, the next is due now: deliver with qstash_fake.deliver_due()",
    ]


def test_too_many_are_listed(qstash_fake):
    publish()
    publish()
    publish(url="https://api.example/other")
    assert failure(qstash_fake.assert_published, url=JOBS, times=1)[:-1] == [
        f"2 messages were published with url={JOBS}; expected 1",
        f'  POST {JOBS} (msg_…, CREATED, due 2026-01-01T00:00:00Z) {{"order": 7}}',
        f'  POST {JOBS} (msg_…, CREATED, due 2026-01-01T00:00:00Z) {{"order": 7}}',
    ]


def test_too_few_are_listed_with_what_is_close(qstash_fake):
    publish()
    publish(body='{"order": 8}')
    assert failure(qstash_fake.assert_published, json={"order": 7}, times=2)[:5] == [
        '1 message was published with json={"order": 7}; expected 2',
        f'  POST {JOBS} (msg_…, CREATED, due 2026-01-01T00:00:00Z) {{"order": 7}}',
        "1 other message was published:",
        f'  POST {JOBS} (msg_…, CREATED, due 2026-01-01T00:00:00Z) {{"order": 8}}',
        "    json.order: expected 7, got 8",
    ]


def test_what_was_published_although_nothing_should_be_is_listed(qstash_fake):
    for _ in range(7):
        publish(label="a")
    lines = failure(qstash_fake.assert_nothing_published, label="a")
    assert (lines[0], len(lines), lines[-1]) == (
        "7 messages were published with label='a'; expected none",
        7,
        "  … and 2 more",
    )
    assert failure(qstash_fake.assert_nothing_published)[0] == "7 messages were published; expected none"


def test_a_condition_that_says_no_is_named(qstash_fake):
    def is_urgent(message):
        return False

    publish(headers={"X-Tenant": "shop"}, label="a,b")
    lines = failure(qstash_fake.assert_published, where=is_urgent, headers={"X-Tenant": "x"}, label="c")
    assert lines[0] == "no message was published with headers={'X-Tenant': 'x'}, label='c', where=is_urgent"
    assert lines[3:6] == [
        "    headers: expected X-Tenant: 'x', got 'shop'",
        "    label: expected 'c', got 'a', 'b'",
        "    where: is_urgent said no",
    ]


def test_a_body_that_is_no_json_says_so(qstash_fake):
    publish(body="hello")
    line = failure(qstash_fake.assert_published, json={"order": 7})[3]
    assert line == "    json: expected {\"order\": 7}, but the body is no JSON: 'hello'"


def test_redacted_values_are_never_shown(qstash_fake):
    publish(body='{"card": "4242"}', headers={"X-Key": "hush"}, redact={"body": True, "header": True})
    qstash_fake.assert_published(json={"card": "4242"}, headers={"X-Key": "hush"})
    texts = [
        failure(qstash_fake.assert_published, json={"card": "1"}, headers={"X-Key": "loud"}),
        failure(qstash_fake.assert_published, json={"order": 7}),
        failure(qstash_fake.assert_published, json=[]),
        failure(qstash_fake.assert_published, body="x"),
        failure(qstash_fake.assert_nothing_published),
        failure(qstash_fake.assert_idle),
        failure(qstash_fake.assert_delivered),
        [qstash_fake.timeline()],
    ]
    shown = "\n".join(line for text in texts for line in text)
    assert "4242" not in shown
    assert "hush" not in shown
    assert '    json: expected {"card": "1"}, got something else, which is redacted' in texts[0]
    assert any(line.startswith("    headers: expected X-Key: 'loud', got 'REDACTED:") for line in texts[0])


def test_long_values_are_cut(qstash_fake):
    publish(body="x" * 1000)
    assert failure(qstash_fake.assert_nothing_published)[1].endswith(" " + "x" * 200 + "… (1000 characters)")


# --- delivered, dead-lettered, scheduled, idle ----------------------------------------------------------------------


def test_an_undelivered_message_is_shown_with_its_state(qstash_fake):
    publish(retry_delay="12000")
    qstash_fake.on(JOBS).respond(503)
    qstash_fake.deliver_due()
    assert failure(qstash_fake.assert_delivered, url=JOBS) == [
        f"no message was delivered with url={JOBS}",
        "1 message was published like this, but not delivered:",
        f'  POST {JOBS} (msg_…, RETRY, last attempt: 503, due 2026-01-01T00:00:12Z) {{"order": 7}}',
        due_in("12s"),
    ]


def test_what_a_destination_wrote_with_its_refusal_is_shown(qstash_fake):
    publish(retry_delay="12000")
    qstash_fake.on(JOBS).respond(401, text="no\n  signature")
    qstash_fake.deliver_due()
    assert failure(qstash_fake.assert_delivered, url=JOBS)[2] == (
        f'  POST {JOBS} (msg_…, RETRY, last attempt: 401, due 2026-01-01T00:00:12Z) {{"order": 7}} → no signature'
    )


def test_a_schedule_that_drain_has_left_out_is_told(qstash_fake):
    QStash("a-token").schedule.create(destination=JOBS, cron="30 2 * * *")
    qstash_fake.drain()
    assert failure(qstash_fake.assert_delivered, url=JOBS)[-1] == (
        "nothing is pending, the next schedule tick is in 2h30m: reach it with "
        "qstash_fake.clock.advance('2h30m'), drain() runs no schedule"
    )


def test_a_delivered_message_is_found(qstash_fake):
    publish()
    qstash_fake.on(JOBS).respond(200)
    qstash_fake.drain()
    assert qstash_fake.assert_delivered(url=JOBS, json={"order": 7}, times=1) is qstash_fake.messages[0]


def test_a_dead_letter_is_found_by_its_last_status(qstash_fake):
    publish(retries=1)
    qstash_fake.on(JOBS).respond_with([500, 503])
    qstash_fake.drain()
    assert qstash_fake.assert_dead_lettered(url=JOBS, status=503, times=1) is qstash_fake.dlq[0]
    assert failure(qstash_fake.assert_dead_lettered, url=JOBS, status=500) == [
        f"no message was dead-lettered with url={JOBS}, status=500",
        "1 message was dead-lettered:",
        f'  POST {JOBS} (msg_…, FAILED, last attempt: 503) {{"order": 7}}',
        "    status: expected 500, got 503",
        "nothing is pending",
    ]


def test_a_delivered_message_is_no_dead_letter(qstash_fake):
    publish()
    qstash_fake.on(JOBS).respond(200)
    qstash_fake.drain()
    assert failure(qstash_fake.assert_dead_lettered, url=JOBS, status=503)[1:3] == [
        "1 message was published like this, but not dead-lettered:",
        f'  POST {JOBS} (msg_…, DELIVERED) {{"order": 7}}',
    ]


def test_a_schedule_is_found_by_cron_and_destination(qstash_fake):
    CLIENT.schedule.create(destination=JOBS, cron="0 9 * * 1")
    assert qstash_fake.assert_scheduled("0 9 * * 1", JOBS).destination == JOBS
    assert qstash_fake.assert_scheduled(destination="https://shop.example/*").cron == "0 9 * * 1"
    assert qstash_fake.assert_scheduled(cron=" 0 9 * * 1 ") is qstash_fake.assert_scheduled()


def test_a_missing_schedule_is_told_with_those_there_are(qstash_fake):
    assert failure(qstash_fake.assert_scheduled, cron="0 9 * * 1") == [
        "no schedule with cron='0 9 * * 1'",
        "there is no schedule at all",
    ]
    CLIENT.schedule.create(destination=JOBS, cron="0 8 * * 1")
    assert failure(qstash_fake.assert_scheduled, cron="0 9 * * 1", destination=JOBS) == [
        f"no schedule with cron='0 9 * * 1', destination='{JOBS}'",
        "there is 1 schedule:",
        f"  '0 8 * * 1' → {JOBS} (next 2026-01-05T08:00:00Z)",
    ]


def test_idle_is_when_nothing_is_pending(qstash_fake):
    qstash_fake.assert_idle()
    publish(delay="1h")
    assert failure(qstash_fake.assert_idle) == [
        "not idle: " + due_in("1h"),
        f'  POST {JOBS} (msg_…, CREATED, due 2026-01-01T01:00:00Z) {{"order": 7}}',
    ]


def test_a_schedule_alone_is_idle(qstash_fake):
    CLIENT.schedule.create(destination=JOBS, cron="* * * * *")
    qstash_fake.assert_idle()


def test_what_holds_a_message_is_said(qstash_fake):
    CLIENT.queue.upsert("billing", paused=True)
    CLIENT.message.enqueue(queue="billing", url=JOBS)
    qstash_fake.drain()
    assert failure(qstash_fake.assert_idle)[0] == "not idle: 1 message is pending (queue 'billing' is paused)"
    assert "(held)" in qstash_fake.timeline()


def test_a_message_in_flight_is_said_to_be(qstash_fake):
    publish()
    qstash_fake.on(JOBS).respond(200).takes("30s")
    qstash_fake.clock.advance("10s")
    assert failure(qstash_fake.assert_idle) == [
        "not idle: " + due_in("20s"),
        f'  POST {JOBS} (msg_…, ACTIVE, in flight since 2026-01-01T00:00:00Z) {{"order": 7}}',
    ]
    assert "(active)" in qstash_fake.timeline()


def test_while_the_clock_runs_the_wait_is_in_whole_seconds():
    with freeze_time("2026-01-01") as real, QStashFake() as fake:
        publish(delay="1h")
        real.tick(timedelta(milliseconds=2300))
        assert "is due in 59m58s: deliver" in failure(fake.assert_idle)[0]
