"""Other libraries' mocks, each as a context in which `OTHER` answers `rates` and every other URL is refused."""

from __future__ import annotations

import unittest.mock
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import NamedTuple

import aiohttp
import aioresponses
import pytest
import requests_mock
import responses
import respx
import vcr  # type: ignore[import-untyped]  # ships no types

OTHER = "https://api.example/rates"
RATES = b"rates"

CASSETTE = """
version: 1
interactions:
- request: {body: null, headers: {}, method: POST, uri: https://api.example/rates}
  response: {body: {string: rates}, headers: {}, status: {code: 200, message: OK}}
"""

Calls = Callable[[], list[str]]
"""The URLs that a mock has seen so far."""


class Mock(NamedTuple):
    """A mock of the calls of some libraries."""

    name: str
    libraries: tuple[str, ...]
    started: Callable[[pytest.FixtureRequest], AbstractContextManager[Calls]]

    def __str__(self) -> str:
        return self.name


@contextmanager
def respx_mock(using: str) -> Iterator[Calls]:
    with respx.mock(using=using) as router:
        router.post(OTHER).respond(content=RATES)
        yield lambda: [str(call.request.url) for call in router.calls]


@contextmanager
def httpx_mock(request: pytest.FixtureRequest) -> Iterator[Calls]:
    mock = request.getfixturevalue("httpx_mock")
    mock.add_response(url=OTHER, content=RATES)
    yield lambda: [str(call.url) for call in mock.get_requests()]
    request.getfixturevalue("monkeypatch").undo()  # what it has patched, here and not at the end of the test


@contextmanager
def responses_mock() -> Iterator[Calls]:
    with responses.RequestsMock() as mock:
        mock.post(OTHER, body=RATES)
        yield lambda: [str(call.request.url) for call in mock.calls]


@contextmanager
def requests_mocker() -> Iterator[Calls]:
    with requests_mock.Mocker() as mock:
        mock.post(OTHER, content=RATES)
        yield lambda: [call.url for call in mock.request_history]


class ResponseOfTheMock(aiohttp.ClientResponse):
    """What aioresponses can make: it does not know of an argument that aiohttp 3.14 has added."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, stream_writer=unittest.mock.Mock(output_size=0), **kwargs)


@contextmanager
def aiohttp_mock() -> Iterator[Calls]:
    with aioresponses.aioresponses() as mock:
        mock.post(OTHER, body=RATES, response_class=ResponseOfTheMock)
        yield lambda: [str(url) for _, url in mock.requests]


@contextmanager
def cassette(request: pytest.FixtureRequest) -> Iterator[Calls]:
    file = request.getfixturevalue("tmp_path") / "rates.yaml"
    file.write_text(CASSETTE, encoding="utf-8")
    with vcr.VCR().use_cassette(str(file), record_mode=vcr.mode.NONE) as tape:
        yield lambda: [tape.requests[0].uri] * tape.play_count


MOCKS = [
    Mock("respx", ("httpx",), lambda _: respx_mock("httpcore")),
    Mock("respx using httpx", ("httpx",), lambda _: respx_mock("httpx")),
    Mock("pytest-httpx", ("httpx",), httpx_mock),
    Mock("responses", ("requests",), lambda _: responses_mock()),
    Mock("requests_mock", ("requests",), lambda _: requests_mocker()),
    Mock("aioresponses", ("aiohttp",), lambda _: aiohttp_mock()),
    Mock("vcrpy", ("httpx", "httpx2", "requests", "urllib3", "urllib.request", "aiohttp"), cassette),
]
