"""Calling a WSGI application as PEP 3333 says, checked by wsgiref's validator."""

import io
import sys
from wsgiref.validate import validator

import pytest

from qstash_fake.broker.message import Outcome
from qstash_fake.delivery.answers import outcome_of
from qstash_fake.delivery.exchange import Request, plain_request
from qstash_fake.delivery.kinds import wsgi


def post(url: str = "https://shop.example/jobs", body: bytes = b"x", headers=()) -> Request:
    return plain_request("POST", url, headers, body)


def call(app, request: Request | None = None) -> Outcome:
    return outcome_of(wsgi.call(app, request or post()))


def hello(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello ", environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("body", [b"", b"\xff\x00"])
@pytest.mark.parametrize("url", ["https://shop.example", "http://shop.example:8080/%C5%BE//y/?a=1&b=%20"])
def test_the_validator_of_the_standard_library_finds_nothing(method, body, url):
    request = plain_request(method, url, (("Content-Type", "text/plain"), ("X-Name", "á")), body)
    outcome = call(validator(hello), request)
    assert (outcome.status, outcome.body, outcome.exception) == (200, b"hello " + body, None)


def test_the_environ_says_what_was_asked():
    seen = {}

    def app(environ, start_response):
        seen.update(environ)
        return hello(environ, start_response)

    url = "https://shop.example:8443/jobs/%E2%82%AC%2Fx//y/?a=%20&b=1"
    call(app, post(url, b"body", (("Content-Type", "text/plain"), ("X-A", "1"), ("x-a", "2"), ("X-Name", "€"))))
    stream = seen.pop("wsgi.input")
    assert isinstance(stream, io.BytesIO)
    assert seen == {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/jobs/€/x//y/".encode().decode("latin-1"),
        "QUERY_STRING": "a=%20&b=1",
        "REQUEST_URI": "/jobs/%E2%82%AC%2Fx//y/?a=%20&b=1",
        "RAW_URI": "/jobs/%E2%82%AC%2Fx//y/?a=%20&b=1",
        "SERVER_NAME": "shop.example",
        "SERVER_PORT": "8443",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_TYPE": "text/plain",
        "CONTENT_LENGTH": "4",
        "HTTP_HOST": "shop.example:8443",
        "HTTP_X_A": "1,2",
        "HTTP_X_NAME": "€".encode().decode("latin-1"),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "https",
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }


def test_a_url_without_a_path_is_asked_for_its_root():
    environ = wsgi.environ(post("https://shop.example?x=1"))
    assert (environ["PATH_INFO"], environ["REQUEST_URI"], environ["QUERY_STRING"]) == ("/", "/?x=1", "x=1")


def test_what_an_application_does_to_its_environ_is_seen_by_no_other():
    for _ in range(2):
        environ = wsgi.environ(post())
        assert environ["PATH_INFO"] == "/jobs"
        environ["PATH_INFO"] = "mine"


def test_the_status_the_headers_and_the_body_are_the_outcome():
    def app(environ, start_response):
        start_response("207 Multi-Status", [("X-A", "1"), ("X-A", "2")])
        return iter([b"a", b"", b"b"])

    outcome = call(app)
    assert (outcome.status, outcome.headers, outcome.body) == (207, (("X-A", "1"), ("X-A", "2")), b"ab")


def test_the_write_callable_comes_before_what_is_returned():
    def app(environ, start_response):
        write = start_response("200 OK", [])
        write(b"first ")
        return [b"second"]

    assert call(app).body == b"first second"


def test_the_iterable_is_closed_after_its_last_part():
    events = []

    class Parts:
        def __iter__(self):
            yield b"a"
            events.append("read")

        def close(self):
            events.append("closed")

    def app(environ, start_response):
        start_response("200 OK", [])
        return Parts()

    assert call(app).body == b"a"
    assert events == ["read", "closed"]


def test_the_iterable_is_closed_after_an_exception_too():
    events = []

    class Parts:
        def __iter__(self):
            raise RuntimeError("no part")

        def close(self):
            events.append("closed")

    def app(environ, start_response):
        start_response("200 OK", [])
        return Parts()

    outcome = call(app)
    assert (outcome.status, repr(outcome.exception), events) == (500, "RuntimeError('no part')", ["closed"])


def test_a_complete_answer_counts_although_closing_it_fails():
    class Parts(list[bytes]):
        def close(self):
            raise RuntimeError("while closing")

    def app(environ, start_response):
        start_response("200 OK", [])
        return Parts([b"a"])

    outcome = call(app)
    assert (outcome.status, outcome.body, repr(outcome.exception)) == (200, b"a", "RuntimeError('while closing')")


def test_an_exception_without_an_answer_is_a_500():
    error = RuntimeError("no answer")

    def app(environ, start_response):
        raise error

    outcome = call(app)
    assert (outcome.status, outcome.body, outcome.exception) == (500, b"Internal Server Error", error)


@pytest.mark.parametrize("answer", [[], [b"ok"], {"statusCode": 200, "body": "ok"}, iter([b"ok"])])
def test_an_application_that_never_calls_start_response_is_told_so(answer):
    outcome = call(lambda environ, start_response: answer)
    assert (outcome.status, type(outcome.exception)) == (500, RuntimeError)
    assert str(outcome.exception) == (
        "the WSGI application returned without a call of start_response(); "
        "a Lambda handler is told by the name of its second argument, `context`"
    )


def test_start_response_may_be_called_as_late_as_the_first_part():
    def app(environ, start_response):
        start_response("200 OK", [])
        yield b"a"

    assert call(app).body == b"a"


def test_a_second_start_response_needs_exc_info():
    def app(environ, start_response):
        start_response("200 OK", [])
        start_response("503 Service Unavailable", [])
        return [b""]

    outcome = call(app)
    assert (outcome.status, repr(outcome.exception)) == (
        500,
        "RuntimeError('start_response() was called twice; the second time it needs exc_info')",
    )


@pytest.mark.parametrize(("first", "status"), [(b"part", 0), (b"", 500)])
def test_an_answer_is_under_way_with_the_first_byte_of_its_body(first, status):
    def app(environ, start_response):
        start_response("200 OK", [])
        yield first
        raise RuntimeError("half way")

    outcome = call(app)
    assert (outcome.status, repr(outcome.exception)) == (status, "RuntimeError('half way')")


def test_an_error_page_may_replace_an_answer_that_is_not_under_way():
    def app(environ, start_response):
        start_response("200 OK", [("X-A", "1")])
        try:
            raise RuntimeError("handled")
        except RuntimeError:
            start_response("503 Service Unavailable", [("X-B", "2")], sys.exc_info())
        return [b"sorry"]

    outcome = call(app)
    assert (outcome.status, outcome.headers, outcome.body) == (503, (("X-B", "2"),), b"sorry")


def test_an_error_page_cannot_replace_an_answer_that_is_under_way():
    def app(environ, start_response):
        start_response("200 OK", [])(b"part")
        try:
            raise RuntimeError("too late")
        except RuntimeError:
            start_response("503 Service Unavailable", [], sys.exc_info())
        return [b"sorry"]

    outcome = call(app)
    assert (outcome.status, repr(outcome.exception)) == (0, "RuntimeError('too late')")


def test_what_is_no_exception_but_ends_the_program_passes_through():
    def app(environ, start_response):
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        call(app)


def test_a_query_that_is_not_ascii_goes_as_its_bytes():
    seen = []

    def app(environ, start_response):
        seen.append(environ["QUERY_STRING"].encode("latin-1"))
        return hello(environ, start_response)

    call(app, post("https://shop.example/jobs?name=€"))
    assert seen == ["name=€".encode()]
