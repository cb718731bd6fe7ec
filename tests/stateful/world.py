"""What the state machines share: a fake, its application, and the script of what was done.

A file of tests says what can be done: methods of a subclass of `World`, each marked with `@operation(name=strategy)`.
`machine(ThatWorld)` makes a rule of each operation. Hypothesis performs them in any order. The world writes them down
as a script, and its `Auditor` reads the journal after each. At the end the script runs on a second fake with the async
driver, and both journals have to be equal.

Where further rules belong: an operation of the API in `BrokerWorld`; another feature, or another kind of fault, in a
file of its own with a subclass of `World`. What it promises is a method of the `Auditor`, or of a subclass.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from qstash_fake import QStashFake
from qstash_fake.broker.journal import LogEntry
from qstash_fake.testing.fake import inside
from tests.shop import SHOP, START_TEXT
from tests.stateful.auditor import Auditor

SECONDS = st.sampled_from([0, 1, 7, 10, 12, 13, 30, 60, 149, 150, 600, 3_600])


def operation(**strategies):
    """Mark something that a machine can do, with what to do it with."""

    def mark(function):
        function.strategies = strategies
        return function

    return mark


class Raised(Exception):  # noqa: N818 - what the application raises
    """An application's own exception."""


class World:
    """A fake, its application, and the script of what was done; equal scripts make equal worlds."""

    def __init__(self, *, is_async=False):
        self.fake = QStashFake(start=START_TEXT, freeze="off", seed=7)
        self.fake.mount(self.answer_async if is_async else self.answer, SHOP)
        self.fake.on(f"{SHOP}/slow*").takes(10)
        self.auditor = Auditor()
        self.script: list[tuple[str, dict[str, Any]]] = []
        self.accepted: list[str] = []
        """The ids of all messages that the account has promised to deliver."""
        self._loop = asyncio.new_event_loop() if is_async else None

    def __enter__(self):
        self.fake.__enter__()
        return self

    def __exit__(self, *error):
        self.fake.__exit__(*error)
        if self._loop is not None:
            self._loop.close()

    def perform(self, name, given):
        self.script.append((name, given))
        getattr(self, name)(**given)
        self.audit()

    # --- the application -------------------------------------------------------------------------------------

    def answer(self, request):
        """Answer as the path says."""
        path, first = request.url.path, request.headers["Upstash-Retried"] == "0"
        return httpx.Response(503 if path.endswith("dead") or (path == "/flaky" and first) else 200)

    async def answer_async(self, request):
        await asyncio.sleep(0)
        return self.answer(request)

    # --- calls -----------------------------------------------------------------------------------------------

    def call(self, method, target, headers=(), body=b"", expected=(200, 201, 202)):
        """Call the API below /v2 and note the messages that it has accepted; return its status and answer."""
        reply = self.fake.api.answer(method, f"/v2/{target}", [("Authorization", "Bearer t"), *headers], body)
        assert reply.status in expected, (method, target, headers, reply)
        answer = json.loads(reply.body or "null")
        for one in answer if isinstance(answer, list) else [answer]:
            if isinstance(one, dict) and "messageId" in one:
                if one.get("deduplicated"):
                    assert one["messageId"] in self.accepted, "a duplicate of nothing"
                else:
                    self.accepted.append(one["messageId"])
        return reply.status, answer

    def pending(self):
        return [message for message in inside(self.fake).broker.messages.values() if message.pending]

    # --- time ------------------------------------------------------------------------------------------------

    @property
    def now_ms(self):
        return int(self.fake.clock.now.timestamp() * 1000)

    @operation(seconds=SECONDS)
    def advance(self, seconds):
        before_ms = self.now_ms
        if self.move("advance", seconds):
            assert self.now_ms == before_ms + seconds * 1000

    @operation()
    def advance_to_next(self):
        due = self.fake.clock.next_due
        self.move("advance_to_next")
        assert due is None or self.fake.clock.now == due

    @operation()
    def deliver_due(self):
        before_ms = self.now_ms
        self.move("deliver_due")
        assert self.now_ms == before_ms

    @operation()
    def drain(self):
        self.move("drain")

    def move(self, verb, *arguments):
        """Move time by a verb and hold it to have done all it had to; return whether it came through to its end."""
        holder = self.fake if verb in ("drain", "deliver_due") else self.fake.clock
        try:
            if self._loop is None:
                getattr(holder, verb)(*arguments)
            else:
                self._loop.run_until_complete(getattr(holder, f"{verb}_async")(*arguments))
        except Raised:
            return False
        self.auditor.audit(inside(self.fake).broker.journal, self.now_ms)
        self.auditor.check_nothing_was_left_undone(self.now_ms, drained=verb == "drain")
        return True

    # --- what must hold --------------------------------------------------------------------------------------

    def audit(self):
        self.auditor.audit(inside(self.fake).broker.journal, self.now_ms)
        self.auditor.check_groups(self.fake, self.accepted)

    def journal(self):
        """Everything that can be told of the run, ids and keys included."""
        entries = [
            (entry.time_ms, str(entry.state), entry.message_id, entry.url, entry.status, entry.next_delivery_ms)
            for entry in inside(self.fake).broker.journal.entries()
        ]
        notes = [entry.text for entry in inside(self.fake).broker.journal if not isinstance(entry, LogEntry)]
        return entries, notes, [dead.dlq_id for dead in self.fake.dlq], self.fake.signing_keys.current


def operations_of(world_type):
    """Return the strategies of each operation, by name."""
    members = {name: getattr(world_type, name) for name in dir(world_type)}
    return {name: member.strategies for name, member in members.items() if hasattr(member, "strategies")}


class Machine(RuleBasedStateMachine):
    """Performs what its world can do; `machine()` adds the rules."""

    world_type: Any = World

    def __init__(self):
        super().__init__()
        self.world = self.world_type().__enter__()

    def teardown(self):
        try:
            self.compare_with_another_run()
        finally:
            self.world.__exit__(None, None, None)

    def compare_with_another_run(self):
        with self.world_type(is_async=True) as other:
            for name, given in self.world.script:
                other.perform(name, given)
            assert other.journal() == self.world.journal(), "the async driver, or a second run, made another journal"
            assert other.fake.timeline() == self.world.fake.timeline()


def machine(world_type, base=Machine) -> Any:
    """Return a state machine with a rule for each operation of *world_type*."""
    rules = {name: _rule(name, strategies) for name, strategies in operations_of(world_type).items()}
    return type(f"{world_type.__name__}Machine", (base,), {"world_type": world_type, **rules})


def _rule(name, strategies):
    def perform(self, **given):
        self.world.perform(name, given)

    perform.__name__ = name
    return rule(**strategies)(perform)
