"""Fan-out: which messages a publish asks for. Knows destinations, URL groups and options; stores and counts nothing."""

from __future__ import annotations

from typing import NamedTuple

from qstash_fake.broker.url_groups import UrlGroups
from qstash_fake.errors import Refused
from qstash_fake.protocol.http import Headers
from qstash_fake.protocol.options import Options
from qstash_fake.protocol.publish import PublishRequest

LLM_URL = "https://qstash.upstash.io/llm/v1/chat/completions"  # what `api/llm` stands for, seen in a real callback


class Target(NamedTuple):
    """A message that is to be made: a URL and the options that count for it."""

    url: str
    options: Options
    endpoint_name: str | None = None


def fan_out(request: PublishRequest, url_groups: UrlGroups) -> list[Target]:
    """Return what *request* asks for, one target for each endpoint of a URL group now (assumed); or refuse it."""
    destination, options = request.destination, request.options
    if destination.api:
        return [Target(_api_url(destination.api, options), options)]
    if destination.url:
        return [Target(destination.url, options)]
    group = url_groups.by_name.get(destination.group)
    if group is None or not group.endpoints:
        raise Refused(404, f"topic {destination.group} not found")
    options = options.over(group.defaults)
    return [Target(endpoint.url, options, endpoint.name or None) for endpoint in group.endpoints]


def headers_of(options: Options) -> Headers:
    """Return the headers that *options* give a message: its Content-Type and those to be forwarded."""
    content_type = () if options.content_type is None else (("Content-Type", options.content_type),)
    return (*content_type, *options.forward)


def redriven_headers(stored: Headers, overrides: Options) -> Headers:
    """Return the *stored* headers of a message with those of *overrides* in the place of their namesakes."""
    own = headers_of(overrides)
    changed = {name.lower() for name, _ in own}
    return (*(pair for pair in stored if pair[0].lower() not in changed), *own)


def _api_url(api: str, options: Options) -> str:
    if api != "llm":
        raise Refused(501, f"api/{api} is not simulated by qstash_fake: publish to the provider's URL instead")
    if options.callback is None:
        raise Refused(400, "a callback is required for api/llm")
    return LLM_URL
