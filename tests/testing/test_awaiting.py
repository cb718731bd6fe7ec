"""A forgotten `await`: the verb has done nothing, and the test is told where it was called."""

from __future__ import annotations

import asyncio
import inspect
import sys

import pytest

from qstash_fake import Clock, QStashFake, UsageError
from tests.testing.failures import failure, publish


def forgotten(call, line):
    """What is said of *call*, such as `clock.advance_async`, made in this *line*."""
    verb = call.rpartition(".")[2]
    where = f"test_awaiting.py:{line}"
    return f"{verb}() was called without await at {where}, and did nothing: write `await qstash_fake.{call}(…)`"


@pytest.mark.asyncio
async def test_a_verb_that_nobody_awaits_fails_at_the_end():
    fake = QStashFake(freeze="off").__enter__()
    line = sys._getframe().f_lineno + 1
    fake.clock.advance_async("5m")  # type: ignore[unused-coroutine]
    fake.drain_async()  # type: ignore[unused-coroutine]
    with pytest.raises(UsageError) as caught:
        fake.__exit__(None, None, None)
    assert str(caught.value).split("\n") == [
        "qstash_fake was used in a way that cannot work:",
        forgotten("clock.advance_async", line),
        forgotten("drain_async", line + 1),
    ]


@pytest.mark.asyncio
async def test_an_assertion_that_finds_nothing_tells_of_it(qstash_fake):
    publish()
    line = sys._getframe().f_lineno + 1
    qstash_fake.deliver_due_async()
    assert failure(qstash_fake.assert_delivered)[3] == forgotten("deliver_due_async", line)
    with pytest.raises(UsageError):
        qstash_fake.verify()
    qstash_fake.verify()  # which has been told now


@pytest.mark.asyncio
async def test_a_verb_may_be_awaited_late_and_in_a_task(qstash_fake):
    qstash_fake.on("*").respond(200)
    publish()
    late, task = qstash_fake.deliver_due_async(), asyncio.create_task(qstash_fake.clock.advance_async("1m"))
    assert len((await late).delivered) == 1
    await task
    for _ in range(3):
        await qstash_fake.drain_async()
    qstash_fake.verify()


def test_async_verbs_are_known_as_such_and_keep_their_signatures():
    verbs = [getattr(owner, name) for owner in (Clock, QStashFake) for name in dir(owner) if name.endswith("_async")]
    assert len(verbs) == 7
    if sys.version_info >= (3, 12):
        assert all(inspect.iscoroutinefunction(verb) for verb in verbs)
    assert str(inspect.signature(Clock.advance_to_async)) == "(self, moment: 'datetime | str') -> 'Report'"
