"""Eleven days and a bank that fails, in milliseconds."""

from __future__ import annotations

import pytest
from qstash import QStash

from examples.fastapi_workflow import onboarding

TRIAL, PAYMENT = f"{onboarding.BASE}/trial", f"{onboarding.BASE}/payment"


@pytest.fixture
def mails(qstash_fake):
    """Answer for the mail service, and return what it was told."""
    qstash_fake.on(onboarding.MAIL).respond(202)
    return lambda: [message.json()["template"] for message in qstash_fake.messages if message.url == onboarding.MAIL]


def test_a_customer_who_has_not_paid_is_reminded_on_the_eleventh_day(qstash_fake, client, mails):
    client.post("/signups", json={"email": "ada@example.com"})
    qstash_fake.clock.advance(days=10, hours=23)
    assert mails() == ["welcome"]
    qstash_fake.clock.advance(hours=1)
    assert mails() == ["welcome", "reminder"]
    run = qstash_fake.assert_workflow(TRIAL, state="RUN_SUCCESS", payload={"email": "ada@example.com"})
    assert [step.name for step in run.steps] == ["email", "welcome", "wait for the eleventh day", "has paid", "remind"]


def test_a_customer_who_has_paid_meanwhile_is_left_alone(qstash_fake, client, mails):
    client.post("/signups", json={"email": "ada@example.com"})
    qstash_fake.deliver_due()
    onboarding.paid.add("ada@example.com")
    qstash_fake.drain()
    assert mails() == ["welcome"]
    assert qstash_fake.assert_workflow(state="RUN_SUCCESS", step="has paid").steps[-1].out is True


def test_a_delivery_that_comes_twice_sends_no_mail_twice(qstash_fake, client, mails):
    client.post("/signups", json={"email": "ada@example.com"})
    qstash_fake.clock.advance(days=10)
    qstash_fake.duplicate_next(TRIAL)
    qstash_fake.drain()
    assert mails() == ["welcome", "reminder"]


def test_a_payment_survives_a_bank_that_fails_twice(qstash_fake):
    qstash_fake.on(onboarding.BANK).respond_with([503, 503, 200])
    QStash("a-token").message.publish_json(url=PAYMENT, body={"order": 7})
    qstash_fake.drain()
    run = qstash_fake.assert_workflow(PAYMENT, state="RUN_SUCCESS", step="book")
    assert (run.ended_at - run.created_at).total_seconds() == 12 + 148  # two waits of the call
    assert onboarding.alarms == []


def test_a_payment_that_fails_for_good_is_told_to_the_staff_and_can_be_resumed(qstash_fake):
    qstash_fake.on(onboarding.BANK).respond(402)
    QStash("a-token").message.publish_json(url=PAYMENT, body={"order": 7})
    qstash_fake.drain()
    run = qstash_fake.assert_workflow(PAYMENT, state="RUN_FAILED")
    assert run.error == "the bank answered 402"
    assert onboarding.alarms == ["order 7: the bank answered 402"]
    qstash_fake.on(onboarding.BANK).respond(200)
    qstash_fake.dlq[0].redrive()  # the run goes on where it failed: the bank is not asked again
    qstash_fake.drain()
    assert qstash_fake.assert_workflow(PAYMENT, times=2).error == "the bank answered 402"
