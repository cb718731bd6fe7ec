"""URL groups, `topics` in the API: endpoints and default headers."""

from __future__ import annotations

from typing import Any

from qstash_fake.api import wire
from qstash_fake.api.call import EMPTY, Call, Reply, header_pairs, json_reply, valid_name
from qstash_fake.broker.url_groups import Endpoint
from qstash_fake.errors import Refused
from qstash_fake.protocol import urls
from qstash_fake.protocol.restrictions import Kind, parse_options_of


def list_url_groups(call: Call) -> Reply:
    return json_reply([wire.url_group(group) for group in call.broker.url_groups.by_name.values()])


def get_url_group(call: Call) -> Reply:
    name = valid_name(call.path["name"])
    if (group := call.broker.url_groups.by_name.get(name)) is None:
        raise Refused(404, f"topic {name} not found")
    return json_reply(wire.url_group(group))


def delete_url_group(call: Call) -> Reply:
    call.broker.delete_url_group(valid_name(call.path["name"]))
    return EMPTY


def add_endpoints(call: Call) -> Reply:
    name, endpoints = valid_name(call.path["name"]), _endpoints(call, url_required=True)
    call.broker.add_endpoints(name, endpoints)
    return EMPTY


def remove_endpoints(call: Call) -> Reply:
    name, endpoints = valid_name(call.path["name"]), _endpoints(call, url_required=False)
    call.broker.remove_endpoints(name, endpoints)
    return EMPTY


def set_defaults(call: Call) -> Reply:
    """PATCH: default headers for every publish to the group."""
    name, headers = valid_name(call.path["name"]), call.json_object().get("headers")
    if not isinstance(headers, dict):
        raise Refused(400, "headers is missing: an object of header names and values")
    defaults = parse_options_of(Kind.DEFAULTS, header_pairs(headers))
    call.broker.set_group_defaults(name, defaults)
    return EMPTY


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
