"""QStash's refusals, in its own words: one test for each row of PROTOCOL 1.11 that a fake can run into."""

import pytest

SCHEME = "invalid destination url: endpoint has invalid scheme, add http:// or https://"
EMPTY_CRON = "Invalid cron expression empty spec string"
CRON = {"Upstash-Cron": "* * * * *"}


@pytest.mark.protocol("error invalid destination url: endpoint has invalid scheme, add http:// or https://")
@pytest.mark.parametrize(
    "to",
    [
        "shop.example/jobs",
        "//shop.example",
        "ftp://shop.example",
        "https%3A%2F%2Fshop.example",
        "https:shop.example",
        "https:///jobs",
        "://shop.example",
        "a name",
        "group?x=1",
        "localhost:8000/jobs",
        "https:%2F%2Fshop",
    ],
)
def test_a_destination_without_a_scheme_is_refused(qstash, to):
    assert qstash.refused_publish(to=to) == (400, SCHEME)


@pytest.mark.protocol("error invalid destination url: endpoint has invalid scheme, add http:// or https://")
@pytest.mark.parametrize("header", ["Upstash-Callback", "Upstash-Failure-Callback"])
@pytest.mark.parametrize("url", ["shop.example/done", "group", "api/llm", "ftp://shop.example"])
def test_a_callback_without_a_scheme_is_refused(qstash, header, url):
    assert qstash.refused_publish({header: url}) == (400, SCHEME)


@pytest.mark.parametrize(
    "to",
    [
        "https://?x=1",
        "https://:80/jobs",
        "https://user@/jobs",
        "https://shop.example:port/",
        "https://shop.example:99999",
        "https://[::g]/",
        "https://[::1/",
        "https://shop example/",
        "https://a\\b/",
        "https://a%2Fb/",
        "https://{a}/",
        "https://999.1.1.1/",
        "https://xn--/",
        "https://shop.example/a b",
        "https://shop.example/\x7f",
        "https://#a",
    ],
)
def test_a_url_that_nothing_can_connect_to_is_refused(qstash, to):
    status, error = qstash.refused_publish(to=to)
    assert status == 400
    assert error.startswith("invalid destination url: ")


@pytest.mark.protocol("error topic <name> not found")
@pytest.mark.parametrize("to", ["no-such-group", "no-such-group/", "NO.SUCH_group-1"])
def test_a_topic_that_is_not_found_is_404(qstash, to):
    assert qstash.refused_publish(to=to) == (404, f"topic {to.rstrip('/')} not found")


@pytest.mark.protocol("error topic <name> not found")
@pytest.mark.parametrize("path", ["/v2/topics/nobody", "/v2/topics/nobody/"])
def test_reading_a_topic_that_is_not_found_is_404(qstash, path):
    assert qstash.refusal("GET", path) == (404, "topic nobody not found")


@pytest.mark.protocol("error a non-empty destination must be provided")
@pytest.mark.parametrize("target", ["/v2/publish/", "/v2/publish", "/v2/publish/?upstash-retries=1", "/v2/publish?a=b"])
def test_a_publish_without_a_destination_is_refused(qstash, target):
    assert qstash.refusal("POST", target) == (400, "a non-empty destination must be provided")


@pytest.mark.protocol("error a non-empty destination must be provided")
@pytest.mark.parametrize("target", ["/v2/enqueue/emails", "/v2/enqueue/emails/", "/v2/schedules/", "/v2/schedules"])
def test_neither_a_queue_nor_a_schedule_does_without_a_destination(qstash, target):
    assert qstash.refusal("POST", target, CRON) == (400, "a non-empty destination must be provided")
    assert not qstash.broker.queues


@pytest.mark.protocol("error unable to authenticate: invalid token")
def test_an_invalid_token_is_401(make_qstash):
    qstash = make_qstash(token="another")
    assert qstash.refused_publish() == (401, "unable to authenticate: invalid token")


@pytest.mark.protocol("error DeduplicationId cannot contain ':'")
@pytest.mark.parametrize("given", ["a:b", ":", "a:", "order:7 again"])
def test_a_deduplication_id_with_a_colon_is_refused(qstash, given):
    assert qstash.refused_publish({"Upstash-Deduplication-Id": given}) == (400, "DeduplicationId cannot contain ':'")


