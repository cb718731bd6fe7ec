"""What holds for every grammar: any text is read or refused as documented, what is written reads back, time is bounded.

A new grammar is a row in READERS. What its texts mean is told in the file of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qstash_fake.errors import Refused
from qstash_fake.protocol import durations, moments, publish, retry_after, urls
from qstash_fake.protocol.cron import Cron
from qstash_fake.protocol.expressions import Expression
from qstash_fake.protocol.options import FlowControl, Options, parse_options
from qstash_fake.protocol.redaction import Redaction


class Reader(NamedTuple):
    read: Callable[[str], object]
    letters: str
    """Of what texts are made that are nearly right."""
    refusal: type[Exception] | None = None
    """What a text that is wrong raises; None if every text can be read."""


def header(name: str) -> Callable[[str], object]:
    return lambda text: parse_options([(name, text)])


def url_pattern(text: str) -> object:
    return urls.UrlPattern(text).matches("https://shop.example/jobs")


URL = "htps:/@[]:?#%.*-_aA0 é"
DURATION = "0123456789.smhdnuwoy-+ µ"
READERS = {
    "destination": Reader(urls.parse_destination, URL, Refused),
    "absolute_url": Reader(urls.absolute_url, URL, Refused),
    "split": Reader(urls.split, URL),
    "server": Reader(urls.server, URL),
    "normalize": Reader(urls.normalize, URL),
    "url_pattern": Reader(url_pattern, URL),
    "cut_parameters": Reader(publish.cut_parameters, "?&=%+upstash-qoken_ 4é"),
    "cron": Reader(Cron.parse, "*?,-/0123456789 @TZ=monjanevry", ValueError),
    "expression": Reader(Expression.parse, "0123456789.e+-*/(), \tretidpowminax_%^", ValueError),
    "redaction": Reader(Redaction.parse, "bodyheaders[], X-é", ValueError),
    "header_ms": Reader(durations.header_ms, DURATION, ValueError),
    "seconds_or_header_ms": Reader(durations.seconds_or_header_ms, DURATION, ValueError),
    "go_duration_ms": Reader(durations.go_duration_ms, DURATION, ValueError),
    "to_ms": Reader(durations.to_ms, DURATION, ValueError),
    "moment_to_ms": Reader(moments.moment_to_ms, "0123456789-:.TZ+W ", ValueError),
    "http_date_ms": Reader(moments.http_date_ms, "0123456789 ThuFriJanFebGMT,:+-", ValueError),
    "retry_after": Reader(lambda text: retry_after.wait_ms(text, 0), "0123456789smhGTJan,: +-."),
    **{
        f"Upstash-{name}": Reader(header(f"Upstash-{name}"), letters, Refused)
        for name, letters in {
            "Method": "POSTputge ",
            "Header-Forward": "truefalsTF10",
            "Retries": "0123456789-+. ",
            "Retry-Delay": "0123456789+-*/() retied",
            "Delay": DURATION,
            "Not-Before": "0123456789.- ",
            "Timeout": DURATION,
            "Label": "ab, -_.:é",
            "Deduplication-Id": "ab: -é",
            "Callback": URL,
            "Redact-Fields": "bodyheaders[], X-é",
            "Queue-Name": "ab-_. é",
            "Cron": "*?,-/0123456789 @TZ=",
            "Forward-X": "ab\t\x00é",
            "Callback-Delay": DURATION,
            "Callback-Retries": "0123456789-+. ",
            "Flow-Control-Value": "rateplismod=,0123456789 ",
        }.items()
    },
    "flow control": Reader(
        lambda text: parse_options([("Upstash-Flow-Control-Key", "k"), ("Upstash-Flow-Control-Value", text)]),
        "rateplismod=,0123456789 ",
        Refused,
    ),
}


@pytest.mark.parametrize("name", READERS)
@given(data=st.data())
def test_any_text_is_read_or_refused_with_the_documented_error(name, data):
    reader = READERS[name]
    text = data.draw(st.text(max_size=40) | st.text(alphabet=reader.letters, max_size=40))
    try:
        reader.read(text)
    except Exception as error:  # noqa: BLE001 - that no other comes is what is tested
        assert (type(error), bool(str(error))) == (reader.refusal, True)  # noqa: PT017


# --- what is written reads back -------------------------------------------------------------------

LABELS = st.from_regex(r"[A-Za-z0-9_.-]{1,6}", fullmatch=True)
WHOLE = st.integers(min_value=0, max_value=10**9)
TARGETS = st.sampled_from(["https://shop.example/done", "http://[::1]:8080/?a=b", "https://u:p@shop.example"])
LIMITS = st.builds(
    FlowControl,
    key=LABELS,
    parallelism=st.integers(1, 100),
    rate=st.none() | st.integers(1, 100),
    period_ms=st.integers(1, 604_800).map(lambda seconds: seconds * 1_000),
)
OPTIONS = st.builds(
    Options,
    method=st.none() | st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE"]),
    content_type=st.none() | st.sampled_from(["text/plain", "application/json"]),
    forward=st.lists(st.tuples(st.sampled_from(["X-A", "Authorization"]), st.text("ab \té", max_size=3))).map(
        lambda pairs: tuple(sorted(pairs, key=lambda pair: pair[0], reverse=True))
    ),
    header_forward=st.none() | st.booleans(),
    retries=st.none() | WHOLE,
    retry_delay=st.none() | st.sampled_from(["1000", "pow(2, retried) * 1000"]).map(Expression.parse),
    not_before_ms=st.none() | WHOLE,
    timeout_ms=st.none() | st.integers(0, 365 * 86_400_000),
    labels=st.none() | st.lists(LABELS, min_size=1, max_size=3).map(tuple),
    deduplication_id=st.none() | LABELS,
    content_based_deduplication=st.none() | st.booleans(),
    callback=st.none() | TARGETS,
    failure_callback=st.none() | TARGETS,
    flow_control=st.none() | LIMITS,
    redaction=st.none() | st.builds(Redaction, body=st.booleans(), all_headers=st.just(True)),
    queue=st.none() | LABELS,
    schedule_id=st.none() | LABELS,
    cron=st.none() | st.sampled_from(["* * * * *", "CRON_TZ=Europe/Vienna 0 4 * * 1-5", "@every 5m"]).map(Cron.parse),
)
WRITERS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "method": ("Method", str),
    "header_forward": ("Header-Forward", str),
    "retries": ("Retries", str),
    "retry_delay": ("Retry-Delay", lambda expression: expression.text),
    "delay_ms": ("Delay", durations.format_ms),
    "not_before_ms": ("Not-Before", lambda ms: f"{ms // 1_000}.{ms % 1_000:03}"),
    "timeout_ms": ("Timeout", durations.format_ms),
    "labels": ("Label", ", ".join),
    "deduplication_id": ("Deduplication-Id", str),
    "content_based_deduplication": ("Content-Based-Deduplication", str),
    "callback": ("Callback", str),
    "failure_callback": ("Failure-Callback", str),
    "redaction": ("Redact-Fields", lambda redaction: "body, header" if redaction.body else "header"),
    "queue": ("Queue-Name", str),
    "schedule_id": ("Schedule-Id", str),
    "cron": ("Cron", lambda cron: cron.text),
}


def written(options: Options, family: str = "Upstash-") -> list[tuple[str, str]]:
    """The headers that say *options*."""
    pairs = [
        (family + name, write(value))
        for field, (name, write) in WRITERS.items()
        if (value := getattr(options, field)) is not None
    ]
    pairs += [(f"{family}Forward-{name}", value) for name, value in options.forward]
    if options.content_type:
        pairs.append(("Content-Type", options.content_type))
    if limits := options.flow_control:
        parts = {"parallelism": limits.parallelism, "rate": limits.rate, "period": limits.period_ms // 1_000}
        value = ", ".join(f"{name}={number}" for name, number in parts.items() if number is not None)
        pairs += [(f"{family}Flow-Control-Key", limits.key), (f"{family}Flow-Control-Value", value)]
    if options.callback_options:
        pairs += written(options.callback_options, f"{family}Callback-")
    if options.failure_callback_options:
        pairs += written(options.failure_callback_options, f"{family}Failure-Callback-")
    return pairs


@st.composite
def options_with_families(draw, depth=1):
    options = draw(OPTIONS)
    given: dict[str, Any] = {}
    if depth == 1:  # the message itself
        given["delay_ms"] = draw(st.none() | st.integers(0, 10**12))
    else:
        given |= {"not_before_ms": None, "content_type": None}
    if depth:
        given["callback_options"] = draw(st.none() | options_with_families(depth=depth - 1))
        given["failure_callback_options"] = draw(st.none() | options_with_families(depth=depth - 1))
    given = {name: value if value != Options() else None for name, value in given.items()}
    return Options(**{name: getattr(options, name) for name in Options.__slots__} | given)


@given(options_with_families())
def test_options_that_are_written_as_headers_read_back(options):
    assert parse_options(written(options)) == options


@pytest.mark.parametrize("name", ["destination", "cron", "expression", "normalize", "absolute_url"])
@given(data=st.data())
def test_what_was_read_reads_back_from_its_own_text(name, data):
    reader = READERS[name]
    text = data.draw(st.text(reader.letters, max_size=20) | st.text(URL, max_size=20).map("http://a{}".format))
    try:
        first = reader.read(text)
    except (Refused, ValueError):
        return
    again = getattr(first, "text", None) or str(first)
    assert reader.read(again) == first


@given(
    st.tuples(
        st.sampled_from(["http://", "HTTPS://"]),
        st.text("aB.", min_size=1, max_size=6),
        st.sampled_from(["", ":80", ":443", ":8080"]),
        st.just("") | st.text("/a%", max_size=6).map("/{}".format),
        st.just("") | st.text("a=&", max_size=6).map("?{}".format),
    ).map("".join)
)
def test_a_url_means_and_lies_under_itself(url):
    assert urls.UrlPattern(url).matches(url)
    assert urls.UrlPattern(f"{url}*").matches(url)
    assert urls.under(url, url)


# --- time -----------------------------------------------------------------------------------------

HOSTILE = ["1", "00", "1h", "1.", "1+", "1-", "1/", "*,", "a,", "-", "(", "abs(", "[", "header[", "=", "rate=1,", "TZ="]
HOSTILE += [" ", "\t", "é", "@", "%41", "/*", "&upstash-a=b", "https://", "https://a.", "https://a@", "https://[::"]


def seconds(read: Callable[[str], object], texts: list[str]) -> float:
    """CPU seconds for all of *texts*."""
    start = time.process_time()
    for text in texts:
        try:
            read(text)
        except (Refused, ValueError):
            continue
    return time.process_time() - start


@pytest.mark.parametrize("name", READERS)
def test_the_time_grows_with_the_length_of_the_text_and_no_faster(name):
    """Eight times the length may take thirty times as long, which no quadratic reader keeps."""
    read = READERS[name].read

    def ratio(attempt):
        short, long = (
            [f"{start}{unit * (size // len(unit))}{attempt}" for unit in HOSTILE for start in ("", "https://a/")]
            for size in (4_000, 32_000)
        )
        return seconds(read, long) / seconds(read, short)

    # One good attempt is enough. Each has texts of its own, for some readers remember.
    assert any(ratio(attempt) < 30 for attempt in range(3))
