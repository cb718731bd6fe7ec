"""The page of the server: its files, served without a token. The calls of the page carry a token."""

from __future__ import annotations

from pathlib import PurePosixPath

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from qstash_fake.page.files import HEADERS, INDEX, TYPES, files

ROOT = "/_fake"


def answer(request: Request) -> Response | None:
    """Return the page or one of its files, None for everything else."""
    path = request.scope["path"]
    if request.method not in ("GET", "HEAD"):
        return None
    if path == ROOT:
        return RedirectResponse(f"{ROOT}/", 308)
    name = INDEX if path == f"{ROOT}/" else path.removeprefix(f"{ROOT}/static/")
    if name == path:
        return None
    if name not in files():
        return PlainTextResponse("not found", 404, headers=HEADERS)
    return Response(files()[name], headers={**HEADERS, "content-type": TYPES[PurePosixPath(name).suffix]})