@pytest.mark.protocol("error DeduplicationId cannot contain ':'")
@pytest.mark.parametrize("given", ["a b", " a", "a\t", "a\xa0b"])
def test_a_deduplication_id_with_a_blank_is_refused(qstash, given):
    refusal = (400, "DeduplicationId cannot contain whitespace")
    assert qstash.refused_publish({"Upstash-Deduplication-Id": given}) == refusal


@pytest.mark.protocol("error Upstash-Not-Before/Upstash-Delay can not be used with enqueue")
@pytest.mark.parametrize("headers", [{"Upstash-Delay": "10s"}, {"Upstash-Not-Before": "1"}, {"Upstash-Delay": "0s"}])
def test_delay_and_not_before_can_not_be_used_with_enqueue(qstash, headers):
    refusal = qstash.refusal("POST", "/v2/enqueue/emails/https://shop.example/jobs", headers)
    assert refusal == (400, "Upstash-Not-Before/Upstash-Delay can not be used with enqueue")
    assert not qstash.broker.messages


@pytest.mark.protocol("error Upstash-Not-Before/Upstash-Delay can not be used with enqueue")
def test_a_delay_in_the_query_can_not_be_used_with_enqueue_either(qstash):
    refusal = qstash.refusal("POST", "/v2/enqueue/emails/https://shop.example/jobs?upstash-delay=1m")
    assert refusal == (400, "Upstash-Not-Before/Upstash-Delay can not be used with enqueue")


@pytest.mark.protocol("error Invalid cron expression")
@pytest.mark.parametrize("cron", ["", " ", "\t "])
@pytest.mark.parametrize("kind", ["publish", "schedules"])
def test_an_empty_cron_expression_is_refused(qstash, kind, cron):
    refusal = qstash.refusal("POST", f"/v2/{kind}/https://shop.example/jobs", {"Upstash-Cron": cron})
    assert refusal == (400, EMPTY_CRON)
    assert not qstash.broker.schedules.by_id


@pytest.mark.protocol("error Invalid cron expression")
def test_a_schedule_without_a_cron_expression_is_refused_as_one_with_an_empty_one(qstash):
    assert qstash.refusal("POST", "/v2/schedules/https://shop.example/jobs") == (400, EMPTY_CRON)


@pytest.mark.protocol("error Invalid cron expression")
def test_a_wrong_cron_expression_is_refused_in_the_words_of_its_parser(qstash):
    refusal = qstash.refusal("POST", "/v2/schedules/https://shop.example/jobs", {"Upstash-Cron": "* * *"})
    assert refusal == (400, "Invalid cron expression expected exactly 5 fields, found 3: [* * *]")


@pytest.mark.protocol("error 404 bodies")
@pytest.mark.parametrize(
    ("method", "path", "error"),
    [
        ("GET", "/v2/messages/msg_1", "message msg_1 not found"),
        ("DELETE", "/v2/messages/msg_1", "message msg_1 not found"),
        ("GET", "/v2/schedules/nightly", "schedule nightly not found"),
        ("DELETE", "/v2/schedules/nightly", "schedule nightly not found"),
        ("PATCH", "/v2/schedules/nightly/pause", "schedule nightly not found"),
        ("POST", "/v2/schedules/nightly/resume", "schedule nightly not found"),
        ("GET", "/v2/queues/emails", "queue emails not found"),
        ("GET", "/v2/dlq/1-1", "dlq message 1-1 not found"),
        ("DELETE", "/v2/dlq/1-1", "dlq message 1-1 not found"),
        ("POST", "/v2/dlq/retry/1-1", "dlq message 1-1 not found"),
    ],
)
def test_what_is_not_there_is_404(qstash, method, path, error):
    assert qstash.refusal(method, path) == (404, error)


@pytest.mark.protocol("error invalid queue / schedule id")
@pytest.mark.parametrize("name", ["e%20mails", "e@mails", "\xe9mails", "a,b", "a%2Fb", "%00"])
def test_an_invalid_queue_name_is_refused(qstash, name):
    calls = [
        ("POST", f"/v2/enqueue/{name}/https://shop.example/jobs"),
        ("GET", f"/v2/queues/{name}"),
        ("DELETE", f"/v2/queues/{name}"),
        ("POST", f"/v2/queues/{name}/pause"),
    ]
    assert {qstash.refusal(*call)[0] for call in calls} == {400}
    assert not qstash.broker.queues


