import os

os.environ["QSTASH_TOKEN"] = "made-up"  # read at import; nothing leaves the process

import pytest

from examples.flask_notifications import notifications


@pytest.fixture
def client():
    return notifications.app.test_client()


@pytest.fixture
def qstash_app():
    return notifications.app


@pytest.fixture(autouse=True)
def sent(monkeypatch):
    sent: list[str] = []
    monkeypatch.setattr(notifications, "sent", sent)
    return sent
