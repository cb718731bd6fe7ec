"""The control API: what a test in Python says to the fake, said over HTTP by a test in any other language.

`OPERATIONS` is all of it. The words of the bodies are those of the Python interface; messages, dead letters,
schedules and the rest are shown as the API of QStash shows them. Decides nothing itself.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from qstash_fake.api import wire
from qstash_fake.api.view import behind
from qstash_fake.broker.message import Attempt, Message
from qstash_fake.delivery.targets import Route, Targets
from qstash_fake.errors import DrainLimitReached, QStashFakeError, Refused, UsageError
from qstash_fake.protocol.moments import iso
from qstash_fake.testing.clock import Report
from qstash_fake.testing.fake import QStashFake

Json = dict[str, Any]
Handler = Callable[["Control", Json], Awaitable[Json | str] | Json | str]

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
        self._targets = targets
        self._fixed_clock = fixed_clock
        self._after_reset = reset
        self._routes: dict[Route, Json] = {}
        self._busy = False

    async def answer(self, request: Request) -> Response:
        """Answer one request below `/_fake/`."""
        try:
            return await self._answer(request)
        except Refused as refused:
            return JSONResponse({"error": refused.error}, refused.status)
        except DrainLimitReached as error:
            return JSONResponse({"error": str(error)}, 409)
        except (QStashFakeError, ValueError, TypeError, OverflowError) as error:
            return JSONResponse({"error": str(error)}, 400)

    async def _answer(self, request: Request) -> Response:
        pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw]
        behind(self._fake.api).auth.check(request.method, pairs, request.scope["query_string"].decode("latin-1"))
        path = request.scope["path"].removeprefix(ROOT).strip("/")
        methods = OPERATIONS.get(path)
        if methods is None:
            raise Refused(404, f"{ROOT}/{path} not found: there is {', '.join(f'{ROOT}/{one}' for one in OPERATIONS)}")
        if request.method not in methods:
            raise Refused(405, f"{request.method} {ROOT}/{path} is not possible: use {' or '.join(methods)}")
        handler, keys = methods[request.method]
        result = handler(self, _given(await request.body(), keys))
        if isinstance(result, Awaitable):
            result = await result
        return PlainTextResponse(result + "\n") if isinstance(result, str) else JSONResponse(result)

    # --- the clock ------------------------------------------------------------------------------------------------

    async def advance(self, given: Json) -> Json:
        return await self._verb(lambda: self._fake.clock.advance_async(_needed(given, "duration", str, int, float)))

    async def advance_to(self, given: Json) -> Json:
        return await self._verb(lambda: self._fake.clock.advance_to_async(_needed(given, "time", str)))

    async def advance_to_next(self, given: Json) -> Json:
        return await self._verb(self._fake.clock.advance_to_next_async)

    async def deliver_due(self, given: Json) -> Json:
        return await self._verb(self._fake.deliver_due_async)

    async def drain(self, given: Json) -> Json:
        limit = _optional(given, "limit", int)
        return await self._verb(lambda: self._fake.drain_async(*(() if limit is None else (limit,))))

    async def _verb(self, verb: Callable[[], Awaitable[Report]]) -> Json:
        if self._fixed_clock is not None:
            raise Refused(409, self._fixed_clock)
        self._refuse_while_busy()
        self._busy = True
        try:
            return _report(await verb())
        finally:
            self._busy = False

    def _refuse_while_busy(self) -> None:
        if self._busy:
            raise Refused(409, "the clock is moving already: what answers a delivery cannot move the clock")

    def reset(self, given: Json) -> Json:
        self._refuse_while_busy()
        self._fake.reset()
        self._routes.clear()
        self._after_reset()
        return {"now": iso(self._fake.clock.now)}

    # --- what there is --------------------------------------------------------------------------------------------

    def state(self, given: Json) -> Json:
        fake, broker = self._fake, self._fake.clock.broker
        with broker.lock:
            next_due = fake.clock.next_due
            return {
                "now": iso(fake.clock.now),
                "next_due": iso(next_due) if next_due else None,
                "messages": [_message(message) for message in fake.messages],
                "pending": [message.message_id for message in fake.pending],
                "held": {message.message_id: reason for message, reason in broker.held(broker.now_ms).items()},
                "dead_letters": [wire.dead_letter(one) for one in fake.dlq],
                "schedules": [wire.schedule(one) for one in fake.schedules.values()],
                "queues": [wire.queue(one) for one in fake.queues.values()],
                "url_groups": [wire.url_group(one) for one in fake.url_groups.values()],
                "flow_control": [wire.flow_control(one, broker.now_ms) for one in fake.flow_control.values()],
            }

    def timeline(self, given: Json) -> str:
        with self._fake.clock.broker.lock:
            return self._fake.timeline()

    # --- how it behaves -------------------------------------------------------------------------------------------

    def add_route(self, given: Json) -> Json:
        route = self._fake.on(_needed(given, "url", str), _optional(given, "method", str))
        try:
            _configure(route, given)
        except Exception:
            self._targets.routes.remove(route)
            raise
        self._routes[route] = given
        return _route(route, given)

    def list_routes(self, given: Json) -> Json:
        return {"routes": [_route(route, asked) for route, asked in self._live_routes()]}

    def delete_routes(self, given: Json) -> Json:
        live = self._live_routes()
        for route, _ in live:
            self._targets.routes.remove(route)
        self._routes.clear()
        return {"deleted": len(live)}

    def fail(self, given: Json) -> Json:
        kind = _optional(given, "kind", str, int)
        self._fake.api.fail("burst" if kind is None else kind, _times(given))
        return {}

    def drop_connection(self, given: Json) -> Json:
        self._fake.api.drop_connection(_times(given))
        return {}

    def duplicate_next(self, given: Json) -> Json:
        self._fake.duplicate_next(_optional(given, "url", str))
        return {}

    def _live_routes(self) -> list[tuple[Route, Json]]:
        return [(route, asked) for route, asked in self._routes.items() if route in self._targets.routes]


_ANSWER = ("status", "json", "text", "headers")
_ROUTE = frozenset({"url", "method", *_ANSWER, "respond_with", "time_out", "refuse_connection", "takes", "times"})
_NOTHING: frozenset[str] = frozenset()

# Path below `/_fake/`, method, what answers and the words that its body may have.
OPERATIONS: Mapping[str, Mapping[str, tuple[Handler, frozenset[str]]]] = {
    "advance": {"POST": (Control.advance, frozenset({"duration"}))},
    "advance-to": {"POST": (Control.advance_to, frozenset({"time"}))},
    "advance-to-next": {"POST": (Control.advance_to_next, _NOTHING)},
    "deliver-due": {"POST": (Control.deliver_due, _NOTHING)},
    "drain": {"POST": (Control.drain, frozenset({"limit"}))},
    "reset": {"POST": (Control.reset, _NOTHING)},
    "state": {"GET": (Control.state, _NOTHING)},
    "timeline": {"GET": (Control.timeline, _NOTHING)},
    "routes": {
        "POST": (Control.add_route, _ROUTE),
        "GET": (Control.list_routes, _NOTHING),
        "DELETE": (Control.delete_routes, _NOTHING),
    },
    "fail": {"POST": (Control.fail, frozenset({"kind", "times"}))},
    "drop-connection": {"POST": (Control.drop_connection, frozenset({"times"}))},
    "duplicate-next": {"POST": (Control.duplicate_next, frozenset({"url"}))},
}


def _configure(route: Route, given: Json) -> None:
    """Set what *route* answers as its request says."""
    answer = {name: given[name] for name in _ANSWER if name in given}
    answers = _optional(given, "respond_with", list)
    time_out, refuse = (_optional(given, name, bool) for name in ("time_out", "refuse_connection"))
    asked = [bool(answer), answers is not None, bool(time_out), bool(refuse)]
    if sum(asked) > 1:
        raise UsageError("a route answers in one way: with a status, json, text or headers; or respond_with, time_out")
    if answer:
        route.respond(**_checked_answer(answer))
    elif answers is not None:
        route.respond_with([_checked_answer(one) if isinstance(one, dict) else _status(one) for one in answers])
    elif time_out:
        route.time_out()
    elif refuse:
        route.refuse_connection()
    elif "takes" not in given:
        raise UsageError(f"say what the route answers: {', '.join(sorted(_ROUTE - {'url', 'method', 'times'}))}")
    if "takes" in given:
        route.takes(_needed(given, "takes", str, int, float))
    if "times" in given:
        route.times(_times(given))


def _checked_answer(given: Json) -> Json:
    _refuse_unknown(given, frozenset(_ANSWER))
    if "status" in given:
        _status(given["status"])
    _optional(given, "text", str)
    headers = _optional(given, "headers", dict) or {}
    if not all(isinstance(value, str) for value in headers.values()):
        raise ValueError("headers is an object of texts")
    return given


def _status(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{value!r} is no status: it is a number such as 503")
    return value


def _times(given: Json) -> int:
    times = _optional(given, "times", int)
    if times is not None and times < 0:
        raise ValueError(f"times cannot be {times}")
    return 1 if times is None else times


def _given(body: bytes, keys: frozenset[str]) -> Json:
    """Return the JSON object of a body, empty if there is none; a word that means nothing is refused."""
    try:
        given = json.loads(body) if body.strip() else {}
    except (ValueError, RecursionError) as error:
        raise Refused(400, f"invalid JSON body: {error}") from None
    if not isinstance(given, dict):
        raise Refused(400, "invalid JSON body: it is an object")
    _refuse_unknown(given, keys)
    return given


def _refuse_unknown(given: Json, keys: frozenset[str]) -> None:
    if unknown := sorted(given.keys() - keys):
        possible = f"use {', '.join(sorted(keys))}" if keys else "there is nothing to say"
        raise Refused(400, f"{', '.join(unknown)} means nothing here: {possible}")


def _needed(given: Json, name: str, *types: type) -> Any:
    if given.get(name) is None:
        raise Refused(400, f'{name} is missing: give it in a JSON body, {{"{name}": …}}')
    return _optional(given, name, *types)


def _optional(given: Json, name: str, *types: type) -> Any:
    value = given.get(name)
    if value is not None and (not isinstance(value, types) or (isinstance(value, bool) and bool not in types)):
        raise Refused(400, f"{name} cannot be {value!r}: it is of the type {' or '.join(t.__name__ for t in types)}")
    return value


def _report(report: Report) -> Json:
    return {
        "summary": str(report),
        "now": iso(report.now),
        "next_due": iso(report.next_due) if report.next_due else None,
        "attempts": [
            {"messageId": attempt.message.message_id, "url": attempt.message.url, **_attempt(attempt)}
            for attempt in report.attempts
        ],
        "delivered": [message.message_id for message in report.delivered],
        "dead": [message.message_id for message in report.dead],
        "fired": [message.message_id for message in report.fired],
        "held": report.held,
        "skipped": report.skipped,
    }


def _message(message: Message) -> Json:
    return {
        **wire.message(message),
        "state": message.state.value,
        "due_at": iso(message.due_at),
        "attempts": [_attempt(attempt) for attempt in message.attempts],
    }


def _attempt(attempt: Attempt) -> Json:
    return {
        "at": iso(attempt.at),
        "retried": attempt.retried,
        "status": attempt.status,
        "error": attempt.error,
        "lost": attempt.lost,
    }


def _route(route: Route, asked: Json) -> Json:
    return {**asked, "calls": len(route.calls), "spent": route.spent}
