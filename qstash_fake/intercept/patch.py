"""Patching `send` of a client class so that nothing of it is left when its fake ends, whatever others did meanwhile.

Instrumentation and a user's own monkeypatch go to the same place. What they put over ours stays there when ours
ends, and ours, should they put it back after that, only passes calls on.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from qstash_fake.intercept.hosts import Hosts

Send = Callable[..., Any]
_PATCH = "_patch_of_qstash_fake"
_TWIN = "_twin_of_qstash_fake"


@dataclass(slots=True, eq=False)
class _Patch:
    """One `send` of ours over *original*, for *hosts*."""

    original: Send
    hosts: Hosts
    send: Send | None = None
    active: bool = True


@contextmanager
def patched(owner: type, hosts: Hosts, make: Callable[[Send, Hosts], Send]) -> Iterator[None]:
    """Let calls of `send` on *owner* to *hosts* go to what *make* makes of the original `send`.

    Of two such patches the one made last answers, on the hosts of both.
    """
    original = _without_ended(vars(owner)["send"])
    outer = _patch_of(original)
    patch = _Patch(original, hosts if outer is None else hosts | outer.hosts)
    intercepting = make(original, patch.hosts)

    @functools.wraps(original)
    def send(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        ours = patch.active and not hasattr(self, _TWIN) and str(request.url) in patch.hosts
        return (intercepting if ours else original)(self, request, *args, **kwargs)

    setattr(send, _PATCH, patch)
    patch.send = send
    owner.send = send  # type: ignore[attr-defined]  # a client class of httpx, httpx2 or requests
    try:
        yield
    finally:
        patch.active = False
        owner.send = _without_ended(vars(owner)["send"])  # type: ignore[attr-defined]  # see above


def mark_as_twin(client: Any) -> None:
    """Note that *client* is a copy with a transport of ours: what it sends, no other fake takes."""
    setattr(client, _TWIN, True)


def _without_ended(send: Send) -> Send:
    while (patch := _patch_of(send)) is not None and not patch.active:
        send = patch.original
    return send


def _patch_of(send: Send) -> _Patch | None:
    patch: _Patch | None = getattr(send, _PATCH, None)
    # functools.wraps copies attributes to the wrappers of others.
    return patch if patch is not None and patch.send is send else None
