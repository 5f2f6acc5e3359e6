"""Quotes: words found again where they stand, whatever became of line breaks, hyphens and quotation marks."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from mistralet.documents.document import Box, Document, Page

_SOFT_HYPHEN = "\u00ad"
_ALIKE = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛′`´", "'"),
        **dict.fromkeys("“”„‟″«»", '"'),
        **dict.fromkeys("‐‑‒–—―−", "-"),
    }
)


@dataclass(frozen=True)
class Citation:
    """Words of a document, and where they stand."""

    document: str  # its name
    page: int
    quote: str  # exactly as it stands in the page's text
    boxes: tuple[Box, ...] = ()  # one for each line; none where the format has no places


def cite(document: Document, quote: str, pages: Iterable[int] | None = None) -> Citation | None:
    """The first place where a document says `quote`; None if it does not.

    Args:
        pages: numbers of those to look at, in this order; None: all.
    """
    for number in pages if pages is not None else range(1, len(document.pages) + 1):
        page = document.page(number)
        found = find_quote(page, quote)
        if found is not None:
            return Citation(document.name, number, page.text[slice(*found)], boxes_of(document, number, *found))
    return None


def find_quote(page: Page, quote: str) -> tuple[int, int] | None:
    """From where to where `quote` stands in the page's text: whole words, in any case and spacing."""
    wanted, _ = _plain(quote)
    wanted = wanted.strip()
    if not wanted:
        return None
    text, places = _plain(page.text)
    begin = text.find(wanted)
    while begin >= 0:
        end = begin + len(wanted)
        if _is_edge(text, begin) and _is_edge(text, end):
            return places[begin], places[end - 1] + 1
        begin = text.find(wanted, begin + 1)
    return None


def boxes_of(document: Document, number: int, start: int, end: int) -> tuple[Box, ...]:
    """The places of `page.text[start:end]`, one for each line."""
    lines: list[Box] = []
    for word in document.source.words(number):
        if word.start < end and word.end > start:
            if lines and _same_line(lines[-1], word.box):
                lines[-1] = _around(lines[-1], word.box)
            else:
                lines.append(word.box)
    return tuple(lines)


def _plain(text: str) -> tuple[str, list[int]]:
    """`text` in its plainest form, and the place in `text` of each of its characters."""
    letters: list[str] = []
    places: list[int] = []
    for place, letter in enumerate(text):
        if letter == _SOFT_HYPHEN:
            continue
        for plain in unicodedata.normalize("NFKC", letter.translate(_ALIKE)).casefold():
            if plain.isspace():
                if not letters or letters[-1] == " ":
                    continue
                if letters[-1] == "-" and letter in "\r\n" and letters[-2:-1] and letters[-2].isalpha():
                    # A word that was parted at the end of a line.
                    letters.pop()
                    places.pop()
                    continue
                letters.append(" ")
            else:
                letters.append(plain)
            places.append(place)
    return "".join(letters), places


def _is_edge(text: str, place: int) -> bool:
    return place in (0, len(text)) or not (text[place - 1].isalnum() and text[place].isalnum())


def _same_line(line: Box, word: Box) -> bool:
    middle = (word.top + word.bottom) / 2
    return line.top <= middle <= line.bottom and word.left >= line.left


def _around(one: Box, other: Box) -> Box:
    return Box(
        min(one.left, other.left), min(one.top, other.top), max(one.right, other.right), max(one.bottom, other.bottom)
    )
