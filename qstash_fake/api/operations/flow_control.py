"""Flow-control keys: looked up, paused, pinned, their window ended; and the parallelism of the account."""

from __future__ import annotations

import re

from qstash_fake.api import wire
from qstash_fake.api.call import EMPTY, Call, Reply, json_reply
from qstash_fake.errors import Refused
from qstash_fake.protocol.options import MAX_PERIOD_MS, parse_bool


def list_keys(call: Call) -> Reply:
    search = call.query.get("search", [""])[0]
    keys = [key for name, key in call.broker.flow_control.items() if search in name]
    return json_reply([wire.flow_control(key, call.broker.now_ms) for key in keys])


def get_key(call: Call) -> Reply:
    return json_reply(wire.flow_control(call.broker.look_up_key(call.path["key"]), call.broker.now_ms))


def pause_key(call: Call) -> Reply:
    call.broker.pause_key(call.path["key"])
    return EMPTY


def resume_key(call: Call) -> Reply:
    call.broker.resume_key(call.path["key"])
    return EMPTY


def pin(call: Call) -> Reply:
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


def unpin(call: Call) -> Reply:
    given = {name: _boolean(call, name) for name in ("parallelism", "rate")}
    if not any(given.values()):
        raise Refused(400, "give parallelism=true or rate=true to unpin")
    call.broker.unpin(call.path["key"], parallelism=given["parallelism"], rate=given["rate"])
    return EMPTY


def reset_rate(call: Call) -> Reply:
    call.broker.reset_rate(call.path["key"])
    return EMPTY


def get_global_parallelism(call: Call) -> Reply:
    """0 stands for no limit."""
    admission = call.broker.admission
    return json_reply({"parallelismMax": admission.parallelism or 0, "parallelismCount": admission.in_flight})


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
