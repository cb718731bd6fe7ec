"""Values as the JSON that QStash documents. Empty optional fields are left out; what is redacted is shown redacted."""

from __future__ import annotations

import base64
from typing import Any

from qstash_fake.api import wire_workflows
from qstash_fake.broker.acceptance import Publication, Published
from qstash_fake.broker.bulk_actions import BulkAction
from qstash_fake.broker.dead_letters import DeadLetter
from qstash_fake.broker.fanout import headers_of
from qstash_fake.broker.flow_control import FlowControlKey
from qstash_fake.broker.journal import LogEntry
from qstash_fake.broker.message import Message
from qstash_fake.broker.queues import Queue
from qstash_fake.broker.retries import DEFAULT_RETRIES
from qstash_fake.broker.schedules import Schedule
from qstash_fake.broker.url_groups import UrlGroup
from qstash_fake.protocol.http import header_map
from qstash_fake.protocol.options import Options
from qstash_fake.protocol.redaction import NOTHING, Redaction

Json = dict[str, Any]


def publication(result: Publication) -> Json | list[Json]:
    """One object for a URL, an array for a URL group, which alone names the URLs."""
    items = [_published(item, with_url=result.to_group) for item in result.items]
    return items if result.to_group else items[0]


def message(value: Message, body_bytes: int | None = None) -> Json:
    """A message as `GET /v2/messages/{id}` shows it, of its body no more than *body_bytes*."""
    options = value.options
    return {
        "messageId": value.message_id,
        "url": value.url,
        "method": value.method,
        "maxRetries": value.max_retries,
        "notBefore": value.not_before_ms,
        "createdAt": value.created_ms,
        **_present(
            topicName=value.url_group,
            endpointName=value.endpoint_name,
            api=value.api,
            header=header_map(value.redaction.redact_headers(value.stored_headers)),
            **_text("body", value.redaction.redact_body(value.body), body_bytes),
            callback=options.callback,
            failureCallback=options.failure_callback,
            callbackHeader=_callback_headers(options.callback_options, value.redaction),
            failureCallbackHeader=_callback_headers(options.failure_callback_options, value.redaction),
            scheduleId=value.schedule_id,
            queueName=value.queue,
            callerIP=value.caller_ip,
            retryDelayExpression=_retry_delay(options),
            **_labels(options),
            **_flow_control(options),
        ),
    }


def dead_letter(value: DeadLetter, body_bytes: int | None = None) -> Json:
    """A dead letter: the message, and the last answer it got; of either body no more than *body_bytes*."""
    outcome = value.outcome
    return {
        **message(value.message, body_bytes),
        "dlqId": value.dlq_id,
        "responseStatus": outcome.status,
        **_present(
            responseHeader=header_map(outcome.headers),
            **_text("responseBody", outcome.stored_body, body_bytes),
            error=outcome.error,
        ),
        **wire_workflows.of_run(value),
    }


def log(entry: LogEntry, body_bytes: int | None = None) -> Json:
    """A log entry, of each body no more than *body_bytes*; where SDKs and documentation differ about a name, both."""
    value, options = entry.message, entry.message.options
    outcome = entry.attempt.outcome if entry.attempt and entry.state == "ERROR" else None
    response_headers = header_map(outcome.headers) if outcome else None
    return {
        "time": entry.time_ms,
        "messageId": value.message_id,
        "state": entry.state,
        "url": value.url,
        "method": value.method,
        "maxRetries": value.max_retries,
        **({"responseStatus": outcome.status} if outcome else {}),
        **_present(
            header=header_map(value.redaction.redact_headers(value.stored_headers)),
            body=base64.b64encode(entry.body[:body_bytes]).decode(),
            error=entry.error,
            nextDeliveryTime=entry.next_delivery_ms,
            topicName=value.url_group,
            endpointName=value.endpoint_name,
            queueName=value.queue,
            scheduleId=value.schedule_id,
            api=value.api,
            responseHeader=response_headers,
            responseHeaders=response_headers,
            responseBody=base64.b64encode(outcome.stored_body[:body_bytes]).decode() if outcome else None,
            timeout=options.timeout_ms,
            callback=options.callback,
            failureCallback=options.failure_callback,
            callbackHeaders=_callback_headers(options.callback_options, value.redaction),
            failureCallbackHeaders=_callback_headers(options.failure_callback_options, value.redaction),
            callerIP=value.caller_ip,
            retryDelayExpr=_retry_delay(options),
            retryDelayExpression=_retry_delay(options),
            **_labels(options),
            **_flow_control(options),
        ),
    }


