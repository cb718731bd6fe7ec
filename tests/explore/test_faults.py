"""Each fault at its point: what becomes of the run, and what no fault may do."""

import httpx
import pytest
from qstash import QStash

from qstash_fake.explore.planned import LOST
from qstash_fake.testing.fake import inside
from tests.explore.under import JOBS, App, publish, told, under
from tests.shop import SHOP


def test_without_a_fault_the_run_is_the_plain_one():
    with under() as (fake, planned):
        publish(fake)
        fake.drain()
        assert told(fake) == ["+0s CREATED /jobs", "+0s ACTIVE /jobs attempt 1 of 4", "+0s DELIVERED /jobs 200"]
        assert planned.record().fired == ()


# --- the six faults of a delivery ---------------------------------------------------------------------------------


def test_twice_sends_an_attempt_again_at_once():
    with under("twice@/jobs#1.1") as (fake, planned):
        publish(fake, Delay="5m")
        fake.drain()
        assert told(fake) == [
            "+0s CREATED /jobs due in 5m",
            "+5m — FAULT twice@/jobs#1.1: sent twice",
            "+5m ACTIVE /jobs attempt 1 of 4 (its answer is lost)",
            "+5m ACTIVE /jobs attempt 1 of 4",
            "+5m DELIVERED /jobs 200",
        ]
        assert words(planned) == [f"attempt 1 of POST {JOBS} at +5m is sent twice"]


def test_lost_lets_the_application_answer_and_qstash_retry():
    app = App()
    with under("lost@/jobs#1.1", app) as (fake, planned):
        publish(fake)
        fake.drain()
        assert told(fake) == [
            "+0s CREATED /jobs",
            "+0s ACTIVE /jobs attempt 1 of 4",
            "+0s — FAULT lost@/jobs#1.1: the answer is lost",
            "+0s ERROR /jobs the answer was lost on its way",
            "+0s RETRY /jobs due in 12s",
            "+12s ACTIVE /jobs attempt 2 of 4",
            "+12s DELIVERED /jobs 200",
        ]
        assert [request.headers["Upstash-Retried"] for request in app.seen] == ["0", "1"]
        assert words(planned) == [f"the answer of attempt 1 of POST {JOBS} at +0s is lost, and QStash tries again"]


def test_down_keeps_an_attempt_from_the_application_and_uses_up_no_answer_of_a_route():
    app = App()
    with under("down@/jobs#1.1", app) as (fake, planned):
        route = fake.on(JOBS).respond_with([201])
        publish(fake)
        fake.drain()
        assert [attempt.error or attempt.status for attempt in fake.attempts] == [
            "the destination could not be reached",
            201,
        ]
        assert len(route.calls) == 1
        assert app.seen == []
        assert words(planned) == [f"attempt 1 of POST {JOBS} at +0s does not arrive, and QStash tries again"]


@pytest.mark.parametrize(("kind", "later", "said"), [("late1m", "+6m", "a minute"), ("late1h", "+1h5m", "an hour")])
def test_late_puts_the_start_off(kind, later, said):
    with under(f"{kind}@/jobs#1.1") as (fake, planned):
        publish(fake, Delay="5m")
        fake.clock.advance("5m")
        assert [message.url for message in fake.pending] == [JOBS]
        fake.drain()
        assert told(fake) == [
            "+0s CREATED /jobs due in 5m",
            f"+5m — FAULT {kind}@/jobs#1.1: starts {said} late",
            f"{later} ACTIVE /jobs attempt 1 of 4",
            f"{later} DELIVERED /jobs 200",
        ]
        assert words(planned) == [f"attempt 1 of POST {JOBS}, due at +5m, starts {said} late"]


def test_swap_lets_the_next_that_is_due_at_the_instant_go_first():
    with under("swap@/one#1.1") as (fake, planned):
        for path in ("/one", "/two", "/three"):
            publish(fake, path)
        fake.drain()
        assert started(fake) == ["/two", "/one", "/three"]
        assert words(planned) == [f"attempt 1 of POST {SHOP}/one at +0s starts after that of POST {SHOP}/two"]


