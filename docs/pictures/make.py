"""Make the pictures of the documentation again, from real runs: `make pictures`. Needs chromium.

page.png is the page of a server, report.png the report of a test that fails, timeline.svg the lanes of a few messages.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from playwright.sync_api import Browser, Page, sync_playwright

from qstash_fake import QStashFake

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SHOP = "https://shop.example"
START = "2026-01-01T09:00:00Z"
SIZE = {"width": 1360, "height": 800}

FAILING = """
import logging
import pytest
from qstash import QStash
from examples.fastapi_workflow import onboarding

logging.disable(logging.ERROR)

@pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z", raise_app_exceptions=False)
def test_a_payment_survives_a_bank_that_is_down(qstash_fake):
    qstash_fake.mount(onboarding.app, onboarding.BASE)
    qstash_fake.on(onboarding.MAIL).respond(202)
    qstash_fake.on(onboarding.BANK).respond_with([503] * 9)
    qstash = QStash("a-token")
    qstash.message.publish_json(url=f"{onboarding.BASE}/trial", body={"email": "ada@example.com"})
    qstash.message.publish_json(url=f"{onboarding.BASE}/payment", body={"order": 7})
    qstash_fake.clock.advance(days=2)
    qstash_fake.assert_workflow(f"{onboarding.BASE}/payment", state="RUN_SUCCESS")