@pytest.mark.protocol("error invalid queue / schedule id")
@pytest.mark.parametrize("name", ["a b", "a/b", "a@b", "\xc3\xa9", "a,b"])
def test_an_invalid_schedule_id_is_refused(qstash, name):
    headers = {**CRON, "Upstash-Schedule-Id": name}
    status, error = qstash.refusal("POST", "/v2/schedules/https://shop.example/jobs", headers)
    assert status == 400
    assert error.startswith("invalid Upstash-Schedule-Id header: ")
    assert not qstash.broker.schedules.by_id


@pytest.mark.protocol("error schedule / queue count quota")
@pytest.mark.parametrize(
    ("path", "headers", "body"),
    [
        ("/v2/queues", {}, {"queueName": "one-more"}),
        ("/v2/enqueue/one-more/https://shop.example/jobs", {}, b""),
        ("/v2/publish/https://shop.example/jobs", {"Upstash-Queue-Name": "one-more"}, b""),
    ],
)
def test_more_queues_than_the_quota_are_refused(make_qstash, path, headers, body):
    qstash = make_qstash(plan="free")
    for number in range(10):
        qstash.call("POST", "/v2/queues", body={"queueName": f"queue-{number}"})
    assert qstash.refusal("POST", path, headers, body) == (412, "quota maxQueues exceeded, current limit: 10")
    assert qstash.call("POST", "/v2/queues", body={"queueName": "queue-0", "parallelism": 2}).status == 200


# --- refusals whose words are ours: the row says only that there is one ------------------------------------------


@pytest.mark.parametrize(
    ("header", "values"),
    [
        ("Upstash-Method", ["FETCH", "CONNECT", "P OST"]),
        ("Upstash-Retries", ["three", "-1", "1.5", "1e3", "+1", "1_000", "\xb2"]),
        ("Upstash-Retry-Delay", ["retried +", "rand()", "1000ms", "__import__('os')"]),
        ("Upstash-Delay", ["soon", "-1s", "90", "1h5", "1mon", "s", "10 s", "99999999999999999999s", "3000000d"]),
        ("Upstash-Not-Before", ["tomorrow", "-1", "1e9", "1767225600.", "9" * 19, "2026-01-01T00:00:00Z"]),
        ("Upstash-Timeout", ["fast", "-1s", "1.5", "1.5x", "1s5"]),
        ("Upstash-Header-Forward", ["yes", "on", "2", "tRUE"]),
        ("Upstash-Content-Based-Deduplication", ["yes", "0.0"]),
        ("Upstash-Queue-Name", ["a b", "a/b"]),
        ("Upstash-Redact-Fields", ["everything", "header[]"]),
        ("Upstash-Callback-Retries", ["many"]),
        ("Upstash-Failure-Callback-Timeout", ["later"]),
        ("Upstash-Callback-Failure-Callback", ["nowhere"]),
    ],
)
def test_a_value_that_makes_no_sense_is_refused(qstash, header, values):
    assert {qstash.refused_publish({header: value})[0] for value in values} == {400}


@pytest.mark.parametrize("value", ["a\r\nX-Other: b", "a\nb", "a\0b", "\x1b[0m", "\x7f"])
@pytest.mark.parametrize("name", ["Upstash-Forward-X", "Content-Type", "X-Other"])
def test_control_characters_in_a_value_are_refused(qstash, name, value):
    status, error = qstash.refused_publish({name: value})
    assert (status, error) == (400, f"invalid value of header {name}: control characters are not allowed")


@pytest.mark.protocol(
    "error invalid Upstash-Delay header: time: missing unit in duration",
    "rule durations; a bare integer is seconds in a timeout and a period, refused in a delay",
)
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("90", 'time: missing unit in duration "90"'),  # QStash's own words, seen in a real answer
        ("soon", 'time: invalid duration "soon"'),
        ("5 minutes", 'time: unknown unit " minutes" in duration "5 minutes"'),
        ("-5s", 'duration "-5s" is negative'),
    ],
)
def test_a_delay_that_is_none_is_refused_in_the_words_of_qstash(qstash, value, reason):
    assert qstash.refused_publish({"Upstash-Delay": value}) == (400, f"invalid Upstash-Delay header: {reason}")
    assert qstash.refused_publish(to=f"https://shop.example/?upstash-delay={value}")[0] == 400


def test_callbacks_of_callbacks_end_somewhere(qstash):
    name = "Upstash" + "-Callback" * 10
    status, error = qstash.refused_publish({name: "https://shop.example/done"})
    assert (status, error) == (400, "callbacks of callbacks are nested deeper than 8")
