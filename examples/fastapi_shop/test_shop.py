import pytest

INVOICE = "https://shop.example/jobs/invoice"


def test_an_invoice_is_sent_five_minutes_after_the_order(qstash_fake, client, invoiced):
    client.post("/orders", json={"id": 7})

    message = qstash_fake.assert_published(url=INVOICE, json={"order": 7}, delay="5m", label="invoice")
    qstash_fake.clock.advance("4m59s")
    assert message in qstash_fake.pending

    qstash_fake.clock.advance("1s")
    assert message.state == "DELIVERED"
    assert invoiced == [7]


def test_an_order_cancelled_in_time_is_not_invoiced(qstash_fake, client, invoiced):
    order = client.post("/orders", json={"id": 7}).json()
    qstash_fake.clock.advance("4m")
    client.delete(f"/orders/{order['message']}")

    qstash_fake.drain()
    assert qstash_fake.cancelled == qstash_fake.messages
    assert invoiced == []


def test_an_invoice_is_sent_at_the_third_attempt(qstash_fake, client, invoiced):
    qstash_fake.on(INVOICE).respond_with([503, 503])  # after these two, the shop answers itself
    client.post("/orders", json={"id": 7})
    qstash_fake.drain()

    message = qstash_fake.assert_delivered(url=INVOICE)
    assert [attempt.status for attempt in message.attempts] == [503, 503, 200]
    waits = [second.at - first.at for first, second in zip(message.attempts, message.attempts[1:], strict=False)]
    assert [wait.total_seconds() for wait in waits] == [12, 148]  # QStash's own backoff
    assert invoiced == [7]


def test_an_invoice_that_fails_for_good_can_be_sent_again(qstash_fake, client, invoiced):
    qstash_fake.on(INVOICE).respond(503).times(4)  # the first attempt and three retries
    client.post("/orders", json={"id": 7})
    qstash_fake.drain()
    dead = qstash_fake.assert_dead_lettered(url=INVOICE, status=503)
    assert [attempt.retried for attempt in dead.message.attempts] == [0, 1, 2, 3]

    again = dead.redrive()
    qstash_fake.deliver_due()
    assert again.state == "DELIVERED"
    assert qstash_fake.dlq == []
    assert invoiced == [7]


def test_an_invoice_delivered_twice_is_sent_once(qstash_fake, client, invoiced):
    qstash_fake.duplicate_next(INVOICE)
    client.post("/orders", json={"id": 7})
    qstash_fake.drain()

    assert [attempt.body for attempt in qstash_fake.attempts] == [b'{"sent":true}', b'{"sent":false}']
    assert invoiced == [7]


@pytest.mark.parametrize("wrong", ["expired", "wrong_key", "wrong_url", "tampered"])
def test_a_wrong_signature_is_refused(qstash_fake, client, invoiced, wrong):
    forged = qstash_fake.signed_request(INVOICE, {"order": 7}, **{wrong: True})
    answer = client.post("/jobs/invoice", content=forged.content, headers=forged.headers)
    assert answer.status_code == 401
    assert invoiced == []


def test_a_right_signature_is_let_in(qstash_fake, client, invoiced):
    signed = qstash_fake.signed_request(INVOICE, {"order": 7})
    answer = client.post("/jobs/invoice", content=signed.content, headers=signed.headers)
    assert answer.status_code == 200
    assert invoiced == [7]


def test_a_signature_is_accepted_a_year_from_now(qstash_fake, client, invoiced):
    qstash_fake.clock.advance("400d")
    client.post("/orders", json={"id": 7})
    qstash_fake.drain()
    assert invoiced == [7]


@pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z")
def test_the_total_is_written_every_night_from_the_start_of_the_shop(client, qstash_fake, totals):
    qstash_fake.assert_scheduled(cron="0 2 * * *", destination="https://shop.example/jobs/total")
    client.post("/orders", json={"id": 7})
    qstash_fake.clock.advance("2d")
    assert totals == [1, 1]
