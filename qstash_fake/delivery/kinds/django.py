"""Django: its two handlers and its two test clients.

Each of Django's connections to a database belongs to one thread. Only views in the thread of the test see a transaction
that the test has begun. asgiref knows which thread that is; every kind here leaves the choice to it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from qstash_fake.delivery.answers import Answer, Body
from qstash_fake.delivery.exchange import Request
from qstash_fake.delivery.kinds import asgi, wsgi
from qstash_fake.delivery.kinds.base import AsyncApp, Reply, SyncApp
from qstash_fake.delivery.watchdog import Silence, Watchdog


@dataclass(eq=False)
class OnAsgiref(SyncApp):
    """An asynchronous application whose synchronous views belong in the thread of the test; asgiref sees to it."""

    app: AsyncApp

    def send(self, request: Request) -> Reply:
        from asgiref.sync import async_to_sync

        answer: Reply = async_to_sync(self.send_async)(request)
        return answer

    def send_watched(self, request: Request, limit_ms: int) -> Reply | Silence:
        from asgiref.sync import async_to_sync

        answer: Reply | Silence = async_to_sync(self._watched)(request, limit_ms)
        return answer

    async def _watched(self, request: Request, limit_ms: int) -> Reply | Silence:
        watchdog, task = Watchdog(limit_ms), asyncio.ensure_future(self.send_async(request))
        watchdog.watch(task)
        try:
            reply = await task
        except asyncio.CancelledError:
            if watchdog.silence is None:
                raise
            return watchdog.silence
        finally:
            watchdog.rest()
        return watchdog.silence or reply

    async def send_async(self, request: Request) -> Reply:
        return await self.app.send_async(request)


class InSensitiveThread(SyncApp):
    """A synchronous application that is called where Django calls synchronous views, also by the async verbs."""

    async def send_async(self, request: Request) -> Reply:
        from asgiref.sync import sync_to_async

        answer: Reply = await sync_to_async(self.send, thread_sensitive=True)(request)
        return answer


@dataclass(eq=False)
class DjangoWsgi(InSensitiveThread, wsgi.Wsgi):
    """Django's WSGI handler."""


@dataclass(eq=False)
class DjangoClient(InSensitiveThread):
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
