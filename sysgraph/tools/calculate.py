"""The tool `calculate`: arithmetic, by walking the syntax tree of an expression."""

import ast
import math
import operator
import warnings
from collections.abc import Callable

from .base import Tool, ToolError

Number = int | float

_CHARACTERS = 1000
"""Longest expression; nesting is bounded by it."""
_DIGITS = 300
"""Decimal digits of the largest number, given or computed."""
_EXPONENT = 1000
"""Largest exponent, either side of 0."""
_LARGEST = 10**_DIGITS

_BINARY: dict[type[ast.operator], Callable[[Number, Number], Number]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_UNARY: dict[type[ast.unaryop], Callable[[Number], Number]] = {
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
}


def evaluate(expression: str) -> str:
    """The value of an arithmetic expression, as text: numbers, + - * / // % ** and parentheses.

    A whole number is written without a decimal point.

    >>> evaluate("2 * (3 + 4) / 7")
    '2'

    Raises:
        ToolError: it is no such expression, divides by zero, or a number in it is too large.
    """
    if len(expression) > _CHARACTERS:
        raise ToolError(f"the expression has more than {_CHARACTERS} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # `1if`: what Python thinks of it is not asked
            tree = ast.parse(expression.strip(), mode="eval")
        return _written(_value(tree.body))
    except ToolError:
        raise
    except SyntaxError as error:
        raise ToolError(f"no arithmetic expression: {error.msg}") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise ToolError(f"no arithmetic expression: {error}") from error
    except ArithmeticError as error:
        raise ToolError(str(error)) from error


def _value(node: ast.expr) -> Number:
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return _bounded(node.value)  # type: ignore[arg-type]  # `type` excludes bool and the rest
    if isinstance(node, ast.UnaryOp) and type(node.op) in _UNARY:
        return _UNARY[type(node.op)](_value(node.operand))
    if isinstance(node, ast.BinOp):
        left, right = _value(node.left), _value(node.right)
        if isinstance(node.op, ast.Pow):
            return _bounded(_power(left, right))
        if type(node.op) in _BINARY:
            return _bounded(_BINARY[type(node.op)](left, right))
    raise ToolError(f"only numbers and + - * / // % ** ( ) can be used: {ast.unparse(node):.60}")


def _power(base: Number, exponent: Number) -> Number:
    """`base` to `exponent`, refused before it would cost anything."""
    if abs(exponent) > _EXPONENT:
        raise ToolError(f"an exponent is beyond {_EXPONENT}")
    if base and exponent * math.log10(abs(base)) > _DIGITS:
        raise ToolError(f"a number has more than {_DIGITS} digits")
    power: Number | complex = base**exponent
    if isinstance(power, complex):
        raise ToolError("a root of a negative number is no real number")
    return power


def _bounded(value: Number) -> Number:
    if not math.isfinite(value) if isinstance(value, float) else abs(value) >= _LARGEST:
        raise ToolError(f"a number has more than {_DIGITS} digits")
    return value


def _written(value: Number) -> str:
    is_whole = isinstance(value, float) and value.is_integer() and abs(value) < 2**53
    return str(int(value)) if is_whole else str(value)


calculate = Tool("calculate", evaluate)
"""The value of an arithmetic expression."""
