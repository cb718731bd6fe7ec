"""What the delivery tests share: a publishing client, and a Django project that is set up once for the process."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from qstash import QStash


@pytest.fixture
def client() -> QStash:
    return QStash("token")


@pytest.fixture
def django_site() -> Iterator[ModuleType]:
    """The module django_site.py, its URLs being Django's as long as the test runs."""
    name = "qstash_fake_tests_django_site"  # test files are loaded by path; Django looks its URLs up by name
    module = sys.modules.get(name)
    if module is None:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name("django_site.py"))
        assert spec is not None
        assert spec.loader is not None
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    from django.test import override_settings

    with override_settings(ROOT_URLCONF=name, ALLOWED_HOSTS=["*"], DEBUG=False):
        module.seen.clear()
        yield module
