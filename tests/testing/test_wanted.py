"""What can be asked of a message: each thing counts, and URL objects are taken wherever a URL is."""

import re

import httpx
import pydantic
import pytest
import yarl

from qstash_fake import QStashFake, UsageError
from tests.shop import JOBS
from tests.testing.failures import CLIENT, failure, publish

pytestmark = pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z")


@pytest.mark.parametrize(
    ("asked", "other"),
    [
        ({"url": JOBS}, {"url": "https://shop.example/job"}),
        ({"url": "https://shop.example/*"}, {"url": "https://api.example/*"}),
        ({"url": re.compile(r"https://shop\.example/j.*")}, {"url": re.compile(r"https://shop\.example/j")}),
        ({"json": {"order": 7}}, {"json": {"order": 8}}),
        ({"json": {"customer": {"vip": True}}}, {"json": {"customer": {"vip": 1}}}),
        ({"body": '{"order": 7, "customer": {"vip": true, "id": 1}}'}, {"body": '{"order": 7}'}),
        ({"body": b'{"order": 7, "customer": {"vip": true, "id": 1}}'}, {"body": b""}),
        ({"headers": {"x-tenant": "shop"}}, {"headers": {"X-Tenant": "other"}}),
        ({"headers": {"Content-Type": "application/json"}}, {"headers": {"X-Missing": "1"}}),
        ({"method": "put"}, {"method": "POST"}),
        ({"delay": "5m"}, {"delay": 299}),
        ({"delay": 300}, {"delay": "1h"}),
        ({"label": "invoice"}, {"label": "inv"}),
        ({"retries": 5}, {"retries": 3}),
        ({"timeout": "30s"}, {"timeout": 31}),
        ({"callback": "https://shop.example/done"}, {"callback": "https://shop.example/failed"}),
        ({"callback": "https://shop.example/*"}, {"callback": "https://api.example/*"}),
        ({"failure_callback": re.compile(".*/failed")}, {"failure_callback": re.compile(".*/done")}),
        ({"flow_control": "tenant"}, {"flow_control": "other"}),
        ({"flow_control": {"rate": 2, "period": "1m"}}, {"flow_control": {"key": "tenant", "rate": 3}}),
        ({"flow_control": {"period": 60}}, {"flow_control": {"parallelism": 1}}),
        ({"deduplication_id": "order-7"}, {"deduplication_id": "order-8"}),
        ({"where": lambda message: message.max_retries == 5}, {"where": lambda message: message.max_retries == 3}),
    ],
)
def test_each_thing_that_is_asked_counts(qstash_fake, asked, other):
    publish(
        body='{"order": 7, "customer": {"vip": true, "id": 1}}',
        content_type="application/json",
        method="PUT",
        headers={"X-Tenant": "shop"},
        delay="5m",
        label="invoice",
        retries=5,
        timeout="30s",
        callback="https://shop.example/done",
        failure_callback="https://shop.example/failed",
        flow_control={"key": "tenant", "rate": 2, "period": "1m"},
        deduplication_id="order-7",
    )
    assert qstash_fake.assert_published(**asked) is qstash_fake.messages[0]
    qstash_fake.assert_nothing_published(**other)
    with pytest.raises(AssertionError):
        qstash_fake.assert_published(**other)
    with pytest.raises(AssertionError):
        qstash_fake.assert_nothing_published(**asked)


def test_queue_and_schedule_can_be_asked_for(qstash_fake):
    CLIENT.message.enqueue(queue="billing", url=JOBS)
    schedule_id = CLIENT.schedule.create(destination=JOBS, cron="0 * * * *")
    (fired,) = qstash_fake.schedules[schedule_id].trigger()
    assert qstash_fake.assert_published(queue="billing") is qstash_fake.messages[0]
    assert qstash_fake.assert_published(schedule_id=schedule_id) is fired
    qstash_fake.assert_nothing_published(queue="bill")
    qstash_fake.assert_nothing_published(schedule_id="scd_other")


@pytest.mark.parametrize(
    "asked",
    [
        {"retries": 0},
        {"timeout": "1s"},
        {"callback": "https://*"},
        {"failure_callback": re.compile(".*")},
        {"flow_control": "tenant"},
        {"flow_control": {"rate": 2}},
        {"deduplication_id": "order-7"},
    ],
)
def test_what_a_message_does_not_have_is_not_found(qstash_fake, asked):
    publish()
    qstash_fake.assert_nothing_published(**asked)


def test_flow_control_takes_the_sdks_words_alone(qstash_fake):
    with pytest.raises(UsageError, match=r"^flow_control has no 'speed': it takes key, parallelism, rate and period$"):
        qstash_fake.assert_nothing_published(flow_control={"key": "tenant", "speed": 3})


