"""What the tests of the assertions share: how to publish, and what a failing assertion says."""

import re

import pytest
from qstash import QStash

from tests.shop import JOBS

CLIENT = QStash("a-token")


def publish(url=JOBS, body='{"order": 7}', **options):
    return CLIENT.message.publish(url=url, body=body, **options)


def failure(call, *args, **asked):
    """What the failing assertion says, with the ids of messages shortened to `msg_…`."""
    with pytest.raises(AssertionError) as caught:
        call(*args, **asked)
    return re.sub(r"msg_\w+…", "msg_…", str(caught.value)).split("\n")


def due_in(wait):
    return (
        f"1 message is pending, the next is due in {wait}: deliver with qstash_fake.clock.advance('{wait}'), "
        f"or all with qstash_fake.drain()"
    )
