"""The control API: a test in another language does over HTTP what a test in Python does with the fake.

Here a request becomes an operation, and its result an answer. The operations themselves stand in `operations`.

A verb lasts as long as its client waits. When the client hangs up, or the server ends, the verb is broken off like a
cancelled `await qstash_fake.clock.advance_async(…)`: a delivery that was under way is a failed attempt, the clock
stands at the last event, and the next verb goes on from there.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse

from qstash_fake.api.answer import MAX_BODY
from qstash_fake.api.asgi import read_body
from qstash_fake.api.call import parse_json_object
from qstash_fake.errors import DrainLimitReached, QStashFakeError, Refused
from qstash_fake.protocol.http import decode
from qstash_fake.protocol.moments import iso
from qstash_fake.server import shapes
from qstash_fake.server.events import Events
from qstash_fake.server.operations import OPERATIONS, Operation, Session
from qstash_fake.server.words import Json, checked
from qstash_fake.testing.fake import QStashFake, inside
from qstash_fake.testing.report import Report

ROOT = "/_fake"
TOKEN = "qstash_token"  # the word of a query that only the check of tokens reads


class Control:
    """The control API of one fake. *fixed_clock* says why its verbs cannot be used, None if they can.

    In the context of *still* no delivery begins; it gives the URLs of deliveries that do not end.
    """

    def __init__(
        self,
        fake: QStashFake,
        *,
        fixed_clock: str | None = None,
        still: Callable[[], AbstractAsyncContextManager[Sequence[str]]] = lambda: nullcontext(()),
    ) -> None:
        self._fake = fake
        self._session = Session(fake, still, Events(fake), fixed_clock)

    def end(self) -> None:
        """End the streams, and the verb that is under way."""
        self._session.events.end()
        if self._session.verb is not None:
            self._session.verb.cancel()

    async def answer(self, request: Request) -> Response:
        """Answer one request below `/_fake/`."""
        try:
            return _response(await self._result(request))
        except Refused as refused:
            return JSONResponse({"error": refused.error}, refused.status)
        except DrainLimitReached as error:
            return JSONResponse({"error": str(error)}, 409)
        except (QStashFakeError, ValueError, OverflowError) as error:
            return JSONResponse({"error": str(error)}, 400)
        except Exception as error:  # noqa: BLE001 - told like an error of the API: a line, or the end of the test
            self._fake.api.problems.append("".join(traceback.format_exception(error)))
            return JSONResponse({"error": f"qstash_fake failed: {error!r}"}, 500)

    async def _result(self, request: Request) -> Json | str | AsyncIterator[str]:
        query = request.scope["query_string"].decode("latin-1")
        inside(self._fake).api.auth.check(request.method, decode(request.headers.raw), query)
        operation = _found(request.method, request.scope["path"])
        if operation.is_verb and self._session.fixed_clock is not None:
            raise Refused(409, self._session.fixed_clock)
        body = await read_body(request)
        if len(body) > MAX_BODY:
            raise Refused(413, f"request body too large: it has more than {MAX_BODY} bytes")
        given = parse_json_object(body)
        if request.method == "GET":
            given |= {name: value for name, value in parse_qsl(query, keep_blank_values=True) if name != TOKEN}
        said = checked(given, operation.words)
        if operation.is_verb:
            return await self._move(operation, said, request)
        result = operation.function(self._session, **said)
        answer: Json | str | AsyncIterator[str] = await result if isinstance(result, Awaitable) else result
        return answer

    async def _move(self, operation: Operation, said: Json, request: Request) -> Json:
        """Run a verb until it is done, its client hangs up, or the server ends."""
        if self._session.verb is not None:
            raise Refused(409, "the clock is moving already: a handler of a delivery cannot move the clock")
        verb: asyncio.Task[Report] = asyncio.create_task(operation.function(self._session, **said))
        hung_up = asyncio.create_task(_hung_up(request))
        self._session.verb = verb
        try:
            await asyncio.wait((verb, hung_up), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (verb, hung_up):
                task.cancel()
            await asyncio.wait((verb, hung_up))
            self._session.verb = None
        if verb.cancelled():
            raise Refused(503, f"broken off: the clock stands at {iso(self._fake.clock.now)}")
        return shapes.report(verb.result())


async def _hung_up(request: Request) -> None:
    """Wait until the client closes the connection; its body has been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _response(result: Json | str | AsyncIterator[str]) -> Response:
    match result:
        case str():
            return PlainTextResponse(result + "\n")
        case AsyncIterator():
            return StreamingResponse(result, media_type="text/event-stream", headers={"cache-control": "no-store"})
        case _:
            return JSONResponse(result)


def _found(method: str, path: str) -> Operation:
    name = path.removeprefix(ROOT).strip("/")
    methods = OPERATIONS.get(name)
    if methods is None:
        raise Refused(404, f"{ROOT}/{name} not found: there is {', '.join(f'{ROOT}/{one}' for one in OPERATIONS)}")
    if method not in methods:
        raise Refused(405, f"{method} {ROOT}/{name} is not possible: use {' or '.join(methods)}")
    return methods[method]
