"""One publish: the destination out of the raw path, the options out of headers and query."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qstash_fake.errors import Refused
from qstash_fake.protocol.publish import cut_parameters, forwardable, into_queue, parse_publish
from qstash_fake.protocol.urls import Destination


def publish(target, **headers):
    pairs = [(f"Upstash-{name.replace('_', '-')}", value) for name, value in headers.items()]
    return parse_publish(target, pairs, b"body", caller_ip="203.0.113.7")


def test_a_publish_is_destination_options_body_and_caller():
    request = publish("https://shop.example/jobs?a=1", Retries="1")
    assert request.destination == Destination(url="https://shop.example/jobs?a=1")
    assert (request.options.retries, request.body, request.caller_ip) == (1, b"body", "203.0.113.7")


def test_a_header_wins_over_the_parameter_of_its_name():
    request = publish("https://shop.example/jobs?upstash-retries=2&upstash-delay=2s", Retries="1")
    assert (request.options.retries, request.options.delay_ms) == (1, 2_000)


def test_a_forwarded_header_wins_over_the_parameter_of_its_name():
    request = publish("https://shop.example/jobs?upstash-forward-x=1&upstash-forward-y=2", Forward_X="3")
    assert request.options.forward == (("X", "3"), ("Y", "2"))


def test_the_first_of_two_equal_parameters_counts():
    assert publish("https://shop.example/?upstash-retries=1&upstash-retries=2").options.retries == 1


def test_a_group_has_parameters_as_well():
    request = publish("group?upstash-retries=1&qstash_token=secret")
    assert (request.destination, request.options.retries) == (Destination(group="group"), 1)


@pytest.mark.parametrize(
    ("target", "left", "cut"),
    [
        ("https://shop.example/a?b", "https://shop.example/a?b", []),
        ("https://shop.example/a?", "https://shop.example/a?", []),
        ("https://shop.example/a?upstash-delay=1%20s", "https://shop.example/a", [("upstash-delay", "1 s")]),
        ("https://shop.example/a?b&Upstash-Cron=*+*&c", "https://shop.example/a?b&c", [("upstash-cron", "* *")]),
        ("https://shop.example/a?qstash_token=x=y", "https://shop.example/a", [("qstash_token", "x=y")]),
        ("https://shop.example/a?upstash-label", "https://shop.example/a", [("upstash-label", "")]),
        ("https://shop.example/upstash-delay=1?b=upstash-c", "https://shop.example/upstash-delay=1?b=upstash-c", []),
        ("https://shop.example/?to=/x?upstash-delay=1", "https://shop.example/?to=/x?upstash-delay=1", []),
        ("https://shop.example/?upstash-label=%C3%A9", "https://shop.example/", [("upstash-label", "\xc3\xa9")]),
    ],
)
def test_parameters_of_qstash_are_cut_out_and_decoded(target, left, cut):
    assert cut_parameters(target) == (left, cut)


@given(st.text(st.characters(exclude_characters="?"), max_size=10), st.lists(st.text("ab=%+?/ ", max_size=5)))
def test_everything_else_stays_as_it_is(path, parameters):
    target = path + "?" + "&".join(parameters)
    assert cut_parameters(target) == (target, [])
    joined = "&".join([*parameters, "upstash-retries=1"])
    assert cut_parameters(f"{path}?{joined}") == ((target if parameters else path), [("upstash-retries", "1")])


def test_what_belongs_to_the_connection_or_to_qstash_is_not_forwardable():
    own = [
        "Authorization",
        "Host",
        "Content-Length",
        "content-type",
        "CONNECTION",
        "Upstash-Delay",
        "qstash_token",
        "TE",
    ]
    pairs = [*((name, "1") for name in own), ("x-shop", "2"), ("X-SHOP", "3")]
    assert forwardable(pairs) == (("X-Shop", "2"), ("X-Shop", "3"))


def test_a_request_into_a_queue_has_its_name():
    request = into_queue(publish("https://shop.example", Queue_Name="other", Retries="1"), "emails")
    assert (request.options.queue, request.options.retries) == ("emails", 1)


@pytest.mark.parametrize("headers", [{"Delay": "0"}, {"Delay": "1s"}, {"Not_Before": "0"}])
def test_a_request_into_a_queue_has_no_time(headers):
    with pytest.raises(Refused, match="Upstash-Not-Before/Upstash-Delay can not be used with enqueue"):
        into_queue(publish("https://shop.example", **headers), "emails")


@pytest.mark.parametrize(
    ("target", "headers", "kept"),
    [
        ("https://shop.example", {"Header-Forward": "true"}, (("X-Shop", "7"),)),
        ("https://shop.example?upstash-header-forward=true", {}, (("X-Shop", "7"),)),
        ("group", {}, (("X-Shop", "7"),)),  # its default headers may ask for it
        ("https://shop.example", {}, ()),
        ("https://shop.example", {"Header-Forward": "false"}, ()),
    ],
)
def test_the_requests_own_headers_are_kept_only_where_they_may_be_forwarded(target, headers, kept):
    pairs = [("x-shop", "7"), *((f"Upstash-{name}", value) for name, value in headers.items())]
    assert parse_publish(target, pairs, b"", caller_ip="").incoming == kept
