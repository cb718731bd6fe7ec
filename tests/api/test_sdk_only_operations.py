"""What the SDKs call and the description does not name, or names otherwise. The paths themselves: test_answer.py."""

import json

import pytest

from tests.shop import JOBS

NO_CONTENT = b""
GO_JSON = {"Content-Type": "application/json"}


@pytest.fixture
def full(qstash):
    """An account with one of each."""
    qstash.call("POST", f"/v2/enqueue/orders/{JOBS}", {"Upstash-Label": "invoices"})
    qstash.call("POST", f"/v2/schedules/{JOBS}", {"Upstash-Cron": "@daily", "Upstash-Schedule-Id": "nightly"})
    qstash.call("POST", "/v2/topics/partners/endpoints", (), {"endpoints": [{"url": JOBS, "name": "First endpoint"}]})
    qstash.call("POST", "/v2/flowControl/partner-api/pin?parallelism=3")
    return qstash


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v2/queues/", {"queueName": "orders", "parallelism": 2}),
        ("POST", "/v2/queues/orders/pause", b""),
        ("POST", "/v2/queues/orders/resume", b""),
        ("DELETE", "/v2/queues/orders", b""),
        ("DELETE", "/v2/queues/never-made", b""),
        ("PATCH", "/v2/schedules/nightly/pause", b""),
        ("PUT", "/v2/schedules/nightly/resume", b""),
        ("DELETE", "/v2/Schedules/nightly", b""),
        ("POST", "/v2/topics/new/endpoints", {"endpoints": [{"url": JOBS}]}),
        ("DELETE", "/v2/topics/partners/endpoints", {"endpoints": [{"name": "First endpoint"}]}),
        ("DELETE", "/v2/topics/partners", b""),
        ("DELETE", "/v2/topics/never-made", b""),
        ("PATCH", "/v2/topics/partners", {"headers": {"Upstash-Retries": "3", "Upstash-Header-Forward": ["true"]}}),
        ("POST", "/v2/flowControl/partner-api/pause", b""),
        ("POST", "/v2/flowControl/partner-api/resume", b""),
        ("POST", "/v2/flowControl/partner-api/unpin?parallelism=true", b""),
        ("POST", "/v2/flowControl/partner-api/resetRate", b""),
        ("POST", "/v2/flowControl/partner-api/reset", b""),  # for a month in 2026
    ],
)
def test_what_changes_something_is_200_without_a_body(full, method, path, body):
    reply = full.call(method, path, (), body)
    assert (reply.status, reply.headers, reply.body) == (200, (), NO_CONTENT)


def test_deleting_a_dead_letter_is_200_without_a_body_and_then_404(qstash):
    dead = qstash.dead_letter()
    replies = [qstash.call("DELETE", f"/v2/dlq/{dead}") for _ in range(2)]
    assert [(reply.status, reply.body) for reply in replies] == [
        (200, NO_CONTENT),
        (404, f'{{"error":"dlq message {dead} not found"}}'.encode()),
    ]


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("POST", f"/v2/publish/{JOBS}", {}, 201),
        ("POST", f"/v2/publish/{JOBS}", {"Upstash-Cron": "@daily"}, 201),
        ("POST", f"/v2/enqueue/orders/{JOBS}", {}, 201),
        ("POST", f"/v2/schedules/{JOBS}", {"Upstash-Cron": "@daily"}, 201),
        ("POST", "/v2/dlq/retry", {}, 201),
        ("POST", "/v2/keys/rotate", {}, 200),
    ],
)
def test_the_status_of_success_is_the_one_that_the_sdks_demand(qstash, method, path, headers, status):
    assert qstash.call(method, path, headers).status == status


