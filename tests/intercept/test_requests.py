"""Calls that requests makes to QStash are answered by the fake, all others are left alone."""

import io

import pytest
import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from requests.auth import HTTPDigestAuth
from urllib3 import HTTPResponse

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
