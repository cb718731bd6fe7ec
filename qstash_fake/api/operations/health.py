"""Whether the service is there: it always is."""

from __future__ import annotations

from qstash_fake.api.call import Call, Reply, json_reply


def readiness(call: Call) -> Reply:
    return json_reply({"ready": True})


def liveness(call: Call) -> Reply:
    return json_reply({"live": True})
