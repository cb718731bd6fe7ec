"""Every public method of the official Python clients is called; one that comes with a new version is missed here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from qstash import AsyncQStash, QStash

from qstash_fake import QStashFake
from tests.shop import JOBS

pytestmark = [
    pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z"),
    pytest.mark.protocol("1 calls of the Python SDK"),
]


@dataclass(frozen=True, slots=True)
class Ids:
    """What the account has one of."""

    message: str
    dead: str


Call = Callable[[Any, Ids], Any]
LATER: dict[str, Any] = {"url": JOBS, "delay": "1h"}
ENDPOINTS: Any = [{"url": JOBS, "name": "one"}]

# Method of a client → a call of it; `async` clients give something to await. What is told in return is checked below.
CALLS: dict[str, Call] = {
    "http.request": lambda client, ids: client.http.request(path="/v2/keys", method="GET"),
    "http.stream": lambda client, ids: client.http.stream(path="/v2/keys", method="GET"),
    "message.publish": lambda client, ids: client.message.publish(**LATER, body="x"),
    "message.publish_json": lambda client, ids: client.message.publish_json(**LATER, body={"n": 1}),
    "message.enqueue": lambda client, ids: client.message.enqueue(queue="jobs", url=JOBS, body="x"),
    "message.enqueue_json": lambda client, ids: client.message.enqueue_json(queue="jobs", url=JOBS, body={"n": 1}),
    "message.batch": lambda client, ids: client.message.batch([{**LATER, "body": "x"}]),
    "message.batch_json": lambda client, ids: client.message.batch_json([{**LATER, "body": {"n": 1}}]),
    "message.get": lambda client, ids: client.message.get(ids.message),
    "message.cancel": lambda client, ids: client.message.cancel(ids.message),
    "message.cancel_many": lambda client, ids: client.message.cancel_many([ids.message]),
    "message.cancel_all": lambda client, ids: client.message.cancel_all(),
    "url_group.upsert_endpoints": lambda client, ids: client.url_group.upsert_endpoints("shops", ENDPOINTS),
    "url_group.remove_endpoints": lambda client, ids: client.url_group.remove_endpoints("shops", [{"name": "one"}]),
    "url_group.get": lambda client, ids: client.url_group.get("shops"),
    "url_group.list": lambda client, ids: client.url_group.list(),
    "url_group.delete": lambda client, ids: client.url_group.delete("shops"),
    "queue.upsert": lambda client, ids: client.queue.upsert("jobs", parallelism=2, paused=True),
    "queue.get": lambda client, ids: client.queue.get("jobs"),
    "queue.list": lambda client, ids: client.queue.list(),
    "queue.pause": lambda client, ids: client.queue.pause("jobs"),
    "queue.resume": lambda client, ids: client.queue.resume("jobs"),
    "queue.delete": lambda client, ids: client.queue.delete("jobs"),
    "schedule.create": lambda client, ids: client.schedule.create(destination=JOBS, cron="0 3 * * *"),
    "schedule.create_json": lambda client, ids: client.schedule.create_json(destination=JOBS, cron="@daily", body=[]),
    "schedule.get": lambda client, ids: client.schedule.get("nightly"),
    "schedule.list": lambda client, ids: client.schedule.list(),
    "schedule.pause": lambda client, ids: client.schedule.pause("nightly"),
    "schedule.resume": lambda client, ids: client.schedule.resume("nightly"),
    "schedule.delete": lambda client, ids: client.schedule.delete("nightly"),
    "signing_key.get": lambda client, ids: client.signing_key.get(),
    "signing_key.rotate": lambda client, ids: client.signing_key.rotate(),
    "log.list": lambda client, ids: client.log.list(count=5, filter={"message_id": ids.message}),
    "dlq.list": lambda client, ids: client.dlq.list(count=5, filter={"url": JOBS}),
    "dlq.get": lambda client, ids: client.dlq.get(ids.dead),
    "dlq.delete": lambda client, ids: client.dlq.delete(ids.dead),
    "dlq.delete_many": lambda client, ids: client.dlq.delete_many([ids.dead]),
    "flow_control.get": lambda client, ids: client.flow_control.get("lane"),
    "flow_control.get_global_parallelism": lambda client, ids: client.flow_control.get_global_parallelism(),
    "flow_control.pause": lambda client, ids: client.flow_control.pause("lane"),
    "flow_control.resume": lambda client, ids: client.flow_control.resume("lane"),
    "flow_control.pin": lambda client, ids: client.flow_control.pin("lane", {"parallelism": 2}),
    "flow_control.unpin": lambda client, ids: client.flow_control.unpin("lane", {"parallelism": True}),
    "flow_control.reset_rate": lambda client, ids: client.flow_control.reset_rate("lane"),
}
# Methods that give nothing back.
SILENT = {
    *(f"{thing}.{verb}" for thing in ("queue", "schedule", "flow_control") for verb in ("pause", "resume")),
    *(f"{thing}.delete" for thing in ("queue", "schedule", "url_group", "dlq")),
    *(f"url_group.{verb}" for verb in ("upsert_endpoints", "remove_endpoints")),
    *(f"flow_control.{verb}" for verb in ("pin", "unpin", "reset_rate")),
    "queue.upsert",
    "message.cancel",
}


@pytest.fixture
def ids(client: QStash, qstash_fake: QStashFake) -> Ids:
    """An account with one of each thing."""
    qstash_fake.on("*").respond(500)
    client.message.publish(url=JOBS, body="dead", retries=0)
    qstash_fake.deliver_due()
    sent: Any = client.message.publish(**LATER, flow_control={"key": "lane", "rate": 1})
    client.queue.upsert("jobs")
    client.url_group.upsert_endpoints("shops", ENDPOINTS)
    client.schedule.create(destination=JOBS, cron="0 3 * * *", schedule_id="nightly")
    return Ids(sent.message_id, qstash_fake.dlq[0].dlq_id)


def methods_of(client: object) -> set[str]:
    """Return the public methods of all that hangs on *client*."""
    return {
        f"{name}.{method}"
        for name, part in vars(client).items()
        if not name.startswith("_")
        for method in dir(part)
        if not method.startswith("_") and callable(getattr(part, method))
    }


def test_the_table_has_every_method_of_both_clients_and_no_other():
    for client in (QStash("token"), AsyncQStash("token")):
        assert methods_of(client) == CALLS.keys()


def check(name: str, result: Any, fake: QStashFake, calls: int) -> None:
    """Check that there was one call more, with an answer that the client has read."""
    (call,) = fake.api.calls[calls:]
    assert (call.status < 300, call.error) == (True, None)
    assert (result is None) == (name in SILENT)


@pytest.mark.parametrize("name", CALLS)
def test_a_method_of_the_sync_client_works(name: str, ids: Ids, client: QStash, qstash_fake: QStashFake):
    calls = len(qstash_fake.api.calls)
    check(name, CALLS[name](client, ids), qstash_fake, calls)


@pytest.mark.asyncio
@pytest.mark.parametrize("name", CALLS)
async def test_a_method_of_the_async_client_works(
    name: str, ids: Ids, async_client: AsyncQStash, qstash_fake: QStashFake
):
    calls = len(qstash_fake.api.calls)
    check(name, await CALLS[name](async_client, ids), qstash_fake, calls)
