"""A run under a plan, and what the journal says of it."""

from __future__ import annotations

import re
from contextlib import contextmanager

import httpx

from qstash_fake import QStashFake
from qstash_fake.explore.planned import Planned
from qstash_fake.explore.plans import parse
from tests.shop import SHOP, START_TEXT

JOBS = f"{SHOP}/jobs"


class App:
    """An application that answers 200 and keeps what it was asked."""

    def __init__(self) -> None:
        self.seen: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        return httpx.Response(200)


@contextmanager
def under(plan="", app=lambda request: httpx.Response(200), **options):
    """Give a fake under *plan*, and what has the record of it."""
    fake, planned = QStashFake(start=START_TEXT, freeze="off", **options), Planned(parse(plan))
    planned.attach(fake)
    fake.mount(app)
    with fake:
        yield fake, planned


def publish(fake, path="/jobs", **headers):
    """Publish to *path* of the shop with `Upstash-` headers and return the message."""
    named = [(f"Upstash-{name.replace('_', '-')}", value) for name, value in headers.items()]
    reply = fake.api.answer("POST", f"/v2/publish/{SHOP}{path}", [("Authorization", "Bearer t"), *named], b"")
    assert reply.status in (200, 201), reply
    return fake.messages[-1]


def told(fake):
    """The timeline without times of day, ids and the host."""
    lines = fake.timeline().splitlines()[1:-1]
    return [re.sub(r" +", " ", re.sub(r"msg_\w+… POST " + SHOP, "", line)).strip() for line in lines]
