"""The fixtures of the broker's tests."""

from __future__ import annotations

import pytest

from tests.broker.bench import Bench


@pytest.fixture
def bench():
    return Bench()


@pytest.fixture
def new_bench():
    """Makes benches whose broker has other options."""
    return Bench
