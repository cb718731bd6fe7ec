import os

# The shop reads its token at import, before any fixture runs. It is made up: nothing leaves the process.
os.environ["QSTASH_TOKEN"] = "made-up"

import pytest
from fastapi.testclient import TestClient

from examples.fastapi_shop import shop


@pytest.fixture
def client():
    with TestClient(shop.app, base_url=shop.PUBLIC_URL) as client:
        yield client


@pytest.fixture
def qstash_app(client):
    """Every delivery goes to the shop, through the client that the tests use themselves."""
    return client


@pytest.fixture(autouse=True)
def invoiced(monkeypatch):
    invoiced: list[int] = []
    monkeypatch.setattr(shop, "invoiced", invoiced)
    return invoiced


@pytest.fixture(autouse=True)
def totals(monkeypatch):
    totals: list[int] = []
    monkeypatch.setattr(shop, "totals", totals)
    return totals
