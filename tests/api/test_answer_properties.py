"""Whatever `answer()` is given, it answers: nothing raises, and nothing is an error of our own."""

import json
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from qstash_fake.api.answer import OPERATIONS, Api
from qstash_fake.api.auth import Auth
from qstash_fake.broker.broker import Broker
from qstash_fake.broker.message import Outcome
from tests.world import start_next

LATIN_1 = st.text(st.characters(max_codepoint=255), max_size=12)  # a character for each byte, as a header is read
PRINTABLE = st.text(st.characters(max_codepoint=255, exclude_categories=["Cc"]), min_size=1, max_size=12)
ANY_TEXT = st.text(st.characters(), max_size=5)  # halves of surrogate pairs as well: JSON can hold them
HEADER_NAMES = st.sampled_from(
    [
        "Upstash-Method",
        "Upstash-Retries",
        "Upstash-Retry-Delay",
        "Upstash-Delay",
        "Upstash-Not-Before",
        "Upstash-Timeout",
        "Upstash-Label",
        "Upstash-Deduplication-Id",
        "Upstash-Content-Based-Deduplication",
        "Upstash-Callback",
        "Upstash-Failure-Callback",
        "Upstash-Callback-Delay",
        "Upstash-Callback-Retries",
        "Upstash-Callback-Forward-X",
        "Upstash-Failure-Callback-Not-Before",
        "Upstash-Callback-Failure-Callback",
        "Upstash-Queue-Name",
        "Upstash-Schedule-Id",
        "Upstash-Cron",
        "Upstash-Flow-Control-Key",
        "Upstash-Flow-Control-Value",
        "Upstash-Redact-Fields",
        "Upstash-Forward-X",
        "Upstash-Forward-",
        "Upstash-Header-Forward",
        "Content-Type",
        "X-Other",
    ]
)
HEADER_VALUES = LATIN_1 | st.sampled_from(
    [
        "",
        "1",
        "true",
        "False",
        "10s",
        "999999999999999999",
        "253402300799",
        "https://a.example/x",
        "https:/a",
        "a,b",
        "parallelism=1",
        "rate=1,period=1w",
        "* * * * *",
        "@every 1h",
        "pow(9, pow(9, 9))",
        "1/0",
        "body,header[x]",
    ]
)
FREE_TEXT = st.sampled_from(["Upstash-Forward-X", "Upstash-Label", "Content-Type", "Upstash-Deduplication-Id", "X-Y"])
HEADERS = st.lists(
    st.tuples(HEADER_NAMES, HEADER_VALUES) | st.tuples(FREE_TEXT, PRINTABLE) | st.tuples(LATIN_1, LATIN_1), max_size=2
)
DESTINATIONS = (
    st.sampled_from(
        ["https://a.example/", "https:/a.example?upstash-delay=1s", "group", "api/llm", "", "https%3A%2F%2Fa"]
    )
    | st.just("https://a.example/")
    | st.text(max_size=12)
    | st.builds("{}://{}".format, st.sampled_from(["http", "https", "HTTPS", "ftp"]), st.text(max_size=12))
    | st.builds("https://a.example/{}".format, st.text(max_size=12))
    | st.builds("https://a.example/?upstash-{}={}".format, st.sampled_from(["delay", "cron", "retries"]), st.text())
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | HEADER_VALUES | ANY_TEXT,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "destination",
                    "headers",
                    "body",
                    "queue",
                    "queueName",
                    "parallelism",
                    "endpoints",
                    "url",
                    "name",
                    "count",
                ]
            )
            | st.sampled_from(["messageIds", "dlqIds", "order", "cursor", "upstash-delay", "fromDate", "state"])
            | ANY_TEXT,
            inner,
            max_size=4,
        )
    ),
    max_leaves=6,
)
BODIES = st.binary(max_size=12) | JSON.map(lambda value: json.dumps(value).encode())
BATCHES = st.lists(
    st.fixed_dictionaries(
        {"destination": DESTINATIONS | ANY_TEXT.map("https://a.example/{}".format)},
        optional={
            "headers": st.dictionaries(FREE_TEXT, ANY_TEXT, max_size=2)
            | st.dictionaries(HEADER_NAMES | ANY_TEXT, HEADER_VALUES | JSON, max_size=2),
            "body": ANY_TEXT | JSON,
            "queue": st.sampled_from(["emails", None]) | ANY_TEXT,
        },
    ),
    max_size=2,
).map(lambda items: json.dumps(items).encode())


