"""Where in a document the value of a field stands, in whichever spelling."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from datetime import date

from mistralet.documents.document import Document, Page
from mistralet.documents.json_leaves import Scalar
from mistralet.documents.quotes import Citation, boxes_of, find_quote
from mistralet.documents.spellings import Span, dates, numbers
from mistralet.documents.words import language_of, stems

_BEFORE = 90  # characters before a value in which the words that name it are looked for


def locate(document: Document, value: Scalar, about: str) -> Citation | None:
    """The place that states a value; of several, the one behind the most words of `about`, the field's name.

    None if no page states it, or it is nothing that a page states: true, false, null, an empty text.
    """
    if value is None or isinstance(value, bool) or value == "":
        return None
    wanted = set(stems(about, "english"))
    best: tuple[int, Page, Span] | None = None
    for page in document.pages:
        language = language_of(page.text)
        for start, end in _places(page, value):
            before = page.text[max(0, start - _BEFORE) : start]
            fit = len(wanted & (set(stems(before, "english")) | set(stems(before, language))))
            if best is None or fit > best[0]:
                best = (fit, page, (start, end))
    if best is None:
        return None
    _, page, (start, end) = best
    return Citation(document.name, page.number, page.text[start:end], boxes_of(document, page.number, start, end))


def _places(page: Page, value: str | int | float) -> Iterator[Span]:
    if isinstance(value, int | float):
        yield from (span for span, number in numbers(page.text) if math.isclose(number, value, rel_tol=1e-9))
        return
    day = _day(value)
    if day is not None:
        yield from (span for span, found in dates(page.text) if found == day)
    start = 0
    rest = page
    while (found := find_quote(rest, value)) is not None:
        yield found[0] + start, found[1] + start
        start += found[1]
        rest = Page(page.number, page.text[start:])
    if start == 0:
        yield from _spaced(page.text, value)


def _spaced(text: str, value: str) -> Iterator[Span]:
    """A code, such as an account number, that is printed in groups or given without them."""
    letters = [re.escape(letter) for letter in value if letter.isalnum()]
    if len(letters) >= 6 and any(letter.isdigit() for letter in letters) and len(letters) <= 64:
        pattern = r"[\s./-]?".join(letters)
        yield from (match.span() for match in re.finditer(rf"(?<!\w){pattern}(?!\w)", text, re.IGNORECASE))


def _day(value: str) -> date | None:
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None
