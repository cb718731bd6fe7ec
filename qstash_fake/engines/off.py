"""No engine: only the virtual clock moves, the application sees real time."""

from __future__ import annotations

from typing import Any, ClassVar

from qstash_fake.engines.engine import UsersFreeze


class Off:
    """Freezes nothing; it starts nothing, and never stands beside a user's freeze."""

    started: ClassVar[bool] = True

    def start(self, now_ms: int) -> None: ...

    def move(self, now_ms: int) -> None: ...

    def stop(self) -> None: ...

    @staticmethod
    def why_not() -> str | None:
        return None

    @staticmethod
    def top() -> Any:
        return None

    @staticmethod
    def users(freeze: Any) -> UsersFreeze:
        raise NotImplementedError("nothing ever stands on top")
