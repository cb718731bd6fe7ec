"""The curl examples of QStash's documentation, as the requests that they make, sent to the server.

What stands for something of the reader's (`<token>`, `https://my-api...`, `msg_123`) is something of ours here, and
two slips are mended: JSON with a comma before its last bracket, and JSON with a literal `\\n` before its first.
"""

import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.shop import SHOP

SNIPPETS = Path(__file__).parents[3] / "shared" / "seed-doc-snippets.txt"
HELLO = {"hello": "world"}
HELLO_WORLD = {"message": "Hello, World!"}
PUBLISHED = {"method": "POST", "state": "CREATED", "body": '{"hello": "world"}'}
SAID = {"method": "POST", "state": "CREATED", "body": '{"message": "Hello, World!"}'}


class Example(NamedTuple):
    """A page and number of the documentation, its request, and what must come of it: an answer, or new messages."""

    source: str
    request: str
    headers: dict[str, str]
    json: Any
    status: int
    answer: Any = None
    messages: tuple[dict[str, Any], ...] = ()


def publish(source, body, message, *, to=SHOP, **headers):
    """One that publishes to *to*; a header `upstash_delay` is `Upstash-Delay`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Example(source, f"POST /v2/publish/{to}", named, body, 201, None, ({"url": to} | message,))


BATCH_OF_TWO = [{"destination": f"{SHOP}/1"}, {"destination": f"{SHOP}/2"}]
DELAYED_BATCH = [
    {
        "destination": "myUrlGroup",
        "headers": {"Upstash-Delay": "5s", "Upstash-Forward-Hello": "123456"},
        "body": "Hello World",
    },
    {"destination": f"{SHOP}/1", "headers": {"Upstash-Delay": "7s", "Upstash-Forward-Hello": "789"}},
    {"destination": f"{SHOP}/2", "headers": {"Upstash-Delay": "9s", "Upstash-Forward-Hello": "again"}},
]
DELAYED = (
    {"url": f"{SHOP}/group", "topicName": "myUrlGroup", "body": "Hello World", "header": {"Hello": ["123456"]}},
    {"url": f"{SHOP}/1", "header": {"Hello": ["789"]}},
    {"url": f"{SHOP}/2", "header": {"Hello": ["again"]}},
)
QUEUED = {"queue": "test", "destination": f"{SHOP}/queued", "headers": {"Upstash-Forward-Hello": "789"}}
QUEUE = {"name": "my-queue", "parallelism": 5, "paused": False}
EVERY_MINUTE = {"Upstash-Cron": "* * * * *"}
SCHEDULED = {"cron": "* * * * *", "method": "POST", "isPaused": False}

EXAMPLES = [
    publish(
        "features/flowcontrol 5",
        HELLO_WORLD,
        SAID | {"flowControlKey": "USER_GIVEN_KEY", "rate": 20, "parallelism": 10, "period": 1},
        upstash_flow_control_key="USER_GIVEN_KEY",
        upstash_flow_control_value="Rate=20,Parallelism=10",
    ),
    publish(
        "api/publish 0",
        HELLO_WORLD,
        SAID | {"maxRetries": 3, "header": {"Content-Type": ["application/json"], "Custom-Header": ["custom-value"]}},
        upstash_method="POST",
        upstash_delay="10s",
        upstash_retries="3",
        upstash_forward_custom_header="custom-value",
    ),
    Example("features/queues 3", "POST /v2/queues/", {}, {"queueName": "my-queue", "parallelism": 5}, 200),
    Example(
        "features/schedules 9",
        f"POST /v2/schedules/{SHOP}",
        {**EVERY_MINUTE, "Upstash-Schedule-Id": "existingScheduleId"},
        HELLO,
        201,
        {"scheduleId": "existingScheduleId"},
    ),
    publish("features/deduplication 3", HELLO, PUBLISHED, upstash_content_based_deduplication="true"),
    publish("features/deduplication 0", HELLO, PUBLISHED, upstash_deduplication_id="abcdef"),
    Example(
        "api/dlq/deleteMessages 2", "DELETE /v2/dlq", {}, {"dlqIds": ["{dead}", "2-0", "3-0"]}, 200, {"deleted": 1}
    ),
    Example(
        "overall/apiexamples 18",
        "POST /v2/batch",
        {},
        BATCH_OF_TWO,
        200,
        [{}, {}],
        ({"url": f"{SHOP}/1"}, {"url": f"{SHOP}/2"}),
    ),
    publish("quickstarts/aws-lambda/nodejs 7", HELLO, PUBLISHED),
    Example(
        "api/enqueue 0",
        f"POST /v2/enqueue/myQueue/{SHOP}",
        {"Upstash-Method": "POST", "Upstash-Retries": "3", "Upstash-Forward-Custom-Header": "custom-value"},
        HELLO_WORLD,
        201,
        None,
        (SAID | {"queueName": "myQueue", "maxRetries": 3},),
    ),
    Example("api/signingKeys/get 0", "GET /v2/keys", {}, None, 200, {"current": "sig_7kYjw48mhY7kAjqNGcy6cr29RJ6r"}),
    Example(
        "api/messages/batch 0",
        "POST /v2/batch",
        {},
        [DELAYED_BATCH[0], QUEUED, *DELAYED_BATCH[1:]],
        200,
        [[{"url": f"{SHOP}/group"}], {}, {}, {}],
        (DELAYED[0], {"url": f"{SHOP}/queued", "queueName": "test"}, *DELAYED[1:]),
    ),
    publish("overall/apiexamples 21", HELLO, PUBLISHED | {"maxRetries": 3}, upstash_retries="3"),
    publish("overall/apiexamples 6", HELLO, PUBLISHED, upstash_delay="5m"),
    Example("api/queues/upsert 0", "POST /v2/queues/", {}, {"queueName": "my-queue", "parallelism": 5}, 200),
    Example(  # TypeScript under a line of curl; what it calls
        "features/schedules 6",
        f"POST /v2/schedules/{SHOP}",
        {**EVERY_MINUTE, "Upstash-Queue-Name": "yourQueueName"},
        None,
        201,
    ),
    publish("quickstarts/fly-io/go 7", HELLO, PUBLISHED),
    Example(
        "api/llm/create 0",
        "POST /llm/v1/chat/completions",
        {},
        {"model": "a-model", "messages": [{"role": "user", "content": "What is the capital of Turkey?"}]},
        200,
        {"object": "chat.completion"},
    ),
    Example(
        "features/queues 0",
        f"POST /v2/enqueue/my-queue/{SHOP}",
        {},
        HELLO_WORLD,
        201,
        None,
        (SAID | {"queueName": "my-queue"},),
    ),
    Example("api/queues/resume 0", "POST /v2/queues/queue_1234/resume", {}, None, 200),
    publish(
        "features/callbacks 5",
        HELLO,
        PUBLISHED | {"failureCallback": f"{SHOP}/failure"},
        upstash_failure_callback=f"{SHOP}/failure",
    ),
    Example("api/authentication 0", "GET /v2/publish/...", {}, None, 405),  # curl without -d is GET; it is let in
    Example(
        "features/batch 3",
        "POST /v2/batch",
        {},
        [{"destination": "myUrlGroup"}, BATCH_OF_TWO[1]],
        200,
        [[{"url": f"{SHOP}/group"}], {}],
        ({"topicName": "myUrlGroup"}, {"url": f"{SHOP}/2"}),
    ),
    publish("quickstarts/cloudflare-workers 9", HELLO, PUBLISHED),
    publish(
        "overall/apiexamples 24",
        HELLO,
        PUBLISHED | {"callback": f"{SHOP}/callback", "failureCallback": f"{SHOP}/failure"},
        upstash_callback=f"{SHOP}/callback",
        upstash_failure_callback=f"{SHOP}/failure",
    ),
    publish("features/retry 0", HELLO, PUBLISHED | {"maxRetries": 2}, upstash_retries="2"),
    Example("api/schedules/pause 0", "POST /v2/schedules/scd_1234/pause", {}, None, 200),
    publish(
        "howto/publishing 0",
        HELLO,
        PUBLISHED | {"header": {"Content-Type": ["application/json"], "My-Header": ["my-value"]}},
        upstash_forward_my_header="my-value",
    ),
    Example("api/dlq/deleteMessage 0", "DELETE /v2/dlq/{dead}", {}, None, 200),
    Example("api/schedules/create 0", f"POST /v2/schedules/{SHOP}", {"Upstash-Cron": "*/5 * * * *"}, None, 201),
    publish("overall/apiexamples 0", HELLO, PUBLISHED),
    publish("overall/getstarted 0", HELLO, PUBLISHED),
    Example("api/queues/list 0", "GET /v2/queues", {}, None, 200, [QUEUE | {"parallelism": 1}, {"name": "queue_1234"}]),
    Example(
        "features/batch 9", "POST /v2/batch", {}, DELAYED_BATCH, 200, [[{"url": f"{SHOP}/group"}], {}, {}], DELAYED
    ),
    Example(
        "api/url-groups/get 0",
        "GET /v2/topics/my-url-group",
        {},
        None,
        200,
        {"name": "my-url-group", "endpoints": [{"url": f"{SHOP}/group"}]},
    ),
    publish("howto/local-tunnel 3", HELLO, PUBLISHED, to=f"{SHOP}/api/webhooks"),
    Example(
        "api/schedules/get 0",
        "GET /v2/schedules/scd_1234",
        {},
        None,
        200,
        SCHEDULED | {"scheduleId": "scd_1234", "destination": SHOP},
    ),
    Example("features/schedules 5", "POST /v2/schedules/myUrlGroup", EVERY_MINUTE, HELLO, 201),
    Example("api/authentication 1", "GET /v2/publish/...?qstash_token=x", {"authorization": ""}, None, 405),
    Example("api/messages/get 0", "GET /v2/messages/{message}", {}, None, 200, {"messageId": "{message}", "url": SHOP}),
    Example("api/queues/get 0", "GET /v2/queues/my-queue", {}, None, 200, QUEUE | {"parallelism": 1, "lag": 0}),
    Example(
        "features/batch 6",
        "POST /v2/batch",
        {},
        [{"queue": "my-queue", **BATCH_OF_TWO[0]}, {"queue": "my-second-queue", **BATCH_OF_TWO[1]}],
        200,
        [{}, {}],
        ({"queueName": "my-queue"}, {"queueName": "my-second-queue"}),
    ),
    Example("overall/apiexamples 30", "GET /v2/schedules", {}, None, 200, [SCHEDULED | {"scheduleId": "scd_1234"}]),
]


def test_all_43_of_them_are_here():
    assert len(EXAMPLES) == len({example.source for example in EXAMPLES}) == 43


@pytest.mark.skipif(not SNIPPETS.exists(), reason="the documentation's examples lie beside a checkout only")
def test_the_documentation_has_no_other():
    blocks = re.findall(
        r"^SOURCE: \S*/qstash/(\S+)\.mdx#_snippet_(\d+)\n\nLANGUAGE: [^\n]*\nCODE:\n```\n(.*?)^```",
        SNIPPETS.read_text(encoding="utf-8"),
        re.MULTILINE | re.DOTALL,
    )
    found = [f"{page} {number}" for page, number, code in blocks if re.search(r"^\s*curl\b", code, re.MULTILINE)]
    assert found == [example.source for example in EXAMPLES]


@pytest.fixture(scope="module")
def prepared(virtual_server):
    """What the examples speak of, made anew on demand: the ids of a message and of a dead letter."""

    def prepare():
        virtual_server.control("reset")
        virtual_server.control("routes", url=f"{SHOP}/dead", status=500)
        virtual_server.publish(f"{SHOP}/dead", retries="0")
        virtual_server.control("deliver-due")
        post = virtual_server.client.post
        for name in ("my-queue", "queue_1234"):
            post("/v2/queues", json={"queueName": name})
        for name in ("myUrlGroup", "my-url-group"):
            post(f"/v2/topics/{name}/endpoints", json={"endpoints": [{"url": f"{SHOP}/group"}]})
        post(f"/v2/schedules/{SHOP}", headers={"upstash-cron": "* * * * *", "upstash-schedule-id": "scd_1234"})
        message = virtual_server.publish(SHOP)
        return {"{message}": message, "{dead}": virtual_server.state["dead_letters"][0]["dlqId"]}

    return prepare


@pytest.mark.parametrize("example", EXAMPLES, ids=[example.source for example in EXAMPLES])
def test_a_curl_example_of_the_documentation_works(virtual_server, prepared, example):
    names = prepared()
    before = virtual_server.state["messages"]
    method, _, path = filled(example.request, names).partition(" ")
    answer = virtual_server.client.request(method, path, headers=example.headers, json=filled(example.json, names))
    assert answer.status_code == example.status, answer.text
    if example.answer is not None:
        assert_has(answer.json(), filled(example.answer, names))
    assert_has(virtual_server.state["messages"][len(before) :], list(example.messages))


def filled(value, names):
    """Return *value* with the placeholders in its texts replaced."""
    match value:
        case str():
            for placeholder, name in names.items():
                value = value.replace(placeholder, name)
            return value
        case dict():
            return {key: filled(inner, names) for key, inner in value.items()}
        case list():
            return [filled(inner, names) for inner in value]
    return value


def assert_has(value, wanted):
    """An object has at least what is wanted of it, an array has as many elements."""
    if isinstance(wanted, dict):
        assert wanted.keys() <= value.keys()
        for name, inner in wanted.items():
            assert_has(value[name], inner)
    elif isinstance(wanted, list):
        assert len(value) == len(wanted), value
        for one, inner in zip(value, wanted, strict=True):
            assert_has(one, inner)
    else:
        assert json_text(value) == json_text(wanted)


def json_text(value):
    return re.sub(r"\s", "", value) if isinstance(value, str) else value  # clients space JSON as they like
