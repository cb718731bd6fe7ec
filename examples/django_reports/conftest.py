import os

os.environ["QSTASH_TOKEN"] = "made-up"
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "examples.django_reports.settings")  # pytest-django does this for you

import pytest
from django.test import Client

from examples.django_reports import reports


@pytest.fixture
def qstash_app():
    return Client()


@pytest.fixture(autouse=True)
def written(monkeypatch):
    written: list[str] = []
    monkeypatch.setattr(reports, "written", written)
    return written
