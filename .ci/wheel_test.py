"""Run by wheel-test.sh where only the wheel and the official SDK are installed: the wheel is enough."""

import importlib.util
import sys
from importlib.metadata import files
from pathlib import Path

import pytest
from qstash import QStash
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

import qstash_fake as package

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


def test_the_wheel_brings_the_typed_package_and_nothing_else():
    assert Path(package.__file__).is_relative_to(sys.prefix)
    shipped = {path.as_posix() for path in files("qstash-fake")}
    assert "qstash_fake/py.typed" in shipped
    beside = {Path(name).stem for name in shipped if not name.startswith(("qstash_fake/", "qstash_fake-"))}
    assert beside == {"qstash-fake"}  # the command
    assert importlib.util.find_spec("pytest_plugin") is None
