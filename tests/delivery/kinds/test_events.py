"""AWS Lambda handlers and Mangum: the event that a delivery becomes, and what comes of what a handler returns."""

import asyncio
import base64
import json

import fastapi
import pytest
from mangum import Mangum

from qstash_fake.delivery.exchange import plain_request
from qstash_fake.delivery.kinds.events import event

JOB = "https://jobs.shop.example:8443/jobs/a%20b?x=1&x=2&empty="

pytestmark = pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z")


def returning(*answers):
    """Return a handler that returns the next of *answers* each time."""
    left = list(answers)

    def lambda_handler(event, context):
        return left.pop(0)

    return lambda_handler


# --- the event and the context ----------------------------------------------------------------------------------------


def test_the_event_is_that_of_payload_format_2(qstash_fake, client):
    events = []

    def lambda_handler(event, context):
        events.append(event)
        return {"statusCode": 200}

    qstash_fake.mount(lambda_handler)
    client.message.publish_json(url=JOB, body={"order": 7})
    qstash_fake.deliver_due()
    (told,) = events
    message = qstash_fake.messages[0]
    assert told.pop("headers").keys() >= {"host", "upstash-signature", "content-type", "content-length"}
    assert told == {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/jobs/a b",
        "rawQueryString": "x=1&x=2&empty=",
        "queryStringParameters": {"x": "1,2", "empty": ""},
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "qstash-fake",
            "domainName": "jobs.shop.example",
            "domainPrefix": "jobs",
            "http": {
                "method": "POST",
                "path": "/jobs/a b",
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": "Upstash-QStash",
            },
            "requestId": message.message_id,
            "routeKey": "$default",
            "stage": "$default",
            "time": "01/Jan/2026:00:00:00 +0000",
            "timeEpoch": 1_767_225_600_000,
        },
        "body": '{"order": 7}',
        "isBase64Encoded": False,
    }


@pytest.mark.parametrize(
    ("content_type", "body", "given", "is_base64"),
    [
        ("application/json; charset=utf-8", '{"a":"ž"}'.encode(), '{"a":"ž"}', False),
        ("TEXT/PLAIN", b"x", "x", False),
        (None, b"x", "x", False),
        (None, b"\xff", "/w==", True),
        ("text/plain", b"\xff", "/w==", True),
        ("application/octet-stream", b"x", "eA==", True),
    ],
)
def test_a_body_that_is_no_text_comes_in_base64(content_type, body, given, is_base64):
    headers = () if content_type is None else (("Content-Type", content_type),)
    told = event(plain_request("POST", JOB, headers, body))
    assert (told["body"], told["isBase64Encoded"]) == (given, is_base64)


def test_a_request_without_body_and_query_has_neither():
    told = event(plain_request("GET", "https://shop.example", (), b""))
    assert (told["rawPath"], told["rawQueryString"]) == ("/", "")
    assert not {"body", "queryStringParameters"} & told.keys()


def test_headers_are_in_lower_case_and_values_of_one_name_in_one_text():
    headers = event(plain_request("POST", JOB, (("X-Tenant", "7"), ("x-tenant", "8")), b""))["headers"]
    assert headers["x-tenant"] == "7,8"


@pytest.mark.parametrize(("timeout", "left_ms"), [("10s", 10_000), (None, 900_000)])
def test_the_context_has_what_handlers_look_at(qstash_fake, client, timeout, left_ms):
    contexts = []

    def lambda_handler(event, context):
        contexts.append(context)
        return {"statusCode": 200}

    qstash_fake.mount(lambda_handler)
    client.message.publish(url=JOB, timeout=timeout)
    qstash_fake.deliver_due()
    (context,) = contexts
    assert context.aws_request_id == qstash_fake.messages[0].message_id
    assert context.get_remaining_time_in_millis() == left_ms
    assert (context.function_name, context.function_version, context.memory_limit_in_mb) == (
        "qstash-fake",
        "$LATEST",
        "128",
    )


# --- what a handler returns -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("returned", "status", "body"),
    [
        ({"statusCode": 201, "body": "ok"}, 201, b"ok"),
        ({"statusCode": 503}, 503, b""),
        ({"statusCode": 200, "body": None}, 200, b""),
        ({"statusCode": 200, "body": "/w==", "isBase64Encoded": True}, 200, b"\xff"),
        ({"ok": True}, 200, b'{"ok": true}'),
        ("done", 200, b"done"),
        (None, 200, b"null"),
    ],
)
def test_what_is_returned_is_the_answer(qstash_fake, client, returned, status, body):
    qstash_fake.mount(returning(returned))
    client.message.publish(url=JOB, retries=0)
    qstash_fake.deliver_due()
    (attempt,) = qstash_fake.attempts
    assert (attempt.status, attempt.body) == (status, body)


