"""One publish as it arrives: destination from the raw path, options from headers and query."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import unquote_plus

from qstash_fake.protocol.http import Headers, canonical, wire
from qstash_fake.protocol.options import HOP_BY_HOP, Options
from qstash_fake.protocol.restrictions import Kind, check, parse_options_of
from qstash_fake.protocol.urls import Destination, parse_destination


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishRequest:
    """A publish that was understood; an instance that exists is well formed."""

    destination: Destination
    options: Options
    body: bytes = b""
    incoming: Headers = ()
    """The request's own headers, if its options or a group's defaults can forward them."""
    caller_ip: str = ""


def parse_publish(
    raw_destination: str,
    pairs: Sequence[tuple[str, str]],
    body: bytes,
    *,
    caller_ip: str,
    kind: Kind = Kind.PUBLISH,
) -> PublishRequest:
    """Return the request to *raw_destination*, the raw rest of a path with its query; or refuse it.

    A header wins over the query parameter of the same name (assumed); query parameters that QStash consumes
    are cut out of the destination, whose other bytes stay as they are.
    """
    destination, parameters = cut_parameters(raw_destination)
    if parameters:
        named = {name.lower() for name, _ in pairs}
        pairs = [*pairs, *((name, value) for name, value in parameters if name not in named)]
    target, options = parse_destination(destination), parse_options_of(kind, pairs)
    return PublishRequest(
        destination=target,
        options=options,
        body=body,
        incoming=forwardable(pairs) if options.header_forward or target.group else (),
        caller_ip=caller_ip,
    )


def cut_parameters(target: str) -> tuple[str, list[tuple[str, str]]]:
    """Return *target* without its `upstash-*` and `qstash_token` parameters, and the parameters, decoded."""
    path, mark, query = target.partition("?")
    kept: list[str] = []
    cut: list[tuple[str, str]] = []
    for part in query.split("&"):
        name, _, value = part.partition("=")
        if name.lower().startswith("upstash-") or name == "qstash_token":
            cut.append((name.lower(), wire(unquote_plus(value))))
        else:
            kept.append(part)
    if not cut:
        return target, []
    return path + (mark + "&".join(kept) if kept else ""), cut


def forwardable(pairs: Iterable[tuple[str, str]]) -> Headers:
    """Return the headers of a publish that `Upstash-Header-Forward` gives to the message.

    Headers of the connection, of QStash, and the token that authenticated the call are not given (assumed).
    """
    left_out = HOP_BY_HOP | {"authorization", "content-type", "qstash_token"}
    return tuple(
        (canonical(name), value)
        for name, value in pairs
        if name.lower() not in left_out and not name.lower().startswith("upstash-")
    )


def into_queue(request: PublishRequest, queue: str) -> PublishRequest:
    """Return *request* for *queue*, or refuse it."""
    check(Kind.ENQUEUE, request.options)
    return dataclasses.replace(request, options=dataclasses.replace(request.options, queue=queue))
