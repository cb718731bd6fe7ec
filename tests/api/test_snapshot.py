"""The snapshot: all of an account at one moment, as JSON that stays the same while nothing happens."""

from __future__ import annotations

import json

from qstash_fake.api.snapshot import snapshot
from qstash_fake.broker.message import Outcome
from tests.broker.bench import Bench


def test_a_snapshot_shows_messages_with_their_attempts_and_what_holds_them():
    bench = Bench()
    bench.answers = {"a": [503]}
    bench.publish("a")
    bench.publish("b", queue_name="jobs")
    bench.broker.upsert_queue("jobs", paused=True)
    bench.advance(1)
    taken = snapshot(bench.broker)
    first, second = taken["messages"]
    assert (taken["now"], taken["next_due"]) == ("2026-01-01T00:00:01Z", "2026-01-01T00:00:12Z")
    assert (first["state"], first["due_at"], first["body"]) == ("RETRY", "2026-01-01T00:00:12Z", "a")
    assert first["attempts"] == [
        {"at": "2026-01-01T00:00:00Z", "retried": 0, "status": 503, "error": None, "lost": False}
    ]
    assert taken["pending"] == [first["messageId"], second["messageId"]]
    assert taken["held"] == {second["messageId"]: "queue 'jobs' is paused"}
    assert [queue["name"] for queue in taken["queues"]] == ["jobs"]


def test_a_snapshot_is_json_redacted_and_changes_nothing():
    bench = Bench()
    bench.answers = {"secret": [Outcome(status=500, headers=(("X", "\xe9"),), body=b"\xff")]}
    bench.publish("secret", redact_fields="body", retries=0)
    bench.schedule("tick", cron="* * * * *", schedule_id="s")
    bench.advance(1)
    text = json.dumps(snapshot(bench.broker))
    assert json.dumps(snapshot(bench.broker)) == text
    assert "REDACTED:" in text
    assert '"body": "secret"' not in text
    assert [dead["responseStatus"] for dead in json.loads(text)["dead_letters"]] == [500]
