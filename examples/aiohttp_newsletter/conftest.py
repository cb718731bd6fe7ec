import os

os.environ["QSTASH_TOKEN"] = "made-up"  # read when the application is made; nothing leaves the process

import pytest_asyncio
from aiohttp.test_utils import TestClient, TestServer

from examples.aiohttp_newsletter import newsletter


@pytest_asyncio.fixture
async def client(qstash_fake):
    async with TestClient(TestServer(newsletter.make_app())) as client:
        qstash_fake.mount(client)
        yield client


@pytest_asyncio.fixture
async def mailed(client):
    return client.app[newsletter.MAILED]
