"""What a test sees of a message in flight, of one that waits for its retry, and of one that has failed for good."""

from datetime import timedelta

import httpx
import pytest

from qstash_fake import UsageError
from tests.shop import JOBS, START
from tests.times import FIRST_RETRY_S

pytestmark = pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z")


def test_a_timed_out_answer_is_discarded_and_tried_again(qstash_fake, client):
    qstash_fake.on(JOBS).respond_with([200, 200]).takes("30s").times(1)
    qstash_fake.on(JOBS + "/other").respond(200)
    client.message.publish(url=JOBS, timeout="10s")
    qstash_fake.clock.advance("10s")
    (message,) = qstash_fake.messages
    assert (message.state, message.attempts[0].body) == ("RETRY", b"")
    assert message.due_at == START + timedelta(seconds=10 + FIRST_RETRY_S)


def test_a_message_in_flight_is_pending_and_active(qstash_fake, client):
    qstash_fake.on(JOBS).respond(200).takes("30s")
    client.message.publish(url=JOBS)
    qstash_fake.clock.advance("29s")
    (message,) = qstash_fake.pending
    assert (message.state, message.attempts[0].status, message.attempts[0].duration) == ("ACTIVE", None, None)
    qstash_fake.clock.advance("1s")
    assert message.state == "DELIVERED"


def test_a_message_that_fails_for_good_is_a_dead_letter_with_its_last_answer(qstash_fake, client):
    qstash_fake.on(JOBS).respond_with([500, {"status": 418, "text": "teapot"}])
    client.message.publish(url=JOBS, retries=1, body="x")
    report = qstash_fake.drain()
    (dead,) = qstash_fake.dlq
    assert report.dead == (dead.message,)
    assert (dead.response_status, dead.response_body, dead.message.state) == (418, b"teapot", "FAILED")
    assert qstash_fake.pending == []


def test_a_redriven_dead_letter_is_a_new_message_that_is_due_now(qstash_fake, client):
    retried = []

    def app(request):
        retried.append(request.headers["Upstash-Retried"])
        return httpx.Response(200 if request.headers["X-Tenant"] == "7" and len(retried) > 2 else 500)

    qstash_fake.mount(app)
    client.message.publish(url=JOBS, retries=1, delay="1h", body=b"\xff", headers={"X-Tenant": "7"})
    qstash_fake.drain()
    (dead,) = qstash_fake.dlq
    again = dead.redrive()
    assert again.message_id != dead.message.message_id
    assert (again.body, again.due_at, again.created_at, again.max_retries) == (b"\xff", *[qstash_fake.clock.now] * 2, 1)
    assert qstash_fake.dlq == []
    qstash_fake.deliver_due()
    assert (again.state, retried) == ("DELIVERED", ["0", "1", "0"])
    assert dead.message.state == "FAILED"


def test_a_dead_letter_is_redriven_once_only(qstash_fake, client):
    qstash_fake.on(JOBS).respond(500)
    client.message.publish(url=JOBS, retries=0)
    qstash_fake.drain()
    (dead,) = qstash_fake.dlq
    dead.redrive()
    with pytest.raises(UsageError, match=r"is no longer in the DLQ: it was redriven or deleted"):
        dead.redrive()
    assert len(qstash_fake.messages) == 2


def test_a_dead_letter_that_the_api_has_deleted_cannot_be_redriven(qstash_fake, client):
    qstash_fake.on(JOBS).respond(500)
    client.message.publish(url=JOBS, retries=0)
    qstash_fake.drain()
    (dead,) = qstash_fake.dlq
    client.dlq.delete(dead.dlq_id)
    with pytest.raises(UsageError, match=r"is no longer in the DLQ"):
        dead.redrive()
