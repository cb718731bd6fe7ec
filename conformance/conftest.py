"""The rows of docs/protocol.md that a client can see, against any QStash: `make conformance URL=… TOKEN=…`.

Without a URL it is the fake in this process. Each test makes what it needs under names of its own and removes it; none
touches what it has not made, rotates keys or cancels everything. About a hundred messages are published in all.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import nullcontext
from uuid import uuid4

import httpx
import pytest

from conformance.service import Service, at, client, in_process
from tests.rows import ROWS


@pytest.fixture(scope="session")
def elsewhere() -> Iterator[Service | None]:
    """What is at the URL, one for all tests; None if there is no URL."""
    url, token = os.environ.get("CONFORMANCE_URL"), os.environ.get("CONFORMANCE_TOKEN", "")
    with at(url, token) if url else nullcontext() as service:
        yield service


@pytest.fixture(scope="session")
def client_of_the_fake() -> Iterator[httpx.Client]:
    """A client, made once: that takes as long as some tests."""
    with client("https://qstash.upstash.io", "token") as made:
        yield made


@pytest.fixture
def service(elsewhere: Service | None, client_of_the_fake: httpx.Client) -> Iterator[Service]:
    """The QStash under test, with a name of its own for this test. The fake in this process is another for each."""
    with nullcontext(elsewhere) if elsewhere else in_process(client_of_the_fake) as one:
        one.begin(f"conformance-{uuid4().hex[:12]}")
        yield one
        one.clean()


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
