import os

os.environ["QSTASH_TOKEN"] = "made-up"  # read at import; nothing leaves the process

import pytest
from litestar.testing import TestClient

from examples.litestar_reminders import reminders


@pytest.fixture
def client():
    return TestClient(reminders.app)  # not entered: deliveries run the lifespan


@pytest.fixture
def qstash_app():
    return reminders.app


@pytest.fixture(autouse=True)
def sent(monkeypatch):
    sent: list[str] = []
    monkeypatch.setattr(reminders, "sent", sent)
    return sent