@pytest.mark.protocol("1 rotation of keys")
@pytest.mark.parametrize("path", ["/v2/rotate", "/v2/keys/rotate", "/v2/Keys/Rotate/"])
@pytest.mark.parametrize("body", [b"", b"{}"])  # the Ruby client posts an empty object
def test_every_spelling_of_a_rotation_rotates(qstash, path, body):
    before = qstash.json("GET", "/v2/keys")
    assert qstash.json("POST", path, GO_JSON, body)["current"] == before["next"]


def test_the_ruby_client_cancels_one_message_with_an_empty_object(qstash):
    first, second = qstash.publish(), qstash.publish()
    reply = qstash.call("DELETE", f"/v2/messages/{first.message_id}", GO_JSON, b"{}")
    assert (reply.status, reply.body) == (202, b'{"cancelled":1}')
    assert [first.pending, second.pending] == [False, True]


@pytest.mark.protocol("1 lists of a bulk operation")
def test_the_go_client_cancels_many_with_a_json_body(qstash):
    messages = [qstash.publish() for _ in range(3)]
    ids = {"messageIds": [message.message_id for message in messages[:2]]}
    assert qstash.json("DELETE", "/v2/messages", GO_JSON, ids) == {"cancelled": 2}
    assert [message.pending for message in messages] == [False, False, True]


def test_an_empty_list_of_ids_cancels_everything(qstash):
    messages = [qstash.publish() for _ in range(3)]
    assert qstash.json("DELETE", "/v2/messages", (), {"messageIds": []}) == {"cancelled": 3}
    assert not any(message.pending for message in messages)


@pytest.mark.protocol("1 lists of a bulk operation")
def test_the_typescript_sdk_cancels_many_with_a_repeated_query_key(qstash):
    messages = [qstash.publish() for _ in range(3)]
    query = "&".join(f"messageIds={message.message_id}" for message in messages[1:])
    assert qstash.json("DELETE", f"/v2/messages?{query}") == {"cancelled": 2}
    assert qstash.json("DELETE", f"/v2/messages?{query}") == {"cancelled": 0}


def test_a_filter_of_the_query_and_one_of_the_body_must_both_hold(qstash):
    mine, other = (qstash.publish({"Upstash-Label": "a", "Upstash-Queue-Name": name}) for name in ("mine", "other"))
    assert qstash.json("DELETE", "/v2/messages?queueName=mine", (), {"label": "a"}) == {"cancelled": 1}
    assert [mine.pending, other.pending] == [False, True]


def test_the_body_wins_where_the_query_has_the_same_filter(qstash):
    mine, other = (qstash.publish({"Upstash-Label": name}) for name in ("mine", "other"))
    assert qstash.json("DELETE", "/v2/messages?label=other", (), {"label": "mine"}) == {"cancelled": 1}
    assert [mine.pending, other.pending] == [False, True]


def test_the_count_that_the_typescript_sdk_always_sends_is_ignored(qstash):
    messages = [qstash.publish() for _ in range(120)]
    assert qstash.json("DELETE", "/v2/messages?count=100") == {"cancelled": 120}
    assert not any(message.pending for message in messages)


def test_the_go_and_python_clients_delete_dead_letters_with_a_json_body(qstash):
    dead = [qstash.dead_letter() for _ in range(3)]
    assert qstash.json("DELETE", "/v2/dlq", GO_JSON, {"dlqIds": [*dead[:2], "0-99"]}) == {"deleted": 2}
    assert list(qstash.broker.dead_letters) == dead[2:]


def test_a_bulk_retry_answers_a_cursor_until_nothing_is_left(qstash):
    for _ in range(3):
        qstash.dead_letter()
    pages = [qstash.json("POST", "/v2/dlq/retry?count=2") for _ in range(2)]
    assert [len(page["responses"]) for page in pages] == [2, 1]
    assert pages[0]["cursor"]
    assert pages[1]["cursor"] == ""


def test_a_bulk_delete_has_no_cursor_on_its_last_page(qstash):
    for _ in range(3):
        qstash.dead_letter()
    first, second = (qstash.json("DELETE", "/v2/dlq?count=2") for _ in range(2))
    assert (first["deleted"], second) == (2, {"deleted": 1})
    assert first["cursor"]


