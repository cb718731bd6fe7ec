"""requests: a session's call to QStash goes through the session as ever, but over our adapter.

`Session.get_adapter` is patched, not `send`: requests_mock, started after us, puts its own `send` in front of every
other. It sets its own `get_adapter` on each session as well, and a descriptor that can be set comes before that.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from qstash_fake.api.answer import Api
from qstash_fake.errors import ConnectionDropped
from qstash_fake.intercept.hosts import Hosts
from qstash_fake.protocol import urls

_NAME = "get_adapter"


@contextmanager
def intercepted(api: Api, hosts: Hosts) -> Iterator[None]:
    """Answer calls to *hosts* with *api* for as long as the context lasts, if requests is loaded."""
    module = sys.modules.get("requests")
    if module is None:
        yield
        return
    owner = module.Session
    original = _without_ended(vars(owner)[_NAME])
    if isinstance(original, _GetAdapter):  # an outer fake's: of two the inner one answers
        hosts |= original.hosts
    ours = _GetAdapter(original, hosts, _Adapter(module, api))
    owner.get_adapter = ours
    try:
        yield
    finally:
        ours.active = False
        owner.get_adapter = _without_ended(vars(owner)[_NAME])  # what others put over ours stays


class _GetAdapter:
    """`Session.get_adapter`: our *adapter* for *hosts* while it is active; else what the session itself has."""

    def __init__(self, original: Any, hosts: Hosts, adapter: _Adapter) -> None:
        self.original = original
        self.hosts = hosts
        self.adapter = adapter
        self.active = True

    def __get__(self, session: Any, owner: type | None = None) -> Callable[..., Any]:
        if session is None or (isinstance(self.original, _GetAdapter) and not self.active):
            bound: Callable[..., Any] = self.original.__get__(session, owner)
            return bound

        def get_adapter(url: str) -> Any:
            if self.active and url in self.hosts:
                return self.adapter
            own = vars(session).get(_NAME) or self.original.__get__(session, owner)
            return own(url=url)

        return get_adapter

    def __set__(self, session: Any, value: Callable[..., Any]) -> None:
        vars(session)[_NAME] = value

    def __delete__(self, session: Any) -> None:
        del vars(session)[_NAME]


def _without_ended(get_adapter: Any) -> Any:
    while isinstance(get_adapter, _GetAdapter) and not get_adapter.active:
        get_adapter = get_adapter.original
    return get_adapter


class _Adapter:
    """What a session sends a prepared request with."""

    def __init__(self, module: Any, api: Api) -> None:
        self._module = module
        self._api = api

    def send(self, request: Any, **_: Any) -> Any:
        from requests.adapters import HTTPAdapter
        from urllib3 import HTTPHeaderDict, HTTPResponse

        parts = urls.split(request.url)
        body = request.body or b""
        if hasattr(body, "read"):
            body = body.read()
        content = body.encode() if isinstance(body, str) else b"".join([body] if isinstance(body, bytes) else body)
        pairs = [(name, value if isinstance(value, str) else value.decode()) for name, value in request.headers.items()]
        try:
            reply = self._api.answer(request.method, (parts.path or "/") + parts.query, pairs, content)
        except ConnectionDropped as dropped:
            raise self._module.ConnectionError(str(dropped), request=request) from None
        headers = HTTPHeaderDict(reply.headers)
        raw = HTTPResponse(io.BytesIO(reply.body), headers, reply.status, preload_content=False)
        response: Any = HTTPAdapter().build_response(request, raw)
        response.connection = self  # where an auth that answers a 401 sends its second request
        return response

    def close(self) -> None:
        """Nothing is open."""
