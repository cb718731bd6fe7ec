"""The request that a delivery becomes: PROTOCOL 3.1 and 3.2, byte for byte."""

import base64
import hashlib
import json

import httpx
import jwt
import pytest
from qstash import QStash, Receiver

from qstash_fake import QStashFake
from qstash_fake.broker.keys import DEV_CURRENT_KEY, DEV_NEXT_KEY
from qstash_fake.delivery.exchange import plain_request
from qstash_fake.delivery.signing import sign
from tests.shop import START_S
from tests.times import FIRST_RETRY_S

JOB = "https://shop.example/jobs/invoice?copy=2"
EMPTY_SHA = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU="  # PROTOCOL 3.2

pytestmark = pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z")


@pytest.fixture
def client():
    return QStash("token")


@pytest.fixture
def received(qstash_fake):
    """What reaches a destination that answers 200."""
    requests: list[httpx.Request] = []

    def app(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200)

    qstash_fake.mount(app)
    return requests


def segments(token: str) -> tuple[bytes, bytes]:
    head, payload, _ = token.split(".")
    return tuple(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in (head, payload))  # type: ignore[return-value]


@pytest.mark.protocol("3.1 own headers")
def test_a_delivery_carries_these_headers_and_no_others(qstash_fake, client, received):
    client.message.publish(url=JOB, body="x", content_type="text/plain", headers={"X-Tenant": "7"})
    qstash_fake.deliver_due()
    message = qstash_fake.messages[0]
    headers = dict(received[0].headers)
    assert len(headers.pop("upstash-signature").split(".")) == 3
    assert headers == {
        "host": "shop.example",
        "user-agent": "Upstash-QStash",
        "content-type": "text/plain",
        "x-tenant": "7",
        "upstash-message-id": message.message_id,
        "upstash-retried": "0",
        "upstash-caller-ip": "127.0.0.1",
        "upstash-region": "EU-CENTRAL-1",
        "accept-encoding": "gzip",
        "content-length": "1",
    }


@pytest.mark.protocol("3.1 region")
def test_a_delivery_names_the_region_of_the_account():
    with QStashFake(region="us-east-1") as fake:
        fake.mount(lambda request: httpx.Response(200, text=request.headers["Upstash-Region"]))
        QStash("token").message.publish(url=JOB)
        fake.deliver_due()
        assert fake.attempts[0].body == b"US-EAST-1"
        assert fake.signed_request(JOB).headers["Upstash-Region"] == "US-EAST-1"


@pytest.mark.protocol("3.1 gzip")
@pytest.mark.parametrize(("name", "value"), [("Accept-Encoding", "br"), ("Range", "bytes=0-9")])
def test_what_a_message_asks_for_itself_is_asked_for_and_gzip_is_not(qstash_fake, client, received, name, value):
    client.message.publish(url=JOB, headers={name: value})
    qstash_fake.deliver_due()
    asked = received[0].headers
    assert {one: asked[one] for one in ("accept-encoding", "range") if one in asked} == {name.lower(): value}


def test_a_delivery_without_content_type_has_none(qstash_fake, received):
    httpx.post("https://qstash.upstash.io/v2/publish/" + JOB, headers={"Authorization": "Bearer t"}, content=b"x")
    qstash_fake.deliver_due()
    assert "content-type" not in received[0].headers


@pytest.mark.protocol("3.1 schedule and group")
def test_a_message_of_a_schedule_names_it(qstash_fake, client, received):
    client.schedule.create(destination=JOB, cron="* * * * *", schedule_id="nightly")
    qstash_fake.clock.advance("1m")
    assert received[0].headers["Upstash-Schedule-Id"] == "nightly"


@pytest.mark.protocol("3.1 schedule and group")
def test_a_message_to_a_url_group_names_it(qstash_fake, client, received):
    client.url_group.upsert_endpoints("orders", [{"url": JOB}])
    client.message.publish(url_group="orders", body="x")
    qstash_fake.deliver_due()
    assert received[0].headers["Upstash-Topic-Name"] == "orders"


def test_upstash_retried_counts_the_earlier_attempts_and_the_message_id_stays(qstash_fake, client):
    seen = []

    def app(request):
        seen.append((request.headers["Upstash-Retried"], request.headers["Upstash-Message-Id"]))
        return httpx.Response(500)

    qstash_fake.mount(app)
    client.message.publish(url=JOB, body="x", retries=2)
    qstash_fake.drain()
    message_id = qstash_fake.messages[0].message_id
    assert seen == [("0", message_id), ("1", message_id), ("2", message_id)]


@pytest.mark.protocol("3.1 forwarded names")
@pytest.mark.parametrize(
    "name",
    ["User-Agent", "Upstash-Message-Id", "Upstash-Retried", "Upstash-Signature", "Upstash-Caller-Ip", "Upstash-Region"],
)
def test_a_forwarded_header_does_not_replace_what_qstash_says_itself(qstash_fake, client, received, name):
    client.message.publish(url=JOB, body="x", headers={name: "forged"})
    qstash_fake.deliver_due()
    assert "forged" not in received[0].headers.get_list(name)
    assert len(received[0].headers.get_list(name)) == 1


