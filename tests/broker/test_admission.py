"""Admission: what the gates of queues, keys and the account have in common."""

from __future__ import annotations

from qstash_fake.broker.lanes import Gate, Lane


def test_a_closed_gate_is_asked_once_for_a_thousand_messages(bench):
    key, asked = bench.broker.admission.keys.get_or_make("k"), []

    class Asked(Gate):
        def is_open(self, now_ms):
            asked.append(now_ms)
            return key.is_open(now_ms)

    key.lane.gate = Asked()
    for _ in range(1000):
        bench.publish(flow_control_key="k", flow_control_value="parallelism=1")
    bench.broker.pause_key("k")
    assert bench.advance(1) == []
    assert (len(asked), key.waiting) == (1, 1000)


def test_a_message_that_comes_back_to_a_lane_stands_there_by_its_new_due_time(bench):
    lane = Lane(Gate())
    first, second = bench.publish("a", delay="4s"), bench.publish("b", delay="5s")
    lane.add(first)
    lane.add(second)
    lane.remove(first)
    first.due_ms += 9_000
    lane.add(first)
    assert lane.head() == (second.due_ms, second.sequence, second)


def test_what_only_waits_for_somebody_to_deliver_it_is_not_held(bench):
    bench.publish("a")
    bench.publish("b", queue_name="jobs")
    bench.broker.upsert_queue("jobs", paused=True)
    assert bench.broker.next_event_ms() == bench.broker.now_ms
    assert list(bench.broker.held(bench.broker.now_ms).values()) == ["queue 'jobs' is paused"]


def test_the_parallelism_of_the_account_holds_over_all_messages(new_bench):
    bench = new_bench(plan="free")
    bench.takes = dict.fromkeys(map(str, range(12)), 10)
    for number in range(12):
        bench.publish(str(number))
    assert [at for at, _ in bench.advance(60)] == [0] * 10 + [10] * 2


def test_one_instant_starts_messages_of_all_lanes_in_the_order_of_due_time_and_publish(bench):
    bench.publish("a", delay="5s")
    bench.publish("b", queue_name="jobs", delay="5s")
    bench.publish("c", flow_control_key="k", flow_control_value="parallelism=9", delay="5s")
    bench.publish("d", delay="4s")
    bench.publish("e", queue_name="mail", delay="5s")
    assert bench.advance(5) == [(4, "d"), (5, "a"), (5, "b"), (5, "c"), (5, "e")]


def test_who_waits_for_the_account_is_said_to_wait_for_that(new_bench):
    bench = new_bench(plan="free")
    for number in range(10):
        bench.takes[str(number)] = 60
        bench.publish(str(number))
    bench.publish("free")
    bench.publish("key", flow_control_key="k", flow_control_value="parallelism=1")
    bench.publish("queued", queue_name="jobs")
    bench.publish("paused", queue_name="still")
    bench.broker.upsert_queue("still", paused=True)
    bench.advance(1)
    assert {message.text: reason for message, reason in bench.broker.held(bench.broker.now_ms).items()} == {
        "free": "the account's parallelism is used up",
        "key": "the account's parallelism is used up",
        "queued": "the account's parallelism is used up",
        "paused": "queue 'still' is paused",
    }
