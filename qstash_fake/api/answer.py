"""The API as a function: `answer(method, raw target, headers, body)` gives the reply, by a literal table.

In this order: the token, the size of the body, a fault that a test asked for, the operation. Each call is noted.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from qstash_fake.api.auth import Auth
from qstash_fake.api.call import Call, Reply, error_reply
from qstash_fake.api.calls import Calls, in_words
from qstash_fake.api.faults import Asked, Faults
from qstash_fake.api.operations import (
    bulk_actions,
    dead_letters,
    flow_control,
    health,
    keys,
    llm,
    logs,
    messages,
    publish,
    queues,
    schedules,
    url_groups,
    workflow_dead_letters,
    workflows,
)
from qstash_fake.api.routing import Routes
from qstash_fake.broker.broker import Broker
from qstash_fake.errors import ConnectionDropped, Refused
from qstash_fake.protocol import http
from qstash_fake.protocol.workflow import names_a_run

Handler = Callable[[Call], Reply]
Pairs = Sequence[tuple[str, str]]

# Method, path, handler; routing.py says how a path is written. A new operation is a handler and a row.
OPERATIONS: tuple[tuple[str, str, Handler], ...] = (
    ("POST", "/v2/publish/{rest}", publish.publish),
    ("POST", "/v2/enqueue/{queue}/{rest}", publish.enqueue),
    ("POST", "/v2/batch", publish.batch),
    ("GET", "/v2/messages/{id}", messages.get_message),
    ("DELETE", "/v2/messages/{id}", messages.cancel_message),
    ("DELETE", "/v2/messages", messages.cancel_messages),
    ("GET", "/v2/bulkActions", bulk_actions.list_bulk_actions),
    ("GET", "/v2/bulkActions/{id}", bulk_actions.get_bulk_action),
    ("GET", "/v2/dlq", dead_letters.list_dead_letters),
    ("DELETE", "/v2/dlq", dead_letters.delete_dead_letters),
    ("POST", "/v2/dlq/retry", dead_letters.retry_dead_letters),
    ("POST", "/v2/dlq/retry/{id}", dead_letters.retry_dead_letter),
    ("GET", "/v2/dlq/{id}", dead_letters.get_dead_letter),
    ("DELETE", "/v2/dlq/{id}", dead_letters.delete_dead_letter),
    ("GET", "/v2/events", logs.list_events),
    ("GET", "/v2/logs", logs.list_logs),
    ("POST", "/v2/queues", queues.upsert_queue),
    ("GET", "/v2/queues", queues.list_queues),
    ("GET", "/v2/queues/{name}", queues.get_queue),
    ("DELETE", "/v2/queues/{name}", queues.delete_queue),
    ("DELETE", "/v2/queue/{name}", queues.delete_queue),  # the documentation's own examples
    ("POST", "/v2/queues/{name}/pause", queues.pause_queue),
    ("POST", "/v2/queues/{name}/resume", queues.resume_queue),
    ("GET", "/v2/schedules", schedules.list_schedules),
    # The SDKs pause with PATCH, the documentation with POST.
    *((verb, "/v2/schedules/{id:id}/pause", schedules.pause_schedule) for verb in ("POST", "PATCH", "PUT")),
    *((verb, "/v2/schedules/{id:id}/resume", schedules.resume_schedule) for verb in ("POST", "PATCH", "PUT")),
    ("POST", "/v2/schedules/{rest}", schedules.create_schedule),
    ("GET", "/v2/schedules/{id}", schedules.get_schedule),
    ("DELETE", "/v2/schedules/{id}", schedules.delete_schedule),
    ("GET", "/v2/topics", url_groups.list_url_groups),
    ("GET", "/v2/topics/{name}", url_groups.get_url_group),
    ("DELETE", "/v2/topics/{name}", url_groups.delete_url_group),
    ("PATCH", "/v2/topics/{name}", url_groups.set_defaults),
    ("POST", "/v2/topics/{name}/endpoints", url_groups.add_endpoints),
    ("DELETE", "/v2/topics/{name}/endpoints", url_groups.remove_endpoints),
    ("GET", "/v2/flowControl", flow_control.list_keys),
    ("POST", "/v2/flowControl/{key...}/pause", flow_control.pause_key),
    ("POST", "/v2/flowControl/{key...}/resume", flow_control.resume_key),
    ("POST", "/v2/flowControl/{key...}/pin", flow_control.pin),
    ("POST", "/v2/flowControl/{key...}/unpin", flow_control.unpin),
    ("POST", "/v2/flowControl/{key...}/resetRate", flow_control.reset_rate),
    ("POST", "/v2/flowControl/{key...}/reset", flow_control.reset_rate),
    ("GET", "/v2/flowControl/{key...}", flow_control.get_key),
    ("GET", "/v2/globalParallelism", flow_control.get_global_parallelism),
    ("GET", "/v2/keys", keys.get_keys),
    ("POST", "/v2/keys/rotate", keys.rotate_keys),
    ("POST", "/v2/rotate", keys.rotate_keys),  # the Go SDK has another path
    ("GET", "/v2/keys/rotate", keys.rotate_keys),  # the documentation's own Python example; assumed: as POST
    ("GET", "/v2/readiness", health.readiness),
    ("GET", "/v2/liveness", health.liveness),
    ("POST", "/llm/v1/chat/completions", llm.chat),
    ("POST", "/v2/wait/{event}", workflows.wait),
    ("POST", "/v2/notify/{event}", workflows.notify),
    ("POST", "/v2/notify/{run}/{event}", workflows.notify),
    ("GET", "/v2/waiters/{event}", workflows.list_waiters),
    ("GET", "/v2/workflows/runs/{run}", workflows.get_steps),
    ("DELETE", "/v2/workflows/runs/{run}", workflows.end_run),
    ("DELETE", "/v2/workflows/runs", workflows.cancel_runs),
    ("GET", "/v2/workflows/events", workflows.list_runs),
    ("GET", "/v2/workflows/logs", workflows.list_runs),
    ("POST", "/v2/trigger/{rest}", workflows.trigger),
    ("POST", "/v2/batch/trigger", workflows.trigger_all),
    ("GET", "/v2/workflows/dlq", workflow_dead_letters.list_dead_letters),
    ("DELETE", "/v2/workflows/dlq", workflow_dead_letters.delete_dead_letters),
    ("POST", "/v2/workflows/dlq/resume", workflow_dead_letters.resume_all),
    ("POST", "/v2/workflows/dlq/resume/{id}", workflow_dead_letters.resume),
    ("POST", "/v2/workflows/dlq/restart", workflow_dead_letters.restart_all),
    ("POST", "/v2/workflows/dlq/restart/{id}", workflow_dead_letters.restart),
    ("POST", "/v2/workflows/dlq/callback/{id}", workflow_dead_letters.retry_failure_function),
    ("DELETE", "/v2/workflows/dlq/callback/{id}", workflow_dead_letters.cancel_failure_function),
    ("GET", "/v2/workflows/dlq/{id}", workflow_dead_letters.get_dead_letter),
    ("DELETE", "/v2/workflows/dlq/{id}", workflow_dead_letters.delete_dead_letter),
    *(
        (verb, "/v2/workflows/hooks/{user}/{run}/{event}", workflows.hook)
        for verb in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
    ),
)
_ROUTES = Routes(OPERATIONS)
# A handler that some row reaches with another method than GET changes something, with a GET as well.
_CHANGING = frozenset(handler for method, _, handler in OPERATIONS if method != "GET")
# Called by other services, which have no token.
_OPEN = frozenset({workflows.hook})
MAX_BODY = 100 * 1024 * 1024  # assumed: bytes of a request, twice the largest message of any plan
LOCALHOST = "127.0.0.1"  # the caller is this process
# They exist and are not simulated. 501 keeps a test from taking silence for success.
NOT_SIMULATED = re.compile(r"/v1/|/v2/workflows(/|$)", re.IGNORECASE)


class Api:
    """The API of one broker. A test holds an `ApiView` of it.

    *tell_time* is called before each answer and tells the broker the time.
    """

    def __init__(self, broker: Broker, auth: Auth, tell_time: Callable[[], object] = lambda: None) -> None:
        self.broker = broker
        self.auth = auth
        self._tell_time = tell_time
        self.faults = Faults()
        self.chat_answer: Mapping[str, Any] = llm.CHAT_ANSWER
        """What `POST /llm/v1/chat/completions` answers."""
        self.problems: list[str] = []
        """Calls that were answered 501, and errors of our own; the application may have swallowed them."""
        self.calls = Calls()

    def reset(self) -> None:
        """Forget faults, problems, calls and the chat answer that was set."""
        self.faults, self.calls, self.chat_answer = Faults(), Calls(), llm.CHAT_ANSWER
        self.problems.clear()

    def answer(
        self,
        method: str,
        target: str,
        headers: Pairs,
        body: bytes,
        *,
        caller_ip: str = LOCALHOST,
        called_region: str | None = None,
    ) -> Reply:
        """Return the reply to a request for *target*, the raw path and query.

        *called_region* is the region of the host that was called, if the host is one of the cloud's.
        Raises nothing but ConnectionDropped: an error of our own is a 500 with its traceback in `problems`.
        """
        self._tell_time()
        with self.broker.lock:
            before, status, error = self.broker.accepted, 0, None
            written = self.broker.journal.total
            try:
                self._check_region(called_region)
                reply = self._operate(method, target, headers, body, caller_ip)
                status = reply.status
                disturbance = self.broker.disturbance
                if disturbance is not None and self.broker.accepted > before and disturbance.loses_answer(before):
                    raise ConnectionDropped("the connection broke before the answer")
            except ConnectionDropped as dropped:
                status, error = 0, str(dropped)  # the caller gets no status, although the message was accepted
                raise
            except Refused as refused:
                reply, status, error = self._refuse(refused, method, target), refused.status, refused.error
                if status == 400 and names_a_run(name for name, _ in headers):
                    self.broker.workflows.note_refused_step(refused)
            except Exception as failure:  # noqa: BLE001 - SDKs retry an exception for half a minute; they report a 500
                self.problems.append("".join(traceback.format_exception(failure)))
                status, error = 500, f"qstash_fake failed: {failure!r}"
                reply = error_reply(Refused(status, error))
            finally:
                told = error is None or (status == 400 and self.broker.journal.total > written)  # as a refused step
                self._note((method, target), status, error, before, told=told)
            return reply

    def refusal(self, method: str, target: str, headers: Pairs) -> Reply | None:
        """Return the reply to a request that is not let in, without its body; None if it is let in."""
        self._tell_time()
        with self.broker.lock:
            try:
                self._admit(method, target, headers, _declared_size(headers))
            except Refused as refused:
                self._note((method, target), refused.status, refused.error, self.broker.accepted, told=False)
                return self._refuse(refused, method, target)
            return None

    def _note(self, asked: tuple[str, str], status: int, error: str | None, before: int, *, told: bool) -> None:
        """Note a call. One that failed is in the journal too: the application may have swallowed the answer.

        *told* is whether the journal has a sentence on it.
        """
        self.calls.note(self.broker, asked, status, error, before)
        if error is not None and not told:
            text = in_words(*asked, status, error)
            self.broker.journal.note(self.broker.now_ms, text, in_vain=asked[0] != "GET")

    def _check_region(self, called: str | None) -> None:
        if self.broker.region is not None and called not in (None, self.broker.region):
            raise Refused(404, f"user not found in this region ({called})")  # QStash's own words

    def _operate(self, method: str, target: str, headers: Pairs, body: bytes, caller_ip: str) -> Reply:
        route = self._admit(method, target, headers, len(body))
        self.faults.spend()  # only by a call that was let in
        if route is not None:
            handler, variables = route
            return handler(Call(self.broker, variables, method, target, headers, body, caller_ip, self.chat_answer))
        path = target.partition("?")[0]
        if _ROUTES.knows(target):
            raise Refused(405, "Method Not Allowed")  # QStash's own words
        if NOT_SIMULATED.match(path):
            raise Refused(501, f"{method} {path} is not simulated by qstash_fake")
        raise Refused(404, f"{method} {path} not found")

    def _admit(self, method: str, target: str, headers: Pairs, size: int) -> tuple[Handler, Mapping[str, str]] | None:
        """Return the route of a request with a body of *size* bytes, None if there is none; or refuse to let it in."""
        route = _ROUTES.find(method, target)
        changes = method != "GET" or (route is not None and route[0] in _CHANGING)
        if route is None or route[0] not in _OPEN:
            self.auth.check("POST" if changes else "GET", headers, _token_query(target))
        if size > MAX_BODY:
            raise Refused(413, f"request body too large: it has more than {MAX_BODY} bytes")
        return route

    def _refuse(self, refused: Refused, method: str, target: str) -> Reply:
        if refused.status == 501 and not isinstance(refused, Asked):
            call = f"{method} {target.partition('?')[0]}"  # the query may hold a token
            self.problems.append(refused.error if call in refused.error else f"{call}: {refused.error}")
        return error_reply(refused)


def _token_query(target: str) -> str:
    """Return all of the query. Behind a raw destination that has a query itself, the token follows a second `?`."""
    return target.partition("?")[2].replace("?", "&")


def _declared_size(headers: Pairs) -> int:
    """Return what Content-Length says, 0 if it says nothing that can be read."""
    length = http.first(headers, "content-length") or ""
    return int(length[:20]) if length.isdecimal() else 0  # 20 digits are enough; Python reads no more than 4,300
