"""The server's ASGI application: QStash's API, the control API and the page beside it, and who may call them."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from qstash_fake.api.answer import Api
from qstash_fake.api.asgi import respond
from qstash_fake.errors import ConnectionDropped
from qstash_fake.protocol import urls
from qstash_fake.server import static
from qstash_fake.server.control import ROOT, Control

Address = tuple[str, int]
# Of `Sec-Fetch-Site`: a page of ours, and a page that a user opened himself. Fetch Metadata, 2.3. A page of another
# port of this machine is `same-site`: nobody knows whose it is.
SITES = ("same-origin", "none")


class ServerApp:
    """Answers every request. *hang_up* breaks the connection with a client; *answered* is called after each answer.

    Only loopback names are answered for unless *any_host*: a web page whose own name leads here, as in DNS
    rebinding, must not publish. Requests of a page from elsewhere are refused in any case.
    """

    def __init__(
        self,
        api: Api,
        control: Control,
        *,
        any_host: bool = False,
        hang_up: Callable[[Address], object] = lambda client: None,
        answered: Callable[[], object] = lambda: None,
    ) -> None:
        self._api = api
        self._control = control
        self._any_host = any_host
        self._hang_up = hang_up
        self._answered = answered

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        try:
            response = await self._respond(request)
        except ConnectionDropped:
            self._hang_up(scope["client"])
            while (await receive())["type"] != "http.disconnect":
                pass
        else:
            await response(scope, receive, send)
        finally:
            self._answered()

    def end(self) -> None:
        """End the streams, and the verb that is under way."""
        self._control.end()

    async def _respond(self, request: Request) -> Response:
        if (problem := self._why_not(request)) is not None:
            return JSONResponse({"error": problem}, 403)
        if (file := static.answer(request)) is not None:
            return file
        path = request.scope["path"]
        if path == ROOT or path.startswith(f"{ROOT}/"):
            return await self._control.answer(request)
        return await respond(self._api, request)

    def _why_not(self, request: Request) -> str | None:
        for origin in request.headers.getlist("origin"):
            if not urls.is_loopback(urls.server(origin).host):
                return f"requests of web pages from {origin!r} are refused"
        # The request for an image of a page names no origin. Browsers say which page asked, and no page can change it.
        if (site := request.headers.get("sec-fetch-site", "none")) not in SITES:
            return f"requests of web pages from elsewhere are refused, and this one is {site}"
        host = request.headers.get("host", "")
        if not self._any_host and not urls.is_loopback(urls.server(f"http://{host}").host):
            return (
                f"requests for {host!r} are refused: call this server by a loopback address or localhost, "
                f"or start it with --allow-remote"
            )
        return None