@pytest.mark.parametrize(("name", "own"), [("Host", "shop.example"), ("Content-Length", "1")])
def test_a_forwarded_header_does_not_change_how_the_request_is_framed(qstash_fake, client, received, name, own):
    client.message.publish(url=JOB, body="x", headers={name: "99"})
    qstash_fake.deliver_due()
    assert received[0].headers.get_list(name) == [own]


@pytest.mark.protocol("3.1 method and body")
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "POST"])
def test_the_method_is_the_published_one(qstash_fake, client, received, method):
    client.message.publish(url=JOB, method=method)
    qstash_fake.deliver_due()
    assert received[0].method == method


@pytest.mark.protocol("3.1 method and body")
@pytest.mark.parametrize("body", [b"\xff\xfe\x00\x01", b"", "žluťoučký".encode(), b"\r\n\r\n", bytes(range(256))])
def test_the_body_arrives_byte_for_byte(qstash_fake, client, received, body):
    client.message.publish(url=JOB, body=body)
    qstash_fake.deliver_due()
    assert received[0].content == body


@pytest.mark.protocol("3.2 token")
def test_the_token_header_is_alg_then_typ_without_a_kid():
    header, _ = segments(sign(JOB, b"x", DEV_CURRENT_KEY, "jwt_1"))
    assert header == b'{"alg":"HS256","typ":"JWT"}'


@pytest.mark.protocol("3.2 token")
def test_the_token_segments_are_not_padded():
    assert "=" not in sign(JOB, b"x", DEV_CURRENT_KEY, "jwt_1")


@pytest.mark.protocol("3.2 claims")
def test_the_claims_are_those_of_qstash_in_its_order(qstash_fake, client, received):
    client.message.publish(url=JOB, body="hello")
    qstash_fake.clock.advance("90s")
    client.message.publish(url=JOB, body="hello", delay="10s")
    qstash_fake.clock.advance("10.9s")
    _, payload = segments(received[1].headers["Upstash-Signature"])
    claims = json.loads(payload)
    digest = base64.urlsafe_b64encode(hashlib.sha256(b"hello").digest()).decode()
    assert list(claims) == ["aud", "body", "exp", "iat", "iss", "jti", "nbf", "sub"]
    assert claims == {
        "aud": "",
        "body": digest,
        "exp": START_S + 100 + 300,
        "iat": START_S + 100,
        "iss": "Upstash",
        "jti": claims["jti"],
        "nbf": 0,
        "sub": JOB,
    }


@pytest.mark.protocol("3.2 body claim")
def test_the_body_claim_is_padded_base64url():
    claims = json.loads(segments(sign(JOB, b"", DEV_CURRENT_KEY, "jwt_1"))[1])
    assert claims["body"] == EMPTY_SHA


def test_each_attempt_has_a_token_id_of_its_own(qstash_fake, client):
    tokens = []

    def app(request):
        tokens.append(jwt.decode(request.headers["Upstash-Signature"], options={"verify_signature": False}))
        return httpx.Response(500)

    qstash_fake.mount(app)
    client.message.publish(url=JOB, body="x", retries=1)
    qstash_fake.drain()
    first, second = (token["jti"] for token in tokens)
    assert first != second
    assert all(len(jti) == 32 and jti.startswith("jwt_") and jti[4:].isalnum() for jti in (first, second))
    assert not set(first[4:] + second[4:]) & set("0OIl")  # base58


@pytest.mark.protocol("3.2 receiver")
def test_the_official_receiver_accepts_a_delivery(qstash_fake, client, received):
    client.message.publish_json(url=JOB, body={"order": 7})
    qstash_fake.deliver_due()
    receiver = Receiver(DEV_CURRENT_KEY, DEV_NEXT_KEY)
    request = received[0]
    receiver.verify(signature=request.headers["Upstash-Signature"], body=request.content.decode(), url=JOB)


@pytest.mark.protocol("3.2 key of the attempt")
def test_an_attempt_is_signed_with_the_key_that_is_current_then(qstash_fake, client):
    tokens = []

    def app(request):
        tokens.append(request.headers["Upstash-Signature"])
        return httpx.Response(500)

    qstash_fake.mount(app)
    client.message.publish(url=JOB, body="x", retries=1)
    qstash_fake.deliver_due()
    qstash_fake.signing_keys.rotate()
    qstash_fake.clock.advance(FIRST_RETRY_S)
    for token, key in zip(tokens, (DEV_CURRENT_KEY, DEV_NEXT_KEY), strict=True):
        assert jwt.decode(token, key, ["HS256"], options={"verify_exp": False})["iss"] == "Upstash"


def test_a_short_signing_key_is_the_users_choice():
    assert sign(JOB, b"", "short", "jwt_1").count(".") == 2  # and no warning of PyJWT's


@pytest.mark.parametrize(
    ("method", "body", "length"),
    [("POST", b"", "0"), ("GET", b"", None), ("DELETE", b"", None), ("GET", b"abc", "3"), ("PUT", b"abc", "3")],
)
def test_the_content_length_is_there_where_clients_send_it(method, body, length):
    assert dict(plain_request(method, JOB, (), body).headers).get("Content-Length") == length