def bulk_action(value: BulkAction) -> Json:
    """A bulk action, which is always finished."""
    return {
        "actionId": value.action_id,
        "kind": "cancel",
        "state": "FINISHED",
        "total": value.total,
        "processed": value.total,
        "createdAt": value.created_ms,
        "completedAt": value.created_ms,
        "filter": dict(value.filter),
    }


def queue(value: Queue) -> Json:
    """A queue: exactly six keys, because one more breaks the PHP SDK."""
    return {
        "name": value.name,
        "parallelism": value.parallelism,
        "createdAt": value.created_ms,
        "updatedAt": value.updated_ms,
        "lag": value.lag,
        "paused": value.paused,
    }


def schedule(value: Schedule) -> Json:
    """A schedule."""
    request, options = value.request, value.request.options
    redaction = options.redaction or NOTHING
    return {
        "scheduleId": value.schedule_id,
        "cron": value.cron,
        "destination": value.destination,
        "createdAt": value.created_ms,
        "method": options.method or "POST",
        "retries": DEFAULT_RETRIES if options.retries is None else options.retries,
        "isPaused": value.paused,
        **_present(
            header=header_map(redaction.redact_headers(headers_of(options))),
            **_text("body", redaction.redact_body(request.body)),
            delay=_seconds(options.delay_ms),
            timeout=_seconds(options.timeout_ms),
            callback=options.callback,
            failureCallback=options.failure_callback,
            callbackHeader=_callback_headers(options.callback_options, redaction),
            failureCallbackHeader=_callback_headers(options.failure_callback_options, redaction),
            queueName=options.queue,
            callerIP=request.caller_ip,
            callerIp=request.caller_ip,
            retryDelayExpression=_retry_delay(options),
            lastScheduleTime=value.last_ms,
            nextScheduleTime=value.next_ms,
            lastScheduleStates=value.last_states,
            error=value.error,
            **_labels(options),
            **_flow_control(options),
        ),
    }


def url_group(value: UrlGroup) -> Json:
    return {
        "name": value.name,
        "createdAt": value.created_ms,
        "updatedAt": value.updated_ms,
        "endpoints": [
            {"url": endpoint.url, **({"name": endpoint.name} if endpoint.name else {})} for endpoint in value.endpoints
        ],
    }


def flow_control(value: FlowControlKey, now_ms: int) -> Json:
    """A flow-control key at *now_ms*: every field always, as the TypeScript SDK demands."""
    return {
        "flowControlKey": value.key,
        "waitListSize": value.held_back(now_ms),
        "parallelismMax": value.parallelism or 0,
        "parallelismCount": value.in_flight,
        "rateMax": value.rate or 0,
        "rateCount": value.rate_count(now_ms),
        "ratePeriod": value.period_ms // 1000,
        "ratePeriodStart": (value.window_start_ms or 0) // 1000 if value.window_is_open(now_ms) else 0,
        "isPaused": value.paused,
        "isPinnedParallelism": value.pinned_parallelism,
        "isPinnedRate": value.pinned_rate,
    }


def _published(item: Published, *, with_url: bool) -> Json:
    return {
        "messageId": item.message_id,
        **({"url": item.url} if with_url else {}),
        **({"deduplicated": True} if item.deduplicated else {}),
    }


def _present(**fields: Any) -> Json:
    return {name: value for name, value in fields.items() if value not in (None, "", [], {}, ())}


def _text(name: str, content: bytes, most: int | None = None) -> Json:
    """`name` if *content* is UTF-8, else `nameBase64`; no more than the first *most* bytes, and no half character."""
    try:
        content.decode()
    except UnicodeDecodeError:
        return {f"{name}Base64": base64.b64encode(content[:most]).decode()}
    return {name: content[:most].decode(errors="ignore")}


def _labels(options: Options) -> Json:
    labels = options.labels or ()
    return {"label": labels[0] if labels else None, "labels": list(labels)}


def _flow_control(options: Options) -> Json:
    limits = options.flow_control
    if limits is None:
        return {}
    return {
        "flowControlKey": limits.key,
        "parallelism": limits.parallelism,
        "rate": limits.rate,
        "period": limits.period_ms // 1000,
    }


def _callback_headers(family: Options | None, redaction: Redaction) -> Json | None:
    return header_map(redaction.redact_headers(family.forward)) if family else None


def _retry_delay(options: Options) -> str | None:
    return options.retry_delay.text if options.retry_delay else None


def _seconds(duration_ms: int | None) -> int | None:
    return None if duration_ms is None else duration_ms // 1000
