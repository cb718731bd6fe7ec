"""requests: a session's call to QStash goes through the session as ever, but over our adapter."""

from __future__ import annotations

import copy
import functools
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from qstash_fake.api.answer import Api
from qstash_fake.errors import ConnectionDropped
from qstash_fake.intercept.hosts import Hosts
from qstash_fake.protocol import urls


@contextmanager
def intercepted(api: Api, hosts: Hosts) -> Iterator[None]:
    """Answer calls to *hosts* with *api* for as long as the context lasts, if requests is loaded."""
    module = sys.modules.get("requests")
    if module is None:
        yield
        return
    original = module.Session.send

    @functools.wraps(original)
    def send(self: Any, request: Any, **kwargs: Any) -> Any:
        if request.url not in hosts:
            return original(self, request, **kwargs)
        twin = copy.copy(self)
        # On the instance: requests_mock patches the method of the class.
        twin.get_adapter = lambda url: _Adapter(module, api)
        return original(twin, request, **kwargs)

    module.Session.send = send
    try:
        yield
    finally:
        module.Session.send = original


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
        return HTTPAdapter().build_response(request, raw)

    def close(self) -> None:
        """Nothing is open."""
