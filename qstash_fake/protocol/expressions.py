"""Expressions: the language of `Upstash-Retry-Delay`, arithmetic over the one variable `retried`.

Knows numbers, operators and nine functions; not attempts, units of time or the clock. An
expression is compiled once, when a message is published; its evaluation neither recurses nor
raises.

The compiler writes the expression in postfix order, every operand before its operation:

    1 + 2 * retried   →   1 2 retried * +

A stack machine evaluates that from left to right. It pushes a number or the variable; for an
operation it takes as many numbers as that needs from the top of the stack and pushes the result.
Every program that the compiler writes leaves exactly one number, and the machine checks nothing.

All numbers are floats with the rules of IEEE 754, as in Go, where everything has a result:
`pow(9, pow(9, 9))` is infinite and costs nothing, `0 / 0` is no number (NaN), and NaN spreads. Python
raises in many of these cases; the functions below give the result instead.
"""

import math
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, NamedTuple, Self

MAX_LENGTH = 1_000  # assumed
MAX_DEPTH = 50  # assumed: parentheses and calls inside each other


class _Operation(NamedTuple):
    arity: int
    apply: Callable[..., float]


# push a number, push the variable, or replace the top of the stack by a result
_Step = float | Literal["retried"] | _Operation


@dataclass(frozen=True, slots=True)
class Expression:
    """A valid expression; equal to another by its text."""

    text: str
    _program: tuple[_Step, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_program", _Compiler(self.text).program())

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the expression *text*; ValueError says what is wrong, at which column (from 1)."""
        return cls(text)

    def evaluate(self, retried: int) -> float:
        """Return the value where the variable is *retried*; it may be infinite or no number."""
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
        return result


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
    # As Go's math.Round does. Python's round() goes to the even neighbour, and floor(x + 0.5) is
    # wrong for 0.49999999999999994, where the sum rounds up to 1.
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
    """Precedence climbing: reads the text once, from left to right, and writes the program.

    `_expression(lowest)` compiles an operand and then every operator that binds at least as
    tightly as *lowest*. It compiles the right side of an operator with a *lowest* one above the
    operator's own, so `20 - 5 - 3` groups to the left. Only parentheses and calls recurse; their
    depth is bounded, and with it the depth of Python's own stack.
    """

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
        assert token.lastgroup is not None  # whatever comes is of one kind
        self._kind = token.lastgroup
        self._token = token[self._kind]
        self._start = token.start(self._kind)

    @property
    def _found(self) -> str:
        return "the end" if self._kind == "end" else repr(self._token)

    def _refusal(self, what: str, at: int | None = None) -> ValueError:
        shown = self._text if len(self._text) <= 80 else self._text[:77] + "..."
        column = (self._start if at is None else at) + 1
        return ValueError(f"invalid retry delay expression {shown!r}: {what} (column {column})")
