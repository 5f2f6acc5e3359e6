"""Text without pages to portions of about a page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_LETTERS = 3000  # of a portion, about a page


@dataclass(frozen=True)
class Portion:
    """A portion of a text."""

    text: str
    paragraphs: tuple[int, ...]  # those that begin in it, by their place, from 0


def portions(paragraphs: Iterable[str]) -> list[Portion]:
    """Whole paragraphs, as many as make a page; a longer one is cut between lines, or between words."""
    pages: list[list[str]] = [[]]
    begin: list[list[int]] = [[]]
    size = 0
    for place, paragraph in enumerate(paragraphs):
        for count, piece in enumerate(_pieces(paragraph)):
            if pages[-1] and size + len(piece) > _LETTERS:
                pages.append([])
                begin.append([])
                size = 0
            pages[-1].append(piece)
            size += len(piece)
            if count == 0:
                begin[-1].append(place)
    return [Portion("\n\n".join(page), tuple(begun)) for page, begun in zip(pages, begin, strict=True) if page]


def _pieces(paragraph: str) -> Iterator[str]:
    while len(paragraph) > _LETTERS:
        cut = paragraph.rfind("\n", 0, _LETTERS)
        if cut < _LETTERS // 2:
            cut = paragraph.rfind(" ", 0, _LETTERS)
        if cut < _LETTERS // 2:
            cut = _LETTERS
        yield paragraph[:cut].rstrip()
        paragraph = paragraph[cut:].lstrip()
    if paragraph.strip():
        yield paragraph