def test_events_and_logs_are_two_names_of_one_list(full):
    events, logs = full.json("GET", "/v2/events"), full.json("GET", "/v2/logs")
    assert logs == {"logs": events["events"], "events": events["events"]}
    assert [entry["state"] for entry in events["events"]] == ["CREATED"]


@pytest.mark.protocol("1 verbs of schedules")
@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT"])
def test_a_schedule_is_paused_and_resumed_with_each_verb(full, method):
    full.call(method, "/v2/schedules/nightly/pause")
    paused = full.json("GET", "/v2/schedules/nightly")["isPaused"]
    full.call(method, "/v2/schedules/nightly/resume")
    assert [paused, full.json("GET", "/v2/schedules/nightly")["isPaused"]] == [True, False]


def test_numbers_are_integers_and_flags_are_booleans(full):
    found = {
        "queue": full.json("GET", "/v2/queues/orders"),
        "schedule": full.json("GET", "/v2/schedules/nightly"),
        "key": full.json("GET", "/v2/flowControl/partner-api"),
        "parallelism": full.json("GET", "/v2/globalParallelism"),
    }
    types = {name: {type(value) for value in one.values()} for name, one in found.items()}
    assert types == {
        "queue": {str, int, bool},
        "schedule": {str, int, bool},
        "key": {str, int, bool},
        "parallelism": {int},
    }
    assert '"paused":false' in full.call("GET", "/v2/queues/orders").body.decode()


def test_the_flags_of_unpin_are_lower_case_words(full):
    full.call("POST", "/v2/flowControl/partner-api/unpin?parallelism=true&rate=false")
    assert full.json("GET", "/v2/flowControl/partner-api")["isPinnedParallelism"] is False


def test_flow_control_keys_are_searched_by_a_part_of_their_name(full):
    full.call("POST", "/v2/flowControl/mail/pause")
    keys = {text: full.json("GET", f"/v2/flowControl?search={text}") for text in ("", "ner", "x")}
    assert {text: [key["flowControlKey"] for key in found] for text, found in keys.items()} == {
        "": ["partner-api", "mail"],
        "ner": ["partner-api"],
        "x": [],
    }


@pytest.mark.protocol("1 old chat endpoint")
def test_the_old_chat_endpoint_answers_what_was_set(qstash):
    qstash.api.chat_answer = {"choices": [{"message": {"role": "assistant", "content": "Hi"}}]}
    request = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}
    assert qstash.json("POST", "/llm/v1/chat/completions", (), request) == qstash.api.chat_answer


@pytest.mark.protocol("1 old chat endpoint")
def test_the_old_chat_endpoint_streams_and_says_when_it_is_done(qstash):
    qstash.api.chat_answer = {"choices": [{"message": {"role": "assistant", "content": "Hi"}}]}
    reply = qstash.call("POST", "/llm/v1/chat/completions", (), {"stream": True})
    events = [event.removeprefix("data: ") for event in reply.body.decode().split("\n\n")]
    assert reply.headers == (("Content-Type", "text/event-stream"),)
    assert json.loads(events[0])["choices"][0]["delta"] == {"role": "assistant", "content": "Hi"}
    assert events[-2:] == ["[DONE]", ""]


@pytest.mark.parametrize(
    "path",
    [
        "/v2/workflows",
        "/v2/workflows/metrics?groupBy=workflowUrl",
        "/v1/publish/https://shop.example/jobs",
        "/v1/quota",
    ],
)
def test_what_is_not_simulated_is_501_and_says_which_call_it_was(qstash, path):
    reply = qstash.call("POST", path)
    shown = path.partition("?")[0]
    assert (reply.status, json.loads(reply.body)) == (501, {"error": f"POST {shown} is not simulated by qstash_fake"})
