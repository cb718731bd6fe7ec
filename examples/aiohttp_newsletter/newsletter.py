"""A newsletter. Its readers get it one by one, and no more than two in a second: the mail server takes no more."""

import os

from aiohttp import web
from aiohttp.typedefs import Handler
from qstash import AsyncQStash, Receiver
from qstash.errors import SignatureError
from qstash.message import BatchJsonRequest, FlowControl

PUBLIC_URL = os.environ.get("NEWSLETTER_URL", "https://news.example")

QSTASH = web.AppKey("qstash", AsyncQStash)
MAILED = web.AppKey("mailed", list[str])  # stands for the mail server

routes = web.RouteTableDef()


@routes.post("/issues")
async def publish_issue(request: web.Request) -> web.Response:
    issue = await request.json()
    pace = FlowControl(key="mail-server", rate=2, period="1s")
    messages = [
        BatchJsonRequest(url=f"{PUBLIC_URL}/jobs/mail", body={"to": reader, "title": issue["title"]}, flow_control=pace)
        for reader in issue["readers"]
    ]
    await request.app[QSTASH].message.batch_json(messages)
    return web.json_response({"readers": len(messages)}, status=202)


@web.middleware
async def let_only_qstash_in(request: web.Request, handler: Handler) -> web.StreamResponse:
    if request.path.startswith("/jobs/"):
        receiver = Receiver(os.environ["QSTASH_CURRENT_SIGNING_KEY"], os.environ["QSTASH_NEXT_SIGNING_KEY"])
        try:
            receiver.verify(
                signature=request.headers.get("Upstash-Signature", ""),
                body=await request.text(),
                url=PUBLIC_URL + request.path,
            )
        except SignatureError as error:
            raise web.HTTPUnauthorized(text=str(error)) from None
    return await handler(request)


@routes.post("/jobs/mail")
async def mail(request: web.Request) -> web.Response:
    job = await request.json()
    if "@" not in job["to"]:  # no retry makes an address of it
        return web.Response(status=489, text="no address", headers={"Upstash-NonRetryable-Error": "true"})
    request.app[MAILED].append(f"{job['title']} to {job['to']}")
    return web.Response(text="mailed")


def make_app() -> web.Application:
    """An application of aiohttp belongs to one event loop; each test makes one."""
    app = web.Application(middlewares=[let_only_qstash_in])
    app[QSTASH] = AsyncQStash(os.environ["QSTASH_TOKEN"])
    app[MAILED] = []
    app.add_routes(routes)
    return app
