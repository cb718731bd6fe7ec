"""How long a failed attempt waits: the default backoff and the language of `Upstash-Retry-Delay`.

An expression is compiled once, when a message is published, to steps for a stack machine; evaluating it
neither recurses nor raises. All numbers are floats, so `pow(9, pow(9, 9))` costs nothing. Knows arithmetic;
not attempts, response headers or the clock.
"""

import math
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, NamedTuple

DAY_MS = 86_400_000  # QStash docs, features/retry, for the default backoff; assumed for expressions
MAX_LENGTH = 1_000  # assumed
MAX_DEPTH = 50  # assumed: parentheses and calls inside each other


def default_backoff_ms(retry_number: int) -> int:
    """The wait before retry *retry_number* (1 is the first): 12 s, 148 s, 1808 s, 22026 s, then a day.

    min(86400, e^(2.5 n)) seconds: QStash docs, features/retry. Whole seconds: assumed.
    """
    if retry_number < 1:
        raise ValueError(f"retries are counted from 1, there is no retry {retry_number}")
    seconds = math.floor(math.exp(2.5 * min(retry_number, 5)))  # the fifth is already past a day
    return min(DAY_MS, seconds * 1_000)


class _Operation(NamedTuple):
    arity: int
    apply: Callable[..., float]


# push a number, push the variable, or replace the top of the stack by a result
_Step = float | Literal["retried"] | _Operation


@dataclass(frozen=True, slots=True)
class RetryDelay:
    """A valid expression for the wait before a retry, in milliseconds; equal when the text is."""

    text: str
    _program: tuple[_Step, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_program", _Compiler(self.text).program())

    @classmethod
    def parse(cls, text: str) -> "RetryDelay":
        """The expression *text* stands for; ValueError says what is wrong and in which column, from 1."""
        return cls(text)

    def evaluate_ms(self, retried: int) -> int:
        """The wait in milliseconds, floored, after *retried* earlier retries; always within 0 and a day."""
        stack: list[float] = []
        for step in self._program:
            match step:
                case _Operation(arity, apply):
                    stack[-arity:] = [apply(*stack[-arity:])]
                case "retried":
                    stack.append(float(retried))
                case number:
                    stack.append(number)
        (result,) = stack
        if math.isnan(result):
            return 0  # assumed: 0/0, sqrt(-1) and the like retry at once
        return int(min(max(result, 0.0), DAY_MS))  # assumed: negative is at once, infinite is a day


def _divide(x: float, y: float) -> float:
    if y == 0:  # as IEEE 754 and Go have it, where Python raises
        return math.nan if x == 0 or math.isnan(x) else math.copysign(math.inf, x) * math.copysign(1, y)
    return x / y


def _pow(x: float, y: float) -> float:
    try:
        return math.pow(x, y)
    except (OverflowError, ValueError):
        if x < 0 and not y.is_integer():
            return math.nan
        return -math.inf if math.copysign(1, x) < 0 and y % 2 == 1 else math.inf


def _exp(x: float) -> float:
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


def _sqrt(x: float) -> float:
    return math.nan if x < 0 else math.sqrt(x)


def _whole(rounding: Callable[[float], int], x: float) -> float:
    return float(rounding(x)) if math.isfinite(x) else x


def _half_away_from_zero(x: float) -> int:
    whole = math.trunc(x)
    return whole if abs(x - whole) < 0.5 else whole + (1 if x > 0 else -1)


def _min(x: float, y: float) -> float:
    return math.nan if math.isnan(x) or math.isnan(y) else min(x, y)


def _max(x: float, y: float) -> float:
    return math.nan if math.isnan(x) or math.isnan(y) else max(x, y)


_FUNCTIONS = {  # QStash docs, features/retry: these nine
    "pow": _Operation(2, _pow),
    "sqrt": _Operation(1, _sqrt),
    "abs": _Operation(1, abs),
    "exp": _Operation(1, _exp),
    "floor": _Operation(1, partial(_whole, math.floor)),
    "ceil": _Operation(1, partial(_whole, math.ceil)),
    "round": _Operation(1, partial(_whole, _half_away_from_zero)),  # assumed: as Go rounds
    "min": _Operation(2, _min),
    "max": _Operation(2, _max),
}
_BINARY = {  # precedence, operation
    "+": (1, _Operation(2, operator.add)),
    "-": (1, _Operation(2, operator.sub)),
    "*": (2, _Operation(2, operator.mul)),
    "/": (2, _Operation(2, _divide)),
}
_NEGATE = _Operation(1, operator.neg)

_TOKEN = re.compile(
    r"[ \t\r\n]*(?:"
    r"(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)"  # assumed: .5, 5. and 1e3 are numbers
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<symbol>[-+*/(),])"
    r"|(?P<end>\Z)"
    r"|(?P<unknown>.))"
)


