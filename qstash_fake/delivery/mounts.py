"""Mounts: the applications and their URLs; and who answers a message: a route, a mount, or `unrouted=`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from qstash_fake.broker.fanout import LLM_URL
from qstash_fake.broker.message import Attempt, Message, Outcome
from qstash_fake.delivery.conditions import ALWAYS, Condition
from qstash_fake.delivery.kinds.base import App, AsyncApp
from qstash_fake.delivery.kinds.functions import Fixed
from qstash_fake.delivery.kinds.table import kind_of
from qstash_fake.delivery.lifespans import Lifespan
from qstash_fake.delivery.routes import Route, Routes, is_url, url_pattern
from qstash_fake.errors import UnroutedDestination, UsageError
from qstash_fake.protocol import urls

UNROUTED = ("error", "accept", "fail")
UNREACHABLE = "the destination could not be reached"


class Answerer(NamedTuple):
    """Who answers one message: an application, the routes that were passed on the way, the conditions of the answer."""

    app: App
    routes: tuple[Route, ...]
    conditions: tuple[Condition, ...]

    def begin(self, message: Message, attempt: Attempt) -> None:
        """Note that an *attempt* of *message* has started."""
        for route in self.routes:
            route._note(message, attempt)

    def settle(self, message: Message, attempt: Attempt, outcome: Outcome) -> Outcome:
        """Return what QStash sees of *outcome*, with its virtual duration."""
        for condition in self.conditions:
            outcome = condition(message, attempt, outcome)
        return outcome


@dataclass(slots=True)
class Mount:
    """An application and the URLs it answers; no prefix means every URL."""

    app: App
    prefix: str | None


@dataclass(slots=True)
class Answerers:
    """All routes and mounts, and the conditions of every delivery. *unrouted* is `error`, `accept` or `fail`."""

    unrouted: str = "error"
    mounts: list[Mount] = field(default_factory=list)
    """The longest prefix first."""
    routes: Routes = field(default_factory=Routes)
    conditions: tuple[Condition, ...] = ALWAYS
    lifespans: list[Lifespan] = field(default_factory=list)
    """The lifespans that the test runs itself, of applications mounted before or after."""
    is_unreachable: Callable[[Message], bool] | None = None
    """Tells whether the next attempt of a message reaches nobody; None where nobody disturbs deliveries."""

    def __post_init__(self) -> None:
        if self.unrouted not in UNROUTED:
            raise UsageError(f"unrouted={self.unrouted!r} is unknown: use one of {', '.join(map(repr, UNROUTED))}")

    def mount(self, app: Any, prefix: str | None, *, lifespan: bool) -> None:
        """Let *app* answer every URL at or below *prefix*; one mounted there before is replaced."""
        if is_url(app):
            raise UsageError(f"cannot mount {app!r}, a URL: it is mount(app, url), the application first")
        if prefix is not None and not is_url(prefix):
            raise UsageError(f"cannot mount at {prefix!r}: give a URL such as 'https://shop.example', or none at all")
        self.mounts = [mount for mount in self.mounts if _normalized(mount.prefix) != _normalized(prefix)]
        kind = kind_of(app)
        if isinstance(kind, AsyncApp):
            kind.runs_lifespan = kind.runs_lifespan and lifespan
        self.mounts.append(Mount(kind, prefix))
        self.mounts.sort(key=lambda mount: -len(_normalized(mount.prefix)))
        for running in self.lifespans:
            for one in self._around(running):
                one.lifespan = running

    @contextmanager
    def running(self, lifespan: Lifespan) -> Iterator[None]:
        """Let deliveries know the state of a *lifespan* that the test runs itself, while it runs."""
        self.lifespans.append(lifespan)
        for app in self._around(lifespan):
            app.lifespan = lifespan
        try:
            yield
        finally:
            self.lifespans.remove(lifespan)
            for app in self._around(lifespan):
                app.lifespan = None

    def on(self, url: str | re.Pattern[str], method: str | None) -> Route:
        """Add the route that is asked first from now on."""
        route = Route(url_pattern(url), method.upper() if method else None)
        self.routes.add(route)
        return route

    def find(self, message: Message) -> Answerer:
        """Return who answers *message*, or raise UnroutedDestination."""
        if self.is_unreachable is not None and self.is_unreachable(message):
            return Answerer(Fixed(Outcome(error=UNREACHABLE)), (), self.conditions)
        passed: list[Route] = []
        for route in self.routes.matching(message):
            passed.append(route)
            if (reply := route._next_reply()) is not None:
                return Answerer(reply.app, tuple(passed), self._conditions(passed, reply.condition))
        mount = self.mount_for(message.url)
        app = mount.app if mount else self._unrouted(message)
        return Answerer(app, tuple(passed), self._conditions(passed))

    def mount_for(self, url: str) -> Mount | None:
        """Return the mount with the longest prefix that *url* lies under."""
        for mount in self.mounts:
            if mount.prefix is None or urls.under(mount.prefix, url):
                return mount
        return None

    def _conditions(self, passed: list[Route], replied: Condition | None = None) -> tuple[Condition, ...]:
        """Return the chain for a delivery that *passed* these routes: the newest `takes`, then what the reply has."""
        own = [route._takes for route in passed if route._takes][:1]
        if replied is not None:
            own.append(replied)
        return (*own, *self.conditions) if own else self.conditions

    def _around(self, lifespan: Lifespan) -> list[AsyncApp]:
        """Return the mounted applications that *lifespan* runs around."""
        kinds = (mount.app for mount in self.mounts)
        return [kind for kind in kinds if isinstance(kind, AsyncApp) and kind.app is lifespan.app]

    def _unrouted(self, message: Message) -> App:
        if self.unrouted == "accept":
            return Fixed(Outcome(status=200))
        if self.unrouted == "fail":
            return Fixed(Outcome(error=f"no app is mounted for {message.url}"))
        origin = "://".join(urls.split(message.url)[:2])
        # LLM_URL is the fake's own, mounted in every test.
        mounted = ", ".join(mount.prefix or "every URL" for mount in self.mounts if mount.prefix != LLM_URL)
        matched = [route for route in reversed(list(self.routes)) if route._matches(message)]
        answer = matched[0]._way_out() if matched else f"answer it with qstash_fake.on({message.url!r}).respond(200)"
        raise UnroutedDestination(
            f"no app for {message.url}: mount one with qstash_fake.mount(app, {origin!r}), or {answer}, "
            f"or let all such deliveries succeed with the option unrouted='accept'; mounted: {mounted or 'nothing'}"
        )


def lifespan_of(app: Any) -> Lifespan:
    """Return a lifespan of *app*, to be started on the running loop; UsageError if it has none."""
    kind = kind_of(app)
    if not isinstance(kind, AsyncApp):
        raise UsageError(f"{app!r} has no lifespan that could be run: give an ASGI or an aiohttp application")
    return kind.make_lifespan()


def _normalized(prefix: str | None) -> str:
    return "" if prefix is None else urls.normalize(prefix).removesuffix("/")
