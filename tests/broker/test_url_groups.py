"""URL groups: endpoints by URL and by name, defaults, and what a publish to a group makes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qstash_fake.broker.url_groups import Endpoint, UrlGroups
from qstash_fake.errors import Refused
from qstash_fake.protocol.options import parse_options
from qstash_fake.protocol.publish import parse_publish
from tests.world import instructions

A, B, C = (Endpoint(url=f"https://{name}.example") for name in "abc")


def shown(groups, name="news"):
    return [(endpoint.url, endpoint.name) for endpoint in groups.by_name[name].endpoints]


@pytest.fixture
def groups():
    return UrlGroups()


def test_endpoints_stay_in_the_order_in_which_they_came(groups):
    groups.upsert("news", [C, A], 1)
    groups.upsert("news", [B], 2)
    assert [url for url, _ in shown(groups)] == [C.url, A.url, B.url]


def test_a_known_url_is_renamed_where_it_stands(groups):
    groups.upsert("news", [A, B], 1)
    groups.upsert("news", [Endpoint(url=A.url, name="first")], 2)
    assert shown(groups) == [(A.url, "first"), (B.url, "")]


def test_a_known_name_gets_the_new_url_where_it_stands(groups):
    groups.upsert("news", [Endpoint(url=A.url, name="first"), B], 1)
    groups.upsert("news", [Endpoint(url=C.url, name="first")], 2)
    assert shown(groups) == [(C.url, "first"), (B.url, "")]


def test_a_url_without_a_name_keeps_the_name_it_has(groups):
    groups.upsert("news", [Endpoint(url=A.url, name="first")], 1)
    groups.upsert("news", [A], 2)
    assert shown(groups) == [(A.url, "first")]


def test_one_that_means_two_endpoints_leaves_one(groups):
    groups.upsert("news", [Endpoint(url=A.url, name="first"), B, C], 1)
    groups.upsert("news", [Endpoint(url=C.url, name="first")], 2)
    assert shown(groups) == [(C.url, "first"), (B.url, "")]


ENDPOINTS = st.lists(st.builds(Endpoint, url=st.sampled_from("ABCD"), name=st.sampled_from(["", *"abc"])))


@given(st.lists(ENDPOINTS, max_size=3))
def test_each_endpoint_takes_the_first_place_of_those_that_have_its_url_or_its_name(calls):
    groups, expected = UrlGroups(), list[Endpoint]()
    for call in calls:
        groups.upsert("news", call, 1)
        for one in call:
            same = [e for e in expected if e.url == one.url or (one.name and e.name == one.name)]
            if not same:
                expected.append(one)
                continue
            expected[expected.index(same[0])] = Endpoint(url=one.url, name=one.name or same[0].name)
            expected = [e for e in expected if e not in same[1:]]
    assert groups.by_name["news"].endpoints == expected if calls else not groups.by_name


@pytest.mark.parametrize("change", ["upsert", "remove"])
def test_changing_n_endpoints_takes_time_in_proportion_to_n(change):
    def work(n):
        endpoints = [Endpoint(url=f"https://{number}.example", name=str(number)) for number in range(n)]
        groups = UrlGroups()
        groups.upsert("news", endpoints, 1)
        return instructions(lambda: getattr(groups, change)("news", endpoints, 2))

    assert work(800) < 5 * work(200)  # each with each, it would be 16 times


def test_unnamed_endpoints_are_not_the_same_for_having_no_name(groups):
    groups.upsert("news", [A, B], 1)
    assert len(shown(groups)) == 2


def test_endpoints_are_removed_by_url_or_by_name(groups):
    groups.upsert("news", [A, Endpoint(url=B.url, name="second"), C], 1)
    groups.remove("news", [A], 2)
    groups.remove("news", [Endpoint(url="", name="second")], 2)
    assert [url for url, _ in shown(groups)] == [C.url]


def test_a_url_that_is_removed_is_not_found_by_its_name(groups):
    groups.upsert("news", [A, Endpoint(url=B.url, name="second")], 1)
    groups.remove("news", [Endpoint(url=A.url, name="second")], 2)
    assert shown(groups) == [(B.url, "second")]


def test_a_group_without_endpoints_is_gone(groups):
    groups.upsert("news", [A], 1)
    groups.remove("news", [A], 2)
    assert groups.by_name == {}


def test_removing_from_an_unknown_group_changes_nothing(groups):
    groups.remove("news", [A], 2)
    assert groups.by_name == {}


def test_a_group_knows_when_it_was_made_and_changed(groups):
    groups.upsert("news", [A, B], 1)
    groups.upsert("news", [C], 5)
    assert (groups.by_name["news"].created_ms, groups.by_name["news"].updated_ms) == (1, 5)
    groups.remove("news", [C], 7)
    assert groups.by_name["news"].updated_ms == 7
    groups.set_defaults("news", parse_options([]), 9)
    assert groups.by_name["news"].updated_ms == 9


def test_the_changes_of_a_group_have_the_time_of_the_account(bench):
    bench.broker.add_endpoints("news", [A, B])
    group, made_ms = bench.broker.url_groups.by_name["news"], bench.broker.now_ms
    bench.advance(5)
    bench.broker.remove_endpoints("news", [B])
    assert (group.created_ms, group.updated_ms) == (made_ms, made_ms + 5_000)
    bench.advance(2)
    bench.broker.set_group_defaults("news", parse_options([]))
    assert group.updated_ms == made_ms + 7_000


@pytest.mark.protocol("4.6 URL group publish")
def test_one_message_for_each_endpoint_each_with_its_own_life(bench):
    bench.broker.url_groups.upsert("news", [A, B], 0)
    bench.answers = {"x": [200, 500]}
    publication = bench.broker.publish(bench.request("x", to="news", retries=0))
    bench.advance(0)
    one, other = bench.broker.messages.values()
    assert publication.to_group
    assert [item.message_id for item in publication.items] == [one.message_id, other.message_id]
    assert [(message.url, message.state, message.url_group) for message in (one, other)] == [
        (A.url, "DELIVERED", "news"),
        (B.url, "FAILED", "news"),
    ]


def test_a_group_of_one_is_still_a_group(bench):
    bench.broker.url_groups.upsert("news", [A], 0)
    assert bench.broker.publish(bench.request("x", to="news")).to_group


@pytest.mark.protocol("4.6 group edit during delay")
def test_the_fan_out_is_made_at_the_publish(bench):
    bench.broker.url_groups.upsert("news", [A], 0)
    bench.broker.publish(bench.request("x", to="news", delay="1m"))
    bench.broker.url_groups.upsert("news", [B], 0)
    bench.advance(60)
    assert [message.url for message in bench.broker.messages.values()] == [A.url]


def test_defaults_lie_under_the_options_of_every_publish(bench):
    groups = bench.broker.url_groups
    groups.upsert("news", [A], 0)
    groups.set_defaults("news", parse_options([("Upstash-Retries", "7"), ("Upstash-Forward-X", "group")]), 0)
    groups.set_defaults("news", parse_options([("Upstash-Delay", "5s")]), 0)
    by_default = bench.publish("x", to="news")
    named = bench.publish("y", to="news", retries=1, forward_x="own", forward_y="too")
    assert (by_default.max_retries, by_default.due_ms - by_default.created_ms) == (7, 5_000)
    assert dict(by_default.stored_headers) == {"X": "group"}
    assert named.max_retries == 1
    assert dict(named.stored_headers) == {"X": "own", "Y": "too"}


@pytest.mark.protocol("4.6 URL group publish")
@pytest.mark.parametrize(
    ("asked", "default", "forwarded"),
    [(None, None, ()), ("true", None, (("X-Shop", "7"),)), (None, "true", (("X-Shop", "7"),)), ("false", "true", ())],
)
def test_the_headers_of_the_call_are_forwarded_where_the_publish_asks_for_it_or_else_its_group(
    bench, asked, default, forwarded
):
    def header(value):
        return [] if value is None else [("Upstash-Header-Forward", value)]

    bench.broker.url_groups.upsert("news", [A], 0)
    bench.broker.url_groups.set_defaults("news", parse_options(header(default)), 0)
    bench.broker.publish(parse_publish("news", [("X-Shop", "7"), *header(asked)], b"", caller_ip=""))
    (message,) = bench.broker.messages.values()
    assert message.stored_headers == forwarded


@pytest.mark.parametrize("known", [False, True], ids=["unknown", "without endpoints"])
def test_a_group_that_has_no_endpoints_is_refused(bench, known):
    if known:
        bench.broker.url_groups.set_defaults("news", parse_options([]), 0)
    with pytest.raises(Refused, match="topic news not found") as refused:
        bench.publish("x", to="news")
    assert refused.value.status == 404
    assert bench.broker.messages == {}
