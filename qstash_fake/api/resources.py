"""Operations on what lasts: queues, schedules, URL groups, flow-control keys, signing keys."""

from __future__ import annotations

import json
import re
from typing import Any

from qstash_fake.api import wire
from qstash_fake.api.call import EMPTY, Call, Reply, header_pairs, json_reply, valid_name
from qstash_fake.broker.flow_control import FlowControlKey
from qstash_fake.broker.queues import Queue
from qstash_fake.broker.url_groups import Endpoint, UrlGroup
from qstash_fake.errors import Refused
from qstash_fake.protocol import urls
from qstash_fake.protocol.options import MAX_PERIOD_MS, parse_bool, parse_options

# --- queues ------------------------------------------------------------------------------------------------


def upsert_queue(call: Call) -> Reply:
    given = call.json_object()
    name, parallelism, paused = given.get("queueName"), given.get("parallelism"), given.get("paused")
    if not isinstance(name, str):
        raise Refused(400, "queueName is missing")
    if parallelism is not None and (type(parallelism) is not int or not 1 <= parallelism <= 1 << 31):
        raise Refused(400, f"invalid parallelism {parallelism!r}: it is an integer greater than 0")
    if paused is not None and not isinstance(paused, bool):
        raise Refused(400, f"invalid paused {paused!r}: it is true or false")
    call.broker.upsert_queue(valid_name(name), parallelism=parallelism, paused=paused)
    return EMPTY


def list_queues(call: Call) -> Reply:
    return json_reply([wire.queue(queue) for queue in call.broker.queues.values()])


def get_queue(call: Call) -> Reply:
    return json_reply(wire.queue(_queue(call)))


def delete_queue(call: Call) -> Reply:
    call.broker.delete_queue(valid_name(call.path["name"]))
    return EMPTY


def pause_queue(call: Call) -> Reply:
    call.broker.upsert_queue(valid_name(call.path["name"]), paused=True)  # assumed: makes one that is not there yet
    return EMPTY


def resume_queue(call: Call) -> Reply:
    call.broker.upsert_queue(valid_name(call.path["name"]), paused=False)
    return EMPTY


def _queue(call: Call) -> Queue:
    name = valid_name(call.path["name"])
    if (queue := call.broker.queues.get(name)) is None:
        raise Refused(404, f"queue {name} not found")
    return queue


# --- schedules ---------------------------------------------------------------------------------------------


def list_schedules(call: Call) -> Reply:
    return json_reply([wire.schedule(schedule) for schedule in call.broker.schedules.by_id.values()])


def get_schedule(call: Call) -> Reply:
    return json_reply(wire.schedule(call.broker.schedules.find(call.path["id"])))


def delete_schedule(call: Call) -> Reply:
    call.broker.schedules.delete(call.path["id"])
    return EMPTY


def pause_schedule(call: Call) -> Reply:
    call.broker.schedules.pause(call.path["id"])
    return EMPTY


def resume_schedule(call: Call) -> Reply:
    call.broker.schedules.resume(call.path["id"], call.broker.now_ms)
    return EMPTY


# --- URL groups --------------------------------------------------------------------------------------------


def list_url_groups(call: Call) -> Reply:
    return json_reply([wire.url_group(group) for group in call.broker.url_groups.by_name.values()])


def get_url_group(call: Call) -> Reply:
    return json_reply(wire.url_group(_url_group(call)))


def delete_url_group(call: Call) -> Reply:
    call.broker.url_groups.by_name.pop(valid_name(call.path["name"]), None)
    return EMPTY


def add_endpoints(call: Call) -> Reply:
    name, endpoints = valid_name(call.path["name"]), _endpoints(call, url_required=True)
    call.broker.url_groups.upsert(name, endpoints, call.broker.now_ms)
    return EMPTY


def remove_endpoints(call: Call) -> Reply:
    name, endpoints = valid_name(call.path["name"]), _endpoints(call, url_required=False)
    call.broker.url_groups.remove(name, endpoints, call.broker.now_ms)
    return EMPTY


def set_defaults(call: Call) -> Reply:
    """PATCH: default headers for every publish to the group."""
    name, headers = valid_name(call.path["name"]), call.json_object().get("headers")
    if not isinstance(headers, dict):
        raise Refused(400, "headers is missing: an object of header names and values")
    defaults = parse_options(header_pairs(headers))
    if defaults.cron is not None or defaults.schedule_id is not None:
        raise Refused(400, "Upstash-Cron and Upstash-Schedule-Id can not be defaults of a URL group")
    call.broker.url_groups.set_defaults(name, defaults, call.broker.now_ms)
    return EMPTY


def _url_group(call: Call) -> UrlGroup:
    name = valid_name(call.path["name"])
    if (group := call.broker.url_groups.by_name.get(name)) is None:
        raise Refused(404, f"topic {name} not found")
    return group


