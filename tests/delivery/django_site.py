"""A Django project in one module: settings, views and URLs."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from contextvars import ContextVar
from typing import Any

import django
from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path

# In a run of the whole suite the settings are those of the example, which names a module of its own.
if not settings.configured and "DJANGO_SETTINGS_MODULE" not in os.environ:
    settings.configure(SECRET_KEY="made-up", USE_TZ=True)
django.setup(set_prefix=False)

seen: list[Any] = []
leaking: ContextVar[str] = ContextVar("leaking", default="clean")


def echo(request: HttpRequest) -> HttpResponse:
    leaking.set("dirty")
    seen.append(threading.current_thread())
    text = f"{request.method} {request.build_absolute_uri()} {request.headers['Upstash-Retried']} {request.body!r}"
    return HttpResponse(text, headers={"X-Django": "1"})


async def echo_async(request: HttpRequest) -> HttpResponse:
    leaking.set("dirty")
    return HttpResponse(f"{request.method} {request.build_absolute_uri()} {request.body!r}")


def fails(request: HttpRequest) -> HttpResponse:
    raise LookupError("no such order")


async def hangs(request: HttpRequest) -> HttpResponse:
    await asyncio.Event().wait()
    return HttpResponse()


def streams(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(_parts() if isinstance(request, ASGIRequest) else iter([b"a", b"b"]))


async def _parts() -> AsyncIterator[bytes]:
    yield b"a"
    yield b"b"


urlpatterns = [
    path("jobs/echo", echo),
    path("jobs//echo", echo),
    path("/jobs/echo", echo),
    path("jobs/async", echo_async),
    path("jobs/fails", fails),
    path("jobs/hangs", hangs),
    path("jobs/streams", streams),
]
