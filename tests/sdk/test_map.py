"""The map: each row of the protocol's semantics, PROTOCOL 4.2 to 4.11, and the tests that show it.

The names of the rows are copied here as data; where the page itself lies beside this project, they are compared.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parents[1] / "shared" / "PROTOCOL.md"

# Section → row → tests, each `file::name` below tests/; a file alone means all of it.
MAP: dict[str, dict[str, list[str]]] = {
    "4.2": {
        "default": ["sdk/test_retries.py::test_three_retries_wait_longer_and_longer"],
        "formula": [
            "sdk/test_retries.py::test_three_retries_wait_longer_and_longer",
            "sdk/test_retries.py::test_the_backoff_never_exceeds_a_day",
        ],
        "jitter": ["sdk/test_retries.py::test_three_retries_wait_longer_and_longer"],
        "`Upstash-Retry-Delay`": [
            "protocol/test_expressions.py",
            "sdk/test_retries.py::test_a_retry_delay_is_an_expression_in_milliseconds",
            "sdk/test_retries.py::test_a_retry_delay_is_between_nothing_and_a_day",
            "sdk/test_retries.py::test_a_bad_retry_delay_is_refused",
        ],
        "response headers that override the wait": [
            "protocol/test_retry_after.py",
            "sdk/test_retries.py::test_the_answer_says_when_to_come_again",
        ],
        "precedence between these four and Retry-Delay": [
            "sdk/test_retries.py::test_the_answer_says_when_to_come_again"
        ],
        "non-retryable": [
            "sdk/test_retries.py::test_489_with_its_header_is_not_retried",
            "sdk/test_retries.py::test_489_alone_is_an_ordinary_failure",
        ],
        "timeout": [
            "sdk/test_retries.py::test_an_answer_after_the_timeout_is_a_failure",
            "sdk/test_limits.py::test_an_attempt_ends_when_the_plan_says_so",
        ],
        "`Upstash-Retried`": ["sdk/test_retries.py::test_three_retries_wait_longer_and_longer"],
    },
    "4.3": {
        "entry created": [
            "sdk/test_retries.py::test_three_retries_wait_longer_and_longer",
            "sdk/test_retries.py::test_489_with_its_header_is_not_retried",
            "sdk/test_cancel_and_bulk.py::test_a_message_in_flight_is_cancelled_to_the_extent_that_it_is_not_retried",
        ],
        "fields": ["sdk/test_cancel_and_bulk.py::test_a_dead_letter_shows_the_message_and_the_last_answer"],
        "default order": ["sdk/test_cancel_and_bulk.py::test_dead_letters_come_earliest_first_unless_asked_otherwise"],
        "retention": ["sdk/test_limits.py::test_dead_letters_and_logs_are_kept_for_three_days"],
        "retry": [
            "sdk/test_cancel_and_bulk.py::test_a_retry_takes_override_headers",
            "sdk/test_cancel_and_bulk.py::test_a_retry_keeps_queue_key_group_schedule_and_creates_anew",
            "sdk/test_redaction.py::test_the_dead_letter_queue_shows_it_hashed_and_redrives_it_as_it_is",
        ],
        "bulk retry/delete": [
            "sdk/test_cancel_and_bulk.py::test_bulk_retry_goes_on_with_its_cursor_and_ends_with_an_empty_one",
            "sdk/test_cancel_and_bulk.py::test_a_cursor_still_leads_on_after_its_page_was_deleted",
        ],
        "failed callbacks": ["sdk/test_callbacks.py::test_a_failed_callback_is_a_dead_letter_of_its_own"],
    },
    "4.4": {
        "order": [
            "sdk/test_queues.py::test_a_queue_delivers_in_the_order_of_enqueueing",
            "sdk/test_queues.py::test_the_head_blocks_its_queue_through_its_retries",
            "sdk/test_queues.py::test_the_head_blocks_its_queue_until_its_callbacks_are_done",
            "sdk/test_queues.py::test_the_head_blocks_its_queue_until_its_failure_callback_is_done",
        ],
        "parallelism N": ["sdk/test_queues.py::test_a_queue_of_parallelism_two_has_two_in_flight"],
        "pause / resume": [
            "sdk/test_queues.py::test_a_paused_queue_accepts_and_keeps_its_order",
            "sdk/test_queues.py::test_a_message_in_flight_finishes_while_its_queue_is_paused",
            "sdk/test_queues.py::test_pausing_twice_and_resuming_twice_is_once",
        ],
        "lag": ["sdk/test_queues.py::test_the_lag_counts_what_waits_and_what_is_in_flight"],
        "auto-create": ["sdk/test_queues.py::test_enqueueing_creates_the_queue"],
        "upsert": [
            "sdk/test_queues.py::test_upsert_without_paused_keeps_the_pause",
            "sdk/test_queues.py::test_upsert_with_paused_false_resumes",
            "sdk/test_queues.py::test_raising_the_parallelism_starts_those_who_wait",
        ],
        "upsert by enqueue or schedule": ["sdk/test_queues.py::test_enqueueing_leaves_an_existing_queue_as_it_is"],
        "delete with pending messages": ["sdk/test_queues.py::test_deleting_a_queue_cancels_what_waits_in_it"],
    },
    "4.5": {
        "scope": ["sdk/test_flow_control.py::test_a_key_is_one_whatever_the_destinations"],
        "config change": [
            "sdk/test_flow_control.py::test_the_latest_message_brings_the_limits_for_those_who_wait",
            "sdk/test_flow_control.py::test_pinned_limits_ignore_what_messages_bring_until_unpinned",
        ],
        "parallelism": ["sdk/test_flow_control.py::test_at_most_parallelism_attempts_are_in_flight"],
        "rate": [
            "sdk/test_flow_control.py::test_at_most_rate_messages_start_in_a_window",
            "sdk/test_flow_control.py::test_a_window_opens_with_the_first_start_after_the_last_one_ended",
        ],
        "excess": ["sdk/test_flow_control.py::test_the_wait_list_is_first_in_first_out"],
        "retries": ["sdk/test_flow_control.py::test_a_retry_counts_against_the_rate_again"],
        "pause": [
            "sdk/test_flow_control.py::test_a_paused_key_holds_what_it_accepts",
            "sdk/test_flow_control.py::test_the_window_of_a_paused_key_runs_on",
        ],
        "pin": [
            "sdk/test_flow_control.py::test_pinned_limits_ignore_what_messages_bring_until_unpinned",
            "sdk/test_flow_control.py::test_a_pin_of_one_limit_leaves_the_other_to_the_messages",
            "sdk/test_flow_control.py::test_pinning_resets_the_count_of_the_window",
        ],
        "unpin": ["sdk/test_flow_control.py::test_pinned_limits_ignore_what_messages_bring_until_unpinned"],
        "resetRate": ["sdk/test_flow_control.py::test_reset_rate_ends_the_window_at_once"],
        "globalParallelism": [
            "sdk/test_flow_control.py::test_the_global_parallelism_counts_what_is_in_flight",
            "sdk/test_flow_control.py::test_the_global_parallelism_of_a_plan_bounds_all_keys_together",
        ],
        "with a queue": [
            "sdk/test_flow_control.py::test_with_a_queue_both_limits_hold_and_the_head_holds_no_slot_of_the_key"
        ],
    },
    "4.6": {
        "delay": [
            "sdk/test_retries.py::test_a_delay_ends_to_the_millisecond",
            "sdk/test_retries.py::test_not_before_wins_over_delay_and_its_past_is_now",
        ],
        "schedule fire": [
            "sdk/test_schedules.py::test_a_tick_delivers_a_message_of_its_own",
            "sdk/test_schedules.py::test_a_schedule_delays_each_of_its_messages",
        ],
        "overwrite": [
            "sdk/test_schedules.py::test_an_overwritten_schedule_keeps_its_id_and_creation_and_is_all_new_else",
            "sdk/test_schedules.py::test_an_overwritten_schedule_no_longer_ticks_as_it_did",
        ],
        "pause": ["sdk/test_schedules.py::test_a_paused_schedule_makes_up_for_nothing"],
        "load time": ["sdk/test_schedules.py::test_the_first_tick_comes_strictly_after_the_creation"],
        "lastScheduleTime / nextScheduleTime": [
            "sdk/test_schedules.py::test_a_schedule_reports_its_last_and_next_tick_and_what_became_of_it"
        ],
        "auto-pause after repeated 401s": ["sdk/test_schedules.py::test_answers_of_401_pause_nothing"],
        "to URL group/queue": [
            "sdk/test_schedules.py::test_a_schedule_of_a_url_group_reaches_each_endpoint",
            "sdk/test_schedules.py::test_ticks_into_a_paused_queue_pile_up",
        ],
        "URL group publish": [
            "sdk/test_url_groups.py::test_publishing_to_a_group_makes_one_message_for_each_endpoint",
            "sdk/test_url_groups.py::test_each_endpoint_has_its_own_retries_and_dead_letter",
            "sdk/test_url_groups.py::test_an_unknown_group_is_refused",
        ],
        "group edit during delay": ["sdk/test_url_groups.py::test_the_group_is_fanned_out_when_it_is_published_to"],
        "URL group + dedup": ["sdk/test_deduplication.py::test_a_publish_to_a_group_is_one_key_replayed_as_a_whole"],
        "batch": [
            "sdk/test_batch.py::test_a_batch_mixes_urls_groups_and_queues",
            "sdk/test_batch.py::test_one_bad_item_refuses_the_whole_batch",
        ],
    },
    "4.7": {
        "duplicate reply": [
            "sdk/test_deduplication.py::test_a_duplicate_is_answered_202",
            "sdk/test_deduplication.py::test_a_duplicate_gets_the_first_id_and_makes_nothing",
        ],
        "window": ["sdk/test_deduplication.py::test_the_window_is_ten_minutes_from_the_first"],
        "after delivery/cancel": ["sdk/test_deduplication.py::test_an_id_blocks_after_delivery_and_after_cancellation"],
        "scope": ["sdk/test_deduplication.py::test_an_id_counts_for_the_whole_account"],
        "content hash inputs": [
            "sdk/test_deduplication.py::test_content_is_destination_method_body_type_and_forwarded_headers"
        ],
        "both headers given": ["sdk/test_deduplication.py::test_an_explicit_id_wins_over_the_content"],
        "schedules": ["sdk/test_deduplication.py::test_the_messages_of_a_schedule_are_never_duplicates"],
    },
    "4.8": {
        "single": [
            "sdk/test_cancel_and_bulk.py::test_one_message_is_cancelled_and_gone",
            "sdk/test_cancel_and_bulk.py::test_a_message_in_flight_is_cancelled_to_the_extent_that_it_is_not_retried",
        ],
        "bulk": [
            "sdk/test_cancel_and_bulk.py::test_many_are_cancelled_by_each_filter_of_the_query",
            "sdk/test_cancel_and_bulk.py::test_many_are_cancelled_by_each_filter_of_a_json_body",
            "sdk/test_cancel_and_bulk.py::test_a_count_changes_nothing_about_what_is_cancelled",
        ],
        "counts": [
            "sdk/test_cancel_and_bulk.py::test_everything_is_cancelled",
            "sdk/test_cancel_and_bulk.py::test_a_message_that_waits_for_its_retry_counts_as_pending",
            "sdk/test_cancel_and_bulk.py::test_a_message_in_flight_is_cancelled_to_the_extent_that_it_is_not_retried",
        ],
        "empty list": ["sdk/test_cancel_and_bulk.py::test_everything_is_cancelled"],
    },
    "4.9": {
        "messageId": ["sdk/test_retries.py::test_ids_look_like_those_of_qstash"],
        "scheduleId": ["sdk/test_retries.py::test_ids_look_like_those_of_qstash"],
        "dlqId": ["sdk/test_retries.py::test_ids_look_like_those_of_qstash"],
        "workflow run": ["sdk/test_retries.py::test_a_workflow_run_is_refused_because_it_is_not_simulated"],
        "cursor": [
            "sdk/test_logs.py::test_a_cursor_walks_through_the_logs_until_it_is_gone",
            "sdk/test_cancel_and_bulk.py::test_a_cursor_walks_through_the_dead_letters_until_it_is_gone",
            "sdk/test_cancel_and_bulk.py::test_bulk_retry_goes_on_with_its_cursor_and_ends_with_an_empty_one",
        ],
        "dates": [
            "sdk/test_cancel_and_bulk.py::test_many_are_cancelled_by_each_filter_of_the_query",
            "sdk/test_logs.py::test_logs_are_filtered",
        ],
        "multi-value": [
            "sdk/test_cancel_and_bulk.py::test_ids_are_cancelled_as_a_list_as_csv_and_as_repeated_keys",
            "sdk/test_cancel_and_bulk.py::test_dead_letters_are_named_by_repeated_ids_csv_or_a_json_body",
        ],
        "unknown key": [
            "sdk/test_cancel_and_bulk.py::test_an_unknown_filter_cancels_nothing",
            "sdk/test_cancel_and_bulk.py::test_unknown_filters_of_dead_letters_are_refused",
            "sdk/test_logs.py::test_an_unknown_filter_of_the_logs_is_refused",
        ],
        "`url` filter": [
            "sdk/test_cancel_and_bulk.py::test_many_are_cancelled_by_each_filter_of_the_query",
            "sdk/test_cancel_and_bulk.py::test_unknown_filters_of_dead_letters_are_refused",
            "sdk/test_logs.py::test_logs_are_filtered",
        ],
        "`callerIp`": ["sdk/test_cancel_and_bulk.py::test_many_are_cancelled_by_each_filter_of_the_query"],
    },
    "4.10": {
        "all of it": ["protocol/test_redaction.py", "sdk/test_redaction.py"],  # prose, without a table
    },
    "4.11": {
        "messages/day": [
            "sdk/test_limits.py::test_the_daily_limit_ends_with_the_day",
            "sdk/test_limits.py::test_callbacks_and_redrives_count_towards_the_daily_limit",
            "sdk/test_batch.py::test_a_batch_beyond_the_daily_limit_accepts_nothing",
        ],
        "message size": [
            "sdk/test_limits.py::test_the_free_plan_has_its_quotas",
            "sdk/test_limits.py::test_the_paid_plan_has_its_quotas",
        ],
        "delay": [
            "sdk/test_limits.py::test_the_free_plan_has_its_quotas",
            "sdk/test_limits.py::test_the_paid_plan_has_its_quotas",
        ],
        "retries": [
            "sdk/test_limits.py::test_the_free_plan_has_its_quotas",
            "sdk/test_limits.py::test_a_redrive_cannot_override_a_quota",
        ],
        "HTTP response time": [
            "sdk/test_limits.py::test_the_free_plan_has_its_quotas",
            "sdk/test_limits.py::test_an_attempt_ends_when_the_plan_says_so",
            "sdk/test_limits.py::test_a_destination_that_never_answers_takes_what_the_plan_allows",
        ],
        "DLQ / log retention": [
            "sdk/test_limits.py::test_dead_letters_and_logs_are_kept_for_three_days",
            "sdk/test_limits.py::test_without_a_plan_dead_letters_and_logs_stay",
        ],
        "schedules / queues / groups / endpoints per group": [
            "sdk/test_limits.py::test_the_free_plan_counts_schedules_queues_groups_and_endpoints",
            "sdk/test_limits.py::test_without_a_plan_there_is_no_quota",
        ],
        "parallelism": [
            "sdk/test_limits.py::test_the_free_plan_has_its_quotas",
            "sdk/test_limits.py::test_the_free_plan_counts_schedules_queues_groups_and_endpoints",
            "sdk/test_flow_control.py::test_the_global_parallelism_of_a_plan_bounds_all_keys_together",
        ],
        "batch call": ["sdk/test_limits.py::test_the_size_of_a_message_counts_and_not_that_of_a_batch"],
        "list `count`": [
            "sdk/test_limits.py::test_a_listing_has_at_most_a_thousand_items",
            "sdk/test_limits.py::test_a_listing_has_a_hundred_items_unless_asked_otherwise",
            "sdk/test_cancel_and_bulk.py::test_a_count_changes_nothing_about_what_is_cancelled",
            "sdk/test_cancel_and_bulk.py::test_bulk_retry_goes_on_with_its_cursor_and_ends_with_an_empty_one",
        ],
        "flow-control period": ["sdk/test_flow_control.py::test_a_period_longer_than_a_week_is_refused"],
        "read-only token": ["sdk/test_limits.py::test_a_read_only_token_may_only_look"],
    },
}
SECTIONS = {"4.2": 9, "4.3": 7, "4.4": 8, "4.5": 12, "4.6": 12, "4.7": 7, "4.8": 4, "4.9": 10, "4.10": 1, "4.11": 12}


def test_the_map_has_each_row_of_the_protocol():
    assert {section: len(rows) for section, rows in MAP.items()} == SECTIONS
    if PAGE.exists():
        assert {section: list(rows) for section, rows in MAP.items()} == rows_of(PAGE.read_text())


@pytest.mark.parametrize("section", MAP)
def test_each_row_names_tests_that_exist(section: str):
    for row, tests in MAP[section].items():
        assert tests, f"{section} {row}: no test"
        for test in tests:
            file, _, name = test.partition("::")
            known = names_in(TESTS / file)
            assert known, f"{section} {row}: there is no test in tests/{file}"
            assert not name or name in known, f"{section} {row}: tests/{file} has no {name}"


def rows_of(page: str) -> dict[str, list[str]]:
    """The first cells of each table of sections 4.2 to 4.11, as they stand on the page."""
    rows: dict[str, list[str]] = {}
    for part in re.split(r"^## ", page.partition("\n# 4. ")[2].partition("\n# ")[0], flags=re.MULTILINE):
        section = part.partition(" ")[0]
        if section in SECTIONS:
            table = [line for line in part.splitlines() if line.startswith("|")][2:]
            rows[section] = [line.split("|")[1].strip() for line in table] or ["all of it"]
    return rows


@cache
def names_in(file: Path) -> frozenset[str]:
    """The names of the tests in *file*."""
    tree = ast.parse(file.read_text())
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(node.name for node in functions if node.name.startswith("test_"))
