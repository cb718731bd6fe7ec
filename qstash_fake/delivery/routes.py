"""Routes: the answers that a test gives in the place of its application, made by `QStashFake.on`."""

from __future__ import annotations

import heapq
import itertools
import json as jsonlib
import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Never, Self

import httpx

from qstash_fake.broker.message import Attempt as InnerAttempt
from qstash_fake.broker.message import Message, Outcome
from qstash_fake.broker.store import MAX_DONE
from qstash_fake.broker.views import Attempt, attempt_of
from qstash_fake.delivery.answers import STATUSES, Answer, outcome_of
from qstash_fake.delivery.conditions import Condition, takes, times_out
from qstash_fake.delivery.kinds.functions import Fixed
from qstash_fake.errors import UsageError
from qstash_fake.protocol.attributes import NamesWhatIsMeant
from qstash_fake.protocol.durations import Duration, to_ms
from qstash_fake.protocol.keywords import did_you_mean, keywords, made_by_the_fake
from qstash_fake.protocol.urls import UrlPattern, normalize

OneAnswer = int | Mapping[str, Any] | httpx.Response
"""A status, the keyword arguments of `respond`, or a whole response."""


class Reply(NamedTuple):
    """One answer of a route, and the condition that it brings with it."""

    app: Fixed
    condition: Condition | None = None


