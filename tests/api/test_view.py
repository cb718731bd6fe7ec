"""What a test holds of the API: the documented names, and nothing else."""

import pytest

from qstash_fake.api.view import ApiView
from qstash_fake.errors import UsageError


@pytest.fixture
def api(qstash):
    return ApiView(qstash.api)


def test_the_documented_names_are_all_there_is(api):
    names = {name for name in dir(api) if not name.startswith("_")}
    assert names == {"answer", "calls", "chat_answer", "drop_connection", "fail", "problems"}


@pytest.mark.parametrize("name", ["broker", "auth", "faults", "problems", "calls", "anything"])
def test_nothing_but_the_chat_answer_can_be_set(api, name):
    with pytest.raises(AttributeError):
        setattr(api, name, None)


def test_the_chat_answer_is_what_the_endpoint_answers(qstash, api):
    assert api.chat_answer["choices"][0]["message"]["content"] == "Hello from qstash_fake."
    api.chat_answer = {"choices": []}
    assert qstash.json("POST", "/llm/v1/chat/completions", body={}) == {"choices": []} == api.chat_answer


def test_a_chat_answer_that_is_no_object_is_refused(api):
    with pytest.raises(UsageError, match=r"chat_answer cannot be 'Hi': it is a mapping, the JSON object of the answer"):
        api.chat_answer = "Hi"


def test_the_api_is_a_function(api):
    reply = api.answer("GET", "/v2/readiness", [("Authorization", "Bearer secret")], b"")
    assert (reply.status, reply.body) == (200, b'{"ready":true}')


def test_reading_changes_nothing(qstash, api):
    qstash.publish()
    before = repr(api.calls), repr(api.problems), api.chat_answer
    for name in dir(api):
        getattr(api, name)
    assert (repr(api.calls), repr(api.problems), api.chat_answer) == before


def test_it_says_how_many_calls_there_were(qstash, api):
    assert repr(api) == "<qstash_fake.api, 0 calls>"
    qstash.publish()
    assert repr(api) == "<qstash_fake.api, 1 call>"
