"""From what an application answers and raises to the outcome of an attempt. The one place that checks an answer.

An application can answer anything. The caller hands the answer on unchecked, as an `Answer`. `outcome_of` makes an
outcome of it, on which the broker, the API and the callbacks can rely. An answer that no server could send is an error
of the application, like an exception: the attempt fails with status 500 and says why.
"""

from __future__ import annotations

import reprlib
from collections.abc import AsyncIterable, Iterable
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Self

from qstash_fake.broker.message import Outcome
from qstash_fake.delivery.classes import is_a
from qstash_fake.protocol.http import is_token, wire

STATUSES = range(100, 600)  # RFC 9110, 15: other values are no status
MAX_BODY = 50 * 1024 * 1024  # bytes that are read of an answer; the largest plan's message size, QStash pricing
BROKEN = "the connection was closed before the response was complete"  # assumed: its status does not count
_BYTES = (bytes, bytearray, memoryview)
_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = 80  # characters
_HEADER_BREAKERS = frozenset("\r\n\0")  # RFC 9110, 5.5: such a value would end the header


class Answer:
    """What an application answers and raises. As a context manager it keeps the exception that leaves its block.

    Only the application's own code stands inside the block: a mistake of ours there would be reported as one of the
    application's. `note_swallowed` notes an exception that a framework swallows meanwhile.
    """

    __slots__ = ("_outer", "body", "exception", "header_type", "headers", "status", "swallowed")

    def __init__(self, header_type: tuple[type, ...] = (str, bytes)) -> None:
        self.status: Any = None
        self.headers: Any = ()
        self.header_type = header_type
        self.body: Any = b""
        self.exception: Exception | None = None
        self.swallowed: Exception | None = None

    def __enter__(self) -> Self:
        self._outer = _under_way.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        _under_way.reset(self._outer)
        if not isinstance(error, Exception):
            return False
        self.exception = error
        return True

    def take(self, response: Any) -> None:
        """Take over the content of *response*: one of httpx, httpx2 or requests, or an object like it."""
        _check_is_response(response)
        if _is_httpx(response):  # it may be unread
            body = Body()
            body.read(response.iter_bytes())
            response.close()
            content = body.joined()
        else:
            content = response.content
        self._take(response, content)

    async def take_async(self, response: Any) -> None:
        """Do what `take` does on a loop, where the stream of a response may be asynchronous."""
        if not _is_httpx(response) or not isinstance(response.stream, AsyncIterable):
            self.take(response)
            return
        body = Body()
        await body.read_async(response.aiter_bytes())
        await response.aclose()
        self._take(response, body.joined())

    def _take(self, response: Any, content: Any) -> None:
        """Take over everything at once: without a readable body, a status is no answer."""
        self.status, self.headers, self.body = response.status_code, response.headers, content


# Copied into the tasks and threads that the application starts for the request, as every context variable is.
_under_way: ContextVar[Answer | None] = ContextVar("the answer under way", default=None)


def note_swallowed(error: object) -> None:
    """Note on the answer under way that its framework has turned *error* into an answer."""
    answer = _under_way.get()
    if answer is not None and isinstance(error, Exception):
        answer.swallowed = error


class Body:
    """The body of an answer that comes in parts; no more than MAX_BODY bytes are kept."""

    __slots__ = ("_parts", "complete", "full", "size")

    def __init__(self) -> None:
        self.size = 0
        """How many bytes have come."""
        self.full = False
        """Whether no more is read."""
        self.complete = False
        """Whether nothing more is to come, or to be read."""
        self._parts: list[Any] = []

    def read(self, parts: Iterable[Any]) -> None:
        """Read *parts* to their end, or until the body is full."""
        for part in parts:
            self.add(part)
            if self.full:
                break
        self.complete = True

    async def read_async(self, parts: AsyncIterable[Any]) -> None:
        """Do what `read` does."""
        async for part in parts:
            self.add(part)
            if self.full:
                break
        self.complete = True

    def add(self, part: Any) -> None:
        """Keep *part*, or as much of it as there is room for; after a part that is no bytes, nothing more is read."""
        if isinstance(part, _BYTES):
            part = bytes(part)[: MAX_BODY - self.size]
            self.size += len(part)
            self.full = self.size == MAX_BODY
        else:
            self.full = True
        self._parts.append(part)

    def joined(self) -> Any:
        """Return everything that has come, joined; or the part that is no bytes."""
        wrong = self._parts and not isinstance(self._parts[-1], bytes)
        return self._parts[-1] if wrong else b"".join(self._parts)


