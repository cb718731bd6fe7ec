import pytest

SMS = "https://notify.example/jobs/sms"


def test_notifications_keep_their_order_when_the_first_is_retried(qstash_fake, client, sent):
    qstash_fake.on(SMS).respond_with([503])
    client.post("/notifications", json={"text": "one"})
    client.post("/notifications", json={"text": "two"})

    qstash_fake.deliver_due()
    assert sent == []
    assert qstash_fake.queues["sms"].lag == 2

    qstash_fake.clock.advance("12s")
    assert sent == ["one", "two"]


def test_support_is_told_of_a_notification_that_fails_for_good(qstash_fake, client, sent):
    qstash_fake.on(SMS).respond(500)
    message = client.post("/notifications", json={"text": "one"}).get_json()["message"]
    qstash_fake.drain()

    assert sent == [f"support: {message} failed after 3 retries"]


def test_an_error_in_the_job_reaches_the_test(qstash_fake, client):
    client.post("/notifications", json={"text": ""})
    with pytest.raises(ValueError, match="without a text"):
        qstash_fake.deliver_due()


def test_a_stranger_is_not_let_in(qstash_fake, client, sent):
    assert client.post("/jobs/sms", json={"text": "one"}).status_code == 401
    assert sent == []
