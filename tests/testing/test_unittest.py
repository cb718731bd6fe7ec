"""unittest without pytest: a failure has the timeline in its message, and ends in the line of the test."""

from __future__ import annotations

import unittest

import pytest

from qstash_fake import QStashFake
from tests.shop import JOBS
from tests.testing.failures import publish


def told(test, kind=unittest.TestCase):
    """What unittest prints of a failing *test*, the method of a case of this *kind*."""
    result = type("Case", (kind,), {"runTest": test})().run()
    ((_, text),) = result.failures
    return text.rstrip().split("\n")


def fake_of(case):
    return case.enterContext(QStashFake(start="2026-01-01T00:00:00Z"))


def test_the_timeline_is_part_of_the_message_and_our_frames_are_hidden():
    def test(self):
        fake = fake_of(self)
        publish(delay="5m")
        fake.assert_delivered(url=JOBS)

    lines = told(test)
    assert [line.partition(", line")[0] for line in lines if line.startswith("  File ")] == [f'  File "{__file__}"']
    at = lines.index("--- qstash_fake timeline ---")
    assert lines[at - 1].endswith("deliver with qstash_fake.clock.advance('5m'), or all with qstash_fake.drain()")
    assert lines[at + 1] == "times since 2026-01-01T00:00:00Z"
    assert lines[-1] == "now 2026-01-01T00:00:00Z"


def test_in_a_test_on_a_loop_the_hint_names_the_async_verb():
    async def test(self):
        fake = fake_of(self)
        publish(delay="5m")
        fake.assert_idle()

    (line,) = (line for line in told(test, unittest.IsolatedAsyncioTestCase) if line.startswith("AssertionError"))
    assert line == (
        "AssertionError: not idle: 1 message is pending, the next is due in 5m: deliver with "
        "await qstash_fake.clock.advance_async('5m'), or all with await qstash_fake.drain_async()"
    )


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("assert_published", ()),
        ("assert_delivered", ()),
        ("assert_dead_lettered", ()),
        ("assert_scheduled", ()),
        ("assert_workflow", ()),
        ("assert_order", ([JOBS],)),
    ],
)
def test_every_assertion_does_it(name, arguments):
    lines = told(lambda self: getattr(fake_of(self), name)(*arguments))
    assert lines[-2:] == ["--- qstash_fake timeline ---", "nothing was published"]
    assert not any("testing/fake.py" in line or "testing/assertions.py" in line for line in lines)
