"""The engines, which one a fake uses, and whose freeze shows the time: the user's, or ours."""

from __future__ import annotations

from collections.abc import Mapping

from qstash_fake.engines.engine import Engine, UsersFreeze, is_ours
from qstash_fake.engines.freezegun import Freezegun
from qstash_fake.engines.off import Off
from qstash_fake.engines.time_machine import TimeMachine
from qstash_fake.errors import UsageError

# `freeze=` → engine. A freeze of an earlier row covers freezes of the later rows: freezegun replaces the names that
# modules hold, time-machine replaces what stands behind them, and it refuses to start over freezegun.
ENGINES: Mapping[str, type[Engine]] = {
    "freezegun": Freezegun,
    "time-machine": TimeMachine,
    "off": Off,
}
AUTO = ("time-machine", "freezegun")  # the first that can be used; time-machine starts in 0.01 ms, freezegun in 8 to 50


def choose(mode: str) -> Engine:
    """Return the engine for "auto" or a name of `ENGINES`; nothing is imported or frozen yet."""
    if mode == "auto":
        mode = next(name for name in AUTO if ENGINES[name].why_not() is None)
    if mode not in ENGINES:
        *names, last = (f'"{name}"' for name in ("auto", *ENGINES))
        raise UsageError(f"freeze={mode!r} is unknown: use {', '.join(names)} or {last}")
    if (problem := ENGINES[mode].why_not()) is not None:
        raise UsageError(f'freeze="{mode}" {problem}')
    return ENGINES[mode]()


def users_freeze() -> UsersFreeze | None:
    """Return the freeze that the user has active now, if any; UsageError if each look at it moves it."""
    for engine in ENGINES.values():
        if (freeze := engine.top()) is not None and not is_ours(freeze):
            return engine.users(freeze)
    return None


def show(engine: Engine, now_ms: int) -> None:
    """Let the application see *now_ms*, unix milliseconds: in the user's own freeze if he has one, else by *engine*."""
    if (users := users_freeze()) is not None:
        users.move(now_ms)
    elif engine.started:
        engine.move(now_ms)
    elif any(other.top() is not None for other in ENGINES.values() if not isinstance(engine, other)):
        # Neither can be put on top of the other at will, and each verb needs to be.
        raise UsageError("another fake has frozen time with another library: give both the same freeze=")
    else:
        engine.start(now_ms)
