"""Fixtures of the engines' tests; whatever a test does, nothing may stay patched."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import freezegun
import pytest
import time_machine

from qstash_fake.engines.engine import Engine
from qstash_fake.engines.table import choose
from tests.engines.process import KINDS, NOW_MS, all_that_could_stay_patched


def tidy_up_after_a_users_freeze() -> None:
    """Remove what freezegun itself leaves behind where another test in this process has used it directly."""
    vars(time).pop("clock", None)
    if "time" in vars(asyncio.SelectorEventLoop):
        del asyncio.SelectorEventLoop.time


@pytest.fixture(autouse=True)
def nothing_stays_patched() -> Iterator[None]:
    tidy_up_after_a_users_freeze()
    before = all_that_could_stay_patched()
    yield
    after = all_that_could_stay_patched()
    assert {name: value for name, value in after.items() if value != before[name]} == {}
    assert abs(time.time() * 1000 - NOW_MS) > 1000, "time stands still"


@pytest.fixture(params=KINDS)
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    chosen = choose(request.param)
    yield chosen
    chosen.stop()


@pytest.fixture
def frozen(engine: Engine) -> Engine:
    engine.start(NOW_MS)
    return engine


@pytest.fixture
def start_users() -> Iterator[Callable[..., Any]]:
    """Start a freeze as a user would; what it returns stops it, and the end of the test does at the latest."""
    with contextlib.ExitStack() as started:

        def start(kind: str, **options: Any) -> Callable[[], None]:
            moment = datetime(2020, 2, 2, tzinfo=timezone(timedelta(hours=1)))
            starter: Any = freezegun.freeze_time if kind == "freezegun" else time_machine.travel
            started.enter_context(starter(moment, **({"tick": False} | options)))
            return started.close

        yield start
