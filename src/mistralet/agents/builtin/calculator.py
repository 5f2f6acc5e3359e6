"""`calculate`: arithmetic as people expect it, exact where it can be, and never long.

Numbers are fractions, so 0.1 + 0.2 is 0.3; only functions such as sine give binary floating-point numbers. The
expression is read into a tree by Python's parser and walked; nothing is ever evaluated by Python itself.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable
from decimal import Context, Decimal, localcontext
from fractions import Fraction
from typing import Any

from mistralet.agents.builtin.specs import require_nothing
from mistralet.agents.function_tool import function_tool
from mistralet.agents.tool import AgentTool
from mistralet.errors import ToolError

Number = Fraction | float

_LONGEST = 1000  # characters of an expression
_MOST_BITS = 13_000  # of a numerator or denominator: below the 4,300 digits that Python writes out
_LARGEST_EXPONENT = 3000  # of ten, in a number as it is written
_DIGITS = 15  # significant, of what is not exact
_WRITTEN = {"^": "**", "×": "*", "·": "*", "÷": "/", "−": "-", "π": "pi"}


def calculator_tools(rest: str) -> list[AgentTool]:
    """The tool `calculate`; its specification is `calculator` alone."""
    require_nothing("calculator", rest)
    return [function_tool(calculate)]


def calculate(expression: str) -> str:
    """Work out an arithmetic expression exactly, such as (0.1 + 0.2) * 3, 2**100 or sqrt(2) / 4.

    It knows + - * / // % ** (or ^), parentheses, pi, e, tau, and the functions abs, round, floor, ceil, trunc, min,
    max, sum, sqrt, cbrt, exp, log, log2, log10, sin, cos, tan, asin, acos, atan, atan2, sinh, cosh, tanh, degrees,
    radians, hypot, factorial, comb, perm, gcd, lcm. Angles are in radians. round(2.5) is 3.

    Args:
        expression: numbers, operators and functions; no names of your own, no text.
    """
    if len(expression) > _LONGEST:
        raise ToolError(f"The expression has more than {_LONGEST} characters.")
    for written, meant in _WRITTEN.items():
        expression = expression.replace(written, meant)
    expression = " ".join(expression.split())
    try:
        if "#" in expression:  # a comment to Python
            raise SyntaxError
        tree = ast.parse(expression, mode="eval")
        return _shown(_value(tree.body, expression))
    except (SyntaxError, MemoryError, RecursionError) as error:
        raise ToolError("This is not an expression that can be worked out, or is nested too deeply.") from error
    except ZeroDivisionError as error:
        raise ToolError("This divides by zero.") from error
    except OverflowError as error:
        raise ToolError(f"A number in this is too large: at most about {_MOST_BITS * 3 // 10:,} digits.") from error
    except (ValueError, TypeError) as error:
        raise ToolError(f"This has no real value: {error}.") from error


def _value(node: ast.expr, source: str) -> Number:
    match node:
        case ast.Constant(value=int() | float()) if not isinstance(node.value, bool):
            return _literal(ast.get_source_segment(source, node) or "")
        case ast.Name(id=name) if name in _CONSTANTS:
            return _CONSTANTS[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, source)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _value(operand, source)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _bounded(_OPERATORS[type(op)](_value(left, source), _value(right, source)))
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in _FUNCTIONS:
            return _bounded(_FUNCTIONS[name](*(_value(argument, source) for argument in args)))
        case ast.Name(id=name) | ast.Call(func=ast.Name(id=name)):
            raise ToolError(f"'{name[:50]}' is not known here, or not called like this.")
        case _:
            raise ToolError(f"Only arithmetic is worked out; this holds something else ({type(node).__name__}).")


def _literal(text: str) -> Fraction:
    text = text.replace("_", "")
    if text[:2].lower() in ("0x", "0o", "0b"):
        return _exact(int(text, 0))
    number = Decimal(text)
    if abs(number.adjusted()) > _LARGEST_EXPONENT:
        raise OverflowError
    return Fraction(number)


def _bounded(value: Number) -> Number:
    if isinstance(value, Fraction):
        if max(value.numerator.bit_length(), value.denominator.bit_length()) > _MOST_BITS:
            raise OverflowError
    elif not math.isfinite(value):
        raise OverflowError
    return value


def _exact(value: int) -> Fraction:
    if value.bit_length() > _MOST_BITS:
        raise OverflowError
    return Fraction(value)


def _modulo(left: Number, right: Number) -> Number:
    return Fraction(left % right) if isinstance(left, Fraction) and isinstance(right, Fraction) else float(left % right)


def _floor_division(left: Number, right: Number) -> Number:
    return Fraction(left // right)


def _power(base: Number, exponent: Number) -> Number:
    if isinstance(base, Fraction) and isinstance(exponent, Fraction) and exponent.denominator == 1:
        bits = max(base.numerator.bit_length(), base.denominator.bit_length())
        if bits > 1 and (bits - 1) * abs(exponent.numerator) > _MOST_BITS:
            raise OverflowError
        # Within the bound, or the base is -1, 0 or 1, for which only the parity of the exponent counts.
        times = exponent.numerator if bits > 1 else _same_parity(exponent.numerator)
        return Fraction(base**times)
    return math.pow(base, exponent)


def _same_parity(exponent: int) -> int:
    return int(math.copysign(min(abs(exponent), 2 + abs(exponent) % 2), exponent))


def _root(value: Number) -> Number:
    if isinstance(value, Fraction) and value >= 0:
        top, bottom = math.isqrt(value.numerator), math.isqrt(value.denominator)
        if Fraction(top, bottom) ** 2 == value:
            return Fraction(top, bottom)
    return math.sqrt(value)


def _round(value: Number, digits: Number = Fraction(0)) -> Fraction:
    """Halves go away from zero, as they do at school."""
    places = _whole(digits)
    if abs(places) > 100:
        raise ValueError("round takes -100 to 100 digits")
    scale = Fraction(10) ** places
    scaled = Fraction(value) * scale
    nearest = math.floor(abs(scaled) + Fraction(1, 2))
    return (nearest if scaled >= 0 else -nearest) / scale


def _logarithm(value: Number, base: Number | None = None) -> float:
    plain = value.numerator if isinstance(value, Fraction) and value.denominator == 1 else value
    return math.log(plain) if base is None else math.log(plain, base)


def _whole(value: Number) -> int:
    if value != int(value):
        raise ValueError("a whole number is needed")
    return int(value)


def _of_whole(function: Callable[..., int], largest: int | None = None) -> Callable[..., Fraction]:
    """A function of whole numbers, each at most `largest`: what is more takes long."""

    def run(*values: Number) -> Fraction:
        numbers = [_whole(value) for value in values]
        if largest is not None and any(number > largest for number in numbers):
            raise OverflowError
        return _exact(function(*numbers))

    return run


def _to_whole(function: Callable[[Any], int]) -> Callable[[Number], Fraction]:
    return lambda value: _exact(function(value))


def _sum(*values: Number) -> Number:
    return sum(values, start=Fraction(0))


_CONSTANTS: dict[str, Number] = {"pi": math.pi, "e": math.e, "tau": math.tau}
_OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Number]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: _floor_division,
    ast.Mod: _modulo,
    ast.Pow: _power,
}
_FUNCTIONS: dict[str, Callable[..., Number]] = {
    **{name: getattr(math, name) for name in ("exp", "log2", "log10", "sin", "cos", "tan", "asin", "acos", "atan")},
    **{name: getattr(math, name) for name in ("atan2", "sinh", "cosh", "tanh", "degrees", "radians", "hypot", "cbrt")},
    **{name: _to_whole(getattr(math, name)) for name in ("floor", "ceil", "trunc")},
    **{name: _of_whole(getattr(math, name)) for name in ("gcd", "lcm")},
    **{name: _of_whole(getattr(math, name), 10_000) for name in ("factorial", "comb", "perm")},
    "log": _logarithm,
    "sqrt": _root,
    "round": _round,
    "abs": abs,
    "min": min,
    "max": max,
    "sum": _sum,
}


def _shown(value: Number) -> str:
    if isinstance(value, float):
        return f"{value:.{_DIGITS}g}"
    if value.denominator == 1:
        return str(value.numerator)
    with localcontext(Context(prec=_MOST_BITS)):
        exact = Decimal(value.numerator) / Decimal(value.denominator) if _ends(value.denominator) else None
    if exact is not None and len(exact.as_tuple().digits) <= 50:
        return f"{exact:f}" if exact.adjusted() >= -_DIGITS else str(exact)
    with localcontext(Context(prec=_DIGITS)):
        near = Decimal(value.numerator) / Decimal(value.denominator)
    fraction = str(value)
    return f"{near} (exactly {fraction})" if len(fraction) <= 30 else str(near)


def _ends(denominator: int) -> bool:
    """Whether a fraction over this has a decimal expansion that ends, and soon."""
    return 10**100 % denominator == 0
