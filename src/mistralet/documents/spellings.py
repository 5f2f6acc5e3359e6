"""Numbers and dates as documents write them, in the family's languages."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from datetime import date

Span = tuple[int, int]

_NUMBER = re.compile(
    r"(?<![\w.,])[-−]?\d{1,3}(?:[ \u00a0\u202f.,'’]\d{3})+(?:[.,]\d+)?(?!\w)|(?<![\w.,])[-−]?\d+(?:[.,]\d+)?(?!\w)"
)
_MONTHS = {
    name: number
    for names in (
        "january february march april may june july august september october november december",
        "janvier fevrier mars avril mai juin juillet aout septembre octobre novembre decembre",
        "januar februar marz april mai juni juli august september oktober november dezember",
        "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
        "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
        "janeiro fevereiro marco abril maio junho julho agosto setembro outubro novembro dezembro",
        "januari februari maart april mei juni juli augustus september oktober november december",
    )
    for number, name in enumerate(names.split(), 1)
}
_ISO = re.compile(r"\b(\d{4})-(\d{1,2})-(\d{1,2})\b")
_DAY_FIRST = re.compile(r"\b(\d{1,2})[./-](\d{1,2})[./-](\d{4})\b")
_DAY_MONTH = re.compile(
    r"\b(\d{1,2})(?:st|nd|rd|th|er|\.|º)?\s+(?:de\s+|of\s+)?([^\W\d]{3,12})\.?,?\s+(?:de\s+|of\s+)?(\d{4})\b"
)
_MONTH_DAY = re.compile(r"\b([^\W\d]{3,12})\.?\s+(\d{1,2})(?:st|nd|rd|th)?,?\s+(\d{4})\b")


def numbers(text: str) -> Iterator[tuple[Span, float]]:
    """The numbers in a text; one that can be read in two ways (1.234) comes twice."""
    for match in _NUMBER.finditer(text):
        for value in _readings(match[0]):
            yield match.span(), value


def dates(text: str) -> Iterator[tuple[Span, date]]:
    """The dates in a text; one that can be read in two ways (03/04/2025) comes twice."""
    for match in _ISO.finditer(text):
        yield from _dated(match.span(), match[1], match[2], match[3])
    for match in _DAY_FIRST.finditer(text):
        yield from _dated(match.span(), match[3], match[2], match[1])
        yield from _dated(match.span(), match[3], match[1], match[2])
    for match in _DAY_MONTH.finditer(text):
        yield from _dated(match.span(), match[3], match[2], match[1])
    for match in _MONTH_DAY.finditer(text):
        yield from _dated(match.span(), match[3], match[1], match[2])


def _readings(written: str) -> set[float]:
    sign = -1 if written[0] in "-−" else 1
    digits = re.sub(r"[ \u00a0\u202f'’−-]", "", written)
    readings = set()
    for thousands, decimal in ((",", "."), (".", ",")):
        plain = (
            digits.replace(thousands, "")
            if re.fullmatch(rf"\d{{1,3}}(?:\{thousands}\d{{3}})+(?:\{decimal}\d+)?", digits)
            else digits
        )
        plain = plain.replace(decimal, ".")
        if re.fullmatch(r"\d+(?:\.\d+)?", plain):
            readings.add(sign * float(plain))
    return readings


def _dated(span: Span, year: str, month: str, day: str) -> Iterator[tuple[Span, date]]:
    number = int(month) if month.isdigit() else _month(month)
    try:
        yield span, date(int(year), number, int(day))
    except ValueError:  # no such day
        return


def _month(name: str) -> int:
    plain = "".join(
        letter for letter in unicodedata.normalize("NFKD", name.casefold()) if not unicodedata.combining(letter)
    )
    if plain in _MONTHS:
        return _MONTHS[plain]
    return next((number for full, number in _MONTHS.items() if len(plain) >= 3 and full.startswith(plain)), 0)
