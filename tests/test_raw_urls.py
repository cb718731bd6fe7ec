"""A destination is a raw URL: what was published is what is signed and what the application receives.

The SDK's HTTP client rewrites some URLs before it sends them; what counts is what goes over the wire.
"""

from __future__ import annotations

import jwt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from qstash import QStash, Receiver
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from qstash_fake.api.answer import Api
from qstash_fake.api.auth import Auth
from qstash_fake.broker.broker import Broker
from qstash_fake.broker.message import Outcome
from qstash_fake.delivery.exchange import request_for
from qstash_fake.delivery.kinds import asgi, wsgi
from tests.world import start_next

pytestmark = pytest.mark.qstash_fake(freeze="off")  # nothing here looks at a clock

# What the SDK is given, what is sent, and what the application receives of it.
URLS = [
    ("https://shop.example/jobs?order=7&kind=a", "https://shop.example/jobs?order=7&kind=a", "/jobs?order=7&kind=a"),
    ("https://shop.example//jobs//invoice", "https://shop.example//jobs//invoice", "//jobs//invoice"),
    ("https://shop.example/files/a%2Fb%3f", "https://shop.example/files/a%2Fb%3f", "/files/a%2Fb%3f"),
    ("https://shop.example/jobs/", "https://shop.example/jobs/", "/jobs/"),
    ("https://shop.example:8443/jobs", "https://shop.example:8443/jobs", "/jobs"),
    ("https://shop.example", "https://shop.example", "/"),
    ("https://shop.example?order=7", "https://shop.example?order=7", "/?order=7"),
    ("http://Shop.Example:80/Jobs", "http://Shop.Example:80/Jobs", "/Jobs"),
    ("https://shop.example/caf\xe9?q=\u65e5", "https://shop.example/caf%C3%A9?q=%E6%97%A5", "/caf%C3%A9?q=%E6%97%A5"),
    ("https://shop.example/a/./b/../c", "https://shop.example/a/c", "/a/c"),
    ("https://shop.example/?a=1&upstash-retries=1&b=2", "https://shop.example/?a=1&b=2", "/?a=1&b=2"),
    ("https://shop.example/a+b?q=c+d%20e", "https://shop.example/a+b?q=c+d%20e", "/a+b?q=c+d%20e"),
    ("https://user:pw@shop.example/@me?to=a@b", "https://user:pw@shop.example/@me?to=a@b", "/@me?to=a@b"),
    (
        "https://shop.example/jobs?tag=a&tag=b&tag=&x",
        "https://shop.example/jobs?tag=a&tag=b&tag=&x",
        "/jobs?tag=a&tag=b&tag=&x",
    ),
    (
        "https://shop.example/?to=https://a.example/?b=c",
        "https://shop.example/?to=https://a.example/?b=c",
        "/?to=https://a.example/?b=c",
    ),
    ("https://shop.example/a;v=1/b,c='d'(e)!*~$", "https://shop.example/a;v=1/b,c='d'(e)!*~$", "/a;v=1/b,c='d'(e)!*~$"),
]
# What an HTTP client may send as it is, though httpx would not.
RAW = [
    ("https://shop.example/a/./b/../c", "https://shop.example/a/./b/../c", "/a/./b/../c"),
    ("https://shop.example/..", "https://shop.example/..", "/.."),
    ("https://shop.example/caf\xe9?q=\u65e5", "https://shop.example/caf\xe9?q=\u65e5", "/caf\xe9?q=\u65e5"),
    ("https:/shop.example/jobs//a", "https://shop.example/jobs//a", "/jobs//a"),
    ("https://shop.example/?", "https://shop.example/?", "/"),
    ('https://shop.example/[a]{b}|c\\d^e`f"g<h>', 'https://shop.example/[a]{b}|c\\d^e`f"g<h>', '/[a]{b}|c\\d^e`f"g<h>'),
    ("https://shop.example/%zz%", "https://shop.example/%zz%", "/%zz%"),
    ("https://shop.example/a?b#c", "https://shop.example/a?b", "/a?b"),
    ("https://b%C3%BCcher.example/a", "https://b%C3%BCcher.example/a", "/a"),
    ("http://[::1]:8000/a", "http://[::1]:8000/a", "/a"),
]