class Route(NamesWhatIsMeant):
    """The answer to deliveries whose URL matches; made by `QStashFake.on`, every method returns the route itself."""

    @made_by_the_fake
    def __init__(self, pattern: UrlPattern, method: str | None) -> None:
        self._pattern = pattern
        self._method = method
        # Of each attempt that came here; pairs would be one object more for each, which Python's collector looks at.
        self._messages: deque[Message] = deque(maxlen=MAX_DONE)
        self._attempts: deque[InnerAttempt] = deque(maxlen=MAX_DONE)
        self._called = 0
        self._first: list[Reply] = []
        """Given one after the other, from the call `_first_from` on."""
        self._first_from = 0
        self._then: Reply | None = None
        """Given to every call after that."""
        self._limit: int | None = None
        """How many calls there may be, from the call `_limit_from` on."""
        self._limit_from = 0
        self._takes: Condition | None = None

    @keywords()
    def respond(
        self,
        status: int = 200,
        *,
        json: Any = None,
        text: str | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Self:
        """Answer with *status* and at most one of *json*, *text* and *content*.

        After `respond_with`, the methods `respond`, `time_out` and `refuse_connection` are for the calls after its
        list.
        """
        return self._answer_then(Reply(Fixed(_outcome(status, json, text, content, headers))))

    @keywords()
    def respond_with(self, answers: Iterable[OneAnswer], *more: Never) -> Self:
        """Answer with one after the other; then the route is spent, unless `respond()` or the like follows."""
        if more or isinstance(answers, (int, Mapping, httpx.Response)):
            raise UsageError(_give_a_list(answers, *more))
        given = [Reply(Fixed(_one(answer))) for answer in answers]
        if not given:
            raise UsageError("respond_with([]) answers nothing: give at least one status")
        self._first, self._first_from, self._then = given, self._called, None
        return self

    def time_out(self) -> Self:
        """Never answer: the attempt fails after the message's timeout, or after 15 minutes without one."""
        return self._answer_then(Reply(Fixed(Outcome(error="timeout")), times_out))

    def refuse_connection(self) -> Self:
        """Fail at once, without an answer."""
        return self._answer_then(Reply(Fixed(Outcome(error="connection refused"))))

    def takes(self, duration: Duration) -> Self:
        """Let the answer, this route's or the application's, take *duration* of virtual time."""
        self._takes = takes(to_ms(duration))
        return self

    def times(self, count: int) -> Self:
        """Be spent after *count* more attempts."""
        if count < 0:
            raise ValueError(f"times({count}) is negative")
        self._limit, self._limit_from = count, self._called
        return self

    @property
    def spent(self) -> bool:
        """Whether it gives way to the next older route, or to the application."""
        if self._limit is not None and self._called - self._limit_from >= self._limit:
            return True
        return bool(self._first) and self._then is None and self._called - self._first_from >= len(self._first)

    @property
    def called(self) -> bool:
        """Whether an attempt came here."""
        return self._called > 0

    @property
    def call_count(self) -> int:
        """How many attempts came here."""
        return self._called

    @property
    def calls(self) -> list[Attempt]:
        """The attempts that came here, in start order; as many of the newest as the broker keeps messages."""
        return list(map(attempt_of, self._messages, self._attempts))

    # --- for `mounts` alone: a test has the names above ---------------------------------------------------------

    def _note(self, message: Message, attempt: InnerAttempt) -> None:
        """Count an attempt that came here."""
        self._messages.append(message)
        self._attempts.append(attempt)
        self._called += 1

    def _matches(self, message: Message) -> bool:
        """Tell whether deliveries of *message* are its own."""
        return self._method in (None, message.method) and self._pattern.matches(message.url)

    def _has_answered(self, attempt: InnerAttempt) -> bool:
        """Tell whether *attempt* has its answer from here, and not from an application."""
        return bool(self._first or self._then) and any(attempt is one for one in self._attempts)

    def _way_out(self) -> str:
        """Return what to do about a delivery that this route matches and does not answer, for a sentence."""
        if not self.spent:
            return f"give {self} an answer, such as .respond(200): it has none"
        if self._limit is None:
            return f"let {self} answer longer, with .respond(200) after respond_with(): its answers are spent"
        return f"let {self} answer longer: its times({self._limit}) are over"

    def _next_reply(self) -> Reply | None:
        """Return what it answers now, unless it is spent; None leaves the answer to the next route or mount."""
        number = self._called - self._first_from
        return self._first[number] if number < len(self._first) else self._then

    def _answer_then(self, reply: Reply) -> Self:
        self._then = reply
        return self

    def __str__(self) -> str:
        """Return the call that has made it."""
        pattern = self._pattern.pattern
        shown = repr(pattern) if isinstance(pattern, str) else str(self._pattern)
        return f"on({shown}{f', {self._method!r}' if self._method else ''})"

    def __repr__(self) -> str:
        return f"<Route {self._method or 'any method'} {self._pattern}, {self._called} calls>"


class Routes:
    """The routes of one fake, in the order in which they were made.

    Most routes are for one URL, and a test may have one for each of its messages. A table finds these by their URL.
    Only the others, prefixes and regular expressions, have to be asked one after the other.
    """

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._all: dict[Route, int] = {}
        self._exact: dict[str, list[Route]] = {}
        self._others: list[Route] = []

    def __iter__(self) -> Iterator[Route]:
        return iter(self._all)

    def add(self, route: Route) -> None:
        """Ask *route* first from now on."""
        self._all[route] = next(self._numbers)
        self._group(route).append(route)

    def remove(self, route: Route) -> None:
        """Ask *route* no longer."""
        del self._all[route]
        self._group(route).remove(route)

    def matching(self, message: Message) -> Iterator[Route]:
        """Yield the routes that match *message* and are not spent, the newest first."""
        newest_first: Iterable[Route] = reversed(self._others)
        if self._exact:
            url = normalize(message.url)
            found = (self._exact.get(key, ()) for key in dict.fromkeys((url, url.partition("?")[0])))
            groups = (newest_first, *map(reversed, found))
            newest_first = heapq.merge(*groups, key=self._all.__getitem__, reverse=True)
        for route in newest_first:
            if not route.spent and route._matches(message):
                yield route

    def instead_of(self, route: Route) -> Route | None:
        """Return the newest of the newer routes that deliveries came to which *route* matches too."""
        for newer in itertools.takewhile(lambda one: one is not route, reversed(self._all)):
            if any(map(route._matches, newer._messages)):
                return newer
        return None

    def _group(self, route: Route) -> list[Route]:
        exact = route._pattern.exact
        return self._others if exact is None else self._exact.setdefault(exact, [])


def url_pattern(url: str | re.Pattern[str]) -> UrlPattern:
    """Return *url* as a pattern, or raise UsageError for one that can match nothing."""
    if isinstance(url, str) and not is_url(url) and url != "*":
        raise UsageError(f"{url!r} is no URL: it begins with http:// or https://, or is a compiled regex")
    return UrlPattern(url)


def is_url(value: object) -> bool:
    """Tell whether *value* is a URL, as text or as an object that shows one."""
    return re.match(r"https?://", str(value), re.IGNORECASE) is not None


def _give_a_list(*given: object) -> str:
    """Return a sentence on *given*, answers that `respond_with` got without a list around them."""
    lists = [one if isinstance(one, list) else [one] for one in given]
    written, right = ", ".join(map(repr, given)), repr(list(itertools.chain(*lists)))
    return f"respond_with({written}) is not one list of answers: write respond_with({right})"


_ARGUMENTS = ("status", "json", "text", "content", "headers")  # of `respond`


def _one(given: OneAnswer) -> Outcome:
    if isinstance(given, int):
        return _outcome(given)
    if isinstance(given, Mapping):
        for name in given:
            if name not in _ARGUMENTS:
                near = did_you_mean(str(name), _ARGUMENTS, "{!r}")
                raise UsageError(f"respond_with has no {name!r}{near}: a dict takes {', '.join(_ARGUMENTS)}")
        return _outcome(**given)
    if not isinstance(given, httpx.Response):
        raise UsageError(f"respond_with takes statuses, dicts of respond's arguments or httpx.Responses, not {given!r}")
    answer = Answer()
    answer.take(given)
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
        return outcome._replace(headers=(("content-type", content_type), *outcome.headers))
    return outcome


def _checked(answer: Answer) -> Outcome:
    outcome = outcome_of(answer)
    if outcome.exception is not None:
        raise UsageError(f"no route can answer like this: {outcome.exception}")
    return outcome
