"""assert_order: which messages were delivered before which."""

import re

import pytest

from qstash_fake import UsageError
from tests.testing.failures import due_in, failure, publish

pytestmark = pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z")


@pytest.fixture
def three_delivered(qstash_fake):
    qstash_fake.on("*").respond(200)
    for name in ("one", "two", "three"):
        publish(url=f"https://shop.example/{name}", body=f'{{"name": "{name}"}}')
    publish(url="https://shop.example/pending", delay="1h")
    qstash_fake.deliver_due()
    return qstash_fake


ONE, TWO, THREE = (f"https://shop.example/{name}" for name in ("one", "two", "three"))


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ([ONE, TWO, THREE], [ONE, THREE, TWO]),
        ([ONE, THREE], [THREE, ONE]),
        ([re.compile(".*/one"), "https://shop.example/t*", THREE], ["https://shop.example/t*", ONE]),
        (['{"name": "one"}', b'{"name": "two"}'], [b'{"name": "two"}', '{"name": "one"}']),
        ([{"name": "one"}, {"name": "three"}], [{"name": "one"}, {"name": "one"}]),
        ([ONE], ["https://shop.example/pending"]),
    ],
)
def test_an_order_may_leave_messages_out(three_delivered, right, wrong):
    three_delivered.assert_order(right)
    with pytest.raises(AssertionError):
        three_delivered.assert_order(wrong)


def test_messages_themselves_can_be_asked_for_in_order(three_delivered):
    one, two, three, pending = three_delivered.messages
    three_delivered.assert_order([one, two, three])
    for wrong in ([two, one], [one, one], [pending]):
        with pytest.raises(AssertionError):
            three_delivered.assert_order(wrong)


def test_another_order_is_told_with_the_one_there_was(three_delivered):
    assert failure(three_delivered.assert_order, [THREE, {"name": "two"}]) == [
        f'not delivered in this order: nothing is the JSON {{"name": "two"}} after {THREE}',
        "delivered were, in order:",
        f'  POST {ONE} (msg_…, DELIVERED) {{"name": "one"}}',
        f'  POST {TWO} (msg_…, DELIVERED) {{"name": "two"}}',
        f'  POST {THREE} (msg_…, DELIVERED) {{"name": "three"}}',
        due_in("1h"),
    ]


def test_an_order_of_nothing_is_refused_and_nothing_delivered_is_told(qstash_fake):
    with pytest.raises(UsageError, match=r"^assert_order\(\[\]\) asserts nothing: give messages, URLs or bodies$"):
        qstash_fake.assert_order([])
    assert failure(qstash_fake.assert_order, ["text"]) == [
        "not delivered in this order: nothing is the body 'text'",
        "no message was delivered at all",
        "nothing is pending",
    ]


def test_the_order_is_that_of_the_deliveries_not_of_the_publishes(qstash_fake):
    qstash_fake.on(ONE).respond_with([500, 200])
    qstash_fake.on(TWO).respond(200)
    for url in (ONE, TWO):
        publish(url=url)
    qstash_fake.drain()
    qstash_fake.assert_order([TWO, ONE])
