"""Callbacks: the message that reports on an attempt, or on a failure, of another message. Pure."""

from __future__ import annotations

import base64
import dataclasses
import json
from typing import Any

from qstash_fake.broker.message import Message, Outcome
from qstash_fake.protocol.http import header_map
from qstash_fake.protocol.options import NO_OPTIONS, Options
from qstash_fake.protocol.publish import PublishRequest
from qstash_fake.protocol.redaction import Redaction
from qstash_fake.protocol.urls import Destination

# Keys of a callback's body that are left out when they have nothing to say. Seen in a real dump.
OPTIONAL = frozenset({"retried", "topicName", "endpointName", "sourceBody", "scheduleId", "queueName", "api"})


def callback_request(message: Message, outcome: Outcome) -> PublishRequest | None:
    """Return the publish that reports the attempt which has just ended, None if no callback was asked for."""
    if message.callback is None:
        return None
    return request(message, message.callback, message.options.callback_options, report(message, outcome))


def failure_callback_request(message: Message, outcome: Outcome) -> PublishRequest | None:
    """Return the publish that reports the dead letter *message* became, None if none was asked for."""
    if message.failure_callback is None:
        return None
    body = report(message, outcome) | {"dlqId": message.dlq_id}
    return request(message, message.failure_callback, message.options.failure_callback_options, body)


def request(message: Message, url: str, family: Options | None, body: dict[str, Any]) -> PublishRequest:
    """Return the publish of *body*, a report on *message*, to *url*, as the callback's *family* of options asks."""
    options = dataclasses.replace(
        (family or NO_OPTIONS).over(Options(retries=message.max_retries)),
        content_type="application/json",
        queue=None,
        # The callback's body shows what the message hides. Hence all of that body is hidden (assumed).
        redaction=Redaction(body=True) if message.options.redaction else None,
    )
    return PublishRequest(
        destination=Destination(url=url),
        options=options,
        body=json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode(),
        caller_ip=message.caller_ip,
    )


def report(message: Message, outcome: Outcome) -> dict[str, Any]:
    """Return what is reported of an attempt of *message*.

    Keys in the order of a real dump; `retried` is left out at 0, other optional ones when empty.
    """
    body: dict[str, Any] = {
        "status": outcome.status,
        "header": header_map(outcome.headers),
        "body": _base64(outcome.stored_body),
        "retried": message.retried - 1,
        "maxRetries": message.max_retries,
        "sourceMessageId": message.message_id,
        "topicName": message.url_group,
        "endpointName": message.endpoint_name,
        "url": message.url,
        "method": message.method,
        "sourceHeader": header_map(message.stored_headers),
        "sourceBody": _base64(message.body),
        "notBefore": message.not_before_ms,
        "createdAt": message.created_ms,
        "scheduleId": message.schedule_id,
        "queueName": message.queue,
        "callerIP": message.caller_ip,
        "api": message.api,
    }
    return {key: value for key, value in body.items() if value or key not in OPTIONAL}


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
