"""Signing keys: looked up and rotated."""

from __future__ import annotations

from qstash_fake.api.call import Call, Reply, json_reply


def get_keys(call: Call) -> Reply:
    keys = call.broker.signing_keys
    return json_reply({"current": keys.current, "next": keys.next})


def rotate_keys(call: Call) -> Reply:
    call.broker.rotate_keys()
    return get_keys(call)
