"""Keywords of public methods: `help()` spells them out, and an unknown one is refused with the nearest known one.

Methods that take many optional keywords declare them once, as a TypedDict. Type checkers read that; `inspect` and
`help()` show the name of the TypedDict only, and Python's own error does not name the nearest.
"""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])
__unittest = True  # unittest leaves the frames of this module out of a failure


class _Unasked:
    """What `help()` shows as the default of a keyword that counts only if it is given."""

    def __repr__(self) -> str:
        return "…"


UNASKED = _Unasked()


def keywords(more: type | None = None, meant: Mapping[str, str] = MappingProxyType({})) -> Callable[[F], F]:
    """Refuse unknown keywords of a method, and spell out those of *more*, the TypedDict of its `**`.

    *meant* has words that are taken for a keyword and are not near it. A `*` of the method, which refuses what it is
    given, is not shown.
    """

    def decorate(method: F) -> F:
        spelled = _spelled(inspect.signature(method), more)
        known = [one.name for one in spelled.parameters.values() if one.name != "self"]

        @functools.wraps(method)
        def call(*args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            for name in kwargs:
                if name not in known:
                    shown = ", ".join(f"{one}=" for one in known)
                    near = f" (did you mean {meant[name]}=?)" if name in meant else did_you_mean(name, known)
                    raise TypeError(f"{_name(method)}() has no {name}={near}; it takes {shown}")
            return method(*args, **kwargs)

        setattr(call, "__signature__", spelled)  # noqa: B010 - a function has no such attribute for a type checker
        return call  # type: ignore[return-value]

    return decorate


def did_you_mean(name: str, known: Iterable[str], written: str = "{}=") -> str:
    """Return ` (did you mean json=?)` with the *known* name that is nearest, as it is *written*.

    It is empty if none is near.
    """
    near = difflib.get_close_matches(name, list(known))
    return f" (did you mean {written.format(near[0])}?)" if near else ""


def made_by_the_fake(init: F) -> F:
    """Leave the parameters of an `__init__` out of `help()`: a test does not call it."""
    setattr(init, "__signature__", inspect.Signature([_SELF]))  # noqa: B010 - see above
    init.__doc__ = "Made by the fake."
    return init


_STARRED = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
_SELF = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)


def _spelled(signature: inspect.Signature, more: type | None) -> inspect.Signature:
    """Return *signature* with the keys of *more* in the place of `**`, and without `*`."""
    own = [one for one in signature.parameters.values() if one.kind not in _STARRED]
    keys = more.__annotations__ if more is not None else ()
    added = [inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=UNASKED) for key in keys]
    return signature.replace(parameters=[*own, *added])


def _name(method: Callable[..., Any]) -> str:
    owner, _, name = method.__qualname__.rpartition(".")
    return owner if name == "__init__" else name
