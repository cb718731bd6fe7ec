"""The official TypeScript SDK against the server; skipped where neither node nor bun is, or npm has no network."""

from urllib.parse import urlsplit

import pytest


@pytest.mark.protocol("1 calls of the TypeScript SDK")
def test_it_publishes_schedules_queues_lists_cancels_and_verifies(typescript, still):
    assert typescript("sdk.js", still.environment) == [
        "the SDK publishes, and its Receiver verifies what is delivered",
        "the SDK lists the log",
        "the SDK publishes once for one deduplication id, and for one content",
        "the SDK publishes batches",
        "the SDK keeps schedules",
        "the SDK keeps queues in order",
        "the SDK cancels one, some, by filter and all",
        "the SDK reads, redrives and deletes dead letters",
        "the SDK controls the flow",
        "the SDK keeps URL groups",
        "the SDK has older names for what it does",
        "the SDK asks the old language model, whole and as a stream",
        "the SDK cancels what a workflow of its own kind has started",
        "the SDK tells its errors apart",
        "the SDK has no method that was not called",
        "exit status 0",
    ]


def test_its_dev_mode_finds_the_server(typescript, server):
    printed = typescript("dev.js", {"QSTASH_DEV": "true", "QSTASH_DEV_PORT": str(urlsplit(server.url).port)})
    assert f"Server already running at {server.url}" in printed[0]
    assert printed[-2:] == ["found, published, delivered, verified", "exit status 0"]