def test_headers_and_cookies_are_those_of_the_answer(qstash_fake, client):
    headers = {"Retry-After": 30, "X-A": "1"}
    qstash_fake.mount(returning({"statusCode": 503, "headers": headers, "cookies": ["a=1", "b=2"]}))
    client.message.publish(url=JOB, retries=0)
    qstash_fake.deliver_due()
    answer = qstash_fake.attempts[0].headers
    assert (answer["retry-after"], answer["x-a"], answer.get_list("set-cookie")) == ("30", "1", ["a=1", "b=2"])


@pytest.mark.parametrize(
    ("returned", "says"),
    [
        ({"statusCode": "200"}, "the answer has the status '200': give a number from 100 to 599"),
        ({"statusCode": 200, "body": {"a": 1}}, "the Lambda handler returned the body {'a': 1}: give text"),
        (object(), "Object of type object is not JSON serializable"),
    ],
)
def test_what_cannot_be_returned_is_a_500_that_says_why(qstash_fake, client, returned, says):
    qstash_fake.mount(returning(returned))
    client.message.publish(url=JOB, retries=0)
    with pytest.raises(TypeError) as raised:
        qstash_fake.deliver_due()
    assert str(raised.value).startswith(says)
    assert qstash_fake.dlq[0].response_status == 500


def test_an_exception_of_a_handler_is_raised_from_the_verb(qstash_fake, client):
    def lambda_handler(event, context):
        raise LookupError("no such order")

    qstash_fake.mount(lambda_handler)
    client.message.publish(url=JOB)
    with pytest.raises(LookupError, match="no such order"):
        qstash_fake.deliver_due()


@pytest.mark.asyncio
async def test_a_handler_is_called_in_an_async_test(qstash_fake, client):
    qstash_fake.mount(returning({"statusCode": 200}))
    client.message.publish(url=JOB)
    assert len((await qstash_fake.drain_async()).delivered) == 1


def test_a_handler_may_be_a_method_or_an_object(qstash_fake, client):
    class Shop:
        def handle(self, event, context):
            return {"statusCode": 201}

        def __call__(self, event, context):
            return {"statusCode": 202}

    for handler in (Shop().handle, Shop()):
        qstash_fake.mount(handler)
        client.message.publish(url=JOB)
        qstash_fake.deliver_due()
    assert [attempt.status for attempt in qstash_fake.attempts] == [201, 202]


# --- Mangum -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def adapter():
    app = fastapi.FastAPI()

    @app.post("/jobs/{name}")
    async def job(name: str, request: fastapi.Request) -> dict[str, object]:
        if name == "fails":
            raise LookupError("no such order")
        return {"name": name, "x": request.query_params.getlist("x"), "body": (await request.body()).decode()}

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)  # Mangum would make one, and leave it open
    yield Mangum(app)
    loop.close()
    asyncio.set_event_loop(None)


def test_mangum_is_delivered_to(qstash_fake, client, adapter):
    before = vars(adapter).copy()
    qstash_fake.mount(adapter)
    client.message.publish(url=JOB, body="7")
    qstash_fake.deliver_due()
    (attempt,) = qstash_fake.attempts
    assert (attempt.status, json.loads(attempt.body)) == (200, {"name": "a b", "x": ["1", "2"], "body": "7"})
    assert vars(adapter) == before


@pytest.mark.asyncio
async def test_mangum_is_delivered_to_in_an_async_test(qstash_fake, client, adapter):
    qstash_fake.mount(adapter)
    client.message.publish(url=JOB, body=b"\xff", content_type="image/png")
    with pytest.raises(UnicodeDecodeError):
        await qstash_fake.deliver_due_async()
    client.message.publish(url=JOB, body="7")
    assert len((await qstash_fake.deliver_due_async()).delivered) == 1


def test_an_exception_that_mangum_swallows_is_raised_from_the_verb(qstash_fake, client, adapter):
    qstash_fake.mount(adapter)
    client.message.publish(url="https://shop.example/jobs/fails", retries=0)
    with pytest.raises(LookupError, match="no such order"):
        qstash_fake.deliver_due()
    assert qstash_fake.dlq[0].response_status == 500


def test_a_binary_body_reaches_a_handler_whole(qstash_fake, client):
    bodies = []

    def lambda_handler(event, context):
        bodies.append(base64.b64decode(event["body"]))
        return {"statusCode": 200}

    qstash_fake.mount(lambda_handler)
    client.message.publish(url=JOB, body=bytes(range(256)), content_type="application/octet-stream")
    qstash_fake.deliver_due()
    assert bodies == [bytes(range(256))]
