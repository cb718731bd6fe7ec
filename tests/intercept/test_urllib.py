"""Calls that urllib3, urllib.request and http.client make to QStash are answered by the fake."""

import http.client
import io
import json
import urllib.error
import urllib.request

import pytest
import urllib3
from urllib3.util import Retry

from qstash_fake import QStashFake

BEARER = {"Authorization": "Bearer a-token"}
PUBLISH = "https://qstash.upstash.io/v2/publish/https://shop.example/jobs"
EARLY = urllib3.PoolManager()


def publish(opener=urllib.request.urlopen, data=b'{"order": 7}', url=PUBLISH, **headers):
    request = urllib.request.Request(url, data=data, headers=BEARER | headers, method="POST")
    return opener(request)


# --- urllib3 ------------------------------------------------------------------------------------------------------


def test_a_pool_made_at_import_is_answered(qstash_fake):
    response = EARLY.request("POST", PUBLISH, headers=BEARER, json={"order": 7})
    message = qstash_fake.assert_published(url="https://shop.example/jobs", json={"order": 7})
    assert (response.status, response.reason, response.json()) == (201, "Created", {"messageId": message.message_id})


@pytest.mark.parametrize(
    "body",
    ["one two", b"one two", io.BytesIO(b"one two"), iter([b"one ", b"two"])],
    ids=["text", "bytes", "file", "iterator"],
)
def test_every_kind_of_body_arrives_whole(qstash_fake, body):
    urllib3.request("POST", PUBLISH, headers=BEARER, body=body)
    qstash_fake.assert_published(body="one two")


def test_an_answer_of_urllib3_can_be_streamed(qstash_fake):
    with urllib3.PoolManager() as pool:
        response = pool.request("POST", PUBLISH, headers=BEARER, preload_content=False)
        assert b"".join(response.stream(8)).startswith(b'{"messageId":"msg_')
        response.release_conn()


def test_a_dropped_connection_is_no_connection_of_urllib3(qstash_fake):
    qstash_fake.api.drop_connection()
    with pytest.raises(urllib3.exceptions.NewConnectionError, match="told to drop this connection"):
        urllib3.request("POST", PUBLISH, headers=BEARER, retries=False)
    assert qstash_fake.messages == []


def test_retries_of_urllib3_repeat_it(qstash_fake):
    qstash_fake.api.drop_connection(times=2)
    urllib3.request("POST", PUBLISH, headers=BEARER, retries=Retry(2, backoff_factor=0))
    qstash_fake.assert_published(times=1)


def test_a_pool_of_one_connection_that_blocks_serves_every_call(qstash_fake):
    with urllib3.HTTPSConnectionPool("qstash.upstash.io", maxsize=1, block=True) as pool:
        for _ in range(3):
            pool.request("POST", "/v2/publish/https://shop.example/jobs", headers=BEARER)
    qstash_fake.assert_published(times=3)


def test_a_proxy_of_urllib3_is_not_asked(qstash_fake):
    with urllib3.ProxyManager("http://127.0.0.1:9") as pool:
        assert pool.request("POST", PUBLISH, headers=BEARER).status == 201


def test_a_certificate_is_not_missed(qstash_fake, recwarn):
    urllib3.request("POST", PUBLISH, headers=BEARER)
    assert list(recwarn) == []


# --- urllib.request -----------------------------------------------------------------------------------------------


def test_urlopen_is_answered_with_a_response_of_its_own(qstash_fake):
    with publish() as response:
        assert (response.status, response.reason, response.headers["Content-Type"]) == (
            201,
            "Created",
            "application/json",
        )
        assert json.load(response) == {"messageId": qstash_fake.assert_published(json={"order": 7}).message_id}


def test_an_opener_with_handlers_is_answered(qstash_fake):
    seen = []

    class Seeing(urllib.request.BaseHandler):
        def https_request(self, request):
            request.add_header("Authorization", "Bearer from-handler")
            return request

        def https_response(self, _, response):
            seen.append(response.status)
            return response

    with publish(urllib.request.build_opener(Seeing()).open) as response:
        assert (response.status, seen) == (201, [201])


def test_a_refusal_is_an_http_error(qstash_fake):
    with pytest.raises(urllib.error.HTTPError, match="HTTP Error 401: Unauthorized") as caught:
        publish(Authorization="")
    with caught.value as error:
        assert json.load(error) == {"error": "unable to authenticate: invalid token"}


def test_a_dropped_connection_is_a_url_error(qstash_fake):
    qstash_fake.api.drop_connection()
    with pytest.raises(urllib.error.URLError, match="told to drop this connection") as caught:
        publish()
    assert isinstance(caught.value.reason, ConnectionRefusedError)


def test_a_body_in_parts_arrives_whole(qstash_fake):
    publish(data=iter([b"one ", b"two"])).close()
    qstash_fake.assert_published(body="one two")


def test_a_proxy_of_an_opener_is_not_asked(qstash_fake):
    proxies = urllib.request.ProxyHandler({"https": "http://127.0.0.1:9", "http": "http://127.0.0.1:9"})
    opener = urllib.request.build_opener(proxies)
    publish(opener.open).close()
    publish(opener.open, url="http://127.0.0.1:8080/v2/publish/https://shop.example/jobs").close()
    qstash_fake.assert_published(times=2)


# --- http.client --------------------------------------------------------------------------------------------------


def test_a_connection_of_http_client_is_answered_again_and_again(qstash_fake):
    connection = http.client.HTTPSConnection("qstash.upstash.io")
    for _ in range(2):
        connection.request("POST", "/v2/publish/https://shop.example/jobs", headers=BEARER)
        assert json.load(connection.getresponse())["messageId"].startswith("msg_")
    qstash_fake.assert_published(times=2)


def test_a_socket_that_was_open_before_the_fake_is_closed_and_not_used(qstash_fake):
    class Open:
        closed = False

        def close(self):
            self.closed = True

    connection = http.client.HTTPSConnection("qstash.upstash.io")
    connection.sock = Open()
    before = connection.sock
    connection.request("GET", "/v2/keys", headers=BEARER)
    assert connection.getresponse().status == 200
    assert before.closed


def test_a_request_that_is_sent_when_the_fake_has_ended_goes_nowhere():
    connection = http.client.HTTPSConnection("qstash.upstash.io")
    with QStashFake():
        connection.putrequest("GET", "/v2/keys")
    with pytest.raises(ConnectionRefusedError, match=r"qstash_fake that https://qstash\.upstash\.io:443 was connected"):
        connection.endheaders()


def test_a_client_that_waits_for_100_continue_is_told_to_go_on(qstash_fake):
    connection = http.client.HTTPSConnection("qstash.upstash.io")
    connection.putrequest("POST", "/v2/publish/https://shop.example/jobs")
    for name, value in (BEARER | {"Expect": "100-continue", "Content-Length": "3"}).items():
        connection.putheader(name, value)
    connection.endheaders()
    connection.send(b"one")
    assert connection.getresponse().status == 201
    qstash_fake.assert_published(body="one")


def test_a_request_that_is_no_http_is_refused(qstash_fake):
    connection = http.client.HTTPSConnection("qstash.upstash.io")
    connection.putrequest("GET", "/v2/keys", skip_host=True)
    connection.endheaders()
    assert connection.getresponse().status == 400


def test_another_host_gets_no_socket_of_ours(qstash_fake):
    connection = http.client.HTTPSConnection("api.example")
    connection.putrequest("GET", "/v2/keys")
    assert connection.sock is None
