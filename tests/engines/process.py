"""What the tests of the engines share: moments, how time is read, and all that an engine touches in a process."""

from __future__ import annotations

import asyncio
import copyreg
import datetime as dt
import os
import queue
import subprocess
import sys
import threading
import time
import uuid
from datetime import date, datetime
from time import monotonic as imported_monotonic
from time import time as imported_time
from time import time_ns as imported_time_ns
from typing import Any

import freezegun.api
import freezegun.config
import time_machine

from qstash_fake.engines.engine import UsersFreeze
from qstash_fake.engines.table import users_freeze

NOW_MS = 1_767_225_600_123  # 2026-01-01T00:00:00.123Z
LATER_MS = NOW_MS + 86_400_000
USERS_MS = 1_580_598_000_000  # 2020-02-01T23:00:00Z, where the fixture start_users freezes
KINDS = ["freezegun", "time-machine"]


def seen_ms() -> int:
    return round(time.time() * 1000)  # not time_ns(): in a user's freezegun it is a millisecond behind at times


def in_a_fresh_process(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=30
    ).stdout.strip()


def the_users() -> UsersFreeze:
    found = users_freeze()
    assert found is not None
    return found


def all_that_could_stay_patched() -> dict[str, Any]:
    loop_class = asyncio.SelectorEventLoop
    return {
        "time": {name: value for name, value in vars(time).items() if name != "clock"},  # freezegun leaves it
        "datetime": dict(vars(dt)),
        "uuid": (uuid._generate_time_safe, uuid._UuidCreate),  # type: ignore[attr-defined]
        "here": (datetime, date, imported_time, imported_time_ns, imported_monotonic),
        "event loop": (dict(vars(loop_class)), loop_class.time),
        "queue and threading": (vars(queue)["time"], vars(threading)["_time"]),
        "pickling": dict(copyreg.dispatch_table),
        "zone": (os.environ.get("TZ"), time.tzname),
        "freezegun": (
            list(freezegun.config.settings.default_ignore_list),
            freezegun.api.fake_time_ns,
            freezegun.api.fake_localtime,
            freezegun.api.fake_strftime,
            vars(freezegun.api.FakeDatetime)["fromtimestamp"],
        ),
        "stacks": [
            *freezegun.api.freeze_factories,
            *freezegun.api.tz_offsets,
            *freezegun.api.ignore_lists,
            *freezegun.api.tick_flags,
            *time_machine.traveller_stack,
        ],
    }