class AsgiShop:
    """A Starlette application that keeps what it receives: the raw target, the signature, the body."""

    def __init__(self):
        self.received = []
        self.app = Starlette(routes=[Route("/{path:path}", self.endpoint, methods=["GET", "POST"])])

    async def endpoint(self, request: Request):
        query = request.scope["query_string"]
        target = request.scope["raw_path"] + (b"?" + query if query else b"")
        self.received.append((target.decode(), request.headers["upstash-signature"], await request.body()))
        return Response()


class WsgiShop:
    """A WSGI application that keeps the same."""

    def __init__(self):
        self.received = []

    def app(self, environ, start_response):
        assert environ["RAW_URI"].partition("?")[2] == environ["QUERY_STRING"]
        body = environ["wsgi.input"].read()
        target = environ["RAW_URI"].encode("latin-1").decode()  # PEP 3333: each character is a byte
        if not environ["QUERY_STRING"]:  # an empty query is no query
            target = target.removesuffix("?")
        self.received.append((target, environ["HTTP_UPSTASH_SIGNATURE"], body))
        start_response("200 OK", [])
        return [b""]


@pytest.fixture(params=[AsgiShop, WsgiShop])
def shop(request, qstash_fake):
    shop = request.param()
    qstash_fake.mount(shop.app)
    return shop


def check(fake, shop, sent, received):
    fake.deliver_due()
    (message,) = fake.delivered
    ((target, signature, body),) = shop.received
    keys = fake.signing_keys
    Receiver(keys.current, keys.next).verify(signature=signature, body=body.decode(), url=sent)
    claims = jwt.decode(signature, options={"verify_signature": False})
    assert (message.url, claims["sub"], target) == (sent, sent, received)


@pytest.mark.parametrize(("given", "sent", "received"), URLS)
def test_a_url_published_with_the_sdk_arrives_as_it_was_sent(qstash_fake, shop, given, sent, received):
    QStash("secret").message.publish(url=given, body="body")
    check(qstash_fake, shop, sent, received)


@pytest.mark.parametrize(("given", "sent", "received"), URLS)
def test_a_url_enqueued_with_the_sdk_arrives_as_it_was_sent(qstash_fake, shop, given, sent, received):
    QStash("secret").message.enqueue(queue="emails", url=given, body="body")
    check(qstash_fake, shop, sent, received)


@pytest.mark.parametrize(("given", "sent", "received"), RAW)
def test_a_raw_target_arrives_as_it_was_sent(qstash_fake, shop, given, sent, received):
    reply = qstash_fake.api.answer("POST", f"/v2/publish/{given}", [("Authorization", "Bearer secret")], b"body")
    assert reply.status == 201
    check(qstash_fake, shop, sent, received)


@pytest.mark.parametrize(("given", "sent", "received"), RAW[:3])
def test_a_url_in_a_batch_arrives_as_it_was_written(qstash_fake, shop, given, sent, received):
    QStash("secret").message.batch([{"url": given, "body": "body"}])
    check(qstash_fake, shop, sent, received)


def test_an_application_mounted_at_an_origin_gets_urls_with_user_information(qstash_fake):
    shop = WsgiShop()
    qstash_fake.mount(shop.app, "https://shop.example")
    QStash("secret").message.publish(url="https://user:pw@shop.example/jobs")
    qstash_fake.deliver_due()
    assert [target for target, _, _ in shop.received] == ["/jobs"]


URL = st.builds(
    "{}{}{}".format, st.sampled_from(["https://", "http:/"]), st.text(max_size=8), st.text("/?#&=%:@[]\\. aB\xe9")
)


@settings(max_examples=max(200, settings().max_examples))
@example("https://shop.example/??")
@given(URL | URL.map(lambda url: url.replace("//", "//shop.example/", 1)))
def test_whatever_url_is_accepted_can_be_delivered(url):
    broker = Broker(0)
    Api(broker, Auth()).answer("POST", f"/v2/publish/{url}", [("Authorization", "Bearer secret")], b"body")
    for message in broker.messages.values():
        delivery = start_next(broker, 0)
        request = request_for(delivery)
        assert request.to_httpx().method == "POST"
        shop, scope = WsgiShop(), asgi.scope(request)
        assert wsgi.call(shop.app, request).status == 200
        query = "?" + scope["query_string"].decode() if scope["query_string"] else ""
        assert [target for target, _, _ in shop.received] == [scope["raw_path"].decode() + query]
        assert message.url.endswith((query, f"{query}?"))
        broker.complete(delivery, Outcome(status=200))
