"""`calculate` is exact, says what it cannot do, and is never long about it."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mistralet.agents.builtin.calculator import calculate
from mistralet.errors import ToolError


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("0.1 + 0.2", "0.3"),
        ("1.10 * 3", "3.3"),
        ("0.1 + 0.2 - 0.3", "0"),
        ("10 / 4", "2.5"),
        ("1 / 3", "0.333333333333333 (exactly 1/3)"),
        ("1/3 + 2/3", "1"),
        ("2**100", "1267650600228229401496703205376"),
        ("2^10 + 1", "1025"),
        ("2 ** -3", "0.125"),
        ("-2 ** 2", "-4"),
        ("2 ** 3 ** 2", "512"),
        ("7 // 2", "3"),
        ("-7 % 3", "2"),
        ("5.5 % 2", "1.5"),
        ("3 × 4 ÷ 2 − 1", "5"),
        ("0x10 + 0b11 + 1_000", "1019"),
        ("1e-30", "1E-30"),
        ("12345678.9 * 1000", "12345678900"),
        ("sqrt(2)", "1.4142135623731"),
        ("sqrt(16/9) * 3", "4"),
        ("sqrt(10**700) / 10**349", "10"),
        ("4 ** 0.5", "2"),
        ("round(2.5)", "3"),
        ("round(-2.5)", "-3"),
        ("round(2.345, 2)", "2.35"),
        ("round(1234, -2)", "1200"),
        ("log(1000, 10)", "3"),
        ("log(2**5000) / log(2)", "5000"),
        ("cos(π)", "-1"),
        ("hypot(3, 4)", "5"),
        ("max(1, 2.5, 2)", "2.5"),
        ("sum(1, 2, 3)", "6"),
        ("floor(-1.5) + ceil(0.2) + trunc(-1.5)", "-2"),
        ("factorial(20)", "2432902008176640000"),
        ("comb(5, 2) + perm(5, 2)", "30"),
        ("gcd(12, 18) * lcm(4, 6)", "72"),
        ("(-1) ** (10 ** 100)", "1"),
        ("(-1) ** (10 ** 100 + 1)", "-1"),
        ("0 ** (10 ** 100)", "0"),
        ("  1 +\n 1 ", "2"),
        ("1_0 + 1", "11"),
    ],
)
def test_what_people_expect(expression: str, result: str) -> None:
    assert calculate(expression) == result


ATTACKS = [
    *("__import__('os').system('id')", "().__class__.__bases__", "(1).real", "open('/etc/passwd')", "eval('1')"),
    *("lambda: 1", "[x for x in (1,)]", "f'{1}'", "'a' * 9", "[1] * 9", "{1: 2}", "x := 1", "x", "True", "None"),
    *("...", "1j", "1 if 1 else 2", "1 and 2", "not 1", "1 < 2", "~1", "1 << 9", "1 | 2", "sqrt", "max(*[1])"),
    *("sqrt(x=1)", "print(1)", "pow(2, 3)", "1; 2", "import os", "1 # comment\n2", "\0", "\ud800", "١+١"),
    *("9**9**9", "9**9**9**9", "2**99999999999", "0.5**99999999999", "(1/3)**1000000", "10**10000", "1e999999999"),
    *("1e-999999999", "factorial(99999999)", "comb(10**9, 5*10**8)", "perm(10000, 10000)", "lcm(2**12000, 3**7000)"),
    *("exp(1000)", "10**400 * 1.5 * pi", "round(1, 10**9)", "1/0", "1 % 0", "0 ** -1", "log(0)", "sqrt(-1)", "asin(2)"),
    *("(-8) ** (1/3)", "gcd(1.5, 2)", "max()", "atan2(1)", "round(pi, 0.5)", "", "   ", "1 +", "((1)", "5!", "50%"),
    *("-" * 999 + "1", "(" * 400 + "1" + ")" * 400, "1" * 1001, "1+" * 490 + "1" * 10, "9" * 999 + "**9"),
]


@pytest.mark.parametrize("expression", ATTACKS)
def test_what_is_no_arithmetic_or_too_much_is_refused(expression: str) -> None:
    if expression.startswith("1+1+"):  # long, and yet nothing but arithmetic
        assert calculate(expression) == str(490 + 1_111_111_111)
        return
    with pytest.raises(ToolError) as caught:
        calculate(expression)
    assert len(str(caught.value)) < 200


NUMBERS = st.integers(0, 10**6).map(str) | st.decimals(0, 10**6, places=3).map(str)
EXPRESSIONS = st.recursive(
    NUMBERS,
    lambda inner: st.tuples(inner, st.sampled_from(["+", "-", "*", "/"]), inner).map(
        lambda parts: f"({' '.join(parts)})"
    ),
    max_leaves=12,
)


@given(EXPRESSIONS)
def test_arithmetic_is_that_of_fractions(expression: str) -> None:
    numbers = "".join(f"Fraction('{part}')" if part[0].isdigit() else part for part in _parts(expression))
    try:
        expected = eval(numbers, {"Fraction": Fraction})
    except ZeroDivisionError:
        with pytest.raises(ToolError, match="divides by zero"):
            calculate(expression)
        return
    shown = calculate(expression)
    if "exactly" in shown:
        assert Fraction(shown.partition("exactly ")[2].rstrip(")")) == expected
    else:
        assert math.isclose(Fraction(shown), expected, rel_tol=1e-14)


def _parts(expression: str) -> list[str]:
    return expression.replace("(", " ( ").replace(")", " ) ").split()


@given(st.text(alphabet="0123456789.+-*/%^()e ,xπsqrtmaxlog_'[]", max_size=60))
def test_anything_gives_a_short_text_or_a_refusal(expression: str) -> None:
    try:
        told = calculate(expression)
    except ToolError as error:
        told = str(error)
    assert len(told) < 5000
