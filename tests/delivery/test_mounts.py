"""Which application answers a delivery: mounts at a prefix, and destinations that nobody answers."""

import httpx
import pydantic
import pytest
import yarl

from qstash_fake import UnroutedDestination, UsageError
from qstash_fake.delivery.mounts import Answerers

pytestmark = pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z")

JOB = "https://shop.example/jobs/invoice"


def named(name: str):
    """Return an app that answers with its name."""
    return lambda request: httpx.Response(200, text=name)


def who_answers(fake, client, url: str) -> str:
    client.message.publish(url=url)
    fake.deliver_due()
    return str(fake.attempts[-1].body.decode())


# --- mounts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example/api",
        "https://shop.example/api/",
        "https://shop.example/api/x",
        "https://shop.example/api?x",
        "https://shop.example/api/x?y=/",
        "HTTPS://Shop.Example:443/api/x",
        "https://shop.example/api//x",
    ],
)
@pytest.mark.parametrize(
    "prefix", ["https://shop.example/api", "https://shop.example/api/", "https://SHOP.example:443/api"]
)
def test_a_mount_takes_what_lies_at_or_below_its_prefix(qstash_fake, client, prefix, url):
    qstash_fake.mount(named("api"), prefix)
    assert who_answers(qstash_fake, client, url) == "api"


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example/apix",
        "https://shop.example/ap",
        "https://shop.example/API/x",
        "https://shop.example/%61pi",
        "https://shop.example//api",
        "http://shop.example/api",
        "https://shop.example:8443/api",
        "https://shop.example.evil/api",
        "https://a.shop.example/api",
    ],
)
def test_a_mount_does_not_take_what_lies_beside_its_prefix(url):
    answerers = Answerers()
    answerers.mount(named("api"), "https://shop.example/api", lifespan=False)
    assert answerers.mount_for(url) is None


def test_a_prefix_without_a_path_takes_the_whole_host(qstash_fake, client):
    qstash_fake.mount(named("shop"), "https://shop.example")
    for url in ("https://shop.example", "https://shop.example?x=1", "https://shop.example/a/b"):
        assert who_answers(qstash_fake, client, url) == "shop"


@pytest.mark.parametrize("make", [httpx.URL, yarl.URL, pydantic.HttpUrl])
def test_a_prefix_may_be_an_object_that_shows_one(qstash_fake, client, make):
    qstash_fake.mount(named("api"), make("https://shop.example/jobs"))
    assert who_answers(qstash_fake, client, JOB) == "api"


@pytest.mark.parametrize("order", [1, -1])
def test_the_longest_prefix_wins_in_either_order(qstash_fake, client, order):
    prefixes = [None, "https://shop.example", "https://shop.example/api", "https://shop.example/api/v2"]
    for prefix in prefixes[::order]:
        qstash_fake.mount(named(prefix or "everywhere"), prefix)
    assert who_answers(qstash_fake, client, "https://shop.example/api/v2/x") == "https://shop.example/api/v2"
    assert who_answers(qstash_fake, client, "https://shop.example/api/v20") == "https://shop.example/api"
    assert who_answers(qstash_fake, client, "https://shop.example/jobs") == "https://shop.example"
    assert who_answers(qstash_fake, client, "https://other.example/") == "everywhere"


@pytest.mark.parametrize("again", ["https://shop.example/api", "https://SHOP.example:443/api/"])
def test_an_equal_prefix_replaces(qstash_fake, client, again):
    qstash_fake.mount(named("old"), "https://shop.example/api")
    qstash_fake.mount(named("new"), again)
    assert who_answers(qstash_fake, client, "https://shop.example/api/x") == "new"


def test_a_mount_for_everything_replaces_one_for_everything(qstash_fake, client):
    qstash_fake.mount(named("old"))
    qstash_fake.mount(named("new"))
    assert who_answers(qstash_fake, client, JOB) == "new"


