"""Run by wheel-test.sh where only the wheel and the official SDK are installed: the wheel is enough."""

import asyncio
import importlib.util
import sys
from importlib.metadata import files
from pathlib import Path

import httpx
import pytest
from qstash import QStash
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

import qstash_fake as package
from qstash_fake.server.app import ServerApp
from qstash_fake.server.control import Control
from qstash_fake.testing.fake import inside

client = QStash("a-token")  # at import, as applications do; the fixture is told to expect this token


async def invoice(request):
    assert await request.json() == {"order": 7}
    return PlainTextResponse("sent")


app = Starlette(routes=[Route("/jobs/invoice", invoice, methods=["POST"])])


@pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z", token="a-token")
def test_a_message_published_with_the_sdk_is_delivered_when_it_is_due(qstash_fake):
    qstash_fake.mount(app, "https://shop.example")
    client.message.publish_json(url="https://shop.example/jobs/invoice", body={"order": 7}, delay="5m")

    qstash_fake.clock.advance("4m59s")
    message = qstash_fake.assert_published(url="https://shop.example/jobs/invoice", delay="5m")
    assert message in qstash_fake.pending
    qstash_fake.clock.advance("1s")

    assert message.state == "DELIVERED"
    assert message.attempts[0].status == 200
    assert qstash_fake.pending == []


@pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z", token="a-token")
def test_the_wheel_brings_the_page_and_its_licences(qstash_fake, tmp_path):
    client.message.publish_json(url="https://shop.example/jobs/invoice", body={"order": 7}, delay="5m")
    report = qstash_fake.save_report(tmp_path / "report.html").read_text(encoding="utf-8")
    assert "modules['app.js'] = " in report
    assert '{\\"order\\": 7}' in report
    app = ServerApp(inside(qstash_fake).api, Control(qstash_fake))

    async def get(path):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as browser:
            return await browser.get(path)

    page, main = (asyncio.run(get(path)) for path in ("/_fake/", "/_fake/static/main.js"))
    assert 'src="static/main.js"' in page.text
    assert (main.status_code, main.headers["x-content-type-options"]) == (200, "nosniff")
    shipped = {path.name for path in files("qstash-fake")}
    assert shipped >= {
        "index.html",
        "main.js",
        "page.css",
        "lanes.css",
        "htm-preact.js",
        "LICENSE.htm",
        "LICENSE.preact",
    }


def test_the_wheel_brings_the_typed_package_and_nothing_else():
    assert Path(package.__file__).is_relative_to(sys.prefix)
    shipped = {path.as_posix() for path in files("qstash-fake")}
    assert "qstash_fake/py.typed" in shipped
    beside = {Path(name).stem for name in shipped if not name.startswith(("qstash_fake/", "qstash_fake-"))}
    assert beside == {"qstash-fake"}  # the command
    assert importlib.util.find_spec("pytest_plugin") is None
