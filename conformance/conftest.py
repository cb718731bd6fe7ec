"""The rows of docs/protocol.md that a client can see, against any QStash: `make conformance URL=… TOKEN=…`.

Without a URL it is the fake in this process. Each test makes what it needs under names of its own and removes it; none
touches what it has not made, rotates keys or cancels everything. About a hundred messages are published in all.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from uuid import uuid4

import pytest

from conformance.service import Service, at, in_process
from tests.rows import ROWS


@pytest.fixture(scope="session")
def one_service() -> Iterator[Service]:
    url = os.environ.get("CONFORMANCE_URL")
    with at(url, os.environ.get("CONFORMANCE_TOKEN", "")) if url else in_process() as service:
        yield service


@pytest.fixture
def service(one_service: Service) -> Iterator[Service]:
    """The QStash under test, with a name of its own for this test."""
    one_service.own = f"conformance-{uuid4().hex[:12]}"
    one_service.made = []
    if one_service.destination is not None:
        one_service.destination.begin(one_service.own)
    yield one_service
    one_service.clean()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Name the rows that a failing test shows, with their sources."""
    report = yield
    if report.failed:
        rows = [row for mark in item.iter_markers("protocol") for row in ROWS if row.name in mark.args]
        told = [f"{row.name}: {row.fact} (source: {row.source}; confidence: {row.confidence})" for row in rows]
        report.sections.append(("row of docs/protocol.md", "\n".join(told)))
    return report
