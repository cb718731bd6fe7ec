"""Upstash Workflow on the wire: what the `Upstash-Workflow-*` headers of a publish say, and how a step looks. Pure.

A workflow is called again and again. Each call carries the list of the steps that are done, and the workflow publishes
the next step as a message to itself. The headers of that message say to which run it belongs, and what it is there.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from qstash_fake.errors import Refused
from qstash_fake.protocol import durations
from qstash_fake.protocol.http import Headers, text, wire

PREFIX = "upstash-workflow-"
PROTOCOL_HEADER = "Upstash-Workflow-Sdk-Version"
"""Whether a request, or an answer, speaks the protocol of workflows."""
PROTOCOL_VERSION = "1"
SDK_HEADER = "upstash-workflow-sdk"
"""In an answer: which SDK gave it. The TypeScript SDK sends it since 1.0."""

# Headers about the delivery itself; a forwarded header of the same name does not reach the endpoint.
_OWN = frozenset(
    PREFIX + name for name in ("runid", "url", "init", "calltype", "createdat", "sdk-version", "unknown-sdk")
)


ENDED = "can not append to a a cancelled workflow"
"""Why a step is refused with 400, in the service's own words, however the run has ended."""


class CallType(StrEnum):
    """What a message does for its run, in the API's words."""

    STEP = "step"
    TO_CALLBACK = "toCallback"
    """The request of a call to another service."""
    FROM_CALLBACK = "fromCallback"
    """The report of its answer."""
    FAILURE = "failureCall"
    """The report that the run has failed."""


class Feature(StrEnum):
    """The features of an SDK in `Upstash-Feature-Set`; the server has to know only these."""

    DETECT_TRIGGER = "WF_DetectTrigger"
    """A first answer without the protocol's header fails the run."""
    TRIGGER_ON_CONFIG = "WF_TriggerOnConfig"
    """The message leaves its configuration to what the run was started with."""


