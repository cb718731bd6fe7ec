"""time-machine: its own settings make no difference, and a user's are kept."""

from __future__ import annotations

import os
import sys
import time
import types
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
import time_machine

from qstash_fake.engines.table import choose, users_freeze
from tests.engines.process import LATER_MS, NOW_MS, seen_ms, the_users


@pytest.mark.parametrize("mode", list(time_machine.NaiveMode))
def test_time_machines_naive_mode_makes_no_difference(mode, monkeypatch):
    monkeypatch.setattr(time_machine, "naive_mode", mode)
    engine = choose("time-machine")
    engine.start(NOW_MS)
    engine.move(LATER_MS)
    seen = seen_ms()
    engine.stop()
    assert seen == LATER_MS


def test_a_users_time_zone_is_kept():
    with time_machine.travel(datetime(2020, 2, 2, tzinfo=ZoneInfo("Asia/Tokyo")), tick=False):
        the_users().move(NOW_MS)
        assert (os.environ["TZ"], time.tzname[0], seen_ms()) == ("Asia/Tokyo", "JST", NOW_MS)


def test_a_users_freeze_at_a_float_is_moved_to_the_millisecond():
    with time_machine.travel(1_580_000_000.1234567, tick=False):
        the_users().move(NOW_MS)
        assert the_users().now_ms() == NOW_MS == seen_ms()


def test_time_machine_itself_refuses_to_start_over_our_freezegun(start_users):
    engine = choose("freezegun")
    engine.start(NOW_MS)
    with pytest.raises(RuntimeError, match="freezegun is active"):
        start_users("time-machine")
    engine.stop()


def test_an_idle_time_machine_of_an_unknown_version_is_no_hindrance(monkeypatch):
    monkeypatch.setitem(sys.modules, "time_machine", types.ModuleType("time_machine"))
    assert users_freeze() is None
