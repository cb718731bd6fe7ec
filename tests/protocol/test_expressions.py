"""The language of retry delays: what an expression is, and what it comes to."""

import ast
import math
import operator
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from qstash_fake.protocol.expressions import Expression

pytestmark = pytest.mark.protocol("4.2 Upstash-Retry-Delay")

INFINITE = math.inf


def value(text, retried=0):
    return Expression.parse(text).evaluate(retried)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1000", [1_000, 1_000, 1_000]),
        ("1000 * (1 + retried)", [1_000, 2_000, 3_000]),
        ("pow(2, retried) * 1000", [1_000, 2_000, 4_000]),
        ("max(1000, pow(2, retried) * 100)", [1_000, 1_000, 1_000]),
    ],
)
def test_the_examples_of_the_documentation_give_milliseconds(text, values):
    assert [value(text, retried) for retried in range(3)] == values


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("2 + 3 * 4", 14),
        ("(2 + 3) * 4", 20),
        ("min(9, 2 + 3)", 5),
        ("20 - 5 - 3", 12),
        ("100 / 5 / 2", 10),
        ("-3 + 10", 7),
        ("10 - -3", 13),
        ("-(-7)", 7),
        ("+ - - 7", 7),
        ("2 * -3 * -4", 24),
        ("\t1000\n", 1_000),
        ("1.5e3", 1_500),
        (".5 * 10", 5),
        ("5.", 5),
        ("9.99", 9.99),
        ("sqrt(144)", 12),
        ("sqrt(0.25)", 0.5),
        ("sqrt(0)", 0),
        ("abs(0 - 12)", 12),
        ("floor(1.9) * 10", 10),
        ("ceil(1.1) * 10", 20),
        ("floor(-1.1) + 10", 8),
        ("round(2.5)", 3),
        ("round(2.4)", 2),
        ("round(0.5)", 1),
        ("round(-2.5) + 10", 7),
        ("round(0.49999999999999994)", 0),
        ("min(7, 9)", 7),
        ("max(7, 9)", 9),
        ("floor(exp(2.5)) * 1000", 12_000),
        ("max ( min(1,2) , pow(3,2) )", 9),
    ],
)
def test_operators_and_functions_mean_what_they_say(text, result):
    assert value(text) == result


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("0 - 5", -5),
        ("pow(9, pow(9, 9))", INFINITE),
        ("-pow(9, pow(9, 9))", -INFINITE),
        ("pow(-9, 387420489)", -INFINITE),
        ("pow(-9, 387420488)", INFINITE),
        ("exp(1000)", INFINITE),
        ("1e999", INFINITE),
        ("1 / 0", INFINITE),
        ("-1 / 0", -INFINITE),
        ("1 / -0", -INFINITE),
        ("pow(0, -1)", INFINITE),
        ("pow(0, -0.5)", INFINITE),
        ("pow(-0, -1)", -INFINITE),
        ("pow(-0, -2)", INFINITE),
        ("pow(0.5, -1e9)", INFINITE),
        ("pow(0.5, -2000.5)", INFINITE),
        ("floor(-1 / 0)", -INFINITE),
        ("1 / retried", INFINITE),
    ],
)
def test_what_is_too_large_is_infinite(text, result):
    assert value(text) == result


@pytest.mark.parametrize(
    "text",
    [
        "0 / 0",
        "sqrt(-1)",
        "sqrt(-0.25)",
        "pow(-8, 0.5)",
        "pow(0 / 0, 2)",
        "(0 / 0) / 0",
        "max(1000, 0 / 0)",
        "max(0 / 0, 1000)",
        "min(1000, 0 / 0)",
        "min(0 / 0, 1000)",
        "round(0 / 0)",
    ],
)
def test_what_has_no_value_is_no_number(text):
    assert math.isnan(value(text))


@pytest.mark.parametrize(
    ("text", "what", "column"),
    [
        ("", "found the end", 1),
        ("   ", "found the end", 4),
        ("1 +", "found the end", 4),
        ("1 2", "expected an operator or the end, found '2'", 3),
        ("2retried", "found 'retried'", 2),
        ("retried(1)", "found '('", 8),
        ("(1", "expected an operator or ')', found the end", 3),
        ("1)", "found ')'", 2),
        ("(1, 2)", "found ','", 3),
        ("()", "found ')'", 2),
        ("2 ** 3", "found '*'", 4),
        ("7 % 2", "found '%'", 3),
        ("2 ^ 3", "found '^'", 3),
        ("1_000", "found '_000'", 2),
        (
            "Retried",
            "unknown name 'Retried', known are retried and pow, sqrt, abs, exp, floor, ceil, round, min, max",
            1,
        ),
        ("1 + log(2)", "unknown name 'log'", 5),
        ("__import__('os')", "unknown name '__import__'", 1),
        ("pow", "expected '(' after pow, found the end", 4),
        ("pow(2)", "pow takes 2 arguments, not 1", 1),
        ("1 + sqrt(1, 2)", "sqrt takes 1 argument, not 2", 5),
        ("min(1, 2, 3)", "min takes 2 arguments, not 3", 1),
        ("max(1,)", "found ')'", 7),
        ("٣", "found '٣'", 1),
        ("1 + \x00", "found '\\x00'", 5),
    ],
)
def test_a_faulty_expression_is_refused_with_the_fault_and_its_column(text, what, column):
    with pytest.raises(ValueError, match="invalid retry delay expression") as caught:
        Expression.parse(text)
    assert str(caught.value).endswith(f"(column {column})")
    assert what in str(caught.value)


