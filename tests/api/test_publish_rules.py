"""The general rules of PROTOCOL section 2: how headers and query parameters say what a message is."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qstash_fake.api.answer import Api
from qstash_fake.api.auth import Auth
from qstash_fake.broker.broker import Broker
from tests.shop import START_MS

DONE = "https://shop.example/done"


@pytest.mark.protocol("rule names are case-insensitive")
@pytest.mark.parametrize("name", ["Upstash-Retries", "upstash-retries", "UPSTASH-RETRIES", "uPsTaSh-ReTrIeS"])
def test_header_names_come_in_any_case(qstash, name):
    assert qstash.publish({name: "7"}).max_retries == 7


@pytest.mark.protocol("rule every config header may also be a query parameter")
def test_every_header_may_be_a_query_parameter(qstash):
    message = qstash.publish(
        to="https://shop.example/jobs?upstash-retries=1&upstash-delay=100s&upstash-method=put&upstash-label=a%2C+b-c"
        "&upstash-timeout=5&upstash-forward-x-shop=caf%C3%A9&upstash-callback=https%3A%2F%2Fshop.example%2Fdone"
        "&upstash-content-based-deduplication=true&upstash-redact-fields=body&upstash-retry-delay=1%2B2"
    )
    assert (message.max_retries, message.due_ms, message.method) == (1, START_MS + 100_000, "PUT")
    assert (message.labels, message.callback, message.headers["x-shop"]) == (("a", "b-c"), DONE, "caf\xe9")
    assert message.options.timeout_ms == 5_000
    assert message.options.content_based_deduplication is True
    assert message.redaction.body
    assert message.options.retry_delay.text == "1+2"


@pytest.mark.protocol("rule every config header may also be a query parameter")
def test_header_forward_may_be_a_query_parameter(qstash):
    to = "https://shop.example/jobs?upstash-header-forward=true"
    assert qstash.publish({"X-Shop": "7"}, to=to).headers["x-shop"] == "7"


@pytest.mark.protocol("rule precedence of header, query and URL-group default")
def test_a_header_wins_over_the_query_and_the_query_over_the_group(qstash):
    qstash.call("POST", "/v2/topics/shops/endpoints", body={"endpoints": [{"url": "https://shop.example/jobs"}]})
    defaults = {"Upstash-Retries": "1", "Upstash-Delay": ["1s"], "Upstash-Method": "PUT"}
    qstash.call("PATCH", "/v2/topics/shops", body={"headers": defaults})
    qstash.json("POST", "/v2/publish/shops?upstash-retries=2&upstash-delay=2s", {"Upstash-Retries": "3"})
    (message,) = qstash.broker.messages.values()
    assert (message.max_retries, message.due_ms - START_MS, message.method) == (3, 2_000, "PUT")


@pytest.mark.protocol("rule consumed query keys are stripped")
@pytest.mark.parametrize(
    ("query", "left"),
    [
        ("?upstash-retries=1", ""),
        ("?a=1&upstash-retries=1", "?a=1"),
        ("?upstash-retries=1&a=1&a=2", "?a=1&a=2"),
        ("?a=%2F&UPSTASH-Retries=1&b", "?a=%2F&b"),
        ("?a=1&qstash_token=secret&&b=", "?a=1&&b="),
        ("?a=1", "?a=1"),
        ("?", "?"),
        ("?upstash=1&qstash_tokens=2", "?upstash=1&qstash_tokens=2"),
    ],
)
def test_consumed_query_parameters_are_cut_out_of_the_destination(qstash, query, left):
    assert qstash.publish(to=f"https://shop.example/jobs{query}").url == f"https://shop.example/jobs{left}"


@pytest.mark.protocol("rule durations; a bare integer is seconds in a timeout and a period, refused in a delay")
@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("10s", 10_000),
        ("1d10h30m", 124_200_000),
        ("3d5h12m", 277_920_000),
        ("5m", 300_000),
        ("0s", 0),
        ("0", 0),
        ("500ms", 500),
        ("1.5h", 5_400_000),
        ("2w", 1_209_600_000),
    ],
)
@pytest.mark.parametrize("header", ["Upstash-Delay", "Upstash-Timeout"])
def test_a_duration_is_what_go_reads_and_days_and_weeks(qstash, header, text, ms):
    options = qstash.publish({header: text}).options
    assert (options.delay_ms if header == "Upstash-Delay" else options.timeout_ms) == ms


@pytest.mark.protocol("rule durations; a bare integer is seconds in a timeout and a period, refused in a delay")
def test_a_timeout_may_be_a_bare_number_of_seconds(qstash):
    assert qstash.publish({"Upstash-Timeout": "60"}).options.timeout_ms == 60_000


@pytest.mark.protocol("rule booleans")
@pytest.mark.parametrize("true", ["1", "t", "T", "TRUE", "true", "True"])
def test_a_boolean_is_what_go_takes_for_true(qstash, true):
    assert qstash.publish({"Upstash-Header-Forward": true, "X-Shop": "7"}).headers["x-shop"] == "7"


@pytest.mark.protocol("rule booleans")
@pytest.mark.parametrize("false", ["0", "f", "F", "FALSE", "false", "False", ""])
def test_a_boolean_is_what_go_takes_for_false(qstash, false):
    assert "x-shop" not in qstash.publish({"Upstash-Header-Forward": false, "X-Shop": "7"}).headers


def test_the_first_of_several_values_counts(qstash):
    assert qstash.publish([("Upstash-Retries", "1"), ("upstash-retries", "2")]).max_retries == 1


# --- header by header, whatever it holds ---------------------------------------------------------------------------

TOKENS = st.text("!#$%&'*+-.^_`|~09azAZ", min_size=1, max_size=8).map("X-{}".format)
VALUES = st.text(st.characters(max_codepoint=255, exclude_categories=["Cc"], include_characters="\t\x80\x9f"))


@settings(deadline=None)
@given(st.dictionaries(TOKENS, VALUES, max_size=4))
def test_whatever_is_forwarded_is_kept_byte_for_byte(headers):
    broker = Broker(0)
    pairs = [
        ("Authorization", "Bearer secret"),
        *((f"Upstash-Forward-{name}", value) for name, value in headers.items()),
    ]
    assert Api(broker, Auth()).answer("POST", "/v2/publish/https://shop.example", pairs, b"").status == 201
    (message,) = broker.messages.values()
    sent = sorted((name.lower().encode(), value.encode("latin-1")) for name, value in headers.items())
    assert sorted((name.lower(), value) for name, value in message.headers.raw) == sent


@settings(deadline=None)
@given(st.dictionaries(TOKENS, st.text(st.characters(exclude_categories=["Cc", "Cs"])), max_size=4))
def test_whatever_text_a_batch_forwards_is_sent_as_utf_8(headers):
    broker = Broker(0)
    forwarded = {f"upstash-forward-{name}": value for name, value in headers.items()}
    body = json.dumps([{"destination": "https://shop.example", "headers": forwarded}]).encode()
    reply = Api(broker, Auth()).answer("POST", "/v2/batch", [("Authorization", "Bearer secret")], body)
    assert reply.status == 200
    (message,) = broker.messages.values()
    sent = sorted((name.lower().encode(), value.encode()) for name, value in headers.items())
    assert sorted((name.lower(), value) for name, value in message.headers.raw) == sent


def test_a_forwarded_header_wins_over_the_parameter_of_its_name(qstash):
    message = qstash.publish({"Upstash-Forward-X": "1"}, to="https://shop.example/jobs?upstash-forward-x=2")
    assert message.stored_headers == (("X", "1"),)


@pytest.mark.parametrize("name", ["x y", "", "\xe9", "x\n", "upstash-forward-x y"])
def test_a_name_that_is_no_header_name_is_refused_in_a_batch(qstash, name):
    item = {"destination": "https://shop.example", "headers": {"upstash-header-forward": True, name: "1"}}
    reply = qstash.call("POST", "/v2/batch", body=[item])
    assert reply.status == 400
    assert "invalid header name" in json.loads(reply.body)["error"]
    assert not qstash.broker.messages


def test_half_a_surrogate_pair_in_a_batch_becomes_the_replacement_character(qstash):
    body = rb'[{"destination":"https://shop.example/\ud800","body":"a\udc00b \ud83d\ude00"}]'
    qstash.json("POST", "/v2/batch", body=body)
    (message,) = qstash.broker.messages.values()
    assert (message.url, message.text) == ("https://shop.example/\ufffd", "a\ufffdb \U0001f600")
