"""Routes: the answers that a test gives in the place of its application, made by `QStashFake.on`."""

from __future__ import annotations

import json as jsonlib
import re
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, Self

import httpx

from qstash_fake.broker.message import Attempt, Message, Outcome
from qstash_fake.broker.store import MAX_DONE
from qstash_fake.delivery.answers import STATUSES, Answer, outcome_of
from qstash_fake.delivery.conditions import Condition, takes, times_out
from qstash_fake.errors import UsageError
from qstash_fake.protocol.durations import Duration, to_ms
from qstash_fake.protocol.urls import UrlPattern

OneAnswer = int | Mapping[str, Any] | httpx.Response
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
        self._takes: Condition | None = None
        self._times_out: Condition | None = None
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

    def respond_with(self, answers: Iterable[OneAnswer]) -> Self:
        """Answer with one after the other; after the last this route is spent."""
        given = [_one(answer) for answer in answers]
        if not given:
            raise UsageError("respond_with([]) answers nothing: give at least one status")
        return self._answer_with(given, cycle=False)

    def time_out(self) -> Self:
        """Never answer: the attempt fails after the message's timeout, or after 15 minutes without one."""
        return self._answer_with([Outcome(error="timeout")], times_out=times_out)

    def refuse_connection(self) -> Self:
        """Fail at once, without an answer."""
        return self._answer_with([Outcome(error="connection refused")])

    def takes(self, duration: Duration) -> Self:
        """Let the answer, this route's or the application's, take *duration* of virtual time."""
        self._takes = takes(to_ms(duration))
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

    # --- for `mounts` alone: a test has the names above ---------------------------------------------------------

    def _note(self, attempt: Attempt) -> None:
        """Count an attempt that came here."""
        self._calls.append(attempt)
        self._called += 1

    def _matches(self, message: Message) -> bool:
        """Tell whether deliveries of *message* are its own."""
        return self._method in (None, message.method) and self._pattern.matches(message.url)

    def _next_answer(self) -> Outcome | None:
        """Return what it answers now, unless it is spent; None leaves the answer to whoever comes next."""
        if self._answers is None:
            return None
        return self._answers[0 if self._cycle else self._called - self._counted_from]

    def _answer_with(self, answers: list[Outcome], *, cycle: bool = True, times_out: Condition | None = None) -> Self:
        self._answers, self._cycle, self._times_out = answers, cycle, times_out
        self._counted_from = self._called
        return self

    def __repr__(self) -> str:
        return f"<Route {self._method or 'any method'} {self._pattern}, {self._called} calls>"


def url_pattern(url: str | re.Pattern[str]) -> UrlPattern:
    """Return *url* as a pattern, or raise UsageError for one that can match nothing."""
    if isinstance(url, str) and not re.match(r"https?://", url, re.IGNORECASE) and url != "*":
        raise UsageError(f"{url!r} is no URL: it begins with http:// or https://, or is a compiled regex")
    return UrlPattern(re.compile(".*") if url == "*" else url)


def _one(given: OneAnswer) -> Outcome:
    if isinstance(given, int):
        return _outcome(given)
    if isinstance(given, Mapping):
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
        outcome.headers = (("content-type", content_type), *outcome.headers)
    return outcome


def _checked(answer: Answer) -> Outcome:
    outcome = outcome_of(answer)
    if outcome.exception is not None:
        raise UsageError(f"no route can answer so: {outcome.exception}")
    return outcome
