"""Plans: what each quota refuses and in which words; without a plan, only what no date can hold."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from qstash_fake.broker import quotas
from qstash_fake.broker.message import Outcome
from qstash_fake.broker.quotas import PLANS, DailyLimit
from qstash_fake.broker.url_groups import Endpoint
from qstash_fake.errors import Refused, UsageError
from qstash_fake.protocol.moments import LAST_MS
from qstash_fake.protocol.options import NO_OPTIONS
from tests.shop import START_S

DAY_MS = 86_400_000


def refused(bench, body="", **options):
    with pytest.raises(Refused) as caught:
        bench.publish(body, **options)
    assert bench.broker.messages == {}
    return caught.value.status, caught.value.error


@pytest.mark.protocol(
    "error quota maxDelay exceeded",
    "error quota maxRetries exceeded",
    "error quota maxMessageSize exceeded",
    "4.11 delay",
    "4.11 message size",
    "4.11 retries",
    "4.11 HTTP response time",
)
@pytest.mark.parametrize(
    ("plan", "options", "error"),
    [
        ("free", {"delay": "604801s"}, (400, "quota maxDelay exceeded, current limit: 604800")),
        ("payg", {"delay": "366d"}, (400, "quota maxDelay exceeded, current limit: 31536000")),
        ("free", {"not_before": START_S + 604_801}, (400, "quota maxDelay exceeded, current limit: 604800")),
        (None, {"retries": 1_000}, (412, "quota maxRetries exceeded, current limit: 999")),
        ("free", {"retries": 1_000}, (412, "quota maxRetries exceeded, current limit: 999")),
        ("free", {"body": "x" * 1_048_577}, (412, "quota maxMessageSize exceeded, current limit: 1048576")),
        ("payg", {"body": "x" * 10_485_761}, (412, "quota maxMessageSize exceeded, current limit: 10485760")),
        ("free", {"timeout": "901s"}, (400, "quota timeout exceeded, current limit: 900")),
        (
            None,
            {"callback": "https://shop.example/callback", "callback_retries": 1_000},
            (412, "quota maxRetries exceeded, current limit: 999"),
        ),
        (
            "free",
            {"callback": "https://shop.example/callback", "callback_timeout": "901s"},
            (400, "quota timeout exceeded, current limit: 900"),
        ),
    ],
)
def test_a_quota_refuses_what_exceeds_it_with_its_name_and_limit(new_bench, plan, options, error):
    assert refused(new_bench(plan=plan), **options) == error


@pytest.mark.parametrize(
    "options",
    [
        {"delay": "604800s"},
        {"not_before": START_S + 604_800},
        {"retries": 999},
        {"body": "x" * 1_048_576},
        {"timeout": "900s"},
    ],
    ids=lambda options: next(iter(options)),
)
def test_exactly_the_limit_is_allowed(new_bench, options):
    assert new_bench(plan="free").publish(**options).pending


def test_without_a_plan_there_is_no_quota(bench):
    assert bench.publish("x" * 60_000_000, delay="3650d", timeout="30d").pending


@pytest.mark.protocol("4.11 parallelism")
def test_the_limits_of_a_flow_control_key_are_not_those_of_the_plan(new_bench):
    bench = new_bench(plan="free")
    bench.takes = dict.fromkeys(map(str, range(12)), 10)
    for number in range(12):
        bench.publish(str(number), flow_control_key="k", flow_control_value="parallelism=500")
    bench.broker.pin("k", parallelism=900, rate=None, period_ms=1_000)
    assert [at for at, _ in bench.advance(60)] == [0] * 10 + [10] * 2


PRICES: dict[str, dict[str, Any]] = {
    "free": {"body_mib": 1, "delay": "7d", "timeout": "15m", "parallelism": 10, "queue_parallelism": 2},
    "payg": {"body_mib": 10, "delay": "365d", "timeout": "2h", "parallelism": 100, "queue_parallelism": 10},
    "fixed-1m": {"body_mib": 50, "delay": "4000d", "timeout": "6h", "parallelism": 200, "queue_parallelism": 10},
    "fixed-10m": {"body_mib": 50, "delay": "4000d", "timeout": "12h", "parallelism": 1_000, "queue_parallelism": 10},
}


@pytest.mark.protocol("4.11 delay", "4.11 message size", "4.11 HTTP response time", "4.11 parallelism")
@pytest.mark.parametrize("plan", PRICES)
def test_each_plan_allows_what_its_price_list_says(new_bench, plan):
    bench, price = new_bench(plan=plan), PRICES[plan]
    size, slots = price["body_mib"] * 1024 * 1024, price["queue_parallelism"]
    assert bench.publish("x" * size, delay=price["delay"], timeout=price["timeout"]).pending
    for options in ({"body": "x" * (size + 1)}, {"timeout": "13h"}):
        with pytest.raises(Refused, match="exceeded, current limit"):
            bench.publish(**options)
    bench.broker.upsert_queue("jobs", parallelism=slots)
    with pytest.raises(Refused, match=f"quota maxParallelism exceeded, current limit: {slots}"):
        bench.broker.upsert_queue("jobs", parallelism=slots + 1)
    assert bench.broker.admission.parallelism == price["parallelism"]


@pytest.mark.protocol("4.3 cut answers")
def test_an_answer_above_the_message_size_is_cut_where_it_is_stored_and_reported(new_bench):
    bench, large = new_bench(plan="free"), b"x" * 1_048_577
    bench.answers = {"a": [Outcome(status=500, body=large)]}
    message = bench.publish("a", retries=0, callback="https://shop.example/callback")
    bench.advance(0)
    (dead,) = bench.broker.dead_letters.values()
    report = json.loads(next(m.body for m in bench.broker.messages.values() if m.url.endswith("/callback")))
    assert len(dead.response_body) == len(base64.b64decode(report["body"])) == 1_048_576
    assert message.attempts[0].body == large


def test_without_a_plan_an_answer_is_stored_whole(bench):
    bench.answers = {"a": [Outcome(status=500, body=b"x" * 20_000_000)]}
    bench.publish("a", retries=0)
    bench.advance(0)
    (dead,) = bench.broker.dead_letters.values()
    assert len(dead.response_body) == 20_000_000


def test_no_message_is_due_beyond_the_year_9999(bench):
    bench.broker.observe(LAST_MS - 60_000)
    assert refused(bench, delay="61s") == (
        400,
        "invalid Upstash-Delay header: the message would be due beyond the year 9999",
    )
    assert bench.publish(delay="1m").pending


def test_an_eleventh_queue_is_refused_and_an_old_one_is_not(new_bench):
    bench = new_bench(plan="free")
    for number in range(10):
        bench.publish(queue_name=f"q{number}")
    bench.publish(queue_name="q3")
    with pytest.raises(Refused, match="quota maxQueues exceeded, current limit: 10") as caught:
        bench.publish(queue_name="q10")
    assert caught.value.status == 412


def test_an_eleventh_queue_is_not_made_by_pausing_it_either(new_bench):
    bench = new_bench(plan="free")
    for number in range(10):
        bench.broker.upsert_queue(f"q{number}")
    bench.broker.upsert_queue("q3", paused=True)
    with pytest.raises(Refused, match="quota maxQueues exceeded, current limit: 10"):
        bench.broker.upsert_queue("q10", paused=True)
    assert len(bench.broker.queues) == 10


@pytest.mark.parametrize("new", [["q9", "q10"], ["q10", "q9"]])
def test_publishes_that_together_need_too_many_queues_are_all_refused(new_bench, new):
    bench = new_bench(plan="free")
    for number in range(9):
        bench.broker.upsert_queue(f"q{number}")
    with pytest.raises(Refused, match="quota maxQueues exceeded, current limit: 10"):
        bench.broker.publish_all([bench.request(queue_name=name) for name in new])
    assert (bench.broker.accepted, len(bench.broker.queues)) == (0, 9)
    assert len(bench.broker.publish_all([bench.request(queue_name="q9")] * 2)) == 2


def test_publishes_that_together_exceed_the_day_are_all_refused(new_bench):
    bench = new_bench(plan="free")
    with pytest.raises(Refused, match="Exceeded daily rate limit"):
        bench.broker.publish_all([bench.request()] * 1_001)
    assert bench.broker.accepted == 0


def test_redrives_that_together_need_too_many_queues_are_all_refused(new_bench):
    bench = new_bench(plan="free")
    for name in ("old", "older"):
        bench.answers[name] = [500]
        bench.publish(name, queue_name=name, retries=0)
    bench.advance(0)
    for name in ("old", "older"):
        bench.broker.delete_queue(name)
    for number in range(9):
        bench.broker.upsert_queue(f"q{number}")
    dead = list(bench.broker.dead_letters)
    with pytest.raises(Refused, match="quota maxQueues exceeded, current limit: 10"):
        bench.broker.redrive_all(dead)
    assert (bench.broker.accepted, list(bench.broker.dead_letters)) == (2, dead)


@pytest.mark.protocol("4.11 messages/day")
def test_a_redrive_counts_towards_the_day(new_bench):
    bench = new_bench(plan="free")
    bench.answers = {"x": [500]}
    message = bench.publish("x", retries=0)
    bench.advance(0)
    bench.broker.redrive(message.dlq_id)
    with pytest.raises(Refused, match="Exceeded daily rate limit"):
        bench.broker.publish_all([bench.request("y")] * 999)
    assert len(bench.broker.publish_all([bench.request("y")] * 998)) == 998


def test_a_dead_letter_that_a_quota_keeps_from_its_redrive_says_so(new_bench):
    bench = new_bench(plan="free")
    bench.answers = {"x": [500]}
    bench.publish("x", retries=0)
    bench.advance(0)
    bench.broker.publish_all([bench.request("y")] * 999)
    (dead,) = bench.broker.dead_letters.values()
    with pytest.raises(Refused, match="Exceeded daily rate limit"):
        dead.redrive()
    assert list(bench.broker.dead_letters.values()) == [dead]


def test_a_full_url_group_still_takes_a_new_url_for_a_known_name(new_bench):
    groups = new_bench(plan="free").broker.url_groups
    groups.upsert("news", [Endpoint(url=f"https://{n}.example", name=f"n{n}") for n in range(100)], 0)
    groups.upsert("news", [Endpoint(url="https://moved.example", name="n7")], 0)
    assert groups.by_name["news"].endpoints[7].url == "https://moved.example"
    with pytest.raises(Refused, match="quota maxEndpointsPerTopic exceeded, current limit: 100"):
        groups.upsert("news", [Endpoint(url="https://one-more.example")], 0)
    assert len(groups.by_name["news"].endpoints) == 100


def test_defaults_do_not_make_a_second_url_group(new_bench):
    groups = new_bench(plan="free").broker.url_groups
    groups.set_defaults("news", NO_OPTIONS, 0)
    with pytest.raises(Refused, match="quota maxTopics exceeded, current limit: 1"):
        groups.set_defaults("more", NO_OPTIONS, 0)
    groups.set_defaults("news", NO_OPTIONS, 0)
    assert list(groups.by_name) == ["news"]


@pytest.mark.protocol("error schedule / queue count quota")
def test_an_eleventh_schedule_is_refused_and_an_old_one_is_overwritten(new_bench):
    bench = new_bench(plan="free")
    for number in range(10):
        bench.schedule(cron="@daily", schedule_id=f"s{number}")
    bench.schedule("again", cron="@daily", schedule_id="s3")
    with pytest.raises(Refused, match="quota maxSchedules exceeded, current limit: 10") as caught:
        bench.schedule(cron="@daily")
    assert caught.value.status == 412


@pytest.mark.protocol(
    "error quota maxParallelism",
    "error schedule / queue count quota",
    "4.11 schedules / queues / groups / endpoints per group",
    "4.11 parallelism",
)
@pytest.mark.parametrize(
    ("quota", "limit"),
    [("maxSchedules", 10), ("maxQueues", 10), ("maxTopics", 1), ("maxEndpointsPerTopic", 100), ("maxParallelism", 2)],
)
def test_the_counts_of_the_free_plan(quota, limit):
    quotas.check_count(PLANS["free"], quota, limit)
    with pytest.raises(Refused, match=f"quota {quota} exceeded, current limit: {limit}") as caught:
        quotas.check_count(PLANS["free"], quota, limit + 1)
    assert caught.value.status == 412
    quotas.check_count(None, quota, limit + 1)


@pytest.mark.protocol("4.11 schedules / queues / groups / endpoints per group", "4.11 parallelism", "4.11 messages/day")
@pytest.mark.parametrize(
    ("plan", "limits"),
    [
        ("payg", (1_000, 100, 100, 100, 10)),
        ("fixed-1m", (10_000, 1_000, 1_000, 1_000, 10)),
        ("fixed-10m", (50_000, 1_000, 2_000, 2_000, 10)),
    ],
)
def test_the_counts_of_the_other_plans(plan, limits):
    names = ("maxSchedules", "maxQueues", "maxTopics", "maxEndpointsPerTopic", "maxParallelism")
    for quota, limit in zip(names, limits, strict=True):
        quotas.check_count(PLANS[plan], quota, limit)
        with pytest.raises(Refused) as caught:
            quotas.check_count(PLANS[plan], quota, limit + 1)
        assert (caught.value.status, caught.value.error) == (
            412,
            f"quota {quota} exceeded, current limit: {limit}",
        )
    assert PLANS[plan].messages_per_day is None


@pytest.mark.parametrize(
    ("plan", "over", "error"),
    [
        ("payg", {"timeout": "7201s"}, (400, "quota timeout exceeded, current limit: 7200")),
        ("payg", {"delay": "31536001s"}, (400, "quota maxDelay exceeded, current limit: 31536000")),
        ("fixed-1m", {"timeout": "21601s"}, (400, "quota timeout exceeded, current limit: 21600")),
        ("fixed-10m", {"timeout": "43201s"}, (400, "quota timeout exceeded, current limit: 43200")),
    ],
)
def test_one_second_above_the_quota_of_a_paid_plan_is_refused(new_bench, plan, over, error):
    assert refused(new_bench(plan=plan), **over) == error


def test_a_plan_that_does_not_exist_is_refused_with_those_that_do():
    with pytest.raises(UsageError) as caught:
        quotas.named("gold")
    assert str(caught.value) == "plan='gold' is unknown: use one of 'free', 'payg', 'fixed-1m', 'fixed-10m'"
    assert quotas.named(None) is quotas.named("") is None


def test_the_daily_limit_refuses_with_the_headers_that_sdks_look_for():
    daily = DailyLimit(10)
    daily.take(8, 5 * DAY_MS + 1)
    with pytest.raises(Refused) as caught:
        daily.take(3, 5 * DAY_MS + 2)
    assert caught.value.status == 429
    assert caught.value.error == "Exceeded daily rate limit. {limit: 10, reset: 518400}"
    assert dict(caught.value.headers) == {
        "RateLimit-Limit": "10",
        "RateLimit-Remaining": "2",
        "RateLimit-Reset": "518400",
    }


def test_a_day_that_is_used_up_has_nothing_left():
    daily = DailyLimit(10)
    daily.take(10, 0)
    with pytest.raises(Refused) as caught:
        daily.take(1, 0)
    assert ("RateLimit-Remaining", "0") in caught.value.headers


def test_what_is_refused_is_not_counted():
    daily = DailyLimit(10)
    daily.take(8, 0)
    with pytest.raises(Refused):
        daily.take(3, 0)
    daily.take(2, 0)


@pytest.mark.protocol("4.11 messages/day")
def test_the_day_is_that_of_utc_and_begins_at_its_midnight():
    daily = DailyLimit(1)
    daily.take(1, DAY_MS - 1)
    daily.take(1, DAY_MS)
    with pytest.raises(Refused):
        daily.take(1, 2 * DAY_MS - 1)


@pytest.mark.protocol("4.11 messages/day")
def test_every_message_counts_those_of_schedules_and_callbacks_too(new_bench):
    bench = new_bench(plan="free")
    for _ in range(499):
        bench.publish("x", callback="https://shop.example/callback")
    bench.schedule("tick", cron="* * * * *", schedule_id="s")
    bench.advance(120)
    assert bench.broker.accepted == 1_000
    with pytest.raises(Refused, match="Exceeded daily rate limit"):
        bench.publish("y")
    bench.advance(60)
    assert bench.broker.schedules.by_id["s"].error.startswith("Exceeded daily rate limit")
    assert bench.broker.accepted == 1_000


def test_an_attempt_may_take_what_its_message_asks_for_or_else_what_the_plan_allows(bench, new_bench):
    limited = new_bench(plan="free")
    messages = bench.publish(), limited.publish(), limited.publish(timeout="5s")
    assert [message.timeout_ms for message in messages] == [None, 15 * 60_000, 5_000]


def test_a_repetition_does_not_count(new_bench):
    bench = new_bench(plan="free")
    for _ in range(2_000):
        bench.broker.publish(bench.request("x", deduplication_id="once"))
    assert bench.broker.accepted == 1


@pytest.mark.protocol("4.3 retention", "4.11 DLQ / log retention")
@pytest.mark.parametrize(
    ("plan", "dead_letters_days", "logs_days"), [("payg", 7, 7), ("fixed-1m", 30, 14), ("fixed-10m", 90, 14)]
)
def test_a_plan_keeps_dead_letters_and_logs_for_its_own_time(new_bench, plan, dead_letters_days, logs_days):
    bench = new_bench(plan=plan)
    bench.answers = {"x": [500]}
    bench.publish("x", retries=0)
    bench.advance(dead_letters_days * 86_400)
    assert len(bench.broker.dead_letters) == 1
    bench.advance(1)
    assert len(bench.broker.dead_letters) == 0
    assert bench.broker.now_ms - bench.broker.retained_from_ms == logs_days * DAY_MS


@pytest.mark.protocol("4.3 retention", "4.11 DLQ / log retention")
def test_a_plan_keeps_dead_letters_for_three_days_and_no_plan_for_ever(bench, new_bench):
    limited = new_bench(plan="free")
    for each in (bench, limited):
        each.answers = {"x": [500]}
        each.publish("x", retries=0)
        each.advance(3 * 86_400)
        assert len(each.broker.dead_letters) == 1
        each.advance(1)
    listed = [len(list(each.broker.dead_letters_beyond(None, latest_first=False))) for each in (bench, limited)]
    assert listed == [1, 0]
    assert (len(bench.broker.dead_letters), len(limited.broker.dead_letters)) == (1, 0)