def outcome_of(answer: Answer | Outcome) -> Outcome:
    """Return what *answer* means: an outcome stays as it is; no answer at all, or an exception, is a 500."""
    if isinstance(answer, Outcome):
        return answer
    if answer.status is None and answer.exception is not None:
        return failed(answer.exception)
    try:
        status = _status(answer.status)
        exception = answer.exception
        if exception is None and status == 500:  # where another answer was made of it, it was handled
            exception = answer.swallowed
        return Outcome(
            status=status,
            headers=tuple([_header(pair, answer.header_type) for pair in _pairs(answer.headers)]),
            body=_bytes(answer.body)[:MAX_BODY],
            exception=exception,
        )
    except (TypeError, ValueError) as problem:
        return failed(answer.exception or problem)


def failed(error: BaseException) -> Outcome:
    """Return the outcome of an attempt that has nothing but an *error*."""
    return Outcome(status=500, body=b"Internal Server Error", exception=error)


def _check_is_response(given: Any) -> None:
    if not hasattr(given, "status_code") or not hasattr(given, "headers"):
        raise TypeError(
            f"what is mounted returned {_shown(given)}: return an httpx.Response, "
            f"or anything with status_code, headers and content"
        )


def _is_httpx(response: Any) -> bool:
    return is_a(response, "httpx.Response", "httpx2.Response")


def _status(given: Any) -> int:
    if isinstance(given, int) and given in STATUSES:
        return int(given)
    wrong = ValueError if isinstance(given, int) else TypeError
    raise wrong(f"the answer has the status {_shown(given)}: give a number from 100 to 599")


def _pairs(given: Any) -> list[tuple[Any, Any]]:
    # httpx's headers keep values of one name apart in multi_items(), the others in items().
    read = getattr(given, "multi_items", None) or getattr(given, "items", None)
    try:
        return [(name, value) for name, value in (read() if read else given)]
    except Exception:  # noqa: BLE001 - a look-alike of headers may raise anything when it is read
        raise TypeError(f"the answer has the headers {_shown(given)}: give pairs of a name and a value") from None


def _header(pair: tuple[Any, Any], wanted: tuple[type, ...]) -> tuple[str, str]:
    for part in pair:
        if not isinstance(part, wanted):
            types = " or ".join(one.__name__ for one in wanted)
            raise TypeError(f"the answer has the header {_shown(pair)}: give name and value as {types}")
    name, value = _text(pair[0]), _text(pair[1])
    if not is_token(name):
        raise ValueError(f"the answer has the header {_shown(pair)}, whose name no header can have")
    if not value.isprintable() and not _HEADER_BREAKERS.isdisjoint(value):
        raise ValueError(f"the answer has the header {_shown(pair)}, whose value has a line break or a null")
    return name, value


def _text(given: str | bytes) -> str:
    """Return a name or a value with a character for each byte, as it comes off the wire."""
    if isinstance(given, bytes):
        return given.decode("latin-1")
    try:
        given.encode("latin-1")
    except UnicodeEncodeError:
        return wire(given)
    return given


def _bytes(given: Any) -> bytes:
    if isinstance(given, _BYTES):
        return bytes(given)
    raise TypeError(f"the answer has the body, or a part of it, {_shown(given)}: give bytes")


def _shown(given: Any) -> str:
    """Return *given* for people, no longer than a line."""
    return _REPR.repr(given)
