"""A real browser: Debian's chromium, driven by Playwright. Where there is none these tests are skipped, and say why.

They are no part of `make test`; `make browser` runs them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.server.conftest import Destination, Running, a_destination, serving
from tests.shop import JOBS

NAMES = ("chromium", "chromium-browser", "google-chrome")
PATH = next((path for name in NAMES if (path := shutil.which(name))), None)
OPTIONS = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []  # chromium has none for root
WIDE = {"width": 1400, "height": 900}
WITHIN_MS = 20_000


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if PATH is None:
        pytest.skip("no chromium is installed: apt-get install chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=PATH, args=OPTIONS)
        yield launched
        launched.close()


@dataclass
class Opened:
    """A page of the browser, and what went wrong in it: errors, and requests to other hosts."""

    page: Page
    wrong: list[str] = field(default_factory=list)

    def watch(self, url: str) -> None:
        self.page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        self.page.on("console", lambda line: self.wrong.append(line.text) if line.type == "error" else None)
        self.page.on("dialog", lambda dialog: self.wrong.append(f"dialog: {dialog.message}"))
        self.page.on(
            "request", lambda asked: None if asked.url.startswith((url, "data:")) else self.wrong.append(asked.url)
        )


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Open a page at a URL, with options of a browser's context, after *script*; nothing may go wrong in it."""
    opened = list[Opened]()

    def open_at(url: str, *, allowed: tuple[str, ...] = (), script: str = "", **options: Any) -> Page:
        context = browser.new_context(**{"viewport": WIDE, **options})
        context.set_default_timeout(WITHIN_MS)
        context.add_init_script(script)
        one = Opened(context.new_page())
        one.watch(url.split("/_fake", maxsplit=1)[0])
        opened.append(one)
        one.page.goto(url)
        one.wrong = _Without(allowed, one.wrong)
        return one.page

    yield open_at
    wrong = [line for one in opened for line in one.wrong]
    for one in opened:
        one.page.context.close()
    assert not wrong, wrong


class _Without(list[str]):
    """A list that passes over what a test lets go wrong."""

    def __init__(self, allowed: tuple[str, ...], lines: list[str]) -> None:
        self._allowed = allowed
        super().__init__()
        for line in lines:
            self.append(line)

    def append(self, line: str) -> None:
        if not any(part in line for part in self._allowed):
            super().append(line)


@pytest.fixture(scope="session")
def virtual_server() -> Iterator[Running]:
    with serving("--clock", "virtual") as running:
        yield running


@pytest.fixture
def still(virtual_server: Running) -> Running:
    """A server with a virtual clock, as good as new, whose deliveries a route answers with 200."""
    virtual_server.control("reset")
    virtual_server.control("routes", url=f"{JOBS}*", status=200)
    return virtual_server


@pytest.fixture
def page(still: Running, open_page: Callable[..., Page]) -> Page:
    """The page of `still`, live."""
    opened = open_page(f"{still.url}/_fake/")
    opened.wait_for_selector(".status.live")
    return opened


@pytest.fixture
def destination() -> Iterator[Destination]:
    with a_destination() as made:
        yield made


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The source of axe-core, fetched when it is needed."""
    if shutil.which("npm") is None:
        pytest.skip("no npm is installed: axe-core comes from its registry")
    folder = tmp_path_factory.mktemp("axe")
    command = ["npm", "pack", "--silent", "axe-core@4"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        pytest.skip(f"axe-core cannot be fetched: {done.stderr.strip()[-200:]}")
    with tarfile.open(folder / done.stdout.split()[-1]) as packed:
        member = packed.extractfile("package/axe.min.js")
        assert member is not None
        return member.read().decode()


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A report of a fake with a message that has failed, hostile in every part, and one that is redacted."""
    from qstash_fake.testing.fake import QStashFake, inside
    from tests.browser.hostile import BODY, HEADER

    with QStashFake(start="2026-01-01T00:00:00Z") as fake:
        pairs = [("authorization", "Bearer x"), ("upstash-retries", "1"), ("upstash-forward-x-evil", HEADER)]
        inside(fake).api.answer("POST", f"/v2/publish/{JOBS}", pairs, BODY.encode())
        hidden = [("authorization", "Bearer x"), ("upstash-redact-fields", "body")]
        inside(fake).api.answer("POST", f"/v2/publish/{JOBS}/hidden", hidden, b"top-secret")
        fake.on(JOBS).respond(500, text=BODY)
        fake.on(f"{JOBS}/hidden").respond(200)
        fake.drain()
        return fake.save_report(tmp_path / "report.html")
