"""The guard: no call to QStash's cloud leaves a test run by accident.

It stands at the network, below everybody's mocks, with two kinds of gates. The first is the look-up of the name.
The second is the beginning of TLS, which names the host that a proxy was asked to connect to. A call that a mock or a
fake answers reaches neither. pycurl, curl_cffi and aiodns look names up by themselves; with aiodns the second gate
holds.

Every pytest run imports this module. Hence it imports nothing that pytest does not import.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import pytest

from qstash_fake.intercept.patch import MISSING, LatePatches, Patch

ALLOW = '@pytest.mark.qstash_fake(stray="allow")'
OUTSIDE = "something outside of any test"

_KEYWORD_ONLY = 99
# A gate is a function that names a host: the module and the class that have it, its name, and where the host stands
# among its arguments, by position or by name. It is put up when its module is imported; none is imported for it.
Gate = tuple[str, str, str, tuple[tuple[int, str], ...]]
GATES: tuple[Gate, ...] = (
    ("socket", "", "getaddrinfo", ((0, "host"),)),
    # asyncio asks that in a thread, where the stack does not show the caller.
    ("asyncio.base_events", "BaseEventLoop", "getaddrinfo", ((1, "host"),)),
    ("ssl", "SSLContext", "wrap_socket", ((5, "server_hostname"),)),
    ("ssl", "SSLContext", "wrap_bio", ((4, "server_hostname"),)),
    # Libraries that use neither of the two modules.
    ("uvloop", "Loop", "getaddrinfo", ((1, "host"),)),
    ("uvloop", "Loop", "create_connection", ((2, "host"), (_KEYWORD_ONLY, "server_hostname"))),
    ("uvloop", "Loop", "start_tls", ((_KEYWORD_ONLY, "server_hostname"),)),
    ("gevent.resolver", "AbstractResolver", "getaddrinfo", ((1, "host"),)),
    ("gevent.resolver.thread", "Resolver", "getaddrinfo", ((1, "host"),)),
    ("gevent.ssl", "SSLContext", "wrap_socket", ((5, "server_hostname"),)),
)


class StrayCall(pytest.fail.Exception):  # type: ignore[name-defined,misc]  # an attribute, which mypy takes for no class
    """A call to QStash that was about to leave. No `except Exception` takes it: the SDKs would repeat the call."""


class Guard(LatePatches):
    """The gates of one pytest run, and the calls that reached them."""

    def __init__(self) -> None:
        super().__init__(dict.fromkeys((gate[0] for gate in GATES), self._gates))
        self.what = OUTSIDE
        """The test or other part of the run that is running, for the sentence."""
        self.is_allowed: Callable[[], bool] = lambda: False
        self.is_faked: Callable[[], bool] = lambda: False
        self._strays: list[str] = []

    def take(self) -> list[str]:
        """Return a sentence for each stray call since the last time."""
        strays, self._strays[:] = list(self._strays), []
        return strays

    def _gates(self, module: ModuleType) -> Iterator[Patch]:
        for name, owner, function, hosts in GATES:
            if name == module.__name__:
                where = getattr(module, owner) if owner else module
                inherited = getattr(where, function)
                make = functools.partial(self._guarded, hosts, inherited)
                yield Patch(where, function, make)

    def _guarded(self, hosts: tuple[tuple[int, str], ...], inherited: Any, own: Any) -> Callable[..., Any]:
        original: Callable[..., Any] = inherited if own is MISSING else own

        @functools.wraps(original)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            for position, name in hosts:
                host = args[position] if position < len(args) else kwargs.get(name)
                if host and _is_cloud(host) and not self.is_allowed():
                    self._stop(host)
            return original(*args, **kwargs)

        return guarded

    def _stop(self, host: str | bytes) -> None:
        callers = list(_callers(sys._getframe(2)))
        stray = "\n".join(
            [
                f"a stray call to QStash: {self.what} asked for {_text(host).lower()}",
                *(f"  {caller}" for caller in callers),
                _WITH_A_FAKE if self.is_faked() else _WITHOUT_A_FAKE,
            ]
        )
        self._strays.append(stray)
        raise StrayCall(stray, pytrace=not callers)


_WITHOUT_A_FAKE = (
    "Nothing was sent. Answer it with the fixture qstash_fake, in a fixture of wider scope with qstash_fake_session; "
    f"or let it out with {ALLOW}"
)
_WITH_A_FAKE = (
    "Nothing was sent. A qstash_fake is active, but this client is not one that it intercepts: lead it to the fixture "
    f"qstash_server, which any client can reach; or let it out with {ALLOW}"
)
_PYTHON, _PACKAGE = os.__file__.rpartition(os.sep)[0], __file__.rpartition(f"{os.sep}intercept{os.sep}")[0]
_NOT_THE_USERS = (_PYTHON, _PACKAGE, "<")  # the last is no file


def _is_cloud(host: object) -> bool:
    from qstash_fake.intercept import cloud  # at the first look-up: most test runs make none

    return isinstance(host, (str, bytes)) and cloud.region_of(_text(host)) is not None


def _text(host: str | bytes) -> str:
    return host if isinstance(host, str) else host.decode("ascii", "replace")


def _callers(frame: FrameType | None) -> Iterator[str]:
    """Yield the frames of the user's files, which belong to no installed package, the newest first, up to pytest's."""
    while frame is not None and not str(frame.f_globals.get("__name__")).startswith("_pytest."):
        file = frame.f_code.co_filename
        if not file.startswith(_NOT_THE_USERS) and "site-packages" not in file:
            shown = file.removeprefix(f"{Path.cwd()}{os.sep}")
            yield f"{shown}:{frame.f_lineno} in {frame.f_code.co_name}"
        frame = frame.f_back
