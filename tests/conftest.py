"""Settings that all tests share."""

import pytest
from hypothesis import settings
from qstash import QStash

pytest_plugins = ["pytester"]

# Two runs of the suite say the same; `--hypothesis-profile=explore` looks for what this one does not meet.
settings.register_profile("repeatable", deadline=None, derandomize=True, print_blob=True)
settings.register_profile("explore", deadline=None, max_examples=1_000, print_blob=True)
settings.load_profile("repeatable")


@pytest.fixture
def client():
    """The official SDK's client."""
    return QStash("token")


@pytest.fixture
def fake(qstash_fake):
    """The fake, with every destination answering 200."""
    qstash_fake.on("*").respond(200)
    return qstash_fake