attack = settings(max_examples=max(200, settings().max_examples))  # `make fuzz` has more


def answer_whatever(method, target, headers, body):
    """Answer on a new account, and read back all that came of it: nothing may raise, or be a 500 of our own."""
    broker = Broker(0)
    api = Api(broker, Auth())
    token = ("Authorization", "Bearer secret")
    for _ in range(2):  # the second may be a duplicate
        reply = api.answer(method, target, [token, *headers], body)
        assert reply.status < 500 or (reply.status == 501 and api.problems)
    for message in broker.messages.values():
        assert message.headers is not None
        assert message.due_at >= message.created_at
        assert api.answer("GET", f"/v2/messages/{message.message_id}", [token], b"").status == 200
    for listing in ("events", "dlq", "schedules", "queues", "topics", "flowControl"):
        assert api.answer("GET", f"/v2/{listing}", [token], b"").status == 200
    assert all("not simulated" in problem for problem in api.problems)


@attack
@given(st.sampled_from(["publish", "enqueue/emails", "schedules"]), DESTINATIONS, HEADERS, st.binary(max_size=12))
def test_whatever_is_published_is_accepted_or_refused(kind, destination, headers, body):
    headers = [("Upstash-Cron", "@daily"), *headers] if kind == "schedules" else headers
    answer_whatever("POST", f"/v2/{kind}/{destination}", headers, body)


@attack
@given(BATCHES | BODIES)
def test_whatever_is_in_a_batch_is_accepted_or_refused(body):
    answer_whatever("POST", "/v2/batch", [], body)


@attack
@given(st.sampled_from(OPERATIONS), st.text(max_size=8), st.text(max_size=12), HEADERS, BODIES)
def test_whatever_an_operation_is_given_it_answers(operation, variable, query, headers, body):
    method, path, _ = operation
    answer_whatever(method, re.sub(r"\{[^}]*\}", lambda _: variable or "x", path) + f"?{query}", headers, body)


@attack
@given(st.text(max_size=12), st.text(max_size=30), HEADERS, BODIES)
def test_whatever_is_called_is_answered(method, target, headers, body):
    answer_whatever(method, target, headers, body)


OUTCOMES = st.builds(
    Outcome,
    status=st.integers(0, 999),
    headers=st.lists(st.tuples(st.sampled_from(["x-a", "X-A", "!", "retry-after"]), LATIN_1), max_size=3).map(tuple),
    body=st.binary(max_size=12),
    error=st.sampled_from([None, "timeout", "half a pair: \ud800"]),
    exception=st.none() | st.just(ValueError()),
    duration_ms=st.integers(0, 10**9),
)


@attack
@given(OUTCOMES, st.sampled_from([None, "free"]), st.sampled_from(["0", "1"]))
def test_whatever_comes_of_an_attempt_the_lists_show_it(outcome, plan, retries):
    broker = Broker(0, plan=plan)
    api, token = Api(broker, Auth()), ("Authorization", "Bearer secret")
    headers = [token, ("Upstash-Retries", retries), ("Upstash-Callback", "https://a.example/done")]
    api.answer("POST", "/v2/publish/https://a.example/", headers, b"\xff")
    broker.complete(start_next(broker), outcome)
    assert broker.next_message(outcome.duration_ms) is not None  # the callback, or a retry
    for path in ("events", "logs", "dlq", f"messages/{next(iter(broker.messages))}"):
        reply = api.answer("GET", f"/v2/{path}", [token], b"")
        assert reply.status == 200
        json.loads(reply.body)
    assert not api.problems
