"""The operations of the control API: `OPERATIONS`, and a function for each row.

The words of the bodies are those of the Python interface; messages, dead letters, schedules and the rest are shown
as the API of QStash shows them. Decides nothing itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, TypedDict, Unpack, get_type_hints

from qstash_fake.api.snapshot import snapshot
from qstash_fake.broker.message import Message as InnerMessage
from qstash_fake.broker.views import Message, view_of
from qstash_fake.delivery.mounts import Answerers
from qstash_fake.delivery.routes import Route, url_pattern
from qstash_fake.errors import Refused, UsageError
from qstash_fake.explore.planned import Planned
from qstash_fake.explore.plans import DEFAULT, kinds_of, parse, text_of
from qstash_fake.protocol.moments import iso
from qstash_fake.server import shapes
from qstash_fake.server.events import Events
from qstash_fake.server.words import Json, Word, checked, words_in, words_of
from qstash_fake.testing import picture as pictures
from qstash_fake.testing.fake import QStashFake, inside
from qstash_fake.testing.goals import Units
from qstash_fake.testing.report import Report

Duration = str | float
"""A text such as `5m`, or seconds."""


@dataclass(slots=True)
class Session:
    """What the operations work on: one fake, and what they remember of it."""

    fake: QStashFake
    still: Callable[[], AbstractAsyncContextManager[Sequence[str]]]
    """In this context no delivery of a real clock begins; it gives the URLs of deliveries that do not end."""
    events: Events
    fixed_clock: str | None = None
    """Why the verbs cannot be used, None if they can."""
    routes: dict[Route, Json] = field(default_factory=dict)
    """The routes made here, each with the words that it was made of."""
    verb: asyncio.Task[Report] | None = None
    """The verb that is under way."""
    planned: Planned | None = None
    """The plan of faults that was posted since the last reset."""

    @property
    def targets(self) -> Answerers:
        """Who answers the deliveries of the fake."""
        return inside(self.fake).targets

    def live_routes(self) -> dict[Route, Json]:
        """Return the routes made here that the fake still has; a reset in the test forgets them."""
        live = set(self.targets.routes)
        return {route: asked for route, asked in self.routes.items() if route in live}


# --- the clock: an operation that returns a Report is a verb ----------------------------------------------------


async def advance(session: Session, duration: Duration | None = None, **units: Unpack[Units]) -> Report:
    if (duration is None) == (not units):
        raise Refused(400, 'say how far: {"duration": "5m"}, {"duration": 300} or {"minutes": 5}')
    return await session.fake.clock.advance_async(duration, **units)


async def advance_to(session: Session, time: str) -> Report:
    return await session.fake.clock.advance_to_async(time)


async def advance_to_next(session: Session) -> Report:
    return await session.fake.clock.advance_to_next_async()


async def advance_until(session: Session, message: str, limit: Duration = "30d") -> Report:
    found = _message(session, message)
    return await session.fake.clock.advance_until_async(view_of(Message, found), limit)


async def deliver(session: Session, message: str) -> Report:
    return await session.fake.deliver_async(view_of(Message, _message(session, message)))


async def deliver_due(session: Session) -> Report:
    return await session.fake.deliver_due_async()


async def drain(session: Session, limit: int = 1000) -> Report:
    return await session.fake.drain_async(limit)


async def reset(session: Session) -> Json:
    if session.verb is not None:
        raise Refused(409, "the clock is moving: reset when the verb that moves it has ended")
    async with session.still() as under_way:
        if under_way:
            raise Refused(409, f"a delivery to {under_way[0]} is under way: reset when it has ended")
        try:
            session.fake.reset()
        except UsageError as error:  # a verb of the test's is under way
            raise Refused(409, str(error)) from None
        session.routes.clear()
        if session.planned is not None:
            session.planned.detach(session.fake)
            session.planned = None
        return {"now": iso(session.fake.clock.now)}


# --- what there is ----------------------------------------------------------------------------------------------


def state(session: Session) -> Json:
    held = inside(session.fake)
    held.timekeeper.observe()
    return snapshot(held.broker)


def picture(session: Session, after: str | None = None) -> Json:
    held = inside(session.fake)
    held.timekeeper.observe()
    with held.broker.lock:
        place, number = session.events.place(None), session.events.number_in_this_life(after)
        return {
            "place": str(place),
            "fixed_clock": session.fixed_clock,
            "runs_by_itself": held.timekeeper.runs,
            **pictures.picture(held.broker, number),
        }


def message(session: Session, id: str) -> Json:  # noqa: A002 - the word of the body
    broker = inside(session.fake).broker
    with broker.lock:
        return pictures.detail(_message(session, id))


def trigger(session: Session, schedule: str) -> Json:
    schedules = inside(session.fake).broker.schedules.by_id
    if schedule not in schedules:
        raise Refused(404, f"no schedule has the id {schedule}")
    inside(session.fake).timekeeper.observe()
    return {"fired": [one.message_id for one in schedules[schedule].trigger()]}


def events(session: Session, after: str | None = None) -> AsyncIterator[str]:
    return session.events.stream(session.events.place(after))


def timeline(session: Session) -> str:
    return session.fake.timeline()


def workflows(session: Session) -> Json:
    broker = inside(session.fake).broker
    with broker.lock:
        return {"runs": [pictures.run(run, broker.now_ms) for run in broker.workflows.all]}


def notify(session: Session, event_id: str, data: Any = None, run_id: str | None = None) -> Json:
    return {"woken": [one.id for one in session.fake.workflows.notify(event_id, data, run_id=run_id)]}


# --- how deliveries are answered --------------------------------------------------------------------------------


class Answer(TypedDict, total=False):
    """The words that say what a route answers with."""

    status: int
    json: Any
    text: str
    headers: dict[str, str]


class RouteWords(Answer, total=False):
    """The words that say how a route answers, and whom."""

    method: str
    respond_with: list[int | Json]
    time_out: bool
    refuse_connection: bool
    takes: Duration
    times: int


def add_route(session: Session, url: str, **words: Unpack[RouteWords]) -> Json:
    said: Json = dict(words)
    route = _route(url, said)  # added when it is complete: a route that is refused was never there
    session.targets.routes.add(route)
    session.routes[route] = {"url": url, **said}
    return shapes.route(route, session.routes[route])


def list_routes(session: Session) -> Json:
    return {"routes": [shapes.route(route, asked) for route, asked in session.live_routes().items()]}


def delete_routes(session: Session) -> Json:
    live = session.live_routes()
    for route in live:
        session.targets.routes.remove(route)
    session.routes.clear()
    return {"deleted": len(live)}


# --- faults of deliveries ----------------------------------------------------------------------------------------


def set_plan(session: Session, plan: str = "") -> Json:
    planned, held = Planned(parse(plan)), inside(session.fake)
    with held.broker.lock:
        if held.broker.disturbance not in (None, session.planned):
            raise Refused(409, "the test of this fake is explored, and has its own plan")
        planned.attach(session.fake)
        session.planned = planned
    return {"plan": text_of(planned.plan)}


def get_plan(session: Session, faults: str | None = None) -> Json:
    if session.planned is None:
        raise Refused(404, "no plan was posted since the last reset: POST one, which may be empty")
    record = session.planned.record(DEFAULT if faults is None else kinds_of(faults))
    return {
        "plan": text_of(record.plan),
        "fired": [{"fault": str(fired.fault), "words": fired.words} for fired in record.fired],
        "left_over": [str(fault) for fault in record.left_over],
        "possible": [str(fault) for fault in record.possible],
    }


# --- how the API answers ----------------------------------------------------------------------------------------


def fail(session: Session, kind: str | int = "burst", times: int = 1) -> Json:
    session.fake.api.fail(kind, _counted(times))
    return {}


def drop_connection(session: Session, times: int = 1) -> Json:
    session.fake.api.drop_connection(_counted(times))
    return {}


def duplicate_next(session: Session, url: str | None = None) -> Json:
    session.fake.duplicate_next(url)
    return {}


@dataclass(frozen=True, slots=True)
class Operation:
    """One row of the table."""

    function: Callable[..., Any]
    words: Mapping[str, Word]
    is_verb: bool
    """Whether it moves the clock: one at a time, and none where the clock is real or belongs to a test."""


def row(function: Callable[..., Any]) -> Operation:
    """Return *function* as a row of the table."""
    return Operation(function, words_of(function), is_verb=get_type_hints(function)["return"] is Report)


# Path below `/_fake/`, method, what answers. A stream is sent as server-sent events, a text as text, the rest as JSON.
OPERATIONS: dict[str, Mapping[str, Operation]] = {
    "advance": {"POST": row(advance)},
    "advance-to": {"POST": row(advance_to)},
    "advance-to-next": {"POST": row(advance_to_next)},
    "advance-until": {"POST": row(advance_until)},
    "deliver": {"POST": row(deliver)},
    "deliver-due": {"POST": row(deliver_due)},
    "drain": {"POST": row(drain)},
    "reset": {"POST": row(reset)},
    "state": {"GET": row(state)},
    "picture": {"GET": row(picture)},
    "message": {"GET": row(message)},
    "trigger": {"POST": row(trigger)},
    "timeline": {"GET": row(timeline)},
    "events": {"GET": row(events)},
    "workflows": {"GET": row(workflows)},
    "notify": {"POST": row(notify)},
    "routes": {"POST": row(add_route), "GET": row(list_routes), "DELETE": row(delete_routes)},
    "fail": {"POST": row(fail)},
    "drop-connection": {"POST": row(drop_connection)},
    "duplicate-next": {"POST": row(duplicate_next)},
    "plan": {"POST": row(set_plan), "GET": row(get_plan)},
}


def _message(session: Session, message_id: str) -> InnerMessage:
    found = inside(session.fake).broker.messages.get(message_id)
    if found is None:
        raise Refused(404, f"no message has the id {message_id}")
    return found


_ANSWER = words_in(Answer)
# The ways to answer beside an `Answer`; a route has one way.
_WAYS: Mapping[str, Callable[[Route, Any], object]] = {
    "respond_with": lambda route, answers: route.respond_with(
        [checked(one, _ANSWER) if isinstance(one, dict) else one for one in answers]
    ),
    "time_out": lambda route, _: route.time_out(),
    "refuse_connection": lambda route, _: route.refuse_connection(),
}


def _route(url: str, said: Json) -> Route:
    route = Route(url_pattern(url), said.get("method", "").upper() or None)
    answer = {name: said[name] for name in _ANSWER if name in said}
    ways = [name for name in _WAYS if said.get(name, False) is not False]
    if len(ways) + bool(answer) > 1:
        raise UsageError("a route answers in one way: with a status, json, text or headers; or respond_with, time_out")
    if answer:
        route.respond(**answer)
    elif ways:
        _WAYS[ways[0]](route, said[ways[0]])
    elif "takes" not in said:
        possible = sorted(words_in(RouteWords).keys() - {"method", "times"})
        raise UsageError(f"say what the route answers: {', '.join(possible)}")
    if "takes" in said:
        route.takes(said["takes"])
    if "times" in said:
        route.times(_counted(said["times"]))
    return route


def _counted(times: int) -> int:
    if times < 0:
        raise ValueError(f"times cannot be {times}")
    return times