def _endpoints(call: Call, *, url_required: bool) -> list[Endpoint]:
    given = call.json_object().get("endpoints")
    if not isinstance(given, list) or not given:
        raise Refused(400, "endpoints is missing: a list of objects with a url and, optionally, a name")
    endpoints = []
    for item in given:
        url, name = (_or_empty(item, "url"), _or_empty(item, "name")) if isinstance(item, dict) else (None, None)
        if not isinstance(url, str) or not isinstance(name, str) or not (url or (name and not url_required)):
            raise Refused(400, "an endpoint is an object with a url and, optionally, a name")
        endpoints.append(Endpoint(url=urls.absolute_url(url) if url else "", name=name))
    return endpoints


def _or_empty(item: dict[str, Any], name: str) -> Any:
    return "" if item.get(name) is None else item[name]


# --- flow control ------------------------------------------------------------------------------------------


def list_flow_control(call: Call) -> Reply:
    search = call.query.get("search", [""])[0]
    keys = [key for name, key in call.broker.flow_control.items() if search in name]
    return json_reply([wire.flow_control(key, call.broker.now_ms) for key in keys])


def get_flow_control(call: Call) -> Reply:
    return json_reply(wire.flow_control(_key(call, missing=404), call.broker.now_ms))


def pause_flow_control(call: Call) -> Reply:
    call.broker.pause_key(call.path["key"])
    return EMPTY


def resume_flow_control(call: Call) -> Reply:
    call.broker.resume_key(call.path["key"])
    return EMPTY


def pin_flow_control(call: Call) -> Reply:
    given = {name: _integer(call, name) for name in ("parallelism", "rate", "period")}
    if given["parallelism"] is None and given["rate"] is None:
        raise Refused(400, "give parallelism or rate to pin")
    if given["period"] is not None and given["rate"] is None:
        raise Refused(400, "period is that of a rate: give rate as well")
    period_ms = (given["period"] or 1) * 1000
    if period_ms > MAX_PERIOD_MS:
        raise Refused(400, f"invalid period {given['period']}: at most a week, in seconds")
    key, parallelism, rate = call.path["key"], given["parallelism"], given["rate"]
    call.broker.pin(key, parallelism=parallelism, rate=rate, period_ms=period_ms)
    return EMPTY


def unpin_flow_control(call: Call) -> Reply:
    given = {name: _boolean(call, name) for name in ("parallelism", "rate")}
    if not any(given.values()):
        raise Refused(400, "give parallelism=true or rate=true to unpin")
    call.broker.unpin(call.path["key"], parallelism=given["parallelism"], rate=given["rate"])
    return EMPTY


def reset_rate(call: Call) -> Reply:
    call.broker.reset_rate(call.path["key"])
    return EMPTY


def global_parallelism(call: Call) -> Reply:
    """0 stands for no limit."""
    admission = call.broker.admission
    return json_reply({"parallelismMax": admission.parallelism or 0, "parallelismCount": admission.in_flight})


def _key(call: Call, missing: int = 400) -> FlowControlKey:
    """Return the key that is named, or refuse with *missing*: openapi.yaml knows 404 for a look-up alone."""
    name = call.path["key"]
    if (key := call.broker.flow_control.get(name)) is None:
        raise Refused(missing, f"flow control key {name} not found")
    return key


def _integer(call: Call, name: str) -> int | None:
    text = call.query.get(name, [""])[0]
    if not text:
        return None
    if not re.fullmatch("[0-9]{1,10}", text) or not 1 <= int(text) < 1 << 31:
        raise Refused(400, f"invalid {name} {text!r}: it is an integer greater than 0")
    return int(text)


def _boolean(call: Call, name: str) -> bool:
    text = call.query.get(name, ["false"])[0]
    try:
        return parse_bool(text)
    except ValueError as error:
        raise Refused(400, f"invalid {name}: {error}") from None


# --- signing keys and the rest -----------------------------------------------------------------------------


def get_keys(call: Call) -> Reply:
    keys = call.broker.signing_keys
    return json_reply({"current": keys.current, "next": keys.next})


def rotate_keys(call: Call) -> Reply:
    call.broker.signing_keys.rotate()
    return get_keys(call)


def readiness(call: Call) -> Reply:
    return json_reply({"ready": True})


def liveness(call: Call) -> Reply:
    return json_reply({"live": True})


def chat(call: Call) -> Reply:
    """The old chat endpoint: the answer that was set, whole or as server-sent events."""
    request: dict[str, Any] = call.json_object()
    answer = dict(call.chat_answer)
    if not request.get("stream"):
        return json_reply(answer)
    return Reply(headers=(("Content-Type", "text/event-stream"),), body=b"".join(_events(answer)))


def _events(answer: dict[str, Any]) -> list[bytes]:
    """The answer as OpenAI streams it: all of the text in one chunk, then one that says why it ends."""

    def chunk(message: str | None) -> dict[str, Any]:
        choices = [
            {
                "index": choice.get("index", 0),
                "delta": choice.get(message, {}) if message else {},
                "finish_reason": None if message else choice.get("finish_reason", "stop"),
            }
            for choice in answer.get("choices", [])
        ]
        return answer | {"object": "chat.completion.chunk", "choices": choices}

    parts = [json.dumps(chunk("message")), json.dumps(chunk(None)), "[DONE]"]
    return [f"data: {part}\n\n".encode() for part in parts]
