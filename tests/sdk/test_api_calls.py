"""The record of calls, as a test uses it: what the official SDK asked for, and what became of it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from qstash import QStash
from qstash.errors import QStashError

from qstash_fake import QStashFake
from tests.shop import JOBS

pytestmark = pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z")


def test_a_call_leads_to_the_messages_that_it_made(client: QStash, qstash_fake: QStashFake):
    client.message.publish(url=JOBS, body="one")
    client.message.batch([{"url": JOBS, "body": "two"}, {"url": JOBS, "body": "three"}])
    publish, batch = qstash_fake.api.calls
    assert (publish.method, publish.path, publish.status) == ("POST", f"/v2/publish/{JOBS}", 201)
    assert publish.at == datetime(2026, 1, 1, tzinfo=UTC)
    assert publish.messages == (qstash_fake.messages[0],)
    assert publish.messages[0] is qstash_fake.messages[0]
    assert batch.messages == tuple(qstash_fake.messages[1:])


def test_what_an_application_swallows_is_there(client: QStash, qstash_fake: QStashFake):
    with pytest.raises(QStashError):
        client.message.publish(url_group="nobody")
    (call,) = qstash_fake.api.calls
    assert (call.status, call.error, call.messages) == (404, "topic nobody not found", ())


def test_a_duplicate_is_a_call_without_messages(client: QStash, qstash_fake: QStashFake):
    for _ in range(2):
        client.message.publish(url=JOBS, deduplication_id="order-7")
    assert [(call.status, len(call.messages)) for call in qstash_fake.api.calls] == [(201, 1), (202, 0)]


def test_a_reset_forgets_the_calls(client: QStash, qstash_fake: QStashFake):
    client.message.publish(url=JOBS)
    qstash_fake.reset()
    assert qstash_fake.api.calls == []