def test_the_app_sees_the_whole_path_below_its_prefix(qstash_fake, client):
    qstash_fake.mount(lambda request: httpx.Response(200, text=str(request.url)), "https://shop.example/api")
    assert who_answers(qstash_fake, client, "https://shop.example/api/x?y=1") == "https://shop.example/api/x?y=1"


@pytest.mark.parametrize("prefix", ["/api", "shop.example", "", "ftp://shop.example"])
def test_a_prefix_that_is_no_url_is_refused(qstash_fake, prefix):
    with pytest.raises(UsageError, match="give a URL such as 'https://shop"):
        qstash_fake.mount(named("api"), prefix)


@pytest.mark.parametrize(
    ("app", "url"),
    [
        ("https://shop.example", named("shop")),
        ("https://shop.example", None),
        (httpx.URL("https://shop.example"), named("shop")),
    ],
)
def test_swapped_arguments_are_explained(qstash_fake, app, url):
    with pytest.raises(UsageError) as raised:
        qstash_fake.mount(app, url)
    assert str(raised.value) == f"cannot mount {app!r}, a URL: it is mount(app, url), the application first"


# --- the unrouted ---------------------------------------------------------------------------------------------------


def test_an_unrouted_destination_is_an_error_that_says_what_to_do_and_the_message_stays(qstash_fake, client):
    qstash_fake.mount(named("api"), "https://api.example")
    client.message.publish(url=JOB, delay="10s")
    with pytest.raises(UnroutedDestination) as raised:
        qstash_fake.clock.advance("1m")
    assert str(raised.value) == (
        "no app for https://shop.example/jobs/invoice: mount one with qstash_fake.mount(app, 'https://shop.example'), "
        "or answer it with qstash_fake.on('https://shop.example/jobs/invoice').respond(200), "
        "or let all such deliveries succeed with the option unrouted='accept'; mounted: https://api.example"
    )
    assert (qstash_fake.attempts, [message.state for message in qstash_fake.pending]) == ([], ["CREATED"])
    qstash_fake.on(JOB).respond(200)
    assert len(qstash_fake.deliver_due().delivered) == 1


WAYS_OUT = {
    f"give on('{JOB}') an answer, such as .respond(200): it has none": lambda fake: fake.on(JOB),
    f"let on('{JOB}', 'POST') answer longer, with .respond(200) after respond_with(): its answers are spent": (
        lambda fake: fake.on(JOB, "POST").respond_with([503])
    ),
    f"let on('{JOB}') answer longer: its times(1) are over": lambda fake: fake.on(JOB).respond(503).times(1),
}


@pytest.mark.parametrize("way_out", WAYS_OUT)
def test_a_route_that_matches_and_does_not_answer_is_named(qstash_fake, client, way_out):
    WAYS_OUT[way_out](qstash_fake)
    client.message.publish(url=JOB)
    with pytest.raises(UnroutedDestination) as raised:
        qstash_fake.drain()
    assert str(raised.value) == (
        f"no app for {JOB}: mount one with qstash_fake.mount(app, 'https://shop.example'), or {way_out}, "
        "or let all such deliveries succeed with the option unrouted='accept'; mounted: nothing"
    )


@pytest.mark.qstash_fake(unrouted="accept")
def test_unrouted_accept_answers_200(qstash_fake, client):
    client.message.publish(url=JOB)
    qstash_fake.deliver_due()
    assert qstash_fake.attempts[0].status == 200


@pytest.mark.qstash_fake(unrouted="fail")
def test_unrouted_fail_is_a_failed_attempt_without_an_answer(qstash_fake, client):
    client.message.publish(url=JOB, retries=0)
    qstash_fake.deliver_due()
    (attempt,) = qstash_fake.attempts
    assert (attempt.status, attempt.error) == (0, f"no app is mounted for {JOB}")
    assert qstash_fake.dlq[0].response_status == 0


def test_an_unknown_rule_for_the_unrouted_is_refused():
    with pytest.raises(UsageError, match="unrouted='ignore' is unknown: use one of 'error', 'accept', 'fail'"):
        Answerers("ignore")
