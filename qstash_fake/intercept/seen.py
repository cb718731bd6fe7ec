"""Attributes of instances, seen by everybody through a function for a while."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qstash_fake.intercept.patch import Patch


def seen(owner: type, name: str, through: Callable[[Any], Any]) -> Patch:
    """Let every read of the attribute *name* of instances of *owner* give what *through* makes of it.

    A descriptor that can be set comes before an instance's own value. Hence instances that were made before are
    reached, and instances that are made meanwhile keep their own value.
    """
    return Patch(owner, name, lambda beneath: _Seen(name, beneath, through))


class _Seen:
    def __init__(self, name: str, beneath: Any, through: Callable[[Any], Any]) -> None:
        self._name = name
        self._beneath = beneath
        self._through = through

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        if isinstance(self._beneath, _Seen):
            return self._through(self._beneath.__get__(instance, owner))
        try:
            own = vars(instance)[self._name]
        except KeyError:
            raise AttributeError(self._name) from None
        return self._through(own)

    def __set__(self, instance: Any, value: Any) -> None:
        vars(instance)[self._name] = value

    def __delete__(self, instance: Any) -> None:
        del vars(instance)[self._name]
