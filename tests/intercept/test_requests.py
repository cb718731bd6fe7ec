"""Calls that requests makes to QStash are answered by the fake, all others are left alone."""

import io
from typing import ClassVar

import pytest
import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from requests.auth import HTTPDigestAuth
from urllib3 import HTTPResponse
from urllib3.util import Retry

from qstash_fake import QStashFake

BEARER = {"Authorization": "Bearer a-token"}
PUBLISH = "https://qstash.upstash.io/v2/publish/https://shop.example/jobs"
EARLY = requests.Session()


class Outside(BaseAdapter):
    """Answers for another host."""

    def send(self, request, *args, **kwargs):
        raw = HTTPResponse(io.BytesIO(b"outside: " + request.url.encode()), status=200, preload_content=False)
        return HTTPAdapter().build_response(request, raw)

    def close(self):
        pass


def test_a_session_made_at_import_is_answered(qstash_fake):
    response = EARLY.post(PUBLISH, headers=BEARER, json={"order": 7})
    assert response.status_code == 201
    message = qstash_fake.assert_published(url="https://shop.example/jobs", json={"order": 7})
    assert response.json() == {"messageId": message.message_id}


def test_the_function_api_is_answered(qstash_fake):
    assert requests.post(PUBLISH, headers=BEARER, data=b"\x00\xff").status_code == 201
    qstash_fake.assert_published(body=b"\x00\xff")


@pytest.mark.parametrize("data", ["one two", [b"one ", b"two"], io.BytesIO(b"one two")], ids=["text", "parts", "file"])
def test_every_kind_of_body_arrives_whole(qstash_fake, data):
    requests.post(PUBLISH, headers=BEARER, data=iter(data) if isinstance(data, list) else data)
    qstash_fake.assert_published(body="one two")


def test_hooks_auth_and_cookies_of_the_session_are_kept(qstash_fake):
    seen = []

    def bearer(request):
        request.headers["Authorization"] = "Bearer from-auth"
        return request

    session = requests.Session()
    session.hooks["response"].append(lambda response, **_: seen.append(response.status_code))
    session.auth = bearer
    session.cookies.set("session", "7")
    response = session.post(PUBLISH)
    assert (response.request.headers["Cookie"], seen) == ("session=7", [201])


def test_an_auth_that_answers_a_401_stays_with_the_fake(qstash_fake):
    response = requests.post(PUBLISH, auth=HTTPDigestAuth("a", "b"))
    assert response.status_code == 401
    again = response.connection.send(requests.Request("POST", PUBLISH, headers=BEARER).prepare())
    assert again.status_code == 201


def test_a_subclass_keeps_what_it_added(qstash_fake):
    class Tenant(requests.Session):
        tenant = ""

        def rebuild_auth(self, prepared_request, response):
            raise AssertionError("nothing is redirected")

        def get_redirect_target(self, resp):
            resp.headers["X-Tenant"] = self.tenant
            return super().get_redirect_target(resp)

    session = Tenant()
    session.tenant = "shop"
    assert session.post(PUBLISH, headers=BEARER).headers["X-Tenant"] == "shop"


# --- below the adapters of a session ----------------------------------------------------------------------------------


def test_an_adapter_of_the_session_sees_the_call_and_its_answer(qstash_fake):
    class Counting(HTTPAdapter):
        seen: ClassVar[list[object]] = []

        def send(self, request, *args, **kwargs):
            request.headers["Authorization"] = "Bearer from-adapter"
            response = super().send(request, *args, **kwargs)
            self.seen.append(response.status_code)
            return response

    session = requests.Session()
    session.mount("https://", Counting())
    assert session.post(PUBLISH).status_code == 201
    assert Counting.seen == [201]


def retrying(**options):
    session = requests.Session()
    session.mount("https://", HTTPAdapter(max_retries=Retry(2, backoff_factor=0, **options)))
    return session


def test_a_retry_of_an_adapter_repeats_a_dropped_connection_so_often(qstash_fake):
    qstash_fake.api.drop_connection(times=2)
    assert retrying().post(PUBLISH, headers=BEARER).status_code == 201
    qstash_fake.api.drop_connection(times=3)
    with pytest.raises(requests.ConnectionError, match="Max retries exceeded"):
        retrying().post(PUBLISH, headers=BEARER)
    qstash_fake.assert_published(times=1)


def test_a_retry_of_an_adapter_repeats_an_answer_that_it_is_told_to_repeat(qstash_fake):
    qstash_fake.api.fail(503)
    session = retrying(status_forcelist=[503], allowed_methods=["POST"])
    assert session.post(PUBLISH, headers=BEARER).status_code == 201
    qstash_fake.assert_published(times=1)


def test_an_adapter_that_uses_no_network_answers_itself(qstash_fake):
    session = requests.Session()
    session.mount("https://", Outside())
    assert session.post(PUBLISH).text == f"outside: {PUBLISH}"
    assert qstash_fake.messages == []


@pytest.mark.parametrize(
    ("url", "proxies"),
    [
        (PUBLISH, {"https": "http://127.0.0.1:9"}),
        (PUBLISH, {"https": "http://someone:secret@127.0.0.1:9"}),
        ("http://127.0.0.1:8080/v2/publish/https://shop.example/jobs", {"http": "http://127.0.0.1:9"}),
    ],
)
def test_a_proxy_is_not_asked(qstash_fake, url, proxies):
    with requests.Session() as session:
        for _ in range(2):
            assert session.post(url, headers=BEARER, proxies=proxies).status_code == 201
        qstash_fake.api.drop_connection()
        with pytest.raises(requests.ConnectionError, match="told to drop this connection"):
            session.post(url, headers=BEARER, proxies=proxies)
    qstash_fake.assert_published(times=2)


@pytest.mark.parametrize("options", [{"verify": False}, {"timeout": 0.001}, {"allow_redirects": True}], ids=str)
def test_options_of_the_connection_change_nothing(qstash_fake, options):
    assert requests.post(PUBLISH, headers=BEARER, **options).status_code == 201


def test_a_session_that_was_connected_before_the_fake_is_answered():
    with QStashFake() as first, requests.Session() as session:
        session.post(PUBLISH, headers=BEARER)
        with QStashFake() as second:
            session.post(PUBLISH, headers=BEARER)
        session.post(PUBLISH, headers=BEARER)
    assert (len(first.messages), len(second.messages)) == (2, 1)


def test_an_answer_can_be_streamed(qstash_fake):
    with requests.post(PUBLISH, headers=BEARER, stream=True) as response:
        assert b"".join(response.iter_content(8)).startswith(b'{"messageId":"msg_')


@pytest.mark.usefixtures("qstash_fake")
def test_another_address_passes_through_untouched():
    session = requests.Session()
    session.mount("https://", Outside())
    assert session.get("https://api.example/v2/keys").text == "outside: https://api.example/v2/keys"


def test_a_dropped_connection_is_a_connection_error(qstash_fake):
    qstash_fake.api.drop_connection()
    with pytest.raises(requests.ConnectionError, match="told to drop this connection") as caught:
        requests.post(PUBLISH, headers=BEARER)
    assert caught.value.request is not None
    assert caught.value.request.url == PUBLISH


def test_a_refusal_of_the_api_is_an_answer(qstash_fake):
    response = requests.post(PUBLISH)
    assert (response.status_code, response.json()) == (401, {"error": "unable to authenticate: invalid token"})