def test_swaps_of_two_that_follow_each_other_bring_both_behind_the_third():
    with under("swap@/one#1.1+swap@/two#1.1") as (fake, _):
        for path in ("/one", "/two", "/three"):
            publish(fake, path)
        first = inside(fake).broker.next_message(10**15)
        assert inside(fake).broker.next_message(10**15) is first, "who only looks changes nothing"
        fake.drain()
        assert started(fake) == ["/three", "/two", "/one"]


def test_the_other_of_a_swap_may_be_late_itself():
    with under("swap@/one#1.1+late1m@/two#1.1") as (fake, planned):
        publish(fake, "/one")
        publish(fake, "/two")
        fake.drain()
        assert started(fake) == ["/one", "/two"]
        assert planned.record().left_over == ()


def test_the_other_of_a_swap_may_be_cancelled_meanwhile():
    with under("swap@/one#1.1") as (fake, _):
        publish(fake, "/one")
        two = publish(fake, "/two")
        first = inside(fake).broker.next_message(10**15)
        assert first is not None
        assert first.url == two.url
        fake.api.answer("DELETE", f"/v2/messages/{two.message_id}", [("Authorization", "Bearer t")], b"")
        fake.drain()
        assert started(fake) == ["/one"]


def test_the_other_of_a_swap_may_be_held_meanwhile():
    with under("swap@/one#1.1") as (fake, _):
        publish(fake, "/one")
        publish(fake, "/two", Flow_Control_Key="k", Flow_Control_Value="parallelism=1")
        assert inside(fake).broker.next_message(10**15) is not None
        fake.api.answer("POST", "/v2/flowControl/k/pause", [("Authorization", "Bearer t")], b"")
        fake.drain()
        assert started(fake) == ["/one"]


# --- what holds under every plan ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["lost", "down"])
def test_no_fault_uses_up_the_last_attempt(kind):
    with under(f"{kind}@/jobs#1.1+{kind}@/jobs#1.2") as (fake, planned):
        publish(fake, Retries="1")
        fake.drain()
        assert [message.url for message in fake.delivered] == [JOBS]
        assert [str(fault) for fault in planned.record().left_over] == [f"{kind}@/jobs#1.2"]


def test_a_queue_keeps_its_order_while_its_head_is_late_or_lost():
    with under("late1h@/one#1.1+lost@/two#1.1") as (fake, _):
        for path in ("/one", "/two", "/three"):
            publish(fake, path, Queue_Name="mail")
        fake.drain()
        assert started(fake) == ["/one", "/two", "/two", "/three"]


def test_a_queue_has_no_swap():
    with under("swap@/one#1.1") as (fake, planned):
        publish(fake, "/one", Queue_Name="mail")
        publish(fake, "/two")
        fake.drain()
        assert started(fake) == ["/one", "/two"]
        assert [str(fault) for fault in planned.record().left_over] == ["swap@/one#1.1"]


def test_a_message_that_is_delivered_by_hand_is_not_late():
    with under("late1h@/jobs#1.1") as (fake, planned):
        publish(fake)
        fake.deliver(fake.pending[0])
        assert [message.url for message in fake.delivered] == [JOBS]
        assert [str(fault) for fault in planned.record().left_over] == ["late1h@/jobs#1.1"]


def test_an_exception_of_the_application_is_raised_though_its_answer_is_lost():
    def app(request):
        raise OSError("disk full")

    with under("lost@/jobs#1.1", app) as (fake, _):
        publish(fake)
        with pytest.raises(OSError, match="disk full"):
            fake.drain()
        assert fake.attempts[0].error == LOST


def test_callbacks_are_points_and_are_made_once_for_each_attempt():
    with under("lost@/jobs#1.1+twice@/done#2.1") as (fake, planned):
        publish(fake, Callback=f"{SHOP}/done")
        fake.drain()
        assert started(fake) == ["/jobs", "/done", "/jobs", "/done", "/done"]
        assert planned.record().left_over == ()


# --- points -------------------------------------------------------------------------------------------------------


def test_the_number_of_a_message_is_counted_by_path():
    with under("twice@/jobs#2.1") as (fake, planned):
        for path in ("/jobs", "/mail", "/jobs?late=1"):
            publish(fake, path)
        fake.drain()
        assert started(fake) == ["/jobs", "/mail", "/jobs?late=1", "/jobs?late=1"]
        assert words(planned) == [f"attempt 1 of POST {JOBS}?late=1 (message 2) at +0s is sent twice"]


