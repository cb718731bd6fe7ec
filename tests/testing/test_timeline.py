"""The journal: the states that a message passes through, and the timeline that shows them."""

import textwrap

import httpx
import pytest
from qstash import QStash

from qstash_fake import QStashFake

JOB = "https://shop.example/jobs/invoice"

pytestmark = pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z")


def log(fake) -> list[tuple[float, str]]:
    """Seconds since the first entry, and the state, of each entry."""
    first = fake.logs[0].at
    return [((entry.at - first).total_seconds(), entry.state) for entry in fake.logs]


@pytest.mark.protocol("4.1 three entries of a success")
def test_a_delivery_that_succeeds(qstash_fake, client):
    qstash_fake.on(JOB).respond(200)
    client.message.publish(url=JOB, delay="10s")
    qstash_fake.drain()
    assert log(qstash_fake) == [(0, "CREATED"), (10, "ACTIVE"), (10, "DELIVERED")]


@pytest.mark.protocol("4.1 four entries of a failure")
def test_a_failed_message_without_retries_has_exactly_four_entries(qstash_fake, client):
    qstash_fake.on(JOB).respond(500)
    client.message.publish(url=JOB, retries=0)
    qstash_fake.drain()
    assert [state for _, state in log(qstash_fake)] == ["CREATED", "ACTIVE", "ERROR", "FAILED"]


@pytest.mark.protocol("4.1 retry")
def test_a_retry_is_active_at_its_start_and_the_rest_at_its_end(qstash_fake, client):
    qstash_fake.on(JOB).respond_with([500, 500]).takes("2s")
    client.message.publish(url=JOB, retries=1, retry_delay="12000")
    qstash_fake.drain()
    assert log(qstash_fake) == [
        (0, "CREATED"),
        (0, "ACTIVE"),
        (2, "ERROR"),
        (2, "RETRY"),
        (14, "ACTIVE"),
        (16, "ERROR"),
        (16, "FAILED"),
    ]
    assert qstash_fake.dlq[0].dlq_id.startswith("1767225616000-")


def test_a_time_out_ends_at_the_timeout(qstash_fake, client):
    qstash_fake.on(JOB).time_out()
    client.message.publish(url=JOB, retries=0, timeout="30s")
    qstash_fake.drain()
    assert log(qstash_fake)[1:] == [(0, "ACTIVE"), (30, "ERROR"), (30, "FAILED")]


@pytest.mark.protocol("4.1 one L")
def test_a_waiting_message_leaves_at_once_when_it_is_cancelled(qstash_fake, client):
    message_id = client.message.publish(url=JOB, delay="1h").message_id
    client.message.cancel(message_id)
    assert log(qstash_fake) == [(0, "CREATED"), (0, "CANCEL_REQUESTED"), (0, "CANCELED")]


@pytest.mark.parametrize(("status", "end"), [(200, [(30, "DELIVERED")]), (500, [(30, "ERROR"), (30, "CANCELED")])])
def test_a_message_that_is_cancelled_in_flight_ends_with_its_attempt(qstash_fake, client, status, end):
    qstash_fake.on(JOB).respond(status).takes("30s")
    message_id = client.message.publish(url=JOB).message_id
    qstash_fake.clock.advance("10s")
    client.message.cancel(message_id)
    qstash_fake.drain()
    assert log(qstash_fake) == [(0, "CREATED"), (0, "ACTIVE"), (10, "CANCEL_REQUESTED"), *end]
    assert qstash_fake.dlq == []


def test_a_callback_is_created_at_the_end_of_the_attempt(qstash_fake, client):
    qstash_fake.on("*").respond(200)
    qstash_fake.on(JOB).respond(200).takes("5s")
    client.message.publish(url=JOB, callback="https://shop.example/done")
    qstash_fake.drain()
    assert [
        (seconds, entry.state, entry.url)
        for (seconds, _), entry in zip(log(qstash_fake), qstash_fake.logs, strict=True)
    ] == [
        (0, "CREATED", JOB),
        (0, "ACTIVE", JOB),
        (5, "DELIVERED", JOB),
        (5, "CREATED", "https://shop.example/done"),
        (5, "ACTIVE", "https://shop.example/done"),
        (5, "DELIVERED", "https://shop.example/done"),
    ]


def test_ends_come_before_ticks_and_ticks_before_starts(qstash_fake, client):
    qstash_fake.on("*").respond(200)
    qstash_fake.on(JOB + "/long").respond(200).takes("1m")
    client.message.publish(url=JOB + "/start", delay="1m")
    client.schedule.create(destination=JOB + "/tick", cron="* * * * *")
    client.message.publish(url=JOB + "/long")
    qstash_fake.clock.advance("1m")
    assert [(entry.state, entry.url.rpartition("/")[2]) for entry in qstash_fake.logs[3:]] == [
        ("DELIVERED", "long"),
        ("CREATED", "tick"),
        ("ACTIVE", "start"),
        ("DELIVERED", "start"),
        ("ACTIVE", "tick"),
        ("DELIVERED", "tick"),
    ]


