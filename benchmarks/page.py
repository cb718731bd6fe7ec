"""The page with many messages: what the server makes for it, and how long a browser takes to draw it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time

import httpx
from measure import Numbers, cpu_s, long_cpu_s

from qstash_fake import QStashFake

MANY = 10_000
BATCH = [
    {"destination": f"https://shop.example/jobs/{number}", "headers": {"Upstash-Delay": "1h"}, "body": "x" * 200}
    for number in range(MANY)
]
AUTHORIZED = {"authorization": "Bearer a-token"}


def picture_of_many() -> Numbers:
    """Return the CPU seconds of the first picture as JSON, and of one in which a single message is new."""
    with QStashFake(start="2026-01-01T00:00:00Z") as fake:
        fake.on("*").respond(200)
        httpx.post("https://qstash.upstash.io/v2/batch", json=BATCH, headers=AUTHORIZED).raise_for_status()
        fake.drain(limit=MANY + 1)
        from qstash_fake.testing.fake import inside  # 0.1 has neither this nor a page
        from qstash_fake.testing.picture import picture

        broker = inside(fake).broker
        number = broker.journal.total
        httpx.post("https://qstash.upstash.io/v2/batch", json=BATCH[:1], headers=AUTHORIZED).raise_for_status()
        whole = long_cpu_s(lambda: json.dumps(picture(broker)))
        return {"whole": whole, "one new": cpu_s(lambda: json.dumps(picture(broker, number)))}


def page_of_many() -> Numbers:
    """Return the seconds, of a clock on the wall, from opening the page to the lanes; and of a scroll to the end."""
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium")
    if path is None:
        raise SystemExit("no chromium is installed: apt-get install chromium")
    command = [sys.executable, "-u", "-m", "qstash_fake", "serve", "--port", "0", "--clock", "virtual"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process, sync_playwright() as playwright:
        assert process.stdout
        url = process.stdout.readline().split()[3].rstrip(",")
        httpx.post(f"{url}/v2/batch", json=BATCH, headers=AUTHORIZED, timeout=60).raise_for_status()
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_page()
        start = time.monotonic()
        page.goto(f"{url}/_fake/")
        page.wait_for_selector(".name")
        opened = time.monotonic()
        page.locator(".names").press("End")
        page.wait_for_selector(f'.name[title*="jobs/{MANY - 1}"]')
        end = time.monotonic()
        browser.close()
        process.terminate()
    return {"open": opened - start, "to the end": end - opened}
