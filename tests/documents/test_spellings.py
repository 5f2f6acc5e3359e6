"""Numbers and dates are known in the spellings that documents have for them."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mistralet.documents.spellings import dates, numbers


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1,234.56", 1234.56),
        ("1.234,56 EUR", 1234.56),
        ("1 234,56 €", 1234.56),
        ("1\u202f234", 1234.0),
        ("CHF 1'234.50", 1234.5),
        ("1.234", 1234.0),
        ("1.234", 1.234),
        ("12,5 %", 12.5),
        ("-7", -7.0),
        ("1,234,567", 1234567.0),
        ("42", 42.0),
    ],
)
def test_numbers(text: str, value: float) -> None:
    assert value in [number for _, number in numbers(text)]


@pytest.mark.parametrize("text", ["A1234", "v2.3.4x", "12ab", ""])
def test_what_is_part_of_a_word_is_no_number(text: str) -> None:
    assert not [number for (start, end), number in numbers(text) if text[start:end] in ("1234", "12")]


@given(st.integers(0, 10**9), st.sampled_from([(",", "."), (".", ","), (" ", ","), ("", "."), ("'", ".")]))
def test_amounts_in_every_style(cents: int, style: tuple[str, str]) -> None:
    thousands, decimal = style
    written = f"{cents // 100:,}".replace(",", thousands) + f"{decimal}{cents % 100:02}"
    text = f"Total {written} EUR"
    assert (cents / 100, written) in [(number, text[start:end]) for (start, end), number in numbers(text)]


@pytest.mark.parametrize(
    "text",
    [
        "2025-03-07",
        "07.03.2025",
        "7/3/2025",
        "3/7/2025",
        "7 March 2025",
        "7th of March, 2025",
        "March 7, 2025",
        "Mar 7, 2025",
        "7 mars 2025",
        "7. März 2025",
        "7 de marzo de 2025",
        "7 marzo 2025",
        "7 de março de 2025",
        "7 maart 2025",
    ],
)
def test_dates(text: str) -> None:
    assert date(2025, 3, 7) in [day for _, day in dates(f"Signed on {text}.")]


@pytest.mark.parametrize("text", ["2025-13-45", "31/02/2025", "7 Pumpkin 2025", "99.99.9999"])
def test_days_that_do_not_exist(text: str) -> None:
    assert list(dates(text)) == []