def test_a_log_entry_tells_what_went_wrong_and_when_it_goes_on(qstash_fake, client):
    qstash_fake.on(JOB).respond_with([503]).times(1)
    client.message.publish(url=JOB, delay="10s")
    qstash_fake.clock.advance("10s")
    created, active, error, retry = qstash_fake.logs
    assert (created.next_delivery_at, created.error, created.status) == (active.at, None, None)
    assert (error.error, error.status, error.next_delivery_at) == ("destination answered 503", 503, None)
    assert retry.next_delivery_at == qstash_fake.messages[0].due_at
    assert {entry.message_id for entry in qstash_fake.logs} == {qstash_fake.messages[0].message_id}


def test_log_entries_are_redacted_and_messages_are_not(qstash_fake):
    headers = {"Authorization": "Bearer token", "Upstash-Redact-Fields": "body", "Content-Type": "text/plain"}
    httpx.post(f"https://qstash.upstash.io/v2/publish/{JOB}", headers=headers, content=b"secret")
    assert b"secret" not in qstash_fake.logs[0].body
    assert qstash_fake.messages[0].body == b"secret"


def test_the_timeline_of_one_message_from_publish_to_dead_letter(qstash_fake, client):
    qstash_fake.on(JOB).time_out()
    qstash_fake.on(JOB).respond_with([503, {"status": 429, "headers": {"Retry-After": "7"}}])
    client.message.publish(url=JOB, delay="5m", retries=2, retry_delay="12000")
    qstash_fake.drain()
    assert qstash_fake.timeline() == textwrap.dedent(
        """\
        times since 2026-01-01T00:00:00Z
                 +0s  CREATED   msg_w2E686… POST https://shop.example/jobs/invoice  due in 5m
                 +5m  ACTIVE    msg_w2E686… POST https://shop.example/jobs/invoice  attempt 1 of 3
                 +5m  ERROR     msg_w2E686… POST https://shop.example/jobs/invoice  destination answered 503
                 +5m  RETRY     msg_w2E686… POST https://shop.example/jobs/invoice  due in 12s
              +5m12s  ACTIVE    msg_w2E686… POST https://shop.example/jobs/invoice  attempt 2 of 3
              +5m12s  ERROR     msg_w2E686… POST https://shop.example/jobs/invoice  destination answered 429
              +5m12s  RETRY     msg_w2E686… POST https://shop.example/jobs/invoice  due in 7s
              +5m19s  ACTIVE    msg_w2E686… POST https://shop.example/jobs/invoice  attempt 3 of 3
             +20m19s  ERROR     msg_w2E686… POST https://shop.example/jobs/invoice  timeout
             +20m19s  FAILED    msg_w2E686… POST https://shop.example/jobs/invoice  dead letter 1767226819000-0
        now 2026-01-01T00:20:19Z"""
    )


def test_the_timeline_shows_what_is_still_to_come(qstash_fake, client):
    client.message.publish(url=JOB, delay="90s")
    qstash_fake.clock.advance("1m")
    assert qstash_fake.timeline() == textwrap.dedent(
        """\
        times since 2026-01-01T00:00:00Z
                 +0s  CREATED   msg_w2E686… POST https://shop.example/jobs/invoice  due in 1m30s
              +1m30s  (due)     msg_w2E686… POST https://shop.example/jobs/invoice
        now 2026-01-01T00:01:00Z"""
    )


def test_times_count_from_the_start_of_the_clock_and_from_a_reset(qstash_fake, client):
    qstash_fake.clock.advance(days=3)
    client.message.publish(url=JOB)
    assert qstash_fake.timeline().splitlines()[:2] == [
        "times since 2026-01-01T00:00:00Z",
        "         +3d  CREATED   msg_w2E686… POST https://shop.example/jobs/invoice",
    ]
    qstash_fake.reset()
    qstash_fake.clock.advance("2h")
    client.message.publish(url=JOB)
    assert qstash_fake.timeline().splitlines()[:2] == [
        "times since 2026-01-04T00:00:00Z",
        "         +2h  CREATED   msg_w2E686… POST https://shop.example/jobs/invoice",
    ]


def test_times_count_from_the_first_entry_where_the_clock_has_no_start():
    with QStashFake() as fake:
        fake.clock.advance(days=3)
        QStash("a-token").message.publish(url=JOB)
        assert fake.timeline().splitlines()[1] == "         +0s  CREATED   msg_w2E686… POST " + JOB


def test_an_empty_timeline_says_so(qstash_fake):
    assert qstash_fake.timeline() == "nothing was published"


@pytest.mark.parametrize(("status", "state"), [(200, "DELIVERED"), (503, "ERROR")])
def test_the_timeline_says_that_an_answer_was_not_read_to_its_end(qstash_fake, client, status, state):
    qstash_fake.on(JOB).respond_with([{"status": status, "content": bytes(size)} for size in (52_428_799, 52_428_801)])
    for _ in range(2):
        client.message.publish(url=JOB, retries=0)
    qstash_fake.drain()
    whole, cut = (line for line in qstash_fake.timeline().splitlines() if f"  {state}" in line)
    assert "MiB" not in whole
    assert cut.endswith(f"{status}  only the first 50 MiB of the answer were read")