"""

# Takes the lanes, their names and the axis out of the page, with the rules of its style that they need.
AS_SVG = """
() => {
  const width = document.querySelector(".axis").getAttribute("width");
  const names = [...document.querySelectorAll(".name")];
  const height = 34 + names.length * 40;
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const part = (markup) => { svg.insertAdjacentHTML("beforeend", markup); return svg.lastElementChild; };
  svg.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("role", "img");
  part(`<title>Messages of a test over virtual time: delays, attempts, retries, a dead letter and its callback</title>`);
  part(`<rect class="paper" width="${width}" height="${height}" rx="8"/>`);
  svg.append(document.querySelector(".axis").cloneNode(true));
  const left = document.querySelector(".lanes-drawn").style.left.replace("px", "");
  names.forEach((name, index) => {
    const y = 30 + index * 40;
    const label = (kind, at, text) => {
      const made = part(`<text class="${kind}" x="16" y="${y + at}"></text>`);
      made.textContent = text;
    };
    label("label", 18, name.querySelector("b").textContent);
    label("more", 33, name.querySelector("small").textContent);
  });
  const drawn = document.querySelector(".lanes-drawn").cloneNode(true);
  drawn.removeAttribute("style");
  drawn.setAttribute("x", left);
  drawn.setAttribute("y", "30");
  drawn.setAttribute("height", names.length * 40);
  svg.append(drawn);
  document.body.append(svg);
  const needed = (rule) => {
    if (rule.media) return [...rule.cssRules].some(needed) && rule.media.mediaText.includes("color-scheme");
    if (!rule.selectorText) return false;
    return rule.selectorText === ":root" || (!/hover|\\*|body/.test(rule.selectorText) && svg.querySelector(rule.selectorText));
  };
  const rules = [...document.styleSheets].flatMap((sheet) => [...sheet.cssRules]).filter(needed).map((rule) => rule.cssText);
  const style = document.createElementNS("http://www.w3.org/2000/svg", "style");
  style.textContent = [...rules, ".paper{fill:var(--paper)}", "text{font-family:system-ui,sans-serif}",
    ".label{font-size:13px;font-weight:550;fill:var(--ink)}", ".more{font-size:11.5px;fill:var(--muted)}"].join("\\n");
  svg.prepend(style);
  return new XMLSerializer().serializeToString(svg);
}
"""


def main() -> int:
    path = shutil.which("chromium")
    if path is None:
        print("no chromium is installed: apt-get install chromium", file=sys.stderr)
        return 1
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        picture_of_the_page(browser)
        picture_of_a_report(browser, Path(folder))
        picture_of_lanes(browser, Path(folder))
        browser.close()
    return 0


def picture_of_the_page(browser: Browser) -> None:
    with serving() as url, httpx.Client(base_url=url, headers={"authorization": "Bearer x"}, timeout=60) as client:
        a_morning(client)
        page = browser.new_page(viewport=SIZE, color_scheme="light")
        page.goto(f"{url}/_fake/")
        page.locator(".name", has_text="/jobs/mail").click()
        page.wait_for_selector(".attempts summary")
        page.screenshot(path=HERE / "page.png")


def picture_of_a_report(browser: Browser, folder: Path) -> None:
    (folder / "test_payment.py").write_text(FAILING, encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-W",
        "ignore",
        "-c",
        "/dev/null",
        "--rootdir",
        str(folder),
        str(folder),
    ]
    environment = {**os.environ, "QSTASH_TOKEN": "made-up"}  # the SDK wants one at import
    subprocess.run([*command, f"--qstash-fake-report={folder / 'reports'}"], cwd=ROOT, env=environment, check=False)
    (report,) = (folder / "reports").glob("test_*.html")
    page = browser.new_page(viewport=SIZE, color_scheme="dark")
    page.goto(report.as_uri())
    page.locator(".tabs button", has_text="Workflows").click()
    page.locator(".run", has_text="/payment").click()
    page.wait_for_selector(".run-lanes .name")
    page.screenshot(path=HERE / "report.png")


def picture_of_lanes(browser: Browser, folder: Path) -> None:
    with QStashFake(start="2026-01-01T00:00:00Z", url="https://qstash-fake.invalid") as fake:
        fake.on("*").respond(200)
        fake.on(f"{SHOP}/jobs/invoice").respond_with([503, 503, 200])
        fake.on(f"{SHOP}/jobs/mail").respond(500)
        fake.on(f"{SHOP}/jobs/pdf").respond(200).takes("70s")
        publish("jobs/invoice", delay="5m")
        publish("jobs/mail", retries="2", retry_delay="60000", failure_callback=f"{SHOP}/hooks/failed")
        publish("jobs/pdf", queue_name="reports")
        publish("jobs/pdf", queue_name="reports")
        fake.clock.advance("8m")
        report = fake.save_report(folder / "lanes.html")
    page = browser.new_page(viewport={"width": 1000, "height": 700})
    page.goto(report.as_uri())
    page.wait_for_selector(".name")
    (HERE / "timeline.svg").write_text(as_svg(page) + "\n", encoding="utf-8")


def as_svg(page: Page) -> str:
    text: str = page.evaluate(AS_SVG)
    return text


def publish(path: str, **headers: str) -> None:
    named = {f"upstash-{name.replace('_', '-')}": value for name, value in headers.items()}
    url = f"https://qstash.upstash.io/v2/publish/{SHOP}/{path}"
    httpx.post(url, headers={"authorization": "Bearer a-token", **named}, json={"order": 7}).raise_for_status()


def a_morning(client: httpx.Client) -> None:
    """Let the server have a morning with a bit of everything."""

    def call(path: str, **given: object) -> None:
        client.post(path, json=given).raise_for_status()

    def send(path: str, body: str = '{"order": 7}', **headers: str) -> None:
        named = {f"upstash-{name.replace('_', '-')}": value for name, value in headers.items()}
        named["content-type"] = "application/json"
        client.post(f"/v2/publish/{SHOP}/{path}", content=body, headers=named).raise_for_status()

    call("/_fake/routes", url=f"{SHOP}/*", status=200)  # the one that was made last wins
    call("/_fake/routes", url=f"{SHOP}/jobs/invoice", respond_with=[503, 503, 200], takes="2s")
    call("/_fake/routes", url=f"{SHOP}/jobs/pdf", json={"pages": 3}, takes="45s")
    answer = {"status": 500, "json": {"error": "no such mailbox"}}
    call("/_fake/routes", url=f"{SHOP}/jobs/mail", **answer)
    call("/v2/queues", queueName="archive", parallelism=1, paused=True)
    cron = {"upstash-cron": "*/10 * * * *", "upstash-schedule-id": "stock"}
    client.post(f"/v2/schedules/{SHOP}/stock", headers=cron).raise_for_status()
    send("jobs/invoice", delay="5m", label="invoice")
    send("jobs/mail", '{"to": "ada@example.com"}', retries="2", retry_delay="60000", failure_callback=f"{SHOP}/alarm")
    for _ in range(3):
        send("jobs/pdf", queue_name="reports")
    for _ in range(4):
        send("jobs/rates", flow_control_key="bank", flow_control_value="rate=1, period=60")
    send("jobs/archive", queue_name="archive")
    send("jobs/reminder", delay="15m")
    call("/_fake/advance", duration="11m")


@contextmanager
def serving() -> Iterator[str]:
    """Run a server with a virtual clock; give its address."""
    serve = f"-u -m qstash_fake serve --port 0 --clock virtual --start {START}"
    process = subprocess.Popen([sys.executable, *serve.split()], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().split()[3].rstrip(",")
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    sys.exit(main())
