"""Which test shows which row of the protocol: every error text of PROTOCOL 1.11, every header of its section 2.

The rows are copied here as data. Each must name tests that exist, and a test must name what its row is about; so a row
without a test, and a test that has been taken away, are noticed.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
SOURCES = TESTS.parent / "qstash_fake" / "protocol"

# The rows as PROTOCOL has them, in its order.
ERROR_ROWS = (
    "invalid destination url: endpoint has invalid scheme, add http:// or https://",
    "invalid destination url: endpoint resolves to a loopback address",
    "topic <name> not found",
    "a non-empty destination must be provided",
    "unable to authenticate: invalid token",
    "user not found in this region",
    "DeduplicationId cannot contain ':'",
    "Upstash-Not-Before/Upstash-Delay can not be used with enqueue",
    "quota maxDelay exceeded",
    "quota maxRetries exceeded",
    "quota maxMessageSize exceeded",
    "quota maxParallelism",
    "Invalid cron expression",
    "failed to publish to url: can not append to a a cancelled workflow",
    "404 bodies",
    "invalid queue / schedule id",
    "schedule / queue count quota",
)
HEADER_ROWS = (
    "Upstash-Method",
    "Content-Type",
    "Upstash-Forward-<H>",
    "Upstash-Header-Forward",
    "Upstash-Retries",
    "Upstash-Retry-Delay",
    "Upstash-Delay",
    "Upstash-Not-Before",
    "Upstash-Timeout",
    "Upstash-Deduplication-Id",
    "Upstash-Content-Based-Deduplication",
    "Upstash-Callback",
    "Upstash-Failure-Callback",
    "Upstash-Callback-<X>",
    "Upstash-Failure-Callback-<X>",
    "Upstash-Queue-Name",
    "Upstash-Schedule-Id",
    "Upstash-Cron",
    "Upstash-Label",
    "Upstash-Flow-Control-Key",
    "Upstash-Flow-Control-Value",
    "Upstash-Redact-Fields",
    "Upstash-Telemetry-<X>",
    "Upstash-Feature-Set",
    "Upstash-Workflow-<X>",
    "Authorization",
    "Upstash-Unknown",
)
RULE_ROWS = (
    "names are case-insensitive",
    "every config header may also be a query parameter",
    "precedence of header, query and URL-group default",
    "consumed query keys are stripped",
    "durations; a bare integer is seconds in a timeout and a period, refused in a delay",
    "booleans",
)


class NotHere(str):
    """Why a row has no test."""

    __slots__ = ()


# PROTOCOL 1.11, known error texts: the row's text → the tests, by name.
ERRORS: dict[str, tuple[str, ...] | NotHere] = {
    "invalid destination url: endpoint has invalid scheme, add http:// or https://": (
        "test_a_destination_without_a_scheme_is_refused",
        "test_a_callback_without_a_scheme_is_refused",
        "test_an_encoded_scheme_is_refused",
    ),
    "invalid destination url: endpoint resolves to a loopback address": NotHere(
        "the cloud only: the dev server allows localhost, and so do we"
    ),
    "topic <name> not found": (
        "test_a_topic_that_is_not_found_is_404",
        "test_reading_a_topic_that_is_not_found_is_404",
    ),
    "a non-empty destination must be provided": (
        "test_a_publish_without_a_destination_is_refused",
        "test_neither_a_queue_nor_a_schedule_does_without_a_destination",
    ),
    "unable to authenticate: invalid token": (
        "test_an_invalid_token_is_401",
        "test_a_token_other_than_the_one_named_is_refused",
        "test_a_call_without_a_token_is_refused_even_if_any_token_would_do",
    ),
    "user not found in this region": NotHere("the cloud only: the fake has one account and no regions"),
    "DeduplicationId cannot contain ':'": (
        "test_a_deduplication_id_with_a_colon_is_refused",
        "test_a_deduplication_id_with_a_blank_is_refused",
    ),
    "Upstash-Not-Before/Upstash-Delay can not be used with enqueue": (
        "test_delay_and_not_before_can_not_be_used_with_enqueue",
        "test_a_delay_in_the_query_can_not_be_used_with_enqueue_either",
    ),
    "quota maxDelay exceeded": ("test_a_delay_above_the_quota_max_delay_is_refused",),
    "quota maxRetries exceeded": ("test_more_than_999_retries_are_refused",),
    "quota maxMessageSize exceeded": ("test_a_body_above_the_quota_max_message_size_is_refused",),
    "quota maxParallelism": ("test_a_queue_above_the_quota_max_parallelism_is_refused",),
    "Invalid cron expression": (
        "test_an_empty_cron_expression_is_refused",
        "test_a_schedule_without_a_cron_expression_is_refused_as_one_with_an_empty_one",
        "test_a_wrong_cron_expression_is_refused_in_the_words_of_its_parser",
    ),
    "failed to publish to url: can not append to a a cancelled workflow": NotHere(
        "Upstash Workflow: every workflow header is answered 501"
    ),
    "404 bodies": ("test_what_is_not_there_is_404",),
    "invalid queue / schedule id": (
        "test_an_invalid_queue_name_is_refused",
        "test_an_invalid_schedule_id_is_refused",
    ),
    "schedule / queue count quota": (
        "test_more_schedules_than_the_quota_are_refused",
        "test_more_queues_than_the_quota_are_refused",
    ),
}

# PROTOCOL 2, general rules.
RULES: dict[str, tuple[str, ...]] = {
    "names are case-insensitive": ("test_header_names_come_in_any_case",),
    "every config header may also be a query parameter": (
        "test_every_header_may_be_a_query_parameter",
        "test_header_forward_may_be_a_query_parameter",
        "test_the_token_may_stand_in_the_query",
    ),
    "precedence of header, query and URL-group default": (
        "test_a_header_wins_over_the_query_and_the_query_over_the_group",
    ),
    "consumed query keys are stripped": ("test_consumed_query_parameters_are_cut_out_of_the_destination",),
    "durations; a bare integer is seconds in a timeout and a period, refused in a delay": (
        "test_a_duration_is_what_go_reads_and_days_and_weeks",
        "test_a_timeout_may_be_a_bare_number_of_seconds",
        "test_a_delay_that_is_none_is_refused_in_the_words_of_qstash",
    ),
    "booleans": ("test_a_boolean_is_what_go_takes_for_true", "test_a_boolean_is_what_go_takes_for_false"),
}

# PROTOCOL 2, the table of headers: the row's name → the tests, by name.
HEADERS: dict[str, tuple[str, ...]] = {
    "Upstash-Method": (
        "test_upstash_method_is_the_method_of_the_delivery",
        "test_without_upstash_method_a_message_is_posted",
        "test_upstash_method_get_keeps_its_body",
    ),
    "Content-Type": ("test_content_type_is_stored_and_sent_on", "test_without_content_type_none_is_invented"),
    "Upstash-Forward-<H>": (
        "test_upstash_forward_is_delivered_without_its_prefix",
        "test_upstash_forward_authorization_reaches_the_destination",
        "test_upstash_forward_content_type_is_not_honoured",
    ),
    "Upstash-Header-Forward": (
        "test_upstash_header_forward_passes_on_all_headers_that_are_not_qstashs_own",
        "test_upstash_header_forward_does_not_pass_on_a_token_of_the_query",
    ),
    "Upstash-Retries": (
        "test_upstash_retries_is_the_number_of_retries",
        "test_without_upstash_retries_there_are_three",
    ),
    "Upstash-Retry-Delay": ("test_upstash_retry_delay_is_the_wait_before_each_retry",),
    "Upstash-Delay": ("test_upstash_delay_is_the_time_until_the_first_attempt",),
    "Upstash-Not-Before": (
        "test_upstash_not_before_wins_over_upstash_delay",
        "test_upstash_not_before_in_the_past_is_now",
        "test_upstash_not_before_may_be_the_last_second_that_there_is",
    ),
    "Upstash-Timeout": (
        "test_upstash_timeout_is_the_time_an_attempt_may_take",
        "test_upstash_timeout_can_not_be_longer_than_the_plans",
    ),
    "Upstash-Deduplication-Id": ("test_upstash_deduplication_id_makes_one_message_of_two",),
    "Upstash-Content-Based-Deduplication": (
        "test_upstash_content_based_deduplication_makes_one_message_of_two_that_are_alike",
        "test_upstash_content_based_deduplication_keeps_what_differs",
    ),
    "Upstash-Callback": ("test_upstash_callback_and_upstash_failure_callback_are_urls",),
    "Upstash-Failure-Callback": ("test_upstash_callback_and_upstash_failure_callback_are_urls",),
    "Upstash-Callback-<X>": (
        "test_the_family_of_a_callback_configures_its_message",
        "test_a_callback_has_the_retries_of_its_message_unless_told_otherwise",
    ),
    "Upstash-Failure-Callback-<X>": ("test_the_family_of_a_callback_configures_its_message",),
    "Upstash-Queue-Name": ("test_upstash_queue_name_is_the_queue_of_what_is_made",),
    "Upstash-Schedule-Id": ("test_upstash_schedule_id_creates_and_overwrites",),
    "Upstash-Cron": ("test_upstash_cron_makes_a_schedule_of_a_publish",),
    "Upstash-Label": (
        "test_upstash_label_is_a_list",
        "test_upstash_label_is_alphanumeric_hyphen_underscore_or_period",
    ),
    "Upstash-Flow-Control-Key": (
        "test_upstash_flow_control_key_and_value_are_limits",
        "test_upstash_flow_control_key_and_value_go_together",
        "test_upstash_flow_control_key_is_alphanumeric_hyphen_underscore_or_period",
    ),
    "Upstash-Flow-Control-Value": (
        "test_upstash_flow_control_key_and_value_are_limits",
        "test_upstash_flow_control_key_and_value_go_together",
        "test_upstash_flow_control_value_sets_a_rate_or_a_parallelism",
    ),
    "Upstash-Redact-Fields": ("test_upstash_redact_fields_hides_what_is_shown_and_nothing_that_is_sent",),
    "Upstash-Telemetry-<X>": ("test_upstash_telemetry_is_ignored",),
    "Upstash-Feature-Set": ("test_an_unknown_upstash_header_is_ignored",),
    "Upstash-Workflow-<X>": ("test_upstash_workflow_headers_are_refused_as_not_simulated",),
    "Authorization": ("test_authorization_is_never_forwarded",),
    "Upstash-Unknown": ("test_an_unknown_upstash_header_is_ignored",),
}

MAPS: dict[str, tuple[tuple[str, ...], dict[str, tuple[str, ...] | NotHere]]] = {
    "errors": (ERROR_ROWS, {**ERRORS}),
    "headers": (HEADER_ROWS, {**HEADERS}),
    "rules": (RULE_ROWS, {**RULES}),
}


def sources_of_tests() -> dict[str, str]:
    """The source of every test function, of its decorators as well, by name."""
    found: dict[str, str] = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        source = path.read_text(encoding="utf-8")
        lines = source.split("\n")  # ast.get_source_segment splits all of it for each function
        for node in ast.parse(source).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                first = min(part.lineno for part in (*node.decorator_list, node))
                found[node.name] = "\n".join(lines[first - 1 : node.end_lineno])
    return found


@pytest.fixture(scope="module")
def sources():
    return sources_of_tests()


@pytest.mark.parametrize("name", MAPS)
def test_every_row_of_the_protocol_is_in_the_map_and_nothing_else(name):
    rows, entries = MAPS[name]
    assert set(entries) == set(rows)
    assert len(rows) == len(set(rows))


@pytest.mark.parametrize("name", MAPS)
def test_every_row_names_a_test_or_a_reason(name):
    _, entries = MAPS[name]
    assert [row for row, shown in entries.items() if not shown] == []


@pytest.mark.parametrize("name", MAPS)
def test_every_test_of_the_map_exists(name, sources):
    _, entries = MAPS[name]
    named = {test for shown in entries.values() if not isinstance(shown, NotHere) for test in shown}
    assert named - sources.keys() == set()


@pytest.mark.parametrize(("row", "tests"), HEADERS.items())
def test_the_tests_of_a_header_are_about_it(row, tests, sources):
    header = row.partition("<")[0].rstrip("-").lower()
    assert [test for test in tests if header not in sources[test].lower().replace("_", "-")] == []


def test_only_the_rows_of_the_cloud_and_of_workflow_have_no_test():
    without = [row for row, shown in ERRORS.items() if isinstance(shown, NotHere)]
    assert without == [
        "invalid destination url: endpoint resolves to a loopback address",
        "user not found in this region",
        "failed to publish to url: can not append to a a cancelled workflow",
    ]


def test_no_header_is_read_that_is_not_in_the_map():
    known = {row.partition("<")[0].lower() for row in HEADER_ROWS}
    read = {
        node.value
        for path in (SOURCES / "options.py", SOURCES / "publish.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("upstash-")
    }
    assert read - {"upstash-", "upstash-flow-control-"} <= known
    assert len(read) > 15
