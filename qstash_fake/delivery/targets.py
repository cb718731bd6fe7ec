"""Who answers a delivery: routes set with `on`, then the mounted applications, then the rule for the unrouted."""

from __future__ import annotations

import json as jsonlib
import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

import httpx

from qstash_fake.broker.fanout import LLM_URL
from qstash_fake.broker.message import Attempt, Message, Outcome
from qstash_fake.broker.store import MAX_DONE
from qstash_fake.delivery.answers import STATUSES, Answer, outcome_of
from qstash_fake.delivery.apps import App, Asgi, Fixed, app_for
from qstash_fake.delivery.asgi import Lifespan
from qstash_fake.errors import UnroutedDestination, UsageError
from qstash_fake.protocol import urls
from qstash_fake.protocol.durations import Duration, to_ms
from qstash_fake.protocol.urls import UrlPattern

DEFAULT_TIMEOUT_MS = 15 * 60_000  # assumed: the shortest plan's limit
UNROUTED = ("error", "accept", "fail")

Reply = int | Mapping[str, Any] | httpx.Response
"""A status, the keyword arguments of `respond`, or a whole response."""


class Route:
    """The answer to deliveries whose URL matches; made by `QStashFake.on`, every method returns the route itself."""

    def __init__(self, pattern: UrlPattern, method: str | None) -> None:
        self._calls: deque[Attempt] = deque(maxlen=MAX_DONE)
        self._called = 0
        self._counted_from = 0
        self._pattern = pattern
        self._method = method
        self._answers: list[Outcome] | None = None
        self._cycle = True
        self._takes_ms: int | None = None
        self._times_out = False
        self._limit: int | None = None

    def respond(
        self,
        status: int = 200,
        *,
        json: Any = None,
        text: str | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Self:
        """Answer with *status* and at most one of *json*, *text* and *content*."""
        return self._answer_with([_outcome(status, json, text, content, headers)])

    def respond_with(self, answers: Iterable[Reply]) -> Self:
        """Answer with one after the other; after the last this route is spent."""
        given = [_from_reply(answer) for answer in answers]
        if not given:
            raise UsageError("respond_with([]) answers nothing: give at least one status")
        return self._answer_with(given, cycle=False)

    def time_out(self) -> Self:
        """Never answer: the attempt fails after the message's timeout, or after 15 minutes without one."""
        return self._answer_with([Outcome(error="timeout")], times_out=True)

    def refuse_connection(self) -> Self:
        """Fail at once, without an answer."""
        return self._answer_with([Outcome(error="connection refused")])

    def takes(self, duration: Duration) -> Self:
        """Let the answer, this route's or the application's, take *duration* of virtual time."""
        self._takes_ms = to_ms(duration)
        return self

    def times(self, count: int) -> Self:
        """Be spent after *count* more attempts."""
        if count < 0:
            raise ValueError(f"times({count}) is negative")
        self._limit, self._counted_from = count, self._called
        return self

    @property
    def spent(self) -> bool:
        """Whether it gives way to the next older route, or to the application."""
        limit = self._limit
        if self._answers is not None and not self._cycle:
            limit = len(self._answers) if limit is None else min(limit, len(self._answers))
        return limit is not None and self._called - self._counted_from >= limit

    @property
    def calls(self) -> list[Attempt]:
        """The attempts that came here, in start order; as many of the newest as the broker keeps messages."""
        return list(self._calls)

    def note(self, attempt: Attempt) -> None:
        """Count an attempt that came here."""
        self._calls.append(attempt)
        self._called += 1

    def matches(self, message: Message) -> bool:
        """Tell whether deliveries of *message* are its own."""
        return self._method in (None, message.method) and self._pattern.matches(message.url)

    def next_answer(self) -> Outcome | None:
        """Return what it answers now, unless it is spent; None leaves the answer to whoever comes next."""
        if self._answers is None:
            return None
        return self._answers[0 if self._cycle else self._called - self._counted_from]

    def _answer_with(self, answers: list[Outcome], *, cycle: bool = True, times_out: bool = False) -> Self:
        self._answers, self._cycle, self._times_out = answers, cycle, times_out
        self._counted_from = self._called
        return self

    def __repr__(self) -> str:
        return f"<Route {self._method or 'any method'} {self._pattern}, {self._called} calls>"


@dataclass(frozen=True, slots=True)
class Target:
    """Who answers one message: an application, and the routes that it passed on the way."""

    app: App
    routes: tuple[Route, ...] = ()

    def begin(self, attempt: Attempt) -> None:
        """Note that *attempt* has started."""
        for route in self.routes:
            route.note(attempt)

    def settle(self, message: Message, outcome: Outcome) -> Outcome:
        """Return *outcome* with its virtual duration; an answer that comes after the time-out is discarded."""
        takes_ms = next((route._takes_ms for route in self.routes if route._takes_ms is not None), 0)
        timeout_ms = message.timeout_ms
        if any(route._times_out for route in self.routes):
            outcome.duration_ms = DEFAULT_TIMEOUT_MS if timeout_ms is None else timeout_ms
        elif timeout_ms is not None and takes_ms > timeout_ms:
            return Outcome(error="timeout", duration_ms=timeout_ms, exception=outcome.exception)
        else:
            outcome.duration_ms = max(takes_ms, outcome.duration_ms)
        return outcome


@dataclass(slots=True)
class Mount:
    """An application and the URLs it answers; no prefix means every URL."""

    app: App
    prefix: str | None
    runs_lifespan: bool
    """Whether the sync verbs run the application's lifespan around its deliveries."""


@dataclass(slots=True)
class Targets:
    """All routes and mounts. *unrouted* is `error`, `accept` or `fail`."""

    unrouted: str = "error"
    mounts: list[Mount] = field(default_factory=list)
    routes: list[Route] = field(default_factory=list)
    lifespans: list[Lifespan] = field(default_factory=list)
    """Those that the test runs itself, of applications mounted before or after."""

    def __post_init__(self) -> None:
        if self.unrouted not in UNROUTED:
            raise UsageError(f"unrouted={self.unrouted!r} is unknown: use one of {', '.join(map(repr, UNROUTED))}")

    def mount(self, app: Any, prefix: str | None, *, lifespan: bool) -> None:
        """Let *app* answer every URL at or below *prefix*; one mounted there before is replaced."""
        if prefix is not None and "://" not in prefix:
            raise UsageError(f"cannot mount at {prefix!r}: give a URL such as 'https://shop.example', or none at all")
        self.mounts = [mount for mount in self.mounts if _normalized(mount.prefix) != _normalized(prefix)]
        kind = app_for(app)
        if isinstance(kind, Asgi):
            kind.lifespan = next((lifespan for lifespan in self.lifespans if lifespan.app is app), None)
        # A test client that was not entered starts no lifespan, and so neither do we.
        self.mounts.append(Mount(kind, prefix, lifespan and isinstance(kind, Asgi) and kind.app is app))

    @contextmanager
    def running(self, lifespan: Lifespan) -> Iterator[None]:
        """Let deliveries know the state of a *lifespan* that the test runs itself, as long as it does."""
        self.lifespans.append(lifespan)
        for app in self._asgi_apps(lifespan):
            app.lifespan = lifespan
        try:
            yield
        finally:
            self.lifespans.remove(lifespan)
            for app in self._asgi_apps(lifespan):
                app.lifespan = None

    def on(self, url: str | re.Pattern[str], method: str | None) -> Route:
        """Add the route that is asked first from now on."""
        route = Route(url_pattern(url), method.upper() if method else None)
        self.routes.append(route)
        return route

    def find(self, message: Message) -> Target:
        """Return who answers *message*, or raise UnroutedDestination."""
        passed: list[Route] = []
        for route in reversed(self.routes):
            if route.spent or not route.matches(message):
                continue
            passed.append(route)
            if (answer := route.next_answer()) is not None:
                return Target(Fixed(answer), tuple(passed))
        mount = self.mount_for(message.url)
        return Target(mount.app if mount else self._unrouted(message), tuple(passed))

    def mount_for(self, url: str) -> Mount | None:
        """Return the mount with the longest prefix that *url* lies under."""
        fitting = [mount for mount in self.mounts if mount.prefix is None or urls.under(mount.prefix, url)]
        return max(fitting, key=lambda mount: len(_normalized(mount.prefix)), default=None)

    def _asgi_apps(self, lifespan: Lifespan) -> list[Asgi]:
        kinds = (mount.app for mount in self.mounts)
        return [kind for kind in kinds if isinstance(kind, Asgi) and kind.app is lifespan.app]

    def _unrouted(self, message: Message) -> App:
        if self.unrouted == "accept":
            return Fixed(Outcome(status=200))
        if self.unrouted == "fail":
            return Fixed(Outcome(error=f"no app is mounted for {message.url}"))
        origin = "://".join(urls.split(message.url)[:2])
        # LLM_URL is the fake's own, mounted in every test.
        mounted = ", ".join(mount.prefix or "every URL" for mount in self.mounts if mount.prefix != LLM_URL)
        raise UnroutedDestination(
            f"no app for {message.url}: mount one with qstash_fake.mount(app, {origin!r}), or answer it with "
            f"qstash_fake.on({message.url!r}).respond(200); mounted: {mounted or 'nothing'}"
        )


def url_pattern(url: str | re.Pattern[str]) -> UrlPattern:
    """Return *url* as a pattern, or raise UsageError for one that can match nothing."""
    if isinstance(url, str) and not re.match(r"https?://", url, re.IGNORECASE) and url != "*":
        raise UsageError(f"{url!r} is no URL: it begins with http:// or https://, or is a compiled regex")
    return UrlPattern(re.compile(".*") if url == "*" else url)


def _normalized(prefix: str | None) -> str:
    return "" if prefix is None else urls.normalize(prefix).removesuffix("/")


def _from_reply(reply: Reply) -> Outcome:
    if isinstance(reply, int):
        return _outcome(reply)
    if isinstance(reply, Mapping):
        return _outcome(**reply)
    if not isinstance(reply, httpx.Response):
        raise UsageError(f"respond_with takes statuses, dicts of respond's arguments or httpx.Responses, not {reply!r}")
    answer = Answer()
    answer.take(reply)
    return _checked(answer)


def _outcome(
    status: int = 200,
    json: Any = None,
    text: str | None = None,
    content: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> Outcome:
    if sum(part is not None for part in (json, text, content)) > 1:
        raise UsageError("respond takes one of json=, text= and content=")
    if status not in STATUSES:
        raise UsageError(f"respond({status!r}): the status is an HTTP status, a number from 100 to 599")
    answer, content_type = Answer(), None
    answer.status, answer.headers, answer.body = status, headers or {}, content or b""
    if json is not None:
        answer.body, content_type = jsonlib.dumps(json).encode(), "application/json"
    elif text is not None:
        answer.body, content_type = text.encode(), "text/plain; charset=utf-8"
    outcome = _checked(answer)
    if content_type and not any(name.lower() == "content-type" for name, _ in outcome.headers):
        outcome.headers = (("content-type", content_type), *outcome.headers)
    return outcome


def _checked(answer: Answer) -> Outcome:
    outcome = outcome_of(answer)
    if outcome.exception is not None:
        raise UsageError(f"no route can answer so: {outcome.exception}")
    return outcome