def test_the_host_tells_two_apart_that_share_a_path():
    with under() as (fake, planned):
        publish(fake)
        fake.api.answer("POST", "/v2/publish/https://Other.Example:8000/jobs", [("Authorization", "Bearer t")], b"")
        fake.drain()
        found = [str(fault) for fault in planned.record(["twice"]).possible]
        assert found == ["twice@shop.example/jobs#1.1", "twice@other.example:8000/jobs#1.1"]
    with under(found[1]) as (fake, _):
        publish(fake)
        fake.api.answer("POST", "/v2/publish/https://Other.Example:8000/jobs", [("Authorization", "Bearer t")], b"")
        fake.drain()
        assert [attempt.message.url for attempt in fake.attempts][1:] == ["https://Other.Example:8000/jobs"] * 2


def test_a_path_with_plus_hash_or_blank_has_a_point():
    with under() as (fake, planned):
        publish(fake, "/a+b%23c")
        fake.drain()
        (point,) = [str(fault) for fault in planned.record(["twice"]).possible]
        assert point == "twice@/a%2Bb%23c#1.1"
    with under(point) as (fake, planned):
        publish(fake, "/a+b%23c")
        fake.drain()
        assert planned.record().left_over == ()


def test_the_words_of_a_fault_count_from_the_start_of_the_clock():
    with under("twice@/jobs#1.1") as (fake, planned):
        fake.clock.advance("3d")
        publish(fake)
        fake.drain()
        assert words(planned) == [f"attempt 1 of POST {JOBS} at +3d is sent twice"]


def test_a_reset_in_the_test_keeps_the_plan_and_the_count():
    with under("twice@/jobs#2.1") as (fake, planned):
        publish(fake)
        fake.drain()
        fake.reset()
        publish(fake)
        fake.drain()
        assert started(fake) == ["/jobs", "/jobs"]
        assert planned.record().left_over == ()


def test_what_is_possible_is_what_makes_a_difference():
    with under() as (fake, planned):
        fake.on(f"{SHOP}/flaky").respond_with([503, 200])
        publish(fake, "/flaky", Retries="1")
        publish(fake, "/late", Delay="1h", Queue_Name="mail")
        fake.drain()
        assert [str(fault) for fault in planned.record(["twice", "lost", "down", "swap"]).possible] == [
            "twice@/flaky#1.1",
            "twice@/flaky#1.2",
            "twice@/late#1.1",
            "lost@/late#1.1",  # the first attempt to /flaky fails anyway, the second is the last
            "down@/flaky#1.1",
            "down@/late#1.1",
        ]


# --- a lost answer to a publish -----------------------------------------------------------------------------------


def test_publish_lost_accepts_the_message_and_breaks_the_connection():
    with under("publish_lost@/jobs#2") as (fake, planned):
        token = {"Authorization": "Bearer t"}
        httpx.post(f"https://qstash.upstash.io/v2/publish/{JOBS}", headers=token)
        with pytest.raises(httpx.ConnectError, match="the connection broke before the answer"):
            httpx.post(f"https://qstash.upstash.io/v2/publish/{JOBS}", headers=token)
        assert len(fake.messages) == 2
        assert [call.status for call in fake.api.calls] == [201, 0]
        assert f"+0s — the connection of POST /v2/publish/{JOBS} broke before an answer came" in told(fake)
        assert words(planned) == [f"the answer to the publish of POST {JOBS} (message 2) at +0s is lost"]
        assert [str(fault) for fault in planned.record(["publish_lost"]).possible] == ["publish_lost@/jobs#1"]


def test_the_next_try_of_a_publish_that_was_lost_is_not_lost_in_turn():
    with under("publish_lost@/jobs#1") as (fake, planned):
        QStash("t", retry={"retries": 1, "backoff": lambda retries: 0}).message.publish(url=JOBS)
        publish(fake)
        assert len(fake.messages) == 3
        assert [str(fault) for fault in planned.record(["publish_lost"]).possible] == ["publish_lost@/jobs#3"]


def started(fake):
    return [attempt.message.url.removeprefix(SHOP) for attempt in fake.attempts]


def words(planned):
    return [one.words for one in planned.record().fired]