class _Compiler:
    """Precedence climbing over the text; emits every operand before its operation."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._steps: list[_Step] = []
        self._depth = 0
        self._tokens = _TOKEN.finditer(text)
        self._advance()

    def program(self) -> tuple[_Step, ...]:
        if len(self._text) > MAX_LENGTH:
            raise self._refusal(f"longer than {MAX_LENGTH} characters", MAX_LENGTH)
        self._expression(1)
        if self._kind != "end":
            raise self._refusal(f"expected an operator or the end, found {self._found}")
        return tuple(self._steps)

    def _expression(self, lowest: int) -> None:
        self._operand()
        while self._token in _BINARY and _BINARY[self._token][0] >= lowest:
            precedence, operation = _BINARY[self._token]
            self._advance()
            self._expression(precedence + 1)
            self._steps.append(operation)

    def _operand(self) -> None:
        negative = False
        while self._token in ("+", "-"):
            negative ^= self._token == "-"
            self._advance()
        if self._kind == "number":
            self._steps.append(float(self._token))
            self._advance()
        elif self._kind == "name":
            self._name()
        elif self._token == "(":
            self._parenthesis()
        else:
            raise self._refusal(f"expected a number, retried, a function or '(', found {self._found}")
        if negative:
            self._steps.append(_NEGATE)

    def _name(self) -> None:
        name, start = self._token, self._start
        if name == "retried":
            self._steps.append("retried")
            self._advance()
            return
        if name not in _FUNCTIONS:
            raise self._refusal(f"unknown name '{name}', known are retried and {', '.join(_FUNCTIONS)}")
        self._advance()
        if self._token != "(":
            raise self._refusal(f"expected '(' after {name}, found {self._found}")
        function = _FUNCTIONS[name]
        count = self._parenthesis(several=True)
        if count != function.arity:
            raise self._refusal(
                f"{name} takes {function.arity} argument{'s' * (function.arity > 1)}, not {count}", start
            )
        self._steps.append(function)

    def _parenthesis(self, *, several: bool = False) -> int:
        """Compile from '(' to the matching ')'; return how many expressions stood between."""
        if self._depth == MAX_DEPTH:
            raise self._refusal(f"nested deeper than {MAX_DEPTH}")
        self._depth += 1
        self._advance()
        self._expression(1)
        count = 1
        while several and self._token == ",":
            self._advance()
            self._expression(1)
            count += 1
        if self._token != ")":
            raise self._refusal(f"expected an operator or ')', found {self._found}")
        self._advance()
        self._depth -= 1
        return count

    def _advance(self) -> None:
        token = next(self._tokens)
        self._kind = token.lastgroup
        self._token = token[self._kind or 0]
        self._start = token.start(self._kind or 0)

    @property
    def _found(self) -> str:
        return "the end" if self._kind == "end" else repr(self._token)

    def _refusal(self, what: str, at: int | None = None) -> ValueError:
        shown = self._text if len(self._text) <= 80 else self._text[:77] + "..."
        column = (self._start if at is None else at) + 1
        return ValueError(f"invalid retry delay expression {shown!r}: {what} (column {column})")