_CALL_TYPES = {call_type.lower(): call_type for call_type in CallType}
_INIT = {"": None, "true": True, "false": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """What the headers of a publish, or of a callback's family, say about its run."""

    run_id: str
    """Empty if none is named."""
    init: bool
    """Whether it starts a run; otherwise it belongs to one."""
    url: str = ""
    call_type: CallType = CallType.STEP
    features: frozenset[str] = frozenset()
    invoke: bool = False
    """Whether another run waits for the result of the one that it starts."""
    by_sdk: bool = False
    """Whether the endpoint's SDK starts a run again that the API had started for it."""
    unknown_sdk: bool = False
    """Whether the endpoint's SDK is to start the run again."""
    by_server: bool = False
    """Whether the API itself starts the run, in the place of an SDK."""


def parse_marks(grouped: Mapping[str, Sequence[str]]) -> Marks | None:
    """Return what headers, *grouped* by their names in lower case, say about a run; None if they name none."""

    def value(name: str) -> str:
        values = grouped.get(name)
        return text(values[0]).strip() if values else ""

    run_id, init = value("upstash-workflow-runid"), value("upstash-workflow-init")
    if not run_id and not init:
        return None
    if init.lower() not in _INIT:
        raise Refused(400, f"invalid Upstash-Workflow-Init: {init!r} is neither true nor false")
    call_type = value("upstash-workflow-calltype") or CallType.STEP
    if call_type.lower() not in _CALL_TYPES:
        raise Refused(400, f"invalid Upstash-Workflow-CallType: {call_type!r} is not one of {', '.join(CallType)}")
    return Marks(
        run_id=run_id,
        init=bool(_INIT[init.lower()]),
        url=value("upstash-workflow-url"),
        call_type=_CALL_TYPES[call_type.lower()],
        features=frozenset(value("upstash-feature-set").replace(",", " ").split()),
        invoke=value("upstash-workflow-invoke").lower() == "true",
        by_sdk=value("upstash-workflow-trigger-by-sdk").lower() == "true",
        unknown_sdk=value("upstash-workflow-unknown-sdk").lower() == "true",
    )


def names_a_run(names: Iterable[str]) -> bool:
    """Tell whether headers of these *names* make a message part of a run, or start one."""
    return any(name.lower() in ("upstash-workflow-runid", "upstash-workflow-init") for name in names)


def delivered_headers(
    forwarded: Headers, *, run_id: str, url: str, created_ms: int, init: bool, call_type: CallType, lists: bool
) -> Headers:
    """Return the headers of a delivery to a workflow: the headers *forwarded*, and those about the run.

    Only a delivery that *lists* the steps names the protocol: without that header, an SDK takes the body as it is.
    """
    return (
        *user_headers(forwarded),
        ("Upstash-Workflow-RunId", run_id),
        ("Upstash-Workflow-Init", "true" if init else "false"),
        ("Upstash-Workflow-Url", url),
        ("Upstash-Workflow-CallType", call_type),
        ("Upstash-Workflow-CreatedAt", str(created_ms)),
        *(((PROTOCOL_HEADER, PROTOCOL_VERSION),) if lists else ()),
    )


def user_headers(forwarded: Headers) -> Headers:
    """Return the headers *forwarded* with the start of a run that all its messages inherit."""
    return tuple(pair for pair in forwarded if pair[0].lower() not in _OWN)


def encode_entry(message_id: str, body: bytes, call_type: CallType) -> bytes:
    """Return an element of the list that is delivered."""
    return b'{"messageId":%s,"body":"%s","callType":"%s"}' % (
        json.dumps(message_id).encode(),
        base64.b64encode(body),
        call_type.encode(),
    )


# --- steps -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Step:
    """A step as the SDKs write it: a result, or the plan of one of several that run in parallel."""

    given: Mapping[str, Any]

    @property
    def id(self) -> int:
        """Its number in the run, from 1 on; 0 for a plan."""
        return _integer(self.given.get("stepId"))

    @property
    def target(self) -> int:
        """The number of the step that it plans; 0 for a result."""
        return _integer(self.given.get("targetStep"))

    @property
    def number(self) -> int:
        """Which step of the run it is about."""
        return self.id or self.target

    @property
    def name(self) -> str:
        return str(self.given.get("stepName") or "")

    @property
    def type(self) -> str:
        """`Run`, `SleepFor`, `SleepUntil`, `Call`, `Wait`, `Notify`, `Invoke`, `CreateWebhook`, `WaitForWebhook`."""
        return str(self.given.get("stepType") or "")

    @property
    def concurrent(self) -> int:
        """How many steps run in parallel, itself included."""
        return _integer(self.given.get("concurrent")) or 1

    @property
    def event_id(self) -> str:
        """The event that it waited for, empty if it waited for none."""
        return str(self.given.get("waitEventId") or "")

    @property
    def timed_out(self) -> bool:
        """Whether the event that it waited for did not come."""
        return bool(self.given.get("waitTimeout"))

    @property
    def out(self) -> Any:
        """Its result, out of the JSON text or the encoded event that it is sent as."""
        out = self.given.get("out")
        if isinstance(out, str) and self.event_id:
            return as_json(_decoded(out))
        return as_json(out) if isinstance(out, str) else out


def parse_step(body: bytes) -> Step | None:
    """Return the step in *body*, None if there is none."""
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return Step(given) if isinstance(given, dict) and "stepId" in given else None


def as_json(content: str) -> Any:
    """Return *content* parsed as JSON, or unchanged if it is no JSON."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return content


def _decoded(encoded: str) -> str:
    try:
        return base64.b64decode(encoded).decode(errors="replace")
    except ValueError:
        return encoded


def _integer(value: Any) -> int:
    return value if isinstance(value, int) else 0


# --- requests in a body ----------------------------------------------------------------------------------------

DEFAULT_WAIT = "7d"  # Workflow docs, basics/context: how long an event is waited for


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitRequest:
    """A step that asks to wait for an event, for *timeout_ms*, which it writes as *timeout*."""

    url: str
    timeout: str
    timeout_ms: int
    step: Mapping[str, Any]
    given: Mapping[str, Any]
    """The request as it came; lists of waiters show parts of it."""


def parse_wait(given: Mapping[str, Any]) -> WaitRequest:
    """Return the wait that the body *given* asks for; or refuse it with 400."""
    step, url = given.get("step"), given.get("timeoutUrl") or given.get("url")
    if not isinstance(step, dict) or not isinstance(url, str):
        raise Refused(400, "invalid wait: it needs a step and a url")
    timeout = str(given.get("timeout") or DEFAULT_WAIT)
    try:
        timeout_ms = durations.header_ms(timeout)
    except ValueError as error:
        raise Refused(400, f"invalid timeout: {error}") from None
    return WaitRequest(url=url, timeout=timeout, timeout_ms=timeout_ms, step=step, given=given)


@dataclass(frozen=True, slots=True, kw_only=True)
class InvokeRequest:
    """The body with which a run starts another one and asks for its result."""

    payload: bytes
    run_id: str
    created_ms: int
    url: str
    headers: Headers
    """The headers to publish the result with."""
    step: Mapping[str, Any]


def parse_invoke(body: bytes) -> InvokeRequest:
    """Return the invocation that the *body* asks for; or refuse it with 400."""
    try:
        given = json.loads(body)
        step, headers = given["step"], given["headers"]
        return InvokeRequest(
            payload=str(given.get("body") or "").encode(),
            run_id=str(given["workflowRunId"]),
            created_ms=_integer(given.get("workflowRunCreatedAt")),
            url=str(given["workflowUrl"]),
            headers=tuple((name, wire(str(value))) for name, values in headers.items() for value in values),
            step=dict(step),
        )
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        raise Refused(400, "invalid invoke: it needs workflowRunId, workflowUrl, headers and step") from None
