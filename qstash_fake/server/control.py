"""The control API: what a test in Python says to the fake, said over HTTP by a test in any other language.

How a request becomes an operation, and what becomes of it an answer. What there is to do stands in `operations`.
"""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from qstash_fake.api.call import parse_json_object
from qstash_fake.api.view import behind
from qstash_fake.delivery.targets import Targets
from qstash_fake.errors import DrainLimitReached, QStashFakeError, Refused
from qstash_fake.server import shapes
from qstash_fake.server.operations import OPERATIONS, Operation, Session
from qstash_fake.server.words import Json, checked
from qstash_fake.testing.fake import QStashFake

ROOT = "/_fake"


class Control:
    """The control API of one fake. *fixed_clock* says why its verbs cannot be used, None if they can.

    *reset* is called after a reset.
    """

    def __init__(
        self,
        fake: QStashFake,
        targets: Targets,
        *,
        fixed_clock: str | None = None,
        reset: Callable[[], object] = lambda: None,
    ) -> None:
        self._fake = fake
        self._session = Session(fake, targets, reset)
        self._fixed_clock = fixed_clock

    async def answer(self, request: Request) -> Response:
        """Answer one request below `/_fake/`."""
        try:
            result = await self._result(request)
            return PlainTextResponse(result + "\n") if isinstance(result, str) else JSONResponse(result)
        except Refused as refused:
            return JSONResponse({"error": refused.error}, refused.status)
        except DrainLimitReached as error:
            return JSONResponse({"error": str(error)}, 409)
        except (QStashFakeError, ValueError, TypeError, OverflowError) as error:
            return JSONResponse({"error": str(error)}, 400)

    async def _result(self, request: Request) -> Json | str:
        pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw]
        behind(self._fake.api).auth.check(request.method, pairs, request.scope["query_string"].decode("latin-1"))
        operation = _found(request.method, request.scope["path"])
        if operation.is_verb and self._fixed_clock is not None:
            raise Refused(409, self._fixed_clock)
        said = checked(parse_json_object(await request.body()), operation.words)
        if operation.is_verb:
            return await self._move(operation, said)
        result: Json | str = operation.function(self._session, **said)
        return result

    async def _move(self, operation: Operation, said: Json) -> Json:
        self._session.refuse_while_moving()
        self._session.moving = True
        try:
            return shapes.report(await operation.function(self._session, **said))
        finally:
            self._session.moving = False


def _found(method: str, path: str) -> Operation:
    name = path.removeprefix(ROOT).strip("/")
    methods = OPERATIONS.get(name)
    if methods is None:
        raise Refused(404, f"{ROOT}/{name} not found: there is {', '.join(f'{ROOT}/{one}' for one in OPERATIONS)}")
    if method not in methods:
        raise Refused(405, f"{method} {ROOT}/{name} is not possible: use {' or '.join(methods)}")
    return methods[method]
