import logging
import os

# The SDK wants a token when a workflow is served, at import. It is made up: nothing leaves the process.
os.environ["QSTASH_TOKEN"] = "made-up"

import pytest
from fastapi.testclient import TestClient

from examples.fastapi_workflow import onboarding


@pytest.fixture
def client():
    with TestClient(onboarding.app, base_url=onboarding.BASE) as client:
        yield client


@pytest.fixture
def qstash_app():
    """Everything that no route answers is delivered to the shop."""
    return onboarding.app


@pytest.fixture(autouse=True)
def _nothing_paid(monkeypatch):
    monkeypatch.setattr(onboarding, "paid", set())
    monkeypatch.setattr(onboarding, "alarms", [])


@pytest.fixture(autouse=True)
def _quiet():
    """The SDK logs each failed step with its traceback."""
    logging.disable(logging.ERROR)
    yield
    logging.disable(logging.NOTSET)