class OtherUrl:
    """What furl and others have in common with the rest."""

    scheme, host = "https", "shop.example"

    def __str__(self):
        return JOBS


@pytest.mark.parametrize(
    "url", [pydantic.HttpUrl(JOBS), httpx.URL(JOBS), yarl.URL(JOBS), OtherUrl()], ids=lambda url: type(url).__module__
)
def test_a_url_object_is_taken_wherever_a_url_is(url):
    with QStashFake(start="2026-01-01T00:00:00Z") as fake:
        publish(url=url, callback=JOBS)
        CLIENT.schedule.create(destination=JOBS, cron="0 9 * * *")
        fake.mount(lambda request: httpx.Response(200), url)
        fake.duplicate_next(url)
        route = fake.on(url).takes("1s")
        fake.drain()
        assert len(route.calls) == 3  # twice, and the callback
        fake.assert_delivered(url=url, callback=url)
        fake.assert_scheduled(destination=url)
        fake.assert_order([url, url])
        assert str(fake.signed_request(url).url) == JOBS
        asked = failure(fake.assert_published, url=url, callback=url, json={"order": 8})[0]
        assert asked == f'no message was published with url={JOBS}, json={{"order": 8}}, callback={JOBS}'


def test_mount_takes_no_regex(qstash_fake):
    with pytest.raises(UsageError, match=r"^mount\(\) takes the beginning of URLs and no regex: answer those with"):
        qstash_fake.mount(lambda request: httpx.Response(200), re.compile("https://shop.example/.*"))


def test_the_newest_of_several_is_returned(qstash_fake):
    publish(body="first")
    publish(body="second")
    assert qstash_fake.assert_published(url=JOBS).text == "second"
    assert qstash_fake.assert_published(url=JOBS, times=2).text == "second"


def test_the_newest_is_looked_at_first_and_those_before_it_not_at_all(qstash_fake):
    for number in range(100):
        publish(body=str(number))
    seen = []

    def any_message(message):
        seen.append(message.text)
        return True

    qstash_fake.assert_published(where=any_message)
    assert seen == ["99"]


def test_an_assertion_that_holds_makes_no_sentence(qstash_fake):
    class Seven:
        def __eq__(self, other):
            return bool(other == 7)

        __hash__ = None  # type: ignore[assignment]

        def __repr__(self):
            raise AssertionError("shown")

    for number in (7, 8):
        publish(body=f'{{"order": {number}}}')
    qstash_fake.assert_published(json={"order": Seven()}, times=1)
    qstash_fake.assert_nothing_published(json={"order": [Seven()]})
    with pytest.raises(AssertionError, match="shown"):
        qstash_fake.assert_published(json={"order": [Seven()]})


def test_none_can_be_asked_for_by_number(qstash_fake):
    publish()
    assert qstash_fake.assert_delivered(times=0) is None
    assert qstash_fake.assert_dead_lettered(times=0) is None
    assert failure(qstash_fake.assert_published, times=0)[0] == "1 message was published; expected 0"
    with pytest.raises(UsageError, match="times=-1: a number of messages is not negative"):
        qstash_fake.assert_published(times=-1)


@pytest.mark.parametrize("asked", [{"url": "/jobs"}, {"url": "shop.example/jobs"}])
def test_a_url_that_can_match_nothing_is_refused_even_when_nothing_was_published(qstash_fake, asked):
    with pytest.raises(UsageError, match="is no URL: it begins with http:// or https://"):
        qstash_fake.assert_nothing_published(**asked)


def test_a_delay_that_is_none_is_refused_even_when_nothing_was_published(qstash_fake):
    with pytest.raises(ValueError, match="invalid duration '5x'"):
        qstash_fake.assert_nothing_published(delay="5x")


def test_a_matcher_may_stand_for_a_value(qstash_fake):
    class Anything:
        def __eq__(self, other):
            return True

        __hash__ = None  # type: ignore[assignment]

    publish(body='{"paid": true}')
    qstash_fake.assert_published(json={"paid": Anything()})


def test_json_none_asks_for_null(qstash_fake):
    publish(body="null")
    qstash_fake.assert_published(json=None)
    qstash_fake.assert_nothing_published(json={})
    publish(body="{}")
    assert qstash_fake.assert_published(json=None, times=1).text == "null"


@pytest.mark.parametrize("delay", ["2w", "1mo", "1y", "1y1w1d1ms"])
def test_the_delay_of_a_publish_is_asked_for_and_waited_for_in_the_same_words(qstash_fake, delay):
    qstash_fake.on(JOBS).respond(200)
    publish(delay=delay)
    qstash_fake.assert_published(JOBS, delay=delay)
    qstash_fake.clock.advance(delay)
    assert qstash_fake.assert_delivered(JOBS).attempts[0].at == qstash_fake.clock.now