@pytest.mark.parametrize(("text", "shown"), [("1 +", "1 +"), ("!" * 80, "!" * 80), ("!" * 81, "!" * 77 + "...")])
def test_a_refusal_shows_the_expression_and_cuts_a_long_one(text, shown):
    with pytest.raises(ValueError, match=r"^invalid retry delay expression ") as caught:
        Expression.parse(text)
    assert str(caught.value).startswith(f"invalid retry delay expression '{shown}': expected a number")


def test_an_expression_has_at_most_a_thousand_characters():
    assert value("1" + "+1" * 499 + " ") == 500
    with pytest.raises(ValueError, match=r"longer than 1000 characters \(column 1001\)$"):
        Expression.parse("1" + "+1" * 500)


def test_an_expression_nests_at_most_fifty_deep():
    assert value("(" * 50 + "7" + ")" * 50) == 7
    assert value("abs(" * 50 + "7" + ")" * 50) == 7
    with pytest.raises(ValueError, match="nested deeper than 50"):
        Expression.parse("(" * 51 + "7" + ")" * 51)


def test_parentheses_side_by_side_do_not_nest():
    assert value("+".join(["(1)"] * 100)) == 100
    with pytest.raises(ValueError, match="nested deeper than 50"):
        Expression.parse("(1) + " + "(" * 51 + "7" + ")" * 51)
    with pytest.raises(ValueError, match="nested deeper than 50"):
        Expression.parse("(" * 40 + "((1)) + " + "(" * 11 + "7" + ")" * 51)


def test_signs_do_not_nest():
    assert value("-" * 998 + "7") == 7


def test_expressions_are_equal_when_their_texts_are():
    assert Expression.parse("1000") == Expression("1000")
    assert hash(Expression.parse("1000")) == hash(Expression("1000"))
    assert Expression.parse("1000") != Expression.parse("1000 ")
    assert repr(Expression.parse("1000")) == "Expression(text='1000')"


NUMBERS = st.sampled_from(["0", "1", "2", "3.5", "10", "0.25", "1e3", "250"])
OPERATORS = st.sampled_from(["+", "-", "*", "/", " + ", " - ", " * ", " / "])


def compounds(inner):
    one = st.sampled_from(["sqrt", "abs", "exp", "floor", "ceil", "round"])
    two = st.sampled_from(["pow", "min", "max"])
    return st.one_of(
        st.tuples(inner, OPERATORS, inner).map("".join),
        inner.map("({})".format),
        st.tuples(st.sampled_from("+-"), inner).map("".join),
        st.builds("{}({})".format, one, inner),
        st.builds("{}({}, {})".format, two, inner, inner),
    )


EXPRESSIONS = st.recursive(NUMBERS | st.just("retried"), compounds, max_leaves=12)


@given(EXPRESSIONS, st.integers(min_value=0, max_value=5))
@example("1-2-3*4/2/-1", 0)
def test_an_expression_agrees_with_python_s_own_parser_and_arithmetic(text, retried):
    try:
        expected = by_python(ast.parse(text, mode="eval").body, float(retried))
    except (ArithmeticError, ValueError):
        assume(False)  # Python has no answer; the cases are listed above
    assume(math.isfinite(expected))
    assert value(text, retried) == expected


@given(st.text(alphabet="0123456789.e+-*/(), \tretidpowminax_%^", max_size=60) | st.text(max_size=60))
def test_any_text_is_an_expression_or_a_value_error(text):
    try:
        expression = Expression.parse(text)
    except ValueError as error:
        assert str(error).startswith("invalid retry delay expression ")  # noqa: PT017 - any other text is no expression
        return
    assert all(isinstance(expression.evaluate(retried), float) for retried in (0, 1, 1_000_000))


@given(EXPRESSIONS, st.integers(min_value=0))
def test_a_valid_expression_never_fails_when_it_is_evaluated(text, retried):
    assert isinstance(value(text, min(retried, 10**6)), float)


BY_PYTHON: dict[Any, Callable[..., float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
    "pow": math.pow,
    "sqrt": math.sqrt,
    "abs": abs,
    "exp": math.exp,
    "floor": lambda x: float(math.floor(x)),
    "ceil": lambda x: float(math.ceil(x)),
    "round": lambda x: float(Decimal(x).to_integral_value(ROUND_HALF_UP)),
    "min": min,
    "max": max,
}


def by_python(node, retried):
    match node:
        case ast.Constant(value=int() | float() as number):
            return float(number)
        case ast.Name(id="retried"):
            return retried
        case ast.UnaryOp(op=sign, operand=operand):
            return BY_PYTHON[type(sign)](by_python(operand, retried))
        case ast.BinOp(left=left, op=op, right=right):
            return BY_PYTHON[type(op)](by_python(left, retried), by_python(right, retried))
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return BY_PYTHON[name](*(by_python(argument, retried) for argument in arguments))
    raise AssertionError(f"no arithmetic: {ast.dump(node)}")
