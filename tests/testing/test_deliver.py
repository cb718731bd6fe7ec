"""deliver: the next attempt of one message, whenever it is due; its gates count, and nothing else is delivered."""

import httpx
import pytest
from qstash import QStash

from qstash_fake import UnroutedDestination, UsageError
from tests.times import at

JOB, OTHER = "https://shop.example/jobs", "https://shop.example/other"

pytestmark = pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z")


def test_a_message_is_delivered_before_its_time_alone_and_the_clock_stands_still(fake, client):
    for url, delay in ((OTHER, None), (JOB, "1h"), (OTHER, "1m")):
        client.message.publish(url=url, delay=delay)
    message = fake.messages[1]
    report = fake.deliver(message)
    assert (report.delivered, [attempt.message for attempt in fake.attempts]) == ((message,), [message])
    assert (message.state, message.due_at, message.attempts[0].at, fake.clock.now) == ("DELIVERED", at(), at(), at())
    assert len(fake.drain().attempts) == 2


def test_the_next_attempt_of_a_failed_message_needs_no_wait(qstash_fake, client):
    qstash_fake.on(JOB).respond_with([500, 500, 200])
    client.message.publish(url=JOB)
    (message,) = qstash_fake.messages
    for state in ("RETRY", "RETRY", "DELIVERED"):
        qstash_fake.deliver(message)
        assert message.state == state
    assert [(attempt.at, attempt.retried) for attempt in message.attempts] == [(at(), 0), (at(), 1), (at(), 2)]


def test_what_the_handler_publishes_is_left_for_the_next_verb(qstash_fake, client):
    def app(request):
        client.message.publish(url=OTHER)
        return httpx.Response(200)

    qstash_fake.mount(app, JOB)
    qstash_fake.on(OTHER).respond(200)
    client.message.publish(url=JOB)
    assert len(qstash_fake.deliver(qstash_fake.messages[0]).attempts) == 1
    assert [message.url for message in qstash_fake.pending] == [OTHER]


def test_an_attempt_that_is_sent_twice_is_sent_twice_here(fake, client):
    client.message.publish(url=JOB, delay="1h")
    fake.duplicate_next(JOB)
    (message,) = fake.messages
    assert len(fake.deliver(message).attempts) == 2
    assert [attempt.lost for attempt in message.attempts] == [True, False]
    assert message.state == "DELIVERED"


def test_an_exception_of_the_application_is_raised_and_the_retry_waits(qstash_fake, client):
    def app(request):
        raise ZeroDivisionError

    qstash_fake.mount(app)
    client.message.publish(url=JOB, delay="1h", retry_delay="12000")
    (message,) = qstash_fake.messages
    with pytest.raises(ZeroDivisionError):
        qstash_fake.deliver(message)
    assert (message.state, message.due_at) == ("RETRY", at(0, 0, 12))


def test_what_is_due_beside_the_message_is_not_said_to_be_held(fake, client):
    client.message.publish(url=JOB)
    client.message.publish(url=JOB)
    client.message.publish(url=JOB, flow_control={"key": "tenant", "rate": 1})
    assert fake.deliver(fake.messages[0]).held == {}


# --- what it refuses ----------------------------------------------------------------------------------------------


def test_a_message_that_is_held_is_refused_with_the_reason_and_keeps_its_due_time(fake, client):
    client.message.publish(url=JOB, delay="1h", flow_control={"key": "tenant", "rate": 1})
    fake.api.answer("POST", "/v2/flowControl/tenant/pause", [("Authorization", "Bearer t")], b"")
    (message,) = fake.messages
    with pytest.raises(UsageError) as caught:
        fake.deliver(message)
    assert str(caught.value) == f"{message!r} is held: flow-control key 'tenant' is paused"
    assert (message.state, message.due_at, fake.attempts) == ("CREATED", at(1), [])


def test_a_message_behind_another_one_of_its_queue_is_refused(fake, client):
    for _ in range(2):
        client.message.enqueue(queue="mails", url=JOB)
    first, second = fake.messages
    with pytest.raises(UsageError, match=r"^<Message .*> is held: "):
        fake.deliver(second)
    fake.deliver(first)
    fake.deliver(second)
    assert fake.delivered == [first, second]


def test_a_message_in_flight_is_refused(fake, client):
    fake.on(JOB).respond(200).takes("30s")
    client.message.publish(url=JOB)
    (message,) = fake.messages
    fake.deliver(message)
    with pytest.raises(UsageError, match=r"^<Message .* ACTIVE> is in flight: let its attempt end first$"):
        fake.deliver(message)


def test_a_message_that_has_ended_is_refused_though_nobody_would_answer_it(qstash_fake, client):
    client.message.publish(url=JOB)
    (message,) = qstash_fake.messages
    client.message.cancel(message.message_id)
    with pytest.raises(UsageError, match=r"^<Message .* CANCELED> has ended: there is no attempt left to deliver$"):
        qstash_fake.deliver(message)


def test_a_message_that_nobody_answers_keeps_its_due_time(qstash_fake, client):
    client.message.publish(url=JOB, delay="1h")
    (message,) = qstash_fake.messages
    with pytest.raises(UnroutedDestination):
        qstash_fake.deliver(message)
    assert (message.state, message.due_at, qstash_fake.deliver_due().attempts) == ("CREATED", at(1), ())


def test_a_message_of_before_a_reset_is_refused(fake, client):
    client.message.publish(url=JOB)
    (message,) = fake.messages
    fake.reset()
    with pytest.raises(UsageError, match=r"is no message of this fake: it was there before reset\(\), or belongs to"):
        fake.deliver(message)


def test_what_is_no_message_is_refused(fake):
    answer = QStash("token").message.publish(url=JOB)
    with pytest.raises(UsageError, match=r"^deliver\(.*\) has nothing to deliver: give a message of"):
        fake.deliver(answer)
