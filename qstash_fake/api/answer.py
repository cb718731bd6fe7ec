"""The API as a function: `answer(method, raw target, headers, body)` gives the reply, by a literal table."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import unquote

from qstash_fake.api import messages, resources
from qstash_fake.api.auth import Auth
from qstash_fake.api.call import Call, Reply, error_reply
from qstash_fake.api.faults import Faults
from qstash_fake.broker.broker import Broker
from qstash_fake.errors import Refused

Handler = Callable[[Call], Reply]

CHAT_ANSWER: Mapping[str, Any] = {
    "id": "chatcmpl-qstash-fake",
    "object": "chat.completion",
    "created": 0,
    "model": "qstash-fake",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "Hello from qstash_fake."}, "finish_reason": "stop"}
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}

# Method, path, handler. `{name}` is one segment, decoded; `{name...}` may hold slashes; `{rest}` is the raw rest of
# the target, query and all. Letters of the fixed parts match in any case and a trailing slash does not count.
# A path that fits several rows belongs to the first.
OPERATIONS: tuple[tuple[str, str, Handler], ...] = (
    ("POST", "/v2/publish/{rest}", messages.publish),
    ("POST", "/v2/enqueue/{queue}/{rest}", messages.enqueue),
    ("POST", "/v2/batch", messages.batch),
    ("GET", "/v2/messages/{id}", messages.get_message),
    ("DELETE", "/v2/messages/{id}", messages.cancel_message),
    ("DELETE", "/v2/messages", messages.cancel_messages),
    ("GET", "/v2/dlq", messages.list_dead_letters),
    ("DELETE", "/v2/dlq", messages.delete_dead_letters),
    ("POST", "/v2/dlq/retry", messages.retry_dead_letters),
    ("POST", "/v2/dlq/retry/{id}", messages.retry_dead_letter),
    ("GET", "/v2/dlq/{id}", messages.get_dead_letter),
    ("DELETE", "/v2/dlq/{id}", messages.delete_dead_letter),
    ("GET", "/v2/{kind:events|logs}", messages.list_logs),
    ("POST", "/v2/queues", resources.upsert_queue),
    ("GET", "/v2/queues", resources.list_queues),
    ("GET", "/v2/queues/{name}", resources.get_queue),
    ("DELETE", "/v2/queues/{name}", resources.delete_queue),
    ("DELETE", "/v2/queue/{name}", resources.delete_queue),  # the documentation's own examples
    ("POST", "/v2/queues/{name}/pause", resources.pause_queue),
    ("POST", "/v2/queues/{name}/resume", resources.resume_queue),
    ("GET", "/v2/schedules", resources.list_schedules),
    # The SDKs pause with PATCH, the documentation with POST.
    *((verb, "/v2/schedules/{id:name}/pause", resources.pause_schedule) for verb in ("POST", "PATCH", "PUT")),
    *((verb, "/v2/schedules/{id:name}/resume", resources.resume_schedule) for verb in ("POST", "PATCH", "PUT")),
    ("POST", "/v2/schedules/{rest}", messages.create_schedule),
    ("GET", "/v2/schedules/{id}", resources.get_schedule),
    ("DELETE", "/v2/schedules/{id}", resources.delete_schedule),
    ("GET", "/v2/topics", resources.list_url_groups),
    ("GET", "/v2/topics/{name}", resources.get_url_group),
    ("DELETE", "/v2/topics/{name}", resources.delete_url_group),
    ("PATCH", "/v2/topics/{name}", resources.set_defaults),
    ("POST", "/v2/topics/{name}/endpoints", resources.add_endpoints),
    ("DELETE", "/v2/topics/{name}/endpoints", resources.remove_endpoints),
    ("GET", "/v2/flowControl", resources.list_flow_control),
    ("POST", "/v2/flowControl/{key...}/pause", resources.pause_flow_control),
    ("POST", "/v2/flowControl/{key...}/resume", resources.resume_flow_control),
    ("POST", "/v2/flowControl/{key...}/pin", resources.pin_flow_control),
    ("POST", "/v2/flowControl/{key...}/unpin", resources.unpin_flow_control),
    ("POST", "/v2/flowControl/{key...}/resetRate", resources.reset_rate),
    ("POST", "/v2/flowControl/{key...}/reset", resources.reset_rate),
    ("GET", "/v2/flowControl/{key...}", resources.get_flow_control),
    ("GET", "/v2/globalParallelism", resources.global_parallelism),
    ("GET", "/v2/keys", resources.get_keys),
    # The Go SDK has a path of its own.
    ("POST", "/v2/keys/rotate", resources.rotate_keys),
    ("POST", "/v2/rotate", resources.rotate_keys),
    ("GET", "/v2/keys/rotate", resources.rotate_keys),  # the documentation's own Python example
    ("GET", "/v2/readiness", resources.readiness),
    ("GET", "/v2/liveness", resources.liveness),
    ("POST", "/llm/v1/chat/completions", resources.chat),
)
ROTATES = re.compile(r"/v2/keys/rotate/?", re.IGNORECASE)
# Known to exist and not simulated: 501, so that nobody takes silence for success.
NOT_SIMULATED = re.compile(r"/v1/|/v2/(workflows|wait|waiters|notify|trigger)(/|$)", re.IGNORECASE)


class Row(NamedTuple):
    """A row of the table, ready to match."""

    method: str
    pattern: re.Pattern[str]
    raw: bool  # matched against the target with its query
    handler: Handler


class Api:
    """The API of one broker. Its faults and its canned chat answer are set here, its problems noted here.

    *tell_time* is called before each answer, so that the broker knows what time it is.
    """

    def __init__(self, broker: Broker, auth: Auth, tell_time: Callable[[], object] = lambda: None) -> None:
        self.broker = broker
        self.auth = auth
        self._tell_time = tell_time
        self.faults = Faults()
        self.chat_answer: Mapping[str, Any] = CHAT_ANSWER
        """What `POST /llm/v1/chat/completions` answers."""
        self.problems: list[str] = []
        """Calls that were answered 501, and errors of our own; the application may have swallowed them."""

    def reset(self) -> None:
        """Forget faults, problems and the chat answer that was set."""
        self.faults, self.chat_answer = Faults(), CHAT_ANSWER
        self.problems.clear()

    def fail(self, kind: str | int = "burst", times: int = 1) -> None:
        """Answer the next *times* calls with 429 of *kind*, `burst`, `daily` or `chat`, or with a status."""
        self.faults.fail(kind, times)

    def drop_connection(self, times: int = 1) -> None:
        """Break the connection of the next *times* calls.

        The SDKs try again, and really sleep between their attempts, 32 seconds in all; to test that without sleeping
        give the client a backoff of no milliseconds: `QStash(token, retry={"retries": 2, "backoff": lambda n: 0})`.
        """
        self.faults.drop_connection(times)

    def answer(
        self,
        method: str,
        target: str,
        headers: Sequence[tuple[str, str]],
        body: bytes,
        *,
        caller_ip: str = "127.0.0.1",
    ) -> Reply:
        """Return the reply to a request for *target*, the raw path and query.

        Raises nothing but ConnectionDropped: an error of our own is a 500 with its traceback in `problems`.
        """
        self._tell_time()
        fault = self.faults.next()
        if fault is not None:
            return fault
        try:
            with self.broker.lock:
                return self._answer(method, target, headers, body, caller_ip)
        except Refused as refused:
            if refused.status == 501:
                call = f"{method} {target.partition('?')[0]}"  # the query may hold a token
                self.problems.append(refused.error if call in refused.error else f"{call}: {refused.error}")
            return error_reply(refused)
        except Exception as error:  # noqa: BLE001 - SDKs retry an exception for half a minute; they report a 500
            self.problems.append("".join(traceback.format_exception(error)))
            return error_reply(Refused(500, f"qstash_fake failed: {error!r}"))

    def _answer(
        self, method: str, target: str, headers: Sequence[tuple[str, str]], body: bytes, caller_ip: str
    ) -> Reply:
        path, _, query = target.partition("?")
        # An example of the documentation rotates with GET; a token that may only read may not.
        self.auth.check("POST" if ROTATES.fullmatch(path) else method, headers, _token_query(target))
        path_is_known = False
        for row in _ROWS:
            if (match := row.pattern.fullmatch(target if row.raw else path)) is None:
                continue
            path_is_known = True
            if row.method == method:
                variables = match.groupdict(default="")
                return row.handler(
                    Call(
                        broker=self.broker,
                        path={name: value if name == "rest" else unquote(value) for name, value in variables.items()},
                        query_string=query,
                        headers=headers,
                        body=body,
                        caller_ip=caller_ip,
                        chat_answer=self.chat_answer,
                    )
                )
        if path_is_known:
            text = (("Content-Type", "text/plain; charset=utf-8"),)
            return Reply(status=405, headers=text, body=b"Method Not Allowed")  # QStash's own, no JSON
        if NOT_SIMULATED.match(path):
            raise Refused(501, f"{method} {path} is not simulated by qstash_fake")
        raise Refused(404, f"{method} {path} not found")


def _token_query(target: str) -> str:
    """Return all of the query; behind a raw destination that has one of its own, the token follows a second `?`."""
    return target.partition("?")[2].replace("?", "&")


def _rows() -> Iterator[Row]:
    for method, path, handler in OPERATIONS:
        raw = path.endswith("/{rest}")
        pattern = re.sub(r"\{(\w+)(?::([\w|]+))?(\.\.\.)?\}", _variable, path.removesuffix("/{rest}"))
        pattern += r"(?:/(?P<rest>.*)|(?=\?|$).*)" if raw else "/?"
        yield Row(method, re.compile(pattern, re.IGNORECASE | re.DOTALL), raw, handler)


def _variable(match: re.Match[str]) -> str:
    name, kind, many = match.groups()
    if kind == "name":
        return f"(?P<{name}>[A-Za-z0-9._-]+)"
    return f"(?P<{name}>{kind or ('.+?' if many else '[^/]+')})"


_ROWS = tuple(_rows())
