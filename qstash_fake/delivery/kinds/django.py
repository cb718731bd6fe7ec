"""Django: its ASGI handler and its two test clients. Its WSGI handler is a WSGI application like others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qstash_fake.delivery.answers import Answer, Body
from qstash_fake.delivery.exchange import Request
from qstash_fake.delivery.kinds import asgi, wsgi
from qstash_fake.delivery.kinds.base import AsyncApp, Reply, SyncApp


@dataclass(eq=False)
class OnAsgiref(SyncApp):
    """An asynchronous application whose synchronous views belong in the thread of the test; asgiref sees to it."""

    app: AsyncApp

    def send(self, request: Request) -> Reply:
        from asgiref.sync import async_to_sync

        answer: Reply = async_to_sync(self.send_async)(request)
        return answer

    async def send_async(self, request: Request) -> Reply:
        return await self.app.send_async(request)


@dataclass(eq=False)
class DjangoClient(SyncApp):
    """Django's test client, which handles signals and connections as its own tests expect."""

    client: Any

    def send(self, request: Request) -> Reply:
        environ, body = wsgi.environ(request), Body()
        with Answer() as answer:
            response = self.client.request(**environ)
            body.read(response)
            answer.status, answer.headers, answer.body = response.status_code, response, body.joined()
        return answer


@dataclass(eq=False)
class DjangoAsyncClient(AsyncApp):
    """Django's asynchronous test client."""

    client: Any

    async def send_async(self, request: Request) -> Reply:
        from django.test.client import FakePayload

        scope, body = asgi.scope(request), Body()
        with Answer() as answer:
            response = await self.client.request(**scope, _body_file=FakePayload(request.body))
            if response.streaming:
                await body.read_async(response)
            else:
                body.read(response)
            answer.status, answer.headers, answer.body = response.status_code, response, body.joined()
        return answer
